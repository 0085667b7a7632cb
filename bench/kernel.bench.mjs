/**
 * What the kernel costs: a message, a call, a spawn, a restart, a stop, and the bytes of an idle actor.
 * Usage: node --expose-gc bench/kernel.bench.mjs   (after npm run build)
 */
import { actor, createSystem, dynamicSupervisor, server, supervisor } from '../dist/index.js';

const BOOM = new Error('boom');
const logic = server({
  init: () => ({ n: 0 }),
  call: { get: (state) => state.n },
  cast: {
    add: (state) => {
      state.n += 1;
    },
    crash: () => {
      throw BOOM;
    },
  },
});
const counter = (id) => actor(id, logic, { mailboxCapacity: 10_000_000 });

const nanoseconds = async (count, run) => {
  const began = process.hrtime.bigint();
  await run(count);
  return Number(process.hrtime.bigint() - began) / count;
};
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const rounds = async (count, run) => {
  await run(Math.min(count, 1_000));
  const figures = [];
  for (let i = 0; i < 7; i++) figures.push(await nanoseconds(count, run));
  return median(figures);
};
const ADD = { type: 'add' };
const GET = { type: 'get' };

const figures = {};
const system = createSystem();
const handle = await system.start(counter('counter'));

figures['tell'] = await rounds(200_000, async (count) => {
  for (let i = 0; i < count; i++) handle.tell(ADD);
  await handle.call(GET, { timeoutMs: 60_000 });
});
figures['call'] = await rounds(50_000, async (count) => {
  for (let i = 0; i < count; i++) await handle.call(GET);
});

const spawned = async (count) => {
  const own = createSystem();
  const room = await own.start(dynamicSupervisor('room'));
  const before = process.memoryUsage().heapUsed;
  const began = process.hrtime.bigint();
  for (let i = 0; i < count; i++) await room.startChild(counter(`a${i}`));
  const spawn = Number(process.hrtime.bigint() - began) / count;
  globalThis.gc?.();
  const bytes = (process.memoryUsage().heapUsed - before) / count;
  const stopBegan = process.hrtime.bigint();
  await own.shutdown();
  const stopMs = Number(process.hrtime.bigint() - stopBegan) / 1e6;
  return { spawn, bytes, stopMs };
};
await spawned(2_000);
for (const count of [1_000, 10_000, 100_000]) {
  globalThis.gc?.();
  const { spawn, bytes, stopMs } = await spawned(count);
  figures[`spawn ${count}`] = spawn;
  figures[`bytes of ${count}`] = bytes;
  figures[`stop ${count}, ms`] = stopMs;
}

const fragile = counter('fragile');
const own = createSystem();
await own.start(supervisor('root', { children: [fragile], backoff: false, intensity: 10_000_000 }));
const target = own.get(fragile);
figures['crash → restarted'] = await rounds(5_000, async (count) => {
  for (let i = 0; i < count; i++) {
    target.tell({ type: 'crash' });
    await target.call(GET, { whenDown: 'wait' }).catch(() => undefined);
  }
});

for (const [name, value] of Object.entries(figures)) console.log(`${name.padEnd(24)} ${value.toFixed(1)}`);
await system.shutdown();
await own.shutdown();
