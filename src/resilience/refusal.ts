/**
 * Refusals made once and shared by all who are turned away for the same cause: this is the way that is hottest when all
 * else fails, and an error with a stack costs more than the call it stands for.
 *
 * Invariant: a shared error is frozen, since nobody owns it; each caller gets a promise of its own, which is reported as
 * unhandled if nobody handles it. Where errors are asked for that their receivers may write on, each is made for one.
 */
import { createError, sameError, type TroupeError } from '../base/errors.ts';
import { rejectLater } from './call.ts';
import type { OpenWait } from './open-wait.ts';

/** What one who is turned away is given. */
export interface Refusal {
  readonly error: TroupeError;
  /** Rejects a microtask later: nothing is thrown, and whoever handles it stays out of Node's unhandled rejections. */
  reject(): Promise<never>;
}

/** For one alone: the error is its own. */
class FreshRefusal implements Refusal {
  readonly error: TroupeError;

  constructor(error: TroupeError) {
    this.error = error;
  }

  reject(): Promise<never> {
    return rejectLater(this.error);
  }
}

export class SharedRefusal implements Refusal {
  readonly error: TroupeError;
  readonly #rejection: Promise<never>;

  constructor(error: TroupeError) {
    this.error = Object.freeze(error);
    this.#rejection = Promise.reject(error);
    // Handled here; what is derived from it is its caller's to handle.
    this.#rejection.catch(() => {});
  }

  reject(): Promise<never> {
    return this.#rejection.then<never>();
  }
}

const UNSTACKED = { stack: false } as const;

export const disposedError = (breaker: string): TroupeError =>
  createError('ERR_BREAKER_DISPOSED', { breaker }, UNSTACKED);

const isolatedError = (breaker: string): TroupeError =>
  createError('ERR_BREAKER_ISOLATED', { breaker }, UNSTACKED);

const probingError = (breaker: string): TroupeError =>
  createError('ERR_BREAKER_PROBING', { breaker }, UNSTACKED);

/**
 * An open breaker's; its cause is the failure that opened it. `data.retryAfterMs` is what is left when it is read: the error
 * outlives its first rejection.
 */
const openError = (
  facts: { readonly breaker: string; readonly openMs: number; readonly failures: number },
  wait: OpenWait,
  cause?: unknown,
): TroupeError => {
  const { retryAt, untilMs } = wait;
  const data = {
    ...facts,
    /** Wall clock, ms. */
    retryAt,
    get retryAfterMs(): number {
      return wait.untilMs === untilMs ? (wait.leftMs ?? 0) : 0;
    },
  };
  return createError('ERR_BREAKER_OPEN', Object.freeze(data), { ...UNSTACKED, cause });
};

/** What there is to say of a refusal. */
export interface RefusalFacts {
  readonly retired: boolean;
  readonly probing: boolean;
  readonly isolated: boolean;
  readonly openMs: number;
  readonly failures: number;
  readonly cause: unknown;
}

/** Who refuses. */
export interface Refuser {
  readonly name: string;
  whyRefused(): RefusalFacts;
}

/** The refusals of a breaker: one error for each of its generations, or for each call. */
export class Refusals {
  readonly #shared: boolean;
  readonly #refuser: Refuser;
  readonly #wait: OpenWait;
  #current: SharedRefusal | undefined = undefined;
  /** Since its creation. */
  total = 0;

  constructor(refuser: Refuser, wait: OpenWait, shared: boolean) {
    this.#shared = shared;
    this.#refuser = refuser;
    this.#wait = wait;
  }

  next(): Refusal {
    this.total += 1;
    this.#current ??= new SharedRefusal(this.#error());
    return this.#shared ? this.#current : new FreshRefusal(sameError(this.#current.error));
  }

  /** A generation is over, and what was said in it. */
  forget(): void {
    this.#current = undefined;
  }

  #error(): TroupeError {
    const { name: breaker } = this.#refuser;
    const { retired, probing, isolated, openMs, failures, cause } = this.#refuser.whyRefused();
    if (retired) return disposedError(breaker);
    if (probing) return probingError(breaker);
    if (isolated) return isolatedError(breaker);
    return openError({ breaker, openMs, failures }, this.#wait, cause);
  }
}
