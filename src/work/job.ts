/**
 * What people bring to a pool: a job to be run, or the wish for a lease. Both wait in the same line, under the same bounds.
 *
 * Invariants: each settles exactly once, with the cause; from then on it holds no timer, no listener and no place in the line. One
 * deadline covers its wait, its run and its retries. It is tried again only where it is idempotent and its worker died
 * under it. Which worker it gets, and when, is the desk's business.
 */
import { type AbortListener, listenToAbort, unlistenToAbort } from '../base/abort.ts';
import { NO_DEADLINE } from '../base/deadline.ts';
import { createError, type TroupeError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import type { EventStream } from '../base/telemetry.ts';
import type { PoolWorker } from './pool-worker.ts';
import type { Waiting } from './wait-queue.ts';
import type { WorkerFailure } from './worker-port.ts';
import type { Assignment, WorkerHolder } from './worker-roles.ts';

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
  /** It was let in, but the pool stopped serving. */
  | 'turned_away';

/** What a ticket needs of the desk that took it. */
export interface TicketDesk {
  readonly host: Host;
  readonly events: EventStream;
  readonly path: string;
  readonly checkoutMs: number;
  /** Whether a job that lost its worker may be given to another. */
  readonly serves: boolean;
  /** It lost its worker and goes to the head of the line. */
  requeue(ticket: Ticket, now: number): void;
  /** It is about to be tried again. */
  retried(): void;
  leaveLine(ticket: Ticket): void;
  /** Why no worker came. */
  checkoutError(timeoutMs: number): TroupeError;
  settled(ending: Ending): void;
}

/** What bounds a ticket. */
export interface TicketBounds {
  readonly now: number;
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
}

/** Something that waits for a worker. */
export abstract class Ticket implements Waiting<Ticket>, AbortListener {
  next: Ticket | undefined = undefined;
  previous: Ticket | undefined = undefined;
  inLine = false;
  protected readonly desk: TicketDesk;
  protected readonly bounds: TicketBounds;
  protected settled = false;
  #timer: Timer | undefined = undefined;
  /** When its wait began, and when it is over. */
  #waitsFrom = 0;
  #waitsUntil = NO_DEADLINE;

  constructor(desk: TicketDesk, bounds: TicketBounds) {
    this.desk = desk;
    this.bounds = bounds;
    if (bounds.signal !== undefined) listenToAbort(bounds.signal, this);
  }

  get deadline(): number {
    return this.bounds.deadline;
  }

  /** It is this one's turn. */
  abstract grant(worker: PoolWorker, now: number): void;
  /** It will not be served. */
  abstract turnAway(error: TroupeError): void;
  abstract aborted(signal: AbortSignal): void;
  protected abstract expired(waitedMs: number): void;

  /** It stands in the line from now on. */
  wait(now: number): void {
    this.#waitsFrom = now;
    this.#waitsUntil = Math.min(this.deadline, now + this.desk.checkoutMs);
    if (this.#waitsUntil === NO_DEADLINE) return;
    this.arm('checkout', this.#waitsUntil - now, () => {
      this.desk.leaveLine(this);
      this.expire();
    });
  }

  /** Whether its time was over before its turn came, even if no timer has said so yet. */
  isOver(now: number): boolean {
    return now >= this.#waitsUntil;
  }

  expire(): void {
    this.disarm();
    this.expired(this.#waitsUntil - this.#waitsFrom);
  }

  protected arm(label: string, delayMs: number, fire: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.desk.host.timer(delayMs, label, fire);
  }

  protected disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** The one end of it. */
  protected conclude(ending: Ending): void {
    this.settled = true;
    this.disarm();
    const { signal } = this.bounds;
    if (signal !== undefined) unlistenToAbort(signal, this);
    if (this.inLine) this.desk.leaveLine(this);
    this.desk.settled(ending);
  }
}

/** What a job is. */
export interface JobPlan extends TicketBounds {
  readonly id: number;
  readonly name: string;
  readonly args: unknown;
  readonly idempotent: boolean;
  readonly maxAttempts: number;
}

export class Job extends Ticket implements Assignment {
  readonly #plan: JobPlan;
  /** What its caller waits for. */
  readonly promise: Promise<unknown>;
  #resolve!: (value: unknown) => void;
  #reject!: (error: unknown) => void;
  /** Whether it runs on a worker that somebody holds; such a one is neither queued nor given back. */
  #onLease = false;
  #attempts = 0;
  #worker: PoolWorker | undefined = undefined;
  #startedAt = 0;
  #lastDeath: TroupeError | undefined = undefined;

  constructor(desk: TicketDesk, plan: JobPlan) {
    super(desk, plan);
    this.#plan = plan;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get name(): string {
    return this.#plan.name;
  }

  get args(): unknown {
    return this.#plan.args;
  }

  grant(worker: PoolWorker, now: number): void {
    worker.checkOut(undefined, now);
    this.#start(worker, now);
  }

  /** Runs it on a worker that is held already. */
  runOn(worker: PoolWorker, now: number): void {
    this.#onLease = true;
    this.#start(worker, now);
  }

  turnAway(error: TroupeError): void {
    if (!this.settled) this.#fail('turned_away', this.#lastDeath ?? error);
  }

  aborted(signal: AbortSignal): void {
    if (!this.settled) this.abandon(signal.reason);
  }

  /** Its caller does not want it any more. */
  abandon(cause: unknown): void {
    if (this.settled) return;
    const worker = this.#worker;
    if (worker === undefined && this.#lastDeath === undefined) {
      this.#fail(
        'aborted',
        createError('ERR_POOL_ABORTED', { pool: this.desk.path }, { cause, stack: false }),
      );
      return;
    }
    const data = { job: this.name, worker: worker?.name ?? 'a worker that died' };
    this.#fail('aborted', createError('ERR_JOB_ABORTED', data, { cause, stack: false }));
    worker?.cancel(this, 'aborted');
  }

  // ── what its worker tells ─────────────────────────────────────────────────────────────────

  succeeded(value: unknown): void {
    if (this.settled) return;
    this.#note('succeeded');
    this.conclude('succeeded');
    this.#resolve(value);
  }

  failed({ type, message, traceback }: WorkerFailure): void {
    if (this.settled) return;
    const data = { job: this.name, worker: this.#worker?.name, type, text: message, traceback };
    this.#fail('failed', createError('ERR_JOB_FAILED', data, { stack: false }));
  }

  cancelled(): void {
    if (this.settled) return;
    const data = { job: this.name, worker: this.#worker?.name };
    this.#fail('aborted', createError('ERR_JOB_ABORTED', data, { stack: false }));
  }

  died(error: TroupeError, now: number): void {
    if (this.settled) return;
    const { idempotent, maxAttempts } = this.#plan;
    const isLeft = idempotent && this.#attempts < maxAttempts && now < this.deadline;
    if (!isLeft || !this.desk.serves || this.#onLease) {
      this.#fail('lost', error);
      return;
    }
    this.#lastDeath = error;
    this.desk.retried();
    const { events, path } = this.desk;
    if (events.active)
      events.emit('pool.job.retried', { path, job: this.#label, attempt: this.#attempts + 1, cause: error });
    this.#tryAgain(now);
  }

  overdue(): void {
    if (this.settled) return;
    const worker = this.#worker;
    this.#fail('timed_out', this.#timeoutError());
    worker?.cancel(this, 'deadline');
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  #start(worker: PoolWorker, now: number): void {
    this.#worker = worker;
    this.#startedAt = now;
    this.#attempts += 1;
    this.disarm();
    const { events, path } = this.desk;
    if (events.active) {
      const waitMs = now - this.bounds.now;
      events.emit('pool.job.started', { path, worker: worker.id, job: this.#label, waitMs });
    }
    try {
      worker.run(this, now);
    } catch (error) {
      this.#refused(worker, error as TroupeError, now);
    }
  }

  /** The worker did not get it. Where that is the worker's fault, it costs the job no attempt. */
  #refused(worker: PoolWorker, error: TroupeError, now: number): void {
    const blamesWorker = error.code === 'ERR_WORKER_PROTOCOL';
    if (blamesWorker && !this.#onLease && this.desk.serves) {
      this.#attempts -= 1;
      this.#tryAgain(now);
      return;
    }
    this.#fail('failed', error);
    if (!blamesWorker && !this.#onLease) worker.giveBack(now, 'checkin_refused');
  }

  #tryAgain(now: number): void {
    this.#worker = undefined;
    this.disarm();
    this.desk.requeue(this, now);
  }

  protected expired(waitedMs: number): void {
    if (this.settled) return;
    if (this.#lastDeath === undefined) this.#fail('expired', this.desk.checkoutError(waitedMs));
    else if (this.desk.host.monotonic() >= this.deadline) this.#fail('timed_out', this.#timeoutError());
    else this.#fail('lost', this.#lastDeath);
  }

  #timeoutError(): TroupeError {
    const worker = this.#worker?.name ?? 'a worker that died';
    const data = { job: this.name, worker, timeoutMs: this.deadline - this.bounds.now };
    return createError('ERR_JOB_TIMEOUT', data, { cause: this.#lastDeath, stack: false });
  }

  #fail(ending: Ending, error: TroupeError): void {
    this.#note(ending);
    this.conclude(ending);
    this.#reject(error);
  }

  #note(outcome: Ending): void {
    const { events, path, host } = this.desk;
    if (!events.active) return;
    const runMs = this.#worker === undefined ? 0 : host.monotonic() - this.#startedAt;
    const worker = this.#worker?.id;
    events.emit('pool.job.settled', { path, worker, job: this.#label, outcome, runMs });
  }

  get #label(): string {
    return `${this.name}#${this.#plan.id}`;
  }
}

/** The wish for a worker of one's own for a while. `L` is what its caller is given: a lease. */
export class LeaseTicket<L extends WorkerHolder> extends Ticket {
  /** What its caller waits for. */
  readonly promise: Promise<L>;
  readonly #hand: (worker: PoolWorker, now: number) => L;
  #resolve!: (lease: L) => void;
  #reject!: (error: unknown) => void;

  /** `hand` takes the worker and makes the lease. */
  constructor(desk: TicketDesk, bounds: TicketBounds, hand: (worker: PoolWorker, now: number) => L) {
    super(desk, bounds);
    this.#hand = hand;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  grant(worker: PoolWorker, now: number): void {
    const lease = this.#hand(worker, now);
    this.conclude('leased');
    this.#resolve(lease);
  }

  turnAway(error: TroupeError): void {
    if (!this.settled) this.#fail('turned_away', error);
  }

  aborted(signal: AbortSignal): void {
    if (this.settled) return;
    const data = { pool: this.desk.path };
    this.#fail('aborted', createError('ERR_POOL_ABORTED', data, { cause: signal.reason, stack: false }));
  }

  protected expired(waitedMs: number): void {
    if (!this.settled) this.#fail('expired', this.desk.checkoutError(waitedMs));
  }

  #fail(ending: Ending, error: TroupeError): void {
    this.conclude(ending);
    this.#reject(error);
  }
}
