/** A pool of real OS processes under real faults: killed, stopped, talking garbage, poisoned. */
import process from 'node:process';
import { afterEach, describe, expect, it } from 'vitest';
import { createRealHost } from '../../src/base/real-host.ts';
import type { EventType, TroupeEvent } from '../../src/base/telemetry.ts';
import { createSystem, type System } from '../../src/kernel/system.ts';
import { childProcess } from '../../src/work/child-process.ts';
import { type PoolHandle, pool } from '../../src/work/pool.ts';
import type { PoolOptions } from '../../src/work/pool-options.ts';
import { requires } from '../requirements.ts';
import { gone } from './watched-worker.ts';

/** Generous: the machines that run this are slow and shared. */
const PATIENCE_MS = 15_000;
const python = requires('python3');
const node = childProcess({ module: new URL('./fixtures/pool-worker.mjs', import.meta.url) });
const interpreted = childProcess({ module: new URL('./fixtures/pool_worker.py', import.meta.url) });

interface Stage {
  readonly system: System;
  readonly pool: PoolHandle;
  readonly pids: Set<number>;
  /** The next event of a type that fits. */
  next<T extends EventType>(
    type: T,
    fits?: (event: Extract<TroupeEvent, { type: T }>) => boolean,
  ): Promise<Extract<TroupeEvent, { type: T }>>;
  full(): Promise<void>;
}

const stages: Stage[] = [];

