/**
 * The one door for time, chance and the outside: everything that is not a pure function of its input comes
 * through a {@link Host}. The real one is `real-host.ts`; `testing/` has one whose every decision can be chosen.
 *
 * Invariant: nothing else in `src/` or `actors/` touches a clock, a timer, randomness, ids or OS processes
 * (`scripts/tidy.ts` enforces it). Nothing else may run code later than through `step`, `yield` and `timer`.
 */
import type { Random } from './random.ts';
import type { Vitals } from './vitals.ts';

/** A running timer. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

/** How a timer is kept. */
export interface TimerOptions {
  /** `true`: it does not keep the OS process alive. Default `false`. */
  readonly unref?: boolean;
}

/** What to start as an OS process. `env` is the whole environment: nothing is inherited unasked. */
export interface ProcessSpec {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** `true`: leads its own process group, so that `kill` with `group` reaches what it started. Default `true`. */
  readonly ownGroup?: boolean;
  /**
   * `true`: the conversation has descriptors of its own, so that nothing the process prints can corrupt it. It reads fd 3
   * (fed by `write`, ended by `endInput`) and writes fd 4 (told as `stdout`). What it prints on fd 1 and fd 2 is told as
   * `stderr`. Its fd 0 is a lifeline: a pipe that stays open and silent until this process dies. Default `false`:
   * it reads fd 0 and writes fd 1.
   */
  readonly protocolFds?: boolean;
  /**
   * A folder where the process is written down while it lives. The first start that names a folder ends what services that are no more
   * had written down there and did not live to end, with what that had started. Needs `/proc`; elsewhere it does nothing.
   */
  readonly registry?: string;
}

/** How an OS process ended. `error` is set when it could not be started or reached at all. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: string | null;
  readonly error?: Error;
}

/** What the owner of an OS process is told. All are attached before the first byte can arrive. */
export interface ProcessListeners {
  stdout(chunk: Uint8Array): void;
  /** `descriptor` says which output it was printed on, where both are told here; so lines need not be mixed. */
  stderr(chunk: Uint8Array, descriptor?: 1 | 2): void;
  /** Called exactly once, after the last byte of its outputs that can still come has been delivered. */
  ended(end: ProcessEnd): void;
  /** The pipe, once full, has taken all that was written. */
  drained?(): void;
  /** Before it was started, these were ended: a service that is no more had left them (`registry`). */
  swept?(pids: readonly number[]): void;
}

/** An OS process that we started. Every method is safe after its end, and then does nothing. */
export interface ChildPort {
  /** `undefined` where the process could not be started. */
  readonly pid: number | undefined;
  /** Whether the system holds it stopped (SIGSTOP), so that it can obey nothing; absent where that is not known. */
  readonly stopped?: boolean;
  /** Tells, at once or later, how many bytes of memory it holds; `undefined` where that cannot be known. */
  measure?(told: (residentBytes: number | undefined) => void): void;
  /** Writes to its stdin (with `protocolFds`: its fd 3). `false`: the pipe is full, wait for `drained`. */
  write(bytes: Uint8Array): boolean;
  /** Bytes accepted by `write` and not yet taken by the pipe. */
  readonly bufferedBytes: number;
  /** Ends what it reads: without `protocolFds` a worker takes that as the end of its parent. */
  endInput(): void;
  /** Sends a signal to it, or to its whole group. `false` when it is gone already. */
  kill(signal: 'SIGTERM' | 'SIGKILL' | 'SIGINT' | 'SIGSTOP' | 'SIGCONT', group?: boolean): boolean;
}

/** V8's limits for a thread; what is left out is Node's own. */
export interface ThreadLimits {
  readonly maxOldGenerationSizeMb?: number;
  readonly maxYoungGenerationSizeMb?: number;
  readonly codeRangeSizeMb?: number;
  readonly stackSizeMb?: number;
}

/** What to start as a thread of this process. `env` is the whole environment: nothing is inherited unasked. */
export interface ThreadSpec {
  /** A module's `file:` URL, or with `isSource` the code itself (CommonJS). */
  readonly code: string;
  readonly isSource: boolean;
  readonly env: Readonly<Record<string, string>>;
  readonly argv: readonly string[];
  readonly workerData?: unknown;
  readonly limits?: ThreadLimits;
}

