/** The states of a breaker, row by row. */
import { describe, expect, it, vi } from 'vitest';
import { ChartRunner } from '../../src/chart/runner.ts';
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

  it('gives each caller an error of its own where that is asked for, which says the same and may be written on', async () => {
    const { host, breaker } = setUp({ openMs: 1_000, refusals: 'fresh' });
    await fail(breaker, 5);
    const refusal = async () =>
      (await breaker.execute(ok).catch((e: unknown) => e)) as Error & { data: { retryAfterMs: number } };
    const [first, second] = [await refusal(), await refusal()];
    expect(second).not.toBe(first);
    expect({ ...second }).toEqual({ ...first });
    expect(second.message).toBe(first.message);
    expect(second.cause).toBe(first.cause);
    expect(second.stack).toBe(`BreakerError: ${first.message}`);
    Object.assign(first, { requestId: 7 });
    expect(second).not.toHaveProperty('requestId');
    await host.advance(300);
    expect(second.data.retryAfterMs).toBe(700);
    const admission = breaker.admit();
    expect(admission.admitted === false && admission.error).not.toBe(
      (breaker.admit() as { error: Error }).error,
    );
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
