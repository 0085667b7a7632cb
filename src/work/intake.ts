/**
 * What callers of a pool do: bring jobs, ask for leases, take streams. Each call is checked, let in or refused in its caller's turn.
 *
 * Invariants: what is refused never runs, and says so (`not_started`); what is let in gets a worker at once or waits in a line, under the
 * same bounds whether job or lease. What it waits for, and what becomes of it, is not decided here.
 */
import { NO_DEADLINE, sooner } from '../base/deadline.ts';
import { createError, type TroupeError } from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import { check, text } from '../base/options.ts';
import type { Place } from '../kernel/logic.ts';
import { rejectLater } from '../resilience/call.ts';
import type { Desk } from './desk.ts';
import { LEVELS } from './fair-line.ts';
import { Job, type JobListener, type JobPlan, type JobTerms } from './job.ts';
import { type Lease, type LeaseDesk, WorkerLease } from './lease.ts';
import { LeaseTicket } from './lease-ticket.ts';
import {
  type CheckoutOptions,
  checkJob,
  checkLease,
  deadlineOf,
  type JobOptions,
  type LeaseOptions,
  type ResolvedPoolOptions,
} from './pool-options.ts';
import * as refusals from './pool-refusals.ts';
import type { PoolWorker } from './pool-worker.ts';
import type { TicketBounds, TicketTerms } from './ticket.ts';

/** A job as its caller words it. */
export interface JobRequest {
  readonly name: string;
  readonly args: unknown;
  readonly options: JobOptions | undefined;
  /** Who hears of it while it runs, if `options.onProgress` is not all. */
  readonly listener?: JobListener;
}

/** Who takes a lease, beside what the options say. */
export interface LeaseHolder {
  /** Where in the code, if anybody wants to know. */
  readonly stack: string | undefined;
  /** The path of the actor that takes it. */
  readonly actor: string | undefined;
  /** Calls back at that actor's end; returns what takes that back. */
  readonly onEnd: ((release: () => void) => () => void) | undefined;
}

/** What one worker was given by {@link Intake.runOnEach}. */
export interface BroughtTo {
  readonly worker: PoolWorker;
  readonly promise: Promise<unknown>;
}

export class Intake implements LeaseDesk {
  readonly host: Host;
  readonly path: string;
  readonly desk: Desk;
  readonly #place: Place;
  readonly #options: ResolvedPoolOptions;
  /** Of all that come without options. */
  readonly #plainTerms: JobTerms;
  #lastJob = 0;
  #lastOrder = 0;

  constructor(place: Place, desk: Desk, options: ResolvedPoolOptions) {
    this.host = place.system.host;
    this.path = place.path;
    this.desk = desk;
    this.#place = place;
    this.#options = options;
    this.#plainTerms = Object.freeze(this.#termsOf(undefined, undefined));
  }

  now(): number {
    return this.host.monotonic();
  }

  // ── jobs ──────────────────────────────────────────────────────────────────────────────────

  run(request: JobRequest): Promise<unknown> {
    const job = this.start(request);
    return job instanceof Job ? job.promise : job;
  }

  /** The job, if it was let in; otherwise the rejection. */
  start(request: JobRequest): Job | Promise<never> {
    let plan: JobPlan;
    try {
      plan = this.plan(request, this.now());
    } catch (error) {
      return rejectLater(error);
    }
    const refusal = this.#refusal(plan);
    if (refusal !== undefined) return refusal;
    const worker = this.desk.dispatch.takeIdle(plan.terms.session, plan.now);
    if (worker === undefined && this.desk.isFull) return this.#refuseFull();
    return this.#bring(new Job(this.desk, plan), worker, plan.now);
  }

