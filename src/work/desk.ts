/**
 * Where jobs and workers of a pool meet: the line, the idle workers, and what is counted. It lives in `place.shared`, so that a
 * job is taken, run and settled in the turns of its caller and its worker, and survives no pool it was not given to.
 *
 * Invariants: a worker is given to one ticket at a time, and only while it takes work; tickets are served in the order in
 * which they were let in; what was let in settles exactly once; nothing is served after its wait is over. Who may come in is the
 * verdict of the pool's chart, which the crew writes here; which workers exist is the crew's business.
 */
import type { AdmissionVerdict } from '../../actors/pool.machine.ts';
import { createError, plainText, type TroupeError } from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import { check, text } from '../base/options.ts';
import type { EventStream } from '../base/telemetry.ts';
import type { Place } from '../kernel/logic.ts';
import type { ExitReason } from '../kernel/reason.ts';
import { rejectLater } from '../resilience/call.ts';
import { type Ending, Job, type JobPlan, LeaseTicket, type Ticket, type TicketDesk } from './job.ts';
import { type Lease, type LeaseDesk, WorkerLease } from './lease.ts';
import {
  type CheckoutOptions,
  checkCheckout,
  checkJob,
  deadlineOf,
  type JobOptions,
  type ResolvedPoolOptions,
} from './pool-options.ts';
import type { PoolWorker } from './pool-worker.ts';
import { WaitQueue } from './wait-queue.ts';

/** What has come of everything brought to a pool. `accepted` is the sum of the endings, the waiting and the running. */
export type PoolCounts = { -readonly [E in Ending]: number } & {
  /** Let in: jobs, and wishes for a lease. */
  accepted: number;
  /** Turned away at the door, never started. */
  refused: number;
  /** Given to another worker after theirs had died. */
  retried: number;
};

/** The pool's incarnation of now. */
export interface DeskKeeper {
  /** The state of its chart; for people. */
  readonly state: string;
  /** Its workers are asked to end: it serves no more. */
  readonly closing: boolean;
  readonly workers: readonly PoolWorker[];
  /** The last crash of a worker, if any. */
  readonly lastCrash: TroupeError | undefined;
  /**
   * Resolves when all that was let in has settled and all workers are gone. At `untilMs` whatever is left is told `reason`, and
   * the workers are closed.
   */
  drain(untilMs: number, reason: ExitReason): Promise<void>;
  /** Nothing waits and nothing runs, asked for by {@link Desk.watchesWork}. */
  workDone(): void;
  /** A job was done, asked for by {@link Desk.watchesSuccess}. */
  jobSucceeded(): void;
}

interface Request {
  readonly name: string;
  readonly args: unknown;
  readonly options: JobOptions | undefined;
}

export class Desk implements TicketDesk, LeaseDesk {
  readonly host: Host;
  readonly events: EventStream;
  readonly path: string;
  readonly checkoutMs: number;
  /** The verdict of the pool's chart. */
  admission: AdmissionVerdict = 'refuse_closed';
  /** Set by the crew while it wants to be told. */
  watchesWork = false;
  watchesSuccess = false;
  /** Crashes with no job done between them. */
  crashesInRow = 0;
  /** While crashes loop: when a probe is due. */
  retryAt = 0;
  readonly counts: PoolCounts = {
    accepted: 0,
    refused: 0,
    retried: 0,
    succeeded: 0,
    leased: 0,
    failed: 0,
    timed_out: 0,
    aborted: 0,
    lost: 0,
    expired: 0,
    turned_away: 0,
  };
  readonly #place: Place;
  readonly #options: ResolvedPoolOptions;
  readonly #line = new WaitQueue<Ticket>();
  /** The last one given back is the first one taken: its caches are warm, and the coldest can be spared. */
  readonly #idle: PoolWorker[] = [];
  #keeper: DeskKeeper | undefined;
  #dispatching = false;
  /** Let in and not settled. */
  #open = 0;
  #leases = 0;
  #lastJob = 0;

  constructor(place: Place, options: ResolvedPoolOptions) {
    this.host = place.system.host;
    this.events = place.system.events;
    this.path = place.path;
    this.checkoutMs = options.checkoutMs;
    this.#place = place;
    this.#options = options;
  }

  // ── for callers ───────────────────────────────────────────────────────────────────────────

  run(name: string, args: unknown, options: JobOptions | undefined): Promise<unknown> {
    let job: JobPlan;
    try {
      job = this.#plan({ name, args, options }, this.now());
    } catch (error) {
      return rejectLater(error);
    }
    const refusal = this.#refusal(job);
    if (refusal !== undefined) return refusal;
    const ticket = new Job(this, job);
    this.#letIn(ticket, job.now);
    return ticket.promise;
  }

