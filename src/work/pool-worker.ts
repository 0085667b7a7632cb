/**
 * One live worker of a pool: its chart, its port, and the job it has in flight. It is stepped in the turn of whoever leases
 * it, answers, or finds it gone, so that a lease passes through no mailbox.
 *
 * Invariants: the chart alone decides whether it takes work; a job given to {@link PoolWorker.run} is told of exactly one of
 * its four endings; once its owner has heard `gone`, it holds no timer and no process. What follows from a job's deadline, and
 * whether one is tried again, is the job's and the desk's business.
 */
import type { PoolWorkerEvent } from '../../actors/pool-worker.machine.ts';
import { isTroupeError, type TroupeError } from '../base/errors.ts';
import type { Timer } from '../base/host.ts';
import { JobSlot, type SlotOwner } from './job-slot.ts';
import { Pulse } from './pulse.ts';
import type { Waiting } from './wait-queue.ts';
import { describeEnd, type EndReport, endError, startError } from './worker-end.ts';
import type { Moved, TransitionMetadata, WorkerTransition } from './worker-history.ts';
import { WORKER_EVENTS, WorkerLife } from './worker-life.ts';
import { WorkerNews } from './worker-news.ts';
import type {
  WorkerEnd,
  WorkerFailure,
  WorkerKind,
  WorkerPort,
  WorkerPortListeners,
  WorkerReady,
} from './worker-port.ts';
import type { Assignment, WorkerHolder, WorkerOwner, WorkerWatcher } from './worker-roles.ts';
import { WorkerWear } from './worker-wear.ts';

/** Which worker to make. */
export interface WorkerPlan {
  readonly id: string;
  readonly kind: WorkerKind;
  /** Which of the pool's places it fills. */
  readonly seat: number;
  /** How often all workers had been replaced when it was made. */
  readonly generation: number;
}

