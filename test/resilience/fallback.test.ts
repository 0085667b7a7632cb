import { describe, expect, it, vi } from 'vitest';
import { createFallback } from '../../src/resilience/fallback.ts';
import { createRetry } from '../../src/resilience/retry.ts';
import { createTimeout } from '../../src/resilience/timeout.ts';
import { wrap } from '../../src/resilience/wrap.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { down, hang, ok, outcomeOf } from './deferred.ts';

describe('a fallback', () => {
  it('answers with its value where the work fails, and only there', async () => {
    const fallback = createFallback({ value: 'cached' });
    const used = vi.fn();
    fallback.events.on('fallback.used', used);
    expect(await fallback.execute(ok)).toBe('ok');
    expect(await fallback.execute(down as () => Promise<string>)).toBe('cached');
    expect(used).toHaveBeenCalledTimes(1);
    expect(fallback.inspect()).toMatchObject({ used: 1, failed: 0 });
  });

  it('is told the error, and its own error is what the caller is told', async () => {
    const fallback = createFallback({
      fallback: (error) => {
        throw new Error(`no answer to ${(error as Error).message}`);
      },
    });
    expect(await outcomeOf(fallback.execute(down))).toBe('no answer to down');
    expect(fallback.inspect()).toMatchObject({ used: 0, failed: 1 });
  });

  it('answers for the errors it is meant for; a predicate that throws means no', async () => {
    const whens = [() => false, () => true, () => JSON.parse('{') as boolean];
    const answers = whens.map((when) => outcomeOf(createFallback({ value: 'cached', when }).execute(down)));
    expect(await Promise.all(answers)).toEqual(['down', 'cached', 'down']);
  });

  it('is asked once, after all else', async () => {
    const host = new SimulatedHost();
    const answer = vi.fn(() => 'cached');
    const wrapped = wrap(
      createFallback({ host, fallback: answer }),
      createRetry({ host, idempotent: true, backoff: { baseMs: 10 } }),
      createTimeout({ host, timeoutMs: 50 }),
    );
    expect(await host.runUntil(wrapped.execute(hang as () => Promise<string>))).toBe('cached');
    expect(answer).toHaveBeenCalledTimes(1);
  });

  it('does not answer a caller that is gone', async () => {
    const host = new SimulatedHost();
    const fallback = createFallback({ host, value: 'cached' });
    const controller = new AbortController();
    const aborted = outcomeOf(fallback.execute(hang, { signal: controller.signal }));
    controller.abort('enough');
    expect(await aborted).toBe('enough');
    expect(await host.runUntil(outcomeOf(fallback.execute(hang, { timeoutMs: 10 })))).toBe(
      'ERR_DEADLINE_PASSED',
    );
    expect(fallback.inspect().used).toBe(0);
  });

  it('has what is left of the time', async () => {
    const host = new SimulatedHost();
    const fallback = createFallback({ host, fallback: hang });
    const failing = () => new Promise<string>((_, reject) => host.timer(60, 'work', () => reject('late')));
    const running = outcomeOf(fallback.execute(failing, { timeoutMs: 100 }));
    expect(await host.runUntil(running)).toBe('ERR_DEADLINE_PASSED');
    expect(host.monotonic()).toBe(100);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('wants an answer or a way to make one, not both', () => {
    expect(() => createFallback({})).toThrow('ERR_OPTION_INVALID');
    expect(() => createFallback({ value: 1, fallback: () => 1 })).toThrow('ERR_OPTION_INVALID');
  });
});
