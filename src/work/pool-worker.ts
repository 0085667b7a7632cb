/**
 * One live worker of a pool: its chart, its port, and the job it has in flight. It is stepped in the turn of whoever leases
 * it, answers, or finds it gone, so that a lease passes through no mailbox.
 *
 * Invariants: the chart alone decides whether it takes work; a job given to {@link PoolWorker.run} is told of exactly one of
 * its four endings; once its owner has heard `gone`, it holds no timer and no process. What follows from a job's deadline, and
 * whether one is tried again, is the job's and the desk's business.
 */
import type { PoolWorkerEvent } from '../../actors/pool-worker.machine.ts';
import { createError, isTroupeError, type TroupeError } from '../base/errors.ts';
import type { Timer } from '../base/host.ts';
import { LazyAlarm } from './lazy-alarm.ts';
import { Pulse } from './pulse.ts';
import type { Waiting } from './wait-queue.ts';
import { describeEnd, type EndReport, endError, startError } from './worker-end.ts';
import type { Moved, TransitionMetadata, WorkerTransition } from './worker-history.ts';
import { WorkerLife } from './worker-life.ts';
import type {
  WorkerEnd,
  WorkerFailure,
  WorkerKind,
  WorkerPort,
  WorkerPortListeners,
  WorkerReady,
} from './worker-port.ts';
import type { Assignment, WorkerHolder, WorkerOwner, WorkerWatcher } from './worker-roles.ts';

/** Which worker to make. */
export interface WorkerPlan {
  readonly id: string;
  readonly kind: WorkerKind;
  /** Which of the pool's places it fills. */
  readonly seat: number;
  /** How often all workers had been replaced when it was made. */
  readonly generation: number;
}

const PORT_READY: PoolWorkerEvent = { type: 'port.ready' };
const LEASE_TAKEN: PoolWorkerEvent = { type: 'lease.taken' };
const LEASE_RETURNED: PoolWorkerEvent = { type: 'lease.returned' };
const WORK_DOUBTED: PoolWorkerEvent = { type: 'work.doubted' };
const CHECK_PASSED: PoolWorkerEvent = { type: 'check.passed' };
const CLOSE_WANTED: PoolWorkerEvent = { type: 'close.wanted' };
const KILL_WANTED: PoolWorkerEvent = { type: 'kill.wanted' };
const PORT_BROKE: PoolWorkerEvent = { type: 'port.broke' };
const PORT_LOST: PoolWorkerEvent = { type: 'port.lost' };
const PORT_ENDED: PoolWorkerEvent = { type: 'port.ended' };

export class PoolWorker implements WorkerPortListeners, Waiting<PoolWorker> {
  /** Its place among the idle. */
  next: PoolWorker | undefined = undefined;
  previous: PoolWorker | undefined = undefined;
  inLine = false;
  readonly id: string;
  readonly kind: string;
  readonly seat: number;
  readonly generation: number;
  /** Ready and healthy. */
  takesWork = false;
  /** Answered, well or not. */
  jobsDone = 0;
  jobsSucceeded = 0;
  /** How often it was taken. */
  uses = 0;
  /** Answers nobody waited for, and messages it should not have sent. */
  dropCount = 0;
  info: WorkerReady | undefined;
  end: WorkerEnd | undefined;
  watcher: WorkerWatcher | undefined;
  readonly #owner: WorkerOwner;
  readonly #workerKind: WorkerKind;
  readonly #life: WorkerLife;
  readonly #pulse: Pulse;
  readonly #alarm: LazyAlarm;
  #port: WorkerPort | undefined;
  #openedAt = 0;
  #readyAt = 0;
  #job: Assignment | undefined;
  #jobId = 0;
  /** The job it ended under. */
  #lastJob: string | undefined;
  #checkedOut = false;
  #takenAt = 0;
  #busyMs = 0;
  /** Why it is to go as soon as it is free. */
  #retiring: string | undefined;
  /** From then on it is too old. */
  #bestBefore = Number.POSITIVE_INFINITY;
  #ageTimer: Timer | undefined;
  /** Who keeps it between jobs. */
  #holder: WorkerHolder | undefined;
  #cancelAsked = false;
  /** It gave up a job only when asked to, and is looked at before it gets another. */
  #doubtful = false;
  #dismissed = false;
  #killedFor: string | undefined;
  #breach: TroupeError | undefined;
  #cancelTimer: Timer | undefined;
  #closeTimer: Timer | undefined;
  #retired = false;
  #told = false;

