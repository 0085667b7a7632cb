/**
 * Brings those who wait and those who are idle together: which worker a job gets, and which job a worker gets.
 *
 * Invariants: a worker is given to one ticket at a time, and only while it takes work; while somebody waits for any worker none is
 * idle, except while paused; a ticket of a session goes to that session's worker, as the mode says; nobody is served after its wait is
 * over. Who may come in at all is the desk's decision, which workers exist the crew's.
 */
import type { ResolvedPoolOptions } from './pool-options.ts';
import type { PoolWorker } from './pool-worker.ts';
import { QueueDelay } from './queue-delay.ts';
import { type SessionNews, SessionTable } from './session-table.ts';
import type { Ticket } from './ticket.ts';
import { WaitQueue } from './wait-queue.ts';
import { WaitingLines } from './waiting-lines.ts';

/** What is told of, and asked of, the desk. */
export interface DispatchDesk extends SessionNews {
  now(): number;
  /** It has waited in a queue that is too slow, and matters least there. */
  shed(ticket: Ticket): void;
  /** The worker that it was for is gone, and no other will do. */
  stranded(ticket: Ticket, worker: PoolWorker): void;
  /** Fewer or more wait than before. */
  lengthChanged(waiting: number): void;
}

export class Dispatch {
  readonly lines: WaitingLines<PoolWorker, Ticket>;
  readonly sessions: SessionTable<PoolWorker>;
  /** The last one given back is the first one taken: its caches are warm, and the coldest can be spared. */
  readonly idle = new WaitQueue<PoolWorker>();
  readonly #desk: DispatchDesk;
  readonly #delay: QueueDelay;
  readonly #mode: ResolvedPoolOptions['affinity']['mode'];
  #paused = false;
  #dispatching = false;
  /** Those that came free, or for whom somebody came, and have not been seen to. */
  #freed: PoolWorker[] = [];

  constructor(desk: DispatchDesk, { agingMs, shedding, affinity }: ResolvedPoolOptions) {
    this.#desk = desk;
    this.lines = new WaitingLines(agingMs);
    this.sessions = new SessionTable(affinity, desk);
    this.#delay = new QueueDelay(shedding);
    this.#mode = affinity.mode;
  }

  /** While paused nobody is served; whoever comes waits. */
  get paused(): boolean {
    return this.#paused;
  }

  set paused(paused: boolean) {
    this.#paused = paused;
    if (paused) return;
    this.#freed = [...this.idle];
    this.#dispatch();
  }

