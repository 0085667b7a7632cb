import { describe, expect, it, vi } from 'vitest';
import { createError } from '../../src/base/errors.ts';
import { ChartRunner } from '../../src/chart/runner.ts';
import type { BreakerToken } from '../../src/resilience/admission.ts';
import {
  createCircuitBreaker,
  type StandaloneBreaker,
  type StandaloneBreakerOptions,
} from '../../src/resilience/circuit-breaker.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { type Deferred, deferred, down, hang, ok, outcomeOf } from './deferred.ts';

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

describe('closed', () => {
  it('gives what the work gives, sync or async, and throws what it throws', async () => {
    const { breaker } = setUp();
    expect(await breaker.execute(ok)).toBe('ok');
    expect(await breaker.execute(() => 7)).toBe(7);
    const foreign = { then: (give: (value: number) => void) => give(8) };
    expect(await breaker.execute(() => foreign as PromiseLike<number>)).toBe(8);
    expect(await outcomeOf(breaker.execute(down))).toBe('down');
  });

  it('a success clears the failures before it', async () => {
    const { breaker } = setUp();
    await fail(breaker, 4);
    await breaker.execute(ok);
    await fail(breaker, 4);
    expect(breaker.inspect()).toMatchObject({ state: 'closed', failures: 4 });
  });

  it('stays closed at 3 failures and opens at 5', async () => {
    const { breaker } = setUp();
    await fail(breaker, 3);
    expect(breaker.inspect()).toMatchObject({ state: 'closed', failures: 3, verdict: 'admit' });
    await fail(breaker, 2);
    expect(breaker.inspect()).toMatchObject({ state: 'open', failures: 5, verdict: 'refuse' });
  });

  it('opens at a threshold of 2 where that is asked for', async () => {
    const { breaker } = setUp({ window: { kind: 'consecutive', failures: 2 } });
    await fail(breaker, 2);
    expect(breaker.inspect().state).toBe('open');
  });

  it.each([
    ['a rejection', down],
    [
      'a sync throw',
      () => {
        throw new Error('down');
      },
    ],
    ['a throw of no Error', () => Promise.reject('down')],
  ])('%s is a failure, and reaches the caller as it was thrown', async (_, work) => {
    const { breaker } = setUp({ window: { kind: 'consecutive', failures: 1 } });
    expect(await outcomeOf(breaker.execute(work))).toBe('down');
    expect(breaker.inspect().state).toBe('open');
  });

  it('ten concurrent failures open it, and those after the fifth are stale', async () => {
    const { breaker } = setUp();
    const results = await Promise.all(Array.from({ length: 10 }, () => outcomeOf(breaker.execute(down))));
    expect(results).toEqual(Array(10).fill('down'));
    expect(breaker.inspect()).toMatchObject({ state: 'open', failures: 5, stale: 5, openings: 1 });
  });

  it('the failure that trips refuses an admission in the very same turn', () => {
    const { breaker } = setUp({ window: { kind: 'consecutive', failures: 1 } });
    void breaker
      .execute(() => {
        throw new Error('at once');
      })
      .catch(() => {});
    expect(breaker.admit()).toMatchObject({ admitted: false, error: { code: 'ERR_BREAKER_OPEN' } });
  });

  it('never enters the chart, and reads no clock', async () => {
    const { host, breaker } = setUp({ window: { kind: 'count' } });
    await fail(breaker, 1);
    const sent = vi.spyOn(ChartRunner.prototype, 'send');
    const read = vi.spyOn(host, 'monotonic');
    for (let i = 0; i < 1_000; i++) await breaker.execute(ok);
    expect(read).not.toHaveBeenCalled();
    await breaker.execute(ok, { timeoutMs: 50 });
    expect(read).toHaveBeenCalledTimes(1);
    await fail(breaker, 3);
    expect(sent).not.toHaveBeenCalled();
    sent.mockRestore();
  });

  it('opens by failure rate over the last calls, once there are enough of them', async () => {
    const { breaker } = setUp({ window: { kind: 'count', size: 4, minimumCalls: 3, failureRate: 0.5 } });
    await fail(breaker, 2);
    expect(breaker.inspect()).toMatchObject({ state: 'closed', calls: 2, failures: 2 });
    await breaker.execute(ok);
    expect(breaker.inspect()).toMatchObject({ state: 'closed', calls: 3, failures: 2 });
    await breaker.execute(ok);
    await breaker.execute(ok);
    await breaker.execute(ok);
    expect(breaker.inspect()).toMatchObject({ calls: 4, failures: 0 });
    await fail(breaker, 1);
    expect(breaker.inspect().state).toBe('closed');
    await fail(breaker, 1);
    expect(breaker.inspect()).toMatchObject({ state: 'open', calls: 4, failures: 2 });
  });
});

