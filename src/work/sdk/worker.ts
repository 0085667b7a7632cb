/**
 * `troupe/worker`: what a worker process in Node imports to serve jobs.
 *
 * Invariants: whatever handlers print goes to the service's log and never into the protocol; a job is
 * answered once; an uncaught error ends this process with its stack on stderr, as anywhere in Node: the pool
 * replaces it. It has no state beyond the jobs it runs, and nothing of the runtime but the wire.
 */
import process from 'node:process';
import { isTroupeError } from '../../base/errors.ts';
import { type ParentMessage, PROTOCOL_VERSION, readParentMessage, type WorkerMessage } from '../messages.ts';
import {
  type Answer,
  cut,
  type JobContext,
  type JobHandler,
  type LogLevel,
  RunningJob,
} from '../running-job.ts';
import { encodeFrame, LARGEST_FRAME_BYTES, WIRE_LIMITS, type WireLimits } from '../wire.ts';
import { ParentLink } from './parent-link.ts';

export type { JobContext, JobHandler, LogLevel } from '../running-job.ts';

/** The jobs that a worker takes, by name. */
export type WorkerHandlers = Readonly<Record<string, JobHandler>>;

/** What is taken from a parent: it is trusted to keep to its own limits, which may be any. */
const FROM_PARENT: WireLimits = { maxFrameBytes: LARGEST_FRAME_BYTES, maxDepth: 1_000 };

/** Characters of a line for the log. */
const LONGEST_LOG = 8_192;

/**
 * Serves jobs until the parent says shutdown or is gone. Call it once, at the top of the worker's module.
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

/** Milliseconds of a clock that never goes back. */
const clock = (): number => {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1_000_000;
};

class Served {
  readonly #handlers: ReadonlyMap<string, JobHandler>;
  readonly #link: ParentLink;
  readonly #jobs = new Map<number, RunningJob>();
  /** What may be said, as the parent told. */
  #limits: WireLimits = WIRE_LIMITS;
  #greeted = false;
  #leaving = false;

  constructor(handlers: ReadonlyMap<string, JobHandler>) {
    this.#handlers = handlers;
    this.#link = new ParentLink(FROM_PARENT, {
      message: (message) => this.#heard(readParentMessage(message)),
      expectsEnd: () => this.#leaving,
    });
  }

  #heard(message: ReturnType<typeof readParentMessage>): void {
    switch (message.kind) {
      case '!':
        this.#link.breach(message.why);
        break;
      case '?':
        break;
      case 'hello':
        this.#greet(message);
        break;
      case 'run':
        void this.#run(message);
        break;
      case 'cancel':
        this.#jobs.get(message.id)?.cancel(message.reason);
        break;
      case 'ping':
        this.#say({ kind: 'pong', id: message.id });
        break;
      case 'shutdown':
        this.#leave();
    }
  }

  #greet({ protocol, maxFrameBytes, maxDepth }: ParentMessage & { kind: 'hello' }): void {
    if (protocol !== PROTOCOL_VERSION)
      this.#link.breach(`it speaks version ${protocol}, this is ${PROTOCOL_VERSION}`);
    if (this.#greeted) this.#link.breach('it said hello twice');
    this.#greeted = true;
    this.#limits = { maxFrameBytes, maxDepth };
    this.#say({
      kind: 'ready',
      protocol: PROTOCOL_VERSION,
      pid: process.pid,
      capabilities: [],
      handlers: [...this.#handlers.keys()],
    });
    this.#link.watchLifeline();
  }

  async #run({ id, name, args, remainingMs }: ParentMessage & { kind: 'run' }): Promise<void> {
    const handler = this.#handlers.get(name);
    if (handler === undefined) {
      this.#say({
        kind: 'error',
        id,
        type: 'UnknownHandler',
        message: `no handler ${cut(name, 200)}`,
        traceback: '',
      });
      return;
    }
    const log = (text: string, level: LogLevel): void => this.#log(cut(text, LONGEST_LOG), level);
    const deadline = clock() + (remainingMs ?? Number.POSITIVE_INFINITY);
    const job = new RunningJob({ clock, deadline, log });
    this.#jobs.set(id, job);
    const answer = await job.run<JobContext>(handler, args, job);
    this.#jobs.delete(id);
    this.#answer(id, name, answer);
    if (this.#leaving && this.#jobs.size === 0) this.#link.leave();
  }

  /** A line too long for a frame is dropped: a log must not fail a job. */
  #log(text: string, level: LogLevel): void {
    if (text.length < this.#limits.maxFrameBytes / 8) this.#say({ kind: 'log', level, text });
  }

  #answer(id: number, name: string, answer: Answer): void {
    if (answer.kind === 'cancelled') {
      this.#say({ kind: 'cancelled', id });
    } else if (answer.kind === 'succeeded') {
      const { value = null } = answer;
      this.#sayOr({ kind: 'result', id, value }, name, (why) => ({ type: 'InvalidResult', message: why }));
    } else {
      const { type, message } = answer.failure;
      this.#sayOr({ kind: 'error', id, ...answer.failure }, name, () => ({
        type: cut(type, 100),
        message: cut(message, 100),
      }));
    }
  }

  /** Says it, or where it cannot be said, an error instead: the job must be answered. */
  #sayOr(
    message: WorkerMessage & { id: number },
    name: string,
    instead: (why: string) => { readonly type: string; readonly message: string },
  ): void {
    let frame: Uint8Array;
    try {
      frame = encodeFrame(message, this.#limits, name);
    } catch (error) {
      const why = isTroupeError(error) ? error.message : String(error);
      frame = encodeFrame(
        { kind: 'error', id: message.id, ...instead(why), traceback: '' },
        this.#limits,
        name,
      );
    }
    this.#link.send(frame);
  }

  #say(message: WorkerMessage): void {
    this.#link.send(encodeFrame(message, this.#limits));
  }

  #leave(): void {
    this.#leaving = true;
    for (const job of this.#jobs.values()) job.cancel('the worker shuts down');
    if (this.#jobs.size === 0) this.#link.leave();
  }
}
