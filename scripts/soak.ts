/**
 * `npm run -s soak -- --jobs N --users N --json`: many users, many jobs, over workers in Node and in Python, one of which is killed by its
 * job every 500 jobs. Ends with one line of what was found; exits with 1 where a job was lost or answered wrongly, the heap grew, a
 * process was left behind, or a descriptor was.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { exit } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { isTroupeError } from '../src/base/errors.ts';
import { createRealHost } from '../src/base/real-host.ts';
import { createSystem } from '../src/kernel/system.ts';
import { childProcess } from '../src/work/child-process.ts';
import { type PoolHandle, pool } from '../src/work/pool.ts';
import { argumentsOf, wholeNumber } from './arguments.ts';

/** Every so many jobs one kills its worker. */
const CRASH_EVERY = 500;
const WORKERS = 4;
const SAMPLES = 60;
/** The part of the samples that counts: before that caches fill and code is compiled. */
const STEADY_PART = 2 / 3;
/** What the heap may grow by over the steady part, bytes: the size of what is compiled late. A leak of 20 bytes a job is more. */
const HEAP_ALLOWANCE = 1_048_576;
/** How long what was ended may take to be gone, ms. */
const GONE_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 50;
const WRONGS_SHOWN = 5;

const options = argumentsOf('soak', {
  jobs: { type: 'string' },
  users: { type: 'string' },
  json: { type: 'boolean' },
});

const JOBS = 100_000;
const USERS = 60;
const jobs = wholeNumber('soak', 'jobs', { value: options.jobs ?? JOBS, min: 1 });
const users = wholeNumber('soak', 'users', { value: options.users ?? USERS, min: 1 });

const collect = globalThis.gc;
if (collect === undefined) {
  console.error('soak: it measures the heap; run it with --expose-gc, as npm run soak does');
  exit(2);
}

const openPool = async (pids: Set<number>) => {
  const system = createSystem({ host: createRealHost() });
  system.events.on('pool.worker.started', ({ pid }) => void (pid !== undefined && pids.add(pid)));
  const worker = ['worker.mjs', 'worker.py'].map((name) =>
    childProcess({ module: new URL(`./soak-workers/${name}`, import.meta.url) }),
  );
  const handle = await system.start(
    pool('soak', {
      worker,
      size: WORKERS,
      checkoutMs: 60_000,
      jobTimeoutMs: 120_000,
      replaceBackoff: { baseMs: 10, maxMs: 100 },
    }),
  );
  await handle.ready({ workers: WORKERS, timeoutMs: 60_000 });
  return { system, handle };
};

interface Tally {
  answered: number;
  died: number;
  readonly wrong: string[];
}

interface Sample {
  readonly jobs: number;
  readonly bytes: number;
}

/** One job, and whether it came to what it had to. */
const perform = async (handle: PoolHandle, number: number, tally: Tally): Promise<void> => {
  const dies = number % CRASH_EVERY === 0;
  try {
    const answer = await handle.run<{ number: number; text: string }>(dies ? 'die' : 'answer', { number });
    if (!dies && answer.number === number && answer.text.length === number % 100) tally.answered += 1;
    else tally.wrong.push(`job ${number} was answered ${JSON.stringify(answer)}`);
  } catch (error) {
    if (dies && isTroupeError(error, 'ERR_WORKER_EXITED')) tally.died += 1;
    else tally.wrong.push(`job ${number}: ${String(error)}`);
  }
};

/** All jobs, by so many users at once, each with one job at a time. */
const soak = async (handle: PoolHandle, jobs: number, users: number) => {
  const tally: Tally = { answered: 0, died: 0, wrong: [] };
  const samples: Sample[] = [];
  const every = Math.max(1, Math.floor(jobs / SAMPLES));
  let brought = 0;
  let settled = 0;
  const use = async (): Promise<void> => {
    while (brought < jobs) {
      brought += 1;
      await perform(handle, brought, tally);
      settled += 1;
      if (settled % every !== 0) continue;
      collect?.();
      samples.push({ jobs: settled, bytes: process.memoryUsage().heapUsed });
    }
  };
  await Promise.all(Array.from({ length: users }, use));
  return { tally, samples, brought, settled };
};

