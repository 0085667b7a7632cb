/**
 * Durations by the thousands in a few hundred bytes: counts in buckets that grow with what they hold, so that a quantile is right
 * within 6 %, from a microsecond to a day.
 *
 * Invariant: a record costs no memory and no search; what it holds never grows. It measures nothing itself.
 */

/** What a {@link Histogram} knows, ms. All 0 while `count` is. */
export interface Durations {
  readonly count: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** Sub-buckets of each doubling: a value is known within half of 1/8. */
const PARTS_BITS = 3;
const PARTS = 1 << PARTS_BITS;
/** 2^37 µs are a day and a half; longer counts as that. */
const DOUBLINGS = 37;
const MICROSECONDS = 1_000;
const LONGEST = 2 ** 31;

export class Histogram {
  readonly #counts = new Float64Array((DOUBLINGS + 1) * PARTS);
  #count = 0;
  /** Of these, those that took any time. */
  #timed = 0;
  #sum = 0;
  #max = 0;

  record(durationMs: number): void {
    this.#count += 1;
    // Mostly nobody waits; also what is no duration counts as none.
    if (!(durationMs > 0)) return;
    this.#timed += 1;
    this.#sum += durationMs;
    if (durationMs > this.#max) this.#max = durationMs;
    const at = indexOf(durationMs * MICROSECONDS);
    this.#counts[at] = (this.#counts[at] as number) + 1;
  }

  /** The duration that this part of all does not exceed, within the bucket's width; 0 without any. */
  quantile(part: number): number {
    const wanted = Math.ceil(part * this.#count);
    let seen = this.#count - this.#timed;
    if (seen >= wanted) return 0;
    for (let at = 0; at < this.#counts.length; at++) {
      seen += this.#counts[at] as number;
      if (seen >= wanted) return Math.min(this.#max, middleOf(at) / MICROSECONDS);
    }
    return 0;
  }

  report(): Durations {
    return {
      count: this.#count,
      meanMs: this.#count === 0 ? 0 : this.#sum / this.#count,
      p50Ms: this.quantile(0.5),
      p90Ms: this.quantile(0.9),
      p99Ms: this.quantile(0.99),
      p999Ms: this.quantile(0.999),
      maxMs: this.#max,
    };
  }
}

/** Below {@link PARTS} each whole number has a bucket; above, each doubling has that many. */
const indexOf = (value: number): number => {
  if (value >= LONGEST) return indexOfLong(value);
  const whole = value | 0;
  if (whole < PARTS) return whole;
  const doubling = 31 - Math.clz32(whole) - PARTS_BITS;
  return ((doubling + 1) << PARTS_BITS) + ((whole >> doubling) & (PARTS - 1));
};

const indexOfLong = (value: number): number => {
  const capped = Math.min(value, 2 ** DOUBLINGS - 1);
  const doubling = Math.floor(Math.log2(capped)) - PARTS_BITS;
  return (doubling + 1) * PARTS + (Math.floor(capped / 2 ** doubling) & (PARTS - 1));
};

const middleOf = (at: number): number => {
  if (at < PARTS) return at;
  const doubling = (at >> PARTS_BITS) - 1;
  const from = (PARTS + (at & (PARTS - 1))) * 2 ** doubling;
  return from + (2 ** doubling - 1) / 2;
};
