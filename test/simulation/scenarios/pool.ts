/**
 * A pool alone: jobs and leases against workers that crash, hang, freeze, talk garbage, start badly and end late, with aborts,
 * drains, kills of the pool itself, and its stop.
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

/** A job as its caller knows it. */
interface Asked {
  readonly number: number;
  readonly idempotent: boolean;
  readonly leased: boolean;
  readonly outcome: Outcome;
  readonly abort: AbortController;
  readonly deadline: number;
  starts: number;
}

export interface Busy {
  readonly system: System;
  readonly kind: ScriptedKind;
  readonly handle: PoolHandle;
  readonly size: number;
  readonly asked: Asked[];
  readonly leases: Lease[];
  readonly drains: Outcome[];
  /** Jobs that started, by number, in order. */
  latestStart: number;
  poolCrashed: boolean;
}

const QUIET_MS = 60_000;
const DRAIN_MS = 2_000;
/** Cancelling, closing and killing after a drain's time is over, with lateness of timers. */
const DRAIN_SLACK_MS = 1_500;
const ATTEMPTS = 3;
/** How late a settlement may be: a cancel's grace, a kill, late timers, a stall. */
const LATE_MS = 1_000;

const judgeStart = (world: Busy, port: ScriptedPort, job: WorkerJob, stage: Stage): void => {
  if (port.running !== undefined) stage.violated('one job a worker', `${port.id} was given ${job.id} on top`);
  const asked = world.asked[(job.args as { readonly number: number }).number];
  if (asked === undefined) return;
  asked.starts += 1;
  if (asked.starts > 1) stage.reached('a job was tried again');
  if (asked.starts > (asked.idempotent ? ATTEMPTS : 1))
    stage.violated('run once unless idempotent', `job ${asked.number} was started ${asked.starts} times`);
  if (asked.outcome.status !== 'pending')
    stage.violated('settled jobs do not start', `job ${asked.number} is ${asked.outcome.status}`);
  if (asked.leased || asked.starts > 1) return;
  if (asked.number < world.latestStart)
    stage.violated('first in, first served', `job ${asked.number} after ${world.latestStart}`);
  world.latestStart = asked.number;
};

const setUp = async (stage: Stage): Promise<Busy> => {
  const system = createSystem({ host: stage.host });
  const size = 1 + stage.option(3);
  const cell: { world?: Busy } = {};
  const kind = scriptedWorkers({
    job: (job, port) => {
      if (cell.world !== undefined) judgeStart(cell.world, port, job, stage);
      const afterMs = [0, 3, 30, 400][stage.choose(4, 'job time')] ?? 0;
      return { do: 'succeed', afterMs };
    },
  });
  const spec: Spec<PoolHandle> = pool('pool', {
    worker: kind,
    size,
    queueLimit: [1_000, 2, 0][stage.option(3)] ?? 1_000,
    checkoutMs: [5_000, 60][stage.option(2)] ?? 5_000,
    jobTimeoutMs: 800,
    startTimeoutMs: 500,
    cancelGraceMs: 50,
    closeGraceMs: 50,
    pingEveryMs: 2_500,
    // Rarely, so that a quiet minute costs few instants.
    lookEveryMs: 2_500,
    pingTimeoutMs: 300,
    pingMisses: 2,
    shutdownMs: 3_000,
    retry: { maxAttempts: ATTEMPTS },
    crashLoop: { crashes: 3 + stage.option(3) },
    replaceBackoff: { baseMs: 20, maxMs: 500 },
  });
  const root = supervisor('root', { children: [spec], backoff: false, giveUp: 'never' });
  listen(system, stage, {
    'pool.degraded': () => stage.reached('crash loop'),
    'pool.restored': () => stage.reached('restored'),
    'pool.reply.dropped': () => stage.reached('a reply was dropped'),
    'pool.worker.transitioned': ({ to }) => {
      if (to === 'degraded') stage.reached('degraded worker');
    },
  });
  await system.start(root);
  const handle = system.get(spec);
  cell.world = {
    system,
    kind,
    handle,
    size,
    asked: [],
    leases: [],
    drains: [],
    latestStart: -1,
    poolCrashed: false,
  };
  return cell.world;
};

