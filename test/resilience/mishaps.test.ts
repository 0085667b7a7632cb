/** What a policy does where a function that a user gave it breaks: it goes on, and says so. */
import { describe, expect, it } from 'vitest';
import type { TroupeEvent } from '../../src/base/telemetry.ts';
import { createAdaptiveConcurrency } from '../../src/resilience/adaptive-concurrency.ts';
import { createChaos } from '../../src/resilience/chaos.ts';
import { createCircuitBreaker } from '../../src/resilience/circuit-breaker.ts';
import { createFallback } from '../../src/resilience/fallback.ts';
import { createHedge } from '../../src/resilience/hedge.ts';
import { createLoadShedding } from '../../src/resilience/load-shedding.ts';
import type { StandalonePolicy } from '../../src/resilience/policy.ts';
import { createRetry } from '../../src/resilience/retry.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { down, ok, outcomeOf } from './deferred.ts';

const boom = (): never => {
  throw new Error('boom');
};

/** What it tells of its options, as `option: message`. */
const told = (policy: Pick<StandalonePolicy, 'events'>): string[] => {
  const mishaps: string[] = [];
  policy.events.on(
    'policy.option_failed',
    ({ option, error }: TroupeEvent & { option: string; error: unknown }) =>
      mishaps.push(`${option}: ${(error as Error).message}`),
  );
  return mishaps;
};

