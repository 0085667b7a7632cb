/**
 * What guarding a call costs, beside cockatiel, opossum and p-queue. The work is an async function that returns at once; no
 * policy has a listener, and all have their defaults but for what a case names.
 *
 * Each case's options are the nearest the rivals have. cockatiel's breakers are given the predicate `handleAll`; opossum's
 * own `timeout` (10 s by default) is off except where timeouts are what is measured.
 */
import * as cockatiel from 'cockatiel';
import CircuitBreaker from 'opossum';
import PQueue from 'p-queue';
import {
  createBulkhead,
  createCircuitBreaker,
  createRetry,
  createTimeout,
  wrap,
} from '../dist/resilience.js';

const HOUR_MS = 3_600_000;
const SECOND_MS = 1_000;
const work = async () => 1;
const failing = async () => {
  throw new Error('down');
};

const repeat = (policy) => async (count) => {
  for (let i = 0; i < count; i++) await policy.execute(work);
};
const refused = (policy) => async (count) => {
  for (let i = 0; i < count; i++) {
    try {
      await policy.execute(work);
    } catch {
      // As meant.
    }
  }
};
/** opossum's word for it; what it guards is named when it is made. */
const fire = (breaker) => ({ execute: () => breaker.fire() });

const sampling = () => new cockatiel.SamplingBreaker({ threshold: 0.5, duration: 10 * SECOND_MS });
const guardedBy = (breaker) =>
  cockatiel.circuitBreaker(cockatiel.handleAll, { halfOpenAfter: HOUR_MS, breaker });

const closed = () => {
  const other = new CircuitBreaker(work, { timeout: false });
  return {
    contestants: {
      troupe: repeat(createCircuitBreaker({ window: { kind: 'count' } })),
      cockatiel: repeat(guardedBy(new cockatiel.ConsecutiveBreaker(5))),
      opossum: repeat(fire(other)),
    },
    close: () => other.shutdown(),
  };
};

const closedByDefault = () => ({
  contestants: {
    troupe: repeat(createCircuitBreaker()),
    cockatiel: repeat(guardedBy(new cockatiel.ConsecutiveBreaker(5))),
  },
});

const closedTimeWindow = () => ({
  contestants: {
    troupe: repeat(createCircuitBreaker({ window: { kind: 'time' } })),
    cockatiel: repeat(guardedBy(sampling())),
  },
});

const opened = (options) => async () => {
  const ours = createCircuitBreaker({ openMs: HOUR_MS, ...options });
  const theirs = guardedBy(new cockatiel.ConsecutiveBreaker(5));
  const other = new CircuitBreaker(failing, { timeout: false, resetTimeout: HOUR_MS });
  for (let i = 0; i < 5; i++) {
    await ours.execute(failing).catch(() => {});
    await theirs.execute(failing).catch(() => {});
    await other.fire().catch(() => {});
  }
  return {
    contestants: {
      troupe: refused(ours),
      cockatiel: refused(theirs),
      opossum: refused(fire(other)),
    },
    close: () => other.shutdown(),
  };
};

const attempts = () =>
  cockatiel.retry(cockatiel.handleAll, { maxAttempts: 3, backoff: new cockatiel.ExponentialBackoff() });
const limited = () => cockatiel.timeout(SECOND_MS, cockatiel.TimeoutStrategy.Cooperative);

const retried = () => ({
  contestants: { troupe: repeat(createRetry()), cockatiel: repeat(attempts()) },
});

const timed = () => {
  const other = new CircuitBreaker(work, { timeout: SECOND_MS });
  return {
    contestants: {
      troupe: repeat(createTimeout({ timeoutMs: SECOND_MS })),
      cockatiel: repeat(limited()),
      opossum: repeat(fire(other)),
    },
    close: () => other.shutdown(),
  };
};

const allThree = () => ({
  contestants: {
    troupe: repeat(wrap(createRetry(), createCircuitBreaker(), createTimeout({ timeoutMs: SECOND_MS }))),
    cockatiel: repeat(cockatiel.wrap(attempts(), guardedBy(new cockatiel.ConsecutiveBreaker(5)), limited())),
  },
});

const slots = () => {
  const queue = new PQueue({ concurrency: 10 });
  return {
    contestants: {
      troupe: repeat(createBulkhead()),
      cockatiel: repeat(cockatiel.bulkhead(10)),
      'p-queue': repeat({ execute: (guarded) => queue.add(guarded) }),
    },
  };
};

export const suite = [
  { case: 'breaker closed', open: closed, aims: { cockatiel: 0.55, opossum: 0.25 } },
  { case: 'breaker closed, consecutive', open: closedByDefault },
  { case: 'breaker closed, time window', open: closedTimeWindow, aims: { cockatiel: 0.6 } },
  { case: 'breaker open', open: opened({}), aims: { cockatiel: 0.1, opossum: 0.1 } },
  {
    case: 'breaker open, fresh error',
    open: opened({ refusals: 'fresh' }),
    aims: { cockatiel: 0.17, opossum: 0.17 },
  },
  { case: 'retry', open: retried },
  { case: 'timeout', open: timed },
  { case: 'retry+breaker+timeout', open: allThree, aims: { cockatiel: 0.05 } },
  { case: 'bulkhead', open: slots, aims: { cockatiel: 1 } },
];
