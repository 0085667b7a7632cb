/** Pools of real processes and threads under real faults: afterwards the pool serves, and nothing is left behind. */
import { readdirSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { afterEach, describe, expect, it } from 'vitest';
import { createRealHost } from '../../src/base/real-host.ts';
import { createSystem, type System } from '../../src/kernel/system.ts';
import { type ChildProcessOptions, childProcess } from '../../src/work/child-process.ts';
import { type PoolHandle, pool } from '../../src/work/pool.ts';
import type { PoolOptions } from '../../src/work/pool-options.ts';
import { thread } from '../../src/work/thread.ts';
import { transfer } from '../../src/work/transfer.ts';
import { gone, runs, WatchedWorker } from './watched-worker.ts';

/** CI does more; what leaks one descriptor a cycle shows in few. */
const CYCLES = Number(process.env['TROUPE_CYCLES'] ?? 30);
const module = new URL('./fixtures/faulty-worker.mjs', import.meta.url);
const processes = (options: ChildProcessOptions = {}) => childProcess({ module, ...options });

interface Stage {
  readonly system: System;
  readonly pool: PoolHandle;
  readonly pids: Set<number>;
  readonly lines: string[];
}

const stages: Stage[] = [];

const open = async (options: Partial<PoolOptions> & Pick<PoolOptions, 'worker'>): Promise<Stage> => {
  const system = createSystem({ host: createRealHost() });
  const pids = new Set<number>();
  const lines: string[] = [];
  system.events.on('pool.worker.started', ({ pid }) => void (pid !== undefined && pids.add(pid)));
  system.events.on('pool.worker.stderr', ({ line }) => void lines.push(line));
  const handle = await system.start(
    pool('pool', { size: 1, checkoutMs: 15_000, replaceBackoff: { maxMs: 100 }, ...options }),
  );
  const stage = { system, pool: handle, pids, lines };
  stages.push(stage);
  // A short deadline shall not be spent on the worker's start.
  await handle.run('echo');
  return stage;
};

/** It serves, with as many workers as it should have. */
const healthy = async ({ pool: handle }: Stage): Promise<void> => {
  expect(await handle.run('echo', 'well')).toBe('well');
  expect(handle.inspect().workers).toHaveLength(1);
};

/** Numbers of processes that belong to a group. */
const membersOf = (group: number): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => groupOf(pid) === group && runs(pid));

const groupOf = (pid: number): number | undefined => {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(status.slice(status.lastIndexOf(')') + 2).split(' ')[2]);
  } catch {
    return undefined;
  }
};

afterEach(async () => {
  for (const { system, pids } of stages.splice(0)) {
    await system.shutdown({ timeoutMs: 15_000 });
    for (const pid of pids) {
      await gone(pid);
      for (const member of membersOf(pid)) await gone(member);
    }
  }
});

const fateOf = (promise: Promise<unknown>): Promise<{ value?: unknown; code?: string; data?: object }> =>
  promise.then(
    (value) => ({ value }),
    (error) => error,
  );

