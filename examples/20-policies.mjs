/** Several policies as one: each call is bounded, retried, limited and guarded, and there is always an answer. */
import {
  createBulkhead,
  createCircuitBreaker,
  createFallback,
  createRetry,
  createTimeout,
  wrap,
} from 'troupe/resilience';

const breaker = createCircuitBreaker({ name: 'prices', window: { kind: 'consecutive', failures: 4 } });
const prices = wrap(
  createFallback({ value: 'the price of yesterday' }),
  createTimeout({ timeoutMs: 1_000 }), // the whole call
  createRetry({ maxAttempts: 3, backoff: { baseMs: 5 } }),
  createBulkhead({ limit: 10 }),
  breaker,
  createTimeout({ timeoutMs: 100 }), // each attempt
);
prices.on('retry.scheduled', ({ attempt }) => console.log(`attempt ${attempt} failed`));
prices.on('breaker.opened', ({ failures }) => console.log(`open after ${failures} failures`));

let failures = 1;
const ask = async () => {
  if (failures-- > 0) throw new Error('503');
  return 'the price of today';
};
console.log(await prices.execute(ask));
failures = Number.POSITIVE_INFINITY;
console.log(await prices.execute(ask));
console.log(await prices.execute(ask));
