/** What earlier libraries were measured to do wrong, each as it was described, and what ours does instead. */
import { describe, expect, it } from 'vitest';
import { isTroupeError } from '../../src/base/errors.ts';
import { EventStream } from '../../src/base/telemetry.ts';
import { createAdaptiveConcurrency } from '../../src/resilience/adaptive-concurrency.ts';
import { createBulkhead } from '../../src/resilience/bulkhead.ts';
import { createChaos } from '../../src/resilience/chaos.ts';
import { createCircuitBreaker, type StandaloneBreakerOptions } from '../../src/resilience/circuit-breaker.ts';
import { createFallback } from '../../src/resilience/fallback.ts';
import { createHedge } from '../../src/resilience/hedge.ts';
import { createRetry } from '../../src/resilience/retry.ts';
import { createTimeout } from '../../src/resilience/timeout.ts';
import { wrap } from '../../src/resilience/wrap.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { deferred, down, hang, ok, outcomeOf } from './deferred.ts';

const turns = async (count: number): Promise<void> => {
  for (let n = 0; n < count; n++) await Promise.resolve();
};

const ONE_FAILURE = { kind: 'consecutive', failures: 1 } as const;

const setUp = (options: StandaloneBreakerOptions = {}) => {
  const host = new SimulatedHost();
  return { host, breaker: createCircuitBreaker({ host, window: ONE_FAILURE, openMs: 1_000, ...options }) };
};

