import { describe, expect, it } from 'vitest';
import {
  createAdaptiveConcurrency,
  createBulkhead,
  createChaos,
  createCircuitBreaker,
  createHedge,
  createLoadShedding,
  createRetry,
  createSingleFlight,
  createTimeout,
} from '../../src/resilience/index.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

/** A promise of a class of its own, whose `then` calls both ways, at once and again. */
class Unruly extends Promise<string> {
  override then(onReturned?: unknown, onThrew?: unknown): never {
    const [returned, threw] = [onReturned, onThrew] as ((value: unknown) => void)[];
    returned?.('first');
    threw?.(new Error('second'));
    returned?.('third');
    return undefined as never;
  }
}

/** What work may return, and what its caller gets. */
const RESULTS: Readonly<Record<string, readonly [make: () => PromiseLike<string>, gets: string]>> = {
  'a `then` that cannot be read': [
    () =>
      ({
        get then(): never {
          throw new Error('unreadable');
        },
      }) as unknown as PromiseLike<string>,
    'Error: unreadable',
  ],
  'a `then` that throws': [
    () => ({
      then: () => {
        throw new Error('thrown');
      },
    }),
    'Error: thrown',
  ],
  'a `then` that calls both ways': [
    () => ({
      then: ((returned: (value: string) => void, threw: (error: unknown) => void) => {
        returned('first');
        threw(new Error('second'));
        returned('third');
      }) as never,
    }),
    'first',
  ],
  'a promise of an unruly class': [() => new Unruly(() => {}), 'first'],
};

const one = { limit: 1 };
const MAKERS = {
  bulkhead: (host: SimulatedHost) => createBulkhead({ host, ...one }),
  'adaptive concurrency': (host: SimulatedHost) =>
    createAdaptiveConcurrency({ host, initialLimit: 1, maxLimit: 1, judge: () => 'neutral' }),
  'load shedding': (host: SimulatedHost) => createLoadShedding({ host, capacity: 1, shares: { normal: 1 } }),
  breaker: (host: SimulatedHost) =>
    createCircuitBreaker({ host, name: 'one', window: { kind: 'count', size: 10, minimumCalls: 10 } }),
  hedge: (host: SimulatedHost) => createHedge({ host, delayMs: 10 }),
  retry: (host: SimulatedHost) => createRetry({ host, maxAttempts: 1 }),
  timeout: (host: SimulatedHost) => createTimeout({ host, timeoutMs: 50 }),
  chaos: (host: SimulatedHost) => createChaos({ host }),
  'single-flight': (host: SimulatedHost) => createSingleFlight({ host }).keyed('same'),
};

describe.each(Object.entries(MAKERS))('%s', (_name, make) => {
  describe.each(Object.entries(RESULTS))('given %s', (_result, [result, gets]) => {
    it.each([
      ['free', () => ({})],
      ['with a signal', () => ({ signal: new AbortController().signal })],
      ['with a deadline', () => ({ timeoutMs: 1_000 })],
    ] as const)('settles once, and lets the next call in: %s', async (_bounds, bounds) => {
      const host = new SimulatedHost();
      const policy = make(host);
      const run = (work: () => string | PromiseLike<string>): Promise<string> => {
        const options = bounds();
        const call = Object.keys(options).length === 0 ? policy.execute(work) : policy.execute(work, options);
        return host.runUntil(call.catch(String));
      };
      expect(await run(result)).toBe(gets);
      expect(await run(result)).toBe(gets);
      expect(await run(() => 'well')).toBe('well');
      expect(host.pendingTimers()).toEqual([]);
    });
  });
});

it('a slot that an unruly promise gave back is given back once', async () => {
  const bulkhead = createBulkhead({ host: new SimulatedHost(), limit: 1 });
  await bulkhead.execute<string>(() => new Unruly(() => {}) as PromiseLike<string>);
  expect(bulkhead.inspect().used).toBe(0);
});

it('a breaker counts work whose `then` cannot be read as one failure', async () => {
  const breaker = createCircuitBreaker({ host: new SimulatedHost(), name: 'one' });
  const [unreadable] = RESULTS['a `then` that cannot be read'] as (typeof RESULTS)[string];
  await breaker.execute(unreadable).catch(() => {});
  expect(breaker.inspect().failures).toBe(1);
});
