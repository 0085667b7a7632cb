/**
 * Workers that are threads of this process: a module that serves with `troupe/worker`, or functions whose source is sent there.
 *
 * Invariants: those of `worker-port.ts`; what a thread posts past the protocol ends it; what it prints is always drained; it is ended
 * wherever it is in JavaScript. A thread shares this process's fate and memory: what crashes natively in it takes the service along,
 * which only `childProcess` prevents. Sizes are not limited here: a copy is made before anyone can look.
 */
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { createError, show } from '../base/errors.ts';
import type { Host, ThreadEnd, ThreadLimits, ThreadPort, ThreadSpec } from '../base/host.ts';
import { fits, integer, listOf, object, refuse, resolveOptions, text } from '../base/options.ts';
import { nodeSdkUrl } from './assets.ts';
import { allowedEnvironment, pathOf } from './launch.ts';
import { PROTOCOL_VERSION, type Unread } from './messages.ts';
import { PendingJobs } from './pending-jobs.ts';
import { PrintedLines } from './printed-lines.ts';
import { cut, type JobHandler } from './running-job.ts';
import { POSTED, readAnswer, type ThreadAnswer, type ThreadHello, TO_THREAD } from './thread-messages.ts';
import { sourceOf } from './thread-source.ts';
import { transferredIn } from './transfer.ts';
import type { WorkerEnd, WorkerJob, WorkerKind, WorkerPort, WorkerPortListeners } from './worker-port.ts';

/** Options of {@link thread}. Either `module` or `handlers` is needed. */
export interface ThreadOptions {
  /** A file that calls `serveWorker` of `troupe/worker`: a path from this process's working directory, or a `file:` URL. */
  readonly module?: string | URL;
  /**
   * The jobs as functions, for threads without a file. Their *source* is sent: they see nothing of what surrounds them here (no
   * closures, no imports, no `this`), only their arguments, globals, and what they `await import(…)`.
   */
  readonly handlers?: Readonly<Record<string, JobHandler>>;
  /** V8's limits. A thread beyond them ends (`outOfMemory`), the service does not. Default: Node's own. */
  readonly resourceLimits?: ThreadLimits;
  /** Variables to set for the thread. They win over inherited ones. */
  readonly env?: Readonly<Record<string, string>>;
  /** Names of variables to hand on, besides those that every worker has: an allow-list. Default none. */
  readonly passEnv?: readonly string[];
  /** What the thread finds in `process.argv`, from the third on. Default none. */
  readonly argv?: readonly string[];
  /** What it finds as `workerData` of `node:worker_threads`: copied for each. */
  readonly workerData?: unknown;
  /** Lines of its output kept for the report of its end. Default 20. */
  readonly stderrLines?: number;
  /** A word for logs. Default `thread`. */
  readonly name?: string;
}

export const THREAD_DEFAULTS = { env: {}, passEnv: [], argv: [], stderrLines: 20, name: 'thread' } as const;

const strings = listOf(fits<string>('a string', (v) => typeof v === 'string', 'strings'));

const FIELDS = {
  module: fits<string | URL>('a path or a file: URL', (v) =>
    v instanceof URL ? v.protocol === 'file:' : text.accepts(v),
  ),
  handlers: fits<Readonly<Record<string, JobHandler>>>(
    'an object of at least one function',
    (v) =>
      object().accepts(v) &&
      Object.keys(v as object).length > 0 &&
      Object.values(v as object).every((handler) => typeof handler === 'function'),
  ),
  resourceLimits: object<ThreadLimits>('limits of node:worker_threads'),
  env: fits<Readonly<Record<string, string>>>(
    'an object of strings',
    (v) => object().accepts(v) && Object.values(v as object).every((value) => typeof value === 'string'),
  ),
  passEnv: strings,
  argv: strings,
  workerData: fits<unknown>('anything that can be copied', () => true),
  stderrLines: integer(0, 10_000),
  name: text,
};

const positive = fits<number>('a number above 0', (v) => typeof v === 'number' && v > 0);
const LIMIT_FIELDS = {
  maxOldGenerationSizeMb: positive,
  maxYoungGenerationSizeMb: positive,
  codeRangeSizeMb: positive,
  stackSizeMb: positive,
};

/** Characters of an error that are told. */
const LONGEST_MESSAGE = 8_192;

