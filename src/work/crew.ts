/**
 * The workers of one incarnation of a pool: who fills which place, what follows a loss, and the end of them all. The pool's chart
 * decides; this carries out.
 *
 * Invariants: a place has one worker at most, and the next not before the last of the old one is gone, so that there are never
 * more than `size`; each loss is counted once; what replaces waits after the first crash, so that nothing loops busily; after
 * the end no worker lives that was not sent SIGKILL. Jobs are the desk's business.
 */
import { type PoolEvent, poolMachine } from '../../actors/pool.machine.ts';
import { NO_DEADLINE } from '../base/deadline.ts';
import { createError, type TroupeError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import type { EventStream } from '../base/telemetry.ts';
import { compileChart } from '../chart/compile.ts';
import { ChartRunner } from '../chart/runner.ts';
import type { ActorContext } from '../kernel/logic.ts';
import { describeReason, type ExitReason } from '../kernel/reason.ts';
import { type Backoff, createSpec } from '../kernel/spec.ts';
import { boundedMs, exponentialMs } from '../resilience/backoff.ts';
import type { Desk, DeskKeeper } from './desk.ts';
import type { ResolvedPoolOptions } from './pool-options.ts';
import { PoolWorker } from './pool-worker.ts';
import { workerLogic } from './worker-actor.ts';
import type { WorkerKind } from './worker-port.ts';
import type { WorkerOwner } from './worker-roles.ts';

/** One of the pool's places for a worker. */
interface Seat {
  readonly index: number;
  readonly kind: WorkerKind;
  worker: PoolWorker | undefined;
  /** Whether that worker was started to see whether workers live again. */
  probe: boolean;
  /** Crashes in a row of workers that did not prove themselves here. */
  failures: number;
  /** Until it is filled again. */
  timer: Timer | undefined;
}

/** What the worker's actor is allowed beyond the grace of its worker, ms: the kill takes a moment to arrive. */
const KILL_MARGIN_MS = 500;

const chart = compileChart(poolMachine);

/** The delay before a place is filled again after so many crashes in a row. */
export const replaceDelayMs = (backoff: Backoff, failures: number): number => {
  const step = backoff.delayFirst ? failures : failures - 1;
  return step < 1 ? 0 : boundedMs(exponentialMs(step, backoff.baseMs, backoff.factor), backoff.maxMs);
};

export class Crew implements WorkerOwner, DeskKeeper {
  readonly host: Host;
  readonly events: EventStream;
  readonly path: string;
  readonly settings: ResolvedPoolOptions;
  readonly #context: ActorContext;
  readonly #desk: Desk;
  readonly #seats: readonly Seat[];
  readonly #runner;
  readonly #stopListening: () => void;
  #lost: Seat | undefined;
  #lastCrashAt = Number.NEGATIVE_INFINITY;
  #lastCrash: TroupeError | undefined;
  #hired = 0;
  #probeTimer: Timer | undefined;
  #closing = false;
  #ended = false;
  #drained: Promise<void> | undefined;
  #drainUntil = NO_DEADLINE;
  #drainTimer: Timer | undefined;
  #tellDrained: (() => void) | undefined;

  constructor(context: ActorContext, desk: Desk, settings: ResolvedPoolOptions) {
    this.host = context.system.host;
    this.events = context.system.events;
    this.path = context.path;
    this.settings = settings;
    this.#context = context;
    this.#desk = desk;
    this.#seats = Array.from({ length: settings.size }, (_, index) => seatOf(index, settings.kinds));
    this.#runner = new ChartRunner({
      chart,
      perform: {
        decide: ({ admission }) => {
          desk.admission = admission;
        },
        replaceWorker: () => this.#replace(),
        holdReplacements: () => this.#holdReplacements(),
        scheduleProbe: () => this.#scheduleProbe(),
        startProbe: () => this.#startProbe(),
        cancelProbe: () => this.#cancelProbe(),
        rejectWaiting: () => desk.turnAwayAll(desk.degradedError(this.host.monotonic())),
        announceDegraded: () => this.#announceDegraded(),
        announceRestored: () => this.events.emit('pool.restored', { path: this.path }),
        fillPlaces: () => this.#fillPlaces(),
        closeWorkers: () => this.#closeWorkers(),
      },
    });
    this.#stopListening = this.host.onStall((lateMs) => {
      for (const worker of this.workers) worker.stalled(lateMs);
    });
  }

  get state(): string {
    return String(this.#runner.snapshot.value);
  }

  get closing(): boolean {
    return this.#closing;
  }

  get workers(): readonly PoolWorker[] {
    return this.#seats.flatMap(({ worker }) => (worker === undefined ? [] : [worker]));
  }

  get lastCrash(): TroupeError | undefined {
    return this.#lastCrash;
  }

  /** Whether jobs are let in, and at least one worker is there to do them. */
  get isReady(): boolean {
    return this.#desk.admission === 'admit' && this.workers.some(({ fit }) => fit);
  }

  /** The places without a worker, and what becomes of them. */
  get vacancies(): readonly { readonly index: number; readonly kind: string; readonly waits: boolean }[] {
    return this.#seats
      .filter(({ worker }) => worker === undefined)
      .map(({ index, kind, timer }) => ({ index, kind: kind.name, waits: timer !== undefined }));
  }

  /** Opens the desk and starts all workers at once. */
  begin(): void {
    this.#desk.begin(this);
    this.#runner.start();
    this.#fillPlaces();
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
    this.#desk.turnAwayAll(createError('ERR_POOL_DRAINING', { pool: this.path }, { stack: false }));
    for (const worker of this.workers) worker.forsake(this.#endError(reason, worker));
    this.#send({ type: 'close.wanted' });
  }

  /** The end of the incarnation, on every path: whatever is left is told and killed. */
  end(reason: ExitReason): void {
    this.#ended = true;
    this.#runner.stop();
    this.#stopListening();
    this.#cancelProbe();
    this.#drainTimer?.cancel();
    this.#desk.end(this, this.#endError(reason, undefined));
    for (const seat of this.#seats) {
      seat.timer?.cancel();
      seat.worker?.forsake(this.#endError(reason, seat.worker));
      seat.worker?.condemn('pool_ended');
    }
    this.#tellDrained?.();
  }

  // ── what the workers and the desk tell ────────────────────────────────────────────────────

  started(worker: PoolWorker, startMs: number): void {
    const seat = this.#seats[worker.seat] as Seat;
    const { probe } = seat;
    seat.probe = false;
    const { events, path } = this;
    if (events.active)
      events.emit('pool.worker.started', { path, worker: worker.id, pid: worker.pid, startMs });
    this.#send({ type: 'worker.started', probe });
  }

  available(worker: PoolWorker): void {
    if (!this.#ended) this.#desk.available(worker);
  }

  unavailable(worker: PoolWorker): void {
    this.#desk.unavailable(worker);
  }

  gone(worker: PoolWorker): void {
    const seat = this.#seats[worker.seat] as Seat;
    if (seat.worker !== worker) return;
    const { probe } = seat;
    const { crashed } = worker;
    seat.worker = undefined;
    seat.probe = false;
    if (this.#ended) return;
    if (crashed) this.#countCrash(seat, worker);
    else seat.failures = 0;
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
    this.#tellIfGone();
  }

  workDone(): void {
    this.#send({ type: 'work.done' });
  }

  jobSucceeded(): void {
    this.#send({ type: 'job.succeeded' });
  }

  // ── what the chart asks for ───────────────────────────────────────────────────────────────

  #send(event: PoolEvent): void {
    if (!this.#ended) this.#runner.send(event);
  }

  #countCrash(seat: Seat, worker: PoolWorker): void {
    const now = this.host.monotonic();
    if (now - this.#lastCrashAt >= this.settings.crashLoop.forgetMs) this.#desk.crashesInRow = 0;
    this.#lastCrashAt = now;
    this.#lastCrash = worker.crashError();
    this.#desk.crashesInRow += 1;
    const proven = worker.jobsSucceeded > 0 || worker.livedMs >= this.settings.replaceBackoff.stableMs;
    seat.failures = proven ? 1 : seat.failures + 1;
  }

  #replace(): void {
    const seat = this.#lost;
    if (seat === undefined) return;
    const { replaceBackoff } = this.settings;
    const longestMs = replaceDelayMs(replaceBackoff, seat.failures);
    if (longestMs === 0) {
      this.#hire(seat, false);
      return;
    }
    const delayMs = replaceBackoff.jitter === 'full' ? this.host.random.next() * longestMs : longestMs;
    seat.timer?.cancel();
    seat.timer = this.host.timer(delayMs, 'worker replacement', () => {
      seat.timer = undefined;
      this.#hire(seat, false);
    });
  }

  #hire(seat: Seat, probe: boolean): void {
    if (this.#ended || this.#closing || seat.worker !== undefined) return;
    const { startTimeoutMs, closeGraceMs } = this.settings;
    this.#hired += 1;
    const worker = new PoolWorker({ id: `worker-${this.#hired}`, kind: seat.kind, seat: seat.index }, this);
    seat.worker = worker;
    seat.probe = probe;
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
  }

  #fillPlaces(): void {
    for (const seat of this.#seats) if (seat.timer === undefined) this.#hire(seat, false);
  }

  #holdReplacements(): void {
    for (const seat of this.#seats) {
      seat.timer?.cancel();
      seat.timer = undefined;
    }
  }

  #scheduleProbe(): void {
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

  #startProbe(): void {
    const vacant = this.#seats.find(({ worker }) => worker === undefined);
    if (vacant !== undefined) this.#hire(vacant, true);
  }

  #cancelProbe(): void {
    this.#probeTimer?.cancel();
    this.#desk.watchesSuccess = false;
    for (const seat of this.#seats) seat.probe = false;
  }

  #announceDegraded(): void {
    const { crashesInRow: crashes, lastCrash } = this.#desk;
    const retryAfterMs = this.#desk.retryAfterMs(this.host.monotonic());
    this.events.emit('pool.degraded', { path: this.path, crashes, retryAfterMs, lastCrash });
  }

  #closeWorkers(): void {
    this.#closing = true;
    this.#drainTimer?.cancel();
    this.#holdReplacements();
    for (const worker of this.workers) worker.dismiss('pool_closed');
    this.#tellIfGone();
  }

  #tellIfGone(): void {
    if (this.#closing && this.#seats.every(({ worker }) => worker === undefined)) this.#tellDrained?.();
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

const seatOf = (index: number, kinds: readonly WorkerKind[]): Seat => ({
  index,
  kind: kinds[index % kinds.length] as WorkerKind,
  worker: undefined,
  probe: false,
  failures: 0,
  timer: undefined,
});
