/**
 * One deadline after another on one timer: what mostly ends long before its deadline needs no timer of its own.
 *
 * Invariant: it rings at the deadline that was set last, and not after that was cleared. The timer below is left running when a
 * deadline is cleared, and set anew only for an earlier one; so a thousand jobs of 30 s each cost one timer every 30 s.
 */
import type { Host, Timer } from '../base/host.ts';

export class LazyAlarm {
  readonly #host: Host;
  readonly #label: string;
  readonly #ring: () => void;
  #deadline = Number.POSITIVE_INFINITY;
  #timer: Timer | undefined;
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(host: Host, label: string, ring: () => void) {
    this.#host = host;
    this.#label = label;
    this.#ring = ring;
  }

  /** Rings at `deadline`, an instant of `host.monotonic()`; `now` spares the clock. `Infinity` never rings. */
  set(deadline: number, now: number): void {
    this.#deadline = deadline;
    if (deadline < this.#dueMs) this.#arm(deadline, now);
  }

  /** Does not ring before the next deadline is set. */
  clear(): void {
    this.#deadline = Number.POSITIVE_INFINITY;
  }

  /** Clears it and lets go of the timer. */
  stop(): void {
    this.clear();
    this.#timer?.cancel();
    this.#dueMs = Number.POSITIVE_INFINITY;
  }

  #arm(deadline: number, now: number): void {
    this.#timer?.cancel();
    this.#dueMs = deadline;
    this.#timer = this.#host.timer(Math.max(0, deadline - now), this.#label, () => this.#fired());
  }

  #fired(): void {
    this.#dueMs = Number.POSITIVE_INFINITY;
    const deadline = this.#deadline;
    if (deadline === Number.POSITIVE_INFINITY) return;
    const now = this.#host.monotonic();
    if (now < deadline) this.#arm(deadline, now);
    else {
      this.clear();
      this.#ring();
    }
  }
}
