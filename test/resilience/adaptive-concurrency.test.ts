import { describe, expect, it } from 'vitest';
import {
  type AdaptiveConcurrencyOptions,
  createAdaptiveConcurrency,
} from '../../src/resilience/adaptive-concurrency.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { outcomeOf } from './deferred.ts';

const setUp = (options: AdaptiveConcurrencyOptions = {}) => {
  const host = new SimulatedHost();
  const adaptive = createAdaptiveConcurrency({ host, ...options });
  const takes =
    (ms: number, fails = false) =>
    () =>
      new Promise((resolve, reject) =>
        host.timer(ms, 'work', () => (fails ? reject('down') : resolve('ok'))),
      );
  const round = (calls: number, ms: number, fails = false) =>
    host.runUntil(
      Promise.all(Array.from({ length: calls }, () => outcomeOf(adaptive.execute(takes(ms, fails))))),
    );
  return { host, adaptive, takes, round };
};

describe('an adaptive limit', () => {
  it('rises by about one for each round of successes that uses it, up to its maximum', async () => {
    const { adaptive, round } = setUp({ initialLimit: 4, maxLimit: 6 });
    await round(4, 10);
    expect(adaptive.inspect().limit).toBe(4);
    await round(4, 10);
    expect(adaptive.inspect().limit).toBe(5);
    for (let i = 0; i < 9; i++) await round(6, 10);
    expect(adaptive.inspect().limit).toBe(6);
  });

  it('does not rise while it is hardly used', async () => {
    const { adaptive, round } = setUp({ initialLimit: 10 });
    for (let i = 0; i < 50; i++) await round(2, 10);
    expect(adaptive.inspect().limit).toBe(10);
  });

  it('one overload lowers it once, however many calls met it', async () => {
    const { host, adaptive, round } = setUp({ initialLimit: 20, backoffRatio: 0.5 });
    const changes: unknown[] = [];
    adaptive.events.on('concurrency.limit_changed', ({ from, to }) => changes.push([from, to]));
    await round(20, 10, true);
    expect(adaptive.inspect()).toMatchObject({ limit: 10, decreases: 1 });
    await host.advance(1);
    await round(10, 10, true);
    expect(changes).toEqual([
      [20, 10],
      [10, 5],
    ]);
  });

  it('falls to its minimum and no further, and what is too slow counts as overload', async () => {
    const { adaptive, round } = setUp({ initialLimit: 8, minLimit: 3, backoffRatio: 0.5, slowMs: 50 });
    await round(1, 50);
    expect(adaptive.inspect().decreases).toBe(0);
    for (let i = 0; i < 5; i++) await round(2, 51);
    expect(adaptive.inspect().limit).toBe(3);
  });

  it('aborts change nothing', async () => {
    const { host, adaptive, takes } = setUp({ initialLimit: 2 });
    const controller = new AbortController();
    const aborted = outcomeOf(adaptive.execute(takes(100), { signal: controller.signal }));
    controller.abort('enough');
    expect(await aborted).toBe('enough');
    expect(adaptive.inspect()).toMatchObject({ limit: 2, used: 1, decreases: 0 });
    await host.advance(100);
    expect(adaptive.inspect().used).toBe(0);
  });

  it('refuses what is beyond it, or lets it wait in line, and serves the line when it rises', async () => {
    const { host, adaptive, takes } = setUp({ initialLimit: 1, queueLimit: 1 });
    const all = [1, 2, 3].map(() => outcomeOf(adaptive.execute(takes(10))));
    expect(await host.runUntil(Promise.all(all))).toEqual(['ok', 'ok', 'ERR_BULKHEAD_FULL']);
    expect(adaptive.inspect()).toMatchObject({ limit: 2, refused: 1, waiting: 0 });
  });

  it('finds the capacity of what it guards, and stays near it', async () => {
    // Beyond 12 at once the other side fails.
    const { host, adaptive } = setUp({ initialLimit: 2, maxLimit: 100 });
    let running = 0;
    const work = () => {
      running += 1;
      const overloaded = running > 12;
      return new Promise((resolve, reject) =>
        host.timer(10, 'work', () => {
          running -= 1;
          if (overloaded) reject('overloaded');
          else resolve('ok');
        }),
      );
    };
    const limits: number[] = [];
    for (let i = 0; i < 300; i++) {
      const all = Array.from({ length: 40 }, () => outcomeOf(adaptive.execute(work)));
      await host.runUntil(Promise.all(all));
      if (i > 100) limits.push(adaptive.inspect().limit);
    }
    expect(Math.max(...limits)).toBeLessThanOrEqual(14);
    expect(Math.min(...limits)).toBeGreaterThanOrEqual(9);
  });

  it('refuses bounds that contradict each other', () => {
    expect(() => createAdaptiveConcurrency({ initialLimit: 5, maxLimit: 4 })).toThrow('ERR_OPTION_INVALID');
    expect(() => createAdaptiveConcurrency({ initialLimit: 5, minLimit: 6 })).toThrow('ERR_OPTION_INVALID');
  });

  it('the end turns away who waits', async () => {
    const { adaptive, takes } = setUp({ initialLimit: 1, queueLimit: 1 });
    void adaptive.execute(takes(10));
    const waiting = outcomeOf(adaptive.execute(takes(10)));
    adaptive.dispose();
    expect(await waiting).toBe('ERR_POLICY_DISPOSED');
  });
});