describe('open', () => {
  it('rejects with what is left of the wait and the failures that led to it, and runs nothing', async () => {
    const { host, breaker } = setUp({ openMs: 1_000 });
    await fail(breaker, 5);
    await host.advance(400);
    const work = vi.fn(ok);
    const error = await breaker.execute(work).catch((thrown: unknown) => thrown);
    expect(work).not.toHaveBeenCalled();
    expect(error).toMatchObject({
      name: 'BreakerError',
      code: 'ERR_BREAKER_OPEN',
      outcome: 'not_started',
      message: 'breaker prices opened for 1000 ms after 5 failures [ERR_BREAKER_OPEN]',
      data: { breaker: 'prices', openMs: 1_000, failures: 5, retryAfterMs: 600 },
    });
    expect((error as { data: { retryAt: number } }).data.retryAt).toBe(host.wall() + 600);
  });

  it('shares one frozen error without a stack for each period, which tells the time that is left now', async () => {
    const { host, breaker } = setUp({ openMs: 1_000 });
    await fail(breaker, 5);
    const first = (await breaker.execute(ok).catch((e: unknown) => e)) as Error & {
      data: { retryAfterMs: number };
    };
    expect(await breaker.execute(ok).catch((e: unknown) => e)).toBe(first);
    expect(Object.isFrozen(first)).toBe(true);
    expect(first.stack).toBe(`BreakerError: ${first.message}`);
    expect(first.data.retryAfterMs).toBe(1_000);
    await host.advance(300);
    expect(first.data.retryAfterMs).toBe(700);
    await host.advance(700);
    await fail(breaker, 1);
    expect(await breaker.execute(ok).catch((e: unknown) => e)).not.toBe(first);
    expect(first.data.retryAfterMs).toBe(0);
  });

  it('gives each caller a promise of its own', async () => {
    const { breaker } = setUp();
    await fail(breaker, 5);
    const [one, other] = [breaker.execute(ok), breaker.execute(ok)];
    expect(one).not.toBe(other);
    expect(await Promise.allSettled([one, other])).toHaveLength(2);
  });

  it('turns half-open at the first admission at the end of the wait, not before, and that call runs', async () => {
    const { host, breaker } = setUp({ openMs: 1_000 });
    await fail(breaker, 5);
    await host.advance(999);
    expect(await outcomeOf(breaker.execute(ok))).toBe('ERR_BREAKER_OPEN');
    await host.advance(1);
    expect(breaker.inspect()).toMatchObject({ state: 'open', retryAfterMs: 0 });
    expect(await breaker.execute(ok)).toBe('ok');
    expect(breaker.inspect().state).toBe('closed');
  });

  it('keeps no timer where nobody watches', async () => {
    const { host, breaker } = setUp();
    await fail(breaker, 5);
    expect(host.pendingTimers()).toEqual([]);
  });

  it("turns half-open by an unref'd timer for whoever watches, however they began to", async () => {
    for (const watch of [
      (breaker: StandaloneBreaker) => breaker.onChange(() => {}),
      (breaker: StandaloneBreaker) => breaker.on('breaker.half_opened', () => {}),
    ]) {
      for (const when of ['before', 'while open']) {
        const { host, breaker } = setUp({ openMs: 1_000 });
        if (when === 'before') watch(breaker);
        await fail(breaker, 5);
        if (when !== 'before') watch(breaker);
        expect(host.pendingTimers()).toMatchObject([{ dueMs: 1_000, unref: true }]);
        await host.advance(1_000);
        expect(breaker.inspect().state).toBe('half_open');
        expect(host.pendingTimers()).toEqual([]);
      }
    }
  });

  it('a timer that is early by the grain of its clock is set again', async () => {
    const { host, breaker } = setUp({ openMs: 1_000 });
    breaker.onChange(() => {});
    await fail(breaker, 5);
    const early = vi.spyOn(host, 'monotonic').mockReturnValueOnce(999.5).mockReturnValueOnce(999.5);
    await host.advance(1_000);
    early.mockRestore();
    expect(breaker.inspect().state).toBe('open');
    await host.advance(1);
    expect(breaker.inspect().state).toBe('half_open');
  });
});

