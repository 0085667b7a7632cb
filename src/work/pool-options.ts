/**
 * The options of a pool and of its jobs: their defaults (design §8), their rules, resolved once.
 *
 * Invariant: what a user wrote is right or refused by name; nothing is coerced and nothing unknown ignored. Options of single
 * jobs are read on a hot path: a bare loop accepts the usual, and hands everything else to the common refusal.
 */
import { NO_DEADLINE } from '../base/deadline.ts';
import { fits, flag, integer, ms, msOrInfinity, object, refuse, resolveOptions } from '../base/options.ts';
import { type Backoff, resolveBackoff, SPEC_FIELDS } from '../kernel/spec.ts';
import type { WorkerKind } from './worker-port.ts';

/** Whether and how often a job is tried. */
export interface RetryOptions {
  /** Whether running a job twice does no harm, unless the job says otherwise. Default `false`. */
  readonly idempotent?: boolean;
  /**
   * How often an idempotent job is given to a worker at most. It is given to another one only when its worker died under it;
   * a job that failed has failed. Default 2: what kills two workers is not tried on a third.
   */
  readonly maxAttempts?: number;
}

/** When a pool stops replacing what crashes. */
export interface CrashLoopOptions {
  /** Crashes in a row, with no job done between them, that make a crash loop. Default 5. */
  readonly crashes?: number;
  /** A crash is not in a row with one that is older than this, ms. Default 60,000. */
  readonly forgetMs?: number;
}

export interface PoolOptions {
  /** What the workers are. Of several kinds each place takes one in turn, and keeps it. */
  readonly worker: WorkerKind | readonly WorkerKind[];
  /** How many. Default 4. */
  readonly size?: number;
  /** How long a job waits for a worker at most, ms; then it never runs. Default 5,000. */
  readonly checkoutMs?: number;
  /** How many jobs may wait; one more is refused. Default 1,000. */
  readonly queueLimit?: number;
  /** A job's budget where it names none: its wait, its run and its retries, ms. Default 30,000. */
  readonly jobTimeoutMs?: number;
  /** How long a worker may take until it is ready, ms. Default 10,000. */
  readonly startTimeoutMs?: number;
  /** How long a worker that was told to cancel may go on before it is killed, ms. Default 1,000. */
  readonly cancelGraceMs?: number;
  /** How long a worker that was told to end may take before it is killed, ms. Default 1,000. */
  readonly closeGraceMs?: number;
  /**
   * How long a worker is idle before it is asked for a sign of life, ms. Default 2,000. As often a busy one is looked at: it is
   * killed if the system holds it stopped (SIGSTOP); otherwise it answers to its job's deadline only.
   */
  readonly pingEveryMs?: number;
  /** How long it has to answer, ms. Default 2,000. After the first miss it gets no work. */
  readonly pingTimeoutMs?: number;
  /** How many misses in a row kill it. Default 3. */
  readonly pingMisses?: number;
  readonly retry?: RetryOptions;
  readonly crashLoop?: CrashLoopOptions;
  /**
   * How long a place waits until it is filled again: at once after its first crash, then `baseMs` and growing for as long
   * as its workers crash before they have done a job. The same delays, without jitter, are between the probes of a crash
   * loop. Default 100 ms, doubling, to 30,000, full jitter.
   */
  readonly replaceBackoff?: Partial<Backoff>;
  /** The allowance for an orderly stop: draining, then closing the workers. Default 10,000. */
  readonly shutdownMs?: number | 'brutal_kill';
  readonly restart?: 'permanent' | 'transient' | 'temporary';
  readonly description?: string;
}

/** What {@link resolvePool} makes of them. */
export interface ResolvedPoolOptions
  extends Readonly<Required<Omit<PoolOptions, 'worker' | 'replaceBackoff' | 'description'>>> {
  readonly kinds: readonly WorkerKind[];
  readonly retry: Readonly<Required<RetryOptions>>;
  readonly crashLoop: Readonly<Required<CrashLoopOptions>>;
  readonly replaceBackoff: Readonly<Backoff>;
  readonly description: string | undefined;
}

export const POOL_DEFAULTS = Object.freeze({
  size: 4,
  checkoutMs: 5_000,
  queueLimit: 1_000,
  jobTimeoutMs: 30_000,
  startTimeoutMs: 10_000,
  cancelGraceMs: 1_000,
  closeGraceMs: 1_000,
  pingEveryMs: 2_000,
  pingTimeoutMs: 2_000,
  pingMisses: 3,
  retry: {} as RetryOptions,
  crashLoop: {} as CrashLoopOptions,
  replaceBackoff: {} as Partial<Backoff>,
  shutdownMs: 10_000 as number | 'brutal_kill',
  restart: 'permanent' as 'permanent' | 'transient' | 'temporary',
});

export const RETRY_DEFAULTS = Object.freeze({ idempotent: false, maxAttempts: 2 });
export const CRASH_LOOP_DEFAULTS = Object.freeze({ crashes: 5, forgetMs: 60_000 });

