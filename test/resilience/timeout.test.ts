import { describe, expect, it, vi } from 'vitest';
import { createTimeout } from '../../src/resilience/timeout.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { deferred, down, hang, ok, outcomeOf } from './deferred.ts';

const setUp = (timeoutMs = 100) => {
  const host = new SimulatedHost();
  return { host, timeout: createTimeout({ host, timeoutMs }) };
};

describe('a timeout', () => {
  it('gives what comes in time, and leaves no timer', async () => {
    const { host, timeout } = setUp();
    expect(await timeout.execute(ok)).toBe('ok');
    expect(await outcomeOf(timeout.execute(down))).toBe('down');
    expect(host.pendingTimers()).toEqual([]);
  });

  it('aborts the signal, lets its caller go in the same turn, and says that the outcome is unknown', async () => {
    const { host, timeout } = setUp();
    const passed = vi.fn();
    timeout.events.on('timeout.passed', passed);
    let signal: AbortSignal | undefined;
    const running = timeout.execute((context) => {
      signal = context.signal;
      return hang();
    });
    const error = await host.runUntil(running.catch((thrown: unknown) => thrown));
    expect(error).toMatchObject({ code: 'ERR_DEADLINE_PASSED', outcome: 'unknown' });
    expect(signal).toMatchObject({ aborted: true, reason: error });
    expect(host.monotonic()).toBe(100);
    expect(passed).toHaveBeenCalledTimes(1);
  });

  it('counts the work that it abandoned until that ends', async () => {
    const { host, timeout } = setUp();
    const work = deferred<string>();
    const running = outcomeOf(timeout.execute(() => work.promise));
    await host.advance(100);
    expect(await running).toBe('ERR_DEADLINE_PASSED');
    expect(timeout.inspect()).toMatchObject({ passed: 1, abandoned: 1 });
    work.resolve('late');
    await host.settle();
    expect(timeout.inspect()).toMatchObject({ passed: 1, abandoned: 0 });
  });

  it("only shrinks the caller's deadline", async () => {
    const { timeout } = setUp();
    const seen: number[] = [];
    const note = ({ deadline }: { deadline: number }) => seen.push(deadline);
    await timeout.execute(note, { timeoutMs: 50 });
    await timeout.execute(note, { deadline: 500 });
    expect(seen).toEqual([50, 100]);
  });

  it("1 (opossum): one call's timeout aborts every sibling – each has a signal of its own", async () => {
    const { host, timeout } = setUp();
    const hung = outcomeOf(timeout.execute(hang));
    await host.advance(60);
    let signal: AbortSignal | undefined;
    const work = deferred<string>();
    const sibling = timeout.execute((context) => {
      signal = context.signal;
      return work.promise;
    });
    expect(await host.runUntil(hung)).toBe('ERR_DEADLINE_PASSED');
    expect(signal?.aborted).toBe(false);
    work.resolve('fine');
    expect(await sibling).toBe('fine');
  });

  it('12 (mollitia): a timeout never cancels work – its signal aborts', async () => {
    const { host, timeout } = setUp();
    const cleanedUp = vi.fn();
    const running = timeout.execute(
      ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            cleanedUp();
            reject(signal.reason);
          });
        }),
    );
    expect(await host.runUntil(outcomeOf(running))).toBe('ERR_DEADLINE_PASSED');
    expect(cleanedUp).toHaveBeenCalledTimes(1);
    expect(timeout.inspect().abandoned).toBe(0);
  });
});
