/**
 * A whole service: an application with resources around a tree of pool, breaker, recovery and servers, while its upstream is
 * sick, its workers die, its actors crash and somebody stops it: during boot, twice, or never.
 */
import { type Application, application, type StopReport } from '../../../src/application/application.ts';
import { resource } from '../../../src/application/resource.ts';
import type { Spec } from '../../../src/kernel/spec.ts';
import { faultsAt } from '../../../src/testing/faults.ts';
import { type ScriptedKind, scriptedWorkers } from '../../../src/testing/scripted-worker.ts';
import type { Draw, Scenario, Stage } from '../../../src/testing/simulation.ts';
import { follow, Living, leftOver, listen, type Outcome } from './ledger.ts';
import { OPEN_MS, specsOf } from './shop.ts';

const DEADLINE_MS = 8_000;
/** Late timers and a stall, beyond the deadline. */
const SLACK_MS = 400;
const QUIET_MS = 60_000;
const RESOURCES = ['database', 'http'] as const;

/** What stands, and in what order it was opened and closed. */
class Ledger {
  readonly open = new Set<string>();
  readonly opened = new Map<string, number>();
  readonly closed = new Map<string, number>();
}

export interface Service {
  readonly specs: ReturnType<typeof specsOf>;
  readonly kind: ScriptedKind;
  readonly ledger: Ledger;
  readonly upstream: { sick: boolean };
  readonly asked: Outcome[];
  /** Resources whose opening was broken off, and came through all the same. */
  readonly late: Set<string>;
  readonly living: Living;
  readonly recovering: Map<string, string>;
  readonly reports: Set<StopReport>;
  app: Application | undefined;
  /** The same from the moment at which a resource sees it: it boots. */
  booting: Application | undefined;
  boot: Outcome;
  stopBegan: number | undefined;
  rootGaveUp: boolean;
}

const resourcesOf = (world: Service, tree: Spec<unknown>, stage: Stage) => {
  const { ledger } = world;
  const wait = (label: string, ms: number) =>
    new Promise<void>((resolve) => stage.host.timer(ms, label, resolve));
  const made = (id: (typeof RESOURCES)[number], needs: readonly string[]) => ({
    open: async ({ app, signal }: { readonly app: Application; readonly signal: AbortSignal }) => {
      if (world.booting === undefined) {
        world.booting = app;
        hear(world, app, stage);
        void app.stopped.then((report) => stopped(world, report, stage));
      }
      for (const needed of needs)
        if (!ledger.open.has(needed)) stage.violated('opened after what it needs', `${id} before ${needed}`);
      const fate = stage.choose(24, `open ${id}`);
      if (fate === 23) throw new Error(`no ${id}`);
      if (fate === 22) await wait(`slow ${id}`, 3_000);
      if (fate > 16 && fate < 22) await wait(`slow ${id}`, 400);
      if (signal.aborted) world.late.add(id);
      ledger.open.add(id);
      ledger.opened.set(id, (ledger.opened.get(id) ?? 0) + 1);
      return app;
    },
    drain: async () => {
      if (stage.choose(8, `drain ${id}`) === 7) await wait(`slow drain ${id}`, 20_000);
    },
    close: async (app: Application) => {
      if (world.late.has(id)) stage.reached('a late open was closed');
      if (id === 'database' && app.system.tree().length > 0)
        stage.violated('dependants close first', 'the database before the tree');
      ledger.closed.set(id, (ledger.closed.get(id) ?? 0) + 1);
      if ((ledger.closed.get(id) ?? 0) > (ledger.opened.get(id) ?? 0))
        stage.violated('closed exactly once', `${id}: ${ledger.closed.get(id)} times`);
      if (id === 'database' && ledger.open.has('http'))
        stage.violated('dependants close first', 'the database before http');
      ledger.open.delete(id);
      const fate = stage.choose(8, `close ${id}`);
      if (fate === 7) await wait(`slow close ${id}`, 20_000);
      if (fate === 6) throw new Error(`bad close of ${id}`);
    },
  });
  const database = resource('database', { ...made('database', []), openTimeoutMs: 2_000 });
  const http = resource('http', {
    ...made('http', ['database']),
    dependsOn: [tree, database],
    openTimeoutMs: 2_000,
  });
  return [http, database];
};

const stopped = (world: Service, report: StopReport, stage: Stage): void => {
  world.reports.add(report);
  if (world.reports.size > 1) stage.violated('one end, one report', 'there are two');
  if (report.durationMs > DEADLINE_MS + SLACK_MS)
    stage.violated('ends within the deadline', `${report.durationMs} ms`);
  if (report.survivors.length > 0) stage.reached('survivors are named');
};