export class PoolWorker implements WorkerPortListeners, SlotOwner, Waiting<PoolWorker> {
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
  /** Answers nobody waited for, and messages it should not have sent. */
  dropCount = 0;
  info: WorkerReady | undefined;
  end: WorkerEnd | undefined;
  watcher: WorkerWatcher | undefined;
  readonly #owner: WorkerOwner;
  readonly #workerKind: WorkerKind;
  readonly #life: WorkerLife;
  readonly #pulse: Pulse;
  readonly #wear: WorkerWear;
  readonly #news: WorkerNews;
  readonly #slot: JobSlot;
  #port: WorkerPort | undefined;
  #openedAt = 0;
  #readyAt = 0;
  /** The job it ended under. */
  #lastJob: string | undefined;
  #checkedOut = false;
  /** Who keeps it between jobs. */
  #holder: WorkerHolder | undefined;
  #dismissed = false;
  #killedFor: string | undefined;
  #breach: TroupeError | undefined;
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
    this.#slot = new JobSlot(owner.host, owner.settings.cancelGraceMs, this);
    this.#news = new WorkerNews(owner, plan.id);
    this.#wear = new WorkerWear(owner.host, owner.settings.recycle, () => this.retire('max_age'));
    this.#pulse = new Pulse(owner.host, owner.settings, {
      ping: (id) => this.#ping(id),
      idleSince: () => (this.takesWork ? this.#life.since : undefined),
      isTaken: () => this.#checkedOut,
      isStopped: () => this.#port?.stopped,
      stopped: () => this.condemn('stopped'),
      passed: () => this.#step(WORKER_EVENTS.checkPassed, 'health_restored'),
      missed: (misses) => this.#missed(misses),
    });
    const subject = {
      probe: () => this.#pulse.probe(),
      closePort: () => this.#close(),
      killPort: () => this.#port?.kill(),
      retire: () => this.#retire(),
      moved: (moved: Moved, inStateMs: number) => this.#news.moved(moved, inStateMs),
      stepped: this.#news.stepped,
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

  /** Answered, well or not. */
  get jobsDone(): number {
    return this.#slot.done;
  }

  get jobsSucceeded(): number {
    return this.#slot.succeededCount;
  }

  /** How often it was taken. */
  get uses(): number {
    return this.#wear.uses;
  }

  /** How long it was somebody's so far, ms. */
  get busyMs(): number {
    return this.#wear.busyMs(this.#checkedOut);
  }

  /** How long it has been there to take jobs, ms; 0 if it never was. */
  get livedMs(): number {
    return this.info === undefined ? 0 : this.#owner.host.monotonic() - this.#readyAt;
  }

  /** The job in flight, by name; for people. */
  get jobName(): string | undefined {
    return this.#slot.job?.name;
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
    if (this.#port === undefined) this.#step(WORKER_EVENTS.portEnded, 'never_started');
  }

  /** Takes it, for one job or for a holder: it is nobody else's until it is given back. Only where it takes work. */
  checkOut(holder: WorkerHolder | undefined, now: number): void {
    this.takesWork = false;
    this.#checkedOut = true;
    this.#wear.taken(now);
    this.#holder = holder;
    this.#step(WORKER_EVENTS.leaseTaken, 'checkout', now);
  }

  /**
   * Sends it a job; one at a time. It watches the deadline; what passing it means is the job's business.
   *
   * @throws ERR_JOB_INVALID, ERR_FRAME_TOO_LARGE: the job's fault; ERR_WORKER_PROTOCOL: the worker's, and it goes
   */
  run(job: Assignment, now: number): void {
    try {
      this.#slot.send(this.end === undefined ? this.#port : undefined, job, now);
    } catch (error) {
      if (isTroupeError(error, 'ERR_WORKER_PROTOCOL')) {
        this.broke(error);
        this.condemn('protocol_broken');
      }
      throw error;
    }
  }

  /** Whether it runs a job. */
  get running(): boolean {
    return this.#slot.job !== undefined;
  }

  /** Grants a streamed job that many chunks more. */
  more(job: Assignment, chunks: number): void {
    this.#slot.more(this.#port, job, chunks);
  }

  /** Two-staged: it is asked to give the job up, and killed when it has not after the grace; at once if it is stopped. */
  cancel(job: Assignment, reason: string): void {
    if (this.#slot.cancel(this.#port, job, reason) && this.#port?.stopped === true) this.condemn('stopped');
  }

  /** Gives it back: at once, or, where a job is still in flight, as soon as it has given that up. */
  giveBack(now: number, reason: string): void {
    this.#holder = undefined;
    const { job, doubtful } = this.#slot;
    if (job !== undefined) {
      this.cancel(job, reason);
      return;
    }
    this.#checkedOut = false;
    this.#slot.doubtful = false;
    const worn = this.#wear.returned(now) ?? this.#owner.worn(this);
    if (worn !== undefined) this.dismiss(worn);
    else if (doubtful) this.#step(WORKER_EVENTS.workDoubted, 'checkin_cancelled', now);
    else if (now - this.#pulse.heardAt >= this.#owner.settings.checkEveryMs)
      this.#step(WORKER_EVENTS.workDoubted, 'check_due', now);
    else this.#step(WORKER_EVENTS.leaseReturned, reason, now);
  }

  /** It is to go as soon as nobody has it: now, or when it is given back. */
  retire(reason: string): void {
    if (this.#checkedOut) this.#wear.retiring ??= reason;
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
    return this.#wear.retiring !== undefined;
  }

  /** It is no longer needed: it ends in order, or is killed after the grace. */
  dismiss(reason: string): void {
    this.#dismissed = true;
    this.#step(WORKER_EVENTS.closeWanted, reason, this.#owner.host.monotonic(), { uses: this.uses });
  }

  /** It is killed. */
  condemn(reason: string): void {
    this.#killedFor ??= reason;
    this.#step(WORKER_EVENTS.killWanted, reason);
  }

  /** Nobody waits for its job any longer, because its pool is no more. */
  forsake(error: TroupeError): void {
    this.#slot.drop()?.died(error, this.#owner.host.monotonic());
  }

  /** The loop was held for so long: what it could not have heard is not held against it. */
  stalled(lateMs: number): void {
    this.#pulse.stalled(lateMs);
  }

  /** What to say of its end when nobody was waiting for it. */
  endError(): TroupeError {
    return endError(this.#report);
  }

  /** Why it is not there any more, whatever it was doing. */
  crashError(): TroupeError {
    return this.info === undefined ? startError(this.#report) : endError(this.#report, this.#lastJob);
  }

  // ── what its port tells ───────────────────────────────────────────────────────────────────

  ready(info: WorkerReady): void {
    this.info = info;
    const now = this.#owner.host.monotonic();
    this.#life.step(WORKER_EVENTS.portReady, 'init_complete', now);
    if (!this.#life.offers) return;
    this.#readyAt = now;
    this.#pulse.start();
    this.#wear.begin(now);
    this.#owner.started(this, now - this.#openedAt);
    this.watcher?.started();
    this.#tell();
  }

  succeeded(jobId: number, value: unknown): void {
    this.#slot.succeeded(jobId, value);
  }

  failed(jobId: number, failure: WorkerFailure): void {
    this.#slot.failed(jobId, failure);
  }

  cancelled(jobId: number): void {
    this.#slot.cancelled(jobId);
  }

  chunk(jobId: number, value: unknown): void {
    this.#slot.chunk(jobId, value);
  }

  progress(jobId: number, value: unknown): void {
    this.#slot.progress(jobId, value);
  }

  outgrown(): void {
    this.retire('outgrown');
  }

  pong(id: number): void {
    this.#pulse.pong(id);
  }

  stderr(line: string): void {
    this.#news.stderr(this.pid, line);
  }

  broke(error: TroupeError): void {
    this.#breach ??= error;
    this.#step(WORKER_EVENTS.portBroke, 'protocol_broken');
  }

  dropped(why: string): void {
    this.dropCount += 1;
    this.#news.dropped(why);
  }

  ended(end: WorkerEnd): void {
    this.end = end;
    const now = this.#owner.host.monotonic();
    const how = describeEnd(this.#report);
    this.#step(WORKER_EVENTS.portLost, how, now, { code: end.code, signal: end.signal });
    const job = this.#slot.drop();
    this.#lastJob = job?.name;
    if (job !== undefined) job.died(endError(this.#report, job.name), now);
    this.#news.ended(this.#report, how);
    this.#step(WORKER_EVENTS.portEnded, how, now, { code: end.code, signal: end.signal });
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  /** Its path, for errors and logs. */
  get name(): string {
    return `${this.#owner.path}/${this.id}`;
  }

  /** It has answered: whoever holds it goes on, otherwise it is free. */
  rests(now: number, reason: string): void {
    if (this.#holder === undefined) this.giveBack(now, reason);
  }

  cancelIgnored(): void {
    this.condemn('cancel_ignored');
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

  #ping(id: number): void {
    this.#slot.idle();
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
    this.#closeTimer?.cancel();
    this.#wear.stop();
    this.#slot.stop();
    this.#pulse.stop();
  }
}
