/**
 * A pool that changes while it works: it grows and shrinks, is resized, paused and resumed, has its workers replaced, keeps sessions
 * with their workers and serves by priority, while workers crash, hang, freeze and wear out.
 */
import type { Spec } from '../../../src/kernel/spec.ts';
import { createSystem, type System } from '../../../src/kernel/system.ts';
import { supervisor } from '../../../src/supervision/supervisor.ts';
import { faultsAt } from '../../../src/testing/faults.ts';
import {
  type ScriptedKind,
  type ScriptedPort,
  scriptedWorkers,
} from '../../../src/testing/scripted-worker.ts';
import type { Draw, Scenario, Stage } from '../../../src/testing/simulation.ts';
import type { Lease } from '../../../src/work/lease.ts';
import { type PoolHandle, pool } from '../../../src/work/pool.ts';
import type { WorkerJob } from '../../../src/work/worker-port.ts';
import { follow, leftOver, listen, type Outcome } from './ledger.ts';

const PRIORITIES = ['normal', 'critical', 'high', 'low'] as const;
const URGENCY = { critical: 0, high: 1, normal: 2, low: 3 } as const;

/** A job as its caller knows it. */
interface Asked {
  readonly number: number;
  readonly priority: (typeof PRIORITIES)[number];
  readonly session: string | undefined;
  readonly idempotent: boolean;
  /** Whether it waits in the line for any worker. */
  readonly plain: boolean;
  readonly outcome: Outcome;
  readonly abort: AbortController;
  starts: number;
}

interface Overtaking {
  readonly job: Asked;
  readonly other: Asked;
  /** Whether the other's caller has had the time to hear how it ended, if it did: some rounds of microtasks later. */
  heard: boolean;
}

export interface Changing {
  readonly system: System;
  readonly kind: ScriptedKind;
  readonly handle: PoolHandle;
  readonly strict: boolean;
  readonly ages: boolean;
  readonly asked: Asked[];
  readonly leases: Lease[];
  readonly drains: Outcome[];
  /** Where each session was last. */
  readonly sessionAt: Map<string, ScriptedPort>;
  /** Who started before whom: wrong, unless the other turns out to have been shed in that very turn. */
  overtaken: Overtaking[];
  /** As was last asked for. */
  max: number;
  /** Workers that may live at once: that many, or those that were there when it became smaller. */
  allowed: number;
}

const QUIET_MS = 40_000;
const DRAIN_MS = 2_000;
const DRAIN_SLACK_MS = 1_500;

const isAlive = ({ over, killed, closed }: ScriptedPort): boolean => !over && !killed && !closed;

const ROUNDS = 8;

const heardSoon = (overtaking: Overtaking): Overtaking => {
  const hear = async (): Promise<void> => {
    for (let round = 0; round < ROUNDS; round++) await undefined;
    overtaking.heard = true;
  };
  void hear();
  return overtaking;
};

const judgeOrder = ({ asked, ages, overtaken }: Changing, job: Asked, stage: Stage): void => {
  if (!job.plain || job.starts > 1) return;
  for (const other of asked) {
    if (!other.plain || other.starts > 0 || other.outcome.status !== 'pending' || other === job) continue;
    if (other.priority === job.priority && other.number < job.number)
      overtaken.push(heardSoon({ job, other, heard: false }));
    if (!ages && URGENCY[other.priority] < URGENCY[job.priority])
      stage.violated('the more urgent goes first', `job ${job.number} before ${other.number}`);
  }
};

const judgeSession = (world: Changing, job: Asked, port: ScriptedPort, stage: Stage): void => {
  if (job.session === undefined) return;
  const last = world.sessionAt.get(job.session);
  if (last === port) stage.reached('a session was with its worker again');
  else if (last !== undefined && isAlive(last)) {
    if (world.strict) stage.violated('a session keeps to its worker', `${job.session} on ${port.id}`);
    stage.reached('a hint was passed over');
    return;
  }
  world.sessionAt.set(job.session, port);
};

