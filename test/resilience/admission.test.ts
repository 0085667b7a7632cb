/** Admission by token, judging, and what bounds a call. */
import { describe, expect, it, vi } from 'vitest';
import { createError } from '../../src/base/errors.ts';
import type { BreakerToken } from '../../src/resilience/admission.ts';
import {
  createCircuitBreaker,
  type StandaloneBreaker,
  type StandaloneBreakerOptions,
} from '../../src/resilience/circuit-breaker.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { deferred, down, hang, ok, outcomeOf } from './deferred.ts';

const setUp = (options: StandaloneBreakerOptions = {}) => {
  const host = new SimulatedHost();
  return { host, breaker: createCircuitBreaker({ host, name: 'prices', ...options }) };
};

const fail = async (breaker: StandaloneBreaker, times: number): Promise<void> => {
  for (let i = 0; i < times; i++) await outcomeOf(breaker.execute(down));
};

/** A breaker that has opened and waited, so that the next admission is a probe. */
const setUpProbing = async (options: StandaloneBreakerOptions = {}) => {
  const { host, breaker } = setUp({ openMs: 1_000, ...options });
  for (let i = 0; i < 5; i++) breaker.fail();
  await host.advance(1_000);
  return { host, breaker };
};

const admitted = (breaker: StandaloneBreaker): BreakerToken => {
  const admission = breaker.admit();
  if (!admission.admitted) throw admission.error;
  return admission;
};

describe('a token', () => {
  it('carries its generation and settles once', () => {
    const { breaker } = setUp();
    const token = admitted(breaker);
    expect(token).toMatchObject({ generation: 1, probe: false });
    expect(token.settle('failure')).toBe(true);
    expect(token.settle('success')).toBe(false);
    expect(breaker.inspect().failures).toBe(1);
  });

  it('of an older generation moves nothing', () => {
    const { breaker } = setUp({ window: { kind: 'consecutive', failures: 1 } });
    const [old, other] = [admitted(breaker), admitted(breaker)];
    other.settle('failure');
    breaker.reset();
    expect(old.settle('failure')).toBe(false);
    expect(breaker.inspect()).toMatchObject({ state: 'closed', failures: 0, stale: 1, generation: 3 });
  });

  it('neutral counts for nothing and frees its permit', async () => {
    const { breaker } = await setUpProbing();
    const probe = admitted(breaker);
    expect(probe.probe).toBe(true);
    expect(breaker.admit()).toMatchObject({ admitted: false, error: { code: 'ERR_BREAKER_PROBING' } });
    expect(probe.settle('neutral')).toBe(true);
    expect(breaker.inspect()).toMatchObject({ state: 'half_open', probes: 0, successes: 0 });
  });

  it('that nobody settles fails at its deadline, or after the watchdog', async () => {
    for (const [bounds, afterMs] of [
      [{ timeoutMs: 200 }, 200],
      [undefined, 30_000],
    ] as const) {
      const { host, breaker } = await setUpProbing();
      expect(breaker.admit(bounds).admitted).toBe(true);
      await host.advance(afterMs - 1);
      expect(breaker.inspect().state).toBe('half_open');
      await host.advance(1);
      expect(breaker.inspect().state).toBe('open');
    }
  });

  it('is settled by the abort of its signal', async () => {
    const { breaker } = await setUpProbing();
    const controller = new AbortController();
    const admission = breaker.admit({ signal: controller.signal });
    controller.abort();
    expect(breaker.inspect()).toMatchObject({ state: 'half_open', probes: 0 });
    expect(admission.admitted && admission.settle('failure')).toBe(false);
    expect(() => breaker.admit({ signal: controller.signal })).toThrow();
  });

  it('refuses to be settled with anything else, and stays settleable', () => {
    const { breaker } = setUp();
    const token = admitted(breaker);
    expect(() => token.settle('sluggish' as never)).toThrow('ERR_OPTION_INVALID');
    expect(token.settle('success')).toBe(true);
  });
});