const setUp = (stage: Stage): Service => {
  const upstream = { sick: false };
  const kind = scriptedWorkers({
    job: () => ({ do: 'succeed', afterMs: [2, 0, 50][stage.choose(3, 'job')] ?? 2 }),
  });
  const specs = specsOf(kind, stage, upstream);
  const world: Service = {
    specs,
    kind,
    ledger: new Ledger(),
    upstream,
    asked: [],
    late: new Set(),
    living: new Living(),
    recovering: new Map(),
    reports: new Set(),
    app: undefined,
    booting: undefined,
    boot: { status: 'pending' },
    stopBegan: undefined,
    rootGaveUp: false,
  };
  const spec = application(specs.tree, {
    host: stage.host,
    resources: resourcesOf(world, specs.tree as Spec<unknown>, stage),
    deadlineMs: DEADLINE_MS,
    drainDelayMs: [0, 300][stage.option(2)] ?? 0,
  });
  world.boot = follow(
    spec.start().then((app) => {
      world.app = app;
    }),
    ({ status }) => {
      if (status === 'rejected') stage.reached('did not start');
    },
  );
  return world;
};

const hear = (world: Service, app: Application, stage: Stage): void => {
  const { living, recovering } = world;
  listen(app.system, stage, {
    'actor.started': ({ path, incarnation }) => living.started(path, incarnation, stage),
    'actor.ended': ({ path, incarnation }) => living.ended(path, incarnation),
    'breaker.opened': () => stage.reached('the breaker opened'),
    'breaker.closed': () => stage.reached('the breaker closed'),
    'pool.degraded': () => stage.reached('the pool was degraded'),
    'recovery.started': ({ subject, recovery: id }) => {
      const other = recovering.get(subject);
      if (other !== undefined && other !== id) stage.violated('one recovery a subject', subject);
      recovering.set(subject, id);
    },
    'recovery.ended': ({ subject, outcome }) => {
      recovering.delete(subject);
      stage.reached(`recovery ${outcome}`);
    },
    'supervisor.child.restarted': () => {
      if (world.stopBegan !== undefined) stage.reached('a restart met a stop');
    },
    'supervisor.gave_up': ({ path }) => {
      if (path === 'shop') {
        world.rootGaveUp = true;
        stage.reached('the root gave up');
      }
    },
    'app.phase_entered': ({ phase }) => {
      if (phase === 'draining') world.stopBegan ??= stage.host.monotonic();
    },
  });
};

const ask = (world: Service, stage: Stage): void => {
  const { app, specs, asked } = world;
  if (app === undefined) return;
  asked.push(
    follow(app.get(specs.front).call({ type: 'ask' }, { timeoutMs: 2_000 }), ({ status, error }) => {
      stage.reached(status === 'fulfilled' ? 'served' : `asked: ${error?.code ?? 'error'}`);
    }),
  );
};

const stop = (world: Service, stage: Stage): void => {
  const app = world.app ?? world.booting;
  if (app === undefined) return;
  stage.reached(world.boot.status === 'pending' ? 'stopped while it booted' : 'stopped in the midst');
  for (const end of [app.stop(), app.stop({ error: new Error('again') })])
    void end.then((report) => stopped(world, report, stage));
};

