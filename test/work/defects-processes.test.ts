/**
 * The defects of DSPex's bridge and mocks, and of capsule's sessions, each as it was described, and what ours does instead. What a
 * message must look like is in `child-process-port.test.ts`.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { createRealHost } from '../../src/base/real-host.ts';
import { createSystem, type System } from '../../src/kernel/system.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { SimulatedProcess } from '../../src/testing/simulated-process.ts';
import { childProcess } from '../../src/work/child-process.ts';
import { pool } from '../../src/work/pool.ts';
import { encodeFrame, WIRE_LIMITS } from '../../src/work/wire.ts';
import { codeOf, fateOf, type Stage, stage } from './pool-stage.ts';
import { WatchedWorker } from './watched-worker.ts';

const ms = (afterMs: number) => ({ do: 'succeed', afterMs }) as const;
const READY = { kind: 'ready', protocol: 1, pid: 1, capabilities: [], handlers: ['count'] };

/** The port of one worker process that is not there, and what speaks for it. */
const bridge = async () => {
  const host = new SimulatedHost();
  let child: SimulatedProcess | undefined;
  host.onSpawn = (_, listeners) => {
    child = new SimulatedProcess(host, listeners, {});
    return child;
  };
  const worker = new WatchedWorker(childProcess({ command: 'worker' }), host);
  await host.settle();
  if (child === undefined) throw new Error('nothing was started');
  const spoken = child;
  const say = async (...messages: readonly object[]): Promise<void> => {
    for (const message of messages) spoken.emitStdout(encodeFrame(message, WIRE_LIMITS));
    await host.settle();
  };
  await say(READY);
  return { host, worker, child: spoken, say };
};

describe("defects of DSPex's bridge", () => {
  it('what was pending at the end was forgotten – each job is told how its worker ended, once', async () => {
    const { host, pool: handle, kind } = await stage({ size: 8, crashLoop: { crashes: 100 } });
    const jobs = Array.from({ length: 8 }, () => fateOf(handle.run('x', { do: 'hang' })));
    await host.settle();
    for (const port of kind.ports.slice()) {
      port.print('last words');
      await host.settle();
      port.exit({ code: 9 });
    }
    await host.advance(100);
    for (const { settled, error } of jobs) {
      expect([settled, error?.code, error?.outcome]).toEqual([1, 'ERR_WORKER_EXITED', 'unknown']);
      expect(error?.data).toMatchObject({ code: 9, signal: null, lastStderr: ['last words'] });
    }
  });

  it('an entry that had timed out stayed for ever – once a job was given up its id is free', async () => {
    const { worker, say } = await bridge();
    const job = { id: 1, name: 'count', args: null, remainingMs: 5 };
    worker.port.run(job);
    worker.port.cancel(1, 'timeout');
    expect(() => worker.port.run(job)).toThrow('ERR_JOB_INVALID');
    await say({ kind: 'cancelled', id: 1 });
    worker.port.run(job);
    await say({ kind: 'result', id: 1, value: 'again' });
    expect(worker.told.slice(1)).toEqual([
      ['cancelled', 1],
      ['succeeded', 1, 'again'],
    ]);
  });

  it('a late answer met whoever came next – it is counted and dropped, and the next job gets its own', async () => {
    const { worker, say } = await bridge();
    const job = { name: 'count', args: null, remainingMs: 5 };
    worker.port.run({ ...job, id: 1 });
    worker.port.cancel(1, 'timeout');
    await say({ kind: 'cancelled', id: 1 });
    worker.port.run({ ...job, id: 2 });
    await say({ kind: 'result', id: 1, value: 'late' }, { kind: 'result', id: 2, value: 'in time' });
    expect(worker.told.slice(2)).toEqual([
      ['dropped', 'result of job 1, which is not running'],
      ['succeeded', 2, 'in time'],
    ]);
  });

  it('one answer that could not be read failed them all only when more than five were pending – it always does', async () => {
    for (const pending of [1, 6]) {
      const { worker, child, host } = await bridge();
      for (let id = 1; id <= pending; id++)
        worker.port.run({ id, name: 'count', args: null, remainingMs: 5 });
      child.emitStdout(Uint8Array.of(0, 0, 0, 2, 0x7b, 0x7b));
      await host.settle();
      expect(worker.told.slice(1).map(([what]) => what)).toEqual(['broke', 'ended']);
      expect(child.signals).toEqual([{ signal: 'SIGKILL', group: true }]);
    }
  });

  it('what was printed on standard error got into the protocol – it is a line, even in the midst of a frame', async () => {
    const { worker, child, host } = await bridge();
    worker.port.run({ id: 1, name: 'count', args: null, remainingMs: 5 });
    const frame = encodeFrame({ kind: 'result', id: 1, value: 7 }, WIRE_LIMITS);
    child.emitStdout(frame.subarray(0, 9));
    child.emitStderr('Warning: noise\n', 2);
    child.emitStdout(frame.subarray(9));
    await host.settle();
    expect(worker.told.slice(1)).toEqual([
      ['stderr', 'Warning: noise'],
      ['succeeded', 1, 7],
    ]);
  });
});

