/**
 * The application: a tree of actors and the resources around it, booted, watched and ended in phases.
 *
 * Invariants: `stop` is a latch: whoever asks, however often, during boot or after the root gave up, there is one sequence
 * and one report. Everything ends within the deadline; what did not is named among the survivors.
 */
import {
  type ApplicationEvent,
  type ApplicationStanding,
  type ApplicationTask,
  applicationMachine,
} from '../../actors/application.machine.ts';
import { createError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import { fits, listOf, ms, object, oneOf, refuse, resolveOptions } from '../base/options.ts';
import type { EventStream } from '../base/telemetry.ts';
import { compileChart } from '../chart/compile.ts';
import { ChartRunner, stepNews } from '../chart/runner.ts';
import { describeReason, type ExitReason, errorIn } from '../kernel/reason.ts';
import { showRef } from '../kernel/ref.ts';
import { isSpec, type Spec } from '../kernel/spec.ts';
import { createSystem, type System, type SystemOfActors } from '../kernel/system.ts';
import type { TreeNode } from '../kernel/tree.ts';
import { checkTree } from '../supervision/dependencies.ts';
import { type Health, healthOf } from './health.ts';
import { isHealthMonitor, type MonitorInApplication } from './health-monitor.ts';
import { OpenResources } from './open-resources.ts';
import { isResource, type Order, orderOf, type Resource } from './resource.ts';
import { type RunOptions, runApplication } from './run.ts';
import { createReport, type StopReport } from './stop-report.ts';

export type { StopReport } from './stop-report.ts';

/** Options of {@link application}. Times in ms. */
export interface ApplicationOptions {
  /** What is opened and closed around the tree. */
  readonly resources?: readonly Resource[];
  /** How long an orderly end may take, all told. Default 25,000: below Kubernetes' 30 s. */
  readonly deadlineMs?: number;
  /** How long it goes on serving, not ready any more, before it drains. Default 0. */
  readonly drainDelayMs?: number;
  /** Default: the real one. */
  readonly host?: Host;
  /** `'async'` carries AsyncLocalStorage by message and names the owners of stray errors; it costs. Default `'none'`. */
  readonly context?: 'none' | 'async';
}

/** A running application. `await using` stops it. */
export interface Application extends AsyncDisposable {
  readonly name: string;
  readonly system: System;
  readonly events: EventStream;
  /** The handle of a spec of its tree; it follows restarts. @throws ERR_SPEC_UNKNOWN */
  get<H>(spec: Spec<H>): H;
  /** What a resource opened. @throws ERR_RESOURCE_OPEN */
  resource<T>(resource: Resource<T>): T;
  tree(): readonly TreeNode[];
  /** The live tree as text. */
  drawTree(options?: { readonly colour?: boolean }): string;
  health(): Health;
  /** Ends it in phases. Every call awaits the one sequence and has the one report. */
  stop(reason?: ExitReason): Promise<StopReport>;
  /** Settles when it has ended, whoever ended it. */
  readonly stopped: Promise<StopReport>;
}

/** An application to be: plain data and two verbs. */
export interface ApplicationSpec {
  readonly tree: Spec<unknown>;
  readonly resources: readonly Resource[];
  readonly deadlineMs: number;
  readonly drainDelayMs: number;
  /** Resolves when everything has started. What had started is undone when something does not. @throws ERR_APP_START */
  start(): Promise<Application>;
  /** Starts it, owns signals and stray errors, and sets the exit code: 0 clean, 1 failed, 3 survivors, 128+n twice signalled. */
  run(options?: RunOptions): Promise<StopReport>;
}

const FIELDS = {
  resources: listOf(fits<Resource>('a resource', isResource, 'resources')),
  deadlineMs: ms(1),
  drainDelayMs: ms(0),
  host: object<Host>('a Host'),
  context: oneOf('none', 'async'),
};

/** design §8. */
export const APPLICATION_DEFAULTS = Object.freeze({
  deadlineMs: 25_000,
  drainDelayMs: 0,
  context: 'none',
  resources: [],
} as const);

/** The share of the deadline kept back for killing and closing. */
const RESERVE = 0.1;
/** The share in which intake must have drained: the tree needs some of the rest to stop in order. */
const DRAIN_SHARE = 0.6;

const chart = compileChart(applicationMachine);

const specsOf = (tree: Spec<unknown>): ReadonlySet<Spec<unknown>> => {
  const places = new Map<Spec<unknown>, string>();
  const walk = (spec: Spec<unknown>, path: string) => {
    const first = places.get(spec);
    if (first !== undefined) throw createError('ERR_SPEC_DUPLICATE', { id: spec.id, first, second: path });
    places.set(spec, path);
    for (const child of spec.children) walk(child, `${path}/${child.id}`);
  };
  walk(tree, tree.id);
  return new Set(places.keys());
};

interface Resolved {
  readonly tree: Spec<unknown>;
  readonly order: Order;
  readonly monitors: readonly Spec<unknown>[];
  readonly deadlineMs: number;
  readonly drainDelayMs: number;
  readonly host: Host | undefined;
  readonly context: 'none' | 'async';
}

class RunningApplication implements Application {
  readonly system: SystemOfActors;
  readonly stopped: Promise<StopReport>;
  readonly #spec: Resolved;
  readonly #resources: OpenResources;
  readonly #runner: ChartRunner<ApplicationEvent>;
  readonly #abortBoot = new AbortController();
  #standing: ApplicationStanding = { phase: 'idle', serving: false, ending: false };
  #reason: ExitReason = 'shutdown';
  #deadline = Number.POSITIVE_INFINITY;
  #stopBegan = 0;
  #timers: Timer[] = [];
  #settleBoot!: (error?: unknown) => void;
  #settleStop!: (report: StopReport) => void;
  readonly #booted: Promise<void>;

  constructor(spec: Resolved) {
    this.#spec = spec;
    const { host, context } = spec;
    this.system = createSystem({ context, ...(host === undefined ? {} : { host }) }) as SystemOfActors;
    this.#resources = new OpenResources(this, this.system.host, this.events);
    this.stopped = new Promise((resolve) => {
      this.#settleStop = resolve;
    });
    this.#booted = new Promise((resolve, reject) => {
      this.#settleBoot = (error) => (error === undefined ? resolve() : reject(error));
    });
    this.#runner = new ChartRunner({
      chart,
      perform: {
        stand: (standing) => this.#stand(standing),
        perform: ({ task }) => this.#perform(task),
      },
      onStep: stepNews(this.events, `application ${this.name}`),
    }) as ChartRunner<ApplicationEvent>;
    this.#runner.start();
  }

  get name(): string {
    return this.#spec.tree.id;
  }

  get events(): EventStream {
    return this.system.events;
  }

  get<H>(spec: Spec<H>): H {
    return this.system.get(spec);
  }

  resource<T>(resource: Resource<T>): T {
    return this.#resources.valueOf(resource as Resource) as T;
  }

  tree(): readonly TreeNode[] {
    return this.system.tree();
  }

  drawTree(options?: { readonly colour?: boolean }): string {
    return this.system.drawTree(options);
  }

  health(): Health {
    const views = this.#monitors().map((monitor) => monitor.view());
    return healthOf(this.tree(), this.#standing, views);
  }

  boot(): Promise<void> {
    this.#runner.send({ type: 'boot' });
    return this.#booted;
  }

  stop(reason: ExitReason = 'shutdown'): Promise<StopReport> {
    this.#beginEnd(reason);
    this.#runner.send({ type: 'stop.wanted' });
    return this.stopped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Those of the tree that stand somewhere by now. */
  #monitors(): readonly MonitorInApplication[] {
    return this.#spec.monitors.flatMap((spec) => {
      const handle = this.system.findPlace(spec)?.handle as MonitorInApplication | undefined;
      return handle === undefined ? [] : [handle];
    });
  }

  #stand(standing: ApplicationStanding): void {
    this.#standing = standing;
    const leftMs = this.#deadline - this.system.host.monotonic();
    const ending = leftMs === Number.POSITIVE_INFINITY ? {} : { leftMs };
    this.events.emit('app.phase_entered', { path: this.name, phase: standing.phase, ...ending });
  }

  /** The clock of the end starts once, for whatever reason comes first. */
  #beginEnd(reason: ExitReason): void {
    if (this.#deadline !== Number.POSITIVE_INFINITY) return;
    const { host } = this.system;
    this.#reason = reason;
    this.#stopBegan = host.monotonic();
    this.#deadline = this.#stopBegan + this.#spec.deadlineMs;
    this.#after(this.#spec.deadlineMs * (1 - RESERVE), { type: 'deadline.passed' });
  }

  #after(delayMs: number, event: ApplicationEvent): void {
    this.#timers.push(this.system.host.timer(delayMs, event.type, () => this.#runner.send(event)));
  }

  get #drainUntil(): number {
    return this.#stopBegan + this.#spec.deadlineMs * DRAIN_SHARE;
  }

  get #orderlyUntil(): number {
    return this.#stopBegan + this.#spec.deadlineMs * (1 - RESERVE);
  }

  #perform(task: ApplicationTask): void {
    const tasks: Record<ApplicationTask, () => void> = {
      boot: () => void this.#boot(),
      abort_boot: () => this.#abortBoot.abort(),
      wait: () => this.#after(this.#spec.drainDelayMs, { type: 'delay.elapsed' }),
      drain: () => this.#then(this.#resources.drain(this.#drainUntil), { type: 'drained' }),
      stop: () => this.#then(this.#stopTree(this.#orderlyUntil), { type: 'tree.stopped' }),
      force: () => this.#then(this.#stopTree(this.system.host.monotonic()), { type: 'tree.stopped' }),
      close: () => this.#then(this.#resources.close(this.#deadline), { type: 'closed' }),
      finish: () => this.#finish(),
    };
    tasks[task]();
  }

  #then(work: Promise<void>, event: ApplicationEvent): void {
    work.then(() => this.#runner.send(event));
  }

  async #boot(): Promise<void> {
    const { tree, order } = this.#spec;
    const { signal } = this.#abortBoot;
    try {
      for (const item of order.beforeTree) await this.#resources.open(item, signal);
      await this.#startTree(tree, signal);
      for (const item of order.afterTree) await this.#resources.open(item, signal);
      this.#runner.send({ type: 'booted' });
      if (this.#standing.ending) this.#settleBoot(this.#startError(undefined));
      else this.#settleBoot();
    } catch (error) {
      this.#beginEnd({ error });
      this.#runner.send({ type: 'boot.failed' });
      this.stopped.then(() => this.#settleBoot(this.#startError(error)));
    }
  }

  /** Why it did not start: what came first, not what came of it. */
  #startError(cause: unknown): Error {
    const stopped = this.#reason === 'shutdown';
    const reason = stopped ? 'it was stopped while it started' : describeReason(this.#reason);
    return createError(
      'ERR_APP_START',
      { app: this.name, reason },
      { cause: errorIn(this.#reason) ?? cause },
    );
  }

  async #startTree(tree: Spec<unknown>, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw createError('ERR_STOPPING', { target: this.name });
    const onAbort = () =>
      void this.system.shutdown({
        timeoutMs: Math.max(0, this.#orderlyUntil - this.system.host.monotonic()),
      });
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await this.system.start(tree);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    for (const monitor of this.#monitors()) monitor.onExit((error) => void this.stop({ error }));
    const root = this.system.placeAt(tree.id)?.cell;
    if (root !== undefined) this.system.whenEnded(root).then((reason) => this.#rootEnded(reason));
  }

  #rootEnded(reason: ExitReason): void {
    if (this.#standing.ending) return;
    this.#beginEnd(reason);
    this.#runner.send({ type: 'root.ended' });
  }

  async #stopTree(until: number): Promise<void> {
    const left = Math.max(0, until - this.system.host.monotonic());
    await this.system.shutdown({ timeoutMs: left });
  }

  #finish(): void {
    for (const timer of this.#timers) timer.cancel();
    const stragglers = this.system.stragglers().map((ref) => `handler of ${showRef(ref)}`);
    const report = createReport({
      reason: this.#reason,
      survivors: [...stragglers, ...this.#resources.survivors],
      durationMs: this.system.host.monotonic() - this.#stopBegan,
    });
    this.events.emit('app.stopped', { path: this.name, ...report });
    this.#settleStop(report);
  }
}

/**
 * An application of a tree and its resources. Nothing starts before `start()` or `run()`.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN, ERR_SPEC_DUPLICATE, ERR_SPEC_UNKNOWN, ERR_DEPENDENCY_UNKNOWN,
 * ERR_DEPENDENCY_ORDER
 */
export const application = (
  tree: Spec<never> | Spec<unknown>,
  options: ApplicationOptions = {},
): ApplicationSpec => {
  if (!isSpec(tree)) refuse('application', 'tree', 'a spec', tree);
  const root = tree;
  const where = `application ${root.id}`;
  const { resources, host, context, deadlineMs, drainDelayMs } = resolveOptions(
    where,
    options,
    FIELDS,
    APPLICATION_DEFAULTS,
  );
  const specs = specsOf(root);
  checkTree(where, root);
  const order = orderOf(where, resources, (spec) => specs.has(spec));
  const monitors = [...specs].filter(isHealthMonitor);
  const resolved: Resolved = { tree: root, order, monitors, deadlineMs, drainDelayMs, host, context };
  if (drainDelayMs >= deadlineMs)
    refuse(where, 'drainDelayMs', `less than deadlineMs (${deadlineMs})`, drainDelayMs);
  const start = async (): Promise<Application> => {
    const app = new RunningApplication(resolved);
    await app.boot();
    return app;
  };
  return Object.freeze({
    tree: root,
    resources: [...order.beforeTree, ...order.afterTree],
    deadlineMs,
    drainDelayMs,
    start,
    run: (runOptions: RunOptions = {}) => {
      const app = new RunningApplication(resolved);
      return runApplication(app, () => app.boot(), runOptions);
    },
  });
};
