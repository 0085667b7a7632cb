/**
 * Supervisors alone: nested trees of every strategy, whose children crash before and after messages, fail to start, hang,
 * are killed, and are operated on, while the root is stopped at any time. The rules are OTP's.
 */

import { actor } from '../../../src/kernel/actor.ts';
import type { ActorContext } from '../../../src/kernel/logic.ts';
import { type ExitReason, isClean } from '../../../src/kernel/reason.ts';
import { server } from '../../../src/kernel/server.ts';
import type { Spec } from '../../../src/kernel/spec.ts';
import { createSystem, type System } from '../../../src/kernel/system.ts';
import { type SupervisorOptions, supervisor } from '../../../src/supervision/supervisor.ts';
import type { SupervisorHandle } from '../../../src/supervision/supervisor-handle.ts';
import { faultsAt } from '../../../src/testing/faults.ts';
import type { Draw, Scenario, Stage } from '../../../src/testing/simulation.ts';
import { cellAt, follow, Living, leftOver, listen, type Outcome } from './ledger.ts';

const STRATEGIES = ['one_for_one', 'one_for_all', 'rest_for_one'] as const;
const RESTARTS = ['permanent', 'transient', 'temporary'] as const;
const HANG_MS = 700;
const QUIET_MS = 200_000;
/** How long a supervisor may be at other work before it sees to a failed start. */
const RETRY_MS = 3_000;

interface Group {
  readonly path: string;
  readonly strategy: (typeof STRATEGIES)[number];
  readonly intensity: number;
  readonly periodMs: number;
  readonly children: readonly string[];
  /** When failures were detected that count for certain, and those that may count. */
  readonly certain: number[];
  readonly possible: number[];
  /** Children whose end by order was asked for from outside. */
  readonly ordered: Set<string>;
  gaveUp: boolean;
}

export class Trees {
  readonly system: System;
  readonly stage: Stage;
  readonly living = new Living();
  readonly groups = new Map<string, Group>();
  readonly workers: Spec<unknown>[] = [];
  readonly supervisors: Spec<SupervisorHandle>[] = [];
  readonly restarts = new Map<string, string>();
  readonly outcomes: Outcome[] = [];
  /** Incarnations that a group restart must have ended. */
  readonly doomed = new Map<string, string>();
  /** What stood under a supervisor when it was seen to stop. */
  readonly #stopping = new Map<string, ReadonlyMap<string, number | undefined>>();
  /** When a sibling last failed whose failure concerns this child, and when the child was started. */
  readonly failedBeside = new Map<string, number>();
  readonly startedAt = new Map<string, number>();
  root: Spec<SupervisorHandle> | undefined;
  ends: string[] = [];
  stopAsked = false;

  constructor(system: System, stage: Stage) {
    this.system = system;
    this.stage = stage;
  }

  /** What a child does when it is started; 0 is to start well. */
  async init(context: ActorContext): Promise<object> {
    const { path, self } = context;
    const parent = path.slice(0, path.lastIndexOf('/'));
    this.#judgeStart(path, parent, self.incarnation);
    const drawn = this.stage.choose(12, 'init');
    if (drawn === 11) throw new Error('no start');
    if (drawn === 10)
      await new Promise<void>((resolve) => this.stage.host.timer(HANG_MS, 'slow init', resolve));
    if (drawn === 9) await null;
    return {};
  }