  lease(options: CheckoutOptions | undefined): Promise<Lease> {
    const now = this.now();
    try {
      if (options !== undefined) checkCheckout(this.path, options);
    } catch (error) {
      return rejectLater(error);
    }
    const bounds = { now, deadline: deadlineOf(options, now, this.checkoutMs), signal: options?.signal };
    const refusal = this.#refusal(bounds);
    if (refusal !== undefined) return refusal;
    const worker = this.#line.size === 0 ? this.#idle.pop() : undefined;
    if (worker !== undefined) return Promise.resolve(this.#leaseAtOnce(worker, now));
    const ticket = new LeaseTicket(this, bounds, this.#hand);
    this.#letIn(ticket, now);
    return ticket.promise;
  }

  /** Whether a job brought now would be let in. */
  canAccept(): boolean {
    if (this.admission !== 'admit') return false;
    return this.#idle.length > 0 || this.#line.size < this.#options.queueLimit;
  }

  get waiting(): number {
    return this.#line.size;
  }

  /** Whether nothing waits, nothing runs and nothing is held. */
  get isDone(): boolean {
    return this.#open === 0 && this.#leases === 0;
  }

  get leases(): number {
    return this.#leases;
  }

  get idle(): number {
    return this.#idle.length;
  }

  get keeper(): DeskKeeper | undefined {
    return this.#keeper;
  }

  now(): number {
    return this.host.monotonic();
  }

  // ── for the crew ──────────────────────────────────────────────────────────────────────────

  /** A new incarnation of the pool serves here. */
  begin(keeper: DeskKeeper): void {
    this.#keeper = keeper;
    this.crashesInRow = 0;
    this.watchesWork = false;
    this.watchesSuccess = false;
  }

  /** It serves no more: what waits is turned away. */
  end(keeper: DeskKeeper, error: TroupeError): void {
    if (this.#keeper !== keeper) return;
    this.admission = 'refuse_closed';
    this.turnAwayAll(error);
    this.#keeper = undefined;
    this.#idle.length = 0;
  }

  available(worker: PoolWorker): void {
    this.#idle.push(worker);
    if (this.#line.size > 0) this.#dispatch();
  }

  unavailable(worker: PoolWorker): void {
    const at = this.#idle.indexOf(worker);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  turnAwayAll(error: TroupeError): void {
    for (let ticket = this.#line.shift(); ticket !== undefined; ticket = this.#line.shift())
      ticket.turnAway(error);
  }

  /** How long to wait before asking again while crashes loop: never at once, though the probe be under way. */
  retryAfterMs(now: number): number {
    return Math.ceil(Math.max(this.retryAt - now, this.#options.replaceBackoff.baseMs));
  }

  /** Why nobody is let in while crashes loop. */
  degradedError(now: number): TroupeError {
    const { path: pool, crashesInRow: crashes, lastCrash } = this;
    const cause = this.#keeper?.lastCrash;
    const data = { pool, crashes, retryAfterMs: this.retryAfterMs(now), lastCrash };
    return createError('ERR_POOL_DEGRADED', data, { cause, stack: false });
  }

  /** The last crash, in words. */
  get lastCrash(): string {
    const crash = this.#keeper?.lastCrash;
    return crash === undefined ? 'unknown' : plainText(crash);
  }

  // ── for tickets and leases ────────────────────────────────────────────────────────────────

  get serves(): boolean {
    return this.#keeper !== undefined && !this.#keeper.closing;
  }

  retried(): void {
    this.counts.retried += 1;
  }

  requeue(ticket: Ticket, now: number): void {
    ticket.wait(now);
    this.#line.unshift(ticket);
    if (this.#idle.length > 0) this.#dispatch();
  }

  /** Why no worker came: where some are not there, that is said, with the crash that may have led to it. */
  checkoutError(timeoutMs: number): TroupeError {
    const { size } = this.#options;
    const workers = this.#keeper?.workers ?? [];
    const starting = workers.filter(({ info }) => info === undefined).length;
    const failed = size - workers.length;
    const absent = starting + failed;
    const standing =
      absent === 0
        ? ''
        : `; ${absent} of ${size} workers are not there: ${starting} starting, ${failed} failed`;
    const data = { pool: this.path, timeoutMs, standing, size, starting, failed };
    const cause = absent === 0 ? undefined : this.#keeper?.lastCrash;
    return createError('ERR_POOL_CHECKOUT_TIMEOUT', data, { cause, stack: false });
  }

  leaveLine(ticket: Ticket): void {
    this.#line.remove(ticket);
  }

  settled(ending: Ending): void {
    this.counts[ending] += 1;
    this.#open -= 1;
    if (ending === 'succeeded') {
      this.crashesInRow = 0;
      if (this.watchesSuccess) this.#keeper?.jobSucceeded();
    }
    if (this.watchesWork) this.#tellIfDone();
  }

  runOn(worker: PoolWorker, request: Request, begun: (job: Job) => void): Promise<unknown> {
    const now = this.now();
    let plan: JobPlan;
    try {
      plan = this.#plan(request, now);
    } catch (error) {
      return rejectLater(error);
    }
    if (plan.signal?.aborted === true) return this.#refuse(this.#abortError(plan.signal));
    if (now >= plan.deadline) return this.#refuse(this.#lateError());
    const job = new Job(this, plan);
    this.#count();
    begun(job);
    job.runOn(worker, now);
    return job.promise;
  }

  leaseOver(): void {
    this.#leases -= 1;
    if (this.watchesWork) this.#tellIfDone();
  }

  // ── decisions ─────────────────────────────────────────────────────────────────────────────

  #plan({ name, args, options }: Request, now: number): JobPlan {
    const { jobTimeoutMs, retry } = this.#options;
    if (typeof name !== 'string' || name === '') check(`job of pool ${this.path}`, 'name', text, name);
    if (options !== undefined) checkJob(`job ${name} of pool ${this.path}`, options);
    this.#lastJob += 1;
    return {
      id: this.#lastJob,
      name,
      args,
      now,
      deadline: deadlineOf(options, now, jobTimeoutMs),
      signal: options?.signal,
      idempotent: options?.idempotent ?? retry.idempotent,
      maxAttempts: options?.maxAttempts ?? retry.maxAttempts,
    };
  }

  /** Why it may not come in, if it may not. */
  #refusal(bounds: {
    readonly now: number;
    readonly deadline: number;
    readonly signal: AbortSignal | undefined;
  }): Promise<never> | undefined {
    if (this.admission !== 'admit') return this.#notAdmitted(bounds.now);
    if (bounds.signal?.aborted === true) return this.#refuse(this.#abortError(bounds.signal));
    if (bounds.now >= bounds.deadline) return this.#refuse(this.#lateError());
    const { queueLimit } = this.#options;
    if (this.#idle.length > 0 || this.#line.size < queueLimit) return undefined;
    const data = { pool: this.path, limit: queueLimit };
    return this.#refuse(createError('ERR_POOL_QUEUE_FULL', data, { stack: false }));
  }

  #notAdmitted(now: number): Promise<never> {
    switch (this.admission) {
      case 'refuse_crash_loop':
        return this.#refuse(this.degradedError(now));
      case 'refuse_draining':
        return this.#refuse(createError('ERR_POOL_DRAINING', { pool: this.path }, { stack: false }));
      default:
        return this.#refuseClosed();
    }
  }

  /** Nobody serves here: its place knows whether anybody will. */
  #refuseClosed(): Promise<never> {
    if (this.#place.ref() === undefined) {
      this.counts.refused += 1;
      return this.#place.call({ type: 'pool.run' }) as Promise<never>;
    }
    if (this.#keeper !== undefined)
      return this.#refuse(createError('ERR_POOL_DRAINING', { pool: this.path }, { stack: false }));
    const data = { target: this.path, retryAfterMs: 0 };
    return this.#refuse(createError('ERR_RESTARTING', data, { stack: false }));
  }

  #refuse(error: TroupeError): Promise<never> {
    this.counts.refused += 1;
    return rejectLater(error);
  }

  #abortError(signal: AbortSignal): TroupeError {
    return createError('ERR_POOL_ABORTED', { pool: this.path }, { cause: signal.reason, stack: false });
  }

  #lateError(): TroupeError {
    const data = { pool: this.path, timeoutMs: 0, standing: '' };
    return createError('ERR_POOL_CHECKOUT_TIMEOUT', data, { stack: false });
  }

  readonly #hand = (worker: PoolWorker, now: number): WorkerLease => {
    const lease = new WorkerLease(this, worker);
    this.#leases += 1;
    worker.checkOut(lease, now);
    return lease;
  };

  /** Without a wait there is nothing to be bounded, and no ticket. */
  #leaseAtOnce(worker: PoolWorker, now: number): WorkerLease {
    this.counts.accepted += 1;
    this.counts.leased += 1;
    return this.#hand(worker, now);
  }

  #count(): void {
    this.counts.accepted += 1;
    this.#open += 1;
  }

  #letIn(ticket: Ticket, now: number): void {
    this.#count();
    const worker = this.#line.size === 0 ? this.#idle.pop() : undefined;
    if (worker !== undefined) {
      ticket.grant(worker, now);
      return;
    }
    ticket.wait(now);
    this.#line.push(ticket);
  }

  /** Brings those who wait and those who are idle together. Whatever comes free meanwhile is seen by the same loop. */
  #dispatch(): void {
    if (this.#dispatching) return;
    this.#dispatching = true;
    while (this.#line.size > 0 && this.#idle.length > 0) {
      const ticket = this.#line.shift() as Ticket;
      const now = this.now();
      if (ticket.isOver(now)) ticket.expire();
      else ticket.grant(this.#idle.pop() as PoolWorker, now);
    }
    this.#dispatching = false;
  }

  #tellIfDone(): void {
    if (this.isDone) this.#keeper?.workDone();
  }
}