describe('half-open', () => {
  it('refuses callers beyond its permits at once', async () => {
    const { breaker } = await setUpProbing({ halfOpenPermits: 2 });
    const probes: Deferred<string>[] = [deferred(), deferred()];
    const running = probes.map(({ promise }) => breaker.execute(() => promise));
    expect(await outcomeOf(breaker.execute(ok))).toBe('ERR_BREAKER_PROBING');
    expect(breaker.inspect()).toMatchObject({ state: 'half_open', probes: 2, rejected: 1 });
    probes[0]?.resolve('first');
    expect(await running[0]).toBe('first');
    expect(breaker.inspect().state).toBe('closed');
    probes[1]?.resolve('second');
    expect(await running[1]).toBe('second');
    expect(breaker.inspect()).toMatchObject({ state: 'closed', stale: 1 });
  });

  it('closes after as many successes as asked for, with counters cleared', async () => {
    const { breaker } = await setUpProbing({ successThreshold: 3 });
    await breaker.execute(ok);
    await breaker.execute(ok);
    expect(breaker.inspect()).toMatchObject({ state: 'half_open', successes: 2, probes: 0 });
    await breaker.execute(ok);
    expect(breaker.inspect()).toMatchObject({ state: 'closed', failures: 0, calls: 0 });
  });

  it('any failure opens it again, for a whole wait', async () => {
    const { host, breaker } = await setUpProbing({ successThreshold: 3 });
    await breaker.execute(ok);
    await fail(breaker, 1);
    expect(breaker.inspect()).toMatchObject({ state: 'open', retryAfterMs: 1_000, openings: 2 });
    await host.advance(1_000);
    await breaker.execute(ok);
    expect(breaker.inspect()).toMatchObject({ state: 'half_open', successes: 1 });
  });

  it('a probe that never settles fails after its watchdog, and its late result moves nothing', async () => {
    const { host, breaker } = await setUpProbing({ watchdogMs: 500 });
    const probe = deferred<string>();
    const running = breaker.execute(() => probe.promise);
    expect(host.pendingTimers()).toMatchObject([{ unref: true }]);
    await host.advance(500);
    expect(breaker.inspect()).toMatchObject({ state: 'open', probes: 0 });
    probe.resolve('late');
    expect(await running).toBe('late');
    expect(breaker.inspect()).toMatchObject({ state: 'open', stale: 0 });
    await host.advance(1_000);
    expect(await breaker.execute(ok)).toBe('ok');
    expect(breaker.inspect().state).toBe('closed');
  });

  it('the watchdog of a probe with a deadline is that deadline', async () => {
    const { host, breaker } = await setUpProbing({ watchdogMs: 30_000 });
    const running = outcomeOf(breaker.execute(hang, { timeoutMs: 200 }));
    expect(await host.runUntil(running)).toBe('ERR_DEADLINE_PASSED');
    expect(host.monotonic()).toBe(1_200);
    expect(breaker.inspect().state).toBe('open');
    expect(host.pendingTimers()).toEqual([]);
  });

  it('an aborted probe gives its permit back and says nothing of what it probed', async () => {
    const { breaker } = await setUpProbing();
    const controller = new AbortController();
    const running = outcomeOf(breaker.execute(hang, { signal: controller.signal }));
    controller.abort('changed my mind');
    expect(await running).toBe('changed my mind');
    expect(breaker.inspect()).toMatchObject({ state: 'half_open', probes: 0 });
    expect(await breaker.execute(ok)).toBe('ok');
    expect(breaker.inspect().state).toBe('closed');
  });

  it('a probe that throws in its own turn gives its permit back', async () => {
    const { host, breaker } = await setUpProbing();
    const thrown = breaker.execute(() => {
      throw new Error('at once');
    });
    expect(await outcomeOf(thrown)).toBe('at once');
    expect(breaker.inspect()).toMatchObject({ state: 'open', probes: 0 });
    expect(host.pendingTimers()).toEqual([]);
  });
});

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
    expect(() => token.settle('slow' as never)).toThrow('ERR_OPTION_INVALID');
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

