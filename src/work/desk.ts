/**
 * What callers, jobs, workers and crew of a pool have in common: who may come in, who waits, what is counted. It lives in
 * `place.shared`, so that a job is taken, run and settled in the turns of its caller and its worker, and survives no pool it was
 * not given to.
 *
 * Invariants: what was let in settles exactly once and is counted once; who may come in is the verdict of the pool's chart, which the
 * crew writes here. Letting in is the intake's business, which job gets which worker the dispatch's, which workers exist the crew's.
 */
import type { AdmissionVerdict } from '../../actors/pool.machine.ts';
import type { TroupeError } from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import type { EventStream } from '../base/telemetry.ts';
import type { Place } from '../kernel/logic.ts';
import type { DeskKeeper } from './desk-keeper.ts';
import { Dispatch, type DispatchDesk } from './dispatch.ts';
import { Histogram } from './histogram.ts';
import type { WorkerLease } from './lease.ts';
import { LeaseWatch } from './lease-watch.ts';
import type { ResolvedPoolOptions } from './pool-options.ts';
import * as refusals from './pool-refusals.ts';
import type { PoolWorker } from './pool-worker.ts';
import { QueuePressure } from './queue-pressure.ts';
import type { SessionDesk } from './sessions.ts';
import type { Ending, Ticket, TicketDesk } from './ticket.ts';
import { WaitAlarm } from './wait-alarm.ts';

/** What has come of everything brought to a pool. `accepted` is the sum of the endings, the waiting and the running. */
export type PoolCounts = { -readonly [E in Ending]: number } & {
  /** Let in: jobs, and wishes for a lease. */
  accepted: number;
  /** Turned away at the door, never started. */
  refused: number;
  /** Given to another worker after theirs had died. */
  retried: number;
};

const NO_COUNTS: PoolCounts = {
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
  shed: 0,
};

export class Desk implements TicketDesk, DispatchDesk, SessionDesk<PoolWorker> {
  readonly host: Host;
  readonly events: EventStream;
  readonly path: string;
  readonly checkoutMs: number;
  /** The verdict of the pool's chart. */
  admission: AdmissionVerdict = 'refuse_closed';
  /** Set by the crew while it wants to be told. */
  watchesWork = false;
  watchesSuccess = false;
  watchesDemand = false;
  /** Crashes with no job done between them. */
  crashesInRow = 0;
  /** While crashes loop: when a probe is due. */
  retryAt = 0;
  readonly counts: PoolCounts = { ...NO_COUNTS };
  readonly dispatch: Dispatch;
  readonly leaseWatch: LeaseWatch;
  readonly waitAlarm: WaitAlarm<Ticket>;
  /** How long what got a worker had waited for it, and how long workers were at jobs. */
  readonly waits = new Histogram();
  readonly runs = new Histogram();
  readonly #options: ResolvedPoolOptions;
  readonly #pressure: QueuePressure;
  #keeper: DeskKeeper | undefined;
  /** Let in and not settled. */
  #open = 0;
  #leases = 0;

