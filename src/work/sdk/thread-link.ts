/**
 * A thread's line to its parent: the port that every thread has.
 *
 * Invariants: what comes is taken in order, but for cancellations, which a job that holds the thread may look for; the event loop
 * turns between jobs. It knows messages, not what they ask for.
 */
import process from 'node:process';
import {
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  type TransferListItem,
} from 'node:worker_threads';
import type { WorkerMessage } from '../messages.ts';
import {
  POSTED,
  packAnswer,
  readThreadMessage,
  type ThreadHello,
  type ThreadMessage,
} from '../thread-messages.ts';
import { transferredIn } from '../transfer.ts';
import type { Link, LinkListeners } from './link.ts';

const LONGEST_LOG = 8_192;

/** Milliseconds of a clock that never goes back. */
export const clock = (): number => {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1_000_000;
};

export class ThreadLink implements Link {
  readonly pid = process.pid;
  readonly longestLog = LONGEST_LOG;
  readonly #port: MessagePort;
  readonly #listeners: LinkListeners;
  #hello: ThreadHello | undefined;
  /** How many messages were taken. */
  #taken = 0;
  /** What was looked for and has to wait until the job under way lets go. */
  readonly #waiting: ThreadMessage[] = [];

  /** @throws Error when this thread was not started by a pool. */
  constructor(listeners: LinkListeners) {
    if (parentPort === null) throw new Error('a worker is started by a pool of troupe, not by hand');
    this.#port = parentPort;
    this.#listeners = listeners;
    this.#port.on('message', (message: unknown) => this.#take(message));
  }

  say(message: WorkerMessage): void {
    const moved = 'value' in message ? transferredIn(message.value) : undefined;
    if (moved === undefined) this.#port.postMessage(packAnswer(message));
    else
      this.#port.postMessage(
        packAnswer({ ...message, value: moved.value } as WorkerMessage),
        moved.list as unknown as readonly TransferListItem[],
      );
  }

  serving(): void {}

  readonly look = (): void => {
    const hello = this.#hello;
    if (hello === undefined || Atomics.load(hello.posted, POSTED) === this.#taken) return;
    for (let next = receiveMessageOnPort(this.#port); next; next = receiveMessageOnPort(this.#port)) {
      const order = this.#read(next.message);
      if (order?.kind === 'cancel') this.#listeners.ordered(order);
      else if (order !== undefined && this.#waiting.push(order) === 1) void RESOLVED.then(this.#handWaiting);
    }
  };

  leave(): void {
    process.stdout.write('', () => process.stderr.write('', () => process.exit(0)));
  }

  #take(message: unknown): void {
    const order = this.#read(message);
    if (order === undefined) return;
    if (this.#waiting.length > 0) this.#waiting.push(order);
    else this.#hand(order);
  }

  /** What the parent's code posts by itself, past the pool, is the worker module's own business. */
  #read(message: unknown): ThreadMessage | undefined {
    const order = readThreadMessage(message);
    if (order !== undefined) this.#taken = (this.#taken + 1) | 0;
    return order;
  }

  readonly #handWaiting = (): void => {
    for (const order of this.#waiting.splice(0)) this.#hand(order);
  };

  #hand(order: ThreadMessage): void {
    if (order.kind === 'hello') {
      this.#hello = order.hello;
      this.#listeners.greeted();
      return;
    }
    this.#listeners.ordered(order);
  }
}

const RESOLVED = Promise.resolve();
