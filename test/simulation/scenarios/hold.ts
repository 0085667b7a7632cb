/**
 * Supervisors whose children depend on a breaker that opens, half-opens, is isolated and dies, while they crash, fail to start,
 * are operated on and killed. What the hold promises: it ends, it spends nothing, and it lets out one at a time.
 */
import { actor } from '../../../src/kernel/actor.ts';
import type { ActorContext } from '../../../src/kernel/logic.ts';
import { server } from '../../../src/kernel/server.ts';
import type { Spec } from '../../../src/kernel/spec.ts';
import { createSystem, type System } from '../../../src/kernel/system.ts';
import { type BreakerHandle, circuitBreaker } from '../../../src/resilience/circuit-breaker-spec.ts';
import {
  type DynamicSupervisorHandle,
  dynamicSupervisor,
} from '../../../src/supervision/dynamic-supervisor.ts';
import { supervisor } from '../../../src/supervision/supervisor.ts';
import type { SupervisorHandle } from '../../../src/supervision/supervisor-handle.ts';
import { faultsAt } from '../../../src/testing/faults.ts';
import type { Draw, Scenario, Stage } from '../../../src/testing/simulation.ts';
import { cellAt, follow, leftOver, listen, type Outcome } from './ledger.ts';

const STRATEGIES = ['one_for_one', 'one_for_all', 'rest_for_one'] as const;
const OPEN_MS = 1_000;
const PERIOD_MS = 60_000;
const SLOW_MS = 300;
/** How long a supervisor may be at other work before it sees to the end of a hold. */
const BUSY_MS = 10_000;
const QUIET_MS = 150_000;
const CREW = 'root/crew';
const SWARM = 'root/swarm';
const IDS = ['a', 'b', 'c'] as const;

interface Held {
  readonly sinceMs: number;
}

