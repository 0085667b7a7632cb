/**
 * The delayed events of one XState actor (`after`, delayed `raise` and `sendTo`), on timers of the incarnation it lives in.
 *
 * Invariant: indexed per actor and id, so that cancelling one, or all of an actor, costs what it cancels. XState scans
 * every timer of its system instead, and arms `setTimeout`, which fires at once from 2^31 ms on; these do not.
 *
 * Two delayed events of one actor with one id both fire, as in XState; `cancel(id)` and the actor's end reach both, where
 * XState forgets the first.
 */
import type { ActorContext, ActorTimer } from '../kernel/logic.ts';

/** One delayed event. */
export interface Delayed {
  readonly id: string;
  readonly target: unknown;
  readonly event: unknown;
  readonly delayMs: number;
  /** `host.wall()` when it was set; XState keeps it in persisted snapshots. */
  readonly startedAt: number;
}

class Entry implements Delayed {
  readonly id: string;
  readonly target: unknown;
  readonly event: unknown;
  readonly delayMs: number;
  readonly startedAt: number;
  timer: ActorTimer | undefined = undefined;
  /** An earlier one with the same id. */
  earlier: Entry | undefined = undefined;

  constructor(id: string, target: unknown, event: unknown, times: { delayMs: number; startedAt: number }) {
    this.id = id;
    this.target = target;
    this.event = event;
    this.delayMs = times.delayMs;
    this.startedAt = times.startedAt;
  }
}

export class DelayedEvents {
  readonly #context: ActorContext;
  readonly #fire: (delayed: Delayed) => void;
  readonly #entries = new Map<string, Entry>();
  #size = 0;

  constructor(context: ActorContext, fire: (delayed: Delayed) => void) {
    this.#context = context;
    this.#fire = fire;
  }

  get size(): number {
    return this.#size;
  }

  /** Negative delays and `NaN` count as 0, as `setTimeout` has it; `Infinity` never fires. */
  set(id: string, target: unknown, event: unknown, delayMs: number): void {
    const context = this.#context;
    const delay = delayMs > 0 ? delayMs : 0;
    const entry = new Entry(id, target, event, { delayMs, startedAt: context.system.host.wall() });
    entry.timer = context.postAfter(delay, 'xstate', () => {
      this.#forget(entry);
      this.#fire(entry);
    });
    entry.earlier = this.#entries.get(id);
    this.#entries.set(id, entry);
    this.#size += 1;
  }

  cancel(id: string): void {
    for (let entry = this.#entries.get(id); entry !== undefined; entry = entry.earlier) {
      entry.timer?.cancel();
      this.#size -= 1;
    }
    this.#entries.delete(id);
  }

  cancelAll(): void {
    for (const id of [...this.#entries.keys()]) this.cancel(id);
  }

  *[Symbol.iterator](): IterableIterator<Delayed> {
    for (const latest of this.#entries.values())
      for (let entry: Entry | undefined = latest; entry !== undefined; entry = entry.earlier) yield entry;
  }

  #forget(fired: Entry): void {
    this.#size -= 1;
    const latest = this.#entries.get(fired.id);
    if (latest === fired) {
      if (fired.earlier === undefined) this.#entries.delete(fired.id);
      else this.#entries.set(fired.id, fired.earlier);
      return;
    }
    for (let entry = latest; entry !== undefined; entry = entry.earlier)
      if (entry.earlier === fired) entry.earlier = fired.earlier;
  }
}
