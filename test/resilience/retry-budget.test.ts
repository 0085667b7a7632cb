import { describe, expect, it } from 'vitest';
import { createRetry } from '../../src/resilience/retry.ts';
import { createRetryBudget } from '../../src/resilience/retry-budget.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { down, outcomeOf } from './deferred.ts';

describe('a retry budget', () => {
  it('starts full, is earned by calls and by time, and is never more than its burst', async () => {
    const host = new SimulatedHost();
    const budget = createRetryBudget({ host, ratio: 0.5, perSecond: 1, burst: 2 });
    expect([budget.spend(), budget.spend(), budget.spend()]).toEqual([true, true, false]);
    budget.earn();
    expect(budget.spend()).toBe(false);
    budget.earn();
    expect(budget.spend()).toBe(true);
    await host.advance(1_000);
    expect(budget.inspect()).toEqual({ left: 1, spent: 3, refused: 2 });
    await host.advance(60_000);
    expect(budget.inspect().left).toBe(2);
  });

  it('is shared: what one retry spends another cannot', async () => {
    const host = new SimulatedHost();
    const budget = createRetryBudget({ host, ratio: 0, perSecond: 0, burst: 3 });
    const options = { host, budget, backoff: { baseMs: 10, jitter: 'none' } } as const;
    const [one, other] = [createRetry(options), createRetry(options)];
    const limits: unknown[] = [];
    other.events.on('limit.exhausted', ({ limit, used, allowed }) => limits.push([limit, used, allowed]));
    await host.runUntil(outcomeOf(one.execute(down)));
    await host.runUntil(outcomeOf(other.execute(down)));
    expect([one.inspect().retries, other.inspect().retries]).toEqual([2, 1]);
    expect(limits).toEqual([['retry_budget', 3, 3]]);
  });

  it('refuses options that make no sense', () => {
    for (const wrong of [{ ratio: 2 }, { perSecond: -1 }, { burst: 0 }, { burts: 1 }])
      expect(() => createRetryBudget(wrong as never)).toThrow(/ERR_OPTION_/);
  });
});
