/**
 * The workers of one incarnation of a pool: who fills which place, what follows a loss, and the end of them all. The pool's chart
 * decides; this carries out.
 *
 * Invariants: each loss is counted once; what replaces waits after the first crash, so that nothing loops busily; after
 * the end no worker lives that was not sent SIGKILL. Places are the staff's business, sizes the scaling's, jobs the desk's.
 */
import { type PoolEvent, poolMachine } from '../../actors/pool.machine.ts';
import { NO_DEADLINE } from '../base/deadline.ts';
import { createError, type TroupeError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import type { EventStream } from '../base/telemetry.ts';
import { compileChart } from '../chart/compile.ts';
import { ChartRunner, stepNews } from '../chart/runner.ts';
import type { ActorContext } from '../kernel/logic.ts';
import { describeReason, type ExitReason } from '../kernel/reason.ts';
import { type Backoff, createSpec } from '../kernel/spec.ts';
import { boundedMs, exponentialMs } from '../resilience/backoff.ts';
import { CrashRecord } from './crash-record.ts';
import type { Desk } from './desk.ts';
import type { DeskKeeper } from './desk-keeper.ts';
import type { ReplaceOptions, ResolvedPoolOptions, SizeRange } from './pool-options.ts';
import { crashInWords, draining } from './pool-refusals.ts';
import { PoolWorker } from './pool-worker.ts';
import { ReadyWait } from './ready-wait.ts';
import { Renewal } from './renewal.ts';
import { Sizing } from './sizing.ts';
import { type Recruiter, type Seat, Staff } from './staff.ts';
import { workerLogic } from './worker-actor.ts';
import type { WorkerKind } from './worker-port.ts';
import type { WorkerOwner } from './worker-roles.ts';

/** What the worker's actor is allowed beyond the grace of its worker, ms: the kill takes a moment to arrive. */
const KILL_MARGIN_MS = 500;

const chart = compileChart(poolMachine);

/** The delay before a place is filled again after so many crashes in a row. */
export const replaceDelayMs = (backoff: Backoff, failures: number): number => {
  const step = backoff.delayFirst ? failures : failures - 1;
  return step < 1 ? 0 : boundedMs(exponentialMs(step, backoff.baseMs, backoff.factor), backoff.maxMs);
};

export class Crew implements WorkerOwner, DeskKeeper, Recruiter {
  readonly host: Host;
  readonly events: EventStream;
  readonly path: string;
  readonly settings: ResolvedPoolOptions;
  /** Whether crashes loop. */
  holding = false;
  readonly #context: ActorContext;
  readonly #desk: Desk;
  readonly #staff: Staff;
  readonly #sizing: Sizing;
  readonly #renewal: Renewal;
  readonly #crashes: CrashRecord;
  readonly #runner;
  readonly #stopListening: () => void;
  #lost: Seat | undefined;
  #hired = 0;
  #probeTimer: Timer | undefined;
  #closing = false;
  #ended = false;
  #drained: Promise<void> | undefined;
  #drainUntil = NO_DEADLINE;
  #drainTimer: Timer | undefined;
  #tellDrained: (() => void) | undefined;
  readonly #readyWait: ReadyWait;
  /** What workers that are gone were there and were busy, ms. */
  #pastLivedMs = 0;
  #pastBusyMs = 0;

  constructor(context: ActorContext, desk: Desk, settings: ResolvedPoolOptions) {
    this.host = context.system.host;
    this.events = context.system.events;
    this.path = context.path;
    this.settings = settings;
    this.#context = context;
    this.#desk = desk;
    this.#staff = new Staff(this, settings.size, settings.kinds);
    this.#sizing = new Sizing(this, desk, this.#staff);
    this.#renewal = new Renewal(this, this.#staff);
    this.#crashes = new CrashRecord(this, desk);
    this.#readyWait = new ReadyWait(this.host, this.path, () => this.workers.filter(({ fit }) => fit).length);
    this.#runner = new ChartRunner({
      chart,
      onStep: stepNews(this.events, this.path),
      perform: {
        decide: ({ admission }) => {
          desk.admission = admission;
        },
        serve: ({ serving }) => this.#serve(serving),
        announcePaused: () => this.events.emit('pool.paused', { path: this.path }),
        announceResumed: () => this.events.emit('pool.resumed', { path: this.path }),
        replaceWorker: () => this.#replace(),
        holdReplacements: () => this.#staff.holdAll(),
        scheduleProbe: () => this.#scheduleProbe(),
        startProbe: () => this.#sizing.probe(),
        cancelProbe: () => this.#cancelProbe(),
        rejectWaiting: () => desk.turnAwayAll(desk.degradedError(this.host.monotonic())),
        announceDegraded: () => this.#announceDegraded(),
        announceRestored: () => this.events.emit('pool.restored', { path: this.path }),
        fillPlaces: () => this.#staff.fill(),
        closeWorkers: () => this.#closeWorkers(),
      },
    });
    this.#stopListening = this.host.onStall((lateMs) => {
      for (const worker of this.workers) worker.stalled(lateMs);
    });
  }

  get state(): string {
    return (this.#runner.snapshot.value as { readonly admission: string }).admission;
  }

  get startsAtOnce(): number {
    return this.settings.startsAtOnce;
  }

  get size(): SizeRange {
    return this.#staff.size;
  }

  get wanted(): number {
    return this.#staff.wanted;
  }

  get closing(): boolean {
    return this.#closing || this.#ended;
  }

  get workers(): readonly PoolWorker[] {
    return this.#staff.workers;
  }

  get lastCrash(): TroupeError | undefined {
    return this.#crashes.last;
  }

  /** Whether jobs are let in, and at least one worker is there to do them. */
  get isReady(): boolean {
    return this.#desk.admission === 'admit' && this.workers.some(({ fit }) => fit);
  }

  get vacancies(): Staff['vacancies'] {
    return this.#staff.vacancies;
  }

  get utilisation(): number {
    const { workers } = this;
    const lived = workers.reduce((sum, { livedMs }) => sum + livedMs, this.#pastLivedMs);
    const busy = workers.reduce((sum, { busyMs }) => sum + busyMs, this.#pastBusyMs);
    return lived === 0 ? 0 : Math.min(1, busy / lived);
  }

  /** Opens the desk and starts the first workers. */
  begin(): void {
    this.#desk.begin(this);
    this.#runner.start();
    if (this.settings.start === 'lazy') this.#staff.wanted = 0;
    this.#sizing.watchDemand();
    this.#staff.fill();
  }

  pause(): void {
    this.#send({ type: 'pause.wanted' });
  }

  resume(): void {
    this.#send({ type: 'resume.wanted' });
  }

  resize(size: SizeRange): void {
    if (this.#ended || this.#closing) return;
    this.#staff.resize(size);
    this.events.emit('pool.resized', { path: this.path, ...size });
    this.#sizing.changed();
    this.#readyWait.look();
  }

  replaceAll(options: ReplaceOptions | undefined): Promise<void> {
    return this.#renewal.begin(options);
  }

  ready(workers: number | undefined, untilMs: number): Promise<void> {
    const { size } = this;
    const count = Math.min(workers ?? Math.max(1, size.min), size.max);
    if (this.#staff.wanted < count) {
      this.#staff.wanted = count;
      this.#staff.fill();
      this.#sizing.changed();
    }
    return this.#readyWait.until(count, untilMs, () => this.#crashes.last);
  }

  drain(untilMs: number, reason: ExitReason): Promise<void> {
    this.#drained ??= new Promise((resolve) => {
      this.#tellDrained = resolve;
    });
    this.#send({ type: 'drain.wanted' });
    this.#desk.watchesWork = true;
    if (this.#desk.isDone) this.workDone();
    this.#tellIfGone();
    if (!this.#closing && untilMs < this.#drainUntil) this.#drainAtMost(untilMs, reason);
    return this.#drained;
  }

  #drainAtMost(untilMs: number, reason: ExitReason): void {
    this.#drainUntil = untilMs;
    this.#drainTimer?.cancel();
    const leftMs = Math.max(0, untilMs - this.host.monotonic());
    this.#drainTimer = this.host.timer(leftMs, 'pool drain', () => this.#close(reason));
  }

  /** The time for draining is over: what still waits or runs is told, and the workers are asked to end. */
  #close(reason: ExitReason): void {
    // From here on nothing is tried again: nobody would be there to try it.
    this.#closing = true;
    this.#desk.turnAwayAll(draining(this.path));
    for (const worker of this.workers) worker.forsake(this.#endError(reason, worker));
    this.#send({ type: 'close.wanted' });
  }

  /** The end of the incarnation, on every path: whatever is left is told and killed. */
  end(reason: ExitReason): void {
    this.#ended = true;
    this.#runner.stop();
    this.#sizing.stop();
    this.#readyWait.give(draining(this.path));
    this.#renewal.end('the pool has ended');
    this.#stopListening();
    this.#cancelProbe();
    this.#drainTimer?.cancel();
    this.#desk.end(this, this.#endError(reason, undefined));
    this.#staff.holdAll();
    for (const worker of this.workers) {
      worker.forsake(this.#endError(reason, worker));
      worker.condemn('pool_ended');
    }
    this.#tellDrained?.();
  }

  // ── what the workers and the desk tell ────────────────────────────────────────────────────

  started(worker: PoolWorker, startMs: number): void {
    const seat = this.#staff.seatOf(worker);
    const { probe } = seat;
    seat.probe = false;
    const { events, path } = this;
    if (events.lifecycle)
      events.emit('pool.worker.started', { path, worker: worker.id, pid: worker.pid, startMs });
    this.#send({ type: 'worker.started', probe });
    if (this.#ended) return;
    this.#staff.fill();
    this.#renewal.step();
  }

  available(worker: PoolWorker): void {
    if (this.#ended) return;
    this.#desk.dispatch.available(worker);
    this.#readyWait.look();
  }

  unavailable(worker: PoolWorker): void {
    this.#desk.dispatch.unavailable(worker);
  }

  /** Why a worker that is given back should go, if it should. */
  worn(worker: PoolWorker): string | undefined {
    return this.#renewal.takes(worker) ? 'replaced' : undefined;
  }

  gone(worker: PoolWorker): void {
    const seat = this.#staff.seatOf(worker);
    if (seat.worker !== worker) return;
    const { probe } = seat;
    const { crashed } = worker;
    seat.worker = undefined;
    seat.probe = false;
    this.#pastLivedMs += worker.livedMs;
    this.#pastBusyMs += worker.busyMs;
    this.#desk.dispatch.gone(worker);
    if (this.#ended) return;
    if (crashed) this.#crashes.count(seat, worker);
    else seat.failures = 0;
    this.#renewal.gone(worker);
    this.#lost = seat;
    const { crashesInRow: crashes, waiting } = this.#desk;
    this.#send({
      type: 'worker.lost',
      probe,
      crashed,
      crashes,
      limit: this.settings.crashLoop.crashes,
      waiting,
    });
    this.#renewal.step();
    this.#tellIfGone();
  }

  workDone(): void {
    this.#send({ type: 'work.done' });
  }

  jobSucceeded(): void {
    this.#send({ type: 'job.succeeded' });
  }

  demand(): void {
    if (!this.#closing) this.#sizing.demand();
  }

  #serve(serving: boolean): void {
    this.#desk.dispatch.paused = !serving;
    if (serving && this.#desk.watchesDemand) this.demand();
  }

  // ── what the chart asks for ───────────────────────────────────────────────────────────────

  #send(event: PoolEvent): void {
    if (!this.#ended) this.#runner.send(event);
  }

  #replace(): void {
    const seat = this.#lost;
    if (seat === undefined) return;
    const { replaceBackoff } = this.settings;
    const longestMs = replaceDelayMs(replaceBackoff, seat.failures);
    const isJittered = longestMs > 0 && replaceBackoff.jitter === 'full';
    const backoffMs = isJittered ? this.host.random.next() * longestMs : longestMs;
    const delayMs = Math.max(backoffMs, seat.taintedUntil - this.host.monotonic(), 0);
    this.#staff.refill(seat, delayMs, (fire) => this.host.timer(delayMs, 'worker replacement', fire));
  }

  recruit(seat: Seat, kind: WorkerKind): PoolWorker {
    const { startTimeoutMs, closeGraceMs } = this.settings;
    this.#hired += 1;
    const plan = {
      id: `worker-${this.#hired}`,
      kind,
      seat: seat.index,
      generation: this.#renewal.generation,
    };
    const worker = new PoolWorker(plan, this);
    seat.worker = worker;
    const spec = createSpec(worker.id, workerLogic(worker), {
      restart: 'temporary',
      initTimeoutMs: startTimeoutMs,
      shutdownMs: closeGraceMs + KILL_MARGIN_MS,
    });
    const ended = (): void => {
      worker.abandon();
      worker.condemn(worker.info === undefined ? 'not_ready_in_time' : 'actor_ended');
    };
    this.#context.spawn(spec, { ended }).catch(() => {
      // The worker itself tells of its end, once.
    });
    return worker;
  }

  #scheduleProbe(): void {
    this.holding = true;
    const { replaceBackoff } = this.settings;
    const delayMs = Math.max(
      replaceBackoff.baseMs,
      replaceDelayMs({ ...replaceBackoff, delayFirst: false }, this.#desk.crashesInRow),
    );
    this.#probeTimer?.cancel();
    this.#desk.watchesSuccess = true;
    this.#desk.retryAt = this.host.monotonic() + delayMs;
    this.#probeTimer = this.host.timer(delayMs, 'pool probe', () => this.#send({ type: 'probe.due' }));
  }

  #cancelProbe(): void {
    this.holding = false;
    this.#probeTimer?.cancel();
    this.#desk.watchesSuccess = false;
    for (const seat of this.#staff.seats) seat.probe = false;
  }

  #announceDegraded(): void {
    const { crashesInRow: crashes } = this.#desk;
    const lastCrash = crashInWords(this.#crashes.last);
    const retryAfterMs = this.#desk.retryAfterMs(this.host.monotonic());
    this.events.emit('pool.degraded', { path: this.path, crashes, retryAfterMs, lastCrash });
  }

  #closeWorkers(): void {
    this.#closing = true;
    this.#drainTimer?.cancel();
    this.#sizing.stop();
    this.#renewal.end('the pool is closing');
    this.#readyWait.give(draining(this.path));
    this.#staff.holdAll();
    for (const worker of this.workers) worker.dismiss('pool_closed');
    this.#tellIfGone();
  }

  #tellIfGone(): void {
    if (this.#closing && this.workers.length === 0) this.#tellDrained?.();
  }

  /** What is owed to the job of a worker, or to a job that has none. */
  #endError(exit: ExitReason, worker: PoolWorker | undefined): TroupeError {
    const reason = describeReason(exit);
    const job = worker?.jobName;
    if (worker !== undefined && job !== undefined && this.#drained !== undefined)
      return createError(
        'ERR_JOB_CUT_OFF',
        { job, worker: worker.name, pool: this.path, reason },
        { stack: false },
      );
    const data = { target: this.path, reason, message: job ?? 'a job' };
    const outcome = job === undefined ? 'not_started' : 'unknown';
    return createError('ERR_CALLEE_ENDED', data, { outcome, stack: false });
  }
}
