/**
 * The result of a job, taken chunk by chunk as its handler yields it.
 *
 * Invariants: chunks come in order, each once, and before the end; no more wait here than the window allows, for the handler is granted
 * one more only when one was taken; whoever stops reading cancels the job in two stages. What came before a failure is read before
 * the failure is told.
 */
import { Deque } from '../base/deque.ts';

/** What a stream needs of its job. */
export interface StreamedJob {
  readonly promise: Promise<unknown>;
  more(chunks: number): void;
  /** Its caller does not want it any more. */
  abandon(cause: unknown): void;
}

/** A job's result as it comes. Read it once, with `for await`; leaving the loop early cancels the job. */
export interface JobStream<T = unknown> extends AsyncIterableIterator<T> {
  /** What the handler returned at last, or why it failed; fulfilled with `undefined` where the reader left early. */
  readonly result: Promise<unknown>;
  [Symbol.asyncDispose](): Promise<void>;
}

interface Reader<T> {
  readonly resolve: (result: IteratorResult<T>) => void;
  readonly reject: (error: unknown) => void;
}

type End = { readonly error: unknown } | 'done';

export class ResultStream<T> implements JobStream<T> {
  readonly stream: number;
  readonly result: Promise<unknown>;
  readonly #readers = new Deque<Reader<T>>();
  readonly #chunks = new Deque<{ readonly value: T }>();
  #job: StreamedJob | undefined;
  #end: End | undefined;
  #left = false;
  #settle!: (value: unknown) => void;
  #fail!: (error: unknown) => void;
  readonly progressed: ((value: unknown) => void) | undefined;

  constructor(window: number, progressed: ((value: unknown) => void) | undefined) {
    this.stream = window;
    this.progressed = progressed;
    this.result = new Promise((resolve, reject) => {
      this.#settle = resolve;
      this.#fail = reject;
    });
    // Whoever reads is told of a failure by the reading.
    this.result.catch(() => undefined);
  }

  /** It is this job's result; or none's, and the promise says why. */
  of(job: StreamedJob | Promise<never>): this {
    if ('more' in job) this.#job = job;
    const promise = 'more' in job ? job.promise : job;
    promise.then(
      (value) => this.#ended('done', value),
      (error: unknown) => this.#ended({ error }, undefined),
    );
    return this;
  }

  chunk(value: unknown): void {
    if (this.#left) return;
    const reader = this.#readers.shift();
    if (reader === undefined) {
      this.#chunks.push({ value: value as T });
      return;
    }
    reader.resolve({ done: false, value: value as T });
    this.#job?.more(1);
  }

  next(): Promise<IteratorResult<T>> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#job?.more(1);
      return Promise.resolve({ done: false, value: chunk.value });
    }
    if (this.#left || this.#end === 'done') return Promise.resolve({ done: true, value: undefined });
    if (this.#end !== undefined) {
      const { error } = this.#end;
      // Told once, as a generator does.
      this.#end = 'done';
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.#readers.push({ resolve, reject });
    });
  }

  return(): Promise<IteratorResult<T>> {
    if (!this.#left) {
      this.#left = true;
      this.#chunks.clear();
      this.#settle(undefined);
      if (this.#end === undefined) this.#job?.abandon('its reader has left');
      this.#release({ done: true, value: undefined });
    }
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #ended(end: End, value: unknown): void {
    if (this.#left) return;
    if (end === 'done') this.#settle(value);
    else this.#fail(end.error);
    const first = end === 'done' ? undefined : this.#readers.shift();
    this.#end = first === undefined ? end : 'done';
    if (end !== 'done') first?.reject(end.error);
    this.#release({ done: true, value: undefined });
  }

  #release(result: IteratorResult<T>): void {
    for (let reader = this.#readers.shift(); reader !== undefined; reader = this.#readers.shift())
      reader.resolve(result);
  }
}
