/**
 * A scope owns tasks: whatever is started in it has a name, a kind, a deadline and a signal, and is over, or named as a
 * straggler, before the scope is.
 *
 * Invariant: closing is a latch with one report; from its beginning nothing starts, and it ends within its deadline whatever
 * the tasks do. Every result and every error is somebody's: the task's, and the report's. It never touches a task of another
 * scope.
 */
import { type ScopeEvent, scopeMachine, type TaskKind } from '../../actors/scope.machine.ts';
import {
  type AbortListener,
  type AbortSource,
  LazyAbort,
  listenToAbort,
  unlistenToAbort,
} from '../base/abort.ts';
import { deadlineIn, NO_DEADLINE, remainingMs, sooner } from '../base/deadline.ts';
import { createError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import { check, fits, fn, msOrInfinity, object, oneOf, resolveOptions, text } from '../base/options.ts';
import { realHost } from '../base/real-host.ts';
import { EventStream } from '../base/telemetry.ts';
import { compileChart } from '../chart/compile.ts';
import { ChartRunner } from '../chart/runner.ts';
import type { Context } from './context.ts';
import { isFailure, ScopeLedger, type ScopeReport, type TaskReport } from './scope-report.ts';
import {
  type Task,
  type TaskHome,
  type TaskOptions,
  type TaskOutcome,
  type TaskPlan,
  TaskRun,
  type TaskWork,
} from './task.ts';
import { type Counted, censusOf, type TaskCensus } from './task-census.ts';
import { TaskRoll } from './task-roll.ts';

export interface ScopeOptions {
  /** Names it in errors, events and reports. Default `'scope'`. */
  readonly name?: string;
  /** Default: the real one. */
  readonly host?: Host;
  /** Where its events go. Default: a stream of its own. */
  readonly events?: EventStream;
  /**
   * What the first failure of a task does: `cancel` closes the scope; `collect` lets the others run to their end. In both, all
   * failures are in the report. Default `'cancel'`.
   */
  readonly onFailure?: 'cancel' | 'collect';
  /** How long closing takes at most, ms: a third each for lifecycle, system and background tasks. Default 5,000. */
  readonly closeMs?: number;
  /** Closes the scope when it aborts. */
  readonly signal?: AbortSignal;
  /** An instant of `host.monotonic()` by which it has ended, closing included. */
  readonly deadline?: number;
  /** Closes the scope when it ends: an actor's context, another scope. */
  readonly owner?: { onEnd(release: () => void): () => void };
  /** Whether to note where tasks are started: for every one (4 µs each), the first of each name, or none. Default `'by_name'`. */
  readonly origins?: 'all' | 'by_name' | 'none';
}

export interface CloseOptions {
  /** How long it takes at most, ms; the scope's own `closeMs` if sooner. */
  readonly timeoutMs?: number;
  readonly deadline?: number;
}

/** An owner of tasks. */
export interface Scope {
  readonly name: string;
  readonly events: EventStream;
  /** Aborts when closing begins. */
  readonly signal: AbortSignal;
  /** Whether it has begun to close: nothing starts any more. */
  readonly closing: boolean;
  /**
   * Runs `work` in the caller as a task of this scope.
   *
   * @throws ERR_SCOPE_CLOSED: `work` was not called; ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
   */
  start<T>(name: string, work: TaskWork<T>, options?: TaskOptions): Task<T>;
  /** The tasks whose work still runs. */
  tasks(): readonly TaskReport[];
  /** Resolves when no task runs; at once if none does. */
  idle(): Promise<void>;
  /** Cancels lifecycle, then system, then background tasks, each in its share of the time. Once; all callers get one report. */
  close(reason?: unknown, options?: CloseOptions): Promise<ScopeReport>;
  report(): ScopeReport;
  /** Calls `release` once when it has closed; at once, if it has. What it throws is among the report's failures. */
  onEnd(release: () => void): () => void;
  [Symbol.asyncDispose](): Promise<void>;
}

export const SCOPE_DEFAULTS = Object.freeze({
  name: 'scope',
  onFailure: 'cancel' as const,
  closeMs: 5_000,
  deadline: NO_DEADLINE,
  origins: 'by_name' as const,
});

const instant = fits<number>(
  'an instant of host.monotonic(), ms',
  (value) => typeof value === 'number' && !Number.isNaN(value),
);

export const SCOPE_FIELDS = {
  name: text,
  host: object<Host>('a Host'),
  events: object<EventStream>('an EventStream'),
  onFailure: oneOf('cancel', 'collect'),
  closeMs: msOrInfinity(0),
  signal: object<AbortSignal>('an AbortSignal'),
  deadline: instant,
  owner: fits<NonNullable<ScopeOptions['owner']>>(
    "an actor's context, or a scope",
    (value) => typeof (value as { onEnd?: unknown } | null)?.onEnd === 'function',
  ),
  origins: oneOf('all', 'by_name', 'none'),
} as const;

const TASK_FIELDS = {
  kind: oneOf('lifecycle', 'system', 'background'),
  timeoutMs: msOrInfinity(0),
  deadline: instant,
  context: object<Context>('a Context'),
} as const;

const TASK_DEFAULTS = { kind: 'background', timeoutMs: NO_DEADLINE, deadline: NO_DEADLINE } as const;

const CLOSE_FIELDS = { timeoutMs: msOrInfinity(0), deadline: instant } as const;
const CLOSE_DEFAULTS = { timeoutMs: NO_DEADLINE, deadline: NO_DEADLINE } as const;

/** What a release that throws is called in the report. */
const RELEASE = 'a release of onEnd';

const chart = /* @__PURE__ */ compileChart(scopeMachine);

/** The latch. */
interface Closing {
  readonly reason: unknown;
  readonly deadline: number;
  readonly closed: Promise<ScopeReport>;
  over: boolean;
}

export class TaskScope implements Scope, TaskHome, AbortListener, Counted {
  readonly name: string;
  readonly where: string;
  readonly host: Host;
  readonly events: EventStream;
  readonly #options: {
    readonly closeMs: number;
    readonly onFailure: 'cancel' | 'collect';
    readonly deadline: number;
  };
  /** Of tasks that are started without options. */
  readonly #plan: TaskPlan;
  readonly #ledger: ScopeLedger;
  readonly #running: TaskRoll;
  readonly #enders = new Set<() => void>();
  readonly #source: AbortSource | undefined;
  #idle: (() => void)[] = [];
  #closing: Closing | undefined;
  #concluded: ((report: ScopeReport) => void) | undefined;
  #cancelling: TaskKind | undefined;
  #life: { send(event: ScopeEvent): void } | undefined;
  #timer: Timer | undefined;
  #unhook: (() => void) | undefined;
  #abort: LazyAbort | undefined;
  readonly #census: TaskCensus | undefined;
  /** Closed, whatever still runs. */
  closed = false;

  constructor(where: string, options: ScopeOptions) {
    const resolved = resolveOptions(where, options, SCOPE_FIELDS, SCOPE_DEFAULTS);
    const { name, host = realHost(), deadline, signal, owner } = resolved;
    this.name = name;
    this.where = `scope ${name}`;
    this.host = host;
    this.events = resolved.events ?? new EventStream(() => host.wall());
    this.#options = resolved;
    this.#plan = Object.freeze({ kind: TASK_DEFAULTS.kind, deadline, timed: false });
    this.#running = new TaskRoll(resolved.origins);
    this.#ledger = new ScopeLedger(name, host.monotonic());
    this.#source = signal;
    this.#census = censusOf(host);
    this.#census?.join(this);
    if (deadline !== NO_DEADLINE) {
      const closeAt = Math.max(0, deadline - host.monotonic() - resolved.closeMs);
      this.#timer = host.timer(closeAt, `${this.where} deadline`, () => this.#overdue());
    }
    // First what may throw or end it at once: nothing must be left listening then.
    this.#unhook = owner?.onEnd(() => void this.close(this.#ownerEnded()));
    if (signal === undefined) return;
    if (signal.aborted) void this.close(signal.reason);
    else if (!this.closing) listenToAbort(signal, this);
  }

  get scope(): Scope {
    return this;
  }

  /** Whether failures are collected. */
  get collects(): boolean {
    return this.#options.onFailure === 'collect';
  }

  get running(): number {
    return this.#running.size;
  }

  get closing(): boolean {
    return this.#closing !== undefined;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new LazyAbort();
      if (this.#closing !== undefined) this.#abort.abort(this.#closing.reason);
    }
    return this.#abort.signal;
  }

  start<T>(name: string, work: TaskWork<T>, options?: TaskOptions): Task<T> {
    const { where } = this;
    if (typeof name !== 'string' || name === '') check(where, 'name', text, name);
    if (typeof work !== 'function') check(where, 'work', fn(), work);
    const asked = options === undefined ? undefined : this.#asked(options);
    if (this.#closing !== undefined) {
      this.#ledger.refused += 1;
      throw createError('ERR_SCOPE_CLOSED', { where, task: name }, { cause: this.#closing.reason });
    }
    const task = new TaskRun(this, this.#running.seat(name, this.start), asked ?? this.#plan);
    this.#running.join(task);
    this.#ledger.started += 1;
    if (this.events.active)
      this.events.emit('task.started', { path: this.name, task: task.name, kind: task.kind });
    task.run(work as TaskWork<unknown>, asked?.context);
    return task as Task<T>;
  }

  tasks(): readonly TaskReport[] {
    const now = this.host.monotonic();
    return this.#running.list().map((task) => reportOf(task, now));
  }

  idle(): Promise<void> {
    if (this.#running.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  close(reason?: unknown, options: CloseOptions = {}): Promise<ScopeReport> {
    const { timeoutMs, deadline } = resolveOptions(
      `${this.where}: close`,
      options,
      CLOSE_FIELDS,
      CLOSE_DEFAULTS,
    );
    if (this.#closing !== undefined) return this.#closing.closed;
    const now = this.host.monotonic();
    const allowed = deadlineIn(now, Math.min(timeoutMs, this.#options.closeMs));
    const closed = new Promise<ScopeReport>((resolve) => {
      this.#concluded = resolve;
    });
    const why =
      reason ?? createError('ERR_SCOPE_CLOSED', { where: this.where, task: 'any' }, { stack: false });
    this.#closing = {
      reason: why,
      deadline: sooner(sooner(allowed, deadline), this.#options.deadline),
      closed,
      over: false,
    };
    this.#timer?.cancel();
    const life = new ChartRunner({
      chart,
      perform: {
        refuse: () => this.#abort?.abort(why),
        cancel: (share) => this.#cancel(share),
        conclude: () => this.#conclude(),
      },
    });
    this.#life = life;
    life.start();
    life.send({ type: 'close' });
    return closed;
  }

  report(): ScopeReport {
    const now = this.host.monotonic();
    return this.#ledger.report(now, this.tasks());
  }

  onEnd(release: () => void): () => void {
    const ender = (): void => release();
    if (this.#closing?.over === true) {
      ender();
      return () => {};
    }
    this.#enders.add(ender);
    return () => void this.#enders.delete(ender);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  aborted(source: AbortSource): void {
    void this.close(source.reason);
  }

  settled(task: TaskRun, outcome: TaskOutcome, error: unknown): void {
    const { name, kind } = task;
    this.#ledger.count(name, outcome, error);
    if (this.events.active) {
      const runMs = this.host.monotonic() - task.startedAtMs;
      this.events.emit('task.settled', { path: this.name, task: name, kind, outcome, runMs, error });
    }
    if (isFailure(outcome) && !this.collects) void this.close(error);
  }

  over(task: TaskRun): void {
    this.#running.leave(task);
    if (task.state === 'straggling' && this.events.active) {
      const runMs = this.host.monotonic() - task.startedAtMs;
      this.events.emit('task.straggler_ended', { path: this.name, task: task.name, runMs });
    }
    if (this.#running.size === 0) {
      this.#rest();
      if (this.closed) this.#census?.leave(this);
    }
    const kind = this.#cancelling;
    if (kind !== undefined && task.kind === kind && this.#running.of(kind) === 0) this.#kindOver();
  }

  #rest(): void {
    if (this.#idle.length === 0) return;
    const waiting = this.#idle;
    this.#idle = [];
    for (const resolve of waiting) resolve();
  }

  #cancel({ kind, shares }: { kind: TaskKind; shares: number }): void {
    const { reason, deadline } = this.#closing as Closing;
    this.#timer?.cancel();
    this.#cancelling = kind;
    for (const task of this.#running.list()) if (task.kind === kind) task.cancel(reason);
    if (this.#running.of(kind) === 0) {
      this.#kindOver();
      return;
    }
    const shareMs = remainingMs(this.host.monotonic(), deadline) / shares;
    this.#timer = this.host.timer(shareMs, `${this.where} ${kind} tasks`, () => this.#send('share.passed'));
  }

  #kindOver(): void {
    this.#timer?.cancel();
    this.#cancelling = undefined;
    this.#send('kind.over');
  }

  #send(type: ScopeEvent['type']): void {
    this.#life?.send({ type });
  }

  #conclude(): void {
    this.#timer?.cancel();
    this.#cancelling = undefined;
    const closing = this.#closing as Closing;
    const { reason } = closing;
    closing.over = true;
    const left = this.#running.list();
    for (const task of left) task.abandon(reason);
    this.closed = true;
    if (left.length === 0) this.#census?.leave(this);
    if (this.#source !== undefined) unlistenToAbort(this.#source, this);
    this.#unhook?.();
    this.#release();
    const report = this.report();
    if (this.events.active) {
      const stragglers = report.stragglers.map(({ name }) => name);
      this.events.emit('scope.closed', { path: this.name, stragglers, durationMs: report.durationMs });
    }
    this.#concluded?.(report);
  }

  /** One that throws keeps none of the others from being called, nor the close from its end; its error is in the report. */
  #release(): void {
    for (const release of [...this.#enders]) {
      try {
        release();
      } catch (error) {
        this.#ledger.count(RELEASE, 'failed', error);
      }
    }
    this.#enders.clear();
  }

  #asked(options: TaskOptions): TaskPlan & { readonly context: Context | undefined } {
    const { kind, timeoutMs, deadline, context } = resolveOptions(
      this.where,
      options,
      TASK_FIELDS,
      TASK_DEFAULTS,
    );
    const allowed = timeoutMs === NO_DEADLINE ? NO_DEADLINE : deadlineIn(this.host.monotonic(), timeoutMs);
    const own = sooner(sooner(deadline, allowed), context === undefined ? NO_DEADLINE : context.deadline);
    const { deadline: scopes } = this.#options;
    return { kind, deadline: sooner(own, scopes), timed: own < scopes, context };
  }

  #overdue(): void {
    const timeoutMs = this.#ledger.sinceMs(this.host.monotonic());
    void this.close(createError('ERR_DEADLINE_PASSED', { where: this.where, timeoutMs }));
  }

  #ownerEnded(): unknown {
    return createError('ERR_SCOPE_CLOSED', { where: this.where, task: 'any' }, { stack: false });
  }
}

const reportOf = (task: TaskRun, now: number): TaskReport => ({
  name: task.name,
  kind: task.kind,
  state: task.state,
  runningMs: now - task.startedAtMs,
  origin: task.origin,
});

/** A scope that whoever made it closes. @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const createScope = (options: ScopeOptions = {}): Scope => new TaskScope('createScope', options);