/** Bytes a job: the slope of the line that lies closest to the samples, by least squares. */
const slopeOf = (samples: readonly Sample[]): number => {
  const mean = (of: (sample: Sample) => number): number =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
  const [x, y] = [mean(({ jobs }) => jobs), mean(({ bytes }) => bytes)];
  const spread = samples.reduce((sum, { jobs }) => sum + (jobs - x) ** 2, 0);
  if (spread === 0) return 0;
  return samples.reduce((sum, { jobs, bytes }) => sum + (jobs - x) * (bytes - y), 0) / spread;
};

const descriptors = (): number => readdirSync('/proc/self/fd').length;

/** Of these processes and the groups they led, what runs. */
const leftOf = (pids: ReadonlySet<number>): readonly number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const status = readFileSync(`/proc/${pid}/stat`, 'latin1');
        // The state and the group follow the name, which may itself hold brackets and spaces (proc(5)).
        const [state, , group] = status.slice(status.lastIndexOf(')') + 2).split(' ');
        return state !== 'Z' && (pids.has(pid) || pids.has(Number(group)));
      } catch {
        return false;
      }
    });

const waitUntil = async (isSo: () => boolean): Promise<void> => {
  const until = performance.now() + GONE_WITHIN_MS;
  while (!isSo() && performance.now() < until) await sleep(LOOK_EVERY_MS);
};

const main = async (): Promise<never> => {
  const pids = new Set<number>();
  // What the first pool leaves open, such as what the OS is asked through, is not what jobs leave open.
  const first = await openPool(pids);
  await first.handle.run('answer', { number: 1 });
  await first.system.shutdown();
  await waitUntil(() => leftOf(pids).length === 0);
  const descriptorsBefore = descriptors();

  const { system, handle } = await openPool(pids);
  const startedAt = performance.now();
  const { tally, samples, brought, settled } = await soak(handle, jobs, users);
  const seconds = (performance.now() - startedAt) / 1_000;
  const { accepted, refused, retried, ...endings } = handle.inspect().counts;
  const ended = Object.values(endings).reduce((sum, count) => sum + count, 0);
  await system.shutdown();
  await waitUntil(() => leftOf(pids).length === 0 && descriptors() <= descriptorsBefore);

  const steady = samples.slice(Math.floor(samples.length * (1 - STEADY_PART)));
  const bytesPerJob = slopeOf(steady);
  const span = (steady.at(-1)?.jobs ?? 0) - (steady[0]?.jobs ?? 0);
  const orphans = leftOf(pids);
  const descriptorsGrown = descriptors() - descriptorsBefore;
  const { answered, died, wrong } = tally;
  const flaws = [
    ...wrong.slice(0, WRONGS_SHOWN),
    ...(brought === settled && accepted === ended && accepted === brought
      ? []
      : [`${brought} were brought, ${accepted} accepted, ${refused} refused, ${ended} settled`]),
    ...(answered + died === brought
      ? []
      : [`of ${brought} only ${answered + died} came to what they had to`]),
    ...(bytesPerJob * span <= HEAP_ALLOWANCE
      ? []
      : [`the heap grew by ${bytesPerJob.toFixed(1)} bytes a job`]),
    ...(orphans.length === 0 ? [] : [`still running: ${orphans.join(', ')}`]),
    ...(descriptorsGrown <= 0 ? [] : [`${descriptorsGrown} descriptors were left open`]),
  ];
  const found = {
    ok: flaws.length === 0,
    jobs,
    users,
    answered,
    died,
    retried,
    workers: pids.size,
    seconds: Number(seconds.toFixed(1)),
    heapBytesPerJob: Number(bytesPerJob.toFixed(2)),
    orphans: orphans.length,
    descriptorsGrown,
    flaws,
  };
  if (options.json) console.log(JSON.stringify(found));
  else console.log(found);
  return exit(found.ok ? 0 : 1);
};

await main();