  constructor(plan: WorkerPlan, owner: WorkerOwner) {
    this.id = plan.id;
    this.kind = plan.kind.name;
    this.seat = plan.seat;
    this.generation = plan.generation;
    this.#workerKind = plan.kind;
    this.#owner = owner;
    this.#alarm = new LazyAlarm(owner.host, 'job', () => this.#job?.overdue());
    this.#pulse = new Pulse(owner.host, owner.settings, {
      ping: (id) => this.#ping(id),
      idleSince: () => (this.takesWork ? this.#life.since : undefined),
      isTaken: () => this.#checkedOut,
      isStopped: () => this.#port?.stopped,
      stopped: () => this.condemn('stopped'),
      passed: () => this.#step(CHECK_PASSED, 'health_restored'),
      missed: (misses) => this.#missed(misses),
    });
    const subject = {
      probe: () => this.#pulse.probe(),
      closePort: () => this.#close(),
      killPort: () => this.#port?.kill(),
      retire: () => this.#retire(),
      moved: ({ metadata, ...transition }: Moved, inStateMs: number) => {
        const { events, path } = owner;
        if (!events.active) return;
        const facts = { path, worker: this.id, ...transition, inStateMs };
        events.emit('pool.worker.transitioned', metadata === undefined ? facts : { ...facts, metadata });
      },
    };
    this.#life = new WorkerLife(subject, owner.host.monotonic());
  }

  get pid(): number | undefined {
    return this.info?.pid ?? this.#port?.pid;
  }

  /** Whether it ended otherwise than asked to. */
  get crashed(): boolean {
    return !this.#dismissed;
  }

  /** Whether it takes work, now or when it is given back. */
  get fit(): boolean {
    return this.#life.isFit;
  }

  /** Whether it will never take work again. */
  get over(): boolean {
    return this.#life.isOver;
  }

  get gone(): boolean {
    return this.#retired;
  }

  /** How long it was somebody's so far, ms. */
  get busyMs(): number {
    return this.#checkedOut ? this.#busyMs + this.#owner.host.monotonic() - this.#takenAt : this.#busyMs;
  }

  /** How long it has been there to take jobs, ms; 0 if it never was. */
  get livedMs(): number {
    return this.info === undefined ? 0 : this.#owner.host.monotonic() - this.#readyAt;
  }

  /** The job in flight, by name; for people. */
  get jobName(): string | undefined {
    return this.#job?.name;
  }

  /** Its two regions, for people. */
  get states(): WorkerLife['states'] {
    return this.#life.states;
  }

  history(): readonly WorkerTransition[] {
    return this.#life.history();
  }

  // ── what its owner does with it ───────────────────────────────────────────────────────────

  /** Starts it. What comes of it is told to the owner. One that was told to end before does not begin. */
  open(): void {
    if (this.#port !== undefined) return;
    if (this.#life.isOver) {
      this.abandon();
      return;
    }
    this.#openedAt = this.#owner.host.monotonic();
    this.#port = this.#workerKind.open(this.#owner.host, `${this.#owner.path}/${this.id}`, this);
  }

  /** It was never opened and never will be. */
  abandon(): void {
    if (this.#port === undefined) this.#step(PORT_ENDED, 'never_started');
  }

  /** Takes it, for one job or for a holder: it is nobody else's until it is given back. Only where it takes work. */
  checkOut(holder: WorkerHolder | undefined, now: number): void {
    this.takesWork = false;
    this.#checkedOut = true;
    this.#takenAt = now;
    this.uses += 1;
    this.#holder = holder;
    this.#step(LEASE_TAKEN, 'checkout', now);
  }

  /**
   * Sends it a job; one at a time. It watches the deadline; what passing it means is the job's business.
   *
   * @throws ERR_JOB_INVALID, ERR_FRAME_TOO_LARGE: the job's fault; ERR_WORKER_PROTOCOL: the worker's, and it goes
   */
  run(job: Assignment, now: number): void {
    this.#jobId += 1;
    this.#job = job;
    try {
      const { name, args, deadline, stream } = job;
      const remainingMs = deadline - now;
      const port = this.#livePort();
      // Two shapes, and both without a hole: this is on the way of every job.
      if (stream === undefined) port.run({ id: this.#jobId, name, args, remainingMs, deadline });
      else port.run({ id: this.#jobId, name, args, remainingMs, deadline, stream });
      this.#alarm.set(deadline, now);
    } catch (error) {
      this.#job = undefined;
      if (isTroupeError(error, 'ERR_JOB_INVALID') || isTroupeError(error, 'ERR_FRAME_TOO_LARGE')) throw error;
      const breach = isTroupeError(error) ? error : this.#protocolError('it could not be written to', error);
      this.broke(breach);
      this.condemn('protocol_broken');
      throw breach;
    }
  }

  /** Whether it runs a job. */
  get running(): boolean {
    return this.#job !== undefined;
  }

  /** Grants a streamed job that many chunks more. */
  more(job: Assignment, chunks: number): void {
    if (this.#job === job) this.#port?.more?.(this.#jobId, chunks);
  }

  /** Two-staged: it is asked to give the job up, and killed when it has not after the grace; at once if it is stopped. */
  cancel(job: Assignment, reason: string): void {
    if (this.#job !== job || this.#cancelAsked) return;
    this.#cancelAsked = true;
    if (this.#port?.stopped === true) {
      this.condemn('stopped');
      return;
    }
    this.#port?.cancel(this.#jobId, reason);
    const { host, settings } = this.#owner;
    this.#cancelTimer = host.timer(settings.cancelGraceMs, 'cancel grace', () =>
      this.condemn('cancel_ignored'),
    );
  }

  /** Gives it back: at once, or, where a job is still in flight, as soon as it has given that up. */
  giveBack(now: number, reason: string): void {
    this.#holder = undefined;
    if (this.#job !== undefined) {
      this.cancel(this.#job, reason);
      return;
    }
    this.#checkedOut = false;
    this.#busyMs += now - this.#takenAt;
    const doubtful = this.#doubtful;
    this.#doubtful = false;
    const { checkEveryMs, recycle } = this.#owner.settings;
    const worn = this.#retiring ?? this.#owner.worn(this);
    if (worn !== undefined) this.dismiss(worn);
    else if (this.uses >= recycle.maxUses) this.dismiss('max_uses');
    else if (now >= this.#bestBefore) this.dismiss('max_age');
    else if (doubtful) this.#step(WORK_DOUBTED, 'checkin_cancelled', now);
    else if (now - this.#pulse.heardAt >= checkEveryMs) this.#step(WORK_DOUBTED, 'check_due', now);
    else this.#step(LEASE_RETURNED, reason, now);
  }

  /** It is to go as soon as nobody has it: now, or when it is given back. */
  retire(reason: string): void {
    if (this.#checkedOut) this.#retiring ??= reason;
    else this.dismiss(reason);
  }

  /** Whether somebody has it. */
  get taken(): boolean {
    return this.#checkedOut;
  }

  /** Whether it was told to end at once, so that a SIGKILL says nothing of it. */
  get killed(): boolean {
    return this.#killedFor !== undefined;
  }

  /** The instant since which it has been where it is. */
  get restsSince(): number {
    return this.#life.since;
  }

  describeEnd(): string {
    return describeEnd(this.#report);
  }

  /** Whether it is to go when it is given back. */
  get retiring(): boolean {
    return this.#retiring !== undefined;
  }

  /** It is no longer needed: it ends in order, or is killed after the grace. */
  dismiss(reason: string): void {
    this.#dismissed = true;
    this.#step(CLOSE_WANTED, reason, this.#owner.host.monotonic(), { uses: this.uses });
  }

  /** It is killed. */
  condemn(reason: string): void {
    this.#killedFor ??= reason;
    this.#step(KILL_WANTED, reason);
  }

  /** Nobody waits for its job any longer, because its pool is no more. */
  forsake(error: TroupeError): void {
    const job = this.#job;
    this.#job = undefined;
    if (job !== undefined) job.died(error, this.#owner.host.monotonic());
  }

  /** The loop was held for so long: what it could not have heard is not held against it. */
  stalled(lateMs: number): void {
    this.#pulse.stalled(lateMs);
  }

  /** What to say of its end when nobody was waiting for it. */
  endError(): TroupeError {
    return endError(this.#report);
  }

  /** What to say when it ended before it took any job. */
  startError(): TroupeError {
    return startError(this.#report);
  }

  /** Why it is not there any more, whatever it was doing. */
  crashError(): TroupeError {
    return this.info === undefined ? this.startError() : endError(this.#report, this.#lastJob);
  }

  // ── what its port tells ───────────────────────────────────────────────────────────────────

  ready(info: WorkerReady): void {
    this.info = info;
    const now = this.#owner.host.monotonic();
    this.#life.step(PORT_READY, 'init_complete', now);
    if (!this.#life.offers) return;
    this.#readyAt = now;
    this.#pulse.start();
    this.#age(now);
    this.#owner.started(this, now - this.#openedAt);
    this.watcher?.started();
    this.#tell();
  }

  succeeded(jobId: number, value: unknown): void {
    const job = this.#take(jobId);
    if (job === undefined) return;
    const now = this.#owner.host.monotonic();
    this.jobsSucceeded += 1;
    job.succeeded(value, now);
    this.#rest(now, 'checkin_success');
  }

  failed(jobId: number, failure: WorkerFailure): void {
    const job = this.#take(jobId);
    if (job === undefined) return;
    const now = this.#owner.host.monotonic();
    job.failed(failure, now);
    this.#rest(now, 'checkin_error');
  }

  cancelled(jobId: number): void {
    const job = this.#take(jobId);
    if (job === undefined) return;
    const now = this.#owner.host.monotonic();
    job.cancelled(now);
    this.#rest(now, 'checkin_cancelled');
  }

  chunk(jobId: number, value: unknown): void {
    if (jobId === this.#jobId) this.#job?.chunk?.(value);
  }

  progress(jobId: number, value: unknown): void {
    if (jobId === this.#jobId) this.#job?.progressed?.(value);
  }

  outgrown(): void {
    this.retire('outgrown');
  }

  pong(id: number): void {
    this.#pulse.pong(id);
  }

  stderr(line: string): void {
    const { events, path } = this.#owner;
    if (events.active) events.emit('pool.worker.stderr', { path, worker: this.id, pid: this.pid, line });
  }

  broke(error: TroupeError): void {
    this.#breach ??= error;
    this.#step(PORT_BROKE, 'protocol_broken');
  }

  dropped(why: string): void {
    this.dropCount += 1;
    const { events, path } = this.#owner;
    if (events.active) events.emit('pool.reply.dropped', { path, worker: this.id, why });
  }

  ended(end: WorkerEnd): void {
    this.end = end;
    const now = this.#owner.host.monotonic();
    const how = describeEnd(this.#report);
    this.#step(PORT_LOST, how, now, { code: end.code, signal: end.signal });
    const job = this.#job;
    this.#job = undefined;
    this.#lastJob = job?.name;
    if (job !== undefined) job.died(endError(this.#report, job.name), now);
    const { events, path } = this.#owner;
    if (events.lifecycle) {
      const cause = this.#breach ?? end.error;
      const { lastStderr } = end;
      const facts = { path, worker: this.id, pid: this.pid, how, lastStderr };
      events.emit('pool.worker.ended', cause === undefined ? facts : { ...facts, cause });
    }
    this.#step(PORT_ENDED, how, now, { code: end.code, signal: end.signal });
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  /** Its path, for errors and logs. */
  get name(): string {
    return `${this.#owner.path}/${this.id}`;
  }

  #livePort(): WorkerPort {
    if (this.#port !== undefined && this.end === undefined) return this.#port;
    throw this.#protocolError('it has ended');
  }

  #protocolError(why: string, cause?: unknown): TroupeError {
    return createError('ERR_WORKER_PROTOCOL', { worker: this.name, why }, { cause, outcome: 'not_started' });
  }

  /** The job that an answer is for; `undefined` and counted where nobody waits for it. */
  #take(jobId: number): Assignment | undefined {
    const job = this.#job;
    if (job === undefined || jobId !== this.#jobId) {
      this.dropped(`an answer to job ${jobId}, which is not in flight`);
      return undefined;
    }
    this.#job = undefined;
    this.#alarm.clear();
    this.jobsDone += 1;
    return job;
  }

  #rest(now: number, reason: string): void {
    if (this.#cancelAsked) {
      this.#cancelAsked = false;
      this.#doubtful = true;
      this.#cancelTimer?.cancel();
    }
    if (this.#holder === undefined) this.giveBack(now, reason);
  }

  get #report(): EndReport {
    const { name, pid, end } = this;
    return { worker: name, pid, end, killedFor: this.#killedFor, breach: this.#breach };
  }

  #step(
    event: PoolWorkerEvent,
    reason: string,
    now = this.#owner.host.monotonic(),
    metadata?: TransitionMetadata,
  ): void {
    this.#life.step(event, reason, now, metadata);
    this.#tell();
  }

  /** From a share of its allowed age on, drawn for it alone, it goes when it is free. */
  #age(now: number): void {
    const { host, settings } = this.#owner;
    const { maxAgeMs, ageJitter } = settings.recycle;
    if (maxAgeMs === Number.POSITIVE_INFINITY) return;
    const ageMs = maxAgeMs * (1 - ageJitter * host.random.next());
    this.#bestBefore = now + ageMs;
    this.#ageTimer = host.timer(ageMs, 'worker age', () => this.retire('max_age'), { unref: true });
  }

  #ping(id: number): void {
    // What is idle this long shall not keep the OS process alive for the deadline of a job long done.
    if (this.#job === undefined) this.#alarm.stop();
    this.#port?.ping(id);
  }

  #missed(misses: number): void {
    const limit = this.#owner.settings.pingMisses;
    if (misses >= limit) this.#killedFor ??= 'health_check_failed';
    const now = this.#owner.host.monotonic();
    this.#step({ type: 'check.missed', misses, limit }, 'health_check_failed', now, { misses, limit });
  }

  /** Tells the owner what a step has changed, once it is complete. */
  #tell(): void {
    const takes = this.#life.offers;
    if (takes !== this.takesWork) {
      this.takesWork = takes;
      if (takes) this.#owner.available(this);
      else this.#owner.unavailable(this);
    }
    if (!this.#retired || this.#told) return;
    this.#told = true;
    const holder = this.#holder;
    this.#holder = undefined;
    holder?.lost();
    this.#owner.gone(this);
    this.watcher?.gone();
  }

  #close(): void {
    const { host, settings } = this.#owner;
    this.#port?.close();
    this.#closeTimer = host.timer(settings.closeGraceMs, 'close grace', () => this.condemn('close_ignored'));
  }

  #retire(): void {
    this.#retired = true;
    this.#cancelTimer?.cancel();
    this.#closeTimer?.cancel();
    this.#ageTimer?.cancel();
    this.#alarm.stop();
    this.#pulse.stop();
  }
}
