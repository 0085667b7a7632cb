/**
 * Calls that wait for their turn: first come, first served.
 *
 * Invariant: nobody overtakes, and who leaves (aborted, out of time, served) leaves at once and frees the place. A call
 * that ends here has not started, and says so. It begins in the ambient value of its caller, whoever makes room. It decides neither
 * when a turn comes nor how long the line may be.
 */

import { type AbortListener, type AbortSource, listenToAbort, unlistenToAbort } from '../base/abort.ts';
import { ambient, inAmbient } from '../base/ambient.ts';
import { NO_DEADLINE } from '../base/deadline.ts';
import { createError } from '../base/errors.ts';
import type { Timer } from '../base/host.ts';
import { type Bounds, type CallScope, isTimed, keptFor } from './call.ts';

/** A call in line. */
export interface Turn {
  /** What bounds the call. */
  readonly bounds: Bounds;
  /** How long it waits at most, ms; beyond that it is turned away with `overdue`. */
  readonly maxWaitMs: number;
  /** Its turn has come; `bounds` is what is left of them. */
  begin(bounds: Bounds): void;
  /** It never began. */
  refuse(error: unknown): void;
  overdue(): unknown;
}

class Place implements AbortListener {
  readonly turn: Turn;
  readonly #line: WaitingLine;
  readonly #ambient = ambient();
  timer: Timer | undefined = undefined;
  previous: Place | undefined = undefined;
  next: Place | undefined = undefined;

  constructor(line: WaitingLine, turn: Turn) {
    this.#line = line;
    this.turn = turn;
  }

  begin(bounds: Bounds): void {
    inAmbient(this.#ambient, () => this.turn.begin(bounds));
  }

  aborted(source: AbortSource): void {
    this.#line.expel(this, source.reason);
  }
}

export class WaitingLine {
  readonly #scope: CallScope;
  readonly #left: () => void;
  #head: Place | undefined = undefined;
  #tail: Place | undefined = undefined;
  #size = 0;

  /** `left` is called when somebody leaves unserved. */
  constructor(scope: CallScope, left: () => void = () => {}) {
    this.#scope = scope;
    this.#left = left;
  }

  get size(): number {
    return this.#size;
  }

  /** Joins at the end. */
  join(turn: Turn): void {
    const place = new Place(this, turn);
    place.previous = this.#tail;
    if (this.#tail === undefined) this.#head = place;
    else this.#tail.next = place;
    this.#tail = place;
    this.#size += 1;
    const { bounds, maxWaitMs } = turn;
    if (bounds.signal !== undefined) listenToAbort(bounds.signal, place);
    if (bounds.budgetMs === NO_DEADLINE && maxWaitMs === NO_DEADLINE) return;
    const { host, where } = this.#scope;
    const timeoutMs = Math.min(bounds.budgetMs, maxWaitMs);
    const expel = (): void => {
      const passed = bounds.budgetMs <= maxWaitMs;
      this.expel(place, passed ? this.#deadlinePassed(timeoutMs) : turn.overdue());
    };
    place.timer = host.timer(timeoutMs, `${where} turn`, expel, keptFor(this.#scope));
  }

  /** Lets the first begin. `false`: nobody waits. */
  serve(): boolean {
    const place = this.#head;
    if (place === undefined) return false;
    this.#remove(place);
    const { turn } = place;
    const { bounds } = turn;
    // Its abort may be what made room: then others hear of it before this one does.
    if (bounds.signal?.aborted === true) turn.refuse(bounds.signal.reason);
    else if (!isTimed(bounds) || bounds.budgetMs === NO_DEADLINE) place.begin(bounds);
    else {
      const leftMs = bounds.deadline - this.#scope.host.monotonic();
      if (leftMs > 0) place.begin({ ...bounds, budgetMs: leftMs });
      else turn.refuse(this.#deadlinePassed(bounds.budgetMs));
    }
    return true;
  }

  /** Turns everybody away. */
  clear(error: unknown): void {
    for (let place = this.#head; place !== undefined; place = this.#head) {
      this.#remove(place);
      place.turn.refuse(error);
    }
  }

  expel(place: Place, error: unknown): void {
    this.#remove(place);
    place.turn.refuse(error);
    this.#left();
  }

  #remove(place: Place): void {
    const { previous, next } = place;
    if (previous === undefined) this.#head = next;
    else previous.next = next;
    if (next === undefined) this.#tail = previous;
    else next.previous = previous;
    this.#size -= 1;
    place.timer?.cancel();
    const { signal } = place.turn.bounds;
    if (signal !== undefined) unlistenToAbort(signal, place);
  }

  #deadlinePassed(timeoutMs: number): unknown {
    const { where } = this.#scope;
    return createError('ERR_DEADLINE_PASSED', { where, timeoutMs }, { outcome: 'not_started', stack: false });
  }
}
