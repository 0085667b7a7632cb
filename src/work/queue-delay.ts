/**
 * When a queue has been too slow for too long: CoDel (RFC 8289), as it is used for jobs instead of packets.
 *
 * Invariant: a burst that is worked off within `intervalMs` loses nothing; while the delay stays above `targetMs` one is shed, then the
 * next sooner and sooner (interval/√count), until a job comes through below it. It counts and says; who is shed, its owner decides.
 */

export class QueueDelay {
  readonly #targetMs: number;
  readonly #intervalMs: number;
  /** When the delay will have been above the target for the interval; `undefined` while it is not. */
  #aboveUntil: number | undefined;
  #shedding = false;
  #nextAt = 0;
  #count = 0;

  constructor(settings: { readonly targetMs: number; readonly intervalMs: number }) {
    this.#targetMs = settings.targetMs;
    this.#intervalMs = settings.intervalMs;
  }

  /** Whether one is to be shed now, told the delay of the one whose turn it is. Ask again until it says no. */
  sheds(delayMs: number, now: number): boolean {
    if (delayMs < this.#targetMs) {
      this.calm();
      return false;
    }
    if (this.#aboveUntil === undefined) {
      this.#aboveUntil = now + this.#intervalMs;
      return false;
    }
    if (!this.#shedding) {
      if (now < this.#aboveUntil) return false;
      this.#shedding = true;
      // Where it was shedding a moment ago, it goes on at about the pace that was needed then.
      const isRecent = now - this.#nextAt < 16 * this.#intervalMs;
      this.#count = isRecent && this.#count > 2 ? this.#count - 2 : 1;
      this.#nextAt = now + this.#paceMs;
      return true;
    }
    if (now < this.#nextAt) return false;
    this.#count += 1;
    this.#nextAt += this.#paceMs;
    return true;
  }

  /** Nothing waits, or somebody came through in good time. */
  calm(): void {
    this.#aboveUntil = undefined;
    this.#shedding = false;
  }

  get #paceMs(): number {
    return this.#intervalMs / Math.sqrt(this.#count);
  }
}
