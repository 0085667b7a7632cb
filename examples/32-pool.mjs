// A pool that grows, keeps sessions, serves by priority, streams, and replaces workers without losing a job.
import { createSystem, inProcess, pool } from 'troupe';

let made = 0;
const worker = inProcess({
  create: () => ({ number: ++made, visits: 0 }),
  handlers: {
    visit: (_, { resource }) => ({ by: resource.number, visits: ++resource.visits }),
    slow: (name) => new Promise((resolve) => setTimeout(resolve, 20, name)),
    count: function* (to) {
      for (let n = 1; n <= to; n++) yield n;
    },
  },
});

const system = createSystem();
const desk = await system.start(
  pool('desk', {
    worker,
    size: { min: 1, max: 4 },
    scaling: { growAfterMs: 5 },
    affinity: { mode: 'strict_queue' },
  }),
);
await desk.ready();

// Ten at once: whoever waits longer than 5 ms brings another worker.
const order = [];
const note = (name) => order.push(name);
await Promise.all([
  ...Array.from({ length: 9 }, (_, n) => desk.run('slow', `job ${n}`).then(note)),
  desk.run('slow', 'the urgent one', { priority: 'critical' }).then(note),
]);
const early = order.indexOf('the urgent one') < 5;
console.log('grown to', desk.inspect().wanted, 'workers; the urgent one was early:', early);

// A session stays with its worker.
for (let n = 0; n < 3; n++) await desk.run('visit', undefined, { session: 'ann' });
const { visits } = await desk.run('visit', undefined, { session: 'ann' });
console.log('ann has visited the same worker', visits, 'times');

// A result that comes in parts.
const parts = [];
for await (const part of desk.stream('count', 5)) parts.push(part);
console.log('streamed', parts.join(' '));

// New workers, and every job is done.
const running = Promise.all(Array.from({ length: 20 }, () => desk.run('slow')));
await desk.replaceWorkers();
await running;
const { counts } = desk.inspect();
console.log('replaced; accepted', counts.accepted, 'succeeded', counts.succeeded);

await system.shutdown();
