/** Durations counted by size, with fixed edges: what is told of waits and runs. Bounded whatever is counted. */
import type { Histogram } from './tree-view.ts';

/** Upper edges, ms: from a tenth of a millisecond to half a minute. */
export const EDGES: readonly number[] = Object.freeze([
  0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000,
]);

export class Durations {
  readonly #counts = new Uint32Array(EDGES.length + 1);
  #sum = 0;
  #count = 0;

  add(ms: number): void {
    let i = 0;
    while (i < EDGES.length && ms > (EDGES[i] as number)) i += 1;
    this.#counts[i] = (this.#counts[i] as number) + 1;
    this.#sum += ms;
    this.#count += 1;
  }

  get count(): number {
    return this.#count;
  }

  get sum(): number {
    return this.#sum;
  }

  /** The edge at or below which that part of all lies; the last edge where it lies beyond. */
  quantile(part: number): number {
    let left = this.#count * part;
    for (let i = 0; i < EDGES.length; i++) {
      left -= this.#counts[i] as number;
      if (left <= 0) return EDGES[i] as number;
    }
    return EDGES[EDGES.length - 1] as number;
  }

  show(): Histogram {
    return { edges: EDGES, counts: [...this.#counts], sum: this.#sum, count: this.#count };
  }
}
