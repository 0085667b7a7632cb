/**
 * One guarded call: user code run in its caller, bounded by a deadline and the caller's signal. All policies run work
 * through here, the only place that calls it.
 *
 * Invariant: a call ends exactly once: returned, threw, aborted or timed out; whatever comes later is swallowed. Its timer
 * and its listener are gone by then. It judges nothing: what an ending means is the policy's business.
 */

import {
  type AbortListener,
  type AbortSource,
  LazyAbort,
  listenToAbort,
  signalOf,
  unlistenToAbort,
} from '../base/abort.ts';
import { deadlineIn, NO_DEADLINE, remainingMs, sooner } from '../base/deadline.ts';
import { createError } from '../base/errors.ts';
import type { Host, Timer, TimerOptions } from '../base/host.ts';
import { hintFor, refuse } from '../base/options.ts';

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
  /**
   * The context of a guarded call above this one, in place of `signal` and `deadline`: its abort and its deadline bound
   * this call too, and no AbortSignal is made and no second timer is set for that.
   */
  readonly within?: CallContext | undefined;
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
  /** `true`: no timer of its calls keeps the OS process alive. Otherwise one does while a call stands on it. */
  readonly unref?: boolean;
}

const UNREF: TimerOptions = Object.freeze({ unref: true });
const HELD: TimerOptions = Object.freeze({ unref: false });

/** How a timer is kept that an unsettled call stands on. */
export const keptFor = ({ unref }: CallScope): TimerOptions => (unref === true ? UNREF : HELD);

/** What bounds a call that begins now. */
export interface Bounds {
  readonly deadline: number;
  /** The milliseconds until the deadline, 0 when it has passed; `Infinity` where a call above watches it, or none does. */
  readonly budgetMs: number;
  readonly signal: AbortSource | undefined;
}

export const UNBOUNDED: Bounds = Object.freeze({
  deadline: NO_DEADLINE,
  budgetMs: NO_DEADLINE,
  signal: undefined,
});

const isInstant = (value: unknown): value is number => typeof value === 'number' && !Number.isNaN(value);

const KNOWN = ['signal', 'deadline', 'timeoutMs', 'within'];

const checkKeys = (where: string, options: ExecuteOptions): void => {
  for (const key in options) {
    if (key === 'signal' || key === 'deadline' || key === 'timeoutMs' || key === 'within') continue;
    throw createError('ERR_OPTION_UNKNOWN', {
      where,
      field: key,
      hint: hintFor(key, KNOWN),
      expected: KNOWN,
    });
  }
};

/** Reads the clock once, and only for a deadline. @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const boundsOf = (scope: CallScope, options: ExecuteOptions | undefined): Bounds => {
  if (options === undefined) return UNBOUNDED;
  const { where } = scope;
  if (typeof options !== 'object' || options === null) return refuse(where, 'options', 'an object', options);
  checkKeys(where, options);
  const { signal, deadline = NO_DEADLINE, timeoutMs = NO_DEADLINE, within } = options;
  if (!isInstant(timeoutMs) || timeoutMs < 0)
    return refuse(where, 'timeoutMs', 'milliseconds of at least 0, or Infinity', timeoutMs);
  if (within !== undefined) return tighten(scope, boundsBelow(scope, options), timeoutMs);
  if (!isInstant(deadline)) return refuse(where, 'deadline', 'an instant of host.monotonic(), ms', deadline);
  if (signal !== undefined && typeof signal?.aborted !== 'boolean')
    return refuse(where, 'signal', 'an AbortSignal', signal);
  if (deadline === NO_DEADLINE && timeoutMs === NO_DEADLINE)
    return { deadline: NO_DEADLINE, budgetMs: NO_DEADLINE, signal };
  const nowMs = scope.host.monotonic();
  const soonest = sooner(deadline, deadlineIn(nowMs, timeoutMs));
  return { deadline: soonest, budgetMs: remainingMs(nowMs, soonest), signal };
};

const boundsBelow = (scope: CallScope, { within, signal, deadline }: ExecuteOptions): Bounds => {
  const { where } = scope;
  if (signal !== undefined || deadline !== undefined)
    return refuse(where, 'within', 'given without signal and deadline, which it carries', within);
  if (within instanceof BoundedCall) return within.below;
  if (within instanceof UnboundedContext) return UNBOUNDED;
  if (typeof within !== 'object' || within === null)
    return refuse(where, 'within', 'the context of a guarded call', within);
  return boundsOf(scope, { signal: within.signal, deadline: within.deadline });
};

/** The same bounds, and `timeoutMs` from now if that is sooner. */
export const tighten = ({ host }: CallScope, bounds: Bounds, timeoutMs: number): Bounds => {
  if (timeoutMs === NO_DEADLINE) return bounds;
  const deadline = deadlineIn(host.monotonic(), timeoutMs);
  return deadline >= bounds.deadline ? bounds : { deadline, budgetMs: timeoutMs, signal: bounds.signal };
};