describe("the scenarios of DSPex's test mode, that its mocks were never made for", () => {
  /** Twenty jobs that may be done twice, on four workers, each 50 ms. */
  const underLoad = async (): Promise<Stage & { jobs: ReturnType<typeof fateOf>[] }> => {
    const on = await stage({ size: 4, crashLoop: { crashes: 100 }, replaceBackoff: { maxMs: 100 } });
    const options = { idempotent: true, maxAttempts: 5, timeoutMs: 10_000 };
    const jobs = Array.from({ length: 20 }, () => fateOf(on.pool.run('x', ms(50), options)));
    await on.host.advance(20);
    return { ...on, jobs };
  };

  it.each([
    ['one worker is killed', async ({ kind }: Stage) => kind.live[0]?.exit({ signal: 'SIGKILL' })],
    [
      'half of them are killed',
      async ({ kind }: Stage) => kind.live.slice(0, 2).map((port) => port.exit({ signal: 'SIGKILL' })),
    ],
    [
      'one after another is killed',
      async ({ kind, host }: Stage) => {
        for (let n = 0; n < 4; n++) {
          kind.live[n % kind.live.length]?.exit({ signal: 'SIGKILL' });
          await host.advance(15);
        }
      },
    ],
    ['the channel of one is corrupt', async ({ kind }: Stage) => kind.live[0]?.breakProtocol()],
    [
      'all run out of memory',
      async ({ kind }: Stage) => kind.live.slice().map((port) => port.exit({ code: 137 })),
    ],
  ])('all 20 jobs succeed although %s', async (_, strike) => {
    const on = await underLoad();
    await strike(on);
    await on.host.advance(5_000);
    expect(on.jobs.map(({ status, settled }) => [status, settled])).toEqual(Array(20).fill(['fulfilled', 1]));
    expect(on.pool.inspect()).toMatchObject({ idle: 4, waiting: 0 });
    expect(on.pool.inspect().waits.p99Ms).toBeLessThan(2_000);
  });
});

