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
import { type Capability, PROTOCOL_VERSION } from '../messages.ts';
import { type Answer, cut, type JobHandler, type LogLevel, RunningJob } from '../running-job.ts';
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
  readonly #link: Link;
  readonly #jobs = new Map<number, Serving>();
  #leaving = false;

  constructor(handlers: ReadonlyMap<string, JobHandler>) {
    this.#handlers = handlers;
    this.#link = isMainThread ? new ParentLink(this) : new ThreadLink(this);
  }

  expectsEnd(): boolean {
    return this.#leaving;
  }

  greeted(): void {
    const { pid } = this.#link;
    const handlers = [...this.#handlers.keys()];
    this.#link.say({ kind: 'ready', protocol: PROTOCOL_VERSION, pid, capabilities: CAPABILITIES, handlers });
    this.#link.serving();
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
        this.#link.say({ kind: 'pong', id: order.id });
        break;
      case 'shutdown':
        this.#leave();
    }
  }

  #run({ id, name, args, remainingMs, stream, context }: Order & { kind: 'run' }): void {
    const handler = this.#handlers.get(name);
    if (handler === undefined) {
      const message = `no handler ${cut(name, 200)}`;
      this.#link.say({ kind: 'error', id, type: 'UnknownHandler', message, traceback: '' });
      return;
    }
    const deadline = clock() + (remainingMs ?? Infinity);
    const job = new Serving(this.#link, { id, name, deadline, stream, context });
    this.#jobs.set(id, job);
    job.begin(
      () => job.settle(handler(args, job)),
      (answer) => this.#answered(job, answer),
    );
  }

  #answered(job: Serving, answer: Answer): void {
    this.#jobs.delete(job.id);
    this.#answer(job, answer);
    if (this.#leaving && this.#jobs.size === 0) this.#link.leave();
  }

  #answer({ id, name }: Serving, answer: Answer): void {
    if (answer.kind === 'cancelled') {
      this.#link.say({ kind: 'cancelled', id });
    } else if (answer.kind === 'succeeded') {
      try {
        this.#link.say({ kind: 'result', id, value: answer.value ?? null }, name);
      } catch (error) {
        this.#fail(id, { type: 'InvalidResult', message: whyOf(error) });
      }
    } else {
      this.#fail(id, answer.failure);
    }
  }

  /** Says it, shortened where it is too long to be said: the job must be answered. */
  #fail(
    id: number,
    failure: { readonly type: string; readonly message: string; readonly traceback?: string },
  ) {
    const { type, message, traceback = '' } = failure;
    try {
      this.#link.say({ kind: 'error', id, type, message, traceback });
    } catch {
      this.#link.say({ kind: 'error', id, type: cut(type, 100), message: cut(message, 100), traceback: '' });
    }
  }

  #leave(): void {
    this.#leaving = true;
    for (const job of this.#jobs.values()) job.cancel('the worker shuts down');
    if (this.#jobs.size === 0) this.#link.leave();
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

  constructor(link: Link, { id, name, deadline, stream, context }: Wanted) {
    const say = (kind: 'chunk' | 'progress', value: unknown) => {
      try {
        link.say({ kind, id, value: value ?? null }, name);
      } catch (error) {
        throw named('InvalidResult', whyOf(error));
      }
    };
    super({
      clock,
      deadline,
      context: context === undefined ? undefined : Object.freeze(context),
      look: link.look,
      progress: (value) => say('progress', value),
      log: (text: string, level: LogLevel) => {
        const line = cut(text, LONGEST_LOG);
        // A line too long for a frame is dropped: a log must not fail a job.
        if (line.length <= link.longestLog) link.say({ kind: 'log', level, text: line });
      },
    });
    this.id = id;
    this.name = name;
    this.stream =
      stream === undefined ? undefined : new JobStream(this, stream, (value) => say('chunk', value));
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
