/**
 * Whatever is brought to a pool and may have to wait: what a job and the wish for a lease have in common.
 *
 * Invariants: each settles exactly once, with the cause; from then on it holds no timer, no listener and no place in a line.
 * Which worker it gets, and when, is the dispatch's business.
 */
import { type AbortListener, listenToAbort, unlistenToAbort } from '../base/abort.ts';
import { NO_DEADLINE } from '../base/deadline.ts';
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

/** What bounds a ticket, and where it stands when it has to wait. */
export interface TicketBounds {
  readonly now: number;
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
  /** Its number in the order of being let in. */
  readonly order: number;
  /** Its priority, as one of `LEVELS`. */
  readonly level: number;
  /** Whom it is for. */
  readonly key: string | undefined;
  /** The session whose worker it should get. */
  readonly session: string | undefined;
  /** The one worker that will do. */
  readonly pinned: PoolWorker | undefined;
}

/** Something that waits for a worker. */
export abstract class Ticket implements Standing<Ticket, PoolWorker>, Timed<Ticket>, AbortListener {
  next: Ticket | undefined = undefined;
  previous: Ticket | undefined = undefined;
  inLine = false;
  standsFor: PoolWorker | undefined = undefined;
  /** When its wait began. */
  waitsFrom = 0;
  /** When its wait is over. */
  waitsUntil = NO_DEADLINE;
  sooner: Ticket | undefined = undefined;
  later: Ticket | undefined = undefined;
  isTimed = false;
  ownTimer: Timer | undefined = undefined;
  protected readonly desk: TicketDesk;
  protected readonly bounds: TicketBounds;
  protected settled = false;

  constructor(desk: TicketDesk, bounds: TicketBounds) {
    this.desk = desk;
    this.bounds = bounds;
    if (bounds.signal !== undefined) listenToAbort(bounds.signal, this);
  }

  get deadline(): number {
    return this.bounds.deadline;
  }

  get level(): number {
    return this.bounds.level;
  }

  get key(): string | undefined {
    return this.bounds.key;
  }

  get session(): string | undefined {
    return this.bounds.session;
  }

  get pinned(): PoolWorker | undefined {
    return this.bounds.pinned;
  }

  get since(): number {
    return this.bounds.now;
  }

  get order(): number {
    return this.bounds.order;
  }

  /** It is this one's turn. */
  abstract grant(worker: PoolWorker, now: number): void;
  /** It will not be served. */
  abstract turnAway(error: TroupeError, ending?: 'turned_away' | 'shed'): void;
  abstract aborted(signal: AbortSignal): void;
  protected abstract expired(waitedMs: number): void;

  /** It stands in the line from now on. */
  wait(now: number): void {
    this.waitsFrom = now;
    this.waitsUntil = Math.min(this.deadline, now + this.desk.checkoutMs);
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
    this.expired(this.waitsUntil - this.waitsFrom);
  }

  /** It waits no more. */
  protected disarm(): void {
    this.desk.waitAlarm.remove(this);
  }

  /** The one end of it. */
  protected conclude(ending: Ending): void {
    this.settled = true;
    this.disarm();
    const { signal } = this.bounds;
    if (signal !== undefined) unlistenToAbort(signal, this);
    if (this.inLine) this.desk.leaveLine(this);
    this.desk.settled(ending, this);
  }
}
