/**
 * Part of the real host: starting threads, over node:worker_threads.
 *
 * Invariant: the owner is told `ended` exactly once and last, however the thread ends; also where it cannot be ended, because code that
 * is not JavaScript's holds it: then that is what is told, after a while. What it prints always flows.
 *
 * It deliberately does not know the protocol, and gives a thread nothing of this process that its spec does not name.
 */
import { type TransferListItem, Worker } from 'node:worker_threads';
import type { ThreadEnd, ThreadListeners, ThreadPort, ThreadSpec, Timer, Transferable } from './host.ts';

/** A thread in JavaScript ends within milliseconds; one in a system call or an addon may never, ms. */
const TERMINATE_MS = 5_000;

type StartTimer = (delayMs: number, label: string, run: () => void) => Timer;

const isOutOfMemory = (error: unknown): boolean =>
  (error as NodeJS.ErrnoException | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY';

class RealThread implements ThreadPort {
  readonly #worker: Worker;
  readonly #listeners: ThreadListeners;
  readonly #startTimer: StartTimer;
  #error: unknown;
  #killed = false;
  #told = false;
  #patience: Timer | undefined;

  constructor(worker: Worker, listeners: ThreadListeners, startTimer: StartTimer) {
    this.#worker = worker;
    this.#listeners = listeners;
    this.#startTimer = startTimer;
    worker.on('message', (message: unknown) => {
      if (!this.#told) listeners.message(message);
    });
    worker.on('messageerror', (error) => {
      this.#error = error;
      this.kill();
    });
    worker.on('error', (error: unknown) => {
      this.#error = error;
    });
    worker.on('exit', (code) => this.#end(code, false));
    worker.stdout.on('data', (chunk: Uint8Array) => this.#print(chunk, 1));
    worker.stderr.on('data', (chunk: Uint8Array) => this.#print(chunk, 2));
  }

  post(message: unknown, transfer?: readonly Transferable[]): void {
    if (this.#told) return;
    if (transfer === undefined) this.#worker.postMessage(message);
    else this.#worker.postMessage(message, transfer as unknown as readonly TransferListItem[]);
  }

  kill(): void {
    if (this.#killed || this.#told) return;
    this.#killed = true;
    void this.#worker.terminate();
    this.#patience = this.#startTimer(TERMINATE_MS, 'thread.terminate', () => this.#end(1, true));
  }

  #print(chunk: Uint8Array, descriptor: 1 | 2): void {
    if (!this.#told) this.#listeners.stderr(chunk, descriptor);
  }

  #end(code: number, stuck: boolean): void {
    if (this.#told) return;
    this.#told = true;
    this.#patience?.cancel();
    const end: ThreadEnd = {
      code,
      killed: this.#killed,
      outOfMemory: isOutOfMemory(this.#error),
      stuck,
      ...(this.#error === undefined ? {} : { error: this.#error }),
    };
    this.#listeners.ended(end);
  }
}

/** A thread that could not even be tried: an option that Node does not take. */
const UNSTARTED: ThreadPort = Object.freeze({ post() {}, kill() {} });

export const startThread = (
  spec: ThreadSpec,
  listeners: ThreadListeners,
  startTimer: StartTimer,
): ThreadPort => {
  try {
    const worker = new Worker(spec.isSource ? spec.code : new URL(spec.code), {
      eval: spec.isSource,
      env: { ...spec.env },
      argv: [...spec.argv],
      execArgv: [],
      workerData: spec.workerData,
      stdout: true,
      stderr: true,
      ...(spec.limits === undefined ? {} : { resourceLimits: { ...spec.limits } }),
    });
    return new RealThread(worker, listeners, startTimer);
  } catch (error) {
    const end: ThreadEnd = { code: 1, killed: false, error, outOfMemory: false, stuck: false };
    startTimer(0, 'thread.unstarted', () => listeners.ended(end));
    return UNSTARTED;
  }
};
