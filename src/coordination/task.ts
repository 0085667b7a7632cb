/**
 * One task: work that somebody owns. It runs in whoever started it, until it ends by itself.
 *
 * Invariant: it is over exactly once, when its work is; its result settles then, or sooner where its time has passed or its
 * scope could not wait. Nothing it throws goes unseen: its scope counts it, and nobody has to await `result`. Cancelling asks;
 * JavaScript cannot stop what does not listen.
 */
import type { TaskKind } from '../../actors/scope.machine.ts';
import { LazyAbort } from '../base/abort.ts';
import { createError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import type { Awaitable } from '../kernel/logic.ts';
import { promiseOf } from '../resilience/call.ts';
import type { Context } from './context.ts';
import type { Scope } from './scope.ts';
import type { Seat } from './task-roll.ts';

/** What a task is given. */
export interface TaskContext {
  readonly name: string;
  readonly kind: TaskKind;
  /** Aborts when the task is cancelled or its deadline passes. Made when first read. */
  readonly signal: AbortSignal;
  /** The instant of `host.monotonic()` after which nobody waits for it; `Infinity` is none. */
  readonly deadline: number;
  /** The scope it runs in: what it starts there ends with the scope, not with the task. */
  readonly scope: Scope;
}

export type TaskWork<T> = (task: TaskContext) => Awaitable<T>;

export interface TaskOptions {
  /** When it is cancelled as its scope closes: `lifecycle` first, then `system`, then `background`. Default `'background'`. */
  readonly kind?: TaskKind;
  /** How long it may take, ms. Default `Infinity`. */
  readonly timeoutMs?: number;
  /** The same as an instant of `host.monotonic()`. The sooner of both, and of the scope's, counts. */
  readonly deadline?: number;
  /** The context it runs in, and whose deadline bounds it. Default: the current one, as anything that is called. */
  readonly context?: Context;
}

/** How a task turned out; `straggling`: its scope could not wait for it. */
export type TaskOutcome = 'completed' | 'failed' | 'cancelled' | 'timed_out' | 'straggling';

export type TaskState = 'running' | TaskOutcome;

/** A task as its starter sees it. */
export interface Task<T> {
  /** Unique among the tasks that run in its scope: a second `mail` is `mail#2`. */
  readonly name: string;
  readonly kind: TaskKind;
  readonly state: TaskState;
  /** Settles once. Need not be awaited: the scope has what it throws. */
  readonly result: Promise<T>;
  /** Asks it to end: its signal aborts. Safe to repeat. */
  cancel(reason?: unknown): void;
}

/** What a task needs of its scope. */
export interface TaskHome {
  readonly where: string;
  readonly host: Host;
  readonly scope: Scope;
  /** Its fate is known; its work may still run. */
  settled(task: TaskRun, outcome: TaskOutcome, error: unknown): void;
  /** Its work is over. */
  over(task: TaskRun): void;
}

const RESULT_PENDING = Symbol('pending');

/** What tasks are told of themselves; tasks without options share one. */
export interface TaskPlan {
  readonly kind: TaskKind;
  readonly deadline: number;
  /** Whether the deadline is the task's own; its scope keeps the scope's. */
  readonly timed: boolean;
}

export class TaskRun implements Task<unknown>, TaskContext {
  readonly kind: TaskKind;
  readonly deadline: number;
  readonly startedAtMs: number;
  readonly seat: Seat;
  /** Its neighbours in the roll of its scope, whose alone these are. */
  before: TaskRun | undefined = undefined;
  after: TaskRun | undefined = undefined;
  readonly #home: TaskHome;
  readonly #timed: boolean;
  #outcome: TaskOutcome | undefined = undefined;
  #abort: LazyAbort | undefined = undefined;
  #cancelled: { readonly reason: unknown } | undefined = undefined;
  #timer: Timer | undefined = undefined;
  #value: unknown = RESULT_PENDING;
  #result: Promise<unknown> | undefined = undefined;
  #resolve: ((value: unknown) => void) | undefined = undefined;
  #reject: ((error: unknown) => void) | undefined = undefined;

  constructor(home: TaskHome, seat: Seat, { kind, deadline, timed }: TaskPlan) {
    this.#timed = timed;
    this.#home = home;
    this.seat = seat;
    this.kind = kind;
    this.deadline = deadline;
    this.startedAtMs = home.host.monotonic();
  }

  get name(): string {
    return this.seat.name;
  }

  /** Where it was started, if that was looked at. */
  get origin(): string | undefined {
    return this.seat.origin;
  }

  get state(): TaskState {
    return this.#outcome ?? 'running';
  }

  get scope(): Scope {
    return this.#home.scope;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new LazyAbort();
      if (this.#cancelled !== undefined) this.#abort.abort(this.#cancelled.reason);
    }
    return this.#abort.signal;
  }

  get result(): Promise<unknown> {
    if (this.#result === undefined) {
      this.#result = new Promise(keepSettlers);
      this.#resolve = resolveLast;
      this.#reject = rejectLast;
      if (this.#value !== RESULT_PENDING) this.#settleResult(this.#result);
    }
    return this.#result;
  }

  /** Runs the work, in the caller or in the context that it was given. */
  run(work: TaskWork<unknown>, context: Context | undefined): void {
    const { deadline } = this;
    const { host, where } = this.#home;
    if (this.#timed) {
      const timeoutMs = Math.max(0, deadline - this.startedAtMs);
      this.#timer = host.timer(timeoutMs, `${where} task ${this.name}`, () => this.#overdue(timeoutMs));
    }
    let outcome: unknown;
    let pending: Promise<unknown> | undefined;
    try {
      outcome = context === undefined ? work(this) : context.run(() => work(this));
      pending = promiseOf(outcome);
    } catch (error) {
      this.#threw(error);
      return;
    }
    if (pending === undefined) this.#returned(outcome);
    else
      pending.then(
        (value) => this.#returned(value),
        (error: unknown) => this.#threw(error),
      );
  }

  cancel(reason?: unknown): void {
    if (this.#cancelled !== undefined || this.#outcome !== undefined) return;
    const { where } = this.#home;
    const why = reason ?? createError('ERR_TASK_CANCELLED', { where, task: this.name }, { stack: false });
    this.#cancelled = { reason: why };
    this.#abort?.abort(why);
  }

  /** Its scope can wait no longer. */
  abandon(reason: unknown): void {
    if (this.#outcome !== undefined) return;
    this.cancel(reason);
    const { where } = this.#home;
    const data = { where, task: this.name };
    this.#settle('straggling', createError('ERR_TASK_STRAGGLED', data, { cause: reason, stack: false }));
  }

  #overdue(timeoutMs: number): void {
    const { where } = this.#home;
    const error = createError('ERR_TASK_TIMEOUT', { where, task: this.name, timeoutMs }, { stack: false });
    this.cancel(error);
    this.#settle('timed_out', error);
  }

  #returned(value: unknown): void {
    this.#settle('completed', value);
    this.#home.over(this);
  }

  #threw(error: unknown): void {
    this.#settle(this.#obeys(error) ? 'cancelled' : 'failed', error);
    this.#home.over(this);
  }

  /** Whether an error is the answer to having been cancelled. */
  #obeys(error: unknown): boolean {
    if (this.#cancelled === undefined) return false;
    const { reason } = this.#cancelled;
    if (error === reason) return true;
    const { name, cause } = (error ?? {}) as { name?: unknown; cause?: unknown };
    return name === 'AbortError' || (cause !== undefined && cause === reason);
  }

  #settle(outcome: TaskOutcome, value: unknown): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    this.#timer?.cancel();
    this.#value = value;
    if (this.#result !== undefined) this.#settleResult(this.#result);
    this.#home.settled(this, outcome, outcome === 'completed' ? undefined : value);
  }

  #settleResult(result: Promise<unknown>): void {
    if (this.#outcome === 'completed') this.#resolve?.(this.#value);
    else {
      // Its scope has the error already.
      result.catch(() => {});
      this.#reject?.(this.#value);
    }
  }
}

/** What the promise made last is settled with: one function for all promises costs no closure for each. */
let resolveLast: (value: unknown) => void;
let rejectLast: (error: unknown) => void;
const keepSettlers = (resolve: (value: unknown) => void, reject: (error: unknown) => void): void => {
  resolveLast = resolve;
  rejectLast = reject;
};