  /**
   * Has a job run on each worker of now.
   *
   * @throws what `run` rejects with where it is not let in
   */
  runOnEach(request: JobRequest): readonly BroughtTo[] {
    const { desk } = this;
    const plan = this.plan(request, this.now());
    if (desk.admission !== 'admit') throw this.#notAdmitted(plan.now);
    return desk.workers
      .filter(({ over }) => !over)
      .map((worker) => {
        // It is not tried elsewhere: there it runs anyway.
        const terms = { ...plan.terms, session: undefined, idempotent: false, pinned: worker };
        const job = new Job(desk, { ...plan, terms, id: this.#nextJob(), order: this.#nextOrder() });
        return { worker, promise: this.#bring(job, undefined, plan.now).promise };
      });
  }

  runOn(worker: PoolWorker, request: JobRequest, begun: (job: Job) => void): Promise<unknown> {
    const now = this.now();
    let plan: JobPlan;
    try {
      plan = this.plan(request, now);
    } catch (error) {
      return rejectLater(error);
    }
    const { signal } = plan.terms;
    if (signal?.aborted === true) return this.refuse(refusals.aborted(this.path, signal.reason));
    if (now >= plan.deadline) return this.refuse(refusals.tooLate(this.path));
    const job = new Job(this.desk, plan);
    this.desk.opened();
    begun(job);
    job.runOn(worker, now);
    return job.promise;
  }

  #bring(job: Job, worker: PoolWorker | undefined, now: number): Job {
    this.desk.opened();
    if (worker === undefined) this.desk.enqueue(job, now);
    else job.grant(worker, now);
    return job;
  }

  // ── leases ────────────────────────────────────────────────────────────────────────────────

  lease(options: LeaseOptions | undefined, holder: LeaseHolder | undefined): Promise<Lease> {
    const { desk } = this;
    const now = this.now();
    let link: HolderLink | undefined;
    try {
      if (options !== undefined) checkLease(`lease of pool ${this.path}`, options);
      // Before anything is taken: an actor that has ended is refused here.
      link = linkTo(holder);
    } catch (error) {
      return rejectLater(error);
    }
    const bounds = this.#boundsOf(options, now, this.desk.checkoutMs);
    const refusal = this.#refusal(bounds);
    if (refusal !== undefined) return cutFirst(link, refusal);
    const worker = desk.dispatch.takeIdle(bounds.terms.session, now);
    if (worker === undefined && desk.isFull) return cutFirst(link, this.#refuseFull());
    const taking = { options, holder, link };
    if (worker === undefined) return this.#waitForLease(bounds, taking);
    // Without a wait there is nothing to be bounded, and no ticket.
    desk.counts.accepted += 1;
    desk.counts.leased += 1;
    desk.waited(0);
    return Promise.resolve(this.#hand(worker, taking, now));
  }

  #waitForLease(bounds: TicketBounds, taking: Taking): Promise<Lease> {
    const { link } = taking;
    const ticket = new LeaseTicket<WorkerLease>(this.desk, bounds, {
      hand: (worker, now) => this.#hand(worker, taking, now),
      failed: () => link?.cut(),
    });
    link?.connect(() => ticket.abandon('its holder has ended'));
    this.desk.opened();
    this.desk.enqueue(ticket, bounds.now);
    return ticket.promise;
  }

  #hand(worker: PoolWorker, { options, holder, link }: Taking, now: number): WorkerLease {
    const { desk } = this;
    const lease = new WorkerLease(this, worker);
    desk.leaseBegun();
    worker.checkOut(lease, now);
    if (desk.leaseWatch.isOn) {
      const name = options?.holder ?? holder?.actor;
      desk.leaseWatch.add(lease, { worker: worker.id, at: now, holder: name, stack: holder?.stack });
    }
    link?.connect(() => lease.release());
    const signal = options?.signal;
    const holdMs = options?.holdMs ?? Number.POSITIVE_INFINITY;
    if (signal !== undefined || holdMs < Number.POSITIVE_INFINITY || link !== undefined)
      lease.bind({ signal, holdMs, unlink: () => link?.cut() });
    return lease;
  }

  leaseOver(lease: WorkerLease): void {
    this.desk.leaseOver(lease);
  }

  leaseRevoked(worker: PoolWorker, holdMs: number): void {
    this.desk.leaseRevoked(worker, holdMs);
  }

  // ── decisions ─────────────────────────────────────────────────────────────────────────────

  /** What a request amounts to. @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
  plan({ name, args, options, listener }: JobRequest, now: number): JobPlan {
    if (typeof name !== 'string' || name === '') check(`job of pool ${this.path}`, 'name', text, name);
    if (options !== undefined) checkJob(`job ${name} of pool ${this.path}`, options);
    const isPlain = options === undefined && listener === undefined;
    const ownDeadline = deadlineOf(options, now, this.#options.jobTimeoutMs);
    return {
      id: this.#nextJob(),
      name,
      args,
      now,
      deadline: sooner(ownDeadline, options?.context?.deadline ?? NO_DEADLINE),
      order: this.#nextOrder(),
      terms: isPlain ? this.#plainTerms : this.#termsOf(options, listener),
    };
  }

  #termsOf(options: JobOptions | undefined, listener: JobListener | undefined): JobTerms {
    const { retry } = this.#options;
    return {
      ...termsOf(options),
      context: options?.context?.carried(),
      listener: listener ?? listenerOf(options?.onProgress),
      idempotent: options?.idempotent ?? retry.idempotent,
      maxAttempts: options?.maxAttempts ?? retry.maxAttempts,
    };
  }

  #boundsOf(options: CheckoutOptions | undefined, now: number, defaultMs: number): TicketBounds {
    const terms = options === undefined ? this.#plainTerms : termsOf(options);
    return { now, deadline: deadlineOf(options, now, defaultMs), order: this.#nextOrder(), terms };
  }

  #nextJob(): number {
    this.#lastJob += 1;
    return this.#lastJob;
  }

  #nextOrder(): number {
    this.#lastOrder += 1;
    return this.#lastOrder;
  }

  /** Why it may not come in, if it may not, wherever there is room. */
  #refusal({ now, deadline, terms: { signal, session } }: TicketBounds): Promise<never> | undefined {
    const { desk, path } = this;
    if (desk.admission !== 'admit') return this.#turnAway(now);
    if (signal?.aborted === true) return this.refuse(refusals.aborted(path, signal.reason));
    if (now >= deadline) return this.refuse(refusals.tooLate(path));
    if (session === undefined || !desk.dispatch.isSessionBusy(session, now)) return undefined;
    return this.refuse(refusals.sessionBusy(path, session, desk.sessions.workerOf(session, now)?.id ?? ''));
  }

  #refuseFull(): Promise<never> {
    return this.refuse(refusals.queueFull(this.path, this.#options.queueLimit));
  }

  #turnAway(now: number): Promise<never> {
    const { desk } = this;
    if (desk.admission !== 'refuse_closed' || this.#place.ref() !== undefined)
      return this.refuse(this.#notAdmitted(now));
    // Nobody serves here: its place knows whether anybody will.
    desk.counts.refused += 1;
    return this.#place.call({ type: 'pool.run' }) as Promise<never>;
  }

  #notAdmitted(now: number): TroupeError {
    const { desk, path } = this;
    if (desk.admission === 'refuse_crash_loop') return desk.degradedError(now);
    if (desk.admission === 'refuse_draining' || desk.keeper !== undefined) return refusals.draining(path);
    return createError('ERR_RESTARTING', { target: path, retryAfterMs: 0 }, { stack: false });
  }

  refuse(error: TroupeError): Promise<never> {
    this.desk.counts.refused += 1;
    return rejectLater(error);
  }
}

const termsOf = (options: CheckoutOptions | undefined): TicketTerms => ({
  signal: options?.signal,
  level: LEVELS[options?.priority ?? 'normal'],
  key: options?.key,
  session: options?.session,
  pinned: undefined,
});

const listenerOf = (onProgress: JobOptions['onProgress']): JobListener | undefined =>
  onProgress === undefined ? undefined : { progressed: onProgress };

/** How a lease is taken. */
interface Taking {
  readonly options: LeaseOptions | undefined;
  readonly holder: LeaseHolder | undefined;
  readonly link: HolderLink | undefined;
}

/** What the end of the actor that takes a lease means for it: another thing while it waits than while it holds. */
class HolderLink {
  readonly #unlink: () => void;
  #ended = (): void => undefined;

  constructor(onEnd: NonNullable<LeaseHolder['onEnd']>) {
    this.#unlink = onEnd(() => this.#ended());
  }

  connect(ended: () => void): void {
    this.#ended = ended;
  }

  cut(): void {
    this.#unlink();
  }
}

const linkTo = (holder: LeaseHolder | undefined): HolderLink | undefined =>
  holder?.onEnd === undefined ? undefined : new HolderLink(holder.onEnd);

const cutFirst = (link: HolderLink | undefined, refusal: Promise<never>): Promise<never> => {
  link?.cut();
  return refusal;
};
