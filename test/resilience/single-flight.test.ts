import { describe, expect, it, vi } from 'vitest';
import type { CallContext } from '../../src/resilience/call.ts';
import { createCircuitBreaker } from '../../src/resilience/circuit-breaker.ts';
import { createSingleFlight } from '../../src/resilience/single-flight.ts';
import { createTimeout } from '../../src/resilience/timeout.ts';
import { wrap } from '../../src/resilience/wrap.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { deferred, down, outcomeOf } from './deferred.ts';

const setUp = (options = {}) => {
  const host = new SimulatedHost();
  const flight = createSingleFlight({ host, ...options });
  const work = deferred<string>();
  let context: CallContext | undefined;
  const load = vi.fn((given: CallContext) => {
    context = given;
    return work.promise;
  });
  return { host, flight, work, load, context: () => context as CallContext };
};

describe('a single flight', () => {
  it('runs once for all who ask for the same at the same time', async () => {
    const { flight, work, load } = setUp();
    const all = Array.from({ length: 50 }, () => flight.execute(load, { key: 'user 7' }));
    expect(flight.inspect()).toMatchObject({ flights: 1, started: 1, joined: 49 });
    work.resolve('found');
    expect(new Set(await Promise.all(all))).toEqual(new Set(['found']));
    expect(load).toHaveBeenCalledTimes(1);
    expect(flight.inspect().flights).toBe(0);
  });

  it('runs apart for different keys, and anew after the end, whatever that was', async () => {
    const { flight } = setUp();
    const load = vi.fn(down);
    await Promise.all(['a', 'b'].map((key) => outcomeOf(flight.execute(load, { key }))));
    expect(await outcomeOf(flight.execute(load, { key: 'a' }))).toBe('down');
    expect(load).toHaveBeenCalledTimes(3);
    expect(await flight.execute(() => 7)).toBe(7);
  });

  it('who aborts or runs out of time leaves alone; the others go on', async () => {
    const { host, flight, work, load, context } = setUp();
    const controller = new AbortController();
    const aborted = outcomeOf(flight.execute(load, { signal: controller.signal }));
    const timed = outcomeOf(flight.execute(load, { timeoutMs: 50 }));
    const patient = flight.execute(load);
    controller.abort('enough');
    expect(await aborted).toBe('enough');
    expect(await host.runUntil(timed)).toBe('ERR_DEADLINE_PASSED');
    expect(context().signal.aborted).toBe(false);
    work.resolve('found');
    expect(await patient).toBe('found');
  });

  it('the work is aborted when the last has left, and the next starts anew', async () => {
    const { host, flight, load, context } = setUp();
    const timed = [20, 50].map((timeoutMs) => outcomeOf(flight.execute(load, { timeoutMs })));
    await host.runUntil(Promise.all(timed));
    expect(context().signal.aborted).toBe(true);
    expect(flight.inspect().flights).toBe(0);
    void flight.execute(load);
    expect(load).toHaveBeenCalledTimes(2);
  });

  it('bounds the work by its own time, not by that of a caller', async () => {
    const { host, flight, load, context } = setUp({ timeoutMs: 200 });
    const patient = outcomeOf(flight.execute(load));
    const hasty = outcomeOf(flight.execute(load, { timeoutMs: 50 }));
    expect(context().deadline).toBe(200);
    expect(await host.runUntil(hasty)).toBe('ERR_DEADLINE_PASSED');
    expect(await host.runUntil(patient)).toBe('ERR_DEADLINE_PASSED');
    expect(host.monotonic()).toBe(200);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('for one key stands in a wrap', async () => {
    const { host, flight, work, load } = setUp();
    const breaker = createCircuitBreaker({ host });
    const wrapped = wrap(createTimeout({ host }), flight.keyed('user 7'), breaker);
    const both = [wrapped.execute(load), wrapped.execute(load)];
    await host.settle();
    work.resolve('found');
    expect(await Promise.all(both)).toEqual(['found', 'found']);
    expect(load).toHaveBeenCalledTimes(1);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('refuses a key that is none', async () => {
    const { flight, load } = setUp();
    expect(await outcomeOf(flight.execute(load, { key: '' }))).toBe('ERR_OPTION_INVALID');
    expect(await outcomeOf(flight.execute(load, { keys: 'a' } as never))).toBe('ERR_OPTION_UNKNOWN');
    expect(() => flight.keyed('')).toThrow('ERR_OPTION_INVALID');
  });
});
