/** Limits under any load, on virtual time: what they promise, and that nobody is forgotten. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBulkhead } from '../../src/resilience/bulkhead.ts';
import type { CallContext } from '../../src/resilience/call.ts';
import { createHedge } from '../../src/resilience/hedge.ts';
import { createRateLimit } from '../../src/resilience/rate-limit.ts';
import { createRetry } from '../../src/resilience/retry.ts';
import { createRetryBudget } from '../../src/resilience/retry-budget.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

const call = fc.record({
  arrivesMs: fc.nat(400),
  runsMs: fc.nat(80),
  fails: fc.boolean(),
  timeoutMs: fc.option(fc.integer({ min: 1, max: 150 }), { nil: undefined }),
  abortsAfterMs: fc.option(fc.nat(100), { nil: undefined }),
});
const calls = fc.array(call, { minLength: 1, maxLength: 25 });

/** Plays calls against a policy; tells when each began, and how it ended. */
const play = async (
  host: SimulatedHost,
  load: readonly (typeof call extends fc.Arbitrary<infer C> ? C : never)[],
  execute: (work: () => Promise<unknown>, bounds: object) => Promise<unknown>,
) => {
  const began: { index: number; atMs: number; overMs: number }[] = [];
  const outcomes: Promise<unknown>[] = [];
  const arrivals = load.map((each, index) => ({ ...each, index })).sort((a, b) => a.arrivesMs - b.arrivesMs);
  for (const { index, arrivesMs, runsMs, fails, timeoutMs, abortsAfterMs } of arrivals) {
    await host.advance(arrivesMs - host.monotonic());
    const controller = new AbortController();
    if (abortsAfterMs !== undefined) host.timer(abortsAfterMs, 'abort', () => controller.abort('aborted'));
    const work = (): Promise<unknown> => {
      const atMs = host.monotonic();
      began.push({ index, atMs, overMs: atMs + runsMs });
      return new Promise((resolve, reject) =>
        host.timer(runsMs, 'work', () => (fails ? reject('thrown') : resolve('value'))),
      );
    };
    outcomes.push(
      execute(work, { timeoutMs, signal: controller.signal }).catch(
        (error: { code?: string }) => error.code ?? error,
      ),
    );
  }
  const results = await host.runUntil(Promise.all(outcomes), 600_000);
  await host.advance(1_000);
  return { began, arrivals, results };
};

describe('a bulkhead under any load', () => {
  it('keeps its capacity and its order, conserves its slots, and settles every call', async () => {
    const reached = new Set<unknown>();
    await fc.assert(
      fc.asyncProperty(calls, fc.integer({ min: 1, max: 4 }), fc.nat(6), async (load, limit, queueLimit) => {
        const host = new SimulatedHost();
        const bulkhead = createBulkhead({ host, limit, queueLimit });
        const { began, arrivals, results } = await play(host, load, (work, bounds) =>
          bulkhead.execute(work, bounds),
        );
        for (const result of results) reached.add(result);
        for (const { atMs } of began) {
          const running = began.filter((each) => each.atMs <= atMs && each.overMs > atMs);
          expect(running.length).toBeLessThanOrEqual(limit);
        }
        const order = arrivals.map(({ index }) => index);
        const begun = began.map(({ index }) => order.indexOf(index));
        expect(begun).toEqual([...begun].sort((a, b) => a - b));
        expect(bulkhead.inspect()).toMatchObject({ used: 0, waiting: 0 });
        expect(host.pendingTimers()).toEqual([]);
      }),
      { numRuns: 150 },
    );
    for (const outcome of ['value', 'thrown', 'aborted', 'ERR_DEADLINE_PASSED', 'ERR_BULKHEAD_FULL'])
      expect(reached).toContain(outcome);
  });
});

describe('slots of a bulkhead whose work may never settle', () => {
  it('are taken exactly by the work that is not over, whatever became of its callers', async () => {
    const job = fc.record({
      how: fc.constantFrom('value' as const, 'thrown' as const, 'throws' as const, 'never' as const),
      timeoutMs: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
      aborts: fc.boolean(),
      afterMs: fc.nat(20),
    });
    let stuck = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(job, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 5 }),
        async (jobs, limit) => {
          const host = new SimulatedHost();
          const bulkhead = createBulkhead({ host, limit, queueLimit: 3 });
          let out = 0;
          for (const { how, timeoutMs, aborts, afterMs } of jobs) {
            const controller = new AbortController();
            const work = (): Promise<void> => {
              if (how === 'throws') throw new Error('at once');
              out += 1;
              return new Promise((resolve, reject) => {
                if (how === 'never') return;
                host.timer(10, 'work', () => {
                  out -= 1;
                  if (how === 'value') resolve();
                  else reject(new Error('thrown'));
                });
              });
            };
            bulkhead.execute(work, { timeoutMs, signal: controller.signal }).catch(() => {});
            if (aborts) controller.abort('aborted');
            await host.advance(afterMs);
            expect(bulkhead.inspect().used).toBe(out);
            expect(out).toBeLessThanOrEqual(limit);
          }
          await host.advance(1_000);
          expect(bulkhead.inspect().used).toBe(out);
          if (out > 0) stuck += 1;
          if (out < limit) expect(bulkhead.inspect().waiting).toBe(0);
        },
      ),
      { numRuns: 150 },
    );
    expect(stuck).toBeGreaterThan(0);
  });
});