describe('reproduced defects of the incumbents', () => {
  it("1 (opossum): one call's timeout aborts every sibling – each has a signal of its own", async () => {
    const { host, breaker } = setUp({ window: { kind: 'consecutive', failures: 5 } });
    let sibling: AbortSignal | undefined;
    const slow = deferred<string>();
    const running = breaker.execute(
      ({ signal }) => {
        sibling = signal;
        return slow.promise;
      },
      { timeoutMs: 1_000 },
    );
    const hung = outcomeOf(breaker.execute(hang, { timeoutMs: 100 }));
    expect(await host.runUntil(hung)).toBe('ERR_DEADLINE_PASSED');
    expect(sibling?.aborted).toBe(false);
    slow.resolve('fine');
    expect(await running).toBe('fine');
  });

  it('2 (opossum): a success started before opening closes the half-open circuit – it is stale', async () => {
    const { host, breaker } = setUp();
    const early = deferred<string>();
    const running = breaker.execute(() => early.promise);
    breaker.fail();
    await host.advance(1_000);
    void breaker.execute(hang).catch(() => {});
    early.resolve('late');
    expect(await running).toBe('late');
    expect(breaker.inspect()).toMatchObject({ state: 'half_open', successes: 0, probes: 1 });
  });

  it('3 (opossum): a hung probe means half-open for ever – its watchdog opens it again', async () => {
    const { host, breaker } = setUp({ watchdogMs: 5_000 });
    breaker.fail();
    await host.advance(1_000);
    void breaker.execute(hang).catch(() => {});
    await host.advance(4_999);
    expect(breaker.inspect()).toMatchObject({ state: 'half_open', probes: 1 });
    await host.advance(1);
    expect(breaker.inspect()).toMatchObject({ state: 'open', probes: 0, openings: 2 });
    await host.advance(1_000);
    expect(await breaker.execute(ok)).toBe('ok');
    expect(breaker.inspect().state).toBe('closed');
  });

  it('5 (opossum): its own rejections count as failures and open the breaker – refusals count for nothing', async () => {
    const { host, breaker } = setUp();
    breaker.fail();
    await host.advance(1_000);
    const probe = deferred<string>();
    const running = breaker.execute(() => probe.promise);
    for (let i = 0; i < 100; i++) await outcomeOf(breaker.execute(ok));
    expect(breaker.inspect()).toMatchObject({ state: 'half_open', rejected: 100 });
    probe.resolve('ok');
    await running;
    const outer = createCircuitBreaker({ host, window: ONE_FAILURE });
    breaker.fail();
    expect(await outcomeOf(outer.execute(() => breaker.execute(ok)))).toBe('ERR_BREAKER_OPEN');
    expect(outer.inspect().state).toBe('closed');
  });

  it('6 (opossum): intervals go on after shutdown – nothing is left after dispose', async () => {
    const { host, breaker } = setUp();
    breaker.on('breaker.half_opened', () => {});
    breaker.fail();
    expect(host.pendingTimers()).toHaveLength(1);
    breaker.dispose();
    expect(host.pendingTimers()).toEqual([]);
  });

  it('7 (opossum): a failure costs more the more samples there are – a full window of 65,536 costs the same', () => {
    const { breaker } = setUp({
      window: { kind: 'count', size: 65_536, minimumCalls: 65_536, failureRate: 1 },
    });
    breaker.succeed();
    const began = performance.now();
    for (let i = 0; i < 65_535; i++) breaker.fail();
    // 7.6 ms each, as described, would be eight minutes.
    expect(performance.now() - began).toBeLessThan(2_000);
    expect(breaker.inspect()).toMatchObject({ state: 'closed', calls: 65_536, failures: 65_535 });
  });

  it('8 (cockatiel): a failure started before opening re-opens the half-open circuit – it is stale', async () => {
    const { host, breaker } = setUp();
    const early = deferred();
    const running = outcomeOf(breaker.execute(() => early.promise));
    breaker.fail();
    await host.advance(1_000);
    const probe = deferred<string>();
    const probing = breaker.execute(() => probe.promise);
    early.reject(new Error('late'));
    expect(await running).toBe('late');
    expect(breaker.inspect().state).toBe('half_open');
    probe.resolve('ok');
    expect(await probing).toBe('ok');
    expect(breaker.inspect().state).toBe('closed');
  });

  it('9 (cockatiel): 1,000 excess half-open callers wait and then run at once – they are refused at once', async () => {
    const { host, breaker } = setUp();
    breaker.fail();
    await host.advance(1_000);
    const probe = deferred<string>();
    const probing = breaker.execute(() => probe.promise);
    let ran = 0;
    const excess = await Promise.all(
      Array.from({ length: 1_000 }, () =>
        outcomeOf(
          breaker.execute(() => {
            ran += 1;
          }),
        ),
      ),
    );
    expect(new Set(excess)).toEqual(new Set(['ERR_BREAKER_PROBING']));
    probe.resolve('ok');
    await probing;
    await host.settle();
    expect(ran).toBe(0);
  });

  it('12 (mollitia): a timeout never cancels, and errors have no names – it aborts the signal, and they do', async () => {
    const { host, breaker } = setUp();
    let signal: AbortSignal | undefined;
    const running = breaker
      .execute(
        (context) => {
          signal = context.signal;
          return hang();
        },
        { timeoutMs: 100 },
      )
      .catch((error: unknown) => error);
    expect(await host.runUntil(running)).toMatchObject({ name: 'PolicyError', code: 'ERR_DEADLINE_PASSED' });
    expect(signal?.reason).toBe(await running);
    expect(await breaker.execute(ok).catch((error: unknown) => error)).toMatchObject({
      name: 'BreakerError',
    });
  });

  it('(Polly) a cancelled probe closes the circuit – it is neutral, and the next call probes', async () => {
    const { host, breaker } = setUp();
    breaker.fail();
    await host.advance(1_000);
    const controller = new AbortController();
    const probing = outcomeOf(breaker.execute(hang, { signal: controller.signal }));
    controller.abort('cancelled');
    expect(await probing).toBe('cancelled');
    expect(breaker.inspect().state).toBe('half_open');
    await outcomeOf(breaker.execute(down));
    expect(breaker.inspect().state).toBe('open');
  });

  it('(failsafe-go) late results inflate the permits – a settled token gives back one permit, once', async () => {
    const { host, breaker } = setUp({ halfOpenPermits: 2 });
    breaker.fail();
    await host.advance(1_000);
    const old = breaker.admit();
    breaker.fail();
    await host.advance(1_000);
    const probes = [breaker.admit(), breaker.admit()];
    expect(probes.map(({ admitted }) => admitted)).toEqual([true, true]);
    if (old.admitted) for (let i = 0; i < 3; i++) old.settle('neutral');
    expect(breaker.admit().admitted).toBe(false);
  });
});

