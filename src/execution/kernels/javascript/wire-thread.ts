/**
 * The wire thread of a session kernel: it reads what the parent says, always, whatever user code does with the main thread.
 *
 * Invariants: a ping is answered at once; a second execution, or what would disturb the one under way, is answered `Busy`; the
 * process ends when its parent does; the main thread is terminated only while it is outside the kernel (see `shared-state.ts`). What
 * jobs do is the main thread's business: this one hands them over.
 */
import type { Buffer } from 'node:buffer';
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import process from 'node:process';
import type { MessagePort } from 'node:worker_threads';
import { type ParentMessage, readParentMessage } from '../../../work/messages.ts';
import { FrameDecoder } from '../../../work/wire.ts';
import { FrameWriter } from './frame-writer.ts';
import { breach, FROM_PARENT } from './handshake.ts';
import type { ToMain } from './messages.ts';
import { add, CELL, claimInput, claimRequest, load, STOP, store, wake } from './shared-state.ts';

/** How long the main thread may take to notice a request to stop before it is broken into, ms. */
const NOTICE_MS = 40;
/** When to try again where the main thread was inside the kernel, ms. */
const RETRY_MS = 5;
/** A termination that is not confirmed within this time has not found anything to terminate, ms. */
const CONFIRM_MS = 200;
/** How often one interrupt breaks in: code that goes on nevertheless is the service's to kill. */
const MOST_BREAKS = 8;

type Run = ParentMessage & { kind: 'run' };

export interface WireThreadOptions {
  readonly cells: Int32Array;
  readonly input: number;
  readonly output: number;
  /** Where jobs are laid down; the main thread takes them without an event of its own. */
  readonly jobs: MessagePort;
  /** What wakes the main thread's event loop. */
  readonly bell: MessagePort;
}

export class WireThread {
  readonly #cells: Int32Array;
  readonly #jobs: MessagePort;
  readonly #bell: MessagePort;
  readonly #writer: FrameWriter;
  #leaving = false;
  /** The execution under way, while `executing` says that there is one. */
  #execution = -1;

  constructor({ cells, input, output, jobs, bell }: WireThreadOptions) {
    this.#cells = cells;
    this.#jobs = jobs;
    this.#bell = bell;
    // The main thread reads the first words itself.
    Atomics.wait(cells, CELL.open, 0);
    this.#writer = new FrameWriter(cells, output);
    this.#writer.limits = {
      maxFrameBytes: load(cells, CELL.maxFrameBytes),
      maxDepth: load(cells, CELL.maxDepth),
    };
    const decoder = new FrameDecoder(FROM_PARENT, (message) => this.#heard(readParentMessage(message)));
    const stream = new Socket({ fd: input, readable: true, writable: false });
    stream.on('data', (chunk: Buffer) => {
      try {
        decoder.push(chunk);
      } catch (error) {
        breach((error as Error).message);
      }
    });
    const ended = () => {
      if (!this.#leaving) endAll();
    };
    stream.on('end', ended).on('error', ended);
    // The lifeline: silent, and over when the parent is.
    const lifeline = new Socket({ fd: 0, readable: true, writable: false });
    lifeline.on('end', endAll).on('error', endAll).resume();
  }

  #heard(message: ReturnType<typeof readParentMessage>): void {
    switch (message.kind) {
      case '!':
        breach(message.why);
        break;
      case 'hello':
        breach('it said hello twice');
        break;
      case 'run':
        this.#run(message);
        break;
      case 'more':
        this.#grant(message.id, message.chunks);
        break;
      case 'cancel':
        this.#stop(message.id, message.reason, STOP.cancel);
        break;
      case 'interrupt':
        this.#stop(message.id, message.reason, STOP.interrupt);
        break;
      case 'ping':
        this.#writer.send({ kind: 'pong', id: message.id });
        break;
      case 'shutdown':
        this.#leaving = true;
        this.#stop(this.#execution, 'the session is closed', STOP.cancel);
        this.#post({ kind: 'shutdown' });
    }
  }