/** How a thread ended. */
export interface ThreadEnd {
  readonly code: number;
  /** We ended it. */
  readonly killed: boolean;
  /** What it threw, or why it could not be started. */
  readonly error?: unknown;
  readonly outOfMemory: boolean;
  /** It has not ended: code that is not JavaScript's holds it. Nothing more will be told of it. */
  readonly stuck: boolean;
}

/** What the owner of a thread is told, never from within a method of its port. */
export interface ThreadListeners {
  message(message: unknown): void;
  stderr(chunk: Uint8Array, descriptor: 1 | 2): void;
  /** Exactly once, and last. */
  ended(end: ThreadEnd): void;
}

/** A thread that we started. Every method is safe after its end, and then does nothing. */
export interface ThreadPort {
  /** @throws DataCloneError for what cannot be copied, before anything is sent */
  post(message: unknown, transfer?: readonly Transferable[]): void;
  /** Ends it wherever it is in JavaScript. */
  kill(): void;
}

/** What can be moved to a thread instead of copied. */
export type Transferable = ArrayBuffer | MovablePort;

/** A `MessagePort` of node:worker_threads. */
export interface MovablePort {
  postMessage(value: unknown): void;
  start(): void;
  close(): void;
}

/** A two-way stream of bytes to another runtime. */
export interface Channel {
  write(bytes: Uint8Array): boolean;
  close(): void;
}

/** What the owner of a channel is told. `closed` comes exactly once. */
export interface ChannelListeners {
  data(chunk: Uint8Array): void;
  closed(error?: Error): void;
  /** The channel, once full, has taken all that was written. */
  drained?(): void;
}

/** A place where channels are taken. */
export interface Listening {
  /** As others must write it; differs from what was asked where that left the choice open (`tcp://127.0.0.1:0`). */
  readonly address: string;
  close(): Promise<void>;
}

/** How this runtime reaches others: the port on which `cluster/` will stand. Addresses are opaque strings. */
export interface Transport {
  /** Takes channels at an address until closed, which closes them too. @throws ERR_HOST_TRANSPORT */
  listen(address: string, accept: (channel: Channel) => ChannelListeners): Promise<Listening>;
  /** @throws ERR_HOST_TRANSPORT */
  connect(address: string, listeners: ChannelListeners): Promise<Channel>;
}

/** A fault that a simulated host wants at a named point. */
export interface Fault {
  readonly kind: string;
  readonly value?: number;
}

/** A loop found later than this is said to have stalled, and one turn of I/O goes before its deadlines, ms. */
export const STALL_THRESHOLD_MS = 50;

/** How late the event loop was found to be, ms. Must not throw. */
export type StallListener = (lateMs: number) => void;

export interface Host {
  /** Milliseconds of a clock that never goes back; the origin is arbitrary. */
  monotonic(): number;
  /** Milliseconds since the Unix epoch; may jump. For people and logs only, never for deciding. */
  wall(): number;
  /**
   * Runs `fire` once, `delayMs` from now or later; of those set at one instant for one instant, the first set fires
   * first. Any delay is good, `Infinity` never fires. `fire` must not throw.
   */
  timer(delayMs: number, label: string, fire: () => void, options?: TimerOptions): Timer;
  /** Runs `run` soon, before any I/O; in the order of asking. `run` must not throw. */
  step(label: string, run: () => void): void;
  /** Runs `run` after one turn of I/O. */
  yield(label: string, run: () => void): void;
  readonly random: Random;
  /** A fresh id, unique within this host: `kind-1`, `kind-2`, … */
  newId(kind: string): string;
  spawn(spec: ProcessSpec, listeners: ProcessListeners): ChildPort;
  /** Starts a thread; what goes wrong in starting it is told through `ended`, later, like any other end. */
  startThread(spec: ThreadSpec, listeners: ThreadListeners): ThreadPort;
  readonly transport: Transport;
  /** What this OS process holds and what is left of it. */
  readonly vitals: Vitals;
  /** The fault to have at this point, if any; always `undefined` in production. `subject`: whom it would befall. */
  fault(point: string, subject?: string): Fault | undefined;
  /**
   * Which of `ready` runnable things goes next. Absent in production, where it is always the first; a simulated
   * host explores the others. `who` names them, for those who schedule by priority.
   */
  readonly choose?: (ready: number, label: string, who?: (index: number) => object | undefined) => number;
  /** Called when the loop is found to have been stalled; returns the function that stops the calls. */
  onStall(listener: StallListener): () => void;
}
