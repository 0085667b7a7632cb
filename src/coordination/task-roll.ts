/**
 * Who runs in a scope, by name and in the order of starting.
 *
 * Invariant: no two that run share a name, and coming and going costs a look-up and nothing else: a Map that is emptied and
 * filled with every task makes a new table each time (half of what a task costs). So names keep their seats, bounded, and
 * tasks are linked with each other.
 */
import type { TaskKind } from '../../actors/scope.machine.ts';
import { originOf } from './origin.ts';
import type { TaskRun } from './task.ts';

/** Seats beyond those of tasks that run; then the empty ones are cleared away. */
const MOST_EMPTY = 1_000;
/** The second task of a name is its number 2. */
const FIRST_NUMBER = 2;

/** The place of one name. */
export interface Seat {
  readonly name: string;
  /** Where a task of this name was started, if that was looked at. */
  readonly origin: string | undefined;
  taken: boolean;
  /** Where the numbers of tasks that share this name have come to; forgotten when none runs. */
  next: number;
}

export class TaskRoll {
  readonly #seats = new Map<string, Seat>();
  readonly #origins: 'all' | 'by_name' | 'none';
  readonly #running = { lifecycle: 0, system: 0, background: 0 };
  #first: TaskRun | undefined = undefined;
  #last: TaskRun | undefined = undefined;
  /** Whether a name was shared since last nobody ran. */
  #numbered = false;
  size = 0;

  constructor(origins: 'all' | 'by_name' | 'none') {
    this.#origins = origins;
  }

  get seats(): number {
    return this.#seats.size;
  }

  of(kind: TaskKind): number {
    return this.#running[kind];
  }

  /** A free seat under this name, or under its next number; `below` is whose caller is the origin. */
  seat(name: string, below: Function): Seat {
    const known = this.#seats.get(name);
    if (known === undefined) return this.#newSeat(name, originOf(name, this.#origins, below));
    if (known.taken) return this.#numberedSeat(known, below);
    return this.#origins === 'all' ? this.#newSeat(name, originOf(name, 'all', below)) : known;
  }

  join(task: TaskRun): void {
    task.seat.taken = true;
    task.before = this.#last;
    if (this.#last === undefined) this.#first = task;
    else this.#last.after = task;
    this.#last = task;
    this.size += 1;
    this.#running[task.kind] += 1;
  }

  leave(task: TaskRun): void {
    const { before, after } = task;
    task.seat.taken = false;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    // Whoever keeps a task that is over keeps none of those after it.
    task.before = undefined;
    task.after = undefined;
    this.size -= 1;
    this.#running[task.kind] -= 1;
    if (this.size > 0 || !this.#numbered) return;
    this.#numbered = false;
    this.#seats.clear();
  }

  /** Those that run now. */
  list(): readonly TaskRun[] {
    const running: TaskRun[] = [];
    for (let task = this.#first; task !== undefined; task = task.after) running.push(task);
    return running;
  }

  #newSeat(name: string, origin: string | undefined): Seat {
    if (this.#seats.size >= 2 * this.size + MOST_EMPTY) this.#clearAway();
    const seat = { name, origin, taken: false, next: FIRST_NUMBER };
    this.#seats.set(name, seat);
    return seat;
  }

  #numberedSeat(shared: Seat, below: Function): Seat {
    let number = shared.next;
    while (this.#seats.get(`${shared.name}#${number}`)?.taken === true) number += 1;
    shared.next = number + 1;
    this.#numbered = true;
    const origin = this.#origins === 'all' ? originOf(shared.name, 'all', below) : shared.origin;
    return this.#newSeat(`${shared.name}#${number}`, origin);
  }

  #clearAway(): void {
    for (const [name, { taken }] of this.#seats) if (!taken) this.#seats.delete(name);
  }
}