describe('manual records and reset', () => {
  it('count as if a call had been settled now', async () => {
    const { host, breaker } = setUp({ openMs: 1_000 });
    for (let i = 0; i < 4; i++) breaker.fail();
    breaker.succeed();
    for (let i = 0; i < 5; i++) breaker.fail(new Error('seen elsewhere'));
    expect(breaker.inspect().state).toBe('open');
    await host.advance(1_000);
    admitted(breaker);
    breaker.fail();
    expect(breaker.inspect().state).toBe('open');
    await host.advance(1_000);
    admitted(breaker);
    breaker.succeed();
    expect(breaker.inspect().state).toBe('closed');
  });

  it('a success while open closes nothing', async () => {
    const { breaker } = setUp();
    await fail(breaker, 5);
    breaker.succeed();
    expect(breaker.inspect().state).toBe('open');
  });

  it('reset lets traffic through at once, from open and from half-open, and makes probes stale', async () => {
    const { breaker } = setUp();
    await fail(breaker, 5);
    breaker.reset();
    expect(await breaker.execute(ok)).toBe('ok');
    const probing = await setUpProbing();
    const probe = admitted(probing.breaker);
    probing.breaker.reset();
    expect(probe.settle('failure')).toBe(false);
    expect(probing.breaker.inspect()).toMatchObject({ state: 'closed', failures: 0 });
    expect(probing.host.pendingTimers()).toEqual([]);
  });

  it('reset of a closed one forgets what was counted', async () => {
    const { breaker } = setUp();
    await fail(breaker, 4);
    breaker.reset();
    expect(breaker.inspect()).toMatchObject({ state: 'closed', failures: 0, generation: 2 });
  });
});

describe('judging', () => {
  it('the judge sees how it ended, and decides', async () => {
    const endings: unknown[] = [];
    const { breaker } = setUp({
      window: { kind: 'consecutive', failures: 1 },
      judge: (ending) => {
        endings.push(ending.kind);
        return ending.kind === 'returned' && ending.value === 'bad' ? 'failure' : 'neutral';
      },
    });
    await fail(breaker, 3);
    expect(breaker.inspect().state).toBe('closed');
    expect(await breaker.execute(() => 'bad')).toBe('bad');
    expect(breaker.inspect().state).toBe('open');
    expect(endings).toEqual(['threw', 'threw', 'threw', 'returned']);
  });

  it('a judge that throws, or answers nonsense, is overruled by the default', async () => {
    for (const judge of [
      () => {
        throw new Error('bad judge');
      },
      () => 'maybe' as never,
    ]) {
      const { breaker } = setUp({ window: { kind: 'consecutive', failures: 1 }, judge });
      expect(await breaker.execute(ok)).toBe('ok');
      expect(await outcomeOf(breaker.execute(down))).toBe('down');
      expect(breaker.inspect().state).toBe('open');
    }
  });

  it('an abort by AbortSignal.timeout is a deadline, and a failure', async () => {
    const { breaker } = setUp({ window: { kind: 'consecutive', failures: 1 } });
    const controller = new AbortController();
    const reason = new DOMException('too slow', 'TimeoutError');
    const running = breaker.execute(hang, { signal: controller.signal }).catch((error: unknown) => error);
    controller.abort(reason);
    expect(await running).toBe(reason);
    expect(breaker.inspect().state).toBe('open');
  });
});