describe('a broken function of an option', () => {
  it('adaptive concurrency: its judge is overruled, and that is told once', async () => {
    const limit = createAdaptiveConcurrency({ host: new SimulatedHost(), judge: boom, initialLimit: 10 });
    const mishaps = told(limit);
    for (let i = 0; i < 3; i++) expect(await outcomeOf(limit.execute(down))).toBe('down');
    expect(mishaps).toEqual(['judge: boom']);
    expect(limit.inspect().decreases).toBe(1);
  });

  it('adaptive concurrency: so is one that gives what is no judgement', async () => {
    const limit = createAdaptiveConcurrency({ host: new SimulatedHost(), judge: () => 'fine' as never });
    const mishaps = told(limit);
    expect(await limit.execute(ok)).toBe('ok');
    expect(mishaps).toHaveLength(1);
    expect(mishaps[0]).toMatch(/^judge: judge: judgement must be 'success' or /);
  });

  it('load shedding: what cannot be measured is 0, and that is told, once more when it breaks again', async () => {
    let measure: () => number = boom;
    const shedding = createLoadShedding({ host: new SimulatedHost(), load: () => measure() });
    const mishaps = told(shedding);
    await shedding.execute(ok);
    await shedding.execute(ok);
    expect(mishaps).toEqual(['load: boom']);
    measure = () => 0.1;
    await shedding.execute(ok);
    measure = () => Number.NaN;
    expect(await shedding.execute(ok)).toBe('ok');
    expect(mishaps).toHaveLength(2);
    expect(mishaps[1]).toMatch(/load must be a number, got NaN/);
  });

  it('fallback: where `when` throws, the error goes through', async () => {
    const fallback = createFallback({ host: new SimulatedHost(), value: 'plan b', when: boom });
    const mishaps = told(fallback);
    expect(await outcomeOf(fallback.execute(down))).toBe('down');
    expect(mishaps).toEqual(['when: boom']);
  });

  it('fallback: so it does where `when` gives a promise, which is no answer', async () => {
    const fallback = createFallback({
      host: new SimulatedHost(),
      value: 'plan b',
      when: (async () => true) as never,
    });
    const mishaps = told(fallback);
    expect(await outcomeOf(fallback.execute(down))).toBe('down');
    expect(mishaps).toHaveLength(1);
    expect(mishaps[0]).toMatch(/^when: fallback fallback: when must be true or false/);
  });

  const broken: [string, object, RegExp][] = [
    ['shouldRetry', { shouldRetry: boom }, /^shouldRetry: boom$/],
    ['shouldRetry', { shouldRetry: async () => true }, /shouldRetry must be true or false/],
    ['classifier', { classifier: { classify: boom } }, /^classifier: boom$/],
    ['classifier', { classifier: { classify: async () => ({ retryable: true }) } }, /must be advice/],
    ['classifier', { classifier: { classify: () => undefined } }, /must be advice/],
    ['classifier', { classifier: { classify: boom }, shouldRetry: () => true }, /^classifier: boom$/],
  ];

  describe.each(broken)('retry: %s, as %o', (_option, options, words) => {
    it('ends the operation with the error of the work, and is told of once', async () => {
      const host = new SimulatedHost();
      const retry = createRetry({ host, ...options });
      const mishaps = told(retry);
      const error = new Error('down');
      for (let i = 0; i < 2; i++) {
        let runs = 0;
        const work = () => {
          runs += 1;
          throw error;
        };
        const thrown = retry.execute(work).catch((cause: unknown) => cause);
        expect(await host.runUntil(thrown)).toBe(error);
        expect(runs).toBe(1);
      }
      expect(mishaps).toHaveLength(1);
      expect(mishaps[0]).toMatch(words);
      expect(retry.inspect()).toMatchObject({ operations: 2, retries: 0, exhausted: 2, waiting: 0 });
    });
  });

  it('retry: a shouldRetry that works again, and breaks again, is told of again', async () => {
    const host = new SimulatedHost();
    let says: () => boolean = boom;
    const retry = createRetry({ host, maxAttempts: 2, shouldRetry: () => says() });
    const mishaps = told(retry);
    for (const next of [boom, () => true, boom]) {
      says = next;
      expect(await host.runUntil(outcomeOf(retry.execute(down)))).toBe('down');
    }
    expect(mishaps).toEqual(['shouldRetry: boom', 'shouldRetry: boom']);
  });

  it('retry: a backoff that no classifier should name is told of, and its own is taken', async () => {
    const host = new SimulatedHost();
    const classify = () => ({ retryable: true, remedy: { kind: 'retry', backoff: 'quadratic' } });
    const retry = createRetry({
      host,
      maxAttempts: 3,
      backoff: { baseMs: 100, jitter: 'none' },
      classifier: { classify },
    });
    const mishaps = told(retry);
    expect(await host.runUntil(outcomeOf(retry.execute(down)))).toBe('down');
    expect(host.monotonic()).toBe(300);
    expect(mishaps).toHaveLength(1);
    expect(mishaps[0]).toMatch(/^classifier: .*kind/);
  });

  it('retry and hedge: a budget that could not be asked is refused at once', () => {
    for (const make of [createRetry, createHedge])
      expect(() => make({ budget: { earn: 1 } as never })).toThrow(/budget must be a retry budget/);
  });

  it('health check: one that throws has found its patient ill, and the breaker goes on', async () => {
    const host = new SimulatedHost();
    const breaker = createCircuitBreaker({
      host,
      window: { kind: 'consecutive', failures: 1 },
      healthCheck: { check: boom, everyMs: 100 },
    });
    const checks: unknown[] = [];
    breaker.on('breaker.checked', ({ error }) => checks.push((error as Error).message));
    breaker.fail();
    await host.advance(250);
    expect(checks).toEqual(['boom', 'boom']);
    expect(breaker.inspect().state).toBe('open');
  });

  it('chaos: what its own functions throw is what the call fails with', async () => {
    for (const options of [
      { faultRate: 1, fault: boom },
      { outcomeRate: 1, outcome: boom },
    ]) {
      const chaos = createChaos({ host: new SimulatedHost(), enabled: true, ...options });
      expect(await outcomeOf(chaos.execute(ok))).toBe('boom');
    }
  });

  it('retry: where a custom delay throws, the exponential one is taken', async () => {
    const host = new SimulatedHost();
    const retry = createRetry({
      host,
      backoff: { kind: 'custom', delay: boom, baseMs: 100, jitter: 'none' },
    });
    const mishaps = told(retry);
    expect(await host.runUntil(outcomeOf(retry.execute(down)))).toBe('down');
    expect(host.monotonic()).toBe(300);
    expect(mishaps).toEqual(['backoff.delay: boom']);
  });

  it('breaker: where the duration cannot be had it is the default, and a judge is overruled', async () => {
    for (const openMs of [
      boom,
      () => Number.NaN,
      { kind: 'custom' as const, delay: boom, jitter: 'none' as const },
    ]) {
      const breaker = createCircuitBreaker({
        host: new SimulatedHost(),
        window: { kind: 'consecutive', failures: 1 },
        openMs,
      });
      const mishaps = told(breaker);
      breaker.fail();
      expect(breaker.inspect()).toMatchObject({
        state: 'open',
        retryAfterMs: typeof openMs === 'object' ? 1_000 : 30_000,
      });
      expect(mishaps).toHaveLength(1);
      expect(mishaps[0]).toMatch(/^openMs: /);
    }
  });
});