/** @throws ERR_OPTION_INVALID for what is no function: to call it would pass for a failure of the guarded thing. */
export const checkWork = ({ where }: CallScope, work: unknown): void => {
  if (typeof work !== 'function') refuse(where, 'work', 'a function', work);
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
 * rejections before its caller can attach a handler, which costs more than all the rest; to throw costs twice as much as
 * to reject.
 */
export const rejectLater = (error: unknown): Promise<never> =>
  new Promise((_resolve, reject) => {
    SETTLED.then(() => reject(error));
  });

/** Whether a value is to be awaited. */
export const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  (typeof value === 'object' || typeof value === 'function') &&
  value !== null &&
  typeof (value as { then?: unknown }).then === 'function';

/**
 * What is to be awaited, as a promise of ours: a user's thenable, or promise of a class of its own, may throw, call back at
 * once, or twice. `undefined`: a plain value. Throws what looking at it throws.
 */
export const promiseOf = <T>(value: T | PromiseLike<T>): Promise<T> | undefined => {
  if (value instanceof Promise && value.constructor === Promise) return value;
  return isThenable(value) ? Promise.resolve(value) : undefined;
};

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

/** The options with which a call below one of `context` is made; none where nothing bounds it. */
export const optionsBelow = (context: CallContext): ExecuteOptions | undefined => {
  if (context instanceof UnboundedContext) return undefined;
  if (context instanceof BoundedCall && context.below === UNBOUNDED) return undefined;
  return { within: context };
};

/** What ends a call that nothing bounds: `threw` throws what its caller shall be told, or gives what comes instead. */
export interface EndersOf<T> {
  readonly returned: (value: T) => T;
  readonly threw: (error: unknown) => T | PromiseLike<T>;
}

/** Those that serve calls of any type: of a policy that adds nothing to what work returns. */
export interface Enders {
  readonly returned: <T>(value: T) => T;
  readonly threw: (error: unknown) => never;
}

/** Runs work that nothing bounds, with one `then` and nothing made for the call but its context. */
export const runFree = <T>(work: Work<T>, enders: EndersOf<NoInfer<T>>): Promise<T> =>
  runFreeIn(new UnboundedContext(), work, enders);

/** The same, in a context that says more. */
export const runFreeIn = <T, C extends UnboundedContext>(
  context: C,
  work: Work<T, C>,
  { returned, threw }: EndersOf<NoInfer<T>>,
): Promise<T> => {
  let result: T | PromiseLike<T>;
  let promise: Promise<T> | undefined;
  try {
    result = work(context);
    promise = promiseOf(result);
  } catch (error) {
    return endLater(threw, error);
  }
  return promise === undefined ? Promise.resolve(returned(result as T)) : promise.then(returned, threw);
};

const endLater = <T>(threw: EndersOf<T>['threw'], thrown: unknown): Promise<T> => {
  try {
    return Promise.resolve(threw(thrown));
  } catch (error) {
    return rejectLater(error);
  }
};

/** A call with a deadline, a signal, or both. Run it once. */
export class BoundedCall<T> implements CallContext, AbortListener {
  readonly #scope: CallScope;
  readonly #bounds: Bounds;
  readonly #conclude: (ending: Ending) => void;
  /** Whether its work must be told of its end: where only a call above can cut it, that one tells. */
  readonly #tells: boolean;
  #abort: LazyAbort | undefined = undefined;
  #timer: Timer | undefined = undefined;
  #ending: Ending | undefined = undefined;
  /** Whether the work itself is over, which may be long after the call. */
  #workOver = false;
  #afterWork: (() => void) | undefined = undefined;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;

  /**
   * `conclude` is told how it ended, before the caller is; it must not throw. `cuttable`: its owner may {@link cut} it.
   */
  constructor(scope: CallScope, bounds: Bounds, conclude: (ending: Ending) => void, cuttable = false) {
    this.#scope = scope;
    this.#bounds = bounds;
    this.#conclude = conclude;
    this.#tells = cuttable || bounds.budgetMs !== NO_DEADLINE;
  }

  get deadline(): number {
    return this.#bounds.deadline;
  }

  get signal(): AbortSignal {
    const { signal } = this.#bounds;
    return signal === undefined || this.#tells ? this.#source.signal : signalOf(signal);
  }

  /** What bounds a call made by its work. */
  get below(): Bounds {
    const { signal, deadline } = this.#bounds;
    if (!this.#tells) return signal === undefined && deadline === NO_DEADLINE ? UNBOUNDED : this.#bounds;
    return { deadline, budgetMs: NO_DEADLINE, signal: this.#source };
  }

  run(work: Work<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#arm();
      let result: T | PromiseLike<T>;
      let promise: Promise<T> | undefined;
      try {
        result = work(this);
        promise = promiseOf(result);
      } catch (error) {
        this.#endWork({ kind: 'threw', error });
        return;
      }
      if (promise === undefined) {
        this.#endWork({ kind: 'returned', value: result });
        return;
      }
      promise.then(
        (value) => this.#endWork({ kind: 'returned', value }),
        (error: unknown) => this.#endWork({ kind: 'threw', error }),
      );
    });
  }

  /** Calls `then` once, when the work itself is over: at once if it is. Of several only the last is called. */
  afterWork(then: () => void): void {
    if (this.#workOver) then();
    else this.#afterWork = then;
  }

  /** What is above it aborted. */
  aborted(source: AbortSource): void {
    this.#end({ kind: 'aborted', error: source.reason });
  }

  /** Ends a cuttable call as aborted: its owner needs it no more. */
  cut(reason: unknown): void {
    this.#end({ kind: 'aborted', error: reason });
  }

  get #source(): LazyAbort {
    if (this.#abort === undefined) {
      this.#abort = new LazyAbort();
      if (this.#ending !== undefined) this.#cancelWork(this.#ending);
    }
    return this.#abort;
  }

  #arm(): void {
    const { budgetMs, signal } = this.#bounds;
    if (signal !== undefined) listenToAbort(signal, this);
    if (budgetMs === NO_DEADLINE) return;
    const { host, where } = this.#scope;
    const pass = (): void => {
      const error = createError('ERR_DEADLINE_PASSED', { where, timeoutMs: budgetMs }, { stack: false });
      this.#end({ kind: 'timed_out', error });
    };
    this.#timer = host.timer(budgetMs, `${where} deadline`, pass, keptFor(this.#scope));
  }

  #endWork(ending: Ending): void {
    this.#workOver = true;
    this.#afterWork?.();
    this.#end(ending);
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
    if (ending.kind === 'aborted' || ending.kind === 'timed_out') this.#abort?.abort(ending.error);
  }
}
