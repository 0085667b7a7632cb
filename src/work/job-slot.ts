/**
 * The one job that a worker has in flight: its number, its deadline, its cancelling in two stages, and which answers are for it.
 *
 * Invariants: a job is told of exactly one ending; answers to any other are dropped and counted; no timer of a job outlives it. What
 * an ignored cancel and a rest mean for the worker is the worker's business.
 */
import { createError, isTroupeError, type TroupeError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import { LazyAlarm } from './lazy-alarm.ts';
import type { WorkerFailure, WorkerPort } from './worker-port.ts';
import type { Assignment } from './worker-roles.ts';

/** Whose job it is. */
export interface SlotOwner {
  readonly name: string;
  /** It was asked to cancel, and has not after the grace. */
  cancelIgnored(): void;
  /** Nobody waits for what it said. */
  dropped(why: string): void;
  /** It has answered. */
  rests(now: number, reason: string): void;
}

export class JobSlot {
  job: Assignment | undefined;
  /** Answered, well or not. */
  done = 0;
  succeededCount = 0;
  /** It gave up a job only when asked to, and is looked at before it gets another. */
  doubtful = false;
  readonly #host: Host;
  readonly #cancelGraceMs: number;
  readonly #owner: SlotOwner;
  readonly #alarm: LazyAlarm;
  #id = 0;
  #cancelAsked = false;
  #cancelTimer: Timer | undefined;

  constructor(host: Host, cancelGraceMs: number, owner: SlotOwner) {
    this.#host = host;
    this.#cancelGraceMs = cancelGraceMs;
    this.#owner = owner;
    this.#alarm = new LazyAlarm(host, 'job', () => this.job?.overdue());
  }

  /** @throws ERR_JOB_INVALID, ERR_FRAME_TOO_LARGE: the job's fault; ERR_WORKER_PROTOCOL: the worker's */
  send(port: WorkerPort | undefined, job: Assignment, now: number): void {
    this.#id += 1;
    this.job = job;
    try {
      if (port === undefined) throw this.#broken('it has ended', undefined);
      const { name, args, deadline, stream, context } = job;
      const remainingMs = deadline - now;
      // Two shapes, and both without a hole: this is on the way of every job.
      if (stream === undefined && context === undefined)
        port.run({ id: this.#id, name, args, remainingMs, deadline });
      else port.run({ id: this.#id, name, args, remainingMs, deadline, stream, context });
      this.#alarm.set(deadline, now);
    } catch (error) {
      this.job = undefined;
      throw isTroupeError(error) ? error : this.#broken('it could not be written to', error);
    }
  }

  more(port: WorkerPort | undefined, job: Assignment, chunks: number): void {
    if (this.job === job) port?.more?.(this.#id, chunks);
  }

  /** Asks it to give that job up; `false` where that was asked before, or it does another. */
  cancel(port: WorkerPort | undefined, job: Assignment, reason: string): boolean {
    if (this.job !== job || this.#cancelAsked) return false;
    this.#cancelAsked = true;
    // What the system holds stopped reads nothing.
    if (port?.stopped === true) return true;
    port?.cancel(this.#id, reason);
    this.#cancelTimer = this.#host.timer(this.#cancelGraceMs, 'cancel grace', () =>
      this.#owner.cancelIgnored(),
    );
    return true;
  }

  succeeded(jobId: number, value: unknown): void {
    const job = this.#take(jobId);
    if (job === undefined) return;
    const now = this.#host.monotonic();
    this.succeededCount += 1;
    job.succeeded(value, now);
    this.#rest(now, 'checkin_success');
  }

  failed(jobId: number, failure: WorkerFailure): void {
    const job = this.#take(jobId);
    if (job === undefined) return;
    const now = this.#host.monotonic();
    job.failed(failure, now);
    this.#rest(now, 'checkin_error');
  }

  cancelled(jobId: number): void {
    const job = this.#take(jobId);
    if (job === undefined) return;
    const now = this.#host.monotonic();
    job.cancelled(now);
    this.#rest(now, 'checkin_cancelled');
  }

  chunk(jobId: number, value: unknown): void {
    if (jobId === this.#id) this.job?.chunk?.(value);
  }

  progress(jobId: number, value: unknown): void {
    if (jobId === this.#id) this.job?.progressed?.(value);
  }

  /** The job that will have no answer any more, if there is one. */
  drop(): Assignment | undefined {
    const { job } = this;
    this.job = undefined;
    return job;
  }

  /** What is idle shall not keep the OS process alive for the deadline of a job long done. */
  idle(): void {
    if (this.job === undefined) this.#alarm.stop();
  }

  stop(): void {
    this.#cancelTimer?.cancel();
    this.#alarm.stop();
  }

  /** The job that an answer is for; `undefined` and counted where nobody waits for it. */
  #take(jobId: number): Assignment | undefined {
    const { job } = this;
    if (job === undefined || jobId !== this.#id) {
      this.#owner.dropped(`an answer to job ${jobId}, which is not in flight`);
      return undefined;
    }
    this.job = undefined;
    this.#alarm.clear();
    this.done += 1;
    return job;
  }

  #rest(now: number, reason: string): void {
    if (this.#cancelAsked) {
      this.#cancelAsked = false;
      this.doubtful = true;
      this.#cancelTimer?.cancel();
    }
    this.#owner.rests(now, reason);
  }

  #broken(why: string, cause: unknown): TroupeError {
    const data = { worker: this.#owner.name, why };
    return createError('ERR_WORKER_PROTOCOL', data, { cause, outcome: 'not_started' });
  }
}