export const service: Scenario<Service> = {
  name: 'service',
  setUp,
  faults: {
    points: faultsAt(
      'actor.before',
      'actor.after',
      'mailbox.delay',
      'timer.late',
      'host.stall',
      'worker.start',
      'worker.job',
      'worker.close',
      'worker.kill',
    ),
    only: (subject, point) => !point.startsWith('actor.') || subject !== 'shop',
  },
  maxCommands: 16,
  weights: { ask: 5, sicken: 2, heal: 2 },
  commands: {
    ask: (world, _draw, stage) => ask(world, stage),
    burst: (world, draw, stage) => {
      for (let times = draw(6); times >= 0; times--) ask(world, stage);
    },
    sicken: ({ upstream }) => {
      upstream.sick = true;
    },
    heal: ({ upstream }) => {
      upstream.sick = false;
    },
    crash: ({ app, specs }) => app?.get(specs.front).tell({ type: 'crash' }),
    kill: ({ app, specs }, draw) => {
      const target = [specs.front, specs.jobs, specs.mend, specs.gate][draw(4)] ?? specs.front;
      if (app !== undefined)
        app.system.exit(app.get(target as Spec<{ readonly path: string; ref(): undefined }>), 'kill');
    },
    killWorker: ({ kind }, draw) =>
      kind.live[draw(Math.max(1, kind.live.length))]?.exit({ signal: 'SIGSEGV' }),
    report: ({ app, specs, asked }, draw) => {
      if (app === undefined) return;
      const code = ['ECONNREFUSED', 'ETIMEDOUT'][draw(2)] ?? 'ETIMEDOUT';
      const subject = ['shop/jobs', 'shop/gate'][draw(2)] ?? 'shop/jobs';
      asked.push(follow(app.get(specs.mend).handle(Object.assign(new Error(code), { code }), { subject })));
    },
    stop: (world, draw: Draw, stage) => {
      if (draw(3) === 0) stop(world, stage);
    },
    session: ({ app, specs, asked }, draw, stage) => {
      if (app === undefined) return;
      const sessions = app.get(specs.sessions);
      const key = ['x', 'y', 'z'][draw(3)] ?? 'x';
      const began = (): void => stage.reached('a session began');
      if (draw(3) === 0) asked.push(follow(sessions.terminateChild(key)));
      else
        asked.push(
          follow(sessions.startChild(key), ({ status }) => (status === 'fulfilled' ? began() : undefined)),
        );
    },
    crashClerk: ({ app, specs }, draw) =>
      app?.get(specs.clerks[draw(2)] ?? specs.clerks[0]).tell({ type: 'crash' }),
    killSession: ({ app, specs }, draw) => {
      const child = app?.get(specs.sessions).child(['x', 'y', 'z'][draw(3)] ?? 'x');
      if (app !== undefined && child !== undefined) app.system.exit(child as never, 'kill');
    },
  },
  leans: [
    { commands: { ask: 3, sicken: 1, heal: 1, burst: 1 }, paces: [1, 45, 300, 2_500] },
    { commands: { stop: 2, ask: 2 }, paces: ['at_once', 1, 45] },
    { commands: { ask: 4, crash: 3 }, paces: ['at_once', 1], faults: {} },
    { commands: { kill: 2, ask: 4, crash: 1 }, paces: ['at_once', 1, 45], faults: {} },
    { commands: { session: 4, crashClerk: 2, killSession: 2, stop: 1 }, paces: [1, 7, 300] },
  ],
  always: {
    'closed what was opened': ({ ledger }) =>
      RESOURCES.some((id) => (ledger.closed.get(id) ?? 0) > (ledger.opened.get(id) ?? 0))
        ? 'too often'
        : undefined,
    'a stopping service is not ready': ({ app, stopBegan }) =>
      app !== undefined && stopBegan !== undefined && app.health().ready ? 'it says it is' : undefined,
  },
  sometimes: [
    'served',
    'the breaker opened',
    'the breaker closed',
    'recovery recovered',
    'stopped in the midst',
    'survivors are named',
    'the root gave up',
    'did not start',
    'stopped while it booted',
    'a late open was closed',
    'a session began',
    'asked: ERR_BREAKER_OPEN',
    'asked: ERR_CALLEE_ENDED',
  ],
  heal: async (world, stage) => {
    const rest = (ms: number) => new Promise<void>((resolve) => stage.host.timer(ms, 'rest', resolve));
    world.upstream.sick = false;
    await rest(QUIET_MS);
    const { app, boot, asked, specs, kind } = world;
    if (boot.status === 'pending') stage.violated('a boot settles', 'it does not');
    if (asked.some(({ status }) => status === 'pending'))
      stage.violated('every call settles', 'one does not');
    if (app === undefined) {
      await rest(30_000);
      return;
    }
    if (world.reports.size === 0 && !world.rootGaveUp) {
      let served = false;
      for (let round = 0; round < 10 && !served; round++) {
        const again = follow(app.get(specs.front).call({ type: 'ask' }, { timeoutMs: 2_000 }));
        await rest(OPEN_MS + 2_000);
        served = again.status === 'fulfilled';
      }
      if (!served) stage.violated('liveness', `it serves no more\n${app.drawTree()}`);
    }
    if (world.rootGaveUp && world.reports.size === 0)
      stage.violated('a root that gave up ends the application', 'no');
    stopped(world, await app.stop(), stage);
    await rest(30_000);
    if (kind.live.length > 0) stage.violated('no worker lives', `${kind.live.length}`);
  },
  converged: {
    'every resource is closed exactly once': ({ ledger }) => {
      const wrong = RESOURCES.filter((id) => ledger.opened.get(id) !== ledger.closed.get(id));
      return wrong.length === 0 ? undefined : wrong.join();
    },
    'nothing is left': ({ booting }, stage) =>
      booting === undefined ? undefined : leftOver(booting.system, stage),
  },
};