describe("defects of capsule's sessions and pool", () => {
  it('a ready timeout deadlocked the start on its own lock – another worker is tried, and all can be stopped', async () => {
    const {
      host,
      system,
      pool: handle,
      kind,
    } = await stage({
      size: 1,
      startTimeoutMs: 1_000,
      script: { start: (n) => ({ do: n === 1 ? 'hang' : 'ready' }) },
    });
    const waiting = fateOf(handle.run('x', 1));
    await host.advance(2_000);
    expect([kind.ports[0]?.killed, waiting.status]).toEqual([true, 'fulfilled']);
    await host.runUntil(system.stop(handle));
    expect(kind.live).toEqual([]);
  });

  it('after a timeout it said ready, and answered busy – it is ready when it gave the job up, and not before', async () => {
    const { host, pool: handle, kind } = await stage({ size: 1, cancelGraceMs: 1_000 });
    // It hears that it should stop only after a while.
    const [port] = kind.ports;
    if (port === undefined) throw new Error('no worker');
    const first = fateOf(handle.run('first', { do: 'hang', ignoresCancel: true }, { timeoutMs: 50 }));
    const second = fateOf(handle.run('second', 2));
    await host.advance(500);
    expect([first.error?.code, second.status]).toEqual(['ERR_JOB_TIMEOUT', 'pending']);
    expect(handle.inspect().workers[0]?.state).toBe('busy');
    port.answer({ do: 'fail', message: 'given up' });
    await host.settle();
    expect([second.value, kind.ports.length]).toEqual([2, 1]);
    expect(port.jobs.map(({ name }) => name)).toEqual(['first', 'second']);
  });

  it('what was terminated was called ready again when its work ended – it never comes back', async () => {
    const {
      host,
      pool: handle,
      kind,
      of,
    } = await stage({
      size: 1,
      cancelGraceMs: 10,
      script: { killMs: 200 },
    });
    const [port] = kind.ports;
    const given = fateOf(handle.run('x', { do: 'hang', ignoresCancel: true }, { timeoutMs: 10 }));
    await host.advance(30);
    expect([given.error?.code, port?.killed, port?.over]).toEqual(['ERR_JOB_TIMEOUT', true, false]);
    port?.answer({ do: 'succeed' });
    await host.advance(50);
    expect(handle.inspect()).toMatchObject({ idle: 0, workers: [{ state: 'terminating' }] });
    await host.advance(1_000);
    const steps = of('pool.worker.transitioned').filter(({ worker }) => worker === 'worker-1');
    expect(steps.slice(-2).map(({ to }) => to)).toEqual(['terminating', 'terminated']);
    expect(given.settled).toBe(1);
  });

  it('recycling never reset its count, so that each release recycled again – each worker has a life of its own', async () => {
    const { host, pool: handle, kind } = await stage({ size: 1, recycle: { maxUses: 10 } });
    for (let n = 0; n < 35; n++) expect(await codeOf(host, handle.run('x', n))).toBe(n);
    expect(kind.ports.map(({ jobs }) => jobs.length)).toEqual([10, 10, 10, 5]);
  });

  it('times that were set were ignored – each holds to the millisecond', async () => {
    const options = { size: 1, jobTimeoutMs: 700, startTimeoutMs: 300, closeGraceMs: 90 };
    const never = Number.POSITIVE_INFINITY;
    const {
      host,
      pool: handle,
      kind,
      system,
    } = await stage({
      ...options,
      script: { start: (n) => ({ do: n === 1 ? 'hang' : 'ready' }), closeMs: never },
    });
    await host.advance(299);
    expect(kind.ports[0]?.killed).toBe(false);
    await host.advance(1);
    expect(kind.ports[0]?.killed).toBe(true);
    await host.runUntil(() => handle.inspect().idle === 1);
    const job = fateOf(handle.run('x', { do: 'hang' }));
    await host.advance(699);
    expect(job.status).toBe('pending');
    await host.advance(1);
    expect(job.error?.code).toBe('ERR_JOB_TIMEOUT');
    const stopped = fateOf(system.stop(handle));
    await host.advance(89);
    expect([kind.ports[1]?.killed, stopped.status]).toEqual([false, 'pending']);
    await host.advance(1);
    expect([kind.ports[1]?.killed, stopped.status]).toEqual([true, 'fulfilled']);
  });

  it('twenty at ten places: never more than ten; the third in line does not hang; what cannot start is tried again', async () => {
    const {
      host,
      pool: handle,
      kind,
    } = await stage({
      size: { min: 0, max: 10 },
      script: { start: (n) => (n % 3 === 0 ? { do: 'exit' } : { do: 'ready', afterMs: 20 }) },
      crashLoop: { crashes: 100 },
    });
    let most = 0;
    const count = (): void => {
      most = Math.max(most, kind.live.length);
    };
    const jobs = Array.from({ length: 20 }, () => fateOf(handle.run('x', ms(100))));
    const leases = Array.from({ length: 3 }, () => fateOf(handle.use(count)));
    for (let n = 0; n < 200; n++) {
      await host.advance(25);
      count();
    }
    expect([...jobs, ...leases].map(({ status }) => status)).toEqual(Array(23).fill('fulfilled'));
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(10);
  });
});

describe("capsule's standard error, on a real process", () => {
  let system: System | undefined;
  afterEach(async () => {
    await system?.shutdown({ timeoutMs: 15_000 });
  });

  it('nobody read it, so that 83 jobs wedged the worker – 120 that print 4 kB each are all answered by one', async () => {
    system = createSystem({ host: createRealHost() });
    const module = new URL('./fixtures/faulty-worker.mjs', import.meta.url);
    const handle = await system.start(
      pool('pool', { size: 1, checkoutMs: 30_000, worker: childProcess({ module }) }),
    );
    for (let n = 0; n < 120; n++)
      expect(await handle.run('floodsStderr', { bytes: 4_000 }, { timeoutMs: 30_000 })).toBe('flooded');
    expect(handle.inspect().workers).toMatchObject([{ id: 'worker-1', jobsDone: 120 }]);
  });
});