  #judgeStart(path: string, parent: string, incarnation: number): void {
    const group = this.groups.get(parent);
    for (const sibling of group?.children ?? []) {
      const cell = cellAt(this.system, sibling);
      if (sibling !== path && cell?.starting === true && cell.ref.incarnation < incarnation)
        this.stage.violated('starts are serial', `${path} starts while ${sibling} does`);
    }
    const before = this.#stopping.get(parent);
    if (before !== undefined && before.get(path) !== incarnation)
      this.stage.violated('no start after stop began', `${path} starts though ${parent} stops`);
  }

  /** Remembers who stood under a supervisor when it began to stop. */
  watch(): void {
    for (const [path, group] of this.groups) {
      const stops = cellAt(this.system, path)?.status === 'stopping';
      if (!stops) this.#stopping.delete(path);
      else if (!this.#stopping.has(path)) {
        const now = group.children.map(
          (child) => [child, cellAt(this.system, child)?.ref.incarnation] as const,
        );
        this.#stopping.set(path, new Map(now));
        if (group.children.some((child) => cellAt(this.system, child) === undefined))
          this.stage.reached('stopped while a child was down');
      }
    }
  }

  childEnded(parent: string, child: string, reason: ExitReason): void {
    const group = this.groups.get(parent);
    const path = `${parent}/${child}`;
    if (group === undefined) return;
    const type = this.restarts.get(path);
    if (type === 'temporary' || (type === 'transient' && isClean(reason))) return;
    const now = this.stage.host.monotonic();
    group.certain.push(now);
    group.possible.push(now);
    const at = group.children.indexOf(path);
    const touched =
      group.strategy === 'one_for_all' ? 0 : group.strategy === 'rest_for_one' ? at : group.children.length;
    for (const [index, sibling] of group.children.entries()) {
      if (index < touched || sibling === path) continue;
      const cell = cellAt(this.system, sibling);
      if (cell !== undefined) this.doomed.set(`${sibling}@${cell.ref.incarnation}`, path);
      this.failedBeside.set(sibling, now);
    }
  }

  failedAmong(parent: string, path: string): void {
    const group = this.groups.get(parent);
    const from = group?.strategy === 'one_for_all' ? 0 : (group?.children.indexOf(path) ?? 0);
    if (group === undefined || group.strategy === 'one_for_one') return;
    for (const sibling of group.children.slice(from))
      if (sibling !== path) this.failedBeside.set(sibling, this.stage.host.monotonic());
  }

  /** A child that ended by order: somebody must have had reason to order it. */
  judgeEnd(path: string, reason: ExitReason): void {
    const parent = path.slice(0, path.lastIndexOf('/'));
    const group = this.groups.get(parent);
    const cell = cellAt(this.system, parent);
    if (group === undefined || reason !== 'shutdown' || cell === undefined) return;
    const excused =
      group.gaveUp || this.#stopping.has(parent) || cell.status !== 'running' || group.ordered.has(path);
    // A failed start is seen to behind what else was asked: by then the sibling may be another incarnation.
    const failedAt = (this.failedBeside.get(path) ?? Number.NEGATIVE_INFINITY) + RETRY_MS;
    if (!excused && failedAt < (this.startedAt.get(path) ?? 0))
      this.stage.violated(
        'restarts touch the right set',
        `${path} was stopped by ${group.strategy} ${parent}`,
      );
  }

  inWindow(times: readonly number[], { periodMs }: Group): number {
    const now = this.stage.host.monotonic();
    return times.filter((time) => time >= now - periodMs).length;
  }

  /** A supervisor of a new incarnation counts anew. */
  anew(path: string): void {
    const group = this.groups.get(path);
    group?.certain.splice(0);
    group?.possible.splice(0);
    if (group !== undefined) group.gaveUp = false;
  }
}

const workerOf = (trees: Trees, id: string, restart: (typeof RESTARTS)[number]): Spec<unknown> => {
  const { stage } = trees;
  const spec = actor(
    id,
    server({
      init: (_input: unknown, context) => trees.init(context),
      call: { ping: () => 'pong' },
      cast: {
        crash: () => {
          throw new Error('told to');
        },
        finish: (_state: object, _message: unknown, context) => context.stop(),
        work: async () => {
          await new Promise<void>((resolve) => stage.host.timer(20, 'work', resolve));
        },
      },
      terminate: async () => {
        if (stage.choose(8, 'terminate') === 7)
          await new Promise<void>((resolve) => stage.host.timer(HANG_MS, 'slow end', resolve));
      },
    }),
    { restart, shutdownMs: 500, initTimeoutMs: 400 },
  );
  trees.workers.push(spec as Spec<unknown>);
  return spec as Spec<unknown>;
};

