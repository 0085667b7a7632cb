/**
 * One guarded call: user code run in its caller, bounded by a deadline and the caller's signal. All policies run work
 * through here, the only place that calls it.
 *
 * Invariant: a call ends exactly once: returned, threw, aborted or timed out; whatever comes later is swallowed. Its timer
 * and its listener are gone by then. It judges nothing: what an ending means is the policy's business.
 */
import { deadlineIn, NO_DEADLINE, remainingMs, sooner } from '../base/deadline.ts';
import { createError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import { refuse } from '../base/options.ts';
import { type AbortListener, listenToAbort, unlistenToAbort } from './abort.ts';

/** What guarded work is given. */
export interface CallContext {
  /** Aborts when the caller gives up or the deadline passes. Made when first read. */
  readonly signal: AbortSignal;
  /** The instant of `host.monotonic()` after which nobody waits; `Infinity` is none. Hand it down. */
  readonly deadline: number;
}

/** Guarded work: sync or async. */
export type Work<T, C = CallContext> = (context: C) => T | PromiseLike<T>;

/** What bounds one call. Nothing bounds it by default. */
export interface ExecuteOptions {
  /** The caller's own: when it aborts, the call rejects at once with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** An instant of `host.monotonic()`; when it passes, the call rejects with ERR_DEADLINE_PASSED. */
  readonly deadline?: number | undefined;
  /** The same as a budget from now, ms. The sooner of both counts. */
  readonly timeoutMs?: number | undefined;
}

/** How a call ended. `aborted` and `timed_out` say nothing of the work, which may still run. */
export type Ending =
  | { readonly kind: 'returned'; readonly value: unknown }
  | { readonly kind: 'threw' | 'aborted' | 'timed_out'; readonly error: unknown };

/** For which policy a call runs. */
export interface CallScope {
  readonly host: Host;
  /** Names the policy in errors and timers. */
  readonly where: string;
}

/** What bounds a call that begins now. */
export interface Bounds {
  readonly deadline: number;
  /** The milliseconds until the deadline; 0 when it has passed. */
  readonly budgetMs: number;
  readonly signal: AbortSignal | undefined;
}

export const UNBOUNDED: Bounds = Object.freeze({
  deadline: NO_DEADLINE,
  budgetMs: NO_DEADLINE,
  signal: undefined,
});

const isInstant = (value: unknown): value is number => typeof value === 'number' && !Number.isNaN(value);

/** Reads the clock once, and only for a deadline. @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const boundsOf = ({ host, where }: CallScope, options: ExecuteOptions | undefined): Bounds => {
  if (options === undefined) return UNBOUNDED;
  for (const key in options) {
    if (key === 'signal' || key === 'deadline' || key === 'timeoutMs') continue;
    const expected = ['signal', 'deadline', 'timeoutMs'];
    throw createError('ERR_OPTION_UNKNOWN', { where, field: key, hint: '', expected });
  }
  const { signal, deadline = NO_DEADLINE, timeoutMs = NO_DEADLINE } = options;
  if (!isInstant(deadline)) return refuse(where, 'deadline', 'an instant of host.monotonic(), ms', deadline);
  if (!isInstant(timeoutMs) || timeoutMs < 0)
    return refuse(where, 'timeoutMs', 'milliseconds of at least 0, or Infinity', timeoutMs);
  if (signal !== undefined && typeof signal?.aborted !== 'boolean')
    return refuse(where, 'signal', 'an AbortSignal', signal);
  if (deadline === NO_DEADLINE && timeoutMs === NO_DEADLINE)
    return { deadline: NO_DEADLINE, budgetMs: NO_DEADLINE, signal };
  const nowMs = host.monotonic();
  const soonest = sooner(deadline, deadlineIn(nowMs, timeoutMs));
  return { deadline: soonest, budgetMs: remainingMs(nowMs, soonest), signal };
};

/** Whether a deadline bounds the call. */
export const isTimed = ({ deadline }: Bounds): boolean => deadline !== NO_DEADLINE;

/** Throws what a caller is owed whose time or patience was over before the call began. */
export const throwIfOver = ({ where }: CallScope, { signal, budgetMs }: Bounds): void => {
  if (signal?.aborted === true) throw signal.reason;
  if (budgetMs <= 0)
    throw createError('ERR_DEADLINE_PASSED', { where, timeoutMs: 0 }, { outcome: 'not_started' });
};

const SETTLED = Promise.resolve();

/**
 * A promise that rejects a microtask later. One that is rejected from birth goes through Node's bookkeeping of unhandled
 * rejections before its caller can attach a handler, which costs more than all the rest.
 */
export const rejectLater = (error: unknown): Promise<never> =>
  SETTLED.then(() => {
    throw error;
  });

/** Whether a value is to be awaited. */
export const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  (typeof value === 'object' || typeof value === 'function') &&
  value !== null &&
  typeof (value as { then?: unknown }).then === 'function';

/** The context of a call that nothing bounds. */
export class UnboundedContext implements CallContext {
  #signal: AbortSignal | undefined;

  get deadline(): number {
    return NO_DEADLINE;
  }

  get signal(): AbortSignal {
    this.#signal ??= new AbortController().signal;
    return this.#signal;
  }
}

/** A call with a deadline, a signal, or both. Run it once. */
export class BoundedCall<T> implements CallContext, AbortListener {
  readonly #scope: CallScope;
  readonly #bounds: Bounds;
  readonly #conclude: (ending: Ending) => void;
  #controller: AbortController | undefined;
  #timer: Timer | undefined;
  #ending: Ending | undefined;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;

  /** `conclude` is told how it ended, before the caller is; it must not throw. */
  constructor(scope: CallScope, bounds: Bounds, conclude: (ending: Ending) => void) {
    this.#scope = scope;
    this.#bounds = bounds;
    this.#conclude = conclude;
  }

  get deadline(): number {
    return this.#bounds.deadline;
  }

  get signal(): AbortSignal {
    const { signal } = this.#bounds;
    // Without a deadline of our own the caller's signal says all there is to say.
    if (signal !== undefined && !isTimed(this.#bounds)) return signal;
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#ending !== undefined) this.#cancelWork(this.#ending);
    }
    return this.#controller.signal;
  }

  run(work: Work<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#arm();
      let result: T | PromiseLike<T>;
      try {
        result = work(this);
      } catch (error) {
        this.#end({ kind: 'threw', error });
        return;
      }
      if (!isThenable(result)) {
        this.#end({ kind: 'returned', value: result });
        return;
      }
      Promise.resolve(result).then(
        (value) => this.#end({ kind: 'returned', value }),
        (error: unknown) => this.#end({ kind: 'threw', error }),
      );
    });
  }

  /** The caller's signal aborted. */
  aborted(signal: AbortSignal): void {
    this.#end({ kind: 'aborted', error: signal.reason });
  }

  #arm(): void {
    const { budgetMs, signal } = this.#bounds;
    if (signal !== undefined) listenToAbort(signal, this);
    if (!isTimed(this.#bounds)) return;
    const { host, where } = this.#scope;
    this.#timer = host.timer(budgetMs, `${where} deadline`, () => {
      const error = createError('ERR_DEADLINE_PASSED', { where, timeoutMs: budgetMs }, { stack: false });
      this.#end({ kind: 'timed_out', error });
    });
  }

  #end(ending: Ending): void {
    if (this.#ending !== undefined) return;
    this.#ending = ending;
    this.#timer?.cancel();
    if (this.#bounds.signal !== undefined) unlistenToAbort(this.#bounds.signal, this);
    this.#conclude(ending);
    if (ending.kind === 'returned') this.#resolve(ending.value as T);
    else this.#reject(ending.error);
    this.#cancelWork(ending);
  }

  #cancelWork(ending: Ending): void {
    if (ending.kind === 'aborted' || ending.kind === 'timed_out') this.#controller?.abort(ending.error);
  }
}
