/**
 * One execution as its caller has it: what it prints and asks, in order, and what comes of it.
 *
 * Invariants: every event comes before the end, and exactly one end comes, as an event and as the promise alike; the end waits until
 * a reader has taken what came before, for as long as a drain may take; what nobody reads is bounded. It sends nothing and decides nothing
 * about the process: whoever runs it does.
 */
import { Deque } from '../base/deque.ts';
import { createError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import type {
  AuditChunk,
  DisplayChunk,
  ExecutionResult,
  InputChunk,
  OutputChunk,
  ProgressChunk,
} from './chunks.ts';
import { OutputQueue, type QueueLimits } from './output-queue.ts';

/** What an execution tells, in order; `result` or `error` is the last. `at`: wall clock, ms. */
export type ExecutionEvent =
  | OutputChunk
  | InputChunk
  | DisplayChunk
  | ProgressChunk
  | AuditChunk
  | { readonly kind: 'result'; readonly result: ExecutionResult; readonly at: number }
  | { readonly kind: 'error'; readonly error: unknown; readonly at: number };

/** Code that runs, or ran. Reading is optional; leaving the loop early discards what is left and cancels nothing. */
export interface Execution extends AsyncIterable<ExecutionEvent> {
  readonly id: string;
  /**
   * @throws ERR_EXECUTION_FAILED: the code threw; ERR_EXECUTION_CANCELLED, ERR_EXECUTION_TIMEOUT, ERR_EXECUTION_LIMIT: it was stopped;
   *   ERR_WORKER_EXITED, ERR_WORKER_PROTOCOL: its process is gone; ERR_OUTPUT_DRAIN: its reader was too slow; ERR_SESSION_BUSY,
   *   ERR_SESSION_ENDED: it never ran; ERR_EXECUTION_UNKNOWN: it began before a restart of the service
   */
  readonly result: Promise<ExecutionResult>;
  /** Events that were dropped for want of a reader. */
  readonly dropped: number;
  /** Asks it to end, in three stages. `false`: it is over. */
  cancel(reason?: string): boolean;
}

/** How an execution ended. */
export type ExecutionOutcome = { readonly result: ExecutionResult } | { readonly error: unknown };

/** What an execution needs of whoever runs it. */
export interface ExecutionOwner {
  readonly host: Host;
  readonly drainMs: number;
  readonly queue: QueueLimits;
  cancel(reason: string): boolean;
  /** The reader has taken something. */
  taken(): void;
  /** How it ended for its caller, before it is told: written down first, where that is wanted. */
  conclude(outcome: ExecutionOutcome): Promise<void> | undefined;
}

type Reader = (result: IteratorResult<ExecutionEvent>) => void;

/** What an event takes of the room, bytes, beside its text. */
const EVENT_BYTES = 64;

const bytesOf = (event: ExecutionEvent): number => {
  if (event.kind === 'output') return EVENT_BYTES + event.text.length;
  if (event.kind !== 'display') return EVENT_BYTES;
  return Object.values(event.data).reduce((sum, text) => sum + text.length, EVENT_BYTES);
};

export class RunningExecution implements Execution, AsyncIterator<ExecutionEvent> {
  readonly id: string;
  readonly result: Promise<ExecutionResult>;
  readonly #owner: ExecutionOwner;
  readonly #queue: OutputQueue<ExecutionEvent>;
  readonly #readers = new Deque<Reader>();
  #resolve!: (result: ExecutionResult) => void;
  #reject!: (error: unknown) => void;
  /** How it ended, while what it printed is still being read. */
  #outcome: ExecutionOutcome | undefined;
  #drainTimer: Timer | undefined;
  #concluded = false;
  /** The last event is in the queue. */
  #complete = false;
  #left = false;

  constructor(id: string, owner: ExecutionOwner) {
    this.id = id;
    this.#owner = owner;
    this.#queue = new OutputQueue(owner.queue);
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever reads is told of a failure by the last event.
    this.result.catch(() => undefined);
  }

  get dropped(): number {
    return this.#queue.dropped;
  }

  /** How many chunks more the reader has room for. */
  get room(): number {
    return this.#queue.room;
  }

  cancel(reason = 'cancelled by its caller'): boolean {
    return this.#outcome === undefined && this.#owner.cancel(reason);
  }

  /** Tells the reader. `false`: there is no room, and that is an error. */
  tell(event: ExecutionEvent): boolean {
    if (this.#left || this.#outcome !== undefined) return true;
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      reader({ done: false, value: event });
      return true;
    }
    return this.#queue.push({ event, bytes: bytesOf(event), droppable: event.kind !== 'input' });
  }

  /** It has ended: everything that it printed has been told. Once; later calls do nothing. */
  end(outcome: ExecutionOutcome): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    if (!this.#queue.hasReader || this.#queue.size === 0) {
      this.#conclude(outcome);
      return;
    }
    const { host, drainMs } = this.#owner;
    this.#drainTimer = host.timer(drainMs, 'output drain', () => {
      const data = { execution: this.id, drainMs, waiting: this.#queue.size };
      this.#conclude({ error: createError('ERR_OUTPUT_DRAIN', data, { stack: false }) });
    });
  }

  [Symbol.asyncIterator](): AsyncIterator<ExecutionEvent> {
    if (!this.#left) this.#queue.hasReader = true;
    return this;
  }

  next(): Promise<IteratorResult<ExecutionEvent>> {
    if (!this.#left) this.#queue.hasReader = true;
    const event = this.#queue.take();
    if (event !== undefined) {
      this.#owner.taken();
      const taken = Promise.resolve<IteratorResult<ExecutionEvent>>({ done: false, value: event });
      const outcome = this.#outcome;
      // Not before the reader has it: whoever awaits both sees the output first.
      if (this.#queue.size === 0 && outcome !== undefined) void taken.then(() => this.#conclude(outcome));
      return taken;
    }
    if (this.#left || this.#complete) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  /** The reader has left. */
  return(): Promise<IteratorResult<ExecutionEvent>> {
    this.#left = true;
    this.#queue.hasReader = false;
    this.#queue.clear();
    this.#release();
    this.#owner.taken();
    if (this.#outcome !== undefined) this.#conclude(this.#outcome);
    return Promise.resolve({ done: true, value: undefined });
  }

  #conclude(outcome: ExecutionOutcome): void {
    if (this.#concluded) return;
    this.#concluded = true;
    this.#drainTimer?.cancel();
    const written = this.#owner.conclude(outcome);
    if (written === undefined) this.#settle(outcome);
    else
      written.then(
        () => this.#settle(outcome),
        // It ran, and nobody will find it again: that is worse to keep quiet than to say.
        (error: unknown) => this.#settle({ error }),
      );
  }

  #settle(outcome: ExecutionOutcome): void {
    const at = this.#owner.host.wall();
    if ('result' in outcome) this.#resolve(outcome.result);
    else this.#reject(outcome.error);
    this.#complete = true;
    if (this.#left) return;
    const last: ExecutionEvent =
      'result' in outcome
        ? { kind: 'result', result: outcome.result, at }
        : { kind: 'error', error: outcome.error, at };
    const reader = this.#readers.shift();
    if (reader !== undefined) reader({ done: false, value: last });
    else this.#queue.push({ event: last, bytes: EVENT_BYTES, droppable: false });
    this.#release();
  }

  #release(): void {
    for (let reader = this.#readers.shift(); reader !== undefined; reader = this.#readers.shift())
      reader({ done: true, value: undefined });
  }
}
