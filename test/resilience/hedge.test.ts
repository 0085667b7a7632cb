import { describe, expect, it } from 'vitest';
import type { CallContext } from '../../src/resilience/call.ts';
import { createCircuitBreaker } from '../../src/resilience/circuit-breaker.ts';
import { createHedge, type HedgeOptions } from '../../src/resilience/hedge.ts';
import { LatencyWindow } from '../../src/resilience/latency-window.ts';
import { createRetryBudget } from '../../src/resilience/retry-budget.ts';
import { wrap } from '../../src/resilience/wrap.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { hang, outcomeOf } from './deferred.ts';

/** Attempts that take so long each; negative fails after that. Notes when each began, and its context. */
const setUp = (script: readonly number[], options: HedgeOptions = {}) => {
  const host = new SimulatedHost();
  const hedge = createHedge({ host, delayMs: 50, ...options });
  const beganAt: number[] = [];
  const contexts: CallContext[] = [];
  const work = (context: CallContext): Promise<number> => {
    const index = beganAt.length;
    const ms = script[index] ?? script.at(-1) ?? 0;
    beganAt.push(host.monotonic());
    contexts.push(context);
    return new Promise((resolve, reject) =>
      host.timer(Math.abs(ms), 'work', () => (ms < 0 ? reject(`failed ${index}`) : resolve(index))),
    );
  };
  return { host, hedge, work, beganAt, contexts };
};

describe('a hedge', () => {
  it('does nothing for a call that is quick', async () => {
    const { host, hedge, work, beganAt } = setUp([40]);
    expect(await host.runUntil(hedge.execute(work))).toBe(0);
    expect(beganAt).toEqual([0]);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('begins a second attempt beside a slow one; the first answer counts, and the other is aborted', async () => {
    const { host, hedge, work, beganAt, contexts } = setUp([500, 20]);
    expect(await host.runUntil(hedge.execute(work))).toBe(1);
    expect([beganAt, host.monotonic()]).toEqual([[0, 50], 70]);
    expect(contexts[0]?.signal).toMatchObject({ aborted: true, reason: { code: 'ERR_HEDGE_LOST' } });
    expect(contexts[1]?.signal.aborted).toBe(false);
    expect(hedge.inspect()).toMatchObject({ calls: 1, hedges: 1, won: 1 });
  });

  it('makes no more attempts than allowed, one a delay', async () => {
    const { host, hedge, work, beganAt } = setUp([900, 900, 10], { maxHedges: 2 });
    expect(await host.runUntil(hedge.execute(work))).toBe(2);
    expect(beganAt).toEqual([0, 50, 100]);
  });

  it('a failure while others are out is waited out; the last one is told', async () => {
    const { host, hedge, work } = setUp([-60, 30]);
    expect(await host.runUntil(hedge.execute(work))).toBe(1);
    const failing = setUp([-60, -30]);
    expect(await failing.host.runUntil(outcomeOf(failing.hedge.execute(failing.work)))).toBe('failed 1');
    expect(failing.host.monotonic()).toBe(80);
  });

  it('what fails before its hedge is due is not tried again', async () => {
    const { host, hedge, work, beganAt } = setUp([-10, 10]);
    expect(await host.runUntil(outcomeOf(hedge.execute(work)))).toBe('failed 0');
    expect(beganAt).toEqual([0]);
    expect(host.pendingTimers()).toEqual([]);
  });

  it("the caller's end is the end of all attempts", async () => {
    const { host, hedge } = setUp([]);
    const contexts: CallContext[] = [];
    const work = (context: CallContext) => {
      contexts.push(context);
      return hang();
    };
    const running = outcomeOf(hedge.execute(work, { timeoutMs: 80 }));
    expect(await host.runUntil(running)).toBe('ERR_DEADLINE_PASSED');
    expect(contexts.map(({ signal, deadline }) => [signal.aborted, deadline])).toEqual([
      [true, 80],
      [true, 80],
    ]);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('a loser counts for nothing with a breaker inside', async () => {
    const { host, hedge, work } = setUp([500, 20]);
    const breaker = createCircuitBreaker({ host, window: { kind: 'consecutive', failures: 1 } });
    expect(await host.runUntil(wrap(hedge, breaker).execute(work))).toBe(1);
    expect(breaker.inspect()).toMatchObject({ state: 'closed', failures: 0 });
  });

  it('is paid for out of a budget', async () => {
    const host = new SimulatedHost();
    const budget = createRetryBudget({ host, ratio: 0, perSecond: 0, burst: 1 });
    const hedge = createHedge({ host, delayMs: 10, budget });
    const exhausted: unknown[] = [];
    hedge.events.on('limit.exhausted', ({ limit }) => exhausted.push(limit));
    const slow = () => new Promise((resolve) => host.timer(100, 'work', () => resolve('slow')));
    await host.runUntil(hedge.execute(slow));
    await host.runUntil(hedge.execute(slow));
    expect([hedge.inspect().hedges, exhausted]).toEqual([1, ['retry_budget']]);
  });

  it('waits for as long as its quantile says, once there are enough successes', async () => {
    const { host, hedge, work } = setUp([...Array(20).fill(10), 500, 1], { quantile: 0.95, delayMs: 400 });
    expect(hedge.inspect().delayMs).toBe(400);
    for (let i = 0; i < 20; i++) await host.runUntil(hedge.execute(work));
    expect(hedge.inspect().delayMs).toBe(10);
    const before = host.monotonic();
    await host.runUntil(hedge.execute(work));
    expect(host.monotonic() - before).toBe(11);
  });
});

describe('a latency window', () => {
  it('gives exact quantiles of the last samples', () => {
    const window = new LatencyWindow(4);
    expect(window.quantile(0.5)).toBeUndefined();
    for (const ms of [9, 1, 5]) window.add(ms);
    expect([window.quantile(0.01), window.quantile(0.5), window.quantile(1)]).toEqual([1, 5, 9]);
    for (const ms of [5, 7, 3]) window.add(ms);
    expect([window.count, window.quantile(0.01), window.quantile(0.5), window.quantile(1)]).toEqual([
      4, 3, 5, 7,
    ]);
  });
});