describe('a process in a pool', () => {
  it.each([
    { job: 'killed', code: 'ERR_WORKER_EXITED', data: { signal: 'SIGKILL' } },
    { job: 'segfault', code: 'ERR_WORKER_EXITED', data: { signal: 'SIGSEGV' } },
    { job: 'exits', code: 'ERR_WORKER_EXITED', data: { code: 7 } },
    { job: 'throws', code: 'ERR_WORKER_EXITED', data: { code: 1 } },
    { job: 'exitsMidFrame', code: 'ERR_WORKER_EXITED', data: { code: 7 } },
    { job: 'garbage', code: 'ERR_WORKER_PROTOCOL', data: {} },
    { job: 'oversize', code: 'ERR_WORKER_PROTOCOL', data: {} },
    { job: 'fourGibibytes', code: 'ERR_WORKER_PROTOCOL', data: {} },
    { job: 'ignoresTerm', code: 'ERR_JOB_TIMEOUT', data: {}, timeoutMs: 300 },
    { job: 'stopped', code: 'ERR_WORKER_EXITED', data: { signal: 'SIGKILL' } },
  ])('that $job costs its job and is replaced', async ({ job, code, data, timeoutMs = 20_000 }) => {
    const stage = await open({ worker: processes(), cancelGraceMs: 50, pingEveryMs: 100 });
    const before = process.memoryUsage().arrayBuffers;
    expect(await fateOf(stage.pool.run(job, {}, { timeoutMs }))).toMatchObject({ code, data });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1_048_576);
    await healthy(stage);
  });

  it('that sends a frame byte by byte is not waited for', async () => {
    const stage = await open({ worker: processes({ frameTimeoutMs: 300 }) });
    const fate = await fateOf(stage.pool.run('trickle', {}, { timeoutMs: 20_000 }));
    expect(fate).toMatchObject({
      code: 'ERR_WORKER_PROTOCOL',
      data: { why: expect.stringContaining('300 ms') },
    });
    await healthy(stage);
  });

  it.each(['floodsStdout', 'floodsStderr'])('that %s neither blocks nor is remembered', async (job) => {
    const stage = await open({ worker: processes() });
    expect(await stage.pool.run(job, { bytes: 2_000_000 })).toBe('flooded');
    const [worker] = stage.pool.inspect().workers;
    expect(worker?.jobsDone).toBe(2);
    await healthy(stage);
  });

  it('that crashes takes with it what it had started', async () => {
    const stage = await open({ worker: processes() });
    expect(await fateOf(stage.pool.run('leavesGrandchild'))).toMatchObject({ data: { code: 7 } });
    const [told] = stage.lines.filter((line) => line.includes('grandchild'));
    const pid = Number(/grandchild (\d+)/.exec(told ?? '')?.[1]);
    expect(pid).toBeGreaterThan(1);
    await gone(pid);
    await healthy(stage);
  });

  it('that grows beyond its limit is killed, and the report says why', async () => {
    const stage = await open({ worker: processes({ killAtBytes: 300 * 1_048_576, memoryEveryMs: 20 }) });
    const fate = await fateOf(stage.pool.run('leaks', {}, { timeoutMs: 20_000 }));
    const lastStderr = expect.arrayContaining([expect.stringMatching(/killed: it held \d+ bytes/)]);
    expect(fate).toMatchObject({ code: 'ERR_WORKER_EXITED', data: { signal: 'SIGKILL', lastStderr } });
    await healthy(stage);
  });

  it('tells once that it has outgrown its use, and goes on', async () => {
    const kind = processes({ recycleAtBytes: 1_048_576, memoryEveryMs: 10 });
    const worker = new WatchedWorker(kind, createRealHost());
    await worker.until('ready');
    const [, bytes] = await worker.until('outgrown');
    expect(bytes).toBeGreaterThan(1_048_576);
    expect(await worker.answer(worker.start('echo', 1))).toBe(1);
    worker.port.kill();
    await worker.end();
    expect(worker.all('outgrown')).toHaveLength(1);
  });
});