describe('a rate limit under any load', () => {
  it('never begins more than burst + rate × span, in order, and starves nobody', async () => {
    const options = fc.record({
      algorithm: fc.constantFrom('token_bucket' as const, 'gcra' as const),
      rate: fc.integer({ min: 1, max: 60 }),
      periodMs: fc.constantFrom(100, 333, 1_000),
      burst: fc.integer({ min: 1, max: 5 }),
    });
    const reached = new Set<unknown>();
    await fc.assert(
      fc.asyncProperty(calls, options, async (load, chosen) => {
        const host = new SimulatedHost();
        const limit = createRateLimit({ host, ...chosen });
        const { began, arrivals, results } = await play(host, load, (work, bounds) =>
          limit.execute(work, bounds),
        );
        for (const result of results) reached.add(result);
        const { rate, periodMs, burst } = chosen;
        for (const [from, first] of began.entries())
          for (const [to, last] of began.entries()) {
            const spanMs = last.atMs - first.atMs;
            if (to >= from)
              expect(to - from + 1).toBeLessThanOrEqual(burst + (rate * spanMs) / periodMs + 1e-3);
          }
        const order = arrivals.map(({ index }) => index);
        const begun = began.map(({ index }) => order.indexOf(index));
        expect(begun).toEqual([...begun].sort((a, b) => a - b));
        // Whoever neither aborts nor has a deadline begins.
        const endless = load.flatMap((each, index) =>
          each.timeoutMs === undefined && each.abortsAfterMs === undefined ? [index] : [],
        );
        for (const index of endless) expect(began.map((each) => each.index)).toContain(index);
        const { wakeups, waits, acquires, waiting } = limit.inspect();
        expect(acquires).toBe(began.length);
        expect(waiting).toBe(0);
        // One for each that was served, and at most one more for each whose turn passed to the next.
        expect(wakeups).toBeLessThanOrEqual(waits + load.length - began.length);
        expect(host.pendingTimers()).toEqual([]);
      }),
      { numRuns: 150 },
    );
    for (const outcome of ['value', 'thrown', 'aborted', 'ERR_RATE_LIMITED'])
      expect(reached).toContain(outcome);
  });
});

describe('a retry budget under any load', () => {
  it('is never exceeded, by any number of retries that share it', async () => {
    await fc.assert(
      fc.asyncProperty(
        calls,
        fc.constantFrom(0, 0.1, 0.5, 1),
        fc.constantFrom(0, 1, 20),
        fc.integer({ min: 1, max: 4 }),
        async (load, ratio, perSecond, burst) => {
          const host = new SimulatedHost();
          const budget = createRetryBudget({ host, ratio, perSecond, burst });
          const retries = [1, 2].map(() =>
            createRetry({ host, budget, maxAttempts: 4, backoff: { baseMs: 5 } }),
          );
          let turn = 0;
          const { began } = await play(host, load, (work, bounds) => {
            turn += 1;
            return (retries[turn % 2] as (typeof retries)[0]).execute(work, bounds);
          });
          const seconds = host.monotonic() / 1_000;
          const extra = began.length - load.length;
          expect(extra).toBeLessThanOrEqual(burst + ratio * load.length + perSecond * seconds + 1e-6);
          // What is paid for and then aborted in the wait is not paid back.
          expect(budget.inspect().spent).toBeGreaterThanOrEqual(extra);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('a hedge under any load', () => {
  it('settles once, and by the first success or the last failure; all others are aborted', async () => {
    const attempt = fc.record({ ms: fc.nat(120), fails: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(
        fc.array(attempt, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 60 }),
        fc.nat(3),
        fc.option(fc.integer({ min: 1, max: 200 }), { nil: undefined }),
        async (script, delayMs, hedges, timeoutMs) => {
          const host = new SimulatedHost();
          const hedge = createHedge({ host, delayMs, maxHedges: hedges + 1 });
          const out: { readonly overMs: number; readonly fails: boolean; readonly signal: AbortSignal }[] =
            [];
          const work = ({ signal }: CallContext): Promise<number> => {
            const index = out.length;
            const { ms, fails } = script[index % script.length] as { ms: number; fails: boolean };
            out.push({ overMs: host.monotonic() + ms, fails, signal });
            return new Promise((resolve, reject) =>
              host.timer(ms, 'work', () => (fails ? reject(index) : resolve(index))),
            );
          };
          let settlements = 0;
          const running = hedge.execute(work, { timeoutMs }).finally(() => {
            settlements += 1;
          });
          const [outcome] = await host.runUntil(Promise.allSettled([running]));
          const endedAtMs = host.monotonic();
          await host.advance(1_000);
          expect(settlements).toBe(1);
          expect(out.length).toBeLessThanOrEqual(hedges + 2);
          expect(host.pendingTimers()).toEqual([]);
          expect(endedAtMs).toBeLessThanOrEqual(timeoutMs ?? endedAtMs);
          if (outcome.status === 'fulfilled') {
            const winner = out[outcome.value];
            expect(winner).toMatchObject({ fails: false, overMs: endedAtMs });
            for (const each of out) if (!each.fails) expect(each.overMs).toBeGreaterThanOrEqual(endedAtMs);
          }
          // Whatever was still out when it ended has heard of it.
          for (const { overMs, signal } of out) if (overMs > endedAtMs) expect(signal.aborted).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });
});
