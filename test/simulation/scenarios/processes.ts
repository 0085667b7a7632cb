/**
 * A pool over worker processes that speak the real protocol: the pool's own code down to the frames, on simulated processes that
 * cannot be started, exit early or in the middle of a frame, hang, ignore SIGTERM, talk garbage, and lose what they printed.
 */
import { createSystem, type System } from '../../../src/kernel/system.ts';
import { supervisor } from '../../../src/supervision/supervisor.ts';
import { faultsAt } from '../../../src/testing/faults.ts';
import { type ProcessScript, SimulatedProcess } from '../../../src/testing/simulated-process.ts';
import type { Scenario, Stage } from '../../../src/testing/simulation.ts';
import { childProcess } from '../../../src/work/child-process.ts';
import { type PoolHandle, pool } from '../../../src/work/pool.ts';
import { encodeFrame, FrameDecoder } from '../../../src/work/wire.ts';
import { follow, leftOver, listen, type Outcome } from './ledger.ts';

export interface Works {
  readonly system: System;
  readonly handle: PoolHandle;
  readonly processes: SimulatedProcess[];
  readonly asked: Outcome[];
  /** How often each job was begun by any worker. */
  readonly begun: Map<number, number>;
}

const LIMITS = { maxFrameBytes: 1_000_000, maxDepth: 100 };
const SIZE = 2;
const QUIET_MS = 60_000;

interface Parental {
  readonly kind: string;
  readonly id: number;
  readonly args: { readonly number: number };
}

/** A worker as the SDKs make them: it answers each job with its number. */
const workerScript = (world: { is?: Works }, stage: Stage): ProcessScript => {
  const decoders = new WeakMap<SimulatedProcess, FrameDecoder>();
  const answer = (child: SimulatedProcess, { kind, id, args }: Parental): void => {
    const say = (message: object): void => child.emitStdout(encodeFrame(message, LIMITS));
    if (kind === 'hello')
      say({ kind: 'ready', protocol: 1, pid: child.pid ?? 0, capabilities: [], handlers: ['job'] });
    else if (kind === 'ping') say({ kind: 'pong', id });
    else if (kind === 'cancel') say({ kind: 'cancelled', id });
    else if (kind === 'shutdown') child.exit(0);
    else if (kind === 'run') {
      const times = (world.is?.begun.get(args.number) ?? 0) + 1;
      world.is?.begun.set(args.number, times);
      if (times > 1) stage.violated('run once unless idempotent', `job ${args.number}`);
      const afterMs = [0, 5, 90][stage.choose(3, 'job time')] ?? 0;
      stage.host.timer(afterMs, 'job', () => say({ kind: 'result', id, value: args.number }));
    }
  };
  return {
    onInput: (bytes, child) => {
      const decoder =
        decoders.get(child) ?? new FrameDecoder(LIMITS, (message) => answer(child, message as never));
      decoders.set(child, decoder);
      decoder.push(bytes);
    },
  };
};

const setUp = async (stage: Stage): Promise<Works> => {
  const { host } = stage;
  const system = createSystem({ host });
  const world: { is?: Works } = {};
  const processes: SimulatedProcess[] = [];
  const script = workerScript(world, stage);
  host.onSpawn = (_spec, listeners) => {
    const child = new SimulatedProcess(host, listeners, script);
    processes.push(child);
    return child;
  };
  listen(system, stage, {
    'pool.worker.ended': ({ how }) => stage.reached(`ended: ${how}`),
    'pool.degraded': () => stage.reached('crash loop'),
  });
  const spec = pool('pool', {
    worker: childProcess({ command: 'worker', maxFrameBytes: LIMITS.maxFrameBytes }),
    size: SIZE,
    jobTimeoutMs: 700,
    startTimeoutMs: 300,
    cancelGraceMs: 40,
    closeGraceMs: 40,
    pingTimeoutMs: 200,
    pingEveryMs: 2_500,
    // Rarely, so that a quiet minute costs few instants.
    lookEveryMs: 2_500,
    replaceBackoff: { baseMs: 20, maxMs: 300 },
    shutdownMs: 3_000,
  });
  const asked: Outcome[] = [];
  await system.start(supervisor('root', { children: [spec], backoff: false, giveUp: 'never' }));
  world.is = { system, handle: system.get(spec), processes, asked, begun: new Map() };
  return world.is;
};

const alive = ({ processes }: Works) =>
  processes.filter(({ end, pid }) => end === undefined && pid !== undefined);

export const processWorkers: Scenario<Works> = {
  name: 'processes',
  setUp,
  faults: {
    points: faultsAt(
      'process.spawn',
      'process.start',
      'process.output',
      'process.signal',
      'process.exit',
      'timer.late',
      'host.stall',
    ),
  },
  maxCommands: 16,
  weights: { run: 6 },
  commands: {
    run: ({ handle, asked }, draw, stage) => {
      const number = asked.length;
      const abort = new AbortController();
      const promise = handle.run('job', { number }, { signal: abort.signal });
      asked.push(
        follow(promise, ({ status, value, error }) => {
          stage.reached(error?.code ?? 'answered');
          if (status === 'fulfilled' && value !== number)
            stage.violated('the answer is to the job', `${number}: ${value}`);
        }),
      );
      if (draw(5) === 4) stage.host.timer(20, 'abort', () => abort.abort(new Error('enough')));
    },
    signal: (world, draw) => {
      const child = alive(world)[draw(SIZE)];
      if (draw(2) === 0) child?.die();
      else child?.kill('SIGSTOP');
    },
    killPool: ({ system, handle }, draw) => {
      if (draw(3) === 0) system.exit(handle, 'kill');
    },
  },
  leans: [
    { commands: { run: 1 }, paces: ['settled', 7, 45], faults: { 'process.output': 3 } },
    { commands: { run: 1 }, paces: [300, 2_500], faults: { 'process.output': 3 } },
    { commands: { run: 6, signal: 1 }, paces: [1, 7, 300], faults: { 'process.signal': 2 } },
    { commands: { run: 6, killPool: 1 }, faults: { 'process.start': 3, 'process.exit': 2 } },
  ],
  always: {
    'no process is left to itself': (world) => {
      const kept = alive(world).filter(({ signals }) => !signals.some(({ signal }) => signal === 'SIGKILL'));
      return kept.length > SIZE ? `${kept.length} live` : undefined;
    },
  },
  sometimes: ['answered', 'ERR_WORKER_EXITED', 'ERR_WORKER_PROTOCOL', 'ERR_JOB_TIMEOUT', 'ERR_JOB_ABORTED'],
  heal: async (world, stage) => {
    const { system, handle, asked } = world;
    const rest = (ms: number) => new Promise<void>((resolve) => stage.host.timer(ms, 'rest', resolve));
    await rest(QUIET_MS);
    if (asked.some(({ status }) => status === 'pending')) stage.violated('every job settles', 'one does not');
    const again: Outcome[] = [];
    for (let round = 0; round < 8 && again.every(({ status }) => status !== 'fulfilled'); round++) {
      again.push(follow(handle.run('job', { number: -1 - round })));
      await rest(2_000);
    }
    if (again.every(({ status }) => status !== 'fulfilled'))
      stage.violated('liveness', `it takes no job any more: ${again.at(-1)?.error?.code}`);
    await system.shutdown();
    await rest(2_000);
  },
  converged: {
    'no process lives': (world) => (alive(world).length === 0 ? undefined : `${alive(world).length} do`),
    'nothing is left': ({ system }, stage) => leftOver(system, stage),
  },
};
