/**
 * Adaptive concurrency: a bulkhead that finds its own limit. It rises by one for each limit's worth of successes, and falls
 * by a factor where calls fail or take too long (additive increase, multiplicative decrease).
 *
 * Invariant: the limit stays between `minLimit` and `maxLimit`; one overload lowers it once, however many calls met it:
 * only calls that began after the last decrease can cause another. It rises only while at least half of it is in use, and
 * never by what was cancelled or shed. A judge that breaks is overruled by the default, and told of. Source: Chiu & Jain; Netflix concurrency-limits (AIMDLimit).
 */
import { createError } from '../base/errors.ts';
import { fits, fn, integer, msOrInfinity, refuse, resolveOptions } from '../base/options.ts';
import type { Bounds, Ending, Work } from './call.ts';
import { type Judge, judgeByDefault, judgeSafely } from './judge.ts';
import {
  BasePolicy,
  POLICY_FIELDS,
  type PolicyOptions,
  type PolicyReport,
  type StandalonePolicy,
} from './policy.ts';
import { Slots } from './slots.ts';

export interface AdaptiveConcurrencyOptions extends PolicyOptions {
  /** Default 20. */
  readonly initialLimit?: number;
  /** Default 1. */
  readonly minLimit?: number;
  /** Default 200. */
  readonly maxLimit?: number;
  /** What a decrease leaves of the limit, at least 0.5, below 1. Default 0.9. */
  readonly backoffRatio?: number;
  /** A success that took longer is a sign of overload, ms. Default `Infinity`. */
  readonly slowMs?: number;
  /** Which endings are signs of overload: its failures. Default: what a breaker counts. */
  readonly judge?: Judge;
  /** How many may wait; beyond that they are refused at once. Default 0. */
  readonly queueLimit?: number;
  /** How long a call waits at most, ms. Default `Infinity`: until its own deadline. */
  readonly maxWaitMs?: number;
}

export interface AdaptiveConcurrencyReport extends PolicyReport {
  readonly limit: number;
  readonly used: number;
  readonly waiting: number;
  /** Since its creation: calls refused, and times the limit fell. */
  readonly refused: number;
  readonly decreases: number;
}

/** Refuses with ERR_BULKHEAD_FULL. Events: `limit.exhausted`, `concurrency.limit_changed`. */
export interface AdaptiveConcurrency extends StandalonePolicy {
  inspect(): AdaptiveConcurrencyReport;
}

export const ADAPTIVE_DEFAULTS = Object.freeze({
  initialLimit: 20,
  minLimit: 1,
  maxLimit: 200,
  backoffRatio: 0.9,
  slowMs: Number.POSITIVE_INFINITY,
  judge: judgeByDefault,
  queueLimit: 0,
  maxWaitMs: Number.POSITIVE_INFINITY,
});

const FIELDS = {
  ...POLICY_FIELDS,
  initialLimit: integer(1),
  minLimit: integer(1),
  maxLimit: integer(1),
  backoffRatio: fits<number>(
    'a number of at least 0.5, below 1',
    (v) => typeof v === 'number' && v >= 0.5 && v < 1,
  ),
  slowMs: msOrInfinity(0),
  judge: fn<Judge>(),
  queueLimit: integer(0),
  maxWaitMs: msOrInfinity(0),
} as const;

class AdaptivePolicy extends BasePolicy implements AdaptiveConcurrency {
  readonly #options;
  readonly #slots: Slots;
  /** The limit with its fraction. */
  #exact: number;
  #decreasedAtMs = Number.NEGATIVE_INFINITY;
  #decreases = 0;

  constructor(options: AdaptiveConcurrencyOptions) {
    const where = 'createAdaptiveConcurrency';
    const resolved = resolveOptions(where, options, FIELDS, ADAPTIVE_DEFAULTS);
    const { minLimit, maxLimit, initialLimit, queueLimit, maxWaitMs } = resolved;
    if (initialLimit < minLimit || initialLimit > maxLimit)
      refuse(where, 'initialLimit', `from minLimit (${minLimit}) to maxLimit (${maxLimit})`, initialLimit);
    super('adaptive_concurrency', resolved);
    this.#options = resolved;
    this.#exact = initialLimit;
    this.#slots = new Slots(this, {
      limit: initialLimit,
      queueLimit,
      maxWaitMs,
      makeRefusal: () =>
        createError('ERR_BULKHEAD_FULL', { policy: this.where, limit: this.#slots.limit }, { stack: false }),
      ended: (ending, beganAtMs) => this.#ended(ending, beganAtMs),
    });
  }

  inspect(): AdaptiveConcurrencyReport {
    const { limit, used, waiting, refused } = this.#slots;
    return Object.freeze({ name: this.name, limit, used, waiting, refused, decreases: this.#decreases });
  }

  protected run<T>(work: Work<T>, bounds: Bounds): Promise<T> {
    return this.#slots.run(work, bounds);
  }

  protected override release(): void {
    this.#slots.clear(createError('ERR_POLICY_DISPOSED', { policy: this.where }, { stack: false }));
  }

  #ended(ending: Ending, beganAtMs: number): void {
    const { judge, slowMs, minLimit, maxLimit, backoffRatio } = this.#options;
    const judgement = judgeSafely(judge, ending, (error) => this.mishaps.tell('judge', error));
    if (judgement === 'neutral') return;
    const nowMs = this.host.monotonic();
    if (judgement === 'failure' || nowMs - beganAtMs > slowMs) {
      if (beganAtMs <= this.#decreasedAtMs) return;
      this.#decreasedAtMs = nowMs;
      this.#decreases += 1;
      this.#change(Math.max(minLimit, Math.floor(this.#exact * backoffRatio)));
    } else if ((this.#slots.used + 1) * 2 >= this.#slots.limit)
      this.#change(Math.min(maxLimit, this.#exact + 1 / this.#exact));
  }

  #change(exact: number): void {
    const from = this.#slots.limit;
    this.#exact = exact;
    const to = Math.floor(exact + 1e-9);
    if (to === from) return;
    this.#slots.limit = to;
    if (this.events.active) this.events.emit('concurrency.limit_changed', { path: this.name, from, to });
  }
}

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const createAdaptiveConcurrency = (options: AdaptiveConcurrencyOptions = {}): AdaptiveConcurrency =>
  new AdaptivePolicy(options);
