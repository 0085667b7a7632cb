/**
 * What a lease and a job cost that go through a pool: in this process a lease beside generic-pool and tarn, which lend, and a job beside
 * p-queue, which runs; a job with few and many waiting beside all of them; in a
 * thread beside piscina, tinypool and workerpool; and in a worker process beside a bare pipe with the same framing. The job
 * does nothing.
 *
 * `queue 10000 of queue 100` is what a job costs among the many, in percent of what it costs among the few, the young generation
 * collected before each: a long line costs what the collector does with those who wait, and the rivals' pays that as well.
 *
 * Four workers, as is troupe's default, and four of what the others pool. `queue 10000` raises troupe's `queueLimit`, which is
 * 1,000 by default; the others' queues have no limit.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import genericPool from 'generic-pool';
import PQueue from 'p-queue';
import Piscina from 'piscina';
import { Pool as Tarn } from 'tarn';
import Tinypool from 'tinypool';
import workerpool from 'workerpool';
import { childProcess, createSystem, inProcess, pool, thread } from '../dist/index.js';

const SIZE = 4;
/** Two isolates have to get warm where a job crosses to another, and each sees only its own half. */
const BOTH_WARM_MS = 2_500;
const noop = () => 1;
const fileOf = (name) => fileURLToPath(new URL(`./workers/${name}`, import.meta.url));

const repeat = (job) => async (count) => {
  for (let i = 0; i < count; i++) await job();
};

/** So many at once, again and again. */
const atOnce = (width, job) => async (count) => {
  for (let left = count; left > 0; left -= width)
    await Promise.all(Array.from({ length: Math.min(width, left) }, job));
};

/** All that pool things in this process, each with the way it runs one job. */
const pools = async () => {
  const system = createSystem();
  const worker = inProcess({ handlers: { noop } });
  const ours = await system.start(pool('jobs', { worker, size: SIZE, queueLimit: 20_000 }));
  const generic = genericPool.createPool(
    { create: async () => ({}), destroy: async () => {} },
    { min: SIZE, max: SIZE },
  );
  const tarn = new Tarn({ create: async () => ({}), destroy: () => {}, min: SIZE, max: SIZE });
  const queue = new PQueue({ concurrency: SIZE });
  return {
    lease: async () => {
      const lease = await ours.lease();
      const value = noop();
      lease.release();
      return value;
    },
    jobs: {
      troupe: () => ours.run('noop'),
      'generic-pool': async () => {
        const one = await generic.acquire();
        const value = noop();
        await generic.release(one);
        return value;
      },
      tarn: async () => {
        const one = await tarn.acquire().promise;
        const value = noop();
        tarn.release(one);
        return value;
      },
      'p-queue': () => queue.add(noop),
    },
    close: async () => {
      await system.shutdown();
      await generic.drain();
      await generic.clear();
      await tarn.destroy();
    },
  };
};

const inThisProcess = (run) => async () => {
  const { jobs, close } = await pools();
  return {
    contestants: Object.fromEntries(Object.entries(jobs).map(([name, job]) => [name, run(job)])),
    close,
  };
};

/** What a job costs among 10,000 at once, in percent of what it costs among 100. */
const growth = (job) => {
  const timed = async (width) => {
    globalThis.gc?.({ type: 'minor' });
    const began = process.hrtime.bigint();
    await atOnce(width, job)(10_000);
    return Number(process.hrtime.bigint() - began);
  };
  return async () => {
    const few = await timed(100);
    return (100 * (await timed(10_000))) / few;
  };
};

/** A tarn of 10,000 is left out: it takes most of a second. */
const growing = async () => {
  const { jobs, close } = await pools();
  const { tarn: _, ...others } = jobs;
  const contestants = Object.fromEntries(Object.entries(others).map(([name, job]) => [name, growth(job)]));
  return { contestants, close };
};

/** A loan beside a loan: what is lent, the caller uses himself. */
const loans = async () => {
  const { lease, jobs, close } = await pools();
  const { 'generic-pool': generic, tarn } = jobs;
  const contestants = { troupe: repeat(lease), 'generic-pool': repeat(generic), tarn: repeat(tarn) };
  return { contestants, close };
};

