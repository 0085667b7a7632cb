/**
 * Whether a bounded line is nearly full: told once when it becomes so, and once when there is room again.
 *
 * Invariant: the two are told in turns, and apart by the gap between the marks, so that a line that is full to the brim for an hour
 * says so once. It bounds nothing.
 */

/** A line is nearly full from this part of its limit on, and has room again from that one down. */
export const SATURATED_FROM = 0.8;
export const RELIEVED_FROM = 0.5;

export interface PressureNews {
  saturated(waiting: number, limit: number): void;
  relieved(waiting: number, limit: number): void;
}

export class QueuePressure {
  saturated = false;
  readonly #limit: number;
  readonly #high: number;
  readonly #low: number;
  readonly #news: PressureNews;

  /** A line that nobody may stand in is never nearly full. */
  constructor(limit: number, news: PressureNews) {
    this.#limit = limit;
    this.#high = limit === 0 ? Number.POSITIVE_INFINITY : Math.ceil(limit * SATURATED_FROM);
    this.#low = Math.floor(limit * RELIEVED_FROM);
    this.#news = news;
  }

  note(waiting: number): void {
    if (this.saturated) {
      if (waiting > this.#low) return;
      this.saturated = false;
      this.#news.relieved(waiting, this.#limit);
    } else if (waiting >= this.#high) {
      this.saturated = true;
      this.#news.saturated(waiting, this.#limit);
    }
  }
}
