/**
 * The time of one execution: a budget that stands still while the code waits for input, and a deadline that does not.
 *
 * Invariant: it tells once that time is over, and holds at most one timer, none once stopped.
 */
import type { Host, Timer } from '../base/host.ts';

export class ExecutionClock {
  readonly timeoutMs: number;
  readonly deadline: number;
  readonly #host: Host;
  readonly #overdue: () => void;
  readonly #startedAt: number;
  #leftMs: number;
  #runningSince: number | undefined;
  #timer: Timer | undefined;

  constructor(host: Host, bounds: { timeoutMs: number; deadline: number }, overdue: () => void) {
    this.timeoutMs = bounds.timeoutMs;
    this.deadline = bounds.deadline;
    this.#host = host;
    this.#overdue = overdue;
    this.#startedAt = host.monotonic();
    this.#leftMs = bounds.timeoutMs;
    this.resume();
  }

  /** How long it has taken in all, ms. */
  get elapsedMs(): number {
    return this.#host.monotonic() - this.#startedAt;
  }

  /** What is left of both, ms. */
  get remainingMs(): number {
    const now = this.#host.monotonic();
    const spentMs = this.#runningSince === undefined ? 0 : now - this.#runningSince;
    return Math.max(0, Math.min(this.#leftMs - spentMs, this.deadline - now));
  }

  /** The code waits for somebody else. */
  pause(): void {
    if (this.#runningSince === undefined) return;
    this.#leftMs -= this.#host.monotonic() - this.#runningSince;
    this.#runningSince = undefined;
    this.#arm(this.deadline - this.#host.monotonic());
  }

  resume(): void {
    if (this.#runningSince !== undefined) return;
    this.#runningSince = this.#host.monotonic();
    this.#arm(this.remainingMs);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(delayMs: number): void {
    this.#timer?.cancel();
    if (delayMs === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#host.timer(Math.max(0, delayMs), 'execution', this.#overdue);
  }
}