  /** Takes the idle worker that a ticket of this session gets at once; `undefined`: it has to wait. */
  takeIdle(session: string | undefined, now: number): PoolWorker | undefined {
    const { idle } = this;
    if (this.#paused || idle.size === 0 || this.lines.common.size > 0) return undefined;
    if (session === undefined) return idle.shift();
    const bound = this.#boundTo(session, now);
    let worker = bound;
    if (bound === undefined) worker = this.leastBound(idle);
    else if (!bound.inLine) worker = this.#mode === 'hint' ? idle.first : undefined;
    if (worker === undefined) return undefined;
    idle.remove(worker);
    this.sessions.used(session, worker, now);
    return worker;
  }

  /** Whether a ticket of this session has to be refused, because its worker has no time and no other will do. */
  isSessionBusy(session: string, now: number): boolean {
    if (this.#mode !== 'strict_fail_fast') return false;
    const bound = this.#boundTo(session, now);
    return bound !== undefined && !bound.inLine;
  }

  /** Of these, the one with the fewest sessions. */
  leastBound(workers: Iterable<PoolWorker>): PoolWorker | undefined {
    let least: PoolWorker | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const worker of workers) {
      const count = this.sessions.countOf(worker);
      if (count < fewest) [least, fewest] = [worker, count];
    }
    return least;
  }

  /** It waits from now on: for its own worker, where no other will do, or for any. */
  enqueue(ticket: Ticket, now: number): void {
    const worker = ticket.pinned ?? this.#onlyWorkerFor(ticket, now);
    this.lines.push(ticket, worker);
    this.#desk.lengthChanged(this.lines.size);
    // It may be idle: a listener that is told in the midst of all this may bring jobs.
    if (worker?.inLine === true) this.#seeTo(worker);
  }

  /** It had its turn once, and goes to the head. */
  requeue(ticket: Ticket): void {
    this.lines.unshift(ticket);
    this.#desk.lengthChanged(this.lines.size);
    this.#dispatch();
  }

  leave(ticket: Ticket): void {
    this.lines.remove(ticket);
    this.#desk.lengthChanged(this.lines.size);
  }

  /** Takes out anybody that waits, until none is left. */
  shift(): Ticket | undefined {
    const ticket = this.lines.shift();
    if (ticket !== undefined) this.#desk.lengthChanged(this.lines.size);
    return ticket;
  }

  /** It takes work from now on. */
  available(worker: PoolWorker): void {
    this.idle.unshift(worker);
    if (this.lines.size > 0) this.#seeTo(worker);
  }

  /** It takes none any more, though nobody has taken it. */
  unavailable(worker: PoolWorker): void {
    this.idle.remove(worker);
  }

  /** It will never take any: its sessions and those who waited for it go elsewhere. */
  gone(worker: PoolWorker): void {
    this.idle.remove(worker);
    this.sessions.lost(worker);
    if (!this.lines.hasOwn(worker)) return;
    for (const ticket of [...this.lines.takeOwn(worker)].reverse()) {
      if (ticket.pinned === undefined) this.lines.unshift(ticket);
      else this.#desk.stranded(ticket, worker);
    }
    this.#desk.lengthChanged(this.lines.size);
    this.#dispatch();
  }

  /** Nobody is idle any more; the pool's incarnation is over. */
  dismissAll(): void {
    for (let worker = this.idle.shift(); worker !== undefined; worker = this.idle.shift());
    this.#freed.length = 0;
    this.#paused = false;
    this.#delay.calm();
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  /** The worker that a session is with; one that is on its way out counts as lost. */
  #boundTo(session: string, now: number): PoolWorker | undefined {
    const worker = this.sessions.workerOf(session, now);
    if (worker?.over !== true) return worker;
    this.sessions.lost(worker);
    return undefined;
  }

  #onlyWorkerFor({ session }: Ticket, now: number): PoolWorker | undefined {
    return session === undefined || this.#mode === 'hint' ? undefined : this.#boundTo(session, now);
  }

  #seeTo(worker: PoolWorker): void {
    if (this.#paused) return;
    this.#freed.push(worker);
    this.#dispatch();
  }

  /** Whatever comes free meanwhile is seen by the same loop. */
  #dispatch(): void {
    if (this.#dispatching || this.#paused) return;
    this.#dispatching = true;
    for (let worker = this.#nextIdle(); worker !== undefined; worker = this.#nextIdle()) this.#occupy(worker);
    this.#dispatching = false;
    if (this.lines.size === 0) this.#delay.calm();
  }

  #nextIdle(): PoolWorker | undefined {
    if (this.#paused) return undefined;
    return this.#freed.shift() ?? (this.lines.common.size > 0 ? this.idle.first : undefined);
  }

  /** Gives an idle worker the next ticket that can be served. */
  #occupy(worker: PoolWorker): void {
    while (worker.inLine) {
      const ticket = this.lines.nextFor(worker);
      if (ticket === undefined) return;
      this.#serve(ticket, worker, this.#desk.now());
      this.#desk.lengthChanged(this.lines.size);
    }
  }

  #serve(ticket: Ticket, free: PoolWorker, now: number): void {
    if (ticket.isOver(now)) {
      ticket.expire();
      return;
    }
    this.#relieve(now - ticket.begunAt, now);
    const worker = this.#workerOf(ticket, free, now);
    if (worker === undefined) return;
    this.idle.remove(worker);
    if (ticket.session !== undefined) this.sessions.used(ticket.session, worker, now);
    ticket.grant(worker, now);
  }

  /** The worker that it gets instead of the one that is free; `undefined`: it waits on, for its own. */
  #workerOf(ticket: Ticket, free: PoolWorker, now: number): PoolWorker | undefined {
    const { session, pinned } = ticket;
    if (session === undefined || pinned !== undefined) return free;
    const bound = this.#boundTo(session, now);
    if (bound === undefined || bound === free || bound.inLine) return bound ?? free;
    if (this.#mode === 'hint') return free;
    this.lines.push(ticket, bound);
    return undefined;
  }

  /** Sheds, where the queue has been too slow for too long, those that matter least. */
  #relieve(delayMs: number, now: number): void {
    while (this.#delay.sheds(delayMs, now)) {
      const least = this.lines.takeLeast();
      if (least === undefined) return;
      this.#desk.shed(least);
    }
  }
}
