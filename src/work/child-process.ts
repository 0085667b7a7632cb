/**
 * Workers that are OS processes: any executable that speaks the protocol of `docs/PROTOCOL.md`, with SDKs for
 * Node and Python.
 *
 * Invariants: those of `worker-port.ts`; a worker that breaks the protocol, stops reading or stops in the
 * middle of a frame is killed here; what it prints is always drained. It deliberately keeps no deadline for
 * starting, jobs or pings: the pool does.
 */
import { createError, plainText, type TroupeError } from '../base/errors.ts';
import type { ChildPort, Host, ProcessEnd, Timer } from '../base/host.ts';
import {
  fits,
  flag,
  integer,
  listOf,
  ms,
  object,
  oneOf,
  refuse,
  resolveOptions,
  text,
} from '../base/options.ts';
import { type Launch, type LaunchOptions, planLaunch, verifyLaunch } from './launch.ts';
import { type MemoryLimits, type MemoryOwner, MemoryWatch } from './memory-watch.ts';
import {
  type Capability,
  PARENT_CAPABILITIES,
  type ParentMessage,
  PROTOCOL_VERSION,
  readWorkerMessage,
  type WorkerMessage,
} from './messages.ts';
import { PendingJobs } from './pending-jobs.ts';
import { PrintedLines } from './printed-lines.ts';
import { cut } from './running-job.ts';
import { plainValue } from './transfer.ts';
import { encodeAround, encodeFrame, FrameDecoder, LARGEST_FRAME_BYTES, WIRE_LIMITS } from './wire.ts';
import type { WorkerJob, WorkerKind, WorkerPort, WorkerPortListeners } from './worker-port.ts';

/** Options of {@link childProcess}: the launch, and the limits. */
export interface ChildProcessOptions extends Partial<LaunchOptions> {
  /** Bytes of a frame, either way; the worker is told. Default 10 MiB. */
  readonly maxFrameBytes?: number;
  /** Levels of nesting of a frame, either way; the worker is told. Default 64. */
  readonly maxDepth?: number;
  /**
   * Bytes that may wait to be read by the worker. One that lets more pile up does not read: it is killed.
   * Default: two frames of the largest size.
   */
  readonly maxBufferedBytes?: number;
  /** A frame that has begun must end within this time, else its worker is killed. Default 30,000 ms. */
  readonly frameTimeoutMs?: number;
  /**
   * Resident bytes from which on a worker should be replaced when it is free. Default `Infinity`. Measured from `/proc`, elsewhere
   * with `ps`.
   */
  readonly recycleAtBytes?: number;
  /** Resident bytes from which on it is killed at once. Default `Infinity`. */
  readonly killAtBytes?: number;
  /** How often its memory is measured, where one of both is set. Default 1,000 ms. */
  readonly memoryEveryMs?: number;
  /** Lines of its output kept for the report of its end. Default 20. */
  readonly stderrLines?: number;
}

export const CHILD_PROCESS_DEFAULTS = {
  args: [],
  env: {},
  passEnv: [],
  descriptors: 'own',
  maxFrameBytes: WIRE_LIMITS.maxFrameBytes,
  maxDepth: WIRE_LIMITS.maxDepth,
  frameTimeoutMs: 30_000,
  parentDeathSignal: false,
  recycleAtBytes: Number.POSITIVE_INFINITY,
  killAtBytes: Number.POSITIVE_INFINITY,
  memoryEveryMs: 1_000,
  stderrLines: 20,
} as const;

const HEADER_BYTES = 4;
/** What of an error's traceback is kept: enough for the frames that matter. */
const LONGEST_TRACEBACK = 32_768;
const LONGEST_MESSAGE = 8_192;
const LONGEST_TYPE = 200;

const FOREIGN_URL = /^(?!file:)\w+:\/\//;

const bytes = fits<number>('a number of bytes above 0', (v) => typeof v === 'number' && v > 0);