const judgeStart = (world: Changing, port: ScriptedPort, { args }: WorkerJob, stage: Stage): void => {
  if (port.running !== undefined) stage.violated('one job a worker', `${port.id} was given another`);
  const { workers, paused } = world.handle.inspect();
  const worker = workers.find(({ id }) => port.id === `${world.handle.path}/${id}`);
  if (worker?.state !== 'busy' || worker.health !== 'healthy')
    stage.violated('only the sound get work', `${port.id} is ${worker?.state}, ${worker?.health}`);
  const job = world.asked[(args as { readonly number: number }).number];
  if (job === undefined) return;
  job.starts += 1;
  if (job.starts > (job.idempotent ? 2 : 1))
    stage.violated('run once unless idempotent', `job ${job.number} was started ${job.starts} times`);
  if (job.outcome.status !== 'pending')
    stage.violated('settled jobs do not start', `job ${job.number} is ${job.outcome.status}`);
  if (paused && job.plain) stage.violated('a pause holds back what waits', `job ${job.number} was started`);
  judgeOrder(world, job, stage);
  judgeSession(world, job, port, stage);
};

const setUp = async (stage: Stage): Promise<Changing> => {
  const system = createSystem({ host: stage.host });
  const cell: { world?: Changing } = {};
  const kind = scriptedWorkers({
    job: (job, port) => {
      if (cell.world !== undefined) judgeStart(cell.world, port, job, stage);
      return { do: 'succeed', afterMs: [0, 5, 40, 300][stage.choose(4, 'job time')] ?? 0 };
    },
  });
  const mode = (['strict_queue', 'hint', 'strict_fail_fast'] as const)[stage.option(3)] ?? 'strict_queue';
  const agingMs = [Number.POSITIVE_INFINITY, 50][stage.option(2)] ?? 50;
  const max = 1 + stage.option(4);
  const spec: Spec<PoolHandle> = pool('pool', {
    worker: kind,
    size: { min: stage.option(max + 1), max },
    start: stage.option(2) === 0 ? 'eager' : 'lazy',
    startsAtOnce: 1 + stage.option(2),
    scaling: { growAfterMs: 20, idleMs: 300, shrinkEveryMs: 100 },
    agingMs,
    shedding: { targetMs: [Number.POSITIVE_INFINITY, 30][stage.option(2)] ?? 30, intervalMs: 20 },
    affinity: { mode, ttlMs: Number.POSITIVE_INFINITY },
    recycle: {
      maxUses: [Number.POSITIVE_INFINITY, 3][stage.option(2)] ?? 3,
      maxAgeMs: [Number.POSITIVE_INFINITY, 2_000][stage.option(2)] ?? 2_000,
    },
    checkEveryMs: [60_000, 200][stage.option(2)] ?? 200,
    leaseLeakMs: 1_000,
    jobTimeoutMs: 800,
    startTimeoutMs: 500,
    cancelGraceMs: 50,
    closeGraceMs: 50,
    pingEveryMs: 1_000,
    lookEveryMs: 5_000,
    pingTimeoutMs: 100,
    pingMisses: 2,
    shutdownMs: 3_000,
    crashLoop: { crashes: 6 },
    replaceBackoff: { baseMs: 20, maxMs: 500 },
  });
  listen(system, stage, {
    'pool.grown': () => stage.reached('grown'),
    'pool.shrunk': () => stage.reached('shrunk'),
    'pool.session.rebound': () => stage.reached('a session was rebound'),
    'pool.job.shed': () => stage.reached('shed'),
    'pool.replacement.ended': ({ error }) => stage.reached(error === undefined ? 'replaced' : 'not replaced'),
    'pool.worker.transitioned': ({ to, reason }) => {
      if (to === 'degraded') stage.reached('degraded worker');
      if (reason === 'max_uses' || reason === 'max_age') stage.reached('worn out');
    },
  });
  await system.start(supervisor('root', { children: [spec], backoff: false, giveUp: 'never' }));
  cell.world = {
    system,
    kind,
    handle: system.get(spec),
    strict: mode !== 'hint',
    ages: agingMs < Number.POSITIVE_INFINITY,
    asked: [],
    leases: [],
    drains: [],
    sessionAt: new Map(),
    overtaken: [],
    max,
    allowed: max,
  };
  return cell.world;
};

