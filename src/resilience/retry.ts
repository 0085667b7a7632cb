/**
 * Retry: tries again what failed, after a delay, as long as that can still be of use.
 *
 * Invariant: one operation holds one budget. It ends at its last attempt, at its deadline, at its caller's abort, or at an
 * error that retrying cannot help, whichever comes first; it never waits for an attempt that could not begin before
 * the deadline. It rejects with the last error as it was thrown, so that classifying it again changes nothing.
 */
import { NO_DEADLINE } from '../base/deadline.ts';
import { isTroupeError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import { flag, fn, integer, ms, object, resolveOptions, text } from '../base/options.ts';
import { realHost } from '../base/real-host.ts';
import { EventStream } from '../base/telemetry.ts';
import { type AbortListener, listenToAbort, unlistenToAbort } from './abort.ts';
import { type BackoffOptions, type BackoffStrategy, createBackoff } from './backoff.ts';
import {
  BoundedCall,
  type Bounds,
  boundsOf,
  type CallContext,
  type CallScope,
  type Ending,
  type ExecuteOptions,
  isTimed,
  rejectLater,
  throwIfOver,
  type Work,
} from './call.ts';

export interface RetryOptions {
  /** Names it in errors and events. Default `'retry'`. */
  readonly name?: string;
  /** How often to try at most, the first time included; 0 still tries once. Default 3. */
  readonly maxAttempts?: number;
  /** How long to wait between. Default: exponential from 1,000 ms to 30,000 ms, ± 25 %. */
  readonly backoff?: BackoffOptions;
  /** Whether an error is worth another attempt. Default: all are, but what `idempotent` rules out. */
  readonly shouldRetry?: (error: unknown, attempt: number) => boolean;
  /**
   * `true`: doing it twice is harmless, so that errors of troupe whose `outcome` is `'unknown'` (a timeout, a worker that
   * died) are tried again too. Default `false`.
   */
  readonly idempotent?: boolean;
  /** An error that asks for a longer wait than this (`retryAfterMs`) ends the operation. Default 60,000 ms. */
  readonly maxRetryAfterMs?: number;
  /** Default: the real one. */
  readonly host?: Host;
  /** Where its events go. Default: a stream of its own. */
  readonly events?: EventStream;
}

/** What an attempt is given. */
export interface AttemptContext extends CallContext {
  /** From 1. */
  readonly attempt: number;
}

/** A retry policy: holds no state between operations. */
export interface Retry {
  readonly name: string;
  /** Its events: `retry.scheduled`, `retry.exhausted`. */
  readonly events: EventStream;
  /** Rejects with the last error of `work`, ERR_DEADLINE_PASSED, or the reason of the caller's signal. */
  execute<T>(work: (context: AttemptContext) => T | PromiseLike<T>, options?: ExecuteOptions): Promise<T>;
}

const FIELDS = {
  name: text,
  maxAttempts: integer(0),
  backoff: object<BackoffOptions>('a backoff'),
  shouldRetry: fn<(error: unknown, attempt: number) => boolean>(),
  idempotent: flag,
  maxRetryAfterMs: ms(0),
  host: object<Host>('a Host'),
  events: object<EventStream>('an EventStream'),
} as const;

export const RETRY_DEFAULTS = Object.freeze({
  name: 'retry',
  maxAttempts: 3,
  idempotent: false,
  maxRetryAfterMs: 60_000,
});

/** Why an operation was given up. */
type GaveUp = 'attempts' | 'deadline' | 'aborted' | 'refused';
type Failure = Exclude<Ending, { kind: 'returned' }>;

class RetryPolicy implements Retry, CallScope {
  readonly name: string;
  readonly where: string;
  readonly host: Host;
  readonly events: EventStream;
  readonly backoff: BackoffStrategy;
  readonly #maxAttempts: number;
  readonly #maxRetryAfterMs: number;
  readonly #idempotent: boolean;
  readonly #shouldRetry: RetryOptions['shouldRetry'];

  constructor(options: RetryOptions) {
    const resolved = resolveOptions('createRetry', options, FIELDS, RETRY_DEFAULTS);
    const { name, maxAttempts, host = realHost(), events = new EventStream(() => host.wall()) } = resolved;
    this.name = name;
    this.where = `retry ${name}`;
    this.host = host;
    this.events = events;
    this.backoff = createBackoff(resolved.backoff, `${this.where}.backoff`);
    this.#maxAttempts = Math.max(1, maxAttempts);
    this.#maxRetryAfterMs = resolved.maxRetryAfterMs;
    this.#idempotent = resolved.idempotent;
    this.#shouldRetry = resolved.shouldRetry;
  }

  execute<T>(work: (context: AttemptContext) => T | PromiseLike<T>, options?: ExecuteOptions): Promise<T> {
    try {
      const bounds = boundsOf(this, options);
      throwIfOver(this, bounds);
      return new Operation(this, work, bounds).run();
    } catch (error) {
      return rejectLater(error);
    }
  }

  /** Why there is no attempt after this one; `undefined` if there may be one. */
  whyNot({ kind, error }: Failure, attempt: number): GaveUp | undefined {
    if (kind === 'timed_out') return 'deadline';
    if (kind === 'aborted') return 'aborted';
    if (attempt >= this.#maxAttempts) return 'attempts';
    return this.#isWorthIt(error, attempt) ? undefined : 'refused';
  }

  /** The wait before the next attempt, or `undefined` where it is asked for longer than anybody waits. */
  delayMs(error: unknown, attempt: number, previousMs: number): number | undefined {
    const askedMs = retryAfterMsOf(error);
    if (askedMs > this.#maxRetryAfterMs) return undefined;
    return Math.max(askedMs, this.backoff.delayMs(attempt, previousMs, this.host.random));
  }

  #isWorthIt(error: unknown, attempt: number): boolean {
    if (this.#shouldRetry !== undefined) return this.#shouldRetry(error, attempt) === true;
    return this.#idempotent || !isTroupeError(error) || error.outcome !== 'unknown';
  }
}

/** How long an error asks its receiver to wait, ms: its own `retryAfterMs`, or that in the data of one of ours. */
export const retryAfterMsOf = (error: unknown): number => {
  if (typeof error !== 'object' || error === null) return 0;
  const { retryAfterMs, data } = error as { retryAfterMs?: unknown; data?: { retryAfterMs?: unknown } };
  const asked = retryAfterMs ?? data?.retryAfterMs;
  return typeof asked === 'number' && asked > 0 ? asked : 0;
};

/** One operation: its attempts and the waits between them. */
class Operation<T> implements AbortListener {
  readonly #policy: RetryPolicy;
  readonly #work: (context: AttemptContext) => T | PromiseLike<T>;
  readonly #bounds: Bounds;
  #attempt = 0;
  #previousMs = 0;
  #wait: Timer | undefined = undefined;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;

  constructor(policy: RetryPolicy, work: (context: AttemptContext) => T | PromiseLike<T>, bounds: Bounds) {
    this.#policy = policy;
    this.#work = work;
    this.#bounds = bounds;
  }

  run(): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#try(this.#bounds);
    });
  }

  /** The caller's signal aborted while this waited. */
  aborted(signal: AbortSignal): void {
    this.#wait?.cancel();
    this.#giveUp(signal.reason, 'aborted');
  }

  #try(bounds: Bounds): void {
    this.#attempt += 1;
    let ended: Ending | undefined;
    const call = new Attempt<T>(this.#policy, bounds, (ending) => {
      ended = ending;
    });
    call.attempt = this.#attempt;
    call.run(this.#work as Work<T>).then(this.#resolve, (error: unknown) => {
      const kind = ended === undefined || ended.kind === 'returned' ? 'threw' : ended.kind;
      this.#failed({ kind, error });
    });
  }

  #failed(failure: Failure): void {
    try {
      const why = this.#policy.whyNot(failure, this.#attempt) ?? this.#tryLater(failure.error);
      if (why !== undefined) this.#giveUp(failure.error, why);
    } catch (error) {
      // Only the user's shouldRetry can throw here: its mistake ends the operation, and is told.
      this.#giveUp(error, 'refused');
    }
  }

  /** Plans the next attempt, or says why there is none. */
  #tryLater(error: unknown): GaveUp | undefined {
    const { host, events, name, where } = this.#policy;
    const { deadline, signal } = this.#bounds;
    const delayMs = this.#policy.delayMs(error, this.#attempt, this.#previousMs);
    if (delayMs === undefined) return 'refused';
    if (isTimed(this.#bounds) && host.monotonic() + delayMs >= deadline) return 'deadline';
    if (signal?.aborted === true) return 'aborted';
    this.#previousMs = delayMs;
    this.#wait = host.timer(delayMs, `${where} wait`, () => this.#tryAgain(error));
    if (signal !== undefined) listenToAbort(signal, this);
    if (events.active) events.emit('retry.scheduled', { path: name, attempt: this.#attempt, delayMs, error });
    return undefined;
  }

  #tryAgain(error: unknown): void {
    const { signal, deadline } = this.#bounds;
    if (signal !== undefined) unlistenToAbort(signal, this);
    const budgetMs = isTimed(this.#bounds) ? deadline - this.#policy.host.monotonic() : NO_DEADLINE;
    if (budgetMs <= 0) this.#giveUp(error, 'deadline');
    else this.#try({ deadline, signal, budgetMs });
  }

  #giveUp(error: unknown, why: GaveUp): void {
    const { events, name } = this.#policy;
    if (events.active) events.emit('retry.exhausted', { path: name, attempts: this.#attempt, why, error });
    this.#reject(error);
  }
}

class Attempt<T> extends BoundedCall<T> implements AttemptContext {
  attempt = 1;
}

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const createRetry = (options: RetryOptions = {}): Retry => new RetryPolicy(options);

/** Runs one operation: `retry(work, { maxAttempts: 5, timeoutMs: 2_000 })`. */
export const retry = <T>(
  work: (context: AttemptContext) => T | PromiseLike<T>,
  options: RetryOptions & ExecuteOptions = {},
): Promise<T> => {
  const { signal, deadline, timeoutMs, ...policy } = options;
  return createRetry(policy).execute(work, { signal, deadline, timeoutMs });
};
