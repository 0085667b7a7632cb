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
import { ChartRunner } from '../chart/runner.ts';
import type { ActorContext } from '../kernel/logic.ts';
import { describeReason, type ExitReason } from '../kernel/reason.ts';
import { type Backoff, createSpec } from '../kernel/spec.ts';
import { boundedMs, exponentialMs } from '../resilience/backoff.ts';
import type { Desk } from './desk.ts';
import type { DeskKeeper } from './desk-keeper.ts';
import {
  type ReplaceOptions,
  type ResolvedPoolOptions,
  resolveReplace,
  type SizeRange,
} from './pool-options.ts';
import { crashInWords } from './pool-refusals.ts';
import { PoolWorker } from './pool-worker.ts';
import { ReadyWait } from './ready-wait.ts';
import { Replacement } from './replacement.ts';
import { Scaling } from './scaling.ts';
import { type Recruiter, type Seat, Staff } from './staff.ts';
import { workerLogic } from './worker-actor.ts';
import { isSuspicious } from './worker-end.ts';
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
  readonly #context: ActorContext;
  readonly #desk: Desk;
  readonly #staff: Staff;
  readonly #scaling: Scaling;
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
  readonly #readyWait: ReadyWait;
  #replacement: Replacement | undefined;
  #replacementTimer: Timer | undefined;
  #generation = 0;
  /** What is back in use where the new kind cannot start. */
  #oldKinds: readonly WorkerKind[] = [];
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
    this.#scaling = new Scaling(this.host, settings.scaling, this.#scaled());
    this.#readyWait = new ReadyWait(this.host, this.path, () => this.workers.filter(({ fit }) => fit).length);
    this.#runner = new ChartRunner({
      chart,
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
        startProbe: () => this.#staff.probe(),
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
    return this.#closing;
  }

  get workers(): readonly PoolWorker[] {
    return this.#staff.workers;
  }

  get lastCrash(): TroupeError | undefined {
    return this.#lastCrash;
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
    this.#watchDemand();
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
    this.#watchDemand();
    this.#scaling.changed();
    this.#readyWait.look();
  }

  /** @throws ERR_POOL_DRAINING, ERR_POOL_REPLACE_FAILED: another one is under way; ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
  replaceAll(options: ReplaceOptions | undefined): Promise<void> {
    const { path } = this;
    const { kinds, atOnce, timeoutMs } = resolveReplace(`replacement of pool ${path}`, options);
    for (const kind of kinds ?? []) kind.verify?.();
    if (this.#ended || this.#closing) throw createError('ERR_POOL_DRAINING', { pool: path });
    if (this.#replacement !== undefined)
      throw createError('ERR_POOL_REPLACE_FAILED', { pool: path, why: 'another replacement is under way' });
    const { workers } = this;
    this.#generation += 1;
    const replacement = new Replacement(this.#replaced(), this.#generation, atOnce);
    this.#replacement = replacement;
    this.#oldKinds = this.#staff.kinds;
    if (kinds !== undefined) this.#staff.kinds = kinds;
    this.events.emit('pool.replacement.began', { path, workers: workers.length });
    if (timeoutMs < NO_DEADLINE) {
      this.#replacementTimer = this.host.timer(timeoutMs, 'pool replacement', () =>
        this.#endReplacement(`it took longer than ${timeoutMs} ms`),
      );
    }
    this.#stepReplacement();
    return replacement.promise;
  }

  ready(workers: number | undefined, untilMs: number): Promise<void> {
    const { size } = this;
    const count = Math.min(workers ?? Math.max(1, size.min), size.max);
    if (this.#staff.wanted < count) {
      this.#staff.wanted = count;
      this.#staff.fill();
      this.#scaling.changed();
    }
    return this.#readyWait.until(count, untilMs, () => this.#lastCrash);
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
    this.#scaling.stop();
    this.#readyWait.give(createError('ERR_POOL_DRAINING', { pool: this.path }, { stack: false }));
    this.#endReplacement('the pool has ended');
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
    if (this.state !== 'degraded') this.#staff.fill();
    this.#stepReplacement();
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
    return this.#replacement?.takes(worker) === true ? 'replaced' : undefined;
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
    if (crashed) this.#countCrash(seat, worker);
    else seat.failures = 0;
    this.#judgeReplacement(worker);
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
    this.#stepReplacement();
    this.#tellIfGone();
  }

  workDone(): void {
    this.#send({ type: 'work.done' });
  }

  jobSucceeded(): void {
    this.#send({ type: 'job.succeeded' });
  }

  demand(): void {
    if (!this.#closing) this.#scaling.demand();
  }

  // ── sizes ─────────────────────────────────────────────────────────────────────────────────

  /** Where no more workers could ever be started, nobody need say that he waits. */
  #watchDemand(): void {
    this.#desk.watchesDemand = this.#staff.wanted < this.#staff.size.max;
  }

  #scaled() {
    const crew = this;
    const { dispatch } = this.#desk;
    return {
      get size() {
        return crew.size;
      },
      get wanted() {
        return crew.wanted;
      },
      set wanted(count: number) {
        crew.#staff.wanted = count;
      },
      get starting() {
        return crew.#staff.starting;
      },
      get startsAtOnce() {
        return crew.startsAtOnce;
      },
      get waiting() {
        return crew.#desk.waiting;
      },
      get delayMs() {
        const { first } = dispatch.lines.common;
        return first === undefined ? 0 : crew.host.monotonic() - first.waitsFrom;
      },
      get serves() {
        return !dispatch.paused && crew.#desk.admission !== 'refuse_crash_loop';
      },
      get idleMs() {
        const { last } = dispatch.idle;
        return last === undefined ? undefined : crew.host.monotonic() - last.restsSince;
      },
      grown: () => crew.#grown(),
      shrunk: () => crew.#shrunk(),
    };
  }

  #grown(): void {
    const { path, wanted: workers } = this;
    this.events.emit('pool.grown', { path, workers, waiting: this.#desk.waiting });
    this.#watchDemand();
    this.#staff.fill();
  }

  #shrunk(): void {
    const { path, wanted: workers } = this;
    const coldest = this.#desk.dispatch.idle.last;
    if (coldest === undefined) return;
    this.#watchDemand();
    this.events.emit('pool.shrunk', { path, workers, worker: coldest.id });
    coldest.retire('scaled_down');
  }

  #serve(serving: boolean): void {
    this.#desk.dispatch.paused = !serving;
    if (serving && this.#desk.watchesDemand) this.demand();
  }

  // ── replacement ───────────────────────────────────────────────────────────────────────────

  #replaced() {
    const crew = this;
    return {
      get workers() {
        return crew.workers;
      },
      get wanted() {
        return crew.wanted;
      },
      get present() {
        return crew.#staff.present;
      },
    };
  }

  #stepReplacement(): void {
    if (this.#replacement?.step() === true) this.#concludeReplacement(undefined);
  }

  /** A new one that never came to anything says that none of them would. */
  #judgeReplacement(worker: PoolWorker): void {
    const replacement = this.#replacement;
    if (replacement === undefined) return;
    if (worker.generation < replacement.generation) replacement.count += 1;
    else if (worker.crashed && worker.info === undefined)
      this.#endReplacement(`${worker.id} could not start`, worker.crashError());
  }

  #endReplacement(why: string, cause?: TroupeError): void {
    const replacement = this.#replacement;
    if (replacement === undefined) return;
    if (cause !== undefined) this.#staff.kinds = this.#oldKinds;
    const error = createError('ERR_POOL_REPLACE_FAILED', { pool: this.path, why }, { cause, stack: false });
    this.#concludeReplacement(error);
    replacement.fail(error);
  }

  #concludeReplacement(error: TroupeError | undefined): void {
    const replaced = this.#replacement?.count ?? 0;
    this.#replacement = undefined;
    this.#replacementTimer?.cancel();
    const facts = { path: this.path, replaced };
    this.events.emit('pool.replacement.ended', error === undefined ? facts : { ...facts, error });
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
    this.#taint(seat, worker);
  }

  /** Its place stays empty for a while, where it died as one does of something poisonous; but not the last one. */
  #taint(seat: Seat, worker: PoolWorker): void {
    const { taintMs } = this.settings.recycle;
    const isLast = !this.workers.some(({ over }) => !over);
    if (taintMs === 0 || isLast || worker.end === undefined || !isSuspicious(worker.end, worker.killed))
      return;
    seat.taintedUntil = this.host.monotonic() + taintMs;
    const how = worker.describeEnd();
    this.events.emit('pool.place.tainted', { path: this.path, worker: worker.id, how, taintMs });
  }

  #replace(): void {
    const seat = this.#lost;
    if (seat === undefined) return;
    const { replaceBackoff } = this.settings;
    const longestMs = replaceDelayMs(replaceBackoff, seat.failures);
    const backoffMs = replaceBackoff.jitter === 'full' ? this.#jittered(longestMs) : longestMs;
    const delayMs = Math.max(backoffMs, seat.taintedUntil - this.host.monotonic(), 0);
    this.#staff.refill(seat, delayMs, (fire) => this.host.timer(delayMs, 'worker replacement', fire));
  }

  #jittered(ms: number): number {
    return ms === 0 ? 0 : this.host.random.next() * ms;
  }

  recruit(seat: Seat, kind: WorkerKind): PoolWorker {
    const { startTimeoutMs, closeGraceMs } = this.settings;
    this.#hired += 1;
    const plan = { id: `worker-${this.#hired}`, kind, seat: seat.index, generation: this.#generation };
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
    this.#probeTimer?.cancel();
    this.#desk.watchesSuccess = false;
    for (const seat of this.#staff.seats) seat.probe = false;
  }

  #announceDegraded(): void {
    const { crashesInRow: crashes } = this.#desk;
    const lastCrash = crashInWords(this.#lastCrash);
    const retryAfterMs = this.#desk.retryAfterMs(this.host.monotonic());
    this.events.emit('pool.degraded', { path: this.path, crashes, retryAfterMs, lastCrash });
  }

  #closeWorkers(): void {
    this.#closing = true;
    this.#drainTimer?.cancel();
    this.#scaling.stop();
    this.#endReplacement('the pool is closing');
    this.#readyWait.give(createError('ERR_POOL_DRAINING', { pool: this.path }, { stack: false }));
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