const open = async (options: Partial<PoolOptions> & Pick<PoolOptions, 'worker'>): Promise<Stage> => {
  const system = createSystem({ host: createRealHost() });
  const pids = new Set<number>();
  system.events.on('pool.worker.started', ({ pid }) => void (pid !== undefined && pids.add(pid)));
  const handle = await system.start(
    pool('pool', { size: 2, checkoutMs: 10_000, replaceBackoff: { maxMs: 200 }, ...options }),
  );
  const next: Stage['next'] = (type, fits = () => true) =>
    new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no ${type} in time`)), PATIENCE_MS);
      const stop = system.events.on(type, (event) => {
        if (!fits(event)) return;
        clearTimeout(late);
        stop();
        resolve(event);
      });
    });
  const size = typeof options.size === 'number' ? options.size : 2;
  const stage: Stage = {
    system,
    pool: handle,
    pids,
    next,
    full: async () => {
      while (handle.inspect().idle < size) await next('pool.worker.transitioned', ({ to }) => to === 'ready');
    },
  };
  stages.push(stage);
  await stage.full();
  return stage;
};

const fateOf = (promise: Promise<unknown>): Promise<{ value?: unknown; code?: string; outcome?: string }> =>
  promise.then(
    (value) => ({ value }),
    (error) => error,
  );

/** The OS process that a job was given to. */
const taken = async (stage: Stage): Promise<number> => {
  const { worker } = await stage.next('pool.job.started');
  const { pid } = stage.pool.inspect().workers.find(({ id }) => id === worker) ?? {};
  if (pid === undefined) throw new Error('the worker has no pid');
  return pid;
};

afterEach(async () => {
  for (const { system, pids } of stages.splice(0)) {
    await system.shutdown({ timeoutMs: PATIENCE_MS });
    for (const pid of pids) await gone(pid);
  }
});

describe.each([
  { language: 'node', worker: node, skip: false },
  { language: 'python', worker: interpreted, skip: python.skip },
])('a pool of workers in $language', ({ worker, skip }) => {
  const it_ = it.skipIf(skip);

  it_('replaces a worker killed under a job, which succeeds by one retry', async () => {
    const stage = await open({ worker });
    const started = taken(stage);
    const fate = fateOf(stage.pool.run('slow', { ms: 300 }, { idempotent: true }));
    const pid = await started;
    const replaced = stage.next('pool.worker.started', (event) => event.pid !== pid);
    process.kill(pid, 'SIGKILL');
    const { value } = await fate;
    expect(typeof value).toBe('number');
    expect(value).not.toBe(pid);
    await replaced;
    await stage.full();
    await gone(pid);
    expect(stage.pool.inspect().counts).toMatchObject({ accepted: 1, succeeded: 1, retried: 1 });
  });

  it_(
    'settles the job of a stopped worker by its deadline, kills that worker at once and replaces it',
    async () => {
      const stage = await open({ worker, cancelGraceMs: 60_000, lookEveryMs: 60_000 });
      const started = taken(stage);
      const ended = stage.next('pool.worker.ended');
      const fate = fateOf(stage.pool.run('slow', { ms: 200 }, { timeoutMs: 700 }));
      const pid = await started;
      process.kill(pid, 'SIGSTOP');
      expect(await fate).toMatchObject({ code: 'ERR_JOB_TIMEOUT', outcome: 'unknown' });
      expect(await ended).toMatchObject({ pid, how: 'signal SIGKILL, killed: stopped' });
      await gone(pid);
      await stage.full();
    },
  );

  it_('tries the idempotent job of a stopped worker on another one long before its deadline', async () => {
    const stage = await open({ worker, pingEveryMs: 200 });
    const started = taken(stage);
    const ended = stage.next('pool.worker.ended');
    const fate = fateOf(stage.pool.run('slow', { ms: 200 }, { idempotent: true, timeoutMs: 600_000 }));
    const pid = await started;
    process.kill(pid, 'SIGSTOP');
    expect(await ended).toMatchObject({ pid, how: 'signal SIGKILL, killed: stopped' });
    const { value } = await fate;
    expect(typeof value).toBe('number');
    expect(value).not.toBe(pid);
    await gone(pid);
  });

  it_('uses a worker again that gave up its job when asked to', async () => {
    const stage = await open({ worker, size: 1 });
    const before = [...stage.pids];
    const controller = new AbortController();
    const started = taken(stage);
    const fate = fateOf(stage.pool.run('slow', { ms: 60_000 }, { signal: controller.signal }));
    await started;
    controller.abort();
    expect(await fate).toMatchObject({ code: 'ERR_JOB_ABORTED' });
    expect(await stage.pool.run('echo', 1)).toBe(1);
    expect([...stage.pids]).toEqual(before);
  });
});

describe('a pool of OS processes', () => {
  const worker = node;

  it('says how a worker ended under a job that may not be run twice', async () => {
    const stage = await open({ worker });
    const started = taken(stage);
    const fate = fateOf(stage.pool.run('slow', { ms: 60_000 }));
    process.kill(await started, 'SIGKILL');
    expect(await fate).toMatchObject({
      code: 'ERR_WORKER_EXITED',
      outcome: 'unknown',
      data: { signal: 'SIGKILL', job: 'slow' },
    });
    await stage.full();
  });

  it('kills and replaces an idle worker that was stopped', async () => {
    const stage = await open({ worker, pingEveryMs: 100, pingTimeoutMs: 300, pingMisses: 2 });
    const [{ pid } = { pid: undefined }] = stage.pool.inspect().workers;
    if (pid === undefined) throw new Error('the worker has no pid');
    const ended = stage.next('pool.worker.ended', (event) => event.pid === pid);
    process.kill(pid, 'SIGSTOP');
    expect((await ended).how).toBe('signal SIGKILL, killed: health_check_failed');
    await gone(pid);
    await stage.full();
  });

  it('kills and replaces a worker that talks garbage', async () => {
    const stage = await open({ worker });
    expect(await fateOf(stage.pool.run('garbage'))).toMatchObject({
      code: 'ERR_WORKER_PROTOCOL',
      outcome: 'unknown',
    });
    await stage.full();
    expect(await stage.pool.run('echo', 1)).toBe(1);
  });

  it('lets a poison job crash two workers and no third', async () => {
    const stage = await open({ worker });
    let crashes = 0;
    stage.system.events.on('pool.worker.ended', () => {
      crashes += 1;
    });
    expect(await fateOf(stage.pool.run('poison', {}, { idempotent: true }))).toMatchObject({
      code: 'ERR_WORKER_EXITED',
      data: { signal: 'SIGABRT' },
    });
    await stage.full();
    expect(crashes).toBe(2);
    expect(await stage.pool.run('echo', 1)).toBe(1);
  });

  it('kills a worker that does not, and replaces it', async () => {
    const stage = await open({ worker, size: 1, cancelGraceMs: 100 });
    expect(await fateOf(stage.pool.run('deaf', {}, { timeoutMs: 200 }))).toMatchObject({
      code: 'ERR_JOB_TIMEOUT',
    });
    expect(await stage.pool.run('echo', 1)).toBe(1);
    expect(stage.pids.size).toBe(2);
  });

  it('finishes its jobs before it stops', async () => {
    const stage = await open({ worker });
    const fates = [1, 2, 3, 4].map(() => fateOf(stage.pool.run('slow', { ms: 50 })));
    await stage.system.shutdown({ timeoutMs: PATIENCE_MS });
    for (const fate of fates) expect(typeof (await fate).value).toBe('number');
  });
});

describe('a pool of both', () => {
  it.skipIf(python.skip)('serves with both, side by side', async () => {
    const stage = await open({ worker: [node, interpreted], size: 4 });
    const pids = await Promise.all([1, 2, 3, 4].map(() => stage.pool.run('slow', { ms: 100 })));
    expect(new Set(pids)).toEqual(stage.pids);
    expect(new Set(stage.pool.inspect().workers.map(({ kind }) => kind))).toEqual(
      new Set(['node', 'python']),
    );
  });
});

describe('a command that does not exist', () => {
  it('degrades the pool, which tries again ever more rarely', async () => {
    const system = createSystem({ host: createRealHost() });
    const degraded = new Promise((resolve) => system.events.on('pool.degraded', resolve));
    let attempts = 0;
    system.events.on('pool.worker.ended', () => {
      attempts += 1;
    });
    const handle = await system.start(
      pool('pool', { worker: childProcess({ command: 'no-such-command-at-all' }), size: 1 }),
    );
    const fate = fateOf(handle.run('x'));
    await degraded;
    expect(await fate).toMatchObject({ code: 'ERR_POOL_DEGRADED', outcome: 'not_started' });
    expect(attempts).toBe(5);
    await system.shutdown();
  });
});
