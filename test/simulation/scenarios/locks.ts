/**
 * Keyed locks alone: claims of all kinds by owners that come and go, leases that expire under paused holders, releases asked for
 * again and again, late timers, stalls, and restarts of what keeps the locks.
 */
import type { LockLease } from '../../../src/coordination/lock-lease.ts';
import type { LockMode } from '../../../src/coordination/lock-store.ts';
import { createLocks, type Locks } from '../../../src/coordination/locks.ts';
import { faultsAt } from '../../../src/testing/faults.ts';
import { type History, recordHistory } from '../../../src/testing/history.ts';
import { checkLinearizable } from '../../../src/testing/linearizability.ts';
import { type LockInput, type LockOutput, lockModel } from '../../../src/testing/linearizable-models.ts';
import type { Draw, Scenario, Stage } from '../../../src/testing/simulation.ts';
import { follow, type Outcome } from './ledger.ts';

interface Asked {
  readonly number: number;
  readonly key: string;
  readonly outcome: Outcome;
  readonly abort: AbortController;
  readonly deadline: number;
}

/** A lease as its holder knows it. */
interface Has {
  readonly lease: LockLease;
  readonly key: string;
  readonly shared: boolean;
  readonly units: number;
  readonly era: number;
  freed: number;
}

interface World {
  locks: Locks;
  /** Those of now: what became of leases of an earlier start is no news. */
  readonly cell: { now?: Locks };
  readonly permits: number;
  readonly ttlMs: number;
  readonly history: History<LockInput, LockOutput>;
  readonly asked: Asked[];
  readonly leases: Has[];
  readonly lastTokens: Map<string, number>;
  /** What a resource that checks tokens has accepted. */
  readonly accepted: Map<string, number>;
  /** How often what keeps the locks has been started. */
  era: number;
  startedAtMs: number;
}

const KEYS = ['a', 'b', 'c'];
const OWNERS = ['anna', 'ben', 'carl', 'dora'];
const LATE_MS = 400;
const NEVER_STARTED = ['ERR_LOCK_TIMEOUT', 'ERR_LOCK_CYCLE', 'ERR_LOCK_REENTRANT', 'ERR_LOCK_OWNER_ENDED'];

const pick = <T>(list: readonly T[], draw: Draw): T => list[draw(list.length)] as T;

const open = (world: Omit<World, 'locks'>, stage: Stage): Locks => {
  const { cell } = world;
  const { permits, ttlMs, history, lastTokens } = world;
  const locks = createLocks({ host: stage.host, permits, ttlMs, maxWaiting: 6, name: `era ${world.era}` });
  locks.events.on('lock.granted', ({ key, token }) => {
    if (token <= (lastTokens.get(key) ?? 0))
      stage.violated('tokens only grow', `${key}: ${token} after ${lastTokens.get(key)}`);
    lastTokens.set(key, token);
  });
  locks.events.on('lock.lost', ({ key, token, why }) => {
    stage.reached(why);
    if (locks === cell.now) history.happened('the store', key, { do: 'lose', token }, true);
  });
  locks.events.on('lock.release_ignored', () => stage.reached('a late release'));
  cell.now = locks;
  return locks;
};

const setUp = (stage: Stage): World => {
  const world = {
    cell: {},
    permits: 1 + stage.option(3),
    ttlMs: [Number.POSITIVE_INFINITY, 60][stage.option(2)] ?? 60,
    history: recordHistory<LockInput, LockOutput>(),
    asked: [],
    leases: [],
    lastTokens: new Map(),
    accepted: new Map(),
    era: 0,
    startedAtMs: stage.host.wall(),
  };
  return { ...world, locks: open(world, stage) };
};

const claim = (world: World, draw: Draw, stage: Stage) => {
  const key = pick(KEYS, draw);
  const owner = pick(OWNERS, draw);
  const mode: LockMode = draw(3) === 2 ? 'shared' : 'exclusive';
  const units = mode === 'shared' ? 1 : 1 + draw(world.permits);
  const maxWaitMs = [200, 5_000, 20][draw(3)] ?? 200;
  const abort = new AbortController();
  const number = world.asked.length;
  const call = world.history.call(`${owner} ${number}`, key, { do: 'acquire', mode, units });
  const deadline = stage.host.monotonic() + maxWaitMs;
  const ask = (promise: Promise<unknown>): void => {
    const outcome = follow(promise, ({ error }) => {
      const code = error?.code;
      if (code !== undefined && NEVER_STARTED.includes(code)) stage.reached(code);
      if (error !== undefined && code !== 'ERR_LOCK_LOST') call.returned('refused');
    });
    world.asked.push({ number, key, outcome, abort, deadline });
  };
  const { era } = world;
  const got = (lease: LockLease): Has => {
    if (era === world.era) call.returned(lease.token);
    const has = { lease, key, shared: mode === 'shared', units, era, freed: 0 };
    world.leases.push(has);
    return has;
  };
  return { key, options: { mode, units, maxWaitMs, signal: abort.signal }, owner, ask, got };
};

const free = async (world: World, has: Has, stage: Stage): Promise<void> => {
  const { key, lease } = has;
  const call =
    has.era === world.era
      ? world.history.call(`the holder of ${lease.token}`, key, { do: 'release', token: lease.token })
      : undefined;
  const freed = await lease.release();
  call?.returned(freed);
  if (!freed) return;
  has.freed += 1;
  if (has.freed > 1) stage.violated('released once', `token ${lease.token} of ${key}`);
};

