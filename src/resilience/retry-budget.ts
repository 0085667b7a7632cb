/**
 * A budget for extra attempts, shared by any number of retries and hedges: it keeps them from multiplying the load on a
 * service that fails because of its load.
 *
 * Invariant: in any span, extra attempts are at most `ratio` × calls + `perSecond` × seconds + `burst`. It counts; it
 * starts no attempt, and an attempt that it pays for is not paid back. Source: Finagle's RetryBudget.
 */
import type { Host } from '../base/host.ts';
import { fits, object, ratio, resolveOptions } from '../base/options.ts';
import { realHost } from '../base/real-host.ts';

export interface RetryBudgetOptions {
  /** How many extra attempts each call earns, 0 to 1. Default 0.2. */
  readonly ratio?: number;
  /** How many are earned each second without any call, so that a rare caller may retry too. Default 1. */
  readonly perSecond?: number;
  /** How many can be saved up; it starts with so many. At least 1. Default 10. */
  readonly burst?: number;
  /** Default: the real one. */
  readonly host?: Host;
}

/** Make one with {@link createRetryBudget}; hand it to each policy that shall share it. */
export interface RetryBudget {
  readonly burst: number;
  /** A call was made: it earns its part. */
  earn(): void;
  /** Whether one more attempt may be made; if so, it is paid for. */
  spend(): boolean;
  /** Extra attempts that could be made now, those made, and those refused. */
  inspect(): { readonly left: number; readonly spent: number; readonly refused: number };
}

export const RETRY_BUDGET_DEFAULTS = Object.freeze({ ratio: 0.2, perSecond: 1, burst: 10 });

const FIELDS = {
  ratio: ratio(0, 1),
  perSecond: fits<number>('a finite number of at least 0', (v) => Number.isFinite(v) && (v as number) >= 0),
  burst: fits<number>('a finite number of at least 1', (v) => Number.isFinite(v) && (v as number) >= 1),
  host: object<Host>('a Host'),
} as const;

/** As an option of a policy: asked at each call, so what could not be asked is refused at once. */
export const BUDGET = fits<RetryBudget>('a retry budget', (value) => {
  const { earn, spend, burst } = (value ?? {}) as Partial<Record<keyof RetryBudget, unknown>>;
  return typeof earn === 'function' && typeof spend === 'function' && typeof burst === 'number';
});

/** Sums of fractions fall short of whole numbers by less than this. */
const ROUNDING = 1e-9;

class Budget implements RetryBudget {
  readonly burst: number;
  readonly #host: Host;
  readonly #ratio: number;
  readonly #perMs: number;
  #left: number;
  #atMs: number;
  #spent = 0;
  #refused = 0;

  constructor(options: RetryBudgetOptions) {
    const resolved = resolveOptions('createRetryBudget', options, FIELDS, RETRY_BUDGET_DEFAULTS);
    const { host = realHost(), burst, perSecond } = resolved;
    this.#host = host;
    this.#ratio = resolved.ratio;
    this.#perMs = perSecond / 1_000;
    this.burst = burst;
    this.#left = burst;
    this.#atMs = host.monotonic();
  }

  earn(): void {
    this.#add(this.#ratio);
  }

  spend(): boolean {
    this.#refill();
    if (this.#left < 1 - ROUNDING) {
      this.#refused += 1;
      return false;
    }
    this.#left -= 1;
    this.#spent += 1;
    return true;
  }

  inspect(): { readonly left: number; readonly spent: number; readonly refused: number } {
    this.#refill();
    return {
      left: Math.max(0, Math.floor(this.#left + ROUNDING)),
      spent: this.#spent,
      refused: this.#refused,
    };
  }

  /** Time is credited when it is asked for: a call costs no look at the clock. */
  #refill(): void {
    const nowMs = this.#host.monotonic();
    this.#add((nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
  }

  #add(tokens: number): void {
    this.#left = Math.min(this.burst, this.#left + tokens);
  }
}

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const createRetryBudget = (options: RetryBudgetOptions = {}): RetryBudget => new Budget(options);
