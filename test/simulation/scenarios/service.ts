/**
 * A whole service: an application with resources around a tree of pool, breaker, recovery and servers, while its upstream is
 * sick, its workers die, its actors crash and somebody stops it: during boot, twice, or never.
 */
import { type Application, application, type StopReport } from '../../../src/application/application.ts';
import { resource } from '../../../src/application/resource.ts';
import { actor } from '../../../src/kernel/actor.ts';
import { server } from '../../../src/kernel/server.ts';
import type { Spec } from '../../../src/kernel/spec.ts';
import { recovery } from '../../../src/recovery/recovery.ts';
import { circuitBreaker } from '../../../src/resilience/circuit-breaker-spec.ts';
import { supervisor } from '../../../src/supervision/supervisor.ts';
import { faultsAt } from '../../../src/testing/faults.ts';
import { type ScriptedKind, scriptedWorkers } from '../../../src/testing/scripted-worker.ts';
import type { Draw, Scenario, Stage } from '../../../src/testing/simulation.ts';
import { pool } from '../../../src/work/pool.ts';
import { follow, Living, leftOver, listen, type Outcome } from './ledger.ts';

const DEADLINE_MS = 8_000;
/** Late timers and a stall, beyond the deadline. */
const SLACK_MS = 400;
const OPEN_MS = 1_000;
const QUIET_MS = 90_000;
const RESOURCES = ['database', 'http'] as const;

/** What stands, and in what order it was opened and closed. */
class Ledger {
  readonly open = new Set<string>();
  readonly opened = new Map<string, number>();
  readonly closed = new Map<string, number>();
}

const specsOf = (kind: ScriptedKind, stage: Stage, log: { sick: boolean }) => {
  const jobs = pool('jobs', {
    worker: kind,
    size: 2,
    jobTimeoutMs: 600,
    startTimeoutMs: 400,
    cancelGraceMs: 40,
    closeGraceMs: 40,
    shutdownMs: 2_000,
    crashLoop: { crashes: 4 },
    replaceBackoff: { baseMs: 20, maxMs: 300 },
  });
  const gate = circuitBreaker('gate', {
    openMs: OPEN_MS,
    window: { kind: 'consecutive', failures: 2 },
    watchdogMs: 900,
  });
  const mend = recovery('mend', {
    playbook: [{ subjects: '**', retry: () => 'well', failover: { other: () => 'well' } }],
    retryBackoff: { baseMs: 30, maxMs: 200 },
    shutdownMs: 1_000,
  });
  const front = actor(
    'front',
    server({
      init: () => ({ asked: 0 }),
      call: {
        ask: (state, _message: unknown, context) => {
          state.asked += 1;
          const answer = context.get(gate).execute(async () => {
            if (log.sick) throw new Error('upstream sick');
            return await context.get(jobs).run('price', {});
          });
          const request = context.later();
          return answer.then(
            (value) => request.reply(value),
            (error: unknown) => request.refuse(error),
          );
        },
      },
      cast: {
        crash: () => {
          throw new Error('told to');
        },
      },
      terminate: async () => {
        if (stage.choose(10, 'slow terminate') === 9)
          await new Promise<void>((resolve) => stage.host.timer(12_000, 'slow terminate', resolve));
      },
    }),
    { shutdownMs: 500 },
  );
  const tree = supervisor('shop', {
    strategy: (['rest_for_one', 'one_for_one', 'one_for_all'] as const)[stage.option(3)] ?? 'rest_for_one',
    intensity: [20, 3, 1][stage.option(3)] ?? 20,
    periodMs: 5_000,
    backoff: false,
    children: [gate, jobs, mend, front] as readonly Spec<unknown>[],
  });
  return { jobs, gate, mend, front, tree };
};

export interface Service {
  readonly specs: ReturnType<typeof specsOf>;
  readonly kind: ScriptedKind;
  readonly ledger: Ledger;
  readonly upstream: { sick: boolean };
  readonly asked: Outcome[];
  readonly living: Living;
  readonly recovering: Map<string, string>;
  readonly reports: Set<StopReport>;
  app: Application | undefined;
  boot: Outcome;
  stopBegan: number | undefined;
  rootGaveUp: boolean;
}

const resourcesOf = (world: Pick<Service, 'ledger'>, tree: Spec<unknown>, stage: Stage) => {
  const { ledger } = world;
  const wait = (label: string, ms: number) =>
    new Promise<void>((resolve) => stage.host.timer(ms, label, resolve));
  const made = (id: (typeof RESOURCES)[number], needs: readonly string[]) => ({
    open: async ({ app }: { readonly app: Application }) => {
      for (const needed of needs)
        if (!ledger.open.has(needed)) stage.violated('opened after what it needs', `${id} before ${needed}`);
      const fate = stage.choose(40, `open ${id}`);
      if (fate === 39) throw new Error(`no ${id}`);
      if (fate === 38) await wait(`slow ${id}`, 3_000);
      ledger.open.add(id);
      ledger.opened.set(id, (ledger.opened.get(id) ?? 0) + 1);
      return app;
    },
    drain: async () => {
      if (stage.choose(8, `drain ${id}`) === 7) await wait(`slow drain ${id}`, 20_000);
    },
    close: async (app: Application) => {
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
    living: new Living(),
    recovering: new Map(),
    reports: new Set(),
    app: undefined,
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
      hear(world, app, stage);
      void app.stopped.then((report) => stopped(world, report, stage));
    }),
    ({ status, error }) => {
      if (status === 'rejected') stage.reached('did not start');
      if (status === 'rejected' && error?.code !== 'ERR_APP_START')
        stage.violated('a failed boot says so', `${error}`);
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
  const { app } = world;
  if (app === undefined) return;
  stage.reached('stopped in the midst');
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
      if (draw(5) === 0) stop(world, stage);
    },
  },
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
    if (app === undefined) return;
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
    'nothing is left': ({ app }, stage) => (app === undefined ? undefined : leftOver(app.system, stage)),
  },
};