const ask = (world: Changing, draw: Draw, stage: Stage): void => {
  const priority = PRIORITIES[draw(4)] ?? 'normal';
  const session = [undefined, 'a', 'b'][draw(3)];
  const idempotent = draw(2) === 1;
  const abort = new AbortController();
  const number = world.asked.length;
  const outcome: Outcome = { status: 'pending' };
  const plain = session === undefined;
  const job: Asked = { number, priority, session, idempotent, plain, outcome, abort, starts: 0 };
  world.asked.push(job);
  const options = {
    priority,
    idempotent,
    signal: abort.signal,
    ...(session === undefined ? {} : { session }),
  };
  world.handle.run('job', { number }, options).then(
    (value) => Object.assign(outcome, { status: 'fulfilled', value }),
    (error: NonNullable<Outcome['error']>) => {
      Object.assign(outcome, { status: 'rejected', error });
      if (error.code === 'ERR_POOL_SESSION_BUSY') stage.reached('a session was busy');
      if (error.outcome === 'not_started' && job.starts > 0 && error.code !== 'ERR_JOB_INVALID')
        stage.violated('what is said not to have started has not', `job ${number}: ${error.code}`);
    },
  );
};

const accounted = ({ handle }: Changing): string | undefined => {
  const { counts, waiting, workers } = handle.inspect();
  const { accepted, refused: _refused, retried: _retried, ...endings } = counts;
  const ended = Object.values(endings).reduce((sum, count) => sum + count, 0);
  const running = workers.filter(({ job }) => job !== undefined).length;
  if (accepted >= ended + waiting && accepted <= ended + waiting + running) return undefined;
  return `accepted ${accepted}, ended ${ended}, waiting ${waiting}, running ${running}`;
};

const drain = (world: Changing, stage: Stage): void => {
  const began = stage.host.monotonic();
  world.drains.push(
    follow(world.handle.drain({ timeoutMs: DRAIN_MS }), ({ status }) => {
      if (status !== 'fulfilled') return;
      stage.reached('drained');
      const took = stage.host.monotonic() - began;
      if (took > DRAIN_MS + DRAIN_SLACK_MS) stage.violated('a drain ends in time', `after ${took} ms`);
      if (world.handle.inspect().waiting > 0) stage.violated('a drain leaves nothing waiting', 'it does');
    }),
  );
};

const among = <T>(all: readonly T[], draw: Draw): T | undefined => all[draw(Math.max(1, all.length))];

