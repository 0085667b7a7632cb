/**
 * The ends of all waits before a pool on one timer: nearly everybody waits for as long as whoever came before, and so until later.
 *
 * Invariants: whoever stands here is told at the end of his wait, unless he was taken out; those of the list end in its order, so that
 * adding and taking out are O(1); who ends before the last of them has a timer of his own. When nobody waits no timer runs.
 */
import { NO_DEADLINE } from '../base/deadline.ts';
import type { Host, Timer } from '../base/host.ts';

/** Something whose wait ends. All but `waitsUntil` belongs to the alarm. */
export interface Timed<T> {
  /** The instant on `host.monotonic()`; `Infinity`: never. */
  readonly waitsUntil: number;
  sooner: T | undefined;
  later: T | undefined;
  isTimed: boolean;
  ownTimer: Timer | undefined;
  waitIsOver(): void;
}

export class WaitAlarm<T extends Timed<T>> {
  readonly #host: Host;
  readonly #label: string;
  #first: T | undefined;
  #last: T | undefined;
  #timer: Timer | undefined;

  constructor(host: Host, label: string) {
    this.#host = host;
    this.#label = label;
  }

  /** Its wait began; `now` spares the clock. It must not stand here. */
  add(item: T, now: number): void {
    const { waitsUntil } = item;
    if (waitsUntil === NO_DEADLINE) return;
    const last = this.#last;
    if (last !== undefined && waitsUntil < last.waitsUntil) {
      item.ownTimer = this.#host.timer(Math.max(0, waitsUntil - now), this.#label, () => {
        item.ownTimer = undefined;
        item.waitIsOver();
      });
      return;
    }
    item.isTimed = true;
    item.sooner = last;
    this.#last = item;
    if (last !== undefined) last.later = item;
    else {
      this.#first = item;
      this.#arm(waitsUntil, now);
    }
  }

  /** It waits no more. Does nothing for what does not stand here. */
  remove(item: T): void {
    if (item.ownTimer !== undefined) {
      item.ownTimer.cancel();
      item.ownTimer = undefined;
    }
    if (!item.isTimed) return;
    this.#unlink(item);
    if (this.#first !== undefined) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #unlink(item: T): void {
    const { sooner, later } = item;
    if (sooner === undefined) this.#first = later;
    else sooner.later = later;
    if (later === undefined) this.#last = sooner;
    else later.sooner = sooner;
    item.sooner = undefined;
    item.later = undefined;
    item.isTimed = false;
  }

  #arm(dueMs: number, now: number): void {
    this.#timer = this.#host.timer(Math.max(0, dueMs - now), this.#label, () => this.#fired());
  }

  /** Whom it was set for may have left; then it is set for whoever is first now. */
  #fired(): void {
    this.#timer = undefined;
    const now = this.#host.monotonic();
    for (let item = this.#first; item !== undefined && item.waitsUntil <= now; item = this.#first) {
      this.#unlink(item);
      item.waitIsOver();
    }
    // Whoever is told may bring others, and so have set it.
    const first = this.#first;
    if (first !== undefined && this.#timer === undefined) this.#arm(first.waitsUntil, now);
  }
}
