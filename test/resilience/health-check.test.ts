/** A breaker that asks the guarded thing itself: when it does, what it makes of the answer, and what it leaves behind. */
import { describe, expect, it } from 'vitest';
import { createSystem } from '../../src/kernel/system.ts';
import { createCircuitBreaker, type StandaloneBreakerOptions } from '../../src/resilience/circuit-breaker.ts';
import { circuitBreaker } from '../../src/resilience/circuit-breaker-spec.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { deferred, hang, ok, outcomeOf } from './deferred.ts';

const setUp = (
  check: (context: { signal: AbortSignal }) => unknown,
  options: StandaloneBreakerOptions = {},
) => {
  const host = new SimulatedHost();
  const asked: number[] = [];
  const breaker = createCircuitBreaker({
    host,
    window: { kind: 'consecutive', failures: 1 },
    openMs: 60_000,
    healthCheck: {
      everyMs: 1_000,
      timeoutMs: 300,
      check: (context) => {
        asked.push(host.monotonic());
        return check(context);
      },
    },
    ...options,
  });
  return { host, breaker, asked };
};

describe('a health check', () => {
  it('asks nothing while it is closed', async () => {
    const { host, asked } = setUp(ok);
    await host.advance(10_000);
    expect(asked).toEqual([]);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('finds it well while open: it half-opens at once, and that was the first success', async () => {
    const { host, breaker, asked } = setUp(ok);
    const told: unknown[] = [];
    for (const type of ['breaker.checked', 'breaker.half_opened', 'breaker.closed'] as const)
      breaker.on(type, (event) => told.push(event.type));
    breaker.fail();
    await host.advance(1_000);
    expect(asked).toEqual([1_000]);
    expect(told).toEqual(['breaker.checked', 'breaker.half_opened', 'breaker.closed']);
    expect(breaker.inspect()).toMatchObject({ state: 'closed', failures: 0 });
    expect(host.pendingTimers()).toEqual([]);
  });

  it.each([
    ['throws', () => Promise.reject(new Error('down'))],
    ['gives false', () => false],
    ['hangs', hang],
  ])('that %s leaves it open, and is repeated', async (_how, check) => {
    const { host, breaker, asked } = setUp(check);
    breaker.fail();
    await host.advance(4_100);
    expect(breaker.inspect()).toMatchObject({ state: 'open', openings: 1, retryAfterMs: 55_900 });
    // From the end of one to the beginning of the next.
    expect(asked).toEqual(check === hang ? [1_000, 2_300, 3_600] : [1_000, 2_000, 3_000, 4_000]);
  });

  it('is one at a time, and its signal aborts when it takes too long', async () => {
    const signals: AbortSignal[] = [];
    const { host, breaker } = setUp(({ signal }) => {
      signals.push(signal);
      return hang();
    });
    breaker.fail();
    await host.advance(1_200);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    await host.advance(100);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  });

  it('goes on while half-open until there are enough successes', async () => {
    const { host, breaker, asked } = setUp(ok, { successThreshold: 3 });
    breaker.fail();
    await host.advance(2_000);
    expect(breaker.inspect()).toMatchObject({ state: 'half_open', successes: 2 });
    await host.advance(1_000);
    expect(breaker.inspect().state).toBe('closed');
    await host.advance(10_000);
    expect(asked).toEqual([1_000, 2_000, 3_000]);
  });

  it('that fails while half-open opens it again', async () => {
    let well = true;
    const { host, breaker } = setUp(() => well, { successThreshold: 2 });
    breaker.fail();
    await host.advance(1_000);
    expect(breaker.inspect().state).toBe('half_open');
    well = false;
    await host.advance(1_000);
    expect(breaker.inspect()).toMatchObject({ state: 'open', openings: 2 });
  });

  it('takes a permit like any probe, and none from real ones', async () => {
    const check = deferred<boolean>();
    const { host, breaker, asked } = setUp(() => check.promise, { openMs: 500 });
    breaker.fail();
    await host.advance(500);
    const probe = deferred<string>();
    const running = breaker.execute(() => probe.promise);
    await host.advance(5_000);
    expect(asked).toEqual([]);
    probe.reject(new Error('down'));
    await outcomeOf(running);
    await host.advance(1_000);
    expect(asked).toHaveLength(1);
    // By now the wait is over: the check that is out was begun while open, and takes no permit.
    expect(breaker.inspect()).toMatchObject({ probes: 0 });
    expect(await breaker.execute(ok)).toBe('ok');
  });

  it('of an older generation moves nothing', async () => {
    const check = deferred<boolean>();
    const { host, breaker } = setUp(() => check.promise, { successThreshold: 2 });
    breaker.fail();
    await host.advance(1_000);
    breaker.reset();
    breaker.fail();
    check.resolve(true);
    await host.settle();
    expect(breaker.inspect()).toMatchObject({ state: 'open', openings: 2 });
  });

  it('rests while it is isolated, and for good when it is disposed', async () => {
    const { host, breaker, asked } = setUp(() => false);
    breaker.fail();
    const release = breaker.isolate();
    await host.advance(5_000);
    expect(asked).toEqual([]);
    expect(host.pendingTimers()).toEqual([]);
    release();
    breaker.fail();
    await host.advance(1_000);
    expect(asked).toHaveLength(1);
    breaker.dispose();
    breaker.dispose();
    await host.advance(60_000);
    expect(asked).toHaveLength(1);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('that is out when it is disposed is aborted', async () => {
    let signal: AbortSignal | undefined;
    const { host, breaker } = setUp((context) => {
      signal = context.signal;
      return hang();
    });
    breaker.fail();
    await host.advance(1_000);
    expect(signal?.aborted).toBe(false);
    breaker.dispose();
    expect(signal?.reason).toMatchObject({ code: 'ERR_BREAKER_DISPOSED' });
    expect(host.pendingTimers()).toEqual([]);
  });

  it('resumes with an imported state', async () => {
    const { breaker } = setUp(ok);
    breaker.fail();
    const state = breaker.exportState();
    const next = setUp(ok, { state });
    await next.host.advance(1_000);
    expect(next.breaker.inspect().state).toBe('closed');
  });

  it('is refused where its options are wrong', () => {
    for (const healthCheck of [{}, { check: 1 }, { check: ok, everyMs: 0 }, { check: ok, interval: 1 }])
      expect(() => createCircuitBreaker({ healthCheck: healthCheck as never })).toThrow(/ERR_OPTION_/);
  });

  it('keeps no timer that would keep the process alive', async () => {
    const { host, breaker } = setUp(hang);
    breaker.fail();
    expect(host.pendingTimers()).toMatchObject([{ label: 'breaker breaker check', unref: true }]);
    await host.advance(1_000);
    expect(host.pendingTimers()).toMatchObject([{ label: 'breaker breaker check deadline', unref: true }]);
  });
});

describe('a health check in a tree', () => {
  it('is timed by the actor, and ends with it', async () => {
    const host = new SimulatedHost();
    let asked = 0;
    const spec = circuitBreaker('upstream', {
      window: { kind: 'consecutive', failures: 1 },
      openMs: 60_000,
      healthCheck: {
        everyMs: 1_000,
        check: () => {
          asked += 1;
          return asked > 2;
        },
      },
    });
    const system = createSystem({ host });
    await host.runUntil(system.start(spec));
    const breaker = system.get(spec);
    breaker.fail();
    expect(host.pendingTimers()).toMatchObject([
      { label: 'breaker check', unref: true },
      { label: 'breaker wait', unref: true },
    ]);
    await host.advance(3_000);
    expect(asked).toBe(3);
    expect(breaker.inspect().state).toBe('closed');
    breaker.fail();
    await host.runUntil(system.stop(breaker));
    await host.advance(10_000);
    // Its place goes on guarding; nobody keeps its time.
    expect(asked).toBe(3);
    await host.runUntil(system.shutdown());
    await host.advance(10_000);
    expect(asked).toBe(3);
    expect(host.pendingTimers()).toEqual([]);
  });
});
