/** How a breaker comes back: a health check finds out, and whoever comes while it is probed waits in line. */
import { createCircuitBreaker } from 'troupe/resilience';

let upstreamIsUp = false;
const breaker = createCircuitBreaker({
  name: 'search',
  window: { kind: 'consecutive', failures: 1 },
  openMs: 60_000,
  successThreshold: 2,
  halfOpenQueueLimit: 2,
  healthCheck: { check: () => upstreamIsUp, everyMs: 10 },
});
breaker.fail(new Error('ECONNREFUSED'));
console.log(breaker.inspect().state);

const halfOpen = new Promise((resolve) => breaker.on('breaker.half_opened', resolve));
upstreamIsUp = true;
// The timer of a health check keeps no process alive: this one waits for it.
const keepAlive = setInterval(() => {}, 1_000);
await halfOpen;
clearInterval(keepAlive);

const query = (n) => breaker.execute(async () => `answer ${n}`).catch(({ code }) => code);
console.log(await Promise.all([1, 2, 3, 4].map(query)));
console.log(breaker.inspect().state);
breaker.dispose();
