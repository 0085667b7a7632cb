import { describe, expect, it, vi } from 'vitest';
import { type ChaosOptions, createChaos } from '../../src/resilience/chaos.ts';
import { createRetry } from '../../src/resilience/retry.ts';
import { wrap } from '../../src/resilience/wrap.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { ok, outcomeOf } from './deferred.ts';

const play = async (options: ChaosOptions, calls = 40): Promise<readonly unknown[]> => {
  const host = new SimulatedHost();
  const chaos = createChaos({ host, enabled: true, ...options });
  const results: unknown[] = [];
  for (let i = 0; i < calls; i++) results.push(await host.runUntil(outcomeOf(chaos.execute(ok))));
  return [...results, host.monotonic()];
};

describe('chaos', () => {
  it('is off by default, whatever its rates are', async () => {
    const chaos = createChaos({ faultRate: 1, latencyRate: 1, latencyMs: 1_000, outcomeRate: 1 });
    expect(await chaos.execute(ok)).toBe('ok');
    expect(chaos.inspect()).toMatchObject({ enabled: false, faults: 0, delays: 0, outcomes: 0 });
  });

  it('injects faults and answers in place of the work, and delays before it', async () => {
    const work = vi.fn(ok);
    expect(await outcomeOf(createChaos({ enabled: true, faultRate: 1 }).execute(work))).toBe(
      'ERR_CHAOS_FAULT',
    );
    const own = createChaos({ enabled: true, faultRate: 1, fault: () => new Error('my own') });
    expect(await outcomeOf(own.execute(work))).toBe('my own');
    const answering = createChaos({ enabled: true, outcomeRate: 1, outcome: () => 'wrong' });
    expect(await answering.execute(work)).toBe('wrong');
    expect(work).not.toHaveBeenCalled();
    const host = new SimulatedHost();
    const slow = createChaos({ host, enabled: true, latencyRate: 1, latencyMs: 70 });
    expect(await host.runUntil(slow.execute(work))).toBe('ok');
    expect(host.monotonic()).toBe(70);
  });

  it('plays the same faults for the same seed, and others for another', async () => {
    const options = { seed: 7, faultRate: 0.3, latencyRate: 0.3, latencyMs: 5, outcomeRate: 0.3 };
    expect(await play(options)).toEqual(await play(options));
    expect(await play(options)).not.toEqual(await play({ ...options, seed: 8 }));
    // The draws of one kind do not depend on the rates of another.
    const faults = (results: readonly unknown[]) => results.map((result) => result === 'ERR_CHAOS_FAULT');
    expect(faults(await play({ ...options, latencyRate: 0, outcomeRate: 0 }))).toEqual(
      faults(await play(options)),
    );
  });

  it('a delay is cut by the deadline, and leaves no timer', async () => {
    const host = new SimulatedHost();
    const chaos = createChaos({ host, enabled: true, latencyRate: 1, latencyMs: 1_000 });
    const work = vi.fn(ok);
    expect(await host.runUntil(outcomeOf(chaos.execute(work, { timeoutMs: 50 })))).toBe(
      'ERR_DEADLINE_PASSED',
    );
    expect(host.pendingTimers()).toEqual([]);
    expect(work).not.toHaveBeenCalled();
  });

  it('a fault after a delay rejects, and policies outside meet it', async () => {
    const host = new SimulatedHost();
    const chaos = createChaos({ host, enabled: true, latencyRate: 1, latencyMs: 5, faultRate: 1 });
    const retry = createRetry({ host, backoff: { baseMs: 10, jitter: 'none' } });
    expect(await host.runUntil(outcomeOf(wrap(retry, chaos).execute(ok)))).toBe('ERR_CHAOS_FAULT');
    expect(chaos.inspect()).toMatchObject({ faults: 3, delays: 3 });
    chaos.disable();
    expect(await chaos.execute(ok)).toBe('ok');
    chaos.enable();
    const told = vi.fn();
    chaos.events.on('chaos.injected', ({ what }) => told(what));
    await host.runUntil(outcomeOf(chaos.execute(ok)));
    expect(told.mock.calls).toEqual([['latency'], ['fault']]);
  });
});
