/**
 * Workers that are handlers in this process, each with a resource of its own if it wants one: a database
 * connection, a parser, a model. Nothing is copied or checked: handlers get the very arguments, callers the very
 * results, whether or not a worker process could be sent them.
 *
 * Invariants: those of `worker-port.ts`; what `create` gave is destroyed exactly once, also when it came too
 * late. JavaScript cannot be killed: after `kill` a job that ignores its signal runs on as a straggler, named
 * at the end, its answer unheard.
 */
import { createError, show } from '../base/errors.ts';
import type { Host, ProcessEnd } from '../base/host.ts';
import { fits, fn, refuse, resolveOptions, text } from '../base/options.ts';
import { collect, isGenerator, JobStream } from './job-stream.ts';
import { JobTable } from './job-table.ts';
import { type Capability, PROTOCOL_VERSION } from './messages.ts';
import { PrintedLines } from './printed-lines.ts';
import { type JobContext, type JobHandler, type LogLevel, RunningJob } from './running-job.ts';
import { plainValue } from './transfer.ts';
import type { WorkerFailure, WorkerJob, WorkerKind, WorkerPort, WorkerPortListeners } from './worker-port.ts';

/** What a handler in this process is given beside its arguments. */
export interface InProcessContext<R> extends JobContext {
  /** What `create` gave for this worker. */
  readonly resource: R;
}

/** Options of {@link inProcess}. */
export interface InProcessOptions<R> {
  /** The jobs, by name. */
  readonly handlers: Readonly<Record<string, JobHandler<InProcessContext<R>>>>;
  /**
   * Makes a worker's resource. Its signal aborts when the worker is not wanted any more. Default: none is
   * made.
   */
  readonly create?: (worker: { readonly id: string; readonly signal: AbortSignal }) => R | PromiseLike<R>;
  /**
   * Whether the resource is sound; asked by health checks. `false` or a rejection: it is not. Default:
   * always.
   */
  readonly check?: (resource: R) => unknown;
  /** Closes the resource. Awaited by an orderly end, not by a kill. */
  readonly destroy?: (resource: R) => unknown;
  /** A word for logs. Default `in-process`. */
  readonly name?: string;
}

const DEFAULTS = { name: 'in-process' } as const;
const FIELDS = {
  handlers: fits<InProcessOptions<unknown>['handlers']>(
    'an object of at least one function',
    (v) => isRecord(v) && Object.keys(v).length > 0 && Object.values(v).every((h) => typeof h === 'function'),
  ),
  create: fn<NonNullable<InProcessOptions<unknown>['create']>>(),
  check: fn<NonNullable<InProcessOptions<unknown>['check']>>(),
  destroy: fn<NonNullable<InProcessOptions<unknown>['destroy']>>(),
  name: text,
};
const STDERR_LINES = 20;
const CAPABILITIES: readonly Capability[] = ['stream', 'progress'];

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Workers in this process. Arguments and results are not copied, nor checked to be JSON as those of `childProcess` are: what works
 * here may be refused there (BigInts, circles, class instances, functions).
 *
 * @example inProcess({ create: connect, handlers: { ask: (sql, { resource }) => resource.query(sql) } })
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const inProcess = <R = undefined>(options: InProcessOptions<R>): WorkerKind => {
  const resolved = resolveOptions('inProcess', options, FIELDS, DEFAULTS);
  if (resolved.handlers === undefined)
    return refuse('inProcess', 'handlers', FIELDS.handlers.expected, undefined);
  // Checked above; what is not known here is only which type the user's functions share.
  const settings = {
    ...resolved,
    handlers: new Map(Object.entries(options.handlers)),
  } as unknown as Settings<R>;
  return Object.freeze({
    name: resolved.name,
    open: (host: Host, id: string, listeners: WorkerPortListeners) =>
      new InProcessPort<R>({ host, id, listeners, settings }),
  });
};

type Settings<R> = Pick<InProcessOptions<R>, 'create' | 'check' | 'destroy'> & {
  readonly handlers: ReadonlyMap<string, JobHandler<InProcessContext<R>>>;
};

interface PortOptions<R> {
  readonly host: Host;
  readonly id: string;
  readonly listeners: WorkerPortListeners;
  readonly settings: Settings<R>;
}

