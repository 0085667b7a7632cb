/** What a policy does where a function that a user gave it breaks: it goes on, and says so. */
import { describe, expect, it } from 'vitest';
import type { TroupeEvent } from '../../src/base/telemetry.ts';
import { createAdaptiveConcurrency } from '../../src/resilience/adaptive-concurrency.ts';
import { createCircuitBreaker } from '../../src/resilience/circuit-breaker.ts';
import { createFallback } from '../../src/resilience/fallback.ts';
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
