import { describe, expect, it } from 'vitest';
import { createRateLimit, type RateLimitOptions } from '../../src/resilience/rate-limit.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { down, ok, outcomeOf } from './deferred.ts';

const ALGORITHMS = ['token_bucket', 'gcra'] as const;

const setUp = (options: RateLimitOptions = {}) => {
  const host = new SimulatedHost();
  return { host, limit: createRateLimit({ host, rate: 10, burst: 1, ...options }) };
};

describe.each(ALGORITHMS)('a rate limit (%s)', (algorithm) => {
  it('at 10 a second and a burst of 1, calls begin at 0, 100 and 200 ms, in order', async () => {
    const { host, limit } = setUp({ algorithm });
    const began: [number, number][] = [];
    const all = [0, 1, 2].map((n) => limit.execute(() => began.push([n, host.monotonic()])));
    await host.runUntil(Promise.all(all));
    expect(began).toEqual([
      [0, 0],
      [1, 100],
      [2, 200],
    ]);
    expect(limit.inspect()).toMatchObject({ acquires: 3, waits: 2, totalWaitMs: 300 });
  });

  it('a try fails, and succeeds after 110 ms', async () => {
    const { host, limit } = setUp({ algorithm });
    expect([limit.tryAcquire(), limit.tryAcquire()]).toEqual([true, false]);
    await host.advance(110);
    expect(limit.tryAcquire()).toBe(true);
  });

  it('a try never overtakes who waits', async () => {
    const { host, limit } = setUp({ algorithm });
    limit.tryAcquire();
    const waiting = limit.acquire();
    await host.advance(99);
    expect(limit.tryAcquire()).toBe(false);
    await host.runUntil(waiting);
    expect(host.monotonic()).toBe(100);
  });

  it('wakes up at most once for each permit, and not at all for nobody', async () => {
    const { host, limit } = setUp({ algorithm, rate: 7, burst: 3 });
    const all = Array.from({ length: 40 }, () => limit.acquire());
    await host.runUntil(Promise.all(all));
    expect(limit.inspect().wakeups).toBeLessThanOrEqual(limit.inspect().waits);
    const controller = new AbortController();
    const aborted = outcomeOf(limit.acquire({ signal: controller.signal }));
    controller.abort('enough');
    expect(await aborted).toBe('enough');
    expect(host.pendingTimers()).toEqual([]);
  });

  it('gives a burst after a quiet time, and no more than that', async () => {
    const { host, limit } = setUp({ algorithm, burst: 5 });
    await host.advance(60_000);
    expect(Array.from({ length: 7 }, () => limit.tryAcquire()).filter(Boolean)).toHaveLength(5);
    expect(limit.inspect().left).toBe(0);
  });

  it('is fair: of equal waiters none is more than 100 ms ahead of its turn', async () => {
    const { host, limit } = setUp({ algorithm, rate: 100, burst: 1 });
    const ended: Record<string, number> = {};
    const worker = async (name: string): Promise<void> => {
      for (let i = 0; i < 10; i++) await limit.acquire();
      ended[name] = host.monotonic();
    };
    await host.runUntil(Promise.all(['a', 'b', 'c', 'd'].map(worker)));
    const times = Object.values(ended);
    expect(Math.max(...times) - Math.min(...times)).toBeLessThan(100);
  });

  it('who could not be served before its deadline is refused at once, and told when to come back', async () => {
    const { host, limit } = setUp({ algorithm });
    const exhausted: unknown[] = [];
    limit.events.on('limit.exhausted', ({ type, at, ...facts }) => exhausted.push(facts));
    limit.tryAcquire();
    const refusal = await limit.acquire({ timeoutMs: 100 }).catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      code: 'ERR_RATE_LIMITED',
      outcome: 'not_started',
      data: { rate: 10, periodMs: 1_000, retryAfterMs: 100 },
    });
    expect(host.monotonic()).toBe(0);
    expect(exhausted).toEqual([
      { path: 'rate_limit', limit: 'rate_limit', used: 10, allowed: 10, periodMs: 1_000 },
    ]);
    await host.runUntil(limit.acquire({ timeoutMs: 101 }));
  });

  it('its line and its patience are bounded', async () => {
    const full = setUp({ algorithm, queueLimit: 1 });
    full.limit.tryAcquire();
    void full.limit.acquire();
    expect(await outcomeOf(full.limit.acquire())).toBe('ERR_RATE_LIMITED');
    const hasty = setUp({ algorithm, maxWaitMs: 150 });
    hasty.limit.tryAcquire();
    void hasty.limit.acquire();
    const refusal = await hasty.limit.acquire().catch((error: unknown) => error);
    expect(refusal).toMatchObject({ data: { retryAfterMs: 200 } });
  });

  it('an aborted waiter gives its turn to the next', async () => {
    const { host, limit } = setUp({ algorithm });
    const controller = new AbortController();
    await limit.acquire();
    const aborted = outcomeOf(limit.acquire({ signal: controller.signal }));
    const next = limit.acquire();
    controller.abort('enough');
    await host.runUntil(next);
    expect([await aborted, host.monotonic()]).toEqual(['enough', 100]);
  });

  it('work that fails has used its permit all the same', async () => {
    const { limit } = setUp({ algorithm });
    expect(await outcomeOf(limit.execute(down))).toBe('down');
    expect(limit.tryAcquire()).toBe(false);
  });

  it('the end turns away who waits, and leaves no timer', async () => {
    const { host, limit } = setUp({ algorithm });
    limit.tryAcquire();
    const waiting = outcomeOf(limit.execute(ok));
    limit.dispose();
    expect(await waiting).toBe('ERR_POLICY_DISPOSED');
    expect(limit.tryAcquire()).toBe(false);
    expect(host.pendingTimers()).toEqual([]);
  });
});

describe('the options of a rate limit', () => {
  it.each([{ rate: 0 }, { rate: -1 }, { rate: Number.POSITIVE_INFINITY }, { burst: 0 }, { burst: 1.5 }])(
    '%o is refused',
    (options) => {
      expect(() => createRateLimit(options)).toThrow('ERR_OPTION_INVALID');
    },
  );
});