const growGroup = (
  trees: Trees,
  path: string,
  children: readonly Spec<unknown>[],
): Spec<SupervisorHandle> => {
  const { stage } = trees;
  const strategy = STRATEGIES[stage.option(3)] ?? 'one_for_one';
  const intensity = stage.option(4);
  const periodMs = [5_000, 1_000, 60_000][stage.option(3)] ?? 5_000;
  const backs = stage.option(2) === 1 && intensity > 0;
  const options: SupervisorOptions = {
    children,
    strategy,
    intensity,
    periodMs,
    backoff: backs ? { baseMs: 10, maxMs: 100 } : false,
  };
  for (const child of children) trees.restarts.set(`${path}/${child.id}`, child.restart);
  const paths = children.map((child) => `${path}/${child.id}`);
  const fresh = { certain: [], possible: [], ordered: new Set<string>(), gaveUp: false };
  trees.groups.set(path, { path, strategy, intensity, periodMs, children: paths, ...fresh });
  const id = path.slice(path.lastIndexOf('/') + 1);
  const spec = supervisor(id, options);
  trees.supervisors.push(spec);
  return spec;
};

const setUp = async (stage: Stage): Promise<Trees> => {
  const trees = new Trees(createSystem({ host: stage.host }), stage);
  const { system, living } = trees;
  listen(system, stage, {
    'actor.started': ({ path, incarnation }) => {
      living.started(path, incarnation, stage);
      trees.anew(path);
      trees.startedAt.set(path, stage.host.monotonic());
    },
    'actor.ended': ({ path, incarnation, reason }) => {
      living.ended(path, incarnation);
      trees.doomed.delete(`${path}@${incarnation}`);
      trees.ends.push(path);
      trees.judgeEnd(path, reason as ExitReason);
    },
    'actor.start_failed': ({ path, incarnation }) => void trees.doomed.delete(`${path}@${incarnation}`),
    'supervisor.child.ended': ({ path, child, reason }) =>
      trees.childEnded(path, child, reason as ExitReason),
    'supervisor.child.start_failed': ({ path, child }) => {
      stage.reached('a start failed');
      trees.groups.get(path)?.possible.push(stage.host.monotonic());
      trees.failedAmong(path, `${path}/${child}`);
      if (trees.living.has(`${path}/${child}`)) stage.violated('a failed start leaves nothing', child);
    },
    'supervisor.child.restarted': ({ path }) => {
      const group = trees.groups.get(path);
      if (group === undefined) return;
      stage.reached(`restarted ${group.strategy}`);
      const used = trees.inWindow(group.certain, group);
      if (used === group.intensity) stage.reached('restarted at the limit');
      if (used > group.intensity)
        stage.violated('more failures than the limit escalate', `${path}: ${used} of ${group.intensity}`);
    },
    'supervisor.gave_up': ({ path }) => {
      const group = trees.groups.get(path);
      if (group === undefined) return;
      group.gaveUp = true;
      stage.reached(path === 'root' ? 'the root gave up' : 'a nested supervisor gave up');
      const used = trees.inWindow(group.possible, group);
      if (used <= group.intensity)
        stage.violated('within the limit nobody gives up', `${path}: ${used} of ${group.intensity}`);
    },
    'supervisor.child.backing_off': () => stage.reached('backed off'),
  });
  const kinds = (count: number) =>
    Array.from({ length: count }, () => RESTARTS[stage.option(3)] ?? 'permanent');
  const nested = kinds(1 + stage.option(3)).map((kind, index) => workerOf(trees, `n${index}`, kind));
  const inner = growGroup(trees, 'root/inner', nested);
  const outer = kinds(1 + stage.option(2)).map((kind, index) => workerOf(trees, `w${index}`, kind));
  const children = stage.option(2) === 0 ? [...outer, inner] : [inner, ...outer];
  trees.root = growGroup(trees, 'root', children);
  follow(system.start(trees.root));
  await null;
  return trees;
};

const pick = <T>(list: readonly T[], draw: Draw): T => list[draw(list.length)] as T;

const operate =
  (name: 'terminateChild' | 'restartChild' | 'recycleChild') =>
  ({ system, supervisors, groups, outcomes, stage }: Trees, draw: Draw): void => {
    const handle = system.get(pick(supervisors, draw));
    const group = groups.get(handle.path);
    const child = pick(group?.children ?? [], draw);
    group?.ordered.add(child);
    const id = child.slice(child.lastIndexOf('/') + 1);
    outcomes.push(follow(handle[name](id), () => stage.reached(`${name} settled`)));
  };