  constructor(place: Place, options: ResolvedPoolOptions) {
    this.host = place.system.host;
    this.events = place.system.events;
    this.path = place.path;
    this.checkoutMs = options.checkoutMs;
    this.waitAlarm = new WaitAlarm(this.host, 'checkout');
    this.#options = options;
    this.dispatch = new Dispatch(this, options);
    const { path, events } = this;
    this.#pressure = new QueuePressure(options.queueLimit, {
      saturated: (waiting, limit) => events.emit('pool.saturated', { path, waiting, limit }),
      relieved: (waiting, limit) => events.emit('pool.relieved', { path, waiting, limit }),
    });
    this.leaseWatch = new LeaseWatch(this.host, options.leaseLeakMs, (held, heldMs) => {
      const { worker, holder, stack } = held;
      events.emit('pool.lease.leaked', { path, worker, heldMs, holder, stack });
    });
  }

  // ── for whoever looks ─────────────────────────────────────────────────────────────────────

  /** Whether a job brought now would be let in. */
  canAccept(): boolean {
    if (this.admission !== 'admit') return false;
    return !this.isFull || (this.dispatch.idle.size > 0 && !this.dispatch.paused);
  }

  /** Whether nobody else may wait. */
  get isFull(): boolean {
    return this.dispatch.lines.size >= this.#options.queueLimit;
  }

  get saturated(): boolean {
    return this.#pressure.saturated;
  }

  get waiting(): number {
    return this.dispatch.lines.size;
  }

  /** Whether nothing waits, nothing runs and nothing is held. */
  get isDone(): boolean {
    return this.#open === 0 && this.#leases === 0;
  }

  get leases(): number {
    return this.#leases;
  }

  get idle(): number {
    return this.dispatch.idle.size;
  }

  get keeper(): DeskKeeper | undefined {
    return this.#keeper;
  }

  get workers(): readonly PoolWorker[] {
    return this.#keeper?.workers ?? [];
  }

  get fitWorkers(): readonly PoolWorker[] {
    return this.workers.filter(({ fit }) => fit);
  }

  get sessions(): Dispatch['sessions'] {
    return this.dispatch.sessions;
  }

  leastBound(workers: Iterable<PoolWorker>): PoolWorker | undefined {
    return this.dispatch.leastBound(workers);
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
    this.watchesDemand = false;
  }

  /** It serves no more: what waits is turned away. */
  end(keeper: DeskKeeper, error: TroupeError): void {
    if (this.#keeper !== keeper) return;
    this.admission = 'refuse_closed';
    this.turnAwayAll(error);
    this.#keeper = undefined;
    this.dispatch.dismissAll();
  }

  turnAwayAll(error: TroupeError): void {
    for (let ticket = this.dispatch.shift(); ticket !== undefined; ticket = this.dispatch.shift())
      ticket.turnAway(error);
  }

  /** How long to wait before asking again while crashes loop: never at once, though the probe be under way. */
  retryAfterMs(now: number): number {
    return Math.ceil(Math.max(this.retryAt - now, this.#options.replaceBackoff.baseMs));
  }

  /** Why nobody is let in while crashes loop. */
  degradedError(now: number): TroupeError {
    const { path: pool, crashesInRow: crashes } = this;
    const facts = { pool, crashes, retryAfterMs: this.retryAfterMs(now) };
    return refusals.degraded(facts, this.#keeper?.lastCrash);
  }

  // ── for tickets, leases and the dispatch ──────────────────────────────────────────────────

  get serves(): boolean {
    return this.#keeper !== undefined && !this.#keeper.closing;
  }

  retried(): void {
    this.counts.retried += 1;
  }

  waited(waitMs: number): void {
    this.waits.record(waitMs);
  }

  ran(runMs: number): void {
    this.runs.record(runMs);
  }

  requeue(ticket: Ticket, now: number): void {
    ticket.wait(now);
    this.dispatch.requeue(ticket);
    this.#tellDemand();
  }

  checkoutError(timeoutMs: number): TroupeError {
    const { workers } = this;
    const size = this.#keeper?.wanted ?? this.#options.size.min;
    const starting = workers.filter(({ info }) => info === undefined).length;
    const failed = Math.max(0, size - workers.length);
    const facts = { pool: this.path, timeoutMs, size, starting, failed };
    return refusals.checkoutTimeout(facts, this.#keeper?.lastCrash);
  }

  leaveLine(ticket: Ticket): void {
    this.dispatch.leave(ticket);
  }

  settled(ending: Ending, { session }: Ticket): void {
    this.counts[ending] += 1;
    this.#open -= 1;
    if (session !== undefined) this.sessions.touch(session, this.now());
    if (ending === 'succeeded') {
      this.crashesInRow = 0;
      if (this.watchesSuccess) this.#keeper?.jobSucceeded();
    }
    if (this.watchesWork) this.#tellIfDone();
  }

  shed(ticket: Ticket): void {
    const waitedMs = this.now() - ticket.begunAt;
    const { path, events } = this;
    if (events.active) events.emit('pool.job.shed', { path, waitedMs, waiting: this.waiting });
    ticket.turnAway(refusals.overloaded(path, waitedMs), 'shed');
  }

  stranded(ticket: Ticket, worker: PoolWorker): void {
    ticket.turnAway(refusals.noWorker(this.path, worker.id));
  }

  lengthChanged(waiting: number): void {
    this.#pressure.note(waiting);
  }

  rebound(session: string, from: string, to: string): void {
    const { path, events } = this;
    if (events.active) events.emit('pool.session.rebound', { path, session, from, to });
  }

  forgotten(session: string, worker: string, why: 'expired' | 'evicted'): void {
    const { path, events } = this;
    if (events.active) events.emit('pool.session.forgotten', { path, session, worker, why });
  }

  /** A worker is held from now on. */
  leaseBegun(): void {
    this.#leases += 1;
  }

  leaseOver(lease: WorkerLease): void {
    this.#leases -= 1;
    if (this.leaseWatch.isOn) this.leaseWatch.remove(lease);
    if (this.watchesWork) this.#tellIfDone();
  }

  leaseRevoked(worker: PoolWorker, holdMs: number): void {
    const { path, events } = this;
    if (events.active) events.emit('pool.lease.revoked', { path, worker: worker.id, heldMs: holdMs });
  }

  // ── for those who let in ──────────────────────────────────────────────────────────────────

  /** Something was let in, and will settle. */
  opened(): void {
    this.counts.accepted += 1;
    this.#open += 1;
  }

  /** Its turn has not come. */
  enqueue(ticket: Ticket, now: number): void {
    ticket.wait(now);
    this.dispatch.enqueue(ticket, now);
    this.#tellDemand();
  }

  #tellDemand(): void {
    if (this.watchesDemand && this.waiting > 0) this.#keeper?.demand();
  }

  #tellIfDone(): void {
    if (this.isDone) this.#keeper?.workDone();
  }
}
