/**
 * Retry: tries again what failed, after a delay, as long as that can still be of use.
 *
 * Invariant: one operation holds one budget. It ends at its last attempt, at its deadline, at its caller's abort, or at an
 * error that retrying cannot help, whichever comes first; it never waits for an attempt that could not begin before
 * the deadline. It rejects with the last error as it was thrown, so that classifying it again changes nothing.
 */

import { type AbortListener, type AbortSource, listenToAbort, unlistenToAbort } from '../base/abort.ts';
import { keepAmbient } from '../base/ambient.ts';
import { NO_DEADLINE } from '../base/deadline.ts';
import { isTroupeError } from '../base/errors.ts';
import type { Timer } from '../base/host.ts';
import { check, type Field, fits, flag, fn, integer, ms, object, resolveOptions } from '../base/options.ts';
import { type BackoffOptions, type BackoffStrategy, createBackoff, tellingBackoff } from './backoff.ts';
import {
  BoundedCall,
  type Bounds,
  type CallContext,
  type Ending,
  type ExecuteOptions,
  isTimed,
  keptFor,
  runFreeIn,
  UNBOUNDED,
  UnboundedContext,
  type Work,
} from './call.ts';
import { isDeadline } from './judge.ts';
import {
  BasePolicy,
  POLICY_FIELDS,
  type PolicyOptions,
  type PolicyReport,
  type StandalonePolicy,
} from './policy.ts';
import { BUDGET, type RetryBudget } from './retry-budget.ts';

/** What a classifier says of an error, as far as a retry wants to know: `createClassifier()` of troupe says more. */
export interface RetryAdvice {
  /** Whether this category may be tried once more after this attempt. */
  readonly retryable: boolean;
  readonly retryAfterMs?: number | undefined;
  /** With kind `retry`, its backoff is taken, unless the policy's own options name a `kind`. `'none'` does not wait. */
  readonly remedy?: { readonly kind: string; readonly backoff?: string } | undefined;
}

/** Classifies errors; `defaultClassifier` fits. Where it throws, or gives no advice, the error is not tried again. */
export interface RetryClassifier {
  classify(error: unknown, context: { readonly attempt: number }): RetryAdvice;
}

export interface RetryOptions extends PolicyOptions {
  /** How often to try at most, the first time included; 0 still tries once. Default 3. */
  readonly maxAttempts?: number;
  /** How long to wait between. Default: exponential from 1,000 ms to 30,000 ms, ± 25 %. */
  readonly backoff?: BackoffOptions;
  /**
   * Whether an error is worth another attempt. Default: all are, but what `idempotent` rules out. Where it throws, or gives no
   * boolean (a promise is none), the error is not tried again: what it was meant to rule out may do harm twice.
   */
  readonly shouldRetry?: (error: unknown, attempt: number) => boolean;
  /** Says by category which errors are tried again, how often, and with which backoff, all within `maxAttempts`. */
  readonly classifier?: RetryClassifier;
  /** What all who share it may spend on second attempts. Default: no limit but `maxAttempts`. */
  readonly budget?: RetryBudget;
  /**
   * `true`: doing it twice is harmless, so that errors of troupe whose `outcome` is `'unknown'` (a timeout, a worker that
   * died) are tried again too. Default `false`.
   */
  readonly idempotent?: boolean;
  /** An error that asks for a longer wait than this (`retryAfterMs`) ends the operation. Default 60,000 ms. */
  readonly maxRetryAfterMs?: number;
}

/** What an attempt is given. */
export interface AttemptContext extends CallContext {
  /** From 1. */
  readonly attempt: number;
}

/**
 * A retry policy: it keeps nothing between operations but counts. Events: `retry.scheduled`, `retry.exhausted`,
 * `limit.exhausted` where its budget is spent, and `policy.option_failed` where a function among its options broke. `execute` rejects with the last error of `work`, ERR_DEADLINE_PASSED,
 * ERR_POLICY_DISPOSED, or the reason of the caller's signal.
 */
export interface Retry extends StandalonePolicy<AttemptContext> {
  inspect(): RetryReport;
}

export interface RetryReport extends PolicyReport {
  /** Since its creation: operations begun, second and later attempts, operations given up. */
  readonly operations: number;
  readonly retries: number;
  readonly exhausted: number;
  /** Operations that wait for their next attempt. */
  readonly waiting: number;
}

const FIELDS = {
  ...POLICY_FIELDS,
  maxAttempts: integer(0),
  backoff: object<BackoffOptions>('a backoff'),
  shouldRetry: fn<(error: unknown, attempt: number) => boolean>(),
  classifier: fits<RetryClassifier>(
    'a classifier',
    (value) => typeof (value as RetryClassifier | null)?.classify === 'function',
  ),
  budget: BUDGET,
  idempotent: flag,
  maxRetryAfterMs: ms(0),
} as const;