/**
 * Workers as threads of this process: for JavaScript that computes. They start in about 30 ms, take about 5 MB each, and are given
 * copies, or with `transfer(…)` the memory itself.
 *
 * @example thread({ module: new URL('./render.mjs', import.meta.url) })
 * @example thread({ handlers: { digits: (n) => String(2n ** BigInt(n)).length } })
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const thread = (options: ThreadOptions): WorkerKind => {
  const where = 'thread';
  const resolved = resolveOptions(where, options, FIELDS, THREAD_DEFAULTS);
  const { module, handlers, name, argv, workerData, resourceLimits, stderrLines } = resolved;
  if ((module === undefined) === (handlers === undefined))
    return refuse(where, 'module', 'given, or else handlers', module);
  const limits =
    resourceLimits === undefined
      ? {}
      : {
          limits: resolveOptions(`${where}.resourceLimits`, resourceLimits, LIMIT_FIELDS, {}) as ThreadLimits,
        };
  const path = module === undefined ? undefined : pathOf(module);
  const spec: ThreadSpec = Object.freeze({
    code: path === undefined ? sourceOf(where, handlers ?? {}, nodeSdkUrl()) : pathToFileURL(path).href,
    isSource: path === undefined,
    env: Object.freeze(allowedEnvironment(resolved)),
    argv: Object.freeze([...argv]),
    workerData,
    ...limits,
  });
  return Object.freeze({
    name,
    verify: () => {
      if (path === undefined || existsSync(path)) return;
      const why = `its module ${path} does not exist`;
      throw createError('ERR_WORKER_START', { worker: `a ${name} worker`, why, module: path });
    },
    open: (host: Host, id: string, listeners: WorkerPortListeners) =>
      new WorkerThreadPort({ host, id, listeners, spec, stderrLines }),
  });
};

interface PortOptions {
  readonly host: Host;
  readonly id: string;
  readonly listeners: WorkerPortListeners;
  readonly spec: ThreadSpec;
  readonly stderrLines: number;
}

class WorkerThreadPort implements WorkerPort {
  readonly pid = undefined;
  readonly #id: string;
  readonly #listeners: WorkerPortListeners;
  readonly #printed: PrintedLines;
  readonly #thread: ThreadPort;
  readonly #posted = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  readonly #jobs = new PendingJobs();
  readonly #pings = new Set<number>();
  #handlers: readonly string[] | undefined;
  /** Why it can be given nothing more, once it cannot. */
  #over: string | undefined;
  #ended = false;

  constructor({ host, id, listeners, spec, stderrLines }: PortOptions) {
    this.#id = id;
    this.#listeners = listeners;
    this.#printed = new PrintedLines(stderrLines, (line) => listeners.stderr(line));
    this.#thread = host.startThread(spec, {
      message: (message) => {
        if (!this.#ended && this.#over !== BROKEN) this.#heard(readAnswer(message));
      },
      stderr: (chunk, descriptor) => this.#printed.push(chunk, descriptor),
      ended: (end) => this.#finish(end),
    });
    const hello: ThreadHello = { worker: id, posted: this.#posted };
    this.#say([TO_THREAD.hello, hello]);
  }

  run({ id, name, args, remainingMs, stream, context }: WorkerJob): void {
    const why = this.#whyNot(id, name);
    if (why !== undefined) throw createError('ERR_JOB_INVALID', { job: name, why });
    const left = remainingMs === Number.POSITIVE_INFINITY ? null : Math.max(0, remainingMs);
    const moved = transferredIn(args);
    try {
      const message = [TO_THREAD.run, id, name, moved === undefined ? args : moved.value, left];
      if (stream !== undefined || context !== undefined) message.push(stream);
      if (context !== undefined) message.push(context);
      this.#say(message, moved?.list);
    } catch (error) {
      throw createError('ERR_JOB_INVALID', { job: name, why: show(error) }, { cause: error });
    }
    this.#jobs.add(id, stream, name);
  }

  cancel(jobId: number, reason: string): void {
    if (this.#jobs.has(jobId) && this.#over === undefined)
      this.#say([TO_THREAD.cancel, jobId, cut(reason, LONGEST_MESSAGE)]);
  }

  interrupt(jobId: number, reason: string): void {
    this.cancel(jobId, reason);
  }

  more(jobId: number, chunks: number): void {
    if (this.#jobs.grant(jobId, chunks) && this.#over === undefined)
      this.#say([TO_THREAD.more, jobId, chunks]);
  }

  ping(id: number): void {
    if (this.#over !== undefined) return;
    this.#pings.add(id);
    this.#say([TO_THREAD.ping, id]);
  }

  close(): void {
    if (this.#over !== undefined) return;
    this.#say([TO_THREAD.shutdown]);
    this.#over = 'the worker is being closed';
  }

  kill(): void {
    if (this.#ended) return;
    this.#over ??= 'the worker was killed';
    this.#thread.kill();
  }

  /** What was posted is counted after it: whoever sees the count finds the message. */
  #say(message: readonly unknown[], moved?: Parameters<ThreadPort['post']>[1]): void {
    this.#thread.post(message, moved);
    Atomics.add(this.#posted, POSTED, 1);
  }

  #whyNot(id: number, name: string): string | undefined {
    if (this.#over !== undefined) return this.#over;
    if (this.#handlers === undefined) return 'the worker is not ready';
    if (!Number.isSafeInteger(id) || id < 0) return `its id ${id} is not a whole number of at least 0`;
    if (this.#jobs.has(id)) return `the worker already runs a job with the id ${id}`;
    if (this.#handlers.includes(name)) return undefined;
    return `the worker has no handler of that name; it has ${this.#handlers.join(', ')}`;
  }

  #heard(message: ThreadAnswer | Unread): void {
    switch (message.kind) {
      case 'result':
        if (this.#isDone(message)) this.#listeners.succeeded(message.id, message.value);
        break;
      case 'error': {
        const { type, message: told, traceback } = message;
        if (this.#isDone(message)) this.#listeners.failed(message.id, { type, message: told, traceback });
        break;
      }
      case 'cancelled':
        if (this.#isDone(message)) this.#listeners.cancelled(message.id);
        break;
      case 'chunk':
      case 'progress':
        this.#reported(message);
        break;
      case 'log':
        this.#printed.add(`${message.level}: ${message.text}`);
        break;
      case 'pong':
        if (this.#pings.delete(message.id)) this.#listeners.pong(message.id);
        else this.#listeners.dropped(`a pong to ping ${message.id}, which is not awaited`);
        break;
      case 'ready':
        this.#isReady(message);
        break;
      case '?':
        this.#listeners.dropped(message.why);
        break;
      case '!':
        this.#breach(message.why);
    }
  }

  #isDone({ kind, id }: { readonly kind: string; readonly id: number }): boolean {
    const isDone = this.#jobs.delete(id);
    if (!isDone) this.#listeners.dropped(`${kind} of job ${id}, which is not running`);
    return isDone;
  }

  #reported({ kind, id, value }: ThreadAnswer & { kind: 'chunk' | 'progress' }): void {
    if (!this.#jobs.has(id)) this.#listeners.dropped(`${kind} of job ${id}, which is not running`);
    else if (kind === 'progress') this.#listeners.progress?.(id, value);
    else if (this.#jobs.spend(id)) this.#listeners.chunk?.(id, value);
    else this.#breach(`it sent more chunks of job ${id} than it was granted`);
  }

  #isReady({ version, capabilities, handlers }: ThreadAnswer & { kind: 'ready' }): void {
    if (this.#handlers !== undefined) {
      this.#breach('it said twice that it is ready');
    } else if (version !== PROTOCOL_VERSION) {
      this.#breach(`it speaks version ${version} of the protocol, this is version ${PROTOCOL_VERSION}`);
    } else {
      this.#handlers = Object.freeze([...handlers]);
      this.#listeners.ready({ pid: undefined, version, capabilities, handlers: this.#handlers });
    }
  }

  #breach(why: string): void {
    if (this.#ended) return;
    this.#over = BROKEN;
    this.#listeners.broke(createError('ERR_WORKER_PROTOCOL', { worker: this.#id, why }));
    this.#thread.kill();
  }

  #finish({ code, killed, error, outOfMemory, stuck }: ThreadEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#over ??= 'the worker has ended';
    if (error !== undefined) this.#printed.push(Buffer.from(`${stackOf(error)}\n`));
    this.#printed.end();
    // Before it was ready it may be that it could not be started at all.
    const cause = this.#handlers === undefined && error instanceof Error ? { error } : {};
    const end: WorkerEnd = {
      ...(killed ? { code: null, signal: 'SIGKILL' } : { code, signal: null }),
      ...cause,
      lastStderr: this.#printed.last,
      stragglers: stuck ? this.#jobs.names() : [],
      ...(outOfMemory ? { outOfMemory } : {}),
    };
    this.#listeners.ended(end);
  }
}

const BROKEN = 'the worker broke the protocol';

const stackOf = (error: unknown): string =>
  error instanceof Error ? String(error.stack ?? error) : `threw ${show(error)}`;