describe('a thread in a pool', () => {
  it.each([
    { job: 'exits', code: 'ERR_WORKER_EXITED', data: { code: 7 } },
    {
      job: 'throws',
      code: 'ERR_WORKER_EXITED',
      data: { code: 1, lastStderr: expect.arrayContaining(['Error: out of a callback']) },
    },
    { job: 'posts', code: 'ERR_WORKER_PROTOCOL', data: {} },
    { job: 'hog', code: 'ERR_JOB_TIMEOUT', data: {}, timeoutMs: 200 },
  ])('that $job costs its job and is replaced', async ({ job, code, data, timeoutMs = 20_000 }) => {
    const stage = await open({ worker: thread({ module }), cancelGraceMs: 50 });
    expect(await fateOf(stage.pool.run(job, {}, { timeoutMs }))).toMatchObject({ code, data });
    await healthy(stage);
  });

  it('that runs out of memory ends alone', async () => {
    const resourceLimits = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4 };
    const stage = await open({ worker: thread({ module, resourceLimits }) });
    const fate = await fateOf(stage.pool.run('leaksObjects', {}, { timeoutMs: 20_000 }));
    const lastStderr = expect.arrayContaining([expect.stringContaining('memory limit')]);
    const how = expect.stringMatching(/^exit code 1, out of memory/);
    expect(fate).toMatchObject({ code: 'ERR_WORKER_EXITED', data: { lastStderr, how, outOfMemory: true } });
    await healthy(stage);
  });

  it('that computes sees that it was cancelled, and is used again', async () => {
    const stage = await open({ worker: thread({ module }), cancelGraceMs: 10_000 });
    const fate = await fateOf(stage.pool.run('hogsUntilCancelled', {}, { timeoutMs: 100 }));
    expect(fate).toMatchObject({ code: 'ERR_JOB_TIMEOUT' });
    await healthy(stage);
    expect(stage.pool.inspect().workers[0]?.id).toBe('worker-1');
  });

  it.each(['floodsStdout', 'floodsStderr'])('that %s neither blocks nor is remembered', async (job) => {
    const stage = await open({ worker: thread({ module }) });
    expect(await stage.pool.run(job, { bytes: 500_000 })).toBe('flooded');
    await healthy(stage);
  });

  it('is given memory instead of a copy where that is asked for', async () => {
    const stage = await open({ worker: thread({ module }) });
    const numbers = new Float64Array([1, 2, 3]);
    expect(await stage.pool.run('sum', transfer(numbers))).toBe(6);
    expect(numbers.length).toBe(0);
    const refusal = await fateOf(stage.pool.run('echo', { inner: () => 1 }));
    expect(refusal).toMatchObject({ code: 'ERR_JOB_INVALID' });
    await healthy(stage);
  });

  it('sees of the environment only what is allowed', async () => {
    process.env['TROUPE_TEST_SECRET'] = 'hunter2';
    try {
      const stage = await open({ worker: thread({ module, env: { GIVEN: '1' }, argv: ['--flag'] }) });
      expect(await stage.pool.run('environment')).toEqual({ given: '1', argv: ['--flag'] });
    } finally {
      delete process.env['TROUPE_TEST_SECRET'];
    }
  });

  it('whose module fails is tried as often as the policy says, and no more', async () => {
    const system = createSystem({ host: createRealHost() });
    const degraded = new Promise((resolve) => system.events.on('pool.degraded', resolve));
    let attempts = 0;
    system.events.on('pool.worker.ended', () => {
      attempts += 1;
    });
    const failing = thread({ module: new URL('./fixtures/failing-worker.mjs', import.meta.url) });
    const backoff = { baseMs: 20, maxMs: 20 };
    await system.start(pool('pool', { worker: failing, size: 1, replaceBackoff: backoff }));
    await degraded;
    expect(attempts).toBe(5);
    await system.shutdown();
  });
});

describe(`${CYCLES} workers that come and go`, () => {
  it.each([
    { what: 'processes', kind: childProcess({ command: 'true' }), cycles: CYCLES },
    { what: 'threads', kind: thread({ handlers: { nothing: () => 1 } }), cycles: Math.ceil(CYCLES / 10) },
  ])('leave no descriptor of $what open', { timeout: 120_000 }, async ({ kind, cycles }) => {
    const host = createRealHost();
    const cycle = async (): Promise<void> => {
      const worker = new WatchedWorker(kind, host);
      worker.port.close();
      await worker.end();
    };
    await cycle();
    await new Promise(setImmediate);
    const before = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < cycles; i++) await cycle();
    await new Promise(setImmediate);
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
  });
});
