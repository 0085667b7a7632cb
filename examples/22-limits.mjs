/** Three limits: how many at once, how many in a period, and who goes first when there is too much. */
import { createBulkhead, createLoadShedding, createRateLimit } from 'troupe/resilience';

const work = () => new Promise((resolve) => setTimeout(resolve, 5, 'done'));
const outcomes = async (calls) =>
  (await Promise.allSettled(calls)).map(({ reason, value }) => reason?.code ?? value);

const bulkhead = createBulkhead({ limit: 1, queueLimit: 1 });
console.log(await outcomes([1, 2, 3].map(() => bulkhead.execute(work))));

const rate = createRateLimit({ rate: 100, periodMs: 1_000, burst: 1 });
await Promise.all([1, 2, 3].map(() => rate.acquire()));
console.log(`${rate.inspect().waits} of 3 waited`);

const shedding = createLoadShedding({ capacity: 2 });
console.log(
  await outcomes(
    ['low', 'low', 'critical', 'critical'].map((priority) => shedding.execute(work, { priority })),
  ),
);
