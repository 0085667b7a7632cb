/**
 * `troupe/worker`: what a worker in Node imports to serve jobs, be it a process or a thread.
 *
 * Invariants: whatever handlers print goes to the service's log and never into the protocol; a job is
 * answered once; an uncaught error ends this process or thread with its stack on stderr, as anywhere in Node: the pool
 * replaces it. It has no state beyond the jobs it runs, and nothing of the runtime but the wire.
 */
import { isMainThread } from 'node:worker_threads';
import { isTroupeError } from '../../base/errors.ts';
import { collect, isGenerator, JobStream } from '../job-stream.ts';
import { JobTable } from '../job-table.ts';
import { type Capability, PROTOCOL_VERSION } from '../messages.ts';
import { cut, type JobHandler, type LogLevel, RunningJob } from '../running-job.ts';
import type { WorkerFailure } from '../worker-port.ts';
import type { Link, LinkListeners, Order } from './link.ts';
import { ParentLink } from './parent-link.ts';
import { clock, ThreadLink } from './thread-link.ts';

export type { JobContext, JobHandler, LogLevel } from '../running-job.ts';
export { transfer } from '../transfer.ts';

/** The jobs that a worker takes, by name. */
export type WorkerHandlers = Readonly<Record<string, JobHandler>>;

const CAPABILITIES: readonly Capability[] = ['stream', 'progress'];

/** Characters of a line for the log. */
const LONGEST_LOG = 8_192;

/**
 * Serves jobs until the parent says shutdown or is gone. Call it once, at the top of the worker's module. A handler that is a
 * generator gives its values as a stream where the caller asked for one, else as one array.
 *
 * @example serveWorker({ async count({ text }, { signal }) { return text.length; } });
 * @throws TypeError for handlers that are none, Error when this process was not started by a pool.
 */
export const serveWorker = (handlers: WorkerHandlers): void => {
  const named = new Map(Object.entries(handlers));
  for (const [name, handler] of named) {
    if (typeof handler !== 'function')
      throw new TypeError(`serveWorker: ${name} must be a function, got ${typeof handler}`);
  }
  if (named.size === 0) throw new TypeError('serveWorker: a worker needs at least one handler');
  new Served(named);
};

class Served implements LinkListeners {
  readonly #handlers: ReadonlyMap<string, JobHandler>;
  readonly link: Link;
  readonly #jobs = new JobTable<Serving>();
  #leaving = false;

  constructor(handlers: ReadonlyMap<string, JobHandler>) {
    this.#handlers = handlers;
    this.link = isMainThread ? new ParentLink(this) : new ThreadLink(this);
  }

  expectsEnd(): boolean {
    return this.#leaving;
  }

  greeted(): void {
    const { pid } = this.link;
    const handlers = [...this.#handlers.keys()];
    this.link.say({ kind: 'ready', protocol: PROTOCOL_VERSION, pid, capabilities: CAPABILITIES, handlers });
    this.link.serving();
  }

  ordered(order: Order): void {
    switch (order.kind) {
      case 'run':
        this.#run(order);
        break;
      case 'cancel':
      case 'interrupt':
        this.#jobs.get(order.id)?.cancel(order.reason);
        break;
      case 'more':
        this.#jobs.get(order.id)?.stream?.grant(order.chunks);
        break;
      case 'ping':
        this.link.say({ kind: 'pong', id: order.id });
        break;
      case 'shutdown':
        this.#leave();
    }
  }

  #run({ id, name, args, remainingMs, stream, context }: Order & { kind: 'run' }): void {
    const handler = this.#handlers.get(name);
    if (handler === undefined) {
      const message = `no handler ${cut(name, 200)}`;
      this.link.say({ kind: 'error', id, type: 'UnknownHandler', message, traceback: '' });
      return;
    }
    const deadline = remainingMs === null ? Number.POSITIVE_INFINITY : clock() + remainingMs;
    const job = new Serving(this, { id, name, deadline, stream, context });
    this.#jobs.add(job);
    let outcome: unknown;
    try {
      outcome = job.settle(handler(args, job));
    } catch (error) {
      outcome = Promise.reject(error);
    }
    job.follow(outcome);
  }

