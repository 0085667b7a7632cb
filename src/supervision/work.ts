/**
 * The serial work of a supervisor: one procedure at a time, each a generator that yields the child whose fate it waits
 * for. Reads need no procedure and are always answered.
 *
 * Invariant: a procedure resumes only in a turn of its supervisor, so what it throws ends the supervisor like any
 * handler's throw; once abandoned, it never runs again.
 */
import { Deque } from '../base/deque.ts';
import type { Request } from '../kernel/logic.ts';
import type { Child, Fate } from './child.ts';

/** Yields the child it waits for; is resumed with that child's fate. */
export type Procedure<R = void> = Generator<Child, R, Fate>;

interface Order {
  /** A procedure, or `undefined` where it did all at once. */
  readonly begin: () => Procedure | undefined;
  /** Who asked for it, to be refused when the work is abandoned before it began. */
  readonly request: Request | undefined;
}

export class Work {
  readonly #orders = new Deque<Order>();
  #current: Procedure | undefined = undefined;
  #awaited: Child | undefined = undefined;
  #pumping = false;

  enqueue(begin: () => Procedure | undefined, request?: Request): void {
    this.#orders.push({ begin, request });
    this.#pump();
  }

  /** Resumes the procedure that waits for this child; `false` when none does. */
  resume(child: Child, fate: Fate): boolean {
    if (this.#awaited !== child) return false;
    this.#step(fate);
    this.#pump();
    return true;
  }

  /** Drops the procedure under way and all that wait; those who asked for them are refused. */
  abandon(refusal: () => Error): void {
    this.#current?.return(undefined as never);
    this.#current = undefined;
    this.#awaited = undefined;
    this.dropWaiting(refusal);
  }

  /** Drops all that waits behind the procedure under way. */
  dropWaiting(refusal: () => Error): void {
    for (let order = this.#orders.shift(); order !== undefined; order = this.#orders.shift()) {
      order.request?.refuse(refusal());
    }
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#current === undefined) {
        const order = this.#orders.shift();
        if (order === undefined) return;
        this.#current = order.begin();
        if (this.#current !== undefined) this.#step({ kind: 'settled' });
      }
    } finally {
      this.#pumping = false;
    }
  }

  #step(fate: Fate): void {
    const procedure = this.#current;
    this.#awaited = undefined;
    const step = procedure?.next(fate);
    // A procedure may abandon all work, its own included (giving up, closing).
    if (procedure !== this.#current) return;
    if (step === undefined || step.done === true) this.#current = undefined;
    else this.#awaited = step.value;
  }
}
