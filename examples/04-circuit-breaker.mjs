/** A breaker alone, without a tree: it trips, refuses cheaply, probes, and closes again. */
import { setTimeout } from 'node:timers/promises';
import { createCircuitBreaker, isTroupeError } from 'troupe';

const breaker = createCircuitBreaker({
  name: 'tax',
  window: { kind: 'consecutive', failures: 3 },
  openMs: 50,
});
let upstreamIsUp = false;
const ask = async () => {
  if (!upstreamIsUp) throw new Error('ECONNREFUSED');
  return 0.2;
};
const taxRate = () =>
  breaker
    .execute(ask)
    .catch((error) => (isTroupeError(error, 'ERR_BREAKER_OPEN') ? 'last known rate' : error.message));

for (let i = 0; i < 4; i++) console.log(await taxRate());
upstreamIsUp = true;
await setTimeout(60);
console.log(await taxRate(), breaker.inspect().state);
breaker.dispose();