const ADVICE = fits<RetryAdvice>(
  'advice, with a boolean `retryable`',
  (value) => typeof (value as RetryAdvice | null | undefined)?.retryable === 'boolean',
);
/** Of a classifier that broke. */
const NO_ADVICE: RetryAdvice = Object.freeze({ retryable: false });

export const RETRY_DEFAULTS = Object.freeze({ maxAttempts: 3, idempotent: false, maxRetryAfterMs: 60_000 });

/** Why an operation was given up. */
type GaveUp = 'attempts' | 'deadline' | 'aborted' | 'refused' | 'budget' | 'disposed';
type Failure = Exclude<Ending, { kind: 'returned' }>;

class RetryPolicy extends BasePolicy implements Retry {
  readonly waiting = new Set<{ stop(): void }>();
  readonly #options;
  readonly #backoff: BackoffStrategy;
  /** The backoffs of categories, by kind. */
  readonly #backoffs = new Map<string, BackoffStrategy>();
  operations = 0;
  retries = 0;
  exhausted = 0;

  constructor(options: RetryOptions) {
    const resolved = resolveOptions('createRetry', options, FIELDS, RETRY_DEFAULTS);
    super('retry', resolved);
    this.#options = resolved;
    const telling = tellingBackoff(resolved.backoff, (error) => this.mishaps.tell('backoff.delay', error));
    this.#backoff = createBackoff(telling, `${this.where}.backoff`);
  }

  inspect(): RetryReport {
    const { name, operations, retries, exhausted, waiting } = this;
    return Object.freeze({ name, operations, retries, exhausted, waiting: waiting.size });
  }

  /** Why there is no attempt after this one, or how long to wait for it. */
  decide({ kind, error }: Failure, attempt: number, previousMs: number): GaveUp | number {
    const { maxAttempts, maxRetryAfterMs, classifier } = this.#options;
    if (kind === 'timed_out') return 'deadline';
    if (kind === 'aborted') return isDeadline(error) ? 'deadline' : 'aborted';
    if (this.disposed) return 'disposed';
    if (attempt >= maxAttempts) return 'attempts';
    const advice =
      classifier === undefined
        ? undefined
        : this.#ask('classifier', ADVICE, () => classifier.classify(error, { attempt }), NO_ADVICE);
    if (!this.#isWorthIt(error, attempt, advice)) return 'refused';
    const askedMs = Math.max(retryAfterMsOf(error), retryAfterMsOf(advice));
    if (askedMs > maxRetryAfterMs) return 'refused';
    return Math.max(askedMs, this.#backoffFor(advice)?.delayMs(attempt, previousMs, this.host.random) ?? 0);
  }

  /** Whether the shared budget pays for one more attempt. */
  pays(): boolean {
    const { budget } = this.#options;
    if (budget === undefined || budget.spend()) return true;
    if (this.events.active) {
      const { burst } = budget;
      this.events.emit('limit.exhausted', {
        path: this.name,
        limit: 'retry_budget',
        used: burst,
        allowed: burst,
        periodMs: 0,
      });
    }
    return false;
  }

  protected run<T>(work: Work<T>, bounds: Bounds): Promise<T> {
    this.operations += 1;
    this.#options.budget?.earn();
    const tried = work as Work<T, AttemptContext>;
    if (bounds !== UNBOUNDED) return new Operation(this, tried, bounds).run();
    // Most calls succeed at once, and need no operation: it is made for what fails.
    return runFreeIn<T, FirstAttempt>(new FirstAttempt(), tried, {
      returned: same,
      threw: (error) => new Operation(this, tried, bounds).goOn(error),
    });
  }

  /** Operations that wait are given up with what they failed with. */
  protected override release(): void {
    for (const operation of [...this.waiting]) operation.stop();
  }

  #isWorthIt(error: unknown, attempt: number, advice: RetryAdvice | undefined): boolean {
    const { shouldRetry, idempotent } = this.#options;
    if (advice === NO_ADVICE) return false;
    if (shouldRetry !== undefined)
      return this.#ask('shouldRetry', flag, () => shouldRetry(error, attempt), false);
    if (advice?.retryable === false) return false;
    return idempotent || !isTroupeError(error) || error.outcome !== 'unknown';
  }

  #backoffFor(advice: RetryAdvice | undefined): BackoffStrategy | undefined {
    const { backoff } = this.#options;
    const kind = advice?.remedy?.kind === 'retry' ? advice.remedy.backoff : undefined;
    if (kind === undefined || backoff?.kind !== undefined) return this.#backoff;
    if (kind === 'none') return undefined;
    let strategy = this.#backoffs.get(kind);
    if (strategy === undefined) {
      strategy = this.#backoffOf({ ...backoff, kind: kind as 'linear' });
      this.#backoffs.set(kind, strategy);
    }
    return strategy;
  }

