/** Scopes alone, one in the other: tasks that obey, dawdle, fail, and hear nothing, and closes at any moment. */
import { createScope, type Scope } from '../../../src/coordination/scope.ts';
import type { ScopeReport } from '../../../src/coordination/scope-report.ts';
import type { TaskContext } from '../../../src/coordination/task.ts';
import { faultsAt } from '../../../src/testing/faults.ts';
import type { Draw, Scenario, Stage } from '../../../src/testing/simulation.ts';
import { follow, type Outcome } from './ledger.ts';

const KINDS = ['lifecycle', 'system', 'background'] as const;
const CLOSE_MS = 600;
const LATE_MS = 400;

interface Watched {
  readonly scope: Scope;
  readonly above: Watched | undefined;
  readonly results: Outcome[];
  readonly reports: ScopeReport[];
  readonly running: Set<TaskContext>;
  /** The kinds that were cancelled, as numbers, in order. */
  readonly cancelled: number[];
  closes: number;
  closingAtMs: number | undefined;
}

interface World {
  readonly scopes: Watched[];
}

const add = (world: World, stage: Stage, above: Watched | undefined, collects: boolean): void => {
  const { host } = stage;
  const scope = createScope({
    host,
    name: `scope ${world.scopes.length}`,
    closeMs: CLOSE_MS,
    onFailure: collects ? 'collect' : 'cancel',
    ...(above === undefined ? {} : { owner: above.scope }),
  });
  scope.events.listen(({ type }) => stage.note(type));
  const watched: Watched = {
    scope,
    above,
    results: [],
    reports: [],
    running: new Set(),
    cancelled: [],
    closes: 0,
    closingAtMs: undefined,
  };
  world.scopes.push(watched);
  scope.onEnd(() => judge(watched, stage));
};

/** What a task does: all but the first are drawn. */
const work = (watched: Watched, stage: Stage) => async (task: TaskContext) => {
  const { host } = stage;
  const { scope, running, cancelled } = watched;
  if (scope.closing) stage.violated('nothing starts once it closes', task.name);
  running.add(task);
  const over = () => running.delete(task);
  const aborted = new Promise<void>((resolve) =>
    task.signal.addEventListener('abort', () => {
      // Not one whose own time passed.
      if (scope.closing && task.signal.reason === scope.signal.reason)
        cancelled.push(KINDS.indexOf(task.kind));
      resolve();
    }),
  );
  const wait = (ms: number) => new Promise<void>((resolve) => host.timer(ms, 'work', resolve));
  try {
    switch (stage.choose(6, 'task')) {
      case 1:
        return await Promise.race([aborted, wait(5_000)]);
      case 2:
        await aborted;
        return await wait(50);
      case 3:
        stage.reached('a task that hears nothing');
        return await wait(20_000);
      case 4:
        await wait(10);
        throw new Error('broken task');
      case 5:
        await aborted;
        throw task.signal.reason;
      default:
        return undefined;
    }
  } finally {
    over();
  }
};

const start = (world: World, draw: Draw, stage: Stage): void => {
  const watched = world.scopes[draw(world.scopes.length)] as Watched;
  const kind = KINDS[draw(3)] ?? 'background';
  const timeoutMs = draw(3) === 0 ? 200 : Number.POSITIVE_INFINITY;
  const was = watched.scope.closing;
  try {
    const task = watched.scope.start(`task ${draw(2)}`, work(watched, stage), { kind, timeoutMs });
    watched.results.push(follow(task.result));
    if (was) stage.violated('nothing starts once it closes', task.name);
  } catch (error) {
    if (!was || (error as { code?: string }).code !== 'ERR_SCOPE_CLOSED') throw error;
    stage.reached('refused');
  }
};

/** At the very moment at which it has closed. */
const judge = (watched: Watched, stage: Stage): void => {
  const { scope, running, results } = watched;
  const report = scope.report();
  if (report.stragglers.length > 0) stage.reached('stragglers');
  const { started, completed, failed, cancelled } = report;
  const straggling = report.stragglers.filter(({ state }) => state === 'straggling').length;
  if (started !== completed + failed + cancelled + straggling)
    stage.violated('every task is counted once', JSON.stringify(report));
  if (running.size > report.stragglers.length)
    stage.violated('who still runs is named', `${running.size}, not ${report.stragglers.length}`);
  void Promise.resolve().then(() => {
    const open = results.filter(({ status }) => status === 'pending').length;
    if (open > 0) stage.violated('every result settles with the scope', `${open} of ${report.scope} do not`);
  });
};

const close = (watched: Watched): void => {
  watched.closes += 1;
  void watched.scope.close().then((report) => watched.reports.push(report));
};

export const scopesAlone: Scenario<World> = {
  name: 'scopes',
  setUp: (stage) => {
    const world: World = { scopes: [] };
    add(world, stage, undefined, stage.option(2) === 0);
    return world;
  },
  faults: { points: faultsAt('timer.late') },
  maxCommands: 20,
  weights: { start: 8 },
  commands: {
    start,
    nest: (world, draw, stage) => {
      if (world.scopes.length < 4) add(world, stage, world.scopes[draw(world.scopes.length)], draw(2) === 0);
    },
    close: ({ scopes }, draw) => {
      if (draw(3) === 0) close(scopes[draw(scopes.length)] as Watched);
    },
  },
  always: {
    'a close ends within its time': ({ scopes }, { host }) => {
      const now = host.monotonic();
      for (const watched of scopes) {
        if (watched.scope.closing) watched.closingAtMs ??= now;
        const { closingAtMs = now, reports, closes, scope } = watched;
        if (closes > 0 && reports.length === 0 && now > closingAtMs + CLOSE_MS + LATE_MS) return scope.name;
      }
      return undefined;
    },
    'kinds are cancelled in their order': ({ scopes }) =>
      scopes.find(({ cancelled }) => cancelled.some((kind, at) => kind < (cancelled[at - 1] ?? 0)))?.scope
        .name,
    'all who close get one report': ({ scopes }) =>
      scopes.find(({ reports }) => reports.some((report) => report !== reports[0]))?.scope.name,
    'what is below a closed scope closes': ({ scopes }) =>
      scopes.find(({ scope, above }) => (above?.reports.length ?? 0) > 0 && !scope.closing)?.scope.name,
  },
  sometimes: ['a task that hears nothing', 'refused', 'stragglers'],
  heal: async ({ scopes }, stage) => {
    const rest = (ms: number) => new Promise<void>((resolve) => stage.host.timer(ms, 'rest', resolve));
    for (const watched of scopes) close(watched);
    await rest(4 * CLOSE_MS + LATE_MS);
    const open = scopes.filter(({ reports }) => reports.length === 0);
    if (open.length > 0) stage.violated('every scope closes', `${open.length} do not`);
    await rest(30_000);
  },
  converged: {
    'no task runs, and none is owned': ({ scopes }) =>
      scopes.find(({ scope, running }) => running.size > 0 || scope.tasks().length > 0)?.scope.name,
  },
};
