/**
 * The latencies of recent calls, and their quantiles.
 *
 * Invariant: it remembers the last `size` samples, exactly, sorted as they come: a sample costs a search and a shift of
 * a few hundred bytes, a quantile a look-up. It measures nothing itself.
 */

export class LatencyWindow {
  readonly #ring: Float64Array;
  readonly #sorted: Float64Array;
  #next = 0;
  #count = 0;

  constructor(size: number) {
    this.#ring = new Float64Array(size);
    this.#sorted = new Float64Array(size);
  }

  get count(): number {
    return this.#count;
  }

  add(latencyMs: number): void {
    const ring = this.#ring;
    const sorted = this.#sorted;
    if (this.#count === ring.length) {
      const at = this.#indexOf(ring[this.#next] as number);
      sorted.copyWithin(at, at + 1, this.#count);
      this.#count -= 1;
    }
    const at = this.#indexOf(latencyMs);
    sorted.copyWithin(at + 1, at, this.#count);
    sorted[at] = latencyMs;
    ring[this.#next] = latencyMs;
    this.#next = (this.#next + 1) % ring.length;
    this.#count += 1;
  }

  /** The smallest latency that at least this part of the samples does not exceed; `undefined` without samples. */
  quantile(part: number): number | undefined {
    if (this.#count === 0) return undefined;
    return this.#sorted[Math.max(0, Math.ceil(part * this.#count) - 1)];
  }

  /** The first place whose sample is not smaller. */
  #indexOf(latencyMs: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sorted[middle] as number) < latencyMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
