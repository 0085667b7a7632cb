/** A bus in a tree: a subscriber that hangs keeps nobody waiting, and what cannot leave the service is kept and sent again. */
import { mkdtemp, rm } from 'node:fs/promises';
import { application, createOutbox, createRetry, eventBus, openDeadLetters, supervisor } from 'troupe';

const news = eventBus('news', { timeoutMs: 50, maxHanging: 1 });
const app = await application(supervisor('shop', { children: [news] })).start();
const bus = app.get(news);
const directory = await mkdtemp('/tmp/letters-');
const deadLetters = await openDeadLetters({ directory });
const policy = createRetry({ maxAttempts: 2, backoff: { baseMs: 1, maxMs: 1 } });
const broker = { down: true };
const send = async ({ payload }) => {
  if (broker.down) throw new Error('no route');
  console.log('sent', payload);
};
const outbox = createOutbox(bus, 'order.*', { deadLetters, policy, send });

bus.subscribe('order.paid', (order) => console.log('booked', order));
bus.subscribe('order.**', () => new Promise(() => {}), { name: 'hangs' });
for (const order of [1, 2, 3]) bus.publish('order.paid', order);
await bus.idle({ timeoutMs: 1_000 });
console.log(
  bus
    .inspect()
    .subscriptions.map(({ name }) => name)
    .join(),
  '· the one that hung is gone',
);
console.log('kept:', deadLetters.list().length);
broker.down = false;
console.log('replayed:', (await outbox.replay()).delivered);
await outbox.close();
await deadLetters.close();
await app.stop();
await rm(directory, { recursive: true });
