/**
 * The options of a pool and of its jobs: their defaults (design §8), their rules, resolved once.
 *
 * Invariant: what a user wrote is right or refused by name; nothing is coerced and nothing unknown ignored. Options of single
 * jobs are read on a hot path: a bare loop accepts the usual, and hands everything else to the common refusal.
 */
import { NO_DEADLINE } from '../base/deadline.ts';
import {
  check,
  type Field,
  fits,
  flag,
  fn,
  integer,
  ms,
  msOrInfinity,
  object,
  oneOf,
  ratio,
  refuse,
  resolveOptions,
  text,
} from '../base/options.ts';
import { type Backoff, resolveBackoff, SPEC_FIELDS } from '../kernel/spec.ts';
import type { Priority } from '../resilience/load-shedding.ts';
import { type CarriedContext, isCarried } from './carried-context.ts';
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

/** How many workers there are: at least `min` of them, never more than `max`. */
export interface SizeRange {
  readonly min: number;
  readonly max: number;
}

/** When a pool of `{ min, max }` workers grows and shrinks. */
export interface ScalingOptions {
  /** It grows when somebody has waited for this long, ms; while it has fewer than `min`, at once. Default 50. */
  readonly growAfterMs?: number;
  /** A worker beyond `min` that was idle for this long may go, ms. Default 60,000. */
  readonly idleMs?: number;
  /** One goes at a time, this long after the last one went or came, ms: so that a lull between bursts costs nothing. Default 5,000. */
  readonly shrinkEveryMs?: number;
}

/** When waiting jobs are shed although the queue has room: CoDel's rule (RFC 8289), on the queue's delay instead of its length. */
export interface SheddingOptions {
  /** The delay that a good queue stays below, ms. Default `Infinity`: nothing is shed. */
  readonly targetMs?: number;
  /** For how long the delay must have been above that, ms; then jobs are shed, faster and faster. Default 100. */
  readonly intervalMs?: number;
}

/**
 * What a session's worker being busy means for a job of it. `hint`: any other worker will do. `strict_queue`: it waits for its own.
 * `strict_fail_fast`: it is refused with ERR_POOL_SESSION_BUSY.
 */
export type AffinityMode = 'hint' | 'strict_queue' | 'strict_fail_fast';

/** How sessions keep to their workers. */
export interface AffinityOptions {
  /** Default `hint`. */
  readonly mode?: AffinityMode;
  /** A session is forgotten when it was not used for this long, ms. Default 300,000. */
  readonly ttlMs?: number;
  /** How many sessions are remembered; for one more the one that was not used for longest is forgotten. Default 10,000. */
  readonly limit?: number;
}

/** When a worker that is well is replaced all the same. */
export interface RecycleOptions {
  /** After so many jobs or leases. Default `Infinity`. */
  readonly maxUses?: number;
  /** When it has been there for so long and is free, ms. Default `Infinity`. */
  readonly maxAgeMs?: number;
  /** The part of `maxAgeMs` that chance takes away, so that those who started together do not go together. Default 0.1. */
  readonly ageJitter?: number;
  /**
   * How long a place stays empty after its worker died as by a bad memory access or out of memory (SIGSEGV, SIGBUS, SIGILL, SIGABRT, or
   * a SIGKILL that is not ours; 128 + the signal as exit code), ms, so that what is poisonous does not eat worker after worker. The last
   * place with a worker is never left empty. Default 0.
   */
  readonly taintMs?: number;
}