export const poolSizes: Scenario<Changing> = {
  name: 'pool sizes',
  setUp,
  faults: { points: faultsAt('worker.start', 'worker.job', 'worker.close', 'worker.kill', 'timer.late') },
  maxCommands: 24,
  weights: { run: 9, killWorker: 2, lease: 2 },
  commands: {
    run: (world, draw, stage) => ask(world, draw, stage),
    burst: (world, draw, stage) => {
      for (let count = 2 + draw(4); count > 0; count--) ask(world, draw, stage);
    },
    lease: ({ handle, leases }, draw, stage) => {
      const session = [undefined, 'a'][draw(2)];
      const options = { timeoutMs: 500, holdMs: 2_000, ...(session === undefined ? {} : { session }) };
      follow(
        handle.lease(options).then((lease) => {
          if (stage.healing) lease.release();
          else leases.push(lease);
        }),
      );
    },
    release: ({ leases }, draw) => leases.splice(draw(Math.max(1, leases.length)), 1)[0]?.release(),
    abort: ({ asked }, draw) => among(asked, draw)?.abort.abort(new Error('changed my mind')),
    killWorker: ({ kind }, draw) => among(kind.live, draw)?.exit({ signal: 'SIGSEGV' }),
    freezeWorker: ({ kind }, draw) => among(kind.live, draw)?.freeze(),
    pause: ({ handle }, _draw, stage) => {
      if (handle.inspect().state === 'absent') return;
      handle.pause();
      stage.reached('paused');
    },
    resume: ({ handle }) => {
      if (handle.inspect().state !== 'absent') handle.resume();
    },
    resize: (world, draw, stage) => {
      const { handle, kind } = world;
      if (handle.inspect().state === 'absent') return;
      const max = 1 + draw(4);
      handle.resize({ min: draw(max + 1), max });
      world.max = max;
      world.allowed = Math.max(max, kind.live.length);
      stage.reached('resized');
    },
    replace: ({ handle }) => void follow(handle.replaceWorkers({ timeoutMs: 3_000 })),
    each: ({ handle }) => void follow(handle.runOnEach('each', { number: -1 })),
    drain: (world, draw, stage) => {
      if (draw(5) === 0) drain(world, stage);
    },
  },
  leans: [
    { commands: { burst: 3, run: 2 }, paces: ['at_once', 1, 7], faults: {} },
    { commands: { run: 4, replace: 2 }, paces: [7, 45, 2_500], faults: { 'worker.start': 1 } },
    { commands: { run: 4, killWorker: 1, resize: 1 }, paces: [1, 45, 300], faults: {} },
  ],
  always: {
    'never more workers than there may be': (world) => {
      const { length } = world.kind.live;
      if (length > world.allowed) return `${length} of ${world.allowed}`;
      // What was too many is gone, and does not come again.
      world.allowed = Math.max(world.max, length);
      return undefined;
    },
    'what was let in is accounted for': accounted,
    'first in, first served within a priority': (world) => {
      const wrong = world.overtaken.find(({ other, heard }) => heard && other.outcome.status === 'pending');
      world.overtaken = world.overtaken.filter(({ heard }) => !heard);
      return wrong && `job ${wrong.job.number} before ${wrong.other.number}`;
    },
  },
  sometimes: [
    'grown',
    'shrunk',
    'resized',
    'paused',
    'replaced',
    'not replaced',
    'a session was with its worker again',
    'a session was rebound',
    'a session was busy',
    'a hint was passed over',
    'shed',
    'worn out',
    'degraded worker',
    'drained',
  ],
  heal: async (world, stage) => {
    const { system, asked, leases, handle, kind } = world;
    for (const lease of leases) lease.release();
    for (const port of kind.live) port.frozen = false;
    const rest = (ms: number) => new Promise<void>((resolve) => stage.host.timer(ms, 'rest', resolve));
    if (handle.inspect().state !== 'absent') handle.resume();
    await rest(QUIET_MS);
    const pending = asked.filter(({ outcome }) => outcome.status === 'pending');
    if (pending.length > 0)
      stage.violated('every job settles', pending.map(({ number }) => `job ${number}`).join());
    if (world.drains.length === 0) {
      const again: Outcome[] = [];
      for (let round = 0; round < 8 && again.every(({ status }) => status !== 'fulfilled'); round++) {
        again.push(follow(handle.run('job', { number: -1 })));
        await rest(2_000);
      }
      if (again.every(({ status }) => status !== 'fulfilled'))
        stage.violated('liveness', `it takes no job any more: ${again.at(-1)?.error?.code}`);
      const { workers, wanted } = handle.inspect();
      if (workers.length !== wanted)
        stage.violated('there are as many as are wanted', `${workers.length} of ${wanted}`);
    }
    await system.shutdown();
    await rest(1_000);
    if (world.drains.some(({ status }) => status === 'pending'))
      stage.violated('every drain settles', 'one does not');
  },
  converged: {
    'no worker lives': ({ kind }) => (kind.live.length === 0 ? undefined : `${kind.live.length} do`),
    'nothing is left': ({ system }, stage) => leftOver(system, stage),
  },
};