const FIELDS = {
  module: fits<string | URL>('a path or a file: URL', (v) =>
    v instanceof URL ? v.protocol === 'file:' : text.accepts(v) && !FOREIGN_URL.test(v),
  ),
  language: oneOf('node', 'python'),
  command: text,
  args: listOf(fits<string>('a string', (v) => typeof v === 'string', 'strings')),
  env: fits<Readonly<Record<string, string>>>(
    'an object of strings',
    (v) => object().accepts(v) && Object.values(v).every((value) => typeof value === 'string'),
  ),
  passEnv: listOf(text),
  cwd: text,
  descriptors: oneOf('own', 'stdio'),
  maxFrameBytes: integer(1_024, LARGEST_FRAME_BYTES),
  maxDepth: integer(2, 1_000),
  maxBufferedBytes: integer(1_024),
  frameTimeoutMs: ms(1),
  parentDeathSignal: flag,
  registry: text,
  recycleAtBytes: bytes,
  killAtBytes: bytes,
  memoryEveryMs: ms(1),
  stderrLines: integer(0, 10_000),
};

interface Limits {
  readonly maxFrameBytes: number;
  readonly maxDepth: number;
  readonly maxBufferedBytes: number;
  readonly frameTimeoutMs: number;
  readonly stderrLines: number;
  readonly memory: MemoryLimits;
}

/**
 * Workers as OS processes.
 *
 * @example childProcess({ module: new URL('./count.mjs', import.meta.url) })
 * @example childProcess({ module: 'count.py', passEnv: ['DATABASE_URL'] })
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const childProcess = (options: ChildProcessOptions): WorkerKind => {
  const where = 'childProcess';
  const resolved = resolveOptions(where, options, FIELDS, CHILD_PROCESS_DEFAULTS);
  const largestFrame = resolved.maxFrameBytes + HEADER_BYTES;
  const maxBufferedBytes = resolved.maxBufferedBytes ?? 2 * largestFrame;
  if (maxBufferedBytes < largestFrame) {
    refuse(where, 'maxBufferedBytes', `at least a frame's ${largestFrame} bytes`, maxBufferedBytes);
  }
  const launch = planLaunch(where, resolved);
  const { recycleAtBytes, killAtBytes, memoryEveryMs: everyMs } = resolved;
  const memory: MemoryLimits = { recycleAtBytes, killAtBytes, everyMs };
  const limits: Limits = { ...resolved, maxBufferedBytes, memory };
  return Object.freeze({
    name: launch.name,
    verify: () => verifyLaunch(launch),
    open: (host: Host, id: string, listeners: WorkerPortListeners) =>
      new ChildProcessPort({ host, id, listeners, launch, limits }),
  });
};

const isId = (id: number): boolean => Number.isSafeInteger(id) && id >= 0;

/** A finer part of a millisecond says nothing and takes ten more characters. */
const inMicroseconds = (durationMs: number): number => Math.round(durationMs * 1_000) / 1_000;

interface PortOptions {
  readonly host: Host;
  readonly id: string;
  readonly listeners: WorkerPortListeners;
  readonly launch: Launch;
  readonly limits: Limits;
}

class ChildProcessPort implements WorkerPort {
  readonly #host: Host;
  readonly #id: string;
  readonly #listeners: WorkerPortListeners;
  readonly #limits: Limits;
  readonly #decoder: FrameDecoder;
  readonly #printed: PrintedLines;
  readonly #child: ChildPort;
  readonly #memory: MemoryWatch;
  #outOfMemory = false;
  /** What it was given and has not answered. */
  readonly #jobs = new PendingJobs();
  readonly #pings = new Set<number>();
  /** The jobs it takes, each with its name as JSON has it. */
  #handlers: ReadonlyMap<string, string> | undefined;
  #capabilities: readonly string[] = [];
  /** Why it can be given nothing more, once it cannot. */
  #over: string | undefined;
  #ended = false;
  #frames = 0;
  #frameTimer: Timer | undefined;

