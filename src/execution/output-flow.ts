/**
 * The credit of one execution: how much its process may send, by the room that its reader leaves and the rate that it keeps to.
 *
 * Invariants: what was granted has room; code that prints faster than it may waits in its own process, in `print`, and costs the
 * service nothing; it is stopped only while it has no credit left, so never for what it printed long ago. It holds at most one timer.
 */
import type { Host, Timer } from '../base/host.ts';
import type { Breach, FloodWatch } from './flood-watch.ts';

/** Chunks that may be under way at once. A kernel puts at most 64 KiB of text into one. */
export const WINDOW = 32;

/** Whose output it is. */
export interface FlowOwner {
  /** How many chunks the reader has room for. */
  readonly room: number;
  grant(chunks: number): void;
  /** It prints too much; from here on it is only stopped. */
  flooded(breach: Breach): void;
  /** It is held back, for the first time. */
  throttled(): void;
}

export class OutputFlow {
  readonly #host: Host;
  readonly #owner: FlowOwner;
  readonly #watch: FloodWatch | undefined;
  readonly #since: number;
  #outstanding = WINDOW;
  #heldMs = 0;
  #heldSince: number | undefined;
  #told = false;
  #over = false;
  #timer: Timer | undefined;

  /** The first {@link WINDOW} chunks are granted with the job. */
  constructor(host: Host, owner: FlowOwner, watch: FloodWatch | undefined) {
    this.#host = host;
    this.#owner = owner;
    this.#watch = watch;
    this.#since = host.monotonic();
  }

  /** A chunk has come; `text` where it printed that. */
  arrived(text: string | undefined): void {
    if (this.#over) return;
    this.#outstanding -= 1;
    const breach = text === undefined ? undefined : this.#watch?.printed(text, this.#host.monotonic());
    if (breach === undefined) this.refill();
    else this.#flooded(breach);
  }

  /** There may be more room than before. */
  refill(): void {
    if (this.#over || this.#isHeld()) return;
    const more = Math.min(WINDOW, this.#owner.room) - this.#outstanding;
    // A frame for each chunk that was read would cost more than the chunk.
    if (more <= 0 || (this.#outstanding > WINDOW / 2 && more < WINDOW / 2)) return;
    this.#outstanding += more;
    this.#owner.grant(more);
  }

  end(): void {
    this.#over = true;
    this.#timer?.cancel();
  }

  #isHeld(): boolean {
    const watch = this.#watch;
    if (watch === undefined) return false;
    const now = this.#host.monotonic();
    const waitMs = watch.waitMs(now);
    if (waitMs === 0) {
      if (this.#heldSince !== undefined) this.#heldMs += now - this.#heldSince;
      this.#heldSince = undefined;
      return false;
    }
    if (!this.#told) this.#owner.throttled();
    this.#told = true;
    // With credit left it is not held yet, whatever it owes.
    if (this.#outstanding > 0) this.#arm(waitMs);
    else this.#hold(watch, { now, waitMs });
    return true;
  }

  #hold(watch: FloodWatch, { now, waitMs }: { now: number; waitMs: number }): void {
    this.#heldSince ??= now;
    const patienceMs = watch.throttledMs - this.#heldMs - (now - this.#heldSince);
    if (patienceMs <= 0) this.#flooded(watch.sustained(now - this.#since));
    else this.#arm(Math.min(waitMs, patienceMs));
  }

  #arm(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#host.timer(delayMs, 'output credit', () => this.refill());
  }

  #flooded(breach: Breach): void {
    this.end();
    this.#owner.flooded(breach);
  }
}
