/**
 * Where the excess callers of a half-open breaker wait for a permit, if it lets them wait at all.
 *
 * Invariant: first come, first served; at most `queueLimit` wait, none longer than `maxWaitMs` or beyond its own bounds, and
 * who aborts leaves at once. When the breaker closes, only those in line begin, so a herd is never larger than the
 * line; when it opens again all are refused in that turn. Who may enter is the breaker's to say.
 */
import type { Bounds, CallScope } from './call.ts';
import { WaitingLine } from './waiting-line.ts';

/** What the line asks of its breaker. */
export interface Doorkeeper extends CallScope {
  /** Whether the first in line need wait no longer, to enter or to be refused. */
  isDecided(): boolean;
  /** Why nobody is let in; it counts as a refusal. */
  refusal(): unknown;
}

export class ProbeLine {
  readonly #door: Doorkeeper;
  readonly #queueLimit: number;
  readonly #maxWaitMs: number;
  readonly #line: WaitingLine;
  #serving = false;

  constructor(
    door: Doorkeeper,
    { queueLimit, maxWaitMs }: { readonly queueLimit: number; readonly maxWaitMs: number },
  ) {
    this.#door = door;
    this.#queueLimit = queueLimit;
    this.#maxWaitMs = maxWaitMs;
    this.#line = new WaitingLine(door);
  }

  get size(): number {
    return this.#line.size;
  }

  get hasRoom(): boolean {
    return this.#line.size < this.#queueLimit && this.#maxWaitMs > 0;
  }

  /** Joins; `enter` is called with what is left of the bounds, once the breaker has decided. */
  join<T>(bounds: Bounds, enter: (left: Bounds) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#line.join({
        bounds,
        maxWaitMs: this.#maxWaitMs,
        begin: (left) => resolve(enter(left)),
        refuse: reject,
        overdue: () => this.#door.refusal(),
      });
    });
  }

  /** To be called whenever permits may be free. In a loop of its own: a probe that is over at once must not nest. */
  serve(): void {
    if (this.#serving || this.#line.size === 0) return;
    this.#serving = true;
    while (this.#line.size > 0 && this.#door.isDecided()) this.#line.serve();
    this.#serving = false;
  }
}