const handleOf = (
  { system, workers }: Trees,
  draw: Draw,
): { readonly path: string; tell(message: object): unknown } | undefined => {
  try {
    return system.get(pick(workers, draw)) as never;
  } catch {
    // A temporary child that has ended is forgotten with its spec.
    return undefined;
  }
};

export const supervision: Scenario<Trees> = {
  name: 'supervision',
  setUp,
  faults: {
    points: faultsAt('actor.before', 'actor.after', 'mailbox.delay', 'timer.late'),
    only: (subject, point) => !point.startsWith('actor.') || !/(?:root|inner)$/.test(subject ?? ''),
  },
  weights: { crash: 4, kill: 2 },
  commands: {
    crash: (trees, draw) => handleOf(trees, draw)?.tell({ type: 'crash' }),
    finish: (trees, draw) => handleOf(trees, draw)?.tell({ type: 'finish' }),
    work: (trees, draw) => handleOf(trees, draw)?.tell({ type: 'work' }),
    kill: ({ system, workers, supervisors, stage }, draw) => {
      const target = pick([...workers, ...supervisors], draw) as Spec<unknown>;
      stage.note(`kill ${target.id}`);
      try {
        system.exit(system.get(target) as never, 'kill');
      } catch {
        // Forgotten already.
      }
    },
    terminateChild: operate('terminateChild'),
    restartChild: operate('restartChild'),
    recycleChild: operate('recycleChild'),
    which: ({ system, supervisors, outcomes }, draw) => {
      outcomes.push(follow(system.get(pick(supervisors, draw)).whichChildren()));
    },
    stop: (trees, draw) => {
      if (draw(3) !== 0) return;
      trees.stopAsked = true;
      trees.stage.reached('stopped in the midst');
      for (let times = draw(2); times >= 0; times--) follow(trees.system.shutdown());
    },
  },
  always: {
    'stops are watched': (trees) => void trees.watch(),
  },
  sometimes: [
    'a start failed',
    'restarted one_for_one',
    'restarted one_for_all',
    'restarted rest_for_one',
    'restarted at the limit',
    'a nested supervisor gave up',
    'the root gave up',
    'backed off',
    'stopped in the midst',
    'stopped while a child was down',
    'terminateChild settled',
    'restartChild settled',
    'recycleChild settled',
  ],
  heal: async (trees, stage) => {
    const { system, outcomes } = trees;
    await new Promise<void>((resolve) => stage.host.timer(QUIET_MS, 'quiet', resolve));
    for (const path of trees.living.paths.filter((path) => trees.groups.has(path))) {
      const group = trees.groups.get(path) as Group;
      // OTP: where the one that fails to start is terminated, those who wait behind it stay down.
      if (group.strategy !== 'one_for_one' && group.ordered.size > 0) continue;
      for (const child of group.children)
        if (
          trees.restarts.get(child) === 'permanent' &&
          !trees.living.has(child) &&
          !group.ordered.has(child)
        )
          stage.violated('what is permanent comes back', child);
    }
    for (const [incarnation, culprit] of trees.doomed)
      stage.violated('restarts touch the right set', `${incarnation} outlived the failure of ${culprit}`);
    trees.ends = [];
    const stopped = trees.living.paths;
    await Promise.all([system.shutdown(), system.shutdown()]);
    for (const { path, children } of trees.groups.values()) {
      const wanted = children.filter((child) => stopped.includes(child)).reverse();
      const seen = trees.ends.filter((end) => wanted.includes(end));
      if (stopped.includes(path) && wanted.join() !== seen.join())
        stage.violated('stopped in reverse', `${path}: ${seen.join()} in place of ${wanted.join()}`);
    }
    const open = outcomes.filter(({ status }) => status === 'pending');
    if (open.length > 0) stage.violated('every operation settles', `${open.length} are pending`);
  },
  converged: { 'nothing is left': ({ system }, stage) => leftOver(system, stage) },
};