  /** The backoff that a classifier names; where there is none of that name, the policy's own. */
  #backoffOf(named: BackoffOptions): BackoffStrategy {
    try {
      return createBackoff(named, `${this.where}.backoff`);
    } catch (error) {
      this.mishaps.tell('classifier', error);
      return this.#backoff;
    }
  }

  /** What a user's own function answers. Where it breaks, that is told, and `otherwise` is taken. */
  #ask<T>(option: string, rule: Field<T>, ask: () => T, otherwise: T): T {
    try {
      const answer = check(this.where, option, rule, ask());
      this.mishaps.works(option);
      return answer;
    } catch (error) {
      this.mishaps.tell(option, error);
      return otherwise;
    }
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
  readonly #work: Work<T, AttemptContext>;
  readonly #bounds: Bounds;
  #attempt = 0;
  #previousMs = 0;
  #wait: Timer | undefined = undefined;
  /** What the attempt before the wait failed with. */
  #error: unknown = undefined;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;

  constructor(policy: RetryPolicy, work: Work<T, AttemptContext>, bounds: Bounds) {
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

  /** Goes on after a first attempt that needed no operation, and failed. */
  goOn(error: unknown): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#attempt = 1;
      this.#failed({ kind: 'threw', error });
    });
  }

  /** The caller's signal aborted while this waited. */
  aborted(source: AbortSource): void {
    this.#endWait();
    this.#giveUp(source.reason, isDeadline(source.reason) ? 'deadline' : 'aborted');
  }

  /** Its policy was disposed while this waited. */
  stop(): void {
    this.#endWait();
    this.#giveUp(this.#error, 'disposed');
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
      const next = this.#policy.decide(failure, this.#attempt, this.#previousMs);
      const why = typeof next === 'number' ? this.#tryLater(failure.error, next) : next;
      if (why !== undefined) this.#giveUp(failure.error, why);
    } catch {
      // Only an error whose own properties throw when read gets here: its caller gets it as it is.
      this.#giveUp(failure.error, 'refused');
    }
  }

  /** Plans the next attempt, or says why there is none. */
  #tryLater(error: unknown, delayMs: number): GaveUp | undefined {
    const { host, events, name, where, waiting } = this.#policy;
    const { deadline, signal } = this.#bounds;
    if (isTimed(this.#bounds) && host.monotonic() + delayMs >= deadline) return 'deadline';
    if (signal?.aborted === true) return 'aborted';
    if (!this.#policy.pays()) return 'budget';
    this.#previousMs = delayMs;
    this.#error = error;
    const tryAgain = keepAmbient(() => this.#tryAgain());
    this.#wait = host.timer(delayMs, `${where} wait`, tryAgain, keptFor(this.#policy));
    waiting.add(this);
    if (signal !== undefined) listenToAbort(signal, this);
    if (events.active) events.emit('retry.scheduled', { path: name, attempt: this.#attempt, delayMs, error });
    return undefined;
  }

  #tryAgain(): void {
    const { signal, deadline, budgetMs } = this.#bounds;
    this.#endWait();
    const leftMs = isTimed(this.#bounds) ? deadline - this.#policy.host.monotonic() : NO_DEADLINE;
    if (leftMs <= 0) {
      this.#giveUp(this.#error, 'deadline');
      return;
    }
    this.#policy.retries += 1;
    // Where a call above watches the deadline, it goes on doing so.
    this.#try({ deadline, signal, budgetMs: budgetMs === NO_DEADLINE ? NO_DEADLINE : leftMs });
  }

  #endWait(): void {
    this.#wait?.cancel();
    this.#policy.waiting.delete(this);
    if (this.#bounds.signal !== undefined) unlistenToAbort(this.#bounds.signal, this);
  }

  #giveUp(error: unknown, why: GaveUp): void {
    const { events, name } = this.#policy;
    this.#policy.exhausted += 1;
    if (events.active) events.emit('retry.exhausted', { path: name, attempts: this.#attempt, why, error });
    this.#reject(error);
  }
}

const same = <T>(value: T): T => value;

/** The context of a first attempt that nothing bounds. */
class FirstAttempt extends UnboundedContext implements AttemptContext {
  readonly attempt = 1;
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
  const { signal, deadline, timeoutMs, within, ...policy } = options;
  return createRetry(policy).execute(work, { signal, deadline, timeoutMs, within });
};
