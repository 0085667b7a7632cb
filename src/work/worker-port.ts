/**
 * The seam between a pool and one live worker. A {@link WorkerKind} says how workers are made; a {@link
 * WorkerPort} is one of them, whatever it is made of: an OS process, a thread, or handlers in this process.
 *
 * Invariants every kind keeps:
 * - `ended` comes exactly once and is the last call a port makes;
 * - a job given to `run` is answered at most once (`succeeded`, `failed` or `cancelled`); where none has
 *   come when `ended` comes, none will;
 * - no listener is called from within a method of the port: what a method causes is told in a later step;
 * - after `broke` the port kills its worker itself, and `ended` follows;
 * - chunks and progress of a job come before its answer, in order; of chunks no more come than were granted.
 *
 * What is optional here came later: a pool that does not ask for streams, or does not listen to chunks, progress or memory, works as
 * before, and so does a port that cannot interrupt.
 *
 * It deliberately knows no states, deadlines or retries: those are the worker chart's and the pool's.
 */
import type { TroupeError } from '../base/errors.ts';
import type { Host, ProcessEnd } from '../base/host.ts';

/** How a pool makes its workers: frozen data and verbs. */
export interface WorkerKind {
  /** A word for logs and `tree()`: `node`, `python`, `in-process`, or the command's base name. */
  readonly name: string;
  /**
   * Whether its workers can start at all, as far as that is known without starting one. Asked when the pool starts.
   *
   * @throws ERR_WORKER_START
   */
  verify?(): void;
  /** Starts one worker. Never throws for what the worker does: a failed start is an `ended` with `error`. */
  open(host: Host, id: string, listeners: WorkerPortListeners): WorkerPort;
}

/** One job as a worker gets it. */
export interface WorkerJob {
  /** A whole number of at least 0, unique among the jobs this worker has in flight. */
  readonly id: number;
  /** The handler that runs it. */
  readonly name: string;
  /** JSON, within the frame and depth limits. `undefined` travels as `null`. */
  readonly args: unknown;
  /** What is left of the job's deadline, ms; `Infinity` for none. */
  readonly remainingMs: number;
  /** The same as an instant of `host.monotonic()`, which spares a port of this process the clock. */
  readonly deadline?: number;
  /**
   * The job's result is wanted as a stream, and this many chunks may come before more are granted with {@link WorkerPort.more}: at
   * least 1. A generator's values then come as `chunk`, and what it returns as `succeeded`; other handlers answer as ever. Left
   * out, a generator's values are collected, and succeed as one array.
   */
  readonly stream?: number | undefined;
  /** What the caller's context lets go along, for the handler to read: JSON, as the arguments. */
  readonly context?: Readonly<Record<string, unknown>> | undefined;
}

/** One live worker. Every method is safe after the end, and then does nothing (`run` throws). */
export interface WorkerPort {
  /** `undefined` where it is no OS process, or could not be started. */
  readonly pid: number | undefined;
  /** Whether the system holds it stopped (SIGSTOP): asking it anything is in vain. Absent where that is not known. */
  readonly stopped?: boolean;
  /**
   * Sends a job.
   *
   * @throws ERR_JOB_INVALID, ERR_FRAME_TOO_LARGE before anything is sent: the arguments are at fault, the
   * worker is well.
   * @throws ERR_WORKER_PROTOCOL (`not_started`) when the worker no longer reads; it is killed and `ended`
   * follows.
   */
  run(job: WorkerJob): void;
  /** Asks a job to stop; it answers with `cancelled`, `failed` or `succeeded`, or not at all: then kill. */
  cancel(jobId: number, reason: string): void;
  /**
   * Breaks into a job that does not look at its signal, where the worker can do that (`interrupt` among its capabilities: Python's
   * plain functions); elsewhere it is `cancel`. Answered like that one.
   */
  interrupt?(jobId: number, reason: string): void;
  /** Grants a stream that many chunks more. A job that is over, or is no stream, ignores it. */
  more?(jobId: number, chunks: number): void;
  /** Asks for a `pong` with the same id. */
  ping(id: number): void;
  /**
   * Orderly end: it is told to shut down and its input ends. Idempotent. A worker that does not comply must
   * be killed.
   */
  close(): void;
  /** The end at once: SIGKILL to the whole process group, stopped or not. Idempotent. */
  kill(): void;
}

/** What a worker says of itself once it can take jobs. */
export interface WorkerReady {
  readonly pid: number | undefined;
  /** The protocol's version that it speaks. */
  readonly version: number;
  /** What it can do beyond version 1; unknown words are to be ignored. */
  readonly capabilities: readonly string[];
  /** The names of jobs it takes. */
  readonly handlers: readonly string[];
}

/** What a job's handler threw. */
export interface WorkerFailure {
  /** The name of the error's class. */
  readonly type: string;
  readonly message: string;
  /** The stack as the worker's language prints it; may be empty. */
  readonly traceback: string;
}

/** How a worker ended. */
export interface WorkerEnd extends ProcessEnd {
  /** The last lines it printed, oldest first; bounded. */
  readonly lastStderr: readonly string[];
  /** Jobs still running though the worker has ended, by name: only code in this process can do that. */
  readonly stragglers: readonly string[];
  /** It was out of memory, as far as that is known: the kill by our own watch, or V8's limit. */
  readonly outOfMemory?: boolean;
}

/** What the owner of a worker is told. */
export interface WorkerPortListeners {
  /** Exactly once, before any answer; not at all where the start fails. */
  ready(info: WorkerReady): void;
  /** A part of a streamed result; only of jobs given with `stream`, and of those no more than granted. */
  chunk?(jobId: number, value: unknown): void;
  /** How far a job says it is: anything it likes. May be lost; never kept. */
  progress?(jobId: number, value: unknown): void;
  /**
   * Its resident memory passed the threshold for recycling: it should be replaced when it is free. Told once. Without this listener
   * nothing follows.
   */
  outgrown?(residentBytes: number): void;
  succeeded(jobId: number, value: unknown): void;
  failed(jobId: number, failure: WorkerFailure): void;
  /** The job complied with `cancel` (or stopped for a shutdown). The worker may be used again. */
  cancelled(jobId: number): void;
  pong(id: number): void;
  /** A line it printed (on either output) or logged, without its end; long ones are cut. */
  stderr(line: string): void;
  /** ERR_WORKER_PROTOCOL: what it sent is no message, or it no longer reads. It is being killed. */
  broke(error: TroupeError): void;
  /**
   * A reply nobody waits for, or a message of a kind this version does not know: counted, never delivered.
   */
  dropped(why: string): void;
  ended(end: WorkerEnd): void;
}
