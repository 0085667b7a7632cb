/** The defects of earlier breakers, each as it was described, and what ours does instead. */
import { describe, expect, it } from 'vitest';
import { createCircuitBreaker, type StandaloneBreakerOptions } from '../../src/resilience/circuit-breaker.ts';
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
});

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
    await host.advance(6_000);
    expect(await breaker.execute(ok)).toBe('ok');
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
