/**
 * Why something brought to a pool is not served: the errors, in one place. Who is refused is decided elsewhere.
 *
 * Invariant: none carries a stack of its own, for they are made by the thousands under load; all say `not_started`.
 */
import { createError, plainText, type TroupeError } from '../base/errors.ts';

const BARE = { stack: false } as const;

export const queueFull = (pool: string, limit: number): TroupeError =>
  createError('ERR_POOL_QUEUE_FULL', { pool, limit }, BARE);

export const draining = (pool: string): TroupeError => createError('ERR_POOL_DRAINING', { pool }, BARE);

export const aborted = (pool: string, cause: unknown): TroupeError =>
  createError('ERR_POOL_ABORTED', { pool }, { cause, stack: false });

/** Its deadline had passed before it came. */
export const tooLate = (pool: string): TroupeError =>
  createError('ERR_POOL_CHECKOUT_TIMEOUT', { pool, timeoutMs: 0, standing: '' }, BARE);

export const overloaded = (pool: string, waitedMs: number): TroupeError =>
  createError('ERR_POOL_OVERLOADED', { pool, waitedMs: Math.round(waitedMs) }, BARE);

export const sessionBusy = (pool: string, session: string, worker: string): TroupeError =>
  createError('ERR_POOL_SESSION_BUSY', { pool, session, worker }, BARE);

/** The worker that alone would do is not there, or not any more. */
export const noWorker = (pool: string, worker: string): TroupeError =>
  createError('ERR_POOL_NO_WORKER', { pool, worker }, BARE);

/** What is known of a crash loop. */
export interface CrashLoopFacts {
  readonly pool: string;
  readonly crashes: number;
  readonly retryAfterMs: number;
}

export const degraded = (facts: CrashLoopFacts, cause: TroupeError | undefined): TroupeError =>
  createError('ERR_POOL_DEGRADED', { ...facts, lastCrash: crashInWords(cause) }, { cause, stack: false });

export const crashInWords = (crash: TroupeError | undefined): string =>
  crash === undefined ? 'unknown' : plainText(crash);

/** How the workers stood when somebody's wait was over. */
export interface Standing {
  readonly pool: string;
  readonly timeoutMs: number;
  /** The workers there should be. */
  readonly size: number;
  readonly starting: number;
  readonly failed: number;
}

/** No worker came: where some are not there, that is said, with the crash that may have led to it. */
export const checkoutTimeout = (facts: Standing, lastCrash: TroupeError | undefined): TroupeError => {
  const { size, starting, failed } = facts;
  const absent = starting + failed;
  const standing =
    absent === 0
      ? ''
      : `; ${absent} of ${size} workers are not there: ${starting} starting, ${failed} failed`;
  const cause = absent === 0 ? undefined : lastCrash;
  return createError('ERR_POOL_CHECKOUT_TIMEOUT', { ...facts, standing }, { cause, stack: false });
};