class InProcessJob<R> extends RunningJob implements InProcessContext<R> {
  readonly id: number;
  readonly name: string;
  readonly resource: R;
  /** Set where a stream is wanted. */
  stream: JobStream | undefined = undefined;
  readonly #port: InProcessPort<R>;

  constructor(port: InProcessPort<R>, given: WorkerJob, { resource }: { readonly resource: R }) {
    super(given.deadline ?? port.now() + given.remainingMs, given.context);
    this.#port = port;
    this.id = given.id;
    this.name = given.name;
    this.resource = resource;
  }

  protected now(): number {
    return this.#port.now();
  }

  protected tellLog(text: string, level: LogLevel): void {
    this.#port.logged(text, level);
  }

  protected tellProgress(value: unknown): void {
    this.#port.progressed(this, value);
  }

  protected succeeded(value: unknown): void {
    this.#port.succeeded(this, value);
  }

  protected failed(failure: WorkerFailure): void {
    this.#port.failed(this, failure);
  }

  protected gaveUp(): void {
    this.#port.gaveUp(this);
  }
}

/** What becomes of what a handler gave: a generator's values are a stream, or an array. */
const settle = <R>(job: InProcessJob<R>, outcome: unknown): unknown => {
  if (!isGenerator(outcome)) return outcome;
  return job.stream === undefined ? collect(outcome, job) : job.stream.send(outcome);
};

class InProcessPort<R> implements WorkerPort {
  readonly pid = undefined;
  readonly #host: Host;
  readonly #id: string;
  readonly #listeners: WorkerPortListeners;
  readonly #settings: Settings<R>;
  readonly #printed: PrintedLines;
  readonly #jobs = new JobTable<InProcessJob<R>>();
  readonly #wanted = new AbortController();
  /** The resource, once there is one and until it is destroyed. */
  #held: { readonly resource: R } | undefined;
  #creating = true;
  #closing = false;
  #killed = false;
  #ended = false;

