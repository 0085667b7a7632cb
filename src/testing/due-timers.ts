/**
 * The timers of a simulated host that are due at one instant, and which of them may go next: any that is the first of those set
 * together, because a real clock, finer than a millisecond, parts the others somehow.
 *
 * Invariant: earlier instants go first, and of those set at one instant for one instant the first set.
 */
import type { WheelTimer } from '../base/timer-wheel.ts';

export class DueTimers {
  readonly #due = new Set<WheelTimer>();
  readonly #setAt = new WeakMap<WheelTimer, number>();

  /** Remembers when a timer was set. */
  wasSet(timer: WheelTimer, nowMs: number): void {
    this.#setAt.set(timer, nowMs);
  }

  /** A timer's instant has come. */
  add(timer: WheelTimer): void {
    this.#due.add(timer);
  }

  /** It fires, or was called off when its turn had not come yet. */
  remove(timer: WheelTimer): void {
    this.#due.delete(timer);
  }

  get size(): number {
    return this.#due.size;
  }

  [Symbol.iterator](): IterableIterator<WheelTimer> {
    return this.#due.values();
  }

  /** Who may go next, the first set first. */
  candidates(): readonly WheelTimer[] {
    const candidates: WheelTimer[] = [];
    const together = new Set<number | undefined>();
    let dueMs: number | undefined;
    for (const timer of this.#due) {
      dueMs ??= timer.dueMs;
      const setAt = this.#setAt.get(timer);
      if (timer.dueMs !== dueMs || together.has(setAt)) continue;
      together.add(setAt);
      candidates.push(timer);
    }
    return candidates;
  }
}