export interface PoolOptions {
  /** What the workers are. Of several kinds each place takes one in turn, and keeps it. */
  readonly worker: WorkerKind | readonly WorkerKind[];
  /** How many: a number, or a range within which the pool grows and shrinks by demand. Default 4. */
  readonly size?: number | SizeRange;
  /** `eager`: all of them (of a range: `min`) at once. `lazy`: none before it is needed. Default `eager`. */
  readonly start?: 'eager' | 'lazy';
  /** How many may be starting at the same time; the next starts when one is ready or has failed. Default 8. */
  readonly startsAtOnce?: number;
  readonly scaling?: ScalingOptions;
  /** How long a job waits for a worker at most, ms; then it never runs. Default 5,000. */
  readonly checkoutMs?: number;
  /** How many jobs may wait; one more is refused. Default 1,000. */
  readonly queueLimit?: number;
  /** After how long a waiting job counts as one priority more urgent, ms: nobody starves. `Infinity`: never. Default 1,000. */
  readonly agingMs?: number;
  readonly shedding?: SheddingOptions;
  readonly affinity?: AffinityOptions;
  readonly recycle?: RecycleOptions;
  /** A job's budget where it names none: its wait, its run and its retries, ms. Default 30,000. */
  readonly jobTimeoutMs?: number;
  /** How long a worker may take until it is ready, ms. Default 10,000. */
  readonly startTimeoutMs?: number;
  /** How long a worker that was told to cancel may go on before it is killed, ms. Default 1,000. */
  readonly cancelGraceMs?: number;
  /** How long a worker that was told to end may take before it is killed, ms. Default 1,000. */
  readonly closeGraceMs?: number;
  /**
   * How long a worker is idle before it is asked for a sign of life, ms. Default 2,000. A busy one answers to its job's deadline
   * only, and see `lookEveryMs`.
   */
  readonly pingEveryMs?: number;
  /** How long it has to answer, ms. Default 2,000. After the first miss it gets no work. */
  readonly pingTimeoutMs?: number;
  /** How many misses in a row kill it. Default 3. */
  readonly pingMisses?: number;
  /**
   * How long a worker may go without having answered a ping, however busy it is, ms: then it is asked when it is given back, before it
   * gets more work. Default 30,000.
   */
  readonly checkEveryMs?: number;
  /** How often a worker that somebody has is looked at: it is killed if the system holds it stopped (SIGSTOP), ms. Default 500. */
  readonly lookEveryMs?: number;
  /**
   * How long a lease may be held before `pool.lease.leaked` names who took it, with the stack, ms; then again after as long. Each
   * lease then costs a stack trace. Default `Infinity`: nobody looks.
   */
  readonly leaseLeakMs?: number;
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
  extends Readonly<Required<Omit<PoolOptions, 'worker' | 'size' | 'replaceBackoff' | 'description'>>> {
  readonly kinds: readonly WorkerKind[];
  readonly size: SizeRange;
  readonly scaling: Readonly<Required<ScalingOptions>>;
  readonly shedding: Readonly<Required<SheddingOptions>>;
  readonly affinity: Readonly<Required<AffinityOptions>>;
  readonly recycle: Readonly<Required<RecycleOptions>>;
  readonly retry: Readonly<Required<RetryOptions>>;
  readonly crashLoop: Readonly<Required<CrashLoopOptions>>;
  readonly replaceBackoff: Readonly<Backoff>;
  readonly description: string | undefined;
}

export const POOL_DEFAULTS = Object.freeze({
  size: 4 as number | SizeRange,
  start: 'eager' as 'eager' | 'lazy',
  startsAtOnce: 8,
  scaling: {} as ScalingOptions,
  checkoutMs: 5_000,
  queueLimit: 1_000,
  agingMs: 1_000,
  shedding: {} as SheddingOptions,
  affinity: {} as AffinityOptions,
  recycle: {} as RecycleOptions,
  jobTimeoutMs: 30_000,
  startTimeoutMs: 10_000,
  cancelGraceMs: 1_000,
  closeGraceMs: 1_000,
  pingEveryMs: 2_000,
  pingTimeoutMs: 2_000,
  pingMisses: 3,
  checkEveryMs: 30_000,
  lookEveryMs: 500,
  leaseLeakMs: Number.POSITIVE_INFINITY,
  retry: {} as RetryOptions,
  crashLoop: {} as CrashLoopOptions,
  replaceBackoff: {} as Partial<Backoff>,
  shutdownMs: 10_000 as number | 'brutal_kill',
  restart: 'permanent' as 'permanent' | 'transient' | 'temporary',
});

export const RETRY_DEFAULTS = Object.freeze({ idempotent: false, maxAttempts: 2 });
export const CRASH_LOOP_DEFAULTS = Object.freeze({ crashes: 5, forgetMs: 60_000 });
export const SCALING_DEFAULTS = Object.freeze({ growAfterMs: 50, idleMs: 60_000, shrinkEveryMs: 5_000 });
export const SHEDDING_DEFAULTS = Object.freeze({ targetMs: Number.POSITIVE_INFINITY, intervalMs: 100 });
export const AFFINITY_DEFAULTS = Object.freeze({
  mode: 'hint' as AffinityMode,
  ttlMs: 300_000,
  limit: 10_000,
});
export const RECYCLE_DEFAULTS = Object.freeze({
  maxUses: Number.POSITIVE_INFINITY,
  maxAgeMs: Number.POSITIVE_INFINITY,
  ageJitter: 0.1,
  taintMs: 0,
});
export const PRIORITIES: readonly Priority[] = Object.freeze(['critical', 'high', 'normal', 'low']);
/** More workers than this are a mistake in a unit. */
export const WORKERS_MAX = 10_000;

const isKind = (value: unknown): value is WorkerKind =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as WorkerKind).name === 'string' &&
  typeof (value as WorkerKind).open === 'function';

const isCount = (value: unknown, least: number): value is number =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= WORKERS_MAX;

const isRange = (value: unknown): value is SizeRange => {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 2) return false;
  const { min, max } = value as Partial<SizeRange>;
  return isCount(min, 0) && isCount(max, 1) && min <= max;
};