describe('bounds of a call', () => {
  it('a deadline rejects work that ignores it, as a failure of unknown outcome', async () => {
    const { host, breaker } = setUp({ window: { kind: 'consecutive', failures: 1 } });
    let signal: AbortSignal | undefined;
    const running = breaker
      .execute(
        (context) => {
          signal = context.signal;
          expect(context.deadline).toBe(250);
          return hang();
        },
        { timeoutMs: 500, deadline: 250 },
      )
      .catch((error: unknown) => error);
    expect(await host.runUntil(running)).toMatchObject({ code: 'ERR_DEADLINE_PASSED', outcome: 'unknown' });
    expect(host.monotonic()).toBe(250);
    expect(signal?.aborted).toBe(true);
    expect(breaker.inspect().state).toBe('open');
  });

  it('what is over before it begins starts nothing and counts for nothing', async () => {
    const { breaker } = setUp();
    const work = vi.fn(ok);
    expect(await outcomeOf(breaker.execute(work, { timeoutMs: 0 }))).toBe('ERR_DEADLINE_PASSED');
    expect(await outcomeOf(breaker.execute(work, { signal: AbortSignal.abort('no') }))).toBe('no');
    expect(work).not.toHaveBeenCalled();
    expect(breaker.inspect()).toMatchObject({ failures: 0, calls: 0 });
  });

  it('a signal is made only when it is read, and is always the same', async () => {
    const { breaker } = setUp();
    const made = vi.fn();
    class Counted extends AbortController {
      constructor() {
        super();
        made();
      }
    }
    vi.stubGlobal('AbortController', Counted);
    await breaker.execute(ok, { timeoutMs: 50 });
    await breaker.execute(ok);
    expect(made).not.toHaveBeenCalled();
    await breaker.execute((context) => expect(context.signal).toBe(context.signal));
    expect(made).toHaveBeenCalledTimes(1);
    vi.unstubAllGlobals();
  });

  it('without a deadline the work gets the signal of its caller itself', async () => {
    const { breaker } = setUp();
    const { signal } = new AbortController();
    await breaker.execute((context) => expect(context.signal).toBe(signal), { signal });
  });

  it('a call that has ended leaves no timer and no listener', async () => {
    const { host, breaker } = setUp();
    const { signal } = new AbortController();
    const removed = vi.spyOn(signal, 'removeEventListener');
    const added = vi.spyOn(signal, 'addEventListener');
    const works = Array.from({ length: 100 }, () => deferred());
    const running = works.map(({ promise }) => breaker.execute(() => promise, { signal, timeoutMs: 100 }));
    expect(added).toHaveBeenCalledTimes(1);
    for (const { resolve } of works) resolve(1);
    await Promise.all(running);
    expect(removed).toHaveBeenCalledTimes(1);
    expect(host.pendingTimers()).toEqual([]);
  });
});

describe('options', () => {
  it.each([
    { window: { kind: 'consecutive', failures: 0 } },
    { window: { kind: 'weekly' } },
    { window: { kind: 'count', size: 5, minimumCalls: 6 } },
    { window: { kind: 'count', failureRate: 0 } },
    { window: { kind: 'count', failureRate: 1.5 } },
    { window: { kind: 'consecutive', size: 3 } },
    { window: null },
    { openMs: -1 },
    { openMs: Number.POSITIVE_INFINITY },
    { halfOpenPermits: 0 },
    { successThreshold: 0.5 },
    { watchdogMs: 0 },
    { judge: 'me' },
    { name: '' },
    { openMS: 5 },
  ])('refuses %o', (options) => {
    expect(() => createCircuitBreaker(options as never)).toThrow(/ERR_OPTION_/);
  });

  it('a window whose size is below the default minimum needs only as many calls', async () => {
    const { breaker } = setUp({ window: { kind: 'count', size: 3 } });
    await fail(breaker, 3);
    expect(breaker.inspect().state).toBe('open');
  });

  it('an error of ours that says so was never an upstream failure', async () => {
    const { breaker } = setUp({ window: { kind: 'consecutive', failures: 1 } });
    const shed = createError('ERR_POOL_QUEUE_FULL', { pool: 'p', limit: 1 });
    await outcomeOf(breaker.execute(() => Promise.reject(shed)));
    expect(breaker.inspect().state).toBe('closed');
  });
});
