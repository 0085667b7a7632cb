/**
 * One job brought to a pool.
 *
 * Invariants: those of a ticket; one deadline covers its wait, its run and its retries; it is tried again only where it is idempotent
 * and its worker died under it. Which worker it gets, and when, is the dispatch's business.
 */
import { ambient, ambientIsUsed, inAmbient } from '../base/ambient.ts';
import { createError, type TroupeError } from '../base/errors.ts';
import type { PoolWorker } from './pool-worker.ts';
import { type Ending, Ticket, type TicketBounds, type TicketDesk, type TicketTerms } from './ticket.ts';
import type { WorkerFailure } from './worker-port.ts';
import type { Assignment } from './worker-roles.ts';

/** Who hears of a job while it runs. */
export interface JobListener {
  /** How many chunks of its result may come at first; left out: it is wanted as a whole. */
  readonly stream?: number | undefined;
  chunk?(value: unknown): void;
  /** What it throws ends the job as its caller's abort does. */
  readonly progressed?: ((value: unknown) => void) | undefined;
}

/** How a job is to be run, beside what it is: the same for all that are brought without options. */
export interface JobTerms extends TicketTerms {
  readonly listener: JobListener | undefined;
  /** What its caller's context lets go along. */
  readonly context: Readonly<Record<string, unknown>> | undefined;
  readonly idempotent: boolean;
  readonly maxAttempts: number;
}

/** What a job is. */
export interface JobPlan extends TicketBounds<JobTerms> {
  readonly id: number;
  readonly name: string;
  readonly args: unknown;
}

export class Job extends Ticket<JobTerms> implements Assignment {
  readonly name: string;
  readonly args: unknown;
  /** What its caller waits for. */
  readonly promise: Promise<unknown>;
  readonly #id: number;
  #resolve!: (value: unknown) => void;
  #reject!: (error: unknown) => void;
  /** Whether it runs on a worker that somebody holds; such a one is neither queued nor given back. */
  #onLease = false;
  #attempts = 0;
  #worker: PoolWorker | undefined = undefined;
  #lastDeath: TroupeError | undefined = undefined;
  /** Its caller's: handlers and listeners in this process run in it, whoever's turn it is. */
  readonly #ambient = ambient();
  /** Whether its caller has seen a part of its result: then it is not tried again. */
  #streamed = false;

  constructor(desk: TicketDesk, plan: JobPlan) {
    super(desk, plan);
    this.#id = plan.id;
    this.name = plan.name;
    this.args = plan.args;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get context(): Readonly<Record<string, unknown>> | undefined {
    return this.terms.context;
  }

  get stream(): number | undefined {
    return this.terms.listener?.stream;
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

  turnAway(error: TroupeError, ending: 'turned_away' | 'shed' = 'turned_away'): void {
    if (!this.settled) this.#fail(ending, this.#lastDeath ?? error);
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

  /** Its caller has room for so many more chunks. */
  more(chunks: number): void {
    if (!this.settled) this.#worker?.more(this, chunks);
  }

  // ── what its worker tells ─────────────────────────────────────────────────────────────────

  chunk(value: unknown): void {
    if (this.settled) return;
    this.#streamed = true;
    this.terms.listener?.chunk?.(value);
  }

  progressed(value: unknown): void {
    if (this.settled) return;
    try {
      inAmbient(this.#ambient, () => this.terms.listener?.progressed?.(value));
    } catch (error) {
      this.abandon(error);
    }
  }

  succeeded(value: unknown, now: number): void {
    this.desk.ran(now - this.begunAt);
    if (this.settled) return;
    this.#note('succeeded');
    this.conclude('succeeded');
    this.#resolve(value);
  }

  failed({ type, message, traceback }: WorkerFailure, now: number): void {
    this.desk.ran(now - this.begunAt);
    if (this.settled) return;
    const data = { job: this.name, worker: this.#worker?.name, type, text: message, traceback };
    this.#fail('failed', createError('ERR_JOB_FAILED', data, { stack: false }));
  }

  cancelled(now: number): void {
    this.desk.ran(now - this.begunAt);
    if (this.settled) return;
    const data = { job: this.name, worker: this.#worker?.name };
    this.#fail('aborted', createError('ERR_JOB_ABORTED', data, { stack: false }));
  }

  died(error: TroupeError, now: number): void {
    if (this.settled) return;
    const { idempotent, maxAttempts } = this.terms;
    const mayRepeat = idempotent && !this.#streamed;
    const isLeft = mayRepeat && this.#attempts < maxAttempts && now < this.deadline;
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
    const { events, path } = this.desk;
    const waitMs = now - (this.#attempts === 0 ? this.since : this.begunAt);
    this.disarm();
    this.#worker = worker;
    this.begunAt = now;
    this.#attempts += 1;
    if (!this.#onLease) this.desk.waited(waitMs);
    if (events.active) {
      events.emit('pool.job.started', { path, worker: worker.id, job: this.#label, waitMs });
    }
    try {
      if (ambientIsUsed()) inAmbient(this.#ambient, () => worker.run(this, now));
      else worker.run(this, now);
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
    const data = { job: this.name, worker, timeoutMs: this.deadline - this.since };
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
    const runMs = this.#worker === undefined ? 0 : host.monotonic() - this.begunAt;
    const worker = this.#worker?.id;
    events.emit('pool.job.settled', { path, worker, job: this.#label, outcome, runMs });
  }

  get #label(): string {
    return `${this.name}#${this.#id}`;
  }
}
