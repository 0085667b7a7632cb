/** The defects of DSPex's breaker and its successors, each as it was described, and what ours does instead. */
import { describe, expect, it } from 'vitest';
import { createSystem } from '../../src/kernel/system.ts';
import { createCircuitBreaker, type StandaloneBreakerOptions } from '../../src/resilience/circuit-breaker.ts';
import { circuitBreaker } from '../../src/resilience/circuit-breaker-spec.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { deferred, down, hang, ok, outcomeOf } from './deferred.ts';

const ONE_FAILURE = { kind: 'consecutive', failures: 1 } as const;

const setUp = (options: StandaloneBreakerOptions = {}) => {
  const host = new SimulatedHost();
  return { host, breaker: createCircuitBreaker({ host, window: ONE_FAILURE, openMs: 1_000, ...options }) };
};

describe("defects of DSPex's breaker", () => {
  it('the guarded function ran inside the breaker, so that all circuits serialised – a slow call delays nobody', async () => {
    const { host, breaker } = setUp();
    const slow = deferred<string>();
    const running = breaker.execute(() => slow.promise);
    for (let i = 0; i < 10; i++) expect(await breaker.execute(ok)).toBe('ok');
    expect(host.monotonic()).toBe(0);
    slow.resolve('slow');
    expect(await running).toBe('slow');
  });

  it('no limit of its own undercuts a long operation', async () => {
    const { host, breaker } = setUp();
    const slow = deferred<string>();
    const running = breaker.execute(() => slow.promise);
    await host.advance(3_600_000);
    slow.resolve('an hour later');
    expect(await running).toBe('an hour later');
  });

  it('a returned error was a success – a judge counts it as what it is', async () => {
    const { breaker } = setUp({
      judge: (ending) =>
        ending.kind === 'returned' && (ending.value as { ok: boolean }).ok ? 'success' : 'failure',
    });
    expect(await breaker.execute(() => ({ ok: false, error: 'refused' }))).toEqual({
      ok: false,
      error: 'refused',
    });
    expect(breaker.inspect().state).toBe('open');
  });

  it('half-open counted admissions and never returned them – permits come back', async () => {
    const { host, breaker } = setUp({ halfOpenPermits: 1, successThreshold: 5 });
    breaker.fail();
    await host.advance(1_000);
    for (let i = 0; i < 5; i++) expect(await breaker.execute(ok)).toBe('ok');
    expect(breaker.inspect().state).toBe('closed');
  });

  it('half-open let one more through than it allowed – the call that half-opens it is a probe like any other', async () => {
    const { host, breaker } = setUp({ halfOpenPermits: 3 });
    breaker.fail();
    await host.advance(1_000);
    let entered = 0;
    const enter = () => {
      entered += 1;
      return hang();
    };
    for (let i = 0; i < 10; i++) void breaker.execute(enter).catch(() => {});
    expect(entered).toBe(3);
  });

  it('a manual failure while open pushed the retry time back – it changes nothing', async () => {
    const { host, breaker } = setUp();
    breaker.fail();
    await host.advance(900);
    breaker.fail();
    expect(breaker.inspect()).toMatchObject({ retryAfterMs: 100, openings: 1 });
  });

  it('a late failure while open pushed the retry time back – it is stale', async () => {
    const { host, breaker } = setUp();
    const late = deferred();
    const running = outcomeOf(breaker.execute(() => late.promise));
    breaker.fail();
    await host.advance(900);
    late.reject(new Error('late'));
    expect(await running).toBe('late');
    expect(breaker.inspect()).toMatchObject({ retryAfterMs: 100, stale: 1 });
  });

  it('(successor) a success in closed did not clear the failures – it does', async () => {
    const { breaker } = setUp({ window: { kind: 'consecutive', failures: 2 } });
    breaker.fail();
    await breaker.execute(ok);
    breaker.fail();
    expect(breaker.inspect().state).toBe('closed');
  });

  it('(successor) a killed probe leaked its slot – the watchdog takes it back', async () => {
    const { host, breaker } = setUp();
    breaker.fail();
    await host.advance(1_000);
    void breaker.execute(hang).catch(() => {});
    expect(await outcomeOf(breaker.execute(ok))).toBe('ERR_BREAKER_PROBING');
    await host.advance(30_000);
    expect(breaker.inspect()).toMatchObject({ state: 'open', probes: 0 });
    await host.advance(1_000);
    expect(await breaker.execute(ok)).toBe('ok');
  });

  it('no supervisor ever starts it – as a child it is started, listed and found by its spec', async () => {
    const host = new SimulatedHost();
    const system = createSystem({ host });
    const spec = circuitBreaker('upstream');
    await host.runUntil(system.start(supervisor('app', { children: [spec] })));
    expect(system.get(spec).ref()).toBeDefined();
    expect(await system.get(spec).execute(ok)).toBe('ok');
  });

  it('more successes than permits left it half-open for ever – four successes come through one permit', async () => {
    const { host, breaker } = setUp({ halfOpenPermits: 1, successThreshold: 4 });
    breaker.fail();
    await host.advance(1_000);
    for (let i = 0; i < 4; i++) {
      expect(breaker.inspect().state).toBe(i === 0 ? 'open' : 'half_open');
      expect(await breaker.execute(ok)).toBe('ok');
    }
    expect(breaker.inspect().state).toBe('closed');
  });

  it('(MythosMUD) half-open has no limit, so that all callers hit what is just recovering – one does', async () => {
    const { host, breaker } = setUp();
    breaker.fail();
    await host.advance(1_000);
    let entered = 0;
    const enter = () => {
      entered += 1;
      return hang();
    };
    for (let i = 0; i < 100; i++) void breaker.execute(enter).catch(() => {});
    expect(entered).toBe(1);
  });

  it('callers outrun a breaker that is told by message – the failure that trips refuses the very next call', async () => {
    const { breaker } = setUp({ window: { kind: 'consecutive', failures: 5 } });
    const failing = Array.from({ length: 5 }, () => outcomeOf(breaker.execute(down)));
    await Promise.all(failing);
    expect(await outcomeOf(breaker.execute(ok))).toBe('ERR_BREAKER_OPEN');
  });
});

