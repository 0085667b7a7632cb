/**
 * The run queue. Sending never runs the receiver: it puts the receiver here, and one microtask drains the queue, a
 * budget for each actor and for each turn, then yields to I/O.
 *
 * Invariant: an actor stands at most once in the queue. Where the host chooses (simulation), each activation takes one
 * message and is a step of its own.
 */
import { Deque } from '../base/deque.ts';
import type { Host } from '../base/host.ts';

/** What the scheduler runs. `activate` handles up to `budget` messages and says how many it handled. */
export interface Runnable {
  scheduled: boolean;
  activate(budget: number): number;
  readonly runnable: boolean;
}

/** Messages that one actor may handle before the next has its turn. Owner: scheduler. */
export const ACTOR_BUDGET = 64;
/** Messages handled before the clock is looked at. Owner: scheduler; a look costs about 40 ns. */
export const CLOCK_EVERY = 256;
/** Milliseconds one turn may take before I/O is let in. Owner: scheduler; longer turns delay sockets and timers. */
export const TURN_MS = 8;

export class Scheduler {
  readonly #host: Host;
  readonly #queue = new Deque<Runnable>();
  #armed = false;

  constructor(host: Host) {
    this.#host = host;
  }

  get ready(): number {
    return this.#queue.size;
  }

  schedule(cell: Runnable): void {
    if (cell.scheduled) return;
    cell.scheduled = true;
    this.#queue.push(cell);
    if (this.#armed) return;
    this.#armed = true;
    this.#host.step('turn', this.#turn);
  }

  readonly #turn = (): void => {
    if (this.#host.choose !== undefined) this.#chosenStep(this.#host.choose);
    else if (this.#drain()) this.#host.yield('turn', this.#turn);
    else this.#armed = false;
  };

  /** Returns whether work is left. */
  #drain(): boolean {
    const until = this.#host.monotonic() + TURN_MS;
    let untilClock = CLOCK_EVERY;
    for (let cell = this.#queue.shift(); cell !== undefined; cell = this.#queue.shift()) {
      cell.scheduled = false;
      untilClock -= cell.activate(ACTOR_BUDGET) + 1;
      if (cell.runnable) this.#requeue(cell);
      if (untilClock > 0) continue;
      if (this.#host.monotonic() >= until) return this.#queue.size > 0;
      untilClock = CLOCK_EVERY;
    }
    return false;
  }

  #chosenStep(choose: (ready: number, label: string) => number): void {
    const index = this.#queue.size > 1 ? choose(this.#queue.size, 'actor') : 0;
    const cell = this.#queue.removeAt(index);
    if (cell !== undefined) {
      cell.scheduled = false;
      cell.activate(1);
      if (cell.runnable) this.#requeue(cell);
    }
    if (this.#queue.size > 0) this.#host.step('turn', this.#turn);
    else this.#armed = false;
  }

  #requeue(cell: Runnable): void {
    if (cell.scheduled) return;
    cell.scheduled = true;
    this.#queue.push(cell);
  }
}