const isKind = (value: unknown): value is WorkerKind =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as WorkerKind).name === 'string' &&
  typeof (value as WorkerKind).open === 'function';

const FIELDS = {
  worker: fits<WorkerKind | readonly WorkerKind[]>('a worker kind, or a non-empty array of them', (v) =>
    Array.isArray(v) ? v.length > 0 && v.every(isKind) : isKind(v),
  ),
  size: integer(1, 10_000),
  checkoutMs: msOrInfinity(0),
  queueLimit: integer(0),
  jobTimeoutMs: msOrInfinity(1),
  startTimeoutMs: msOrInfinity(1),
  cancelGraceMs: ms(0),
  closeGraceMs: ms(0),
  pingEveryMs: msOrInfinity(1),
  pingTimeoutMs: ms(1),
  pingMisses: integer(1),
  retry: object<RetryOptions>('retry options'),
  crashLoop: object<CrashLoopOptions>('crash loop options'),
  replaceBackoff: object<Partial<Backoff>>('a backoff'),
  shutdownMs: SPEC_FIELDS.shutdownMs,
  restart: SPEC_FIELDS.restart,
  description: SPEC_FIELDS.description,
} as const;

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const resolvePool = (where: string, input: unknown): ResolvedPoolOptions => {
  const { worker, description, ...options } = resolveOptions(where, input, FIELDS, POOL_DEFAULTS);
  if (worker === undefined) return refuse(where, 'worker', FIELDS.worker.expected, worker);
  const retryFields = { idempotent: flag, maxAttempts: integer(1, 100) };
  const crashLoopFields = { crashes: integer(1), forgetMs: msOrInfinity(1) };
  return Object.freeze({
    ...options,
    kinds: Object.freeze(
      Array.isArray(worker) ? [...(worker as readonly WorkerKind[])] : [worker as WorkerKind],
    ),
    retry: resolveOptions(`${where}.retry`, options.retry, retryFields, RETRY_DEFAULTS),
    crashLoop: resolveOptions(`${where}.crashLoop`, options.crashLoop, crashLoopFields, CRASH_LOOP_DEFAULTS),
    replaceBackoff: resolveBackoff(`${where}.replaceBackoff`, options.replaceBackoff),
    description,
  });
};

/** What bounds the wait for a worker. */
export interface CheckoutOptions {
  /** An instant of `host.monotonic()`. For a lease it bounds the wait, for a job the run and its retries as well. */
  readonly deadline?: number | undefined;
  /** The same as a budget from now, ms. The sooner of both counts. */
  readonly timeoutMs?: number | undefined;
  /** The caller's own: in the queue it takes the job out, at work it cancels it in two stages. */
  readonly signal?: AbortSignal | undefined;
}

/** What bounds one job. */
export interface JobOptions extends CheckoutOptions {
  /** Whether running it twice does no harm: only then is it tried again. Default: the pool's `retry.idempotent`. */
  readonly idempotent?: boolean | undefined;
  /** Default: the pool's `retry.maxAttempts`. */
  readonly maxAttempts?: number | undefined;
}

const isInstant = (v: unknown): boolean => typeof v === 'number' && !Number.isNaN(v);

const CHECKOUT_FIELDS = {
  deadline: fits<number>('an instant of host.monotonic()', isInstant),
  timeoutMs: msOrInfinity(0),
  signal: fits<AbortSignal>('an AbortSignal', (v) => typeof (v as AbortSignal | null)?.aborted === 'boolean'),
} as const;

const JOB_FIELDS = { ...CHECKOUT_FIELDS, idempotent: flag, maxAttempts: integer(1, 100) } as const;

/** Checks the options of a job or a lease. @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
const checkBounds = (
  where: string,
  fields: typeof CHECKOUT_FIELDS | typeof JOB_FIELDS,
  options: object,
): void => {
  if (typeof options !== 'object' || options === null) resolveOptions(where, options, fields, {});
  for (const key in options) {
    const value = (options as Record<string, unknown>)[key];
    const field = (fields as Record<string, (typeof fields)[keyof typeof fields] | undefined>)[key];
    if (field === undefined || (value !== undefined && !field.accepts(value)))
      resolveOptions(where, options, fields, {});
  }
};

export const checkJob = (where: string, options: JobOptions): void => checkBounds(where, JOB_FIELDS, options);
export const checkCheckout = (where: string, options: CheckoutOptions): void =>
  checkBounds(where, CHECKOUT_FIELDS, options);

/** The instant until which a caller waits, `defaultMs` from now where it names none. */
export const deadlineOf = (options: CheckoutOptions | undefined, now: number, defaultMs: number): number => {
  if (options === undefined) return now + defaultMs;
  const { deadline, timeoutMs } = options;
  if (timeoutMs === undefined) return deadline ?? now + defaultMs;
  return Math.min(deadline ?? NO_DEADLINE, now + timeoutMs);
};
