/**
 * Supervisors alone: nested trees of every strategy, whose children crash before and after messages, fail to start, hang,
 * are killed, and are operated on, while the root is stopped at any time. The rules are OTP's.
 */

import { actor } from '../../../src/kernel/actor.ts';
import type { ExitReason } from '../../../src/kernel/reason.ts';
import { server } from '../../../src/kernel/server.ts';
import type { Spec } from '../../../src/kernel/spec.ts';
import { createSystem } from '../../../src/kernel/system.ts';
import { type SupervisorOptions, supervisor } from '../../../src/supervision/supervisor.ts';
import type { SupervisorHandle } from '../../../src/supervision/supervisor-handle.ts';
import { faultsAt } from '../../../src/testing/faults.ts';
import type { Draw, Scenario, Stage } from '../../../src/testing/simulation.ts';
import { follow, leftOver, listen, type Outcome, Spent } from './ledger.ts';
import { type Group, HANG_MS, RESTARTS, STRATEGIES, Trees } from './trees.ts';

const QUIET_MS = 200_000;

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
        stopAll: () => void follow(trees.system.shutdown()),
        work: async () => {
          await new Promise<void>((resolve) => stage.host.timer(20, 'work', resolve));
        },
      },
      terminate: async (_state, _reason, { path, self }) => {
        trees.acquired.terminated(`${path}@${self.incarnation}`, stage);
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
  const fresh = { spent: new Spent(intensity, periodMs), ordered: new Set<string>(), gaveUp: false };
  trees.groups.set(path, { path, strategy, children: paths, ...fresh });
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
      for (const child of trees.groups.get(path)?.children ?? []) trees.down.delete(child);
      trees.judgeEnd(path, reason as ExitReason);
    },
    'actor.start_failed': ({ path, incarnation }) => void trees.doomed.delete(`${path}@${incarnation}`),
    'supervisor.child.ended': ({ path, child, reason }) =>
      trees.childEnded(path, child, reason as ExitReason),
    'supervisor.child.start_failed': ({ path, child }) => {
      stage.reached('a start failed');
      trees.groups.get(path)?.spent.count(stage.host.monotonic(), false);
      trees.failedAmong(path, `${path}/${child}`);
      if (trees.living.has(`${path}/${child}`)) stage.violated('a failed start leaves nothing', child);
    },
    'supervisor.child.restarted': ({ path }) => {
      const group = trees.groups.get(path);
      if (group === undefined) return;
      stage.reached(`restarted ${group.strategy}`);
      group.spent.judgeRestart(stage.host.monotonic(), path, stage);
    },
    'supervisor.gave_up': ({ path }) => {
      const group = trees.groups.get(path);
      if (group === undefined) return;
      group.gaveUp = true;
      stage.reached(path === 'root' ? 'the root gave up' : 'a nested supervisor gave up');
      group.spent.judgeEnd(stage.host.monotonic(), path, stage);
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

/** An order about any child of any supervisor; or about one that waits to be started again. */
const operate =
  (name: 'terminateChild' | 'restartChild' | 'recycleChild', about: 'any' | 'waiting' = 'any') =>
  (trees: Trees, draw: Draw): void => {
    const { system, supervisors, groups, outcomes, stage, down, living } = trees;
    const handle = system.get(pick(supervisors, draw));
    const group = groups.get(handle.path);
    const waits = (child: string): boolean => living.has(handle.path) && !living.has(child);
    const children = group?.children.filter((child) => about === 'any' || waits(child)) ?? [];
    if (children.length === 0) return;
    const child = pick(children, draw);
    group?.ordered.add(child);
    const id = child.slice(child.lastIndexOf('/') + 1);
    const asked = (trees.orders.get(child) ?? 0) + 1;
    const incarnation = trees.living.at(handle.path);
    trees.orders.set(child, asked);
    down.delete(child);
    const settled = ({ status }: Outcome): void => {
      stage.reached(`${name} settled`);
      // Whether a group's restart brings it back is OTP's matter; alone, only an order does.
      const alone = group?.strategy === 'one_for_one' && trees.orders.get(child) === asked;
      // Another incarnation of its supervisor starts all its children.
      const same = trees.living.at(handle.path) === incarnation;
      if (name === 'terminateChild' && status === 'fulfilled' && alone && same) down.add(child);
    };
    outcomes.push(follow(handle[name](id), settled));
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
    points: faultsAt('actor.before', 'actor.after', 'mailbox.delay', 'timer.late', 'host.stall'),
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
    /** The same one again and again, so that it has to wait. */
    wear: ({ system, workers }) => {
      try {
        (system.get(workers[0] as Spec<unknown>) as { tell(message: object): unknown }).tell({
          type: 'crash',
        });
      } catch {
        // Forgotten already.
      }
    },
    terminateWaiting: operate('terminateChild', 'waiting'),
    stopFromInside: (trees, draw) => {
      const told = draw(3) === 0 ? handleOf(trees, draw)?.tell({ type: 'stopAll' }) : undefined;
      if (told === 'sent') trees.stage.reached('stopped from inside');
    },
  },
  leans: [
    { commands: { crash: 4, kill: 1 }, paces: ['settled', 1, 7], faults: {} },
    { commands: { crash: 1 }, paces: ['settled', 7], faults: {} },
    { commands: { wear: 3, terminateWaiting: 2 }, paces: ['settled', 1], faults: {} },
    { commands: { crash: 3, terminateWaiting: 4, stop: 1 }, paces: ['settled', 1, 7], faults: {} },
    { commands: { stopFromInside: 1, crash: 1 }, faults: {} },
  ],
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
    'stopped from inside',
    'an init came too late',
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
  converged: {
    'what came too late is closed once': ({ acquired }) => acquired.left[0],
    'nothing is left': ({ system }, stage) => leftOver(system, stage),
  },
};