  constructor({ host, id, listeners, launch, limits }: PortOptions) {
    this.#host = host;
    this.#id = id;
    this.#listeners = listeners;
    this.#limits = limits;
    this.#printed = new PrintedLines(limits.stderrLines, (line) => listeners.stderr(line));
    this.#decoder = new FrameDecoder(limits, (message) => {
      this.#frames += 1;
      this.#heard(readWorkerMessage(message));
    });
    this.#child = host.spawn(launch.spec, {
      stdout: (chunk) => this.#received(chunk),
      stderr: (chunk, descriptor) => this.#printed.push(chunk, descriptor),
      ended: (end) => this.#finish(end),
      swept: (pids) =>
        this.#printed.add(`warn: ended what a service before this one had left: ${pids.join(', ')}`),
    });
    const owner: MemoryOwner = {
      outgrown: (resident) => listeners.outgrown?.(resident),
      exceeded: (resident) => this.#exceeded(resident),
    };
    this.#memory = new MemoryWatch(host, this.#child, { limits: limits.memory, owner });
    const { maxFrameBytes, maxDepth } = limits;
    const hello = { protocol: PROTOCOL_VERSION, worker: id, maxFrameBytes, maxDepth };
    this.#say({ kind: 'hello', ...hello, capabilities: PARENT_CAPABILITIES });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  run({ id, name, args = null, remainingMs, stream, context }: WorkerJob): void {
    const nameJson = this.#handlers?.get(name);
    if (nameJson === undefined || this.#over !== undefined || !isId(id) || this.#jobs.has(id))
      throw createError('ERR_JOB_INVALID', { job: name, why: this.#whyNot(id) });
    const left = remainingMs === Number.POSITIVE_INFINITY ? null : inMicroseconds(Math.max(0, remainingMs));
    // One that cannot stream gives its result in one piece.
    const granted = stream !== undefined && this.#can('stream') ? stream : undefined;
    const value = plainValue(args);
    let frame: Uint8Array;
    if (granted === undefined && context === undefined) {
      const head = `{"kind":"run","id":${id},"name":${nameJson},"args":`;
      const tail = `,"remainingMs":${left}}`;
      frame = encodeAround(value, { head, tail, key: 'args', job: name }, this.#limits);
    } else {
      const job: ParentMessage = { kind: 'run', id, name, args: value, remainingMs: left };
      const withStream = granted === undefined ? job : { ...job, stream: granted };
      const message = context === undefined ? withStream : { ...withStream, context };
      frame = encodeFrame(message, this.#limits, name);
    }
    const refusal = this.#write(frame);
    if (refusal !== undefined) throw refusal;
    this.#jobs.add(id, granted, name);
  }

  more(jobId: number, chunks: number): void {
    if (this.#jobs.grant(jobId, chunks)) this.#say({ kind: 'more', id: jobId, chunks });
  }

  interrupt(jobId: number, reason: string): void {
    if (!this.#can('interrupt')) this.cancel(jobId, reason);
    else if (this.#jobs.has(jobId))
      this.#say({ kind: 'interrupt', id: jobId, reason: cut(reason, LONGEST_MESSAGE) });
  }

  cancel(jobId: number, reason: string): void {
    if (this.#jobs.has(jobId)) this.#say({ kind: 'cancel', id: jobId, reason: cut(reason, LONGEST_MESSAGE) });
  }

  ping(id: number): void {
    if (this.#over !== undefined) return;
    this.#pings.add(id);
    this.#say({ kind: 'ping', id });
  }

  close(): void {
    if (this.#over !== undefined) return;
    this.#say({ kind: 'shutdown' });
    this.#over ??= 'the worker is being closed';
    this.#child.endInput();
  }

  get stopped(): boolean {
    return this.#child.stopped ?? false;
  }

  kill(): void {
    if (this.#ended) return;
    this.#over ??= 'the worker was killed';
    this.#child.kill('SIGKILL', true);
  }

  #whyNot(id: number): string {
    if (this.#over !== undefined) return this.#over;
    if (this.#handlers === undefined) return 'the worker is not ready';
    if (!isId(id)) return `its id ${id} is not a whole number of at least 0`;
    if (this.#jobs.has(id)) return `the worker already runs a job with the id ${id}`;
    return `the worker has no handler of that name; it has ${[...this.#handlers.keys()].join(', ')}`;
  }

  #can(capability: Capability): boolean {
    return this.#capabilities.includes(capability);
  }

  #say(message: ParentMessage): void {
    if (this.#over === undefined) this.#write(encodeFrame(message, this.#limits));
  }

  /** Writes, unless too much is waiting already: then it says why not, and the worker is done for. */
  #write(frame: Uint8Array): TroupeError | undefined {
    const waiting = this.#child.bufferedBytes;
    if (waiting === 0 || waiting + frame.length <= this.#limits.maxBufferedBytes) {
      this.#child.write(frame);
      return undefined;
    }
    const error = createError(
      'ERR_WORKER_PROTOCOL',
      { worker: this.#id, why: `it does not read: ${waiting} bytes wait for it` },
      { outcome: 'not_started' },
    );
    this.kill();
    this.#host.step('worker.broke', () => this.#break(error));
    return error;
  }

  #received(chunk: Uint8Array): void {
    const before = this.#frames;
    try {
      this.#decoder.push(chunk);
    } catch (error) {
      const why = plainText(error as Error);
      this.#break(createError('ERR_WORKER_PROTOCOL', { worker: this.#id, why }, { cause: error }));
    }
    this.#watchFrame(this.#frames > before);
  }

  /**
   * A frame under way has a deadline: whoever sends a byte a second must not hold memory and a job for ever.
   */
  #watchFrame(progressed: boolean): void {
    if (progressed || !this.#decoder.partial) {
      this.#frameTimer?.cancel();
      this.#frameTimer = undefined;
    }
    if (!this.#decoder.partial || this.#frameTimer !== undefined) return;
    const { frameTimeoutMs } = this.#limits;
    const expired = () => this.#breach(`a frame did not end within ${frameTimeoutMs} ms`);
    this.#frameTimer = this.#host.timer(frameTimeoutMs, 'worker.frame', expired, { unref: true });
  }

  #heard(message: ReturnType<typeof readWorkerMessage>): void {
    switch (message.kind) {
      case '!':
        this.#breach(message.why);
        break;
      case '?':
        this.#listeners.dropped(message.why);
        break;
      case 'log':
        this.#printed.add(`${message.level}: ${message.text}`);
        break;
      case 'ready':
        this.#isReady(message);
        break;
      case 'pong':
        if (this.#pings.delete(message.id)) this.#listeners.pong(message.id);
        else this.#listeners.dropped(`a pong to ping ${message.id}, which is not awaited`);
        break;
      case 'chunk':
      case 'progress':
        this.#reported(message);
        break;
      default:
        if (this.#jobs.delete(message.id)) this.#answered(message);
        else this.#listeners.dropped(`${message.kind} of job ${message.id}, which is not running`);
    }
  }

  #reported({ kind, id, value }: WorkerMessage & { kind: 'chunk' | 'progress' }): void {
    if (!this.#jobs.has(id)) this.#listeners.dropped(`${kind} of job ${id}, which is not running`);
    else if (kind === 'progress') this.#listeners.progress?.(id, value);
    else if (this.#jobs.spend(id)) this.#listeners.chunk?.(id, value);
    else this.#breach(`it sent more chunks of job ${id} than it was granted`);
  }

  #isReady({ protocol, capabilities, handlers }: WorkerMessage & { kind: 'ready' }): void {
    if (this.#handlers !== undefined) {
      this.#breach('it said twice that it is ready');
    } else if (protocol !== PROTOCOL_VERSION) {
      this.#breach(`it speaks version ${protocol} of the protocol, this is version ${PROTOCOL_VERSION}`);
    } else {
      this.#handlers = new Map(handlers.map((name) => [name, JSON.stringify(name)]));
      this.#capabilities = capabilities;
      const { pid } = this.#child;
      this.#listeners.ready({ pid, version: protocol, capabilities, handlers: Object.freeze([...handlers]) });
    }
  }

  #answered(message: WorkerMessage & { kind: 'result' | 'error' | 'cancelled' }): void {
    const { id } = message;
    if (message.kind === 'result') {
      this.#listeners.succeeded(id, message.value);
    } else if (message.kind === 'cancelled') {
      this.#listeners.cancelled(id);
    } else {
      this.#listeners.failed(id, {
        type: cut(message.type, LONGEST_TYPE),
        message: cut(message.message, LONGEST_MESSAGE),
        traceback: cut(message.traceback, LONGEST_TRACEBACK),
      });
    }
  }

  #breach(why: string): void {
    this.#break(createError('ERR_WORKER_PROTOCOL', { worker: this.#id, why }));
  }

  #break(error: TroupeError): void {
    if (this.#ended) return;
    this.#decoder.close();
    this.#frameTimer?.cancel();
    this.#over = 'the worker broke the protocol';
    this.#listeners.broke(error);
    this.#child.kill('SIGKILL', true);
  }

  #exceeded(resident: number): void {
    this.#outOfMemory = true;
    this.#printed.add(`error: killed: it held ${resident} bytes of memory`);
    this.kill();
  }

  #finish(end: ProcessEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#memory.stop();
    this.#over ??= 'the worker has ended';
    this.#frameTimer?.cancel();
    if (this.#decoder.partial) this.#listeners.dropped('a frame that the worker did not live to end');
    this.#decoder.close();
    this.#printed.end();
    const memory = this.#outOfMemory ? { outOfMemory: true } : {};
    this.#listeners.ended({ ...end, ...memory, lastStderr: this.#printed.last, stragglers: [] });
  }
}