/** How many workers, as users write it. */
export const SIZE: Field<number | SizeRange> = fits(
  `a whole number from 1 to ${WORKERS_MAX}, or { min, max } of whole numbers with 0 ≤ min ≤ max, max ≥ 1`,
  (v) => isCount(v, 1) || isRange(v),
);

/** The same as a range. */
export const rangeOf = (size: number | SizeRange): SizeRange =>
  Object.freeze(typeof size === 'number' ? { min: size, max: size } : { min: size.min, max: size.max });

const WORKER = fits<WorkerKind | readonly WorkerKind[]>('a worker kind, or a non-empty array of them', (v) =>
  Array.isArray(v) ? v.length > 0 && v.every(isKind) : isKind(v),
);

const kindsOf = (worker: WorkerKind | readonly WorkerKind[]): readonly WorkerKind[] =>
  Object.freeze(Array.isArray(worker) ? [...(worker as readonly WorkerKind[])] : [worker as WorkerKind]);

const countOrInfinity = fits<number>(
  'a whole number of at least 1, or Infinity',
  (v) => v === Number.POSITIVE_INFINITY || (Number.isInteger(v) && (v as number) >= 1),
);

const FIELDS = {
  worker: WORKER,
  size: SIZE,
  start: oneOf('eager', 'lazy'),
  startsAtOnce: integer(1),
  scaling: object<ScalingOptions>('scaling options'),
  checkoutMs: msOrInfinity(0),
  queueLimit: integer(0),
  agingMs: msOrInfinity(1),
  shedding: object<SheddingOptions>('shedding options'),
  affinity: object<AffinityOptions>('affinity options'),
  recycle: object<RecycleOptions>('recycle options'),
  jobTimeoutMs: msOrInfinity(1),
  startTimeoutMs: msOrInfinity(1),
  cancelGraceMs: ms(0),
  closeGraceMs: ms(0),
  pingEveryMs: msOrInfinity(1),
  pingTimeoutMs: ms(1),
  pingMisses: integer(1),
  checkEveryMs: msOrInfinity(1),
  lookEveryMs: msOrInfinity(1),
  leaseLeakMs: msOrInfinity(1),
  retry: object<RetryOptions>('retry options'),
  crashLoop: object<CrashLoopOptions>('crash loop options'),
  replaceBackoff: object<Partial<Backoff>>('a backoff'),
  shutdownMs: SPEC_FIELDS.shutdownMs,
  restart: SPEC_FIELDS.restart,
  description: SPEC_FIELDS.description,
} as const;

