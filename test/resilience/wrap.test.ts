import { describe, expect, it, vi } from 'vitest';
import type { CallContext } from '../../src/resilience/call.ts';
import { createCircuitBreaker } from '../../src/resilience/circuit-breaker.ts';
import { createNoop } from '../../src/resilience/policy.ts';
import { createRetry } from '../../src/resilience/retry.ts';
import { wrap } from '../../src/resilience/wrap.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { down, hang, ok, outcomeOf } from './deferred.ts';

const setUp = () => {
  const host = new SimulatedHost();
  const retry = createRetry({ host, backoff: { baseMs: 100, jitter: 'none' } });
  const breaker = createCircuitBreaker({ host, window: { kind: 'consecutive', failures: 3 } });
  return { host, retry, breaker };
};

describe('a wrap', () => {
  it('runs work under all its policies, the outermost first', async () => {
    const { host, retry, breaker } = setUp();
    const work = vi.fn(down);
    expect(await host.runUntil(outcomeOf(wrap(retry, breaker).execute(work)))).toBe('down');
    expect(work).toHaveBeenCalledTimes(3);
    expect(breaker.inspect().state).toBe('open');
  });

  it('of nothing runs work as it is, within its bounds', async () => {
    expect(await wrap().execute(() => 7)).toBe(7);
    const { host } = setUp();
    expect(await outcomeOf(wrap().execute(ok, { signal: AbortSignal.abort('over') }))).toBe('over');
    expect(host.pendingTimers()).toEqual([]);
  });

  it('one deadline bounds all, by one timer, and reaches the work', async () => {
    const { host, retry, breaker } = setUp();
    let context: CallContext | undefined;
    const running = wrap(createNoop({ host }), retry, breaker).execute(
      (given) => {
        context = given;
        return hang();
      },
      { timeoutMs: 500 },
    );
    expect(context?.deadline).toBe(500);
    expect(host.pendingTimers().filter(({ label }) => label.includes('deadline'))).toHaveLength(1);
    expect(await host.runUntil(outcomeOf(running))).toBe('ERR_DEADLINE_PASSED');
    expect(context?.signal.aborted).toBe(true);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('a deadline of a call above counts as a failure for the breaker below', async () => {
    const { host, breaker } = setUp();
    const wrapped = wrap(createNoop({ host }), breaker);
    for (let i = 0; i < 3; i++) await host.runUntil(outcomeOf(wrapped.execute(hang, { timeoutMs: 10 })));
    expect(breaker.inspect().state).toBe('open');
  });

  it("the caller's abort reaches all, and counts for nothing", async () => {
    const { host, retry, breaker } = setUp();
    const controller = new AbortController();
    const running = wrap(retry, breaker).execute(hang, { signal: controller.signal });
    controller.abort('enough');
    expect(await outcomeOf(running)).toBe('enough');
    expect(breaker.inspect()).toMatchObject({ failures: 0 });
    expect(host.pendingTimers()).toEqual([]);
  });

  it('makes no AbortSignal unless it is read', async () => {
    const { host, retry, breaker } = setUp();
    const made = vi.spyOn(globalThis, 'AbortController');
    await wrap(createNoop({ host }), retry, breaker).execute(ok, { timeoutMs: 1_000 });
    await wrap(retry, breaker).execute(ok);
    expect(made).not.toHaveBeenCalled();
    made.mockRestore();
  });

  it('within a wrap is one of its policies', async () => {
    const { host, retry, breaker } = setUp();
    const wrapped = wrap(wrap(createNoop({ host }), retry), breaker);
    expect(await host.runUntil(outcomeOf(wrapped.execute(down)))).toBe('down');
    expect(breaker.inspect().failures).toBe(3);
    expect(wrapped.inspect()).toEqual({
      name: 'noop+retry+breaker',
      policies: ['wrap noop+retry', 'breaker breaker'],
    });
  });

  it('takes a policy of your own, which knows nothing of ours', async () => {
    const { host, breaker } = setUp();
    const seen: unknown[] = [];
    const own = {
      kind: 'audit',
      name: 'audit',
      events: breaker.events,
      inspect: () => ({}),
      execute: <T>(work: (context: CallContext) => T | PromiseLike<T>) =>
        Promise.resolve(work({ signal: new AbortController().signal, deadline: 40 })),
    };
    const work = ({ deadline }: CallContext) => {
      seen.push(deadline);
      return hang();
    };
    expect(await host.runUntil(outcomeOf(wrap(own, breaker).execute(work)))).toBe('ERR_DEADLINE_PASSED');
    expect(seen).toEqual([40]);
  });

  it('refuses what is no policy', () => {
    expect(() => wrap({} as never)).toThrow('ERR_OPTION_INVALID');
    expect(() => wrap(createNoop(), undefined as never)).toThrow('ERR_OPTION_INVALID');
  });

  it('that is disposed refuses, and leaves its policies alone', async () => {
    const { retry, breaker } = setUp();
    const wrapped = wrap(retry, breaker);
    wrapped.dispose();
    wrapped.dispose();
    expect(await outcomeOf(wrapped.execute(ok))).toBe('ERR_POLICY_DISPOSED');
    expect(await retry.execute(ok)).toBe('ok');
  });

  it('hears the events of all its policies', async () => {
    const { host, retry, breaker } = setUp();
    const seen: string[] = [];
    const wrapped = wrap(retry, breaker);
    const end = wrapped.on('breaker.opened', ({ type }) => seen.push(type));
    wrapped.on('retry.exhausted', ({ type }) => seen.push(type));
    await host.runUntil(outcomeOf(wrapped.execute(down)));
    end();
    breaker.reset();
    await host.runUntil(outcomeOf(wrapped.execute(down)));
    expect(seen).toEqual(['breaker.opened', 'retry.exhausted', 'retry.exhausted']);
  });
});

describe('the order of a wrap', () => {
  it('that is wrong is told once, as soon as anybody listens, and runs all the same', async () => {
    const { host, retry, breaker } = setUp();
    const wrapped = wrap(breaker, retry);
    expect(wrapped.misorders).toMatchObject([{ outer: 'breaker', inner: 'retry' }]);
    expect(await host.runUntil(outcomeOf(wrapped.execute(down)))).toBe('down');
    const seen: unknown[] = [];
    wrapped.on('policy.misordered', (event) => seen.push([event.outer, event.inner]));
    await wrapped.execute(ok);
    await wrapped.execute(ok);
    expect(seen).toEqual([['breaker', 'retry']]);
  });

  it('that is sensible is not remarked upon', () => {
    const { retry, breaker } = setUp();
    expect(wrap(createNoop(), retry, breaker).misorders).toEqual([]);
  });

  it('is seen through wraps within wraps', () => {
    const { retry, breaker } = setUp();
    expect(wrap(breaker, wrap(createNoop(), retry)).misorders).toHaveLength(1);
  });
});

describe('within', () => {
  it('carries signal and deadline, so they may not be given beside it', async () => {
    const { breaker } = setUp();
    const context = { signal: new AbortController().signal, deadline: 50 };
    for (const wrong of [
      { within: context, deadline: 3 },
      { within: context, signal: context.signal },
      { within: 3 },
    ])
      expect(await outcomeOf(breaker.execute(ok, wrong as never))).toBe('ERR_OPTION_INVALID');
  });

  it('a budget given beside it only shrinks the deadline', async () => {
    const { host } = setUp();
    const noop = createNoop({ host });
    const seen: number[] = [];
    await noop.execute(
      async (context) => {
        for (const timeoutMs of [10, 90, 900])
          await noop.execute(({ deadline }) => seen.push(deadline), { within: context, timeoutMs });
      },
      { timeoutMs: 90 },
    );
    expect(seen).toEqual([10, 90, 90]);
  });
});
