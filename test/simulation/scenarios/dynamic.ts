/**
 * A dynamic supervisor alone, with and without a template: children that are started and terminated under few keys, all at
 * once, while others crash, hang, back off and are killed, and their supervisor with them.
 */
import { actor } from '../../../src/kernel/actor.ts';
import type { ActorContext } from '../../../src/kernel/logic.ts';
import { type ExitReason, isClean } from '../../../src/kernel/reason.ts';
import { server } from '../../../src/kernel/server.ts';
import type { Spec } from '../../../src/kernel/spec.ts';
import { createSystem, type System } from '../../../src/kernel/system.ts';
import {
  type DynamicOperations,
  type DynamicSupervisorHandle,
  dynamicSupervisor,
  type TemplateSupervisorHandle,
} from '../../../src/supervision/dynamic-supervisor.ts';
import { supervisor } from '../../../src/supervision/supervisor.ts';
import { faultsAt } from '../../../src/testing/faults.ts';
import type { Draw, Scenario, Stage } from '../../../src/testing/simulation.ts';
import { Acquired, cellAt, follow, Living, leftOver, listen, type Outcome, Spent } from './ledger.ts';

const PATH = 'root/crowd';
const KEYS = ['a', 'b', 'c', 'd'] as const;
const RESTARTS = ['permanent', 'transient', 'temporary'] as const;
const SLOW_MS = 3_000;
const INIT_TIMEOUT_MS = 2_500;
/** Within this a child has started that is not slow itself, whatever its siblings do: late mail and a stall included. */
const PROMPT_MS = 1_500;
const QUIET_MS = 200_000;
/** Why a start or a termination may be refused. */
const REFUSALS: ReadonlySet<string | undefined> = new Set([
  'ERR_CHILD_ALREADY_STARTED',
  'ERR_CHILD_ALREADY_PRESENT',
  'ERR_CHILD_RESTARTING',
  'ERR_CHILD_RUNNING',
  'ERR_CHILD_NOT_FOUND',
  'ERR_CHILD_START_FAILED',
  'ERR_MAX_CHILDREN',
  'ERR_STOPPING',
  'ERR_RESTARTING',
  'ERR_CALLEE_ENDED',
  'ERR_NOPROC',
]);

interface Follower {
  readonly path: string;
  ref(): { readonly incarnation: number } | undefined;
  tell(message: object): unknown;
}

type Restart = (typeof RESTARTS)[number];

class Crowd {
  readonly system: System;
  readonly stage: Stage;
  readonly living = new Living();
  readonly acquired = new Acquired();
  readonly outcomes: Outcome[] = [];
  /** Starts that were asked for, and starts that came about, by path. */
  readonly asked = new Map<string, number>();
  readonly starts = new Map<string, number>();
  /** What was terminated by order and not asked for since. */
  readonly down = new Set<string>();
  /** What a start promised to keep alive. */
  readonly kept = new Set<string>();
  readonly slow = new Set<string>();
  readonly restarts = new Map<string, Restart>();
  maxChildren = Number.POSITIVE_INFINITY;
  spent = new Spent(0, 1);
  handle: (DynamicOperations & Partial<Startable>) | undefined;
  template: Restart | undefined;
  /** Its supervisor was ended by force: what it had owned ends beside what the next one starts. */
  forced = false;
  stopBegan = false;

  constructor(system: System, stage: Stage) {
    this.system = system;
    this.stage = stage;
  }

  get parent() {
    return cellAt(this.system, PATH);
  }

  spec(key: string, restart: Restart): Spec<unknown> {
    const { stage } = this;
    return actor(
      key,
      server({
        init: (_input: unknown, context) => this.#init(context),
        cast: {
          crash: () => {
            throw new Error('told to');
          },
          finish: (_state: object, _message: unknown, context) => context.stop(),
        },
        terminate: async (_state, _reason, { path, self }) => {
          this.acquired.terminated(`${path}@${self.incarnation}`, stage);
          if (stage.choose(8, 'terminate') === 7)
            await new Promise<void>((resolve) => stage.host.timer(SLOW_MS, 'slow end', resolve));
        },
      }),
      { restart, shutdownMs: 500, initTimeoutMs: INIT_TIMEOUT_MS },
    ) as Spec<unknown>;
  }