const RETRY_FIELDS = { idempotent: flag, maxAttempts: integer(1, 100) };
const CRASH_LOOP_FIELDS = { crashes: integer(1), forgetMs: msOrInfinity(1) };
const SCALING_FIELDS = { growAfterMs: msOrInfinity(0), idleMs: msOrInfinity(0), shrinkEveryMs: ms(0) };
const SHEDDING_FIELDS = { targetMs: msOrInfinity(0), intervalMs: ms(1) };
const AFFINITY_FIELDS = {
  mode: oneOf('hint', 'strict_queue', 'strict_fail_fast'),
  ttlMs: msOrInfinity(1),
  limit: integer(1),
};
const RECYCLE_FIELDS = {
  maxUses: countOrInfinity,
  maxAgeMs: msOrInfinity(1),
  ageJitter: ratio(),
  taintMs: ms(0),
};

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const resolvePool = (where: string, input: unknown): ResolvedPoolOptions => {
  const { worker, description, ...options } = resolveOptions(where, input, FIELDS, POOL_DEFAULTS);
  if (worker === undefined) return refuse(where, 'worker', FIELDS.worker.expected, worker);
  return Object.freeze({
    ...options,
    kinds: kindsOf(worker),
    size: rangeOf(options.size),
    scaling: resolveOptions(`${where}.scaling`, options.scaling, SCALING_FIELDS, SCALING_DEFAULTS),
    shedding: resolveOptions(`${where}.shedding`, options.shedding, SHEDDING_FIELDS, SHEDDING_DEFAULTS),
    affinity: resolveOptions(`${where}.affinity`, options.affinity, AFFINITY_FIELDS, AFFINITY_DEFAULTS),
    recycle: resolveOptions(`${where}.recycle`, options.recycle, RECYCLE_FIELDS, RECYCLE_DEFAULTS),
    retry: resolveOptions(`${where}.retry`, options.retry, RETRY_FIELDS, RETRY_DEFAULTS),
    crashLoop: resolveOptions(
      `${where}.crashLoop`,
      options.crashLoop,
      CRASH_LOOP_FIELDS,
      CRASH_LOOP_DEFAULTS,
    ),
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
  /** The caller's own: in the queue it takes the job out, at work it cancels it in two stages, a lease it gives back. */
  readonly signal?: AbortSignal | undefined;
  /** Who goes first when some must wait. Default `normal`. */
  readonly priority?: Priority | undefined;
  /** Whom it is for: within a priority keys take turns, so that nobody's flood delays everybody. Default: one key for all. */
  readonly key?: string | undefined;
  /** Goes to the worker that this session was with before, as the pool's `affinity.mode` says. */
  readonly session?: string | undefined;
}

/** What bounds a lease. */
export interface LeaseOptions extends CheckoutOptions {
  /** How long it may be held, ms: then it is given back as if its holder had done so. Default `Infinity`. */
  readonly holdMs?: number | undefined;
  /** Who takes it, for `inspect()` and for leaks; an actor that leases through `ctx.get` is named by itself. */
  readonly holder?: string | undefined;
}

/** What bounds one job. */
export interface JobOptions extends CheckoutOptions {
  /** Whether running it twice does no harm: only then is it tried again. Default: the pool's `retry.idempotent`. */
  readonly idempotent?: boolean | undefined;
  /** Default: the pool's `retry.maxAttempts`. */
  readonly maxAttempts?: number | undefined;
  /**
   * The context of its caller: what that carries the handler reads as `job.context`, in whatever process it runs, and its deadline
   * bounds the job.
   */
  readonly context?: CarriedContext | undefined;
  /** Hears how far it is, as its handler says by `progress`. What it throws aborts the job. */
  readonly onProgress?: ((value: unknown) => void) | undefined;
}

/** What bounds a job whose result is taken as a stream. */
export interface StreamOptions extends JobOptions {
  /** How many chunks may be on their way or wait to be taken; the handler waits for room. Default 16. */
  readonly window?: number | undefined;
}

export const STREAM_WINDOW = 16;

const isInstant = (v: unknown): boolean => typeof v === 'number' && !Number.isNaN(v);

const CHECKOUT_FIELDS = {
  deadline: fits<number>('an instant of host.monotonic()', isInstant),
  timeoutMs: msOrInfinity(0),
  signal: fits<AbortSignal>('an AbortSignal', (v) => typeof (v as AbortSignal | null)?.aborted === 'boolean'),
  priority: oneOf('critical', 'high', 'normal', 'low'),
  key: text,
  session: text,
} as const;

const LEASE_FIELDS = { ...CHECKOUT_FIELDS, holdMs: msOrInfinity(1), holder: text } as const;
const JOB_FIELDS = {
  ...CHECKOUT_FIELDS,
  idempotent: flag,
  maxAttempts: integer(1, 100),
  context: fits<CarriedContext>('a Context', isCarried),
  onProgress: fn<(value: unknown) => void>(),
} as const;

/** How large the window of a stream is, and what else was said of it. @throws ERR_OPTION_INVALID */
export const windowOf = (
  where: string,
  options: StreamOptions | undefined,
): { readonly window: number; readonly options: JobOptions | undefined } => {
  if (options?.window === undefined) return { window: STREAM_WINDOW, options };
  const { window, ...rest } = options;
  return { window: check(where, 'window', integer(1), window), options: rest };
};

/** Checks the options of a job or a lease. @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
const checkBounds = (
  where: string,
  fields: typeof LEASE_FIELDS | typeof JOB_FIELDS,
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
export const checkLease = (where: string, options: LeaseOptions): void =>
  checkBounds(where, LEASE_FIELDS, options);

/** The instant until which a caller waits, `defaultMs` from now where it names none. */
export const deadlineOf = (options: CheckoutOptions | undefined, now: number, defaultMs: number): number => {
  if (options === undefined) return now + defaultMs;
  const { deadline, timeoutMs } = options;
  if (timeoutMs === undefined) return deadline ?? now + defaultMs;
  return Math.min(deadline ?? NO_DEADLINE, now + timeoutMs);
};

/** How workers are replaced while the pool works. */
export interface ReplaceOptions {
  /** What the new ones are: new code, another image. Default: the same kinds, started anew. */
  readonly worker?: WorkerKind | readonly WorkerKind[];
  /** How many places may be without their worker at a time. Default 1. */
  readonly atOnce?: number;
  /** How long it may take, ms; leases that are held hold it up. Default 60,000. */
  readonly timeoutMs?: number;
}

export const REPLACE_DEFAULTS = Object.freeze({ atOnce: 1, timeoutMs: 60_000 });
const REPLACE_FIELDS = { worker: WORKER, atOnce: integer(1), timeoutMs: msOrInfinity(1) };

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const resolveReplace = (where: string, input: unknown) => {
  const { worker, ...options } = resolveOptions(where, input, REPLACE_FIELDS, REPLACE_DEFAULTS);
  return { ...options, kinds: worker === undefined ? undefined : kindsOf(worker) };
};