  constructor({ host, id, listeners, settings }: PortOptions<R>) {
    this.#host = host;
    this.#id = id;
    this.#listeners = listeners;
    this.#settings = settings;
    this.#printed = new PrintedLines(STDERR_LINES, (line) => listeners.stderr(line));
    host.step('worker.create', () => void this.#create());
  }

  run(given: WorkerJob): void {
    const { id, name, args, stream } = given;
    const handler = this.#settings.handlers.get(name);
    const held = this.#held;
    const takesIt = !this.#ended && !this.#killed && !this.#closing && this.#jobs.get(id) === undefined;
    if (!takesIt || handler === undefined || held === undefined) {
      throw createError('ERR_JOB_INVALID', { job: name, why: this.#whyNot(id) });
    }
    const job = new InProcessJob(this, given, held);
    if (stream !== undefined) job.stream = new JobStream(job, stream, (value) => this.#chunk(id, value));
    this.#jobs.add(job);
    let outcome: unknown;
    try {
      outcome = settle(job, handler(plainValue(args), job));
    } catch (error) {
      outcome = Promise.reject(error);
    }
    job.follow(outcome);
  }

  cancel(jobId: number, reason: string): void {
    const job = this.#jobs.get(jobId);
    if (job !== undefined) this.#host.step('worker.cancel', () => job.cancel(reason));
  }

  interrupt(jobId: number, reason: string): void {
    this.cancel(jobId, reason);
  }

  more(jobId: number, chunks: number): void {
    const stream = this.#jobs.get(jobId)?.stream;
    if (stream !== undefined) this.#host.step('worker.more', () => stream.grant(chunks));
  }

  ping(id: number): void {
    if (this.#held !== undefined) this.#host.step('worker.ping', () => void this.#check(id));
  }

  close(): void {
    if (this.#closing || this.#killed || this.#ended) return;
    this.#closing = true;
    this.#host.step('worker.close', () => {
      this.#abortAll('the worker shuts down');
      this.#leaveIfIdle();
    });
  }

  kill(): void {
    if (this.#killed || this.#ended) return;
    this.#killed = true;
    this.#host.step('worker.kill', () => {
      this.#abortAll('the worker was killed');
      // Whoever honours the signal is given one turn to say so; the others are stragglers.
      this.#host.yield('worker.killed', () => {
        void this.#destroy();
        this.#finish({ code: null, signal: 'SIGKILL' });
      });
    });
  }

  async #create(): Promise<void> {
    const { create } = this.#settings;
    try {
      const resource = await create?.({ id: this.#id, signal: this.#wanted.signal });
      this.#held = { resource: resource as R };
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(show(error));
      // Not wanted any more, it may well give up making what nobody will use.
      this.#finish(this.#closing ? { code: 0, signal: null } : { code: null, signal: null, error: failure });
      return;
    } finally {
      this.#creating = false;
    }
    if (this.#ended) void this.#destroy();
    else if (this.#closing) this.#leaveIfIdle();
    else if (!this.#killed) {
      const handlers = Object.freeze([...this.#settings.handlers.keys()]);
      this.#listeners.ready({
        pid: undefined,
        version: PROTOCOL_VERSION,
        capabilities: CAPABILITIES,
        handlers,
      });
    }
  }

  #whyNot(id: number): string {
    if (this.#ended || this.#killed || this.#closing) return 'the worker has ended or is ending';
    if (this.#held === undefined) return 'the worker is not ready';
    if (this.#jobs.get(id) !== undefined) return `the worker already runs a job with the id ${id}`;
    return `the worker has no handler of that name; it has ${[...this.#settings.handlers.keys()].join(', ')}`;
  }

  #chunk(id: number, value: unknown): void {
    if (!this.#ended) this.#listeners.chunk?.(id, plainValue(value));
  }

  // ── what its jobs tell ────────────────────────────────────────────────────────────────────

  now(): number {
    return this.#host.monotonic();
  }

  logged(text: string, level: LogLevel): void {
    if (!this.#ended) this.#printed.add(`${level}: ${text}`);
  }

  /** In a later step: a handler may tell of it at once, while `run` still runs. */
  progressed(job: InProcessJob<R>, value: unknown): void {
    if (this.#listeners.progress === undefined) return;
    this.#host.step('worker.progress', () => {
      if (!this.#ended && this.#jobs.get(job.id) === job)
        this.#listeners.progress?.(job.id, plainValue(value));
    });
  }

  succeeded(job: InProcessJob<R>, value: unknown): void {
    if (this.#isOver(job)) return;
    this.#listeners.succeeded(job.id, plainValue(value));
    if (this.#closing) this.#leaveIfIdle();
  }

  failed(job: InProcessJob<R>, failure: WorkerFailure): void {
    if (this.#isOver(job)) return;
    this.#listeners.failed(job.id, failure);
    if (this.#closing) this.#leaveIfIdle();
  }

  gaveUp(job: InProcessJob<R>): void {
    if (this.#isOver(job)) return;
    this.#listeners.cancelled(job.id);
    if (this.#closing) this.#leaveIfIdle();
  }

  /** Takes note that it has answered. Whether nobody hears it, since its worker has ended. */
  #isOver(job: InProcessJob<R>): boolean {
    if (!this.#ended) this.#jobs.delete(job.id);
    return this.#ended;
  }

  async #check(id: number): Promise<void> {
    const held = this.#held;
    if (held === undefined) return;
    try {
      const sound = await this.#settings.check?.(held.resource);
      if (this.#ended) return;
      if (sound === false) this.#printed.add('error: its check says that it is not sound');
      else this.#listeners.pong(id);
    } catch (error) {
      if (!this.#ended) this.#printed.add(`error: its check failed: ${show(error)}`);
    }
  }

  #abortAll(reason: string): void {
    this.#wanted.abort(new Error(reason));
    for (const job of this.#jobs.list()) job.cancel(reason);
  }

  #leaveIfIdle(): void {
    if (this.#creating || this.#jobs.size > 0) return;
    void this.#destroy().then((destroyed) => this.#finish({ code: destroyed ? 0 : 1, signal: null }));
  }

  /** Destroys what is held, once. `false`: that failed. */
  async #destroy(): Promise<boolean> {
    const held = this.#held;
    this.#held = undefined;
    try {
      if (held !== undefined) await this.#settings.destroy?.(held.resource);
      return true;
    } catch (error) {
      if (!this.#ended) this.#printed.add(`error: its resource did not close: ${show(error)}`);
      return false;
    }
  }

  #finish(end: ProcessEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    const stragglers = this.#jobs.list().map((job) => job.name);
    this.#listeners.ended({ ...end, lastStderr: this.#printed.last, stragglers });
  }
}
