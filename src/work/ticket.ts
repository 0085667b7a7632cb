/**
 * Whatever is brought to a pool and may have to wait: what a job and the wish for a lease have in common.
 *
 * Invariants: each settles exactly once, with the cause; from then on it holds no timer, no listener and no place in a line.
 * Which worker it gets, and when, is the dispatch's business.
 */
import { type AbortListener, listenToAbort, unlistenToAbort } from '../base/abort.ts';
import type { TroupeError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import type { EventStream } from '../base/telemetry.ts';
import type { PoolWorker } from './pool-worker.ts';
import type { Timed, WaitAlarm } from './wait-alarm.ts';
import type { Standing } from './waiting-lines.ts';

/** How something brought to a pool ended. */
export type Ending =
  | 'succeeded'
  /** The wish for a lease was granted. */
  | 'leased'
  | 'failed'
  | 'timed_out'
  | 'aborted'
  /** Its worker ended under it. */
  | 'lost'
  /** It was let in, but no worker came free in its time. */
  | 'expired'
  /** It was let in, but the pool stopped serving, or the one worker that would do is gone. */
  | 'turned_away'
  /** It was let in, but the queue was too slow for too long, and this mattered least. */
  | 'shed';

/** What a ticket needs of the desk that took it. */
export interface TicketDesk {
  readonly host: Host;
  readonly events: EventStream;
  readonly path: string;
  readonly checkoutMs: number;
  /** Tells of the ends of waits. */
  readonly waitAlarm: WaitAlarm<Ticket>;
  /** Whether a job that lost its worker may be given to another. */
  readonly serves: boolean;
  /** It lost its worker and goes to the head of the line. */
  requeue(ticket: Ticket, now: number): void;
  /** It got a worker. */
  waited(waitMs: number): void;
  /** Its run is over. */
  ran(runMs: number): void;
  /** It is about to be tried again. */
  retried(): void;
  leaveLine(ticket: Ticket): void;
  /** Why no worker came. */
  checkoutError(timeoutMs: number): TroupeError;
  settled(ending: Ending, ticket: Ticket): void;
}

/** Where a ticket stands when it has to wait, and who may end it: the same for all that are brought without options. */
export interface TicketTerms {
  readonly signal: AbortSignal | undefined;
  /** Its priority, as one of `LEVELS`. */
  readonly level: number;
  /** Whom it is for. */
  readonly key: string | undefined;
  /** The session whose worker it should get. */
  readonly session: string | undefined;
  /** The one worker that will do. */
  readonly pinned: PoolWorker | undefined;
}

/** What bounds a ticket. */
export interface TicketBounds<T extends TicketTerms = TicketTerms> {
  readonly now: number;
  readonly deadline: number;
  /** Its number in the order of being let in. */
  readonly order: number;
  readonly terms: T;
}

/** Something that waits for a worker. By the thousands: what it holds is what a full queue costs. */
export abstract class Ticket<T extends TicketTerms = TicketTerms>
  implements Standing<Ticket, PoolWorker>, Timed<Ticket>, AbortListener
{
  next: Ticket | undefined = undefined;
  previous: Ticket | undefined = undefined;
  inLine = false;
  standsFor: PoolWorker | undefined = undefined;
  /** When what it is at began: its wait, or its run. */
  begunAt = 0;
  sooner: Ticket | undefined = undefined;
  later: Ticket | undefined = undefined;
  isTimed = false;
  ownTimer: Timer | undefined = undefined;
  readonly since: number;
  readonly deadline: number;
  readonly order: number;
  protected readonly desk: TicketDesk;
  protected readonly terms: T;
  protected settled = false;

  constructor(desk: TicketDesk, { now, deadline, order, terms }: TicketBounds<T>) {
    this.desk = desk;
    this.since = now;
    this.deadline = deadline;
    this.order = order;
    this.terms = terms;
    if (terms.signal !== undefined) listenToAbort(terms.signal, this);
  }

  get level(): number {
    return this.terms.level;
  }

  get key(): string | undefined {
    return this.terms.key;
  }

  get session(): string | undefined {
    return this.terms.session;
  }

  get pinned(): PoolWorker | undefined {
    return this.terms.pinned;
  }

  /** Whether its caller has been told what came of it; its worker may still be at it. */
  get hasSettled(): boolean {
    return this.settled;
  }

  /** When its wait is over. */
  get waitsUntil(): number {
    return Math.min(this.deadline, this.begunAt + this.desk.checkoutMs);
  }

  /** It is this one's turn. */
  abstract grant(worker: PoolWorker, now: number): void;
  /** It will not be served. */
  abstract turnAway(error: TroupeError, ending?: 'turned_away' | 'shed'): void;
  abstract aborted(signal: AbortSignal): void;
  protected abstract expired(waitedMs: number): void;

  /** It stands in the line from now on. */
  wait(now: number): void {
    this.begunAt = now;
    this.desk.waitAlarm.add(this, now);
  }

  waitIsOver(): void {
    this.desk.leaveLine(this);
    this.expire();
  }

  /** Whether its time was over before its turn came, even if no timer has said so yet. */
  isOver(now: number): boolean {
    return now >= this.waitsUntil;
  }

  expire(): void {
    this.disarm();
    this.expired(this.waitsUntil - this.begunAt);
  }

  /** It waits no more. */
  protected disarm(): void {
    this.desk.waitAlarm.remove(this);
  }

  /** The one end of it. */
  protected conclude(ending: Ending): void {
    this.settled = true;
    this.disarm();
    const { signal } = this.terms;
    if (signal !== undefined) unlistenToAbort(signal, this);
    if (this.inLine) this.desk.leaveLine(this);
    this.desk.settled(ending, this);
  }
}
