/**
 * Meters of a rate: when the next permit is there, to the millisecond, computed and never polled.
 *
 * Invariant: in any span of time at most `burst` + rate × span permits are given, and a permit is given as soon as that
 * allows. A meter asks no clock: it is told the instant, which must not go back. It keeps nobody waiting.
 */

/** A rate, and how far it may be run ahead of. */
export interface MeterOptions {
  /** Permits per `periodMs`, above 0. */
  readonly rate: number;
  readonly periodMs: number;
  /** Permits that an idle meter gives at once, at least 1. */
  readonly burst: number;
}

export interface Meter {
  /** Takes a permit: 0. Or how long until there is one, ms; nothing is taken then. */
  take(nowMs: number): number;
  /** Permits that could be taken now. */
  left(nowMs: number): number;
}

/** What sums of fractions may be off by, in permits. It is not forgiven: what was given early is missing later. */
const ROUNDING = 1e-6;

/** Tokens drip into a bucket of `burst`; each permit takes one. */
export class TokenBucket implements Meter {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #atMs = Number.NEGATIVE_INFINITY;

  constructor({ rate, periodMs, burst }: MeterOptions) {
    this.#perMs = rate / periodMs;
    this.#burst = burst;
    this.#tokens = burst;
  }

  take(nowMs: number): number {
    this.#refill(nowMs);
    if (this.#tokens < 1 - ROUNDING) return (1 - this.#tokens) / this.#perMs;
    this.#tokens -= 1;
    return 0;
  }

  left(nowMs: number): number {
    this.#refill(nowMs);
    return Math.max(0, Math.floor(this.#tokens + ROUNDING));
  }

  #refill(nowMs: number): void {
    if (nowMs > this.#atMs && this.#tokens < this.#burst)
      this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
  }
}

/**
 * The generic cell rate algorithm: one number, the instant at which the next permit would be due if all came evenly.
 * Equal to the bucket in what it gives. Source: ITU-T I.371.
 */
export class CellRate implements Meter {
  readonly #intervalMs: number;
  readonly #toleranceMs: number;
  #dueMs = Number.NEGATIVE_INFINITY;

  constructor({ rate, periodMs, burst }: MeterOptions) {
    this.#intervalMs = periodMs / rate;
    this.#toleranceMs = (burst - 1) * this.#intervalMs;
  }

  take(nowMs: number): number {
    const fromMs = this.#dueMs - this.#toleranceMs;
    if (nowMs < fromMs - ROUNDING * this.#intervalMs) return fromMs - nowMs;
    this.#dueMs = Math.max(this.#dueMs, nowMs) + this.#intervalMs;
    return 0;
  }

  left(nowMs: number): number {
    const aheadMs = Math.max(0, this.#dueMs - nowMs);
    return Math.max(0, Math.floor((this.#toleranceMs - aheadMs) / this.#intervalMs + 1 + ROUNDING));
  }
}
