/**
 * A worker of one's own for a while: jobs run on it one after another, and nobody else's in between.
 *
 * Invariant: it is given back exactly once, whoever asks and however often; a job still running then is cancelled in two
 * stages, and the worker goes to nobody before it has given that up. A lease whose worker ended is over by itself, and so is one whose
 * time is over, whose signal aborts, or whose holder, an actor, has ended.
 */
import { type AbortListener, listenToAbort, unlistenToAbort } from '../base/abort.ts';
import { createError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import { rejectLater } from '../resilience/call.ts';
import type { Job } from './job.ts';
import type { JobOptions } from './pool-options.ts';
import type { PoolWorker } from './pool-worker.ts';
import type { WorkerHolder } from './worker-roles.ts';

/** A worker that its holder alone may use, until it is released. */
export interface Lease {
  /** Which worker: its id within the pool, its kind, its OS process if it has one. */
  readonly worker: { readonly id: string; readonly kind: string; readonly pid: number | undefined };
  /** `false` once it was released or its worker has ended. */
  readonly active: boolean;
  /**
   * Runs a job on this worker, one at a time. It is never tried on another. After one that was cancelled, or passed its deadline, the next
   * is refused (ERR_JOB_INVALID) until the worker has given that up; one that does not within the grace is killed, and the lease over.
   *
   * @throws ERR_LEASE_OVER, ERR_JOB_INVALID, ERR_JOB_FAILED, ERR_JOB_TIMEOUT, ERR_JOB_ABORTED, ERR_WORKER_EXITED,
   *   ERR_WORKER_PROTOCOL, ERR_JOB_CUT_OFF, ERR_CALLEE_ENDED
   */
  run<T = unknown>(name: string, args?: unknown, options?: JobOptions): Promise<T>;
  /** Gives the worker back. Only the first time counts. */
  release(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What ends a lease beside its holder. */
export interface LeaseTerms {
  readonly signal: AbortSignal | undefined;
  readonly holdMs: number;
  /** Stops listening for the end of the actor that holds it. */
  readonly unlink: (() => void) | undefined;
}

/** What a lease needs of the desk that gave it. */
export interface LeaseDesk {
  readonly host: Host;
  readonly path: string;
  /** Runs a job on a leased worker; `begun` is given the job before it starts. */
  runOn(
    worker: PoolWorker,
    request: { readonly name: string; readonly args: unknown; readonly options: JobOptions | undefined },
    begun: (job: Job) => void,
  ): Promise<unknown>;
  now(): number;
  leaseOver(lease: WorkerLease): void;
  /** It was held for longer than it was given for. */
  leaseRevoked(worker: PoolWorker, holdMs: number): void;
}

const BUSY = 'the worker of this lease still runs the one before; await it, or take another lease';
const GIVING_UP =
  'the worker of this lease was asked to give up the one before, and has not yet; try again, or take another lease';

export class WorkerLease implements Lease, WorkerHolder, AbortListener {
  readonly #desk: LeaseDesk;
  readonly #worker: PoolWorker;
  #active = true;
  #job: Job | undefined = undefined;
  #terms: LeaseTerms | undefined = undefined;
  #timer: Timer | undefined = undefined;

  constructor(desk: LeaseDesk, worker: PoolWorker) {
    this.#desk = desk;
    this.#worker = worker;
  }

  get worker(): Lease['worker'] {
    return { id: this.#worker.id, kind: this.#worker.kind, pid: this.#worker.pid };
  }

  get active(): boolean {
    return this.#active;
  }

  /** From now on these end it, too. */
  bind(terms: LeaseTerms): void {
    this.#terms = terms;
    const { signal, holdMs } = terms;
    if (signal?.aborted === true) this.release();
    else if (signal !== undefined) listenToAbort(signal, this);
    if (holdMs === Number.POSITIVE_INFINITY || !this.#active) return;
    this.#timer = this.#desk.host.timer(holdMs, 'lease hold', () => {
      this.#desk.leaseRevoked(this.#worker, holdMs);
      this.release();
    });
  }

  run<T>(name: string, args?: unknown, options?: JobOptions): Promise<T> {
    if (!this.#active) {
      const data = { pool: this.#desk.path, worker: this.#worker.id, job: name };
      return rejectLater(createError('ERR_LEASE_OVER', data));
    }
    if (this.#worker.running) {
      const why = this.#job?.hasSettled === true ? GIVING_UP : BUSY;
      return rejectLater(createError('ERR_JOB_INVALID', { job: name, why }));
    }
    return this.#desk.runOn(this.#worker, { name, args, options }, (job) => {
      this.#job = job;
    }) as Promise<T>;
  }

  release(): void {
    if (!this.#over()) return;
    this.#job?.abandon(undefined);
    this.#worker.giveBack(this.#desk.now(), 'checkin_released');
  }

  aborted(): void {
    this.release();
  }

  lost(): void {
    this.#over();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.release();
    return Promise.resolve();
  }

  /** Whether this is the end of it. */
  #over(): boolean {
    if (!this.#active) return false;
    this.#active = false;
    const terms = this.#terms;
    if (terms !== undefined) {
      this.#timer?.cancel();
      if (terms.signal !== undefined) unlistenToAbort(terms.signal, this);
      terms.unlink?.();
    }
    this.#desk.leaseOver(this);
    return true;
  }
}