const SETTLED_WELL = new Set(['ERR_JOB_FAILED', 'ERR_JOB_TIMEOUT', 'ERR_JOB_ABORTED', 'ERR_WORKER_EXITED']);
const NEVER_RAN = new Set([
  'ERR_POOL_QUEUE_FULL',
  'ERR_POOL_CHECKOUT_TIMEOUT',
  'ERR_POOL_DRAINING',
  'ERR_POOL_DEGRADED',
  'ERR_POOL_ABORTED',
  'ERR_LEASE_OVER',
]);

const ask = (world: Busy, stage: Stage, draw: Draw, lease?: Lease): void => {
  const number = world.asked.length;
  const idempotent = draw(2) === 1;
  const timeoutMs = [800, 90, 5_000][draw(3)] ?? 800;
  const abort = new AbortController();
  const options = { idempotent, timeoutMs, signal: abort.signal };
  const settled = (outcome: Outcome): void => {
    const code = outcome.error?.code ?? 'well';
    if (SETTLED_WELL.has(code) || NEVER_RAN.has(code)) stage.reached(code);
    const own = world.asked[number];
    if (NEVER_RAN.has(code) && (own?.starts ?? 0) > 0 && outcome.error?.outcome === 'not_started')
      stage.violated('what is said not to have started has not', `job ${number}: ${code}`);
    if (outcome.status === 'rejected' && outcome.error?.outcome === undefined)
      stage.violated('every rejection tells its outcome', `job ${number}: ${code}`);
  };
  const outcome: Outcome = { status: 'pending' };
  const deadline = stage.host.monotonic() + timeoutMs;
  const asked: Asked = {
    number,
    idempotent,
    leased: lease !== undefined,
    outcome,
    abort,
    deadline,
    starts: 0,
  };
  world.asked.push(asked);
  const promise = (lease ?? world.handle).run('job', { number }, options);
  promise.then(
    (value) => settled(Object.assign(outcome, { status: 'fulfilled', value })),
    (error) => settled(Object.assign(outcome, { status: 'rejected', error })),
  );
};

const counted = ({ handle }: Busy): string | undefined => {
  const { counts, waiting, workers } = handle.inspect();
  const { accepted, refused: _refused, retried: _retried, ...endings } = counts;
  const ended = Object.values(endings).reduce((sum, count) => sum + count, 0);
  const running = workers.filter(({ job }) => job !== undefined).length;
  // A worker may still be at a job that was settled without it: told to cancel, and not there yet.
  if (accepted >= ended + waiting && accepted <= ended + waiting + running) return undefined;
  return `accepted ${accepted}, ended ${ended}, waiting ${waiting}, running ${running}`;
};