  async #init(context: ActorContext): Promise<object> {
    const { path, self } = context;
    const { stage } = this;
    const count = (this.starts.get(path) ?? 0) + 1;
    this.starts.set(path, count);
    if (this.restarts.get(path) === 'temporary' && count > (this.asked.get(path) ?? 0))
      stage.violated('what is temporary does not come back', path);
    if (this.down.has(path)) stage.violated('what was terminated stays down', path);
    if (this.stopBegan && this.parent?.status !== 'running')
      stage.violated('no start after stop began', path);
    const drawn = stage.choose(8, 'init');
    if (drawn === 7) throw new Error('no start');
    if (drawn === 6) {
      this.slow.add(path);
      await new Promise<void>((resolve) => stage.host.timer(SLOW_MS, 'slow init', resolve));
    }
    if (drawn === 5) await null;
    this.acquired.came(`${path}@${self.incarnation}`, context.signal.aborted, stage);
    return {};
  }
}

interface Startable {
  startChild(specOrKey: unknown): Promise<unknown>;
}

const setUp = async (stage: Stage): Promise<Crowd> => {
  const crowd = new Crowd(createSystem({ host: stage.host }), stage);
  const { system } = crowd;
  const intensity = stage.option(3) + 1;
  const periodMs = [5_000, 1_000, 60_000][stage.option(3)] ?? 5_000;
  crowd.spent = new Spent(intensity, periodMs);
  const limits = {
    intensity,
    periodMs,
    backoff: stage.option(2) === 1 ? { baseMs: 10, maxMs: 100 } : (false as const),
    maxChildren: [Number.POSITIVE_INFINITY, 2][stage.option(2)] ?? 2,
  };
  crowd.maxChildren = limits.maxChildren;
  const kind = stage.option(3);
  const restart = RESTARTS[stage.option(3)] ?? 'permanent';
  crowd.template = kind === 0 ? undefined : restart;
  hear(crowd);
  const template = kind === 1 ? crowd.spec('template', restart) : (key: string) => crowd.spec(key, restart);
  const spec: Spec<DynamicSupervisorHandle> | Spec<TemplateSupervisorHandle<unknown>> =
    kind === 0 ? dynamicSupervisor('crowd', limits) : dynamicSupervisor('crowd', { ...limits, template });
  for (const [index, key] of KEYS.entries())
    crowd.restarts.set(`${PATH}/${key}`, kind === 0 ? (RESTARTS[index % 3] ?? 'permanent') : restart);
  await system.start(
    supervisor('root', { children: [spec as Spec<unknown>], backoff: false, giveUp: 'never' }),
  );
  crowd.handle = system.get(spec as Spec<DynamicSupervisorHandle>);
  return crowd;
};

const hear = (crowd: Crowd): void => {
  const { system, stage, living, spent } = crowd;
  const now = (): number => stage.host.monotonic();
  listen(system, stage, {
    'actor.started': ({ path, incarnation }) => {
      living.started(path, incarnation, stage);
      if (path === PATH) spent.clear();
    },
    'actor.ended': ({ path, incarnation }) => {
      living.ended(path, incarnation);
      if (path !== PATH) return;
      crowd.down.clear();
      crowd.kept.clear();
    },
    'supervisor.child.ended': ({ path, child, reason }) => {
      const type = crowd.restarts.get(`${PATH}/${child}`);
      if (path !== PATH || type === 'temporary') return;
      if (type === 'transient' && isClean(reason as ExitReason)) crowd.kept.delete(`${PATH}/${child}`);
      else spent.count(now(), true);
    },
    'supervisor.child.start_failed': ({ path }) => {
      stage.reached('a restart failed');
      if (path === PATH) spent.count(now(), false);
    },
    'supervisor.child.restarted': ({ path }) => {
      if (path !== PATH) return;
      stage.reached('restarted');
      spent.judgeRestart(now(), path, stage);
    },
    'supervisor.gave_up': ({ path }) => {
      stage.reached('gave up');
      spent.judgeEnd(now(), path, stage);
    },
    'supervisor.child.backing_off': () => stage.reached('backed off'),
  });
};