describe("DSPex's table of transitions, with its own figures", () => {
  const asThere = (options: StandaloneBreakerOptions = {}) =>
    setUp({
      window: { kind: 'consecutive', failures: 5 },
      openMs: 60_000,
      halfOpenPermits: 3,
      successThreshold: 3,
      ...options,
    });
  const fail = async (
    breaker: { execute: (work: () => Promise<never>) => Promise<unknown> },
    times: number,
  ) => {
    for (let i = 0; i < times; i++) await outcomeOf(breaker.execute(down));
  };

  it('opens at 5 and stays closed at 3; a success in between resets', async () => {
    const { breaker } = asThere();
    await fail(breaker, 3);
    expect(breaker.inspect().state).toBe('closed');
    await breaker.execute(ok);
    await fail(breaker, 4);
    expect(breaker.inspect().state).toBe('closed');
    await fail(breaker, 1);
    expect(breaker.inspect().state).toBe('open');
  });

  it('raise, throw and a rejection are failures alike', async () => {
    const { breaker } = asThere({ window: { kind: 'consecutive', failures: 3 } });
    const ways = [
      () => {
        throw new Error('raised');
      },
      () => {
        throw 'thrown';
      },
      () => Promise.reject(new Error('rejected')),
    ];
    for (const way of ways) await outcomeOf(breaker.execute(way));
    expect(breaker.inspect().state).toBe('open');
  });

  it('an early call is refused with the time until retry and the failures', async () => {
    const { host, breaker } = asThere();
    await fail(breaker, 5);
    await host.advance(20_000);
    const refusal = await breaker.execute(ok).catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      code: 'ERR_BREAKER_OPEN',
      outcome: 'not_started',
      data: { retryAfterMs: 40_000, failures: 5 },
    });
  });

  it('10 concurrent failures open it once', async () => {
    const { breaker } = asThere();
    await Promise.all(Array.from({ length: 10 }, () => outcomeOf(breaker.execute(down))));
    expect(breaker.inspect()).toMatchObject({ state: 'open', openings: 1, stale: 5 });
  });

  it('a threshold of its own, a reset that reopens traffic, and a second end that is safe', async () => {
    const { breaker } = asThere({ window: { kind: 'consecutive', failures: 2 } });
    await fail(breaker, 2);
    expect(breaker.inspect().state).toBe('open');
    breaker.reset();
    expect(await breaker.execute(ok)).toBe('ok');
    breaker.dispose();
    breaker.dispose();
    expect(await outcomeOf(breaker.execute(ok))).toBe('ERR_BREAKER_DISPOSED');
  });

  // The tests that were empty there.

  it('empty there, half-open limit: of five at once three pass, and two are refused', async () => {
    const { host, breaker } = asThere();
    await fail(breaker, 5);
    await host.advance(60_000);
    const outcomes = Array.from({ length: 5 }, () => outcomeOf(breaker.execute(ok)));
    expect(await Promise.all(outcomes)).toEqual([
      'ok',
      'ok',
      'ok',
      'ERR_BREAKER_PROBING',
      'ERR_BREAKER_PROBING',
    ]);
  });

  it('empty there, success threshold: two successes are not enough, the third closes it', async () => {
    const { host, breaker } = asThere();
    await fail(breaker, 5);
    await host.advance(60_000);
    await breaker.execute(ok);
    await breaker.execute(ok);
    expect(breaker.inspect()).toMatchObject({ state: 'half_open', successes: 2 });
    await breaker.execute(ok);
    expect(breaker.inspect()).toMatchObject({ state: 'closed', failures: 0 });
  });

  it('empty there, timeout: one millisecond early is refused, at the instant it passes', async () => {
    const { host, breaker } = asThere();
    await fail(breaker, 5);
    await host.advance(59_999);
    expect(await outcomeOf(breaker.execute(ok))).toBe('ERR_BREAKER_OPEN');
    await host.advance(1);
    expect(await breaker.execute(ok)).toBe('ok');
  });

  it('empty there, telemetry: opened, half-opened, reopened and closed are told, each once', async () => {
    const { host, breaker } = asThere({ successThreshold: 1 });
    const told: string[] = [];
    breaker.events.listen(({ type }) => told.push(type));
    await fail(breaker, 5);
    await host.advance(60_000);
    await fail(breaker, 1);
    await host.advance(60_000);
    await breaker.execute(ok);
    expect(told).toEqual([
      'breaker.opened',
      'breaker.half_opened',
      'breaker.opened',
      'breaker.half_opened',
      'breaker.closed',
    ]);
  });

  it('never reached there, reopening: any failure of a half-open one opens it again, for a whole wait', async () => {
    const { host, breaker } = asThere();
    await fail(breaker, 5);
    await host.advance(60_000);
    await breaker.execute(ok);
    expect(breaker.inspect().state).toBe('half_open');
    await fail(breaker, 1);
    expect(breaker.inspect()).toMatchObject({ state: 'open', openings: 2, retryAfterMs: 60_000 });
  });
});