/** So many threads each, all warm; jobs go to whichever is free. */
const inThreads = (size, run) => async () => {
  const system = createSystem();
  const worker = thread({ module: fileOf('pool-worker.mjs') });
  const ours = await system.start(pool('threads', { worker, size }));
  const filename = fileOf('thread-task.mjs');
  const piscina = new Piscina({ filename, minThreads: size, maxThreads: size });
  const tinypool = new Tinypool({ filename, minThreads: size, maxThreads: size });
  const others = workerpool.pool(fileOf('workerpool-task.mjs'), {
    workerType: 'thread',
    minWorkers: size,
    maxWorkers: size,
  });
  const jobs = {
    troupe: () => ours.run('noop'),
    piscina: () => piscina.run(),
    tinypool: () => tinypool.run(),
    workerpool: () => others.exec('noop'),
  };
  return {
    contestants: Object.fromEntries(Object.entries(jobs).map(([name, job]) => [name, run(job)])),
    close: async () => {
      await Promise.all([piscina.destroy(), tinypool.destroy(), others.terminate()]);
      await system.shutdown();
    },
  };
};

/**
 * One process, spoken to in the same frames by the plainest code that can. It leads a group, as a worker does: where the system shares
 * its CPUs among sessions, that alone decides how soon a busy machine wakes it.
 */
const barePipe = () => {
  const child = spawn(process.execPath, [fileOf('pipe-worker.mjs')], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  const waiting = new Map();
  let pending = Buffer.alloc(0);
  let lastId = 0;
  child.stdout.on('data', (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    while (pending.length >= 4) {
      const end = 4 + pending.readUInt32BE(0);
      if (pending.length < end) return;
      const { id, value } = JSON.parse(pending.toString('utf8', 4, end));
      pending = pending.subarray(end);
      waiting.get(id)(value);
      waiting.delete(id);
    }
  });
  return {
    run: () =>
      new Promise((resolve) => {
        lastId += 1;
        waiting.set(lastId, resolve);
        const json = JSON.stringify({ type: 'job', id: lastId, name: 'noop' });
        const frame = Buffer.allocUnsafe(4 + Buffer.byteLength(json));
        frame.writeUInt32BE(frame.length - 4, 0);
        frame.write(json, 4);
        child.stdin.write(frame);
      }),
    close: () => child.kill(),
  };
};

const inAnotherProcess = async () => {
  const system = createSystem();
  const worker = childProcess({ module: fileOf('pool-worker.mjs') });
  const ours = await system.start(pool('processes', { worker, size: 1 }));
  const pipe = barePipe();
  return {
    contestants: { troupe: repeat(() => ours.run('noop')), pipe: repeat(pipe.run) },
    close: async () => {
      pipe.close();
      await system.shutdown();
    },
  };
};

export const suite = [
  { case: 'in-process', per: 'lease', open: loans, aims: { 'generic-pool': 1 } },
  { case: 'in-process, run', per: 'job', open: inThisProcess(repeat) },
  { case: 'queue 100', per: 'job', open: inThisProcess((job) => atOnce(100, job)) },
  { case: 'queue 10000', per: 'job', open: inThisProcess((job) => atOnce(10_000, job)), count: 10_000 },
  {
    case: 'queue 10000 of queue 100',
    per: 'job',
    unit: '%',
    open: growing,
    count: 1,
    rounds: 41,
    limit: 100,
  },
  {
    case: 'thread sequential',
    per: 'job',
    open: inThreads(1, repeat),
    aims: { piscina: 0.7 },
    warmMs: BOTH_WARM_MS,
  },
  {
    case: 'thread 64 in flight',
    per: 'job',
    open: inThreads(2, (job) => atOnce(64, job)),
    aims: { piscina: 0.7 },
    warmMs: BOTH_WARM_MS,
  },
  { case: 'process', per: 'job', open: inAnotherProcess, aims: { pipe: 1.2 }, warmMs: BOTH_WARM_MS },
];
