/**
 * What a pool costs a job: in this process beside generic-pool (where that is installed), with a queue behind it, and over
 * a real worker process. Interleaved rounds in one process, medians.
 * Run with `npm run bench -- pool`; `node bench/pool.bench.mjs --json` prints one object a line.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { childProcess, createSystem, inProcess, pool } from '../dist/index.js';

const ROUNDS = 41;
const CALLS = 5_000;

const system = createSystem();
const jobs = await system.start(
  pool('jobs', { worker: inProcess({ handlers: { noop: () => 1 } }), queueLimit: 20_000 }),
);

// Beside this file, so that the worker finds the package by its own name.
const folder = mkdtempSync(join(dirname(fileURLToPath(import.meta.url)), '.pool-'));
const module = join(folder, 'worker.mjs');
writeFileSync(module, "import { serveWorker } from 'troupe/worker';\nserveWorker({ noop: () => 1 });\n");
const processes = await system.start(pool('processes', { worker: childProcess({ module }), size: 1 }));
await Promise.all([jobs.run('noop'), processes.run('noop')]);

const queued = async (count) => {
  for (let done = 0; done < CALLS; done += count)
    await Promise.all(Array.from({ length: count }, () => jobs.run('noop')));
};

const cases = {
  'in-process lease + release': async () => {
    for (let i = 0; i < CALLS; i++) {
      const lease = await jobs.lease();
      lease.release();
    }
  },
  'in-process': async () => {
    for (let i = 0; i < CALLS; i++) await jobs.run('noop');
  },
  'in-process with timeoutMs': async () => {
    for (let i = 0; i < CALLS; i++) await jobs.run('noop', undefined, { timeoutMs: 1_000 });
  },
  'queue 100': () => queued(100),
  'queue 5000': () => queued(5_000),
  process: async () => {
    for (let i = 0; i < CALLS / 10; i++) await processes.run('noop');
  },
};

const generic = await import('generic-pool').catch(() => undefined);
if (generic !== undefined) {
  const factory = { create: async () => ({}), destroy: async () => {} };
  const other = generic.default.createPool(factory, { min: 4, max: 4 });
  cases['generic-pool acquire + release'] = async () => {
    for (let i = 0; i < CALLS; i++) other.release(await other.acquire());
  };
  cases['generic-pool use'] = async () => {
    for (let i = 0; i < CALLS; i++) await other.use(async () => 1);
  };
}

const times = Object.fromEntries(Object.keys(cases).map((name) => [name, []]));
for (let round = -5; round < ROUNDS; round++) {
  for (const [name, run] of Object.entries(cases)) {
    const began = performance.now();
    await run();
    const calls = name === 'process' ? CALLS / 10 : CALLS;
    if (round >= 0) times[name].push(((performance.now() - began) * 1e6) / calls);
    // The loop is let go, as a service would.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

for (const [name, values] of Object.entries(times)) {
  const ns = Math.round(values.sort((a, b) => a - b)[values.length >> 1]);
  if (process.argv.includes('--json')) console.log(JSON.stringify({ suite: 'pool', case: name, ns }));
  else console.log(`${name.padEnd(32)} ${String(ns).padStart(8)} ns`);
}
await system.shutdown();
rmSync(folder, { recursive: true });
process.exit(0);