const judgeRefusal = ({ stage }: Crowd, { status, error }: Outcome, what: string): void => {
  if (status !== 'rejected') return;
  stage.reached(`refused: ${error?.code}`);
  if (!REFUSALS.has(error?.code)) stage.violated('refusals say why', `${what}: ${error}`);
};

const start = (crowd: Crowd, draw: Draw): void => {
  const { stage, handle, outcomes, asked, down } = crowd;
  const key = KEYS[draw(KEYS.length)] ?? 'a';
  const path = `${PATH}/${key}`;
  const restart = crowd.template ?? crowd.restarts.get(path) ?? 'permanent';
  asked.set(path, (asked.get(path) ?? 0) + 1);
  down.delete(path);
  const before = stage.host.monotonic();
  const others = crowd.living.paths.length;
  const promise = handle?.startChild?.(crowd.template === undefined ? crowd.spec(key, restart) : key);
  if (promise === undefined) return;
  const settled = (outcome: Outcome): void => {
    judgeRefusal(crowd, outcome, `start ${key}`);
    const took = stage.host.monotonic() - before;
    if (took > PROMPT_MS && !crowd.slow.has(path))
      stage.violated('a slow child delays no other', `${key} took ${took} ms beside ${others}`);
    if (outcome.error?.code === 'ERR_CHILD_START_FAILED') {
      stage.reached('a start failed');
      if (asked.get(path) === 1 && crowd.living.has(path))
        stage.violated('a failed start leaves nothing', path);
    }
    if (outcome.status !== 'fulfilled' || crowd.parent?.status !== 'running') return;
    stage.reached('started');
    if (crowd.restarts.get(path) !== 'temporary' && !crowd.down.has(path)) crowd.kept.add(path);
  };
  outcomes.push(follow(promise, settled));
};

/** One that waits to be started again. */
const waiting = ({ living, asked }: Crowd, draw: Draw): string => {
  const down = KEYS.filter((key) => asked.has(`${PATH}/${key}`) && !living.has(`${PATH}/${key}`));
  return down[draw(Math.max(1, down.length))] ?? 'a';
};

const terminate = (crowd: Crowd, key: string): void => {
  const { handle, outcomes, asked, living, stage } = crowd;
  const path = `${PATH}/${key}`;
  const count = asked.get(path);
  const incarnation = living.at(PATH);
  crowd.kept.delete(path);
  const promise = handle?.terminateChild(key);
  if (promise === undefined) return;
  const settled = (outcome: Outcome): void => {
    judgeRefusal(crowd, outcome, `terminate ${key}`);
    crowd.kept.delete(path);
    if (outcome.status !== 'fulfilled') return;
    stage.reached('terminated');
    if (asked.get(path) === count && living.at(PATH) === incarnation) crowd.down.add(path);
  };
  outcomes.push(follow(promise, settled));
};

/** One of those that live, so that what is told to it is heard. */
const childAt = ({ handle, living }: Crowd, draw: Draw): Follower | undefined => {
  const live = KEYS.filter((key) => living.has(`${PATH}/${key}`));
  return live.length === 0
    ? undefined
    : (handle?.child(live[draw(live.length)] ?? 'a') as Follower | undefined);
};