  #grant(id: number, chunks: number): void {
    if (id !== this.#execution) return;
    add(this.#cells, CELL.credit, chunks);
    wake(this.#cells);
  }

  #run(job: Run): void {
    const { id, name } = job;
    const args = (job.args ?? {}) as Readonly<Record<string, unknown>>;
    if (name === 'input_response') {
      const request = Number(args['request']);
      const text = typeof args['text'] === 'string' ? args['text'] : null;
      const claimed = Number.isInteger(request) && claimInput(this.#cells, request);
      if (claimed) this.#post({ kind: 'input', request, text });
      this.#answer(id, claimed);
    } else if (name === 'respond') {
      const request = Number(args['request']);
      const claimed = Number.isInteger(request) && request > 0 && claimRequest(this.#cells, request);
      if (claimed) this.#post({ kind: 'response', request, args });
      this.#answer(id, claimed);
    } else if (name === 'stats') {
      this.#tellStats(id);
    } else if (load(this.#cells, CELL.executing) === 1) {
      const message = `the session is executing: ${name} has to wait until that is over`;
      this.#writer.send({ kind: 'error', id, type: 'Busy', message, traceback: '' });
    } else {
      if (name === 'execute') this.#begin(job);
      // Nothing is terminated before this job runs: it may go by the event itself, the shorter way.
      this.#bell.postMessage({ kind: 'job', id, name, args } satisfies ToMain);
    }
  }

  #begin({ id, stream }: Run): void {
    this.#execution = id;
    store(this.#cells, CELL.stop, STOP.none);
    store(this.#cells, CELL.credit, stream ?? 0);
    store(this.#cells, CELL.executing, 1);
  }

  #answer(id: number, value: unknown): void {
    this.#writer.send({ kind: 'result', id, value });
  }

  /** What the main thread last noted of itself, and what the system knows: told also while user code holds the main thread. */
  #tellStats(id: number): void {
    const { user, system } = process.cpuUsage();
    const of = (cell: number) => load(this.#cells, cell);
    this.#answer(id, {
      namespaceSize: of(CELL.names),
      backgroundTasks: of(CELL.tasks),
      executions: of(CELL.executions),
      residentBytes: process.memoryUsage.rss(),
      cpuMs: (user + system) / 1_000,
      droppedChunks: of(CELL.dropped),
      cache: { hits: of(CELL.hits), misses: of(CELL.misses), size: of(CELL.cached) },
    });
  }

  /** Lays something down for the main thread and wakes it, whether it waits in the event loop or inside the kernel. */
  #post(message: ToMain): void {
    this.#jobs.postMessage(message);
    wake(this.#cells);
    this.#ring();
  }

  #ring(): void {
    this.#bell.postMessage(0);
  }

  #stop(id: number, reason: string, level: number): void {
    if (id !== this.#execution || load(this.#cells, CELL.executing) === 0) return;
    const taken = load(this.#cells, CELL.taken);
    store(this.#cells, CELL.stop, level);
    this.#post({ kind: 'stop', reason, hard: level === STOP.interrupt });
    if (level === STOP.interrupt) setTimeout(() => this.#breakIn(id, taken, MOST_BREAKS), NOTICE_MS);
  }

  /** Terminates what the main thread runs, unless it has taken note of the request to stop meanwhile. */
  #breakIn(id: number, taken: number, left: number): void {
    const cells = this.#cells;
    const isOver = id !== this.#execution || load(cells, CELL.executing) === 0;
    if (isOver || left === 0 || load(cells, CELL.taken) !== taken) return;
    store(cells, CELL.firing, 1);
    if (load(cells, CELL.kernel) === 1) {
      this.#ceaseFire();
      setTimeout(() => this.#breakIn(id, taken, left), RETRY_MS);
      return;
    }
    terminateMainThread(CONFIRM_MS, () => {
      this.#ceaseFire();
      this.#post({ kind: 'terminated' });
      setTimeout(() => this.#breakIn(id, taken, left - 1), NOTICE_MS);
    });
  }

  #ceaseFire(): void {
    store(this.#cells, CELL.firing, 0);
    Atomics.notify(this.#cells, CELL.firing);
  }
}

/** Asks the engine, by its inspector, to terminate what the main thread runs; works in loops, waits and regular expressions. */
const terminateMainThread = (withinMs: number, done: () => void): void => {
  const { Session } = createRequire(import.meta.url)('node:inspector') as typeof import('node:inspector');
  const session = new Session();
  let told = false;
  const tell = () => {
    if (told) return;
    told = true;
    clearTimeout(timer);
    session.disconnect();
    done();
  };
  const timer = setTimeout(tell, withinMs);
  session.connectToMainThread();
  session.post('Runtime.terminateExecution', tell);
};

/** The parent is gone: nobody wants this session, nor what it has started. */
const endAll = (): void => {
  try {
    process.kill(-process.pid, 'SIGKILL');
  } catch {
    process.kill(process.pid, 'SIGKILL');
  }
};
