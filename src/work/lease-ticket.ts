/**
 * The wish for a lease, waiting for its turn.
 *
 * Invariants: those of a ticket; whoever waits no more, because he gave up or is no more, gets no lease.
 */
import type { TroupeError } from '../base/errors.ts';
import * as refusals from './pool-refusals.ts';
import type { PoolWorker } from './pool-worker.ts';
import { type Ending, Ticket, type TicketBounds, type TicketDesk } from './ticket.ts';
import type { WorkerHolder } from './worker-roles.ts';

/** Who asked for it. */
export interface LeaseTaker<L> {
  /** Takes the worker and makes the lease. */
  hand(worker: PoolWorker, now: number): L;
  /** There will be none. */
  failed(): void;
}

/** The wish for a worker of one's own for a while. `L` is what its caller is given: a lease. */
export class LeaseTicket<L extends WorkerHolder> extends Ticket {
  /** What its caller waits for. */
  readonly promise: Promise<L>;
  readonly #taker: LeaseTaker<L>;
  #resolve!: (lease: L) => void;
  #reject!: (error: unknown) => void;

  constructor(desk: TicketDesk, bounds: TicketBounds, taker: LeaseTaker<L>) {
    super(desk, bounds);
    this.#taker = taker;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  grant(worker: PoolWorker, now: number): void {
    this.desk.waited(now - this.since);
    const lease = this.#taker.hand(worker, now);
    this.conclude('leased');
    this.#resolve(lease);
  }

  turnAway(error: TroupeError, ending: 'turned_away' | 'shed' = 'turned_away'): void {
    if (!this.settled) this.#fail(ending, error);
  }

  aborted(signal: AbortSignal): void {
    this.abandon(signal.reason);
  }

  /** Its caller does not want it any more, or is no more. */
  abandon(cause: unknown): void {
    if (!this.settled) this.#fail('aborted', refusals.aborted(this.desk.path, cause));
  }

  protected expired(waitedMs: number): void {
    if (!this.settled) this.#fail('expired', this.desk.checkoutError(waitedMs));
  }

  #fail(ending: Ending, error: TroupeError): void {
    this.conclude(ending);
    this.#taker.failed();
    this.#reject(error);
  }
}