describe('reproduced defects of the incumbents beside the breaker', () => {
  it("1 (opossum), with a timeout: one call's timeout aborts every sibling – each has a signal of its own", async () => {
    const host = new SimulatedHost();
    const timeout = createTimeout({ host, timeoutMs: 100 });
    const signals: AbortSignal[] = [];
    const run = () =>
      outcomeOf(
        timeout.execute(({ signal }) => {
          signals.push(signal);
          return hang();
        }),
      );
    const first = run();
    await host.advance(60);
    const second = run();
    expect(await host.runUntil(first)).toBe('ERR_DEADLINE_PASSED');
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(await host.runUntil(second)).toBe('ERR_DEADLINE_PASSED');
    expect(host.monotonic()).toBe(160);
  });

  it('4 (opossum): a slot is released at the timeout though the work goes on – it is taken until the work is over', async () => {
    const host = new SimulatedHost();
    const bulkhead = createBulkhead({ host, limit: 1 });
    let executing = 0;
    let most = 0;
    const release: (() => void)[] = [];
    const stubborn = async () => {
      executing += 1;
      most = Math.max(most, executing);
      await new Promise<void>((resolve) => release.push(resolve));
      executing -= 1;
    };
    for (let i = 0; i < 4; i++) {
      const outcome = outcomeOf(bulkhead.execute(stubborn, { timeoutMs: 10 }));
      expect(await host.runUntil(outcome)).toBe(i === 0 ? 'ERR_DEADLINE_PASSED' : 'ERR_BULKHEAD_FULL');
    }
    expect(most).toBe(1);
    for (const end of release) end();
    await host.settle();
    expect(bulkhead.inspect()).toMatchObject({ used: 0 });
  });

  it('5 (opossum): its own capacity rejections count as failures and open the breaker – they count for nothing', async () => {
    const host = new SimulatedHost();
    const breaker = createCircuitBreaker({ host, window: ONE_FAILURE });
    const guarded = wrap(breaker, createBulkhead({ host, limit: 1 }));
    void guarded.execute(hang);
    for (let i = 0; i < 10; i++) expect(await outcomeOf(guarded.execute(ok))).toBe('ERR_BULKHEAD_FULL');
    expect(breaker.inspect()).toMatchObject({ state: 'closed', failures: 0 });
  });

  it('6 (opossum): its health check keeps running after shutdown – it ends with dispose', async () => {
    let checks = 0;
    const { host, breaker } = setUp({
      openMs: 60_000,
      healthCheck: {
        everyMs: 10,
        check: () => {
          checks += 1;
          return false;
        },
      },
    });
    breaker.fail();
    await host.advance(30);
    expect(checks).toBe(3);
    breaker.dispose();
    await host.advance(60);
    expect(checks).toBe(3);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('9 (cockatiel): an aborted half-open waiter is not rejected until the probe ends – it is at once', async () => {
    const { host, breaker } = setUp({ halfOpenQueueLimit: 10 });
    breaker.fail();
    await host.advance(1_000);
    void breaker.execute(hang).catch(() => {});
    const controller = new AbortController();
    const waiting = outcomeOf(breaker.execute(ok, { signal: controller.signal }));
    controller.abort('gone');
    expect(await waiting).toBe('gone');
    expect(breaker.inspect()).toMatchObject({ state: 'half_open', probes: 1, waiting: 0 });
    expect(host.monotonic()).toBe(1_000);
  });

  it('9 (cockatiel): excess half-open callers wait without bound – at most as many as the line is long', async () => {
    const { host, breaker } = setUp({ halfOpenQueueLimit: 10 });
    breaker.fail();
    await host.advance(1_000);
    const probe = deferred<string>();
    const probing = breaker.execute(() => probe.promise);
    let ran = 0;
    const outcomes = Array.from({ length: 1_000 }, () =>
      outcomeOf(
        breaker.execute(() => {
          ran += 1;
        }),
      ),
    );
    expect(breaker.inspect().waiting).toBe(10);
    probe.resolve('ok');
    await probing;
    await Promise.all(outcomes);
    expect(ran).toBe(10);
  });

  it('10 (cockatiel): a queued item aborted at 10 ms rejects at 201 ms and holds its place – at 10 ms, and it is free', async () => {
    const host = new SimulatedHost();
    const bulkhead = createBulkhead({ host, limit: 1, queueLimit: 1 });
    host.timer(201, 'work', () => {});
    void bulkhead.execute(() => new Promise((resolve) => host.timer(201, 'work', () => resolve(1))));
    const controller = new AbortController();
    const queued = outcomeOf(bulkhead.execute(ok, { signal: controller.signal }));
    host.timer(10, 'abort', () => controller.abort('aborted'));
    expect(await host.runUntil(queued)).toBe('aborted');
    expect(host.monotonic()).toBe(10);
    const next = bulkhead.execute(ok);
    expect(bulkhead.inspect()).toMatchObject({ waiting: 1, refused: 0 });
    expect(await host.runUntil(next)).toBe('ok');
  });

  it('10 (cockatiel): new arrivals barge past queued items, which go to the tail or are refused – nobody overtakes', async () => {
    const host = new SimulatedHost();
    const bulkhead = createBulkhead({ host, limit: 1, queueLimit: 100 });
    const order: string[] = [];
    const enter = (name: string) => async () => {
      order.push(name);
      await turns(3);
    };
    const first = deferred();
    const running = bulkhead.execute(() => first.promise);
    const queued = [bulkhead.execute(enter('a')), bulkhead.execute(enter('b'))];
    first.resolve(1);
    // One in each turn of the slot's coming back, so also between that and whoever waits for it.
    const newcomers = Array.from({ length: 30 }, async (_, n) => {
      await turns(n);
      await bulkhead.execute(enter(`newcomer ${n}`));
    });
    await Promise.all([running, ...queued, ...newcomers]);
    expect(order).toEqual(['a', 'b', ...newcomers.map((_, n) => `newcomer ${n}`)]);
  });

  it('11 (cockatiel): events that are declared never fire – each event of a policy is seen', async () => {
    const host = new SimulatedHost();
    const seen = new Set<string>();
    const events = new EventStream(() => host.wall());
    events.listen(({ type }) => seen.add(type));
    const shared = { host, events };
    const bulkhead = createBulkhead({ ...shared, limit: 1 });
    void bulkhead.execute(hang);
    await outcomeOf(bulkhead.execute(ok));
    await host.runUntil(outcomeOf(createTimeout({ ...shared, timeoutMs: 1 }).execute(hang)));
    await host.runUntil(outcomeOf(createRetry({ ...shared, maxAttempts: 2 }).execute(down)));
    await host.runUntil(
      createHedge({ ...shared, delayMs: 1 }).execute(
        () => new Promise((resolve) => host.timer(2, 'work', () => resolve(1))),
      ),
    );
    await createFallback({ ...shared, value: 1 }).execute(down);
    await outcomeOf(createChaos({ ...shared, enabled: true, faultRate: 1 }).execute(ok));
    await outcomeOf(createAdaptiveConcurrency({ ...shared, initialLimit: 2 }).execute(down));
    const breaker = createCircuitBreaker({
      ...shared,
      window: ONE_FAILURE,
      openMs: 10,
      healthCheck: { check: ok, everyMs: 50 },
    });
    breaker.fail();
    await outcomeOf(breaker.execute(ok));
    await host.advance(50);
    breaker.observe();
    breaker.fail();
    breaker.disable();
    breaker.isolate();
    createCircuitBreaker({ ...shared, judge: () => 'odd' as never }).execute(ok);
    wrap(createChaos(shared), createTimeout(shared));
    await host.settle();
    const declared = [
      'breaker.opened breaker.half_opened breaker.closed breaker.isolated breaker.disabled breaker.observed',
      'breaker.would_have_opened breaker.rejected breaker.checked policy.option_failed policy.misordered',
      'limit.exhausted timeout.passed fallback.used hedge.started concurrency.limit_changed chaos.injected',
      'retry.scheduled retry.exhausted',
    ];
    expect([...seen].sort()).toEqual(declared.join(' ').split(' ').sort());
  });

  it('12 (mollitia): error class names are minified – each error of a policy says its class and its code', async () => {
    const host = new SimulatedHost();
    const timeout = createTimeout({ host, timeoutMs: 1 });
    const late = timeout.execute(hang).catch((error: unknown) => error);
    expect(await host.runUntil(late)).toMatchObject({
      name: 'PolicyError',
      code: 'ERR_DEADLINE_PASSED',
      outcome: 'unknown',
    });
    expect(isTroupeError(await late, 'ERR_DEADLINE_PASSED')).toBe(true);
  });
});