class Company {
  readonly system: System;
  readonly stage: Stage;
  readonly intensity: number;
  readonly holdMaxMs: number;
  readonly upstream: Spec<BreakerHandle>;
  readonly crew: Spec<SupervisorHandle>;
  readonly swarm: Spec<DynamicSupervisorHandle>;
  readonly root: Spec<SupervisorHandle>;
  readonly dependants = new Set<string>();
  readonly outcomes: Outcome[] = [];
  readonly isolations: (() => void)[] = [];
  /** Children that are held, and since when. */
  readonly holds = new Map<string, Held>();
  /** Those let out of the line, until they start; and those who start. */
  readonly #released = new Set<string>();
  readonly #starting = new Map<string, number>();
  /** When a supervisor's children failed in a way that may count. */
  readonly #failures = new Map<string, number[]>([
    [CREW, []],
    [SWARM, []],
  ]);

  constructor(stage: Stage) {
    this.stage = stage;
    this.system = createSystem({ host: stage.host });
    const strategy = STRATEGIES[stage.option(3)] ?? 'one_for_one';
    this.intensity = stage.option(3);
    this.holdMaxMs = [60_000, 1_500, 400][stage.option(3)] ?? 60_000;
    this.upstream = circuitBreaker('upstream', {
      window: { kind: 'consecutive', failures: 1 },
      openMs: OPEN_MS,
    });
    const limit = { intensity: this.intensity, periodMs: PERIOD_MS, backoff: false } as const;
    const first = stage.option(3);
    const children = IDS.map((id, index) => this.worker(`${CREW}/${id}`, index !== first));
    this.crew = supervisor('crew', { children, strategy, ...limit });
    this.swarm = dynamicSupervisor('swarm', limit);
    this.root = supervisor('root', {
      children: [this.upstream, this.crew, this.swarm],
      giveUp: 'never',
      backoff: { baseMs: 20, maxMs: 100 },
    });
  }

  get breaker(): BreakerHandle {
    return this.system.get(this.upstream);
  }

  worker(path: string, depends: boolean): Spec<unknown> {
    if (depends) this.dependants.add(path);
    const { stage } = this;
    const spec = actor(
      path.slice(path.lastIndexOf('/') + 1),
      server({
        init: (_input: unknown, context) => this.#init(context),
        cast: {
          crash: () => {
            throw new Error('told to');
          },
          ask: () => this.#ask(),
        },
        terminate: async () => {
          if (stage.choose(8, 'terminate') === 7)
            await new Promise<void>((resolve) => stage.host.timer(SLOW_MS, 'slow end', resolve));
        },
      }),
      {
        shutdownMs: 500,
        initTimeoutMs: 400,
        ...(depends ? { dependsOn: this.upstream, holdMaxMs: this.holdMaxMs } : {}),
      },
    );
    return spec as Spec<unknown>;
  }

  async #init({ path, self }: ActorContext): Promise<object> {
    this.#judgeStart(path, self.incarnation);
    const drawn = this.stage.choose(10, 'init');
    if (drawn === 9) throw new Error('no start');
    if (drawn === 8)
      await new Promise<void>((resolve) => this.stage.host.timer(SLOW_MS, 'slow init', resolve));
    if (drawn === 7) await this.#ask();
    return {};
  }

  async #ask(): Promise<void> {
    await this.breaker.execute(async () => {
      if (this.stage.choose(2, 'upstream') === 1) throw new Error('upstream is down');
    });
  }

  #judgeStart(path: string, incarnation: number): void {
    if (this.holds.has(path)) this.stage.violated('no start while held', path);
    if (!this.#released.delete(path)) return;
    for (const [other, its] of this.#starting) {
      const cell = cellAt(this.system, other);
      if (cell?.ref.incarnation !== its || !cell.starting) this.#starting.delete(other);
      else this.stage.violated('held children start one at a time', `${path} while ${other} does`);
    }
    this.#starting.set(path, incarnation);
  }

  held(path: string): void {
    if (this.holds.has(path)) this.stage.violated('a hold is told once', path);
    this.#released.delete(path);
    this.holds.set(path, { sinceMs: this.stage.host.monotonic() });
    if (this.holds.size > 2) this.stage.reached('three were held');
  }

  released(path: string, why: string): void {
    if (!this.holds.delete(path)) this.stage.violated('a hold is told once', `${path} was not held`);
    this.stage.reached(`released: ${why}`);
    if (why !== 'expired' && why !== 'cancelled') this.#released.add(path);
  }

  /** Whoever was about to start together with it is stopped, and may be started alone later. */
  forgetReleases(parent: string): void {
    for (const path of this.#released) if (path.startsWith(`${parent}/`)) this.#released.delete(path);
  }

  failed(parent: string, path: string): void {
    const isCutOff = this.dependants.has(path) && this.breaker.inspect().verdict === 'refuse';
    if (!isCutOff || cellAt(this.system, this.breaker.path) === undefined) this.countFailure(parent);
    else this.stage.reached('failed while the breaker was open');
  }

  countFailure(parent: string): void {
    this.#failures.get(parent)?.push(this.stage.host.monotonic());
  }

  /** A supervisor of a new incarnation counts anew. */
  anew(path: string): void {
    this.#failures.get(path)?.splice(0);
    this.forgetReleases(path);
  }

  gaveUp(path: string): void {
    const edge = this.stage.host.monotonic() - PERIOD_MS;
    const used = this.#failures.get(path)?.filter((at) => at >= edge).length ?? Number.POSITIVE_INFINITY;
    this.stage.reached('gave up');
    if (used <= this.intensity)
      this.stage.violated('a held child spends no intensity', `${path}: ${used} of ${this.intensity}`);
  }

  /** Those whose start is due. */
  get absent(): readonly string[] {
    const found: string[] = [];
    const walk = (nodes: ReturnType<System['tree']>): void => {
      for (const { path, status, children } of nodes) {
        if (['held', 'restarting', 'backing_off'].includes(status)) found.push(`${path} is ${status}`);
        walk(children);
      }
    };
    walk(this.system.tree());
    return found;
  }

  overdue(): string | undefined {
    const latest = this.stage.host.monotonic() - this.holdMaxMs - BUSY_MS;
    for (const [path, { sinceMs }] of this.holds) if (sinceMs < latest) return `${path} since ${sinceMs}`;
    return undefined;
  }
}

const setUp = async (stage: Stage): Promise<Company> => {
  const company = new Company(stage);
  listen(company.system, stage, {
    'supervisor.child.held': ({ path, child }) => company.held(`${path}/${child}`),
    'supervisor.child.released': ({ path, child, why }) => company.released(`${path}/${child}`, why),
    'supervisor.child.ended': ({ path, child }) => {
      company.forgetReleases(path);
      company.failed(path, `${path}/${child}`);
    },
    // It is seen to later than it is told: by then the breaker may have closed.
    'supervisor.child.start_failed': ({ path }) => {
      company.forgetReleases(path);
      company.countFailure(path);
    },
    'supervisor.gave_up': ({ path }) => company.gaveUp(path),
    'actor.started': ({ path }) => company.anew(path),
    'actor.ended': ({ path }) => company.forgetReleases(path),
  });
  follow(company.system.start(company.root));
  await null;
  return company;
};

const pick = <T>(list: readonly T[], draw: Draw): T => list[draw(list.length)] as T;

const at = (path: string) => ({ path, ref: () => undefined });

/** Tells one of the workers something. */
const tell =
  (type: 'crash' | 'ask') =>
  ({ system, dependants }: Company, draw: Draw): void => {
    system.tell(at(pick([...dependants, `${CREW}/a`, `${CREW}/b`], draw)), { type });
  };

