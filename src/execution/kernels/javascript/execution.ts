/**
 * One execution: what its code calls of the kernel while it runs, and how it is stopped.
 *
 * Invariants: it ends once; a request to stop is delivered once, as an error, at the next loop, await or wait of the execution's own
 * code, so that `finally` runs and may itself loop and await; background work of the user is never touched by `cancel`. What follows
 * from its end is the session's business.
 */
import { CELL, type Gate, load, STOP, store } from './shared-state.ts';

/** What is thrown into code that is to stop. */
export class Cancelled extends Error {
  static {
    Object.defineProperty(Cancelled.prototype, 'name', { value: 'Cancelled', configurable: true });
  }
}

/** What `process.exit` throws: the rest of the program does not run. */
export class ExitSignal extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`process.exit(${code})`);
    this.code = code;
  }
}

/** How an execution went. */
export type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'cancelled' };

/** Captured before user code can change them. */
const NativePromise = Promise;
const resolved = Promise.resolve.bind(Promise);
const { then } = Promise.prototype;
const { apply } = Reflect;
const ignore = (): void => {};

export interface ExecutionOptions {
  readonly job: number;
  readonly gate: Gate;
  readonly ended: (outcome: Outcome) => void;
}

export class Execution {
  readonly job: number;
  readonly #gate: Gate;
  readonly #ended: (outcome: Outcome) => void;
  #over = false;
  /** Whether what runs now is this execution's own code, not something in the background. */
  #running = false;
  /** Rejects what its code awaits at the top level. */
  #interrupt: ((error: Error) => void) | undefined;
  #stop: Cancelled | undefined;
  #asked = false;
  #hasValue = false;
  #value: unknown;
  /** Set by `process.exit`. */
  exitCode: number | undefined;

  constructor({ job, gate, ended }: ExecutionOptions) {
    this.job = job;
    this.#gate = gate;
    this.#ended = ended;
  }

  get over(): boolean {
    return this.#over;
  }

  get running(): boolean {
    return this.#running;
  }

  /** The value of its last expression, if it ended in one. */
  get outcomeValue(): { readonly hasValue: boolean; readonly value: unknown } {
    return { hasValue: this.#hasValue, value: this.#value };
  }

  /** Runs its code; its end is told, now or later. */
  run(act: () => unknown): void {
    let pending: unknown;
    this.#running = true;
    try {
      pending = this.#gate.outside(act);
    } catch (error) {
      this.#running = false;
      this.#fail(error);
      return;
    }
    this.#running = false;
    if (pending instanceof NativePromise) {
      const done = () => this.#gate.inside(() => this.end({ kind: 'done' }));
      apply(then, pending, [done, (error: unknown) => this.#gate.inside(() => this.#fail(error))]);
    } else this.end({ kind: 'done' });
  }

  /** Called by rewritten code: takes the value of the last expression. */
  result(value: unknown): void {
    this.#hasValue = true;
    this.#value = value;
  }

  /** Called by rewritten code at an await of the top level: it can be ended by a stop. */
  pause(value: unknown): Promise<unknown> {
    this.#running = false;
    return new NativePromise((resolve, reject) => {
      const back = () => {
        if (this.#interrupt === stop) this.#interrupt = undefined;
        this.#running = !this.#over;
      };
      const stop = (error: Error) => {
        back();
        reject(error);
      };
      this.#interrupt = stop;
      const awaited = (outcome: unknown) => {
        back();
        resolve(outcome);
      };
      apply(then, resolved(value), [awaited, stop]);
      this.#deliver();
    });
  }

  /** Called by rewritten code at a `for await` of the top level. */
  async *each(source: AsyncIterable<unknown> | Iterable<unknown>): AsyncGenerator<unknown> {
    const from = source as AsyncIterable<unknown>;
    const iterator: AsyncIterator<unknown> | Iterator<unknown> =
      from[Symbol.asyncIterator] === undefined
        ? (source as Iterable<unknown>)[Symbol.iterator]()
        : from[Symbol.asyncIterator]();
    let complete = false;
    try {
      for (;;) {
        const { done, value } = (await this.pause(iterator.next())) as IteratorResult<unknown>;
        if (done === true) {
          complete = true;
          return value;
        }
        yield value;
      }
    } catch (error) {
      // What it waits for may never come: its clean-up is begun and not waited for.
      if (error instanceof Cancelled) {
        complete = true;
        apply(then, resolved(iterator.return?.()), [ignore, ignore]);
      }
      throw error;
    } finally {
      if (!complete) await iterator.return?.();
    }
  }

  /** A request to stop has come: `hard` also ends it where its code does not react. */
  stop(reason: string, hard: boolean): void {
    if (this.#over) return;
    this.#stop ??= new Cancelled(reason);
    this.#asked = true;
    this.#deliver();
    if (hard) this.#endSoon(2);
  }

  /** What it ran was terminated: nothing of it goes on. */
  terminated(): void {
    this.#running = false;
    this.end({ kind: 'cancelled' });
  }

  /**
   * Called by loops and waits that have seen the request to stop: throws where that is meant for whoever runs now. A cancellation is
   * for this execution's own code only, an interruption for whatever holds the thread.
   */
  check(): void {
    if (this.#over) return;
    const level = load(this.#gate.cells, CELL.stop);
    if (level === STOP.none || (level === STOP.cancel && !this.#running)) return;
    store(this.#gate.cells, CELL.stop, STOP.none);
    this.#asked = false;
    this.#stop ??= new Cancelled('the execution was stopped');
    throw this.#stop;
  }

  end(outcome: Outcome): void {
    if (this.#over) return;
    this.#over = true;
    this.#running = false;
    this.#interrupt = undefined;
    store(this.#gate.cells, CELL.stop, STOP.none);
    this.#ended(outcome);
  }

  #fail(error: unknown): void {
    if (error instanceof ExitSignal) this.end({ kind: 'done' });
    else if (error instanceof Cancelled) this.end({ kind: 'cancelled' });
    else this.end({ kind: 'failed', error });
  }

  /** Ends what is awaited at the top level, if a stop was asked for and not yet delivered. */
  #deliver(): void {
    if (!this.#asked || this.#stop === undefined || this.#interrupt === undefined) return;
    this.#asked = false;
    store(this.#gate.cells, CELL.stop, STOP.none);
    this.#interrupt(this.#stop);
  }

  /** Lets `finally` of the top level have its turns, then ends without it. */
  #endSoon(turns: number): void {
    setImmediate(() => {
      if (this.#over) return;
      if (turns > 0) this.#endSoon(turns - 1);
      else this.#gate.inside(() => this.end({ kind: 'cancelled' }));
    });
  }
}
