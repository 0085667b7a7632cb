/**
 * The run queue. Sending never runs the receiver: it puts the receiver here, and one microtask drains the queue, a
 * budget for each actor and for each turn, then yields to I/O.
 *
 * Invariant: an actor stands at most once in the queue. Where the host chooses (simulation), each activation takes one
 * message and is a step of its own.
 */
import { Deque } from '../base/deque.ts';
import { createError } from '../base/errors.ts';
import type { Fault, Host } from '../base/host.ts';

/** What the scheduler runs. `activate` handles up to `budget` messages and says how many it handled. */
export interface Runnable {
  scheduled: boolean;
  activate(budget: number): number;
  readonly runnable: boolean;
  /** Where it stands, for a host that plans faults. */
  readonly name?: string;
  /** Crashes between two messages, as if a handler had thrown. Asked for by simulated hosts only. */
  crash?(error: Error): void;
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

  /** Returns whether work is left. The clock of a turn starts with its second activation: most turns have one. */
  #drain(): boolean {
    let until: number | undefined;
    let untilClock = CLOCK_EVERY;
    for (let cell = this.#queue.shift(); cell !== undefined; cell = this.#queue.shift()) {
      cell.scheduled = false;
      untilClock -= cell.activate(ACTOR_BUDGET) + 1;
      if (cell.runnable) this.#requeue(cell);
      if (until === undefined) {
        if (this.#queue.size === 0) return false;
        until = this.#host.monotonic() + TURN_MS;
      }
      if (untilClock > 0) continue;
      if (this.#host.monotonic() >= until) return this.#queue.size > 0;
      untilClock = CLOCK_EVERY;
    }
    return false;
  }

  #chosenStep(choose: NonNullable<Host['choose']>): void {
    const index = this.#queue.size > 1 ? choose(this.#queue.size, 'actor', this.#who) : 0;
    const cell = this.#queue.removeAt(index);
    if (cell !== undefined) this.#activateUnderFaults(cell);
    if (this.#queue.size > 0) this.#host.step('turn', this.#turn);
    else this.#armed = false;
  }

  readonly #who = (index: number): object | undefined => this.#queue.at(index);

  /** In simulation alone: the host may want the mail to be late, or a crash before or after a message. */
  #activateUnderFaults(cell: Runnable): void {
    const delay = this.#host.fault('mailbox.delay', cell.name);
    if (delay !== undefined) {
      this.#host.timer(delay.value ?? 1, 'mailbox.delay', () => {
        cell.scheduled = false;
        if (cell.runnable) this.schedule(cell);
      });
      return;
    }
    cell.scheduled = false;
    const before = this.#host.fault('actor.before', cell.name);
    if (before === undefined) cell.activate(1);
    else this.#crash(cell, 'actor.before', before);
    const after = this.#host.fault('actor.after', cell.name);
    if (after !== undefined) this.#crash(cell, 'actor.after', after);
    if (cell.runnable) this.#requeue(cell);
  }

  #crash(cell: Runnable, point: string, { kind }: Fault): void {
    cell.crash?.(createError('ERR_SIMULATION_FAULT', { point, kind }));
  }

  #requeue(cell: Runnable): void {
    if (cell.scheduled) return;
    cell.scheduled = true;
    this.#queue.push(cell);
  }
}