export const poolAlone: Scenario<Busy> = {
  name: 'pool',
  setUp,
  faults: {
    points: faultsAt(
      'worker.start',
      'worker.job',
      'worker.close',
      'worker.kill',
      'timer.late',
      'host.stall',
      'mailbox.delay',
    ),
  },
  maxCommands: 20,
  weights: { run: 6, lease: 2, leasedRun: 2, abort: 2, killWorker: 2 },
  commands: {
    run: (world, draw, stage) => ask(world, stage, draw),
    lease: ({ handle, leases }, _draw, stage) => {
      follow(
        handle.lease({ timeoutMs: 500 }).then((lease) => {
          if (stage.healing) lease.release();
          else leases.push(lease);
          stage.reached('leased');
        }),
      );
    },
    leasedRun: (world, draw, stage) => {
      const lease = world.leases[draw(Math.max(1, world.leases.length))];
      if (lease !== undefined) ask(world, stage, draw, lease);
    },
    release: ({ leases }, draw) => {
      const [lease] = leases.splice(draw(Math.max(1, leases.length)), 1);
      lease?.release();
      lease?.release();
    },
    abort: ({ asked }, draw) =>
      asked[draw(Math.max(1, asked.length))]?.abort.abort(new Error('changed my mind')),
    killWorker: ({ kind }, draw) =>
      kind.live[draw(Math.max(1, kind.live.length))]?.exit({ signal: 'SIGKILL' }),
    killPool: (world, draw, stage) => {
      if (draw(2) === 0) return;
      world.poolCrashed = true;
      stage.reached('the pool crashed');
      world.system.exit(world.handle, 'kill');
    },
    drain: (world, draw, stage) => {
      if (draw(3) !== 0) return;
      const { host } = stage;
      const began = host.monotonic();
      const crashed = world.poolCrashed;
      const drain = world.handle.drain({ timeoutMs: DRAIN_MS });
      world.drains.push(
        follow(drain, ({ status }) => {
          if (status !== 'fulfilled' || world.poolCrashed !== crashed) return;
          stage.reached('drained');
          const took = host.monotonic() - began;
          if (took > DRAIN_MS + DRAIN_SLACK_MS) stage.violated('a drain ends in time', `after ${took} ms`);
          if (world.handle.inspect().waiting > 0) stage.violated('a drain leaves nothing waiting', 'it does');
          if (!world.poolCrashed && world.kind.live.some(({ killed }) => !killed))
            stage.violated('a drain leaves no worker', `${world.kind.live.map(({ id }) => id).join()}`);
        }),
      );
    },
    stop: ({ system }, draw, stage) => {
      if (draw(3) !== 0) return;
      stage.reached('stopped in the midst');
      follow(system.shutdown());
    },
  },
  leans: [
    { commands: { run: 3, killWorker: 4 }, paces: [7, 300], faults: { 'worker.start': 1 } },
    { commands: { run: 4, abort: 2 }, paces: ['at_once'], faults: {} },
    { commands: { run: 6, drain: 1 }, paces: ['at_once', 7] },
    { commands: { run: 1 }, paces: [7, 300, 2_500], faults: { 'worker.job': 2 } },
    { commands: { lease: 2, leasedRun: 3, release: 1, killWorker: 1 }, paces: ['settled', 7], faults: {} },
  ],
  always: {
    'never more workers than places': ({ kind, size, poolCrashed }) => {
      // After a crash the dead may outlast the new for a moment; they have been sent SIGKILL.
      const count = kind.live.filter(({ killed }) => !killed || !poolCrashed).length;
      return count > size ? `${count} of ${size}` : undefined;
    },
    'what was let in is accounted for': counted,
    'nobody waits beyond his deadline': ({ asked }, { host }) => {
      const late = asked.find(
        ({ outcome, deadline }) => outcome.status === 'pending' && host.monotonic() > deadline + LATE_MS,
      );
      return late === undefined ? undefined : `job ${late.number} still waits`;
    },
  },
  sometimes: [
    ...SETTLED_WELL,
    ...NEVER_RAN,
    'crash loop',
    'restored',
    'a job was tried again',
    'degraded worker',
    'leased',
    'the pool crashed',
    'drained',
    'stopped in the midst',
  ],
  heal: async (world, stage) => {
    const { system, asked, leases, handle } = world;
    for (const lease of leases) lease.release();
    const rest = (ms: number) => new Promise<void>((resolve) => stage.host.timer(ms, 'rest', resolve));
    await rest(QUIET_MS);
    const pending = asked.filter(({ outcome }) => outcome.status === 'pending');
    if (pending.length > 0)
      stage.violated('every job settles', pending.map(({ number }) => `job ${number}`).join());
    if (handle.ref() !== undefined && handle.inspect().state !== 'closed' && world.drains.length === 0) {
      // What was degraded is probed and restored; then it works as on the first day.
      const again: Outcome[] = [];
      for (let round = 0; round < 8 && again.every(({ status }) => status !== 'fulfilled'); round++) {
        again.push(follow(handle.run('job', { number: -1 })));
        await rest(2_000);
      }
      if (again.every(({ status }) => status !== 'fulfilled'))
        stage.violated('liveness', `it takes no job any more: ${again.at(-1)?.error?.code}`);
      const { workers } = handle.inspect();
      if (workers.length !== world.size)
        stage.violated('all places are filled', `${workers.length} of ${world.size}`);
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