describe('events', () => {
  it('tell each transition with its data, and each refusal', async () => {
    const { host, breaker } = setUp({ openMs: 1_000 });
    const seen: unknown[] = [];
    breaker.events.listen(({ at, ...event }) => seen.push(event));
    const cause = new Error('the last straw');
    const openedAt = host.wall();
    for (let i = 0; i < 5; i++) breaker.fail(cause);
    await outcomeOf(breaker.execute(ok));
    await host.advance(1_000);
    await breaker.execute(ok);
    expect(seen).toEqual([
      {
        type: 'breaker.opened',
        path: 'prices',
        retryAtMs: openedAt + 1_000,
        openMs: 1_000,
        failures: 5,
        cause,
      },
      { type: 'breaker.rejected', path: 'prices', state: 'open' },
      { type: 'breaker.half_opened', path: 'prices', permits: 1 },
      { type: 'breaker.closed', path: 'prices' },
    ]);
  });

  it('a listener may use the breaker at once, and one that throws is dropped', async () => {
    const { breaker } = setUp();
    const changes: unknown[] = [];
    breaker.on('breaker.opened', () => breaker.reset());
    breaker.onChange(({ state, verdict, generation }) => changes.push([state, verdict, generation]));
    breaker.onChange(() => {
      throw new Error('bad listener');
    });
    await fail(breaker, 5);
    expect(breaker.inspect()).toMatchObject({ state: 'closed', generation: 3, openings: 1 });
    expect(changes.at(-1)).toEqual(['closed', 'admit', 3]);
    expect(breaker.events.brokenListeners).toBe(1);
  });

  it('a reset of a closed breaker announces nothing', () => {
    const { breaker } = setUp();
    const seen = vi.fn();
    breaker.events.listen(seen);
    breaker.reset();
    expect(seen).not.toHaveBeenCalled();
  });
});

describe('dispose', () => {
  it('refuses from now on, lets work that is out go on uncounted, leaves no timer, and may be repeated', async () => {
    const { host, breaker } = await setUpProbing();
    breaker.onChange(() => {});
    const probe = deferred<string>();
    const running = breaker.execute(() => probe.promise);
    breaker.dispose();
    breaker.dispose();
    expect(await outcomeOf(breaker.execute(ok))).toBe('ERR_BREAKER_DISPOSED');
    probe.resolve('done');
    expect(await running).toBe('done');
    breaker.reset();
    breaker.fail();
    expect(breaker.inspect()).toMatchObject({ state: 'disposed', verdict: 'refuse' });
    expect(host.pendingTimers()).toEqual([]);
  });

  it('comes at the end of its scope', () => {
    const { host } = setUp();
    let kept: StandaloneBreaker;
    {
      using breaker = createCircuitBreaker({ host });
      kept = breaker;
    }
    expect(kept.inspect().state).toBe('disposed');
  });
});

describe('options', () => {
  it.each([
    { window: { kind: 'consecutive', failures: 0 } },
    { window: { kind: 'time' } },
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
