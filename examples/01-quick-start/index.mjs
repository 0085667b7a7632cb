import { application, childProcess, circuitBreaker, pool, supervisor } from 'troupe';

const prices = circuitBreaker('prices', { openMs: 5_000 });
const documents = pool('documents', {
  size: 2,
  worker: childProcess({ module: new URL('./worker.mjs', import.meta.url) }),
});

const app = await application(supervisor('shop', { children: [prices, documents] })).start();

const price = await app.get(prices).execute(async () => ({ sku: 'tea', pence: 250 }));
const words = await app.get(documents).run('count', 'to be or not to be', { timeoutMs: 5_000 });

console.log({ price, words });
console.log(app.drawTree());
await app.stop();