const operate =
  (name: 'terminateChild' | 'restartChild' | 'recycleChild') =>
  (company: Company, draw: Draw): void => {
    const handle = company.system.get(company.crew);
    const id = pick([...IDS, 'd'], draw);
    company.forgetReleases(CREW);
    company.outcomes.push(follow(handle[name](id), () => company.stage.reached(`${name} settled`)));
  };

export const hold: Scenario<Company> = {
  name: 'hold',
  setUp,
  faults: {
    points: faultsAt('actor.before', 'actor.after', 'mailbox.delay', 'timer.late'),
    only: (subject, point) =>
      !point.startsWith('actor.') || !/(?:root|crew|swarm|upstream)$/.test(subject ?? ''),
  },
  weights: { crash: 5, trip: 4, startChild: 2 },
  commands: {
    crash: tell('crash'),
    ask: tell('ask'),
    trip: ({ breaker }) => breaker.fail(new Error('upstream is down')),
    succeed: ({ breaker }) => breaker.succeed(),
    reset: ({ breaker }) => breaker.reset(),
    isolate: ({ breaker, isolations }) => void isolations.push(breaker.isolate()),
    release: ({ isolations }) => isolations.pop()?.(),
    kill: ({ system, dependants }, draw) => {
      const targets = [...dependants, CREW, SWARM, 'root/upstream'];
      system.exit(at(pick(targets, draw)), 'kill');
    },
    terminateChild: operate('terminateChild'),
    restartChild: operate('restartChild'),
    recycleChild: operate('recycleChild'),
    addChild: (company, draw) => {
      const { system, crew, outcomes } = company;
      const spec = company.worker(`${CREW}/${pick(['d', 'e'], draw)}`, true);
      outcomes.push(follow(system.get(crew).startChild(spec)));
    },
    startChild: (company, draw) => {
      const { system, swarm, outcomes, stage } = company;
      const path = `${SWARM}/${pick(['x', 'y', 'z'], draw)}`;
      const spec = company.worker(path, true);
      const isOpen = company.breaker.inspect().verdict === 'refuse';
      const settled = ({ status }: Outcome) => {
        if (isOpen && status === 'fulfilled') stage.reached('a start asked for while open came about');
      };
      outcomes.push(follow(system.get(swarm).startChild(spec), settled));
    },
    terminateDynamic: (company, draw) => {
      company.forgetReleases(SWARM);
      const id = pick(['x', 'y', 'z'], draw);
      company.outcomes.push(follow(company.system.get(company.swarm).terminateChild(id)));
    },
    endBreaker: ({ system, root, outcomes }, draw) => {
      if (draw(2) !== 0) return;
      const handle = system.get(root);
      outcomes.push(follow(handle.terminateChild('upstream').then(() => handle.restartChild('upstream'))));
    },
    stop: ({ system, stage }, draw) => {
      if (draw(6) !== 0) return;
      stage.reached('stopped in the midst');
      follow(system.shutdown());
    },
  },
  leans: [
    { commands: { trip: 4, crash: 4, endBreaker: 2 }, paces: ['settled', 'at_once', 1], faults: {} },
    { commands: { trip: 6, crash: 6, reset: 1 }, paces: ['settled', 1, 7], faults: {} },
    { commands: { trip: 3, crash: 4, stop: 2, terminateChild: 2 }, paces: ['settled', 1], faults: {} },
    { commands: { trip: 2, startChild: 3 }, paces: ['settled', 300, 2_500], faults: {} },
  ],
  always: {
    'every hold ends': (company) => company.overdue(),
  },
  sometimes: [
    'three were held',
    'released: half_opened',
    'released: closed',
    'released: expired',
    'released: cancelled',
    'released: breaker_ended',
    'failed while the breaker was open',
    'gave up',
    'terminateChild settled',
    'restartChild settled',
    'recycleChild settled',
    'a start asked for while open came about',
    'stopped in the midst',
  ],
  heal: async (company, stage) => {
    // Whoever is isolated stays so: no hold needs the breaker to end.
    await new Promise<void>((resolve) => stage.host.timer(QUIET_MS, 'quiet', resolve));
    for (const path of company.holds.keys()) stage.violated('every hold ends', path);
    const absent = company.absent;
    if (absent.length > 0) stage.violated('what was held comes back', absent.join());
    await company.system.shutdown();
    for (const path of company.holds.keys()) stage.violated('every hold ends', `${path} after the stop`);
    const open = company.outcomes.filter(({ status }) => status === 'pending');
    if (open.length > 0) stage.violated('every operation settles', `${open.length} are pending`);
  },
  converged: { 'nothing is left': ({ system }, stage) => leftOver(system, stage) },
};