/** How long the holder of a lease works, and whether it looks at the clock of its lease at all. */
const work = async (world: World, has: Has, stage: Stage): Promise<void> => {
  const { host } = stage;
  const { lease, key } = has;
  const ms = [0, 5, 40, 150][stage.choose(4, 'work')] ?? 0;
  if (ms > 0) await new Promise<void>((resolve) => host.timer(ms, 'work', resolve));
  // A write of a holder that was paused: what is protected refuses tokens smaller than it has seen.
  const seen = world.accepted.get(key) ?? 0;
  if (lease.token < seen) stage.reached('an old holder was fenced off');
  else world.accepted.set(key, lease.token);
};

export const locksAlone: Scenario<World> = {
  name: 'locks',
  setUp,
  faults: { points: faultsAt('timer.late') },
  maxCommands: 24,
  weights: { use: 5, acquire: 5, release: 4 },
  commands: {
    use: (world, draw, stage) => {
      const { key, options, owner, ask, got } = claim(world, draw, stage);
      ask(
        world.locks.as(owner).use(
          key,
          async (lease) => {
            const has = got(lease);
            await work(world, has, stage);
            if (lease.held) {
              await free(world, has, stage);
              stage.reached('used');
            }
          },
          options,
        ),
      );
    },
    acquire: (world, draw, stage) => {
      const { key, options, owner, ask, got } = claim(world, draw, stage);
      ask(world.locks.as(owner).acquire(key, options).then(got));
    },
    release: (world, draw, stage) => {
      const has = world.leases[draw(Math.max(1, world.leases.length))];
      if (has === undefined) return;
      follow(free(world, has, stage));
      follow(free(world, has, stage));
    },
    renew: ({ leases }, draw) => leases[draw(Math.max(1, leases.length))]?.lease.heartbeat(),
    releaseAll: ({ locks }, draw) => locks.releaseAll(pick(OWNERS, draw)),
    abort: ({ asked }, draw) => asked[draw(Math.max(1, asked.length))]?.abort.abort(new Error('left')),
    restart: (world, draw, stage) => {
      // A process takes longer than that to start.
      if (draw(3) !== 0 || stage.host.wall() <= world.startedAtMs) return;
      for (const { lease, key, era } of world.leases)
        if (era === world.era && lease.held)
          world.history.happened('a restart', key, { do: 'lose', token: lease.token }, true);
      world.locks.dispose();
      world.era += 1;
      world.startedAtMs = stage.host.wall();
      world.locks = open(world, stage);
      stage.reached('restarted');
    },
  },
  always: {
    'held by as many as may': ({ leases, permits, era }) => {
      for (const key of KEYS) {
        const held = leases.filter((has) => has.key === key && has.era === era && has.lease.held);
        const shared = held.filter((has) => has.shared).length;
        const units = held.reduce((sum, has) => sum + (has.shared ? 0 : has.units), 0);
        if (units > permits || (shared > 0 && units > 0)) return `${key}: ${units} units, ${shared} readers`;
      }
      return undefined;
    },
    'nobody waits beyond his time': ({ asked }, { host }) => {
      const late = asked.find(
        ({ outcome, deadline }) => outcome.status === 'pending' && host.monotonic() > deadline + LATE_MS,
      );
      // Work under a lock is not a wait.
      return late === undefined ? undefined : `claim ${late.number} of ${late.key}`;
    },
    'the line has no ghosts': ({ locks, asked, permits }) => {
      const waiting = locks.inspect().keys.reduce((sum, key) => sum + key.waiting.length, 0);
      const pending = asked.filter(({ outcome }) => outcome.status === 'pending').length;
      return waiting > pending ? `${waiting} wait, ${pending} asked (${permits} permits)` : undefined;
    },
  },
  sometimes: [
    ...NEVER_STARTED,
    'expired',
    'owner_ended',
    'used',
    'a late release',
    'restarted',
    'an old holder was fenced off',
  ],
  heal: async (world, stage) => {
    const rest = (ms: number) => new Promise<void>((resolve) => stage.host.timer(ms, 'rest', resolve));
    for (let round = 0; round < 20; round++) {
      for (const has of world.leases) if (has.lease.held) await free(world, has, stage);
      await rest(300);
    }
    await rest(6_000);
    for (const owner of OWNERS) world.locks.releaseAll(owner);
  },
  converged: {
    'every claim settles': ({ asked }) => {
      const pending = asked.filter(({ outcome }) => outcome.status === 'pending');
      return pending.length === 0 ? undefined : pending.map(({ number }) => `claim ${number}`).join();
    },
    'no key is kept': ({ locks }) => {
      const { keys } = locks.inspect();
      return keys.length === 0 ? undefined : keys.map(({ key }) => key).join();
    },
    'counts add up': ({ locks }) => {
      const { granted, released, lost } = locks.inspect();
      return granted === released + lost
        ? undefined
        : `${granted} granted, ${released} released, ${lost} lost`;
    },
    linearizable: ({ history, permits }) => {
      const report = checkLinearizable(lockModel({ permits }), history.operations);
      return report.verdict === 'violated' ? report.diagram : undefined;
    },
  },
};