export const dynamic: Scenario<Crowd> = {
  name: 'dynamic',
  setUp,
  faults: {
    points: faultsAt('actor.before', 'actor.after', 'mailbox.delay', 'timer.late', 'host.stall'),
    only: (subject, point) => !point.startsWith('actor.') || !/(?:root|crowd)$/.test(subject ?? ''),
  },
  maxCommands: 16,
  weights: { start: 6, terminate: 3, crash: 3 },
  commands: {
    start,
    terminate: (crowd, draw) => terminate(crowd, KEYS[draw(KEYS.length)] ?? 'a'),
    terminateWaiting: (crowd, draw) => terminate(crowd, waiting(crowd, draw)),
    crash: (crowd, draw) => childAt(crowd, draw)?.tell({ type: 'crash' }),
    finish: (crowd, draw) => childAt(crowd, draw)?.tell({ type: 'finish' }),
    kill: (crowd, draw) => {
      const child = childAt(crowd, draw);
      if (child !== undefined) crowd.system.exit(child as never, 'kill');
    },
    killSupervisor: (crowd, draw) => {
      if (draw(3) !== 0) return;
      crowd.forced = true;
      crowd.stage.reached('the supervisor was killed');
      crowd.system.exit(crowd.handle as never, 'kill');
    },
    which: (crowd) => {
      const { handle, outcomes } = crowd;
      if (handle !== undefined) outcomes.push(follow(handle.whichChildren()), follow(handle.countChildren()));
    },
    stop: (crowd, draw) => {
      if (draw(2) !== 0) return;
      crowd.stopBegan = true;
      crowd.stage.reached('stopped in the midst');
      for (let times = draw(2); times >= 0; times--) follow(crowd.system.shutdown());
    },
  },
  leans: [
    { commands: { start: 3, crash: 4 }, paces: ['settled', 7], faults: {} },
    { commands: { start: 3, crash: 4, terminateWaiting: 2 }, paces: ['settled', 1], faults: {} },
    { commands: { start: 4, terminate: 2 }, paces: ['at_once', 1], faults: {} },
    { commands: { start: 3, stop: 1, killSupervisor: 1 }, paces: ['at_once', 45] },
  ],
  always: {
    'never more children than allowed': ({ living, maxChildren, forced }) => {
      const count = living.paths.filter((path) => path.startsWith(`${PATH}/`)).length;
      return forced || count <= maxChildren ? undefined : `${count} of ${maxChildren}`;
    },
    'a handle follows its place': ({ handle, living, system }) => {
      for (const key of KEYS) {
        const seen = (handle?.child(key) as Follower | undefined)?.ref()?.incarnation;
        const there = cellAt(system, `${PATH}/${key}`);
        if (there?.status === 'running' && seen !== undefined && seen !== living.at(`${PATH}/${key}`))
          return `${key}: ${seen}, ${living.at(`${PATH}/${key}`)} lives`;
      }
      return undefined;
    },
  },
  sometimes: [
    'started',
    'terminated',
    'restarted',
    'restarted at the limit',
    'a start failed',
    'a restart failed',
    'an init came too late',
    'gave up',
    'backed off',
    'refused: ERR_CHILD_ALREADY_STARTED',
    'refused: ERR_CHILD_NOT_FOUND',
    'refused: ERR_MAX_CHILDREN',
    'the supervisor was killed',
    'stopped in the midst',
  ],
  heal: async (crowd, stage) => {
    const rest = (ms: number) => new Promise<void>((resolve) => stage.host.timer(ms, 'quiet', resolve));
    await rest(QUIET_MS);
    for (const path of crowd.kept)
      if (crowd.restarts.get(path) === 'permanent' && !crowd.stopBegan && !crowd.living.has(path))
        stage.violated('what is permanent comes back', path);
    await Promise.all([crowd.system.shutdown(), crowd.system.shutdown()]);
    await rest(SLOW_MS * 2);
    const open = crowd.outcomes.filter(({ status }) => status === 'pending');
    if (open.length > 0) stage.violated('every operation settles', `${open.length} are pending`);
  },
  converged: {
    'what came too late is closed once': ({ acquired }) => acquired.left[0],
    'nothing is left': ({ system }, stage) => leftOver(system, stage),
  },
};