  // ── what its jobs tell ────────────────────────────────────────────────────────────────────

  succeeded({ id, name }: Serving, value: unknown): void {
    this.#jobs.delete(id);
    try {
      this.link.say({ kind: 'result', id, value: value ?? null }, name);
    } catch (error) {
      this.#fail(id, { type: 'InvalidResult', message: whyOf(error) });
    }
    this.#leaveIfDone();
  }

  failed({ id }: Serving, failure: WorkerFailure): void {
    this.#jobs.delete(id);
    this.#fail(id, failure);
    this.#leaveIfDone();
  }

  gaveUp({ id }: Serving): void {
    this.#jobs.delete(id);
    this.link.say({ kind: 'cancelled', id });
    this.#leaveIfDone();
  }

  #leaveIfDone(): void {
    if (this.#leaving && this.#jobs.size === 0) this.link.leave();
  }

  /** Says it, shortened where it is too long to be said: the job must be answered. */
  #fail(
    id: number,
    failure: { readonly type: string; readonly message: string; readonly traceback?: string },
  ) {
    const { type, message, traceback = '' } = failure;
    try {
      this.link.say({ kind: 'error', id, type, message, traceback });
    } catch {
      this.link.say({ kind: 'error', id, type: cut(type, 100), message: cut(message, 100), traceback: '' });
    }
  }

  #leave(): void {
    this.#leaving = true;
    for (const job of this.#jobs.list()) job.cancel('the worker shuts down');
    this.#leaveIfDone();
  }
}

interface Wanted {
  readonly id: number;
  readonly name: string;
  readonly deadline: number;
  /** Chunks granted at first, where a stream is wanted. */
  readonly stream: number | undefined;
  readonly context: Readonly<Record<string, unknown>> | undefined;
}

/** A job that this worker runs. */
class Serving extends RunningJob {
  readonly id: number;
  readonly name: string;
  readonly stream: JobStream | undefined;
  readonly #owner: Served;

  constructor(owner: Served, { id, name, deadline, stream, context }: Wanted) {
    super(deadline, context === undefined ? undefined : Object.freeze(context));
    this.#owner = owner;
    this.id = id;
    this.name = name;
    this.stream =
      stream === undefined ? undefined : new JobStream(this, stream, (value) => this.#say('chunk', value));
  }

  protected now(): number {
    return clock();
  }

  protected override look(): void {
    this.#owner.link.look?.();
  }

  protected tellLog(text: string, level: LogLevel): void {
    const { link } = this.#owner;
    const line = cut(text, LONGEST_LOG);
    // A line too long for a frame is dropped: a log must not fail a job.
    if (line.length <= link.longestLog) link.say({ kind: 'log', level, text: line });
  }

  protected tellProgress(value: unknown): void {
    this.#say('progress', value);
  }

  protected succeeded(value: unknown): void {
    this.#owner.succeeded(this, value);
  }

  protected failed(failure: WorkerFailure): void {
    this.#owner.failed(this, failure);
  }

  protected gaveUp(): void {
    this.#owner.gaveUp(this);
  }

  #say(kind: 'chunk' | 'progress', value: unknown): void {
    try {
      this.#owner.link.say({ kind, id: this.id, value: value ?? null }, this.name);
    } catch (error) {
      throw named('InvalidResult', whyOf(error));
    }
  }

  /** What a handler gave, where that is a generator: what becomes of it. */
  settle(outcome: unknown): unknown {
    if (!isGenerator(outcome)) return outcome;
    return this.stream === undefined ? collect(outcome, this) : this.stream.send(outcome);
  }
}

const whyOf = (error: unknown): string =>
  isTroupeError(error) || error instanceof Error ? error.message : String(error);

const named = (name: string, message: string): Error => Object.assign(new Error(message), { name });
