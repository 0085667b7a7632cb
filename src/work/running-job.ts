/**
 * One job under a handler of ours: what the handler is given, and what became of it. Used wherever JavaScript
 * runs jobs: in a worker process or thread by the SDK, and in this process by `in-process.ts`.
 *
 * Invariant: a job has exactly one answer, and whatever a handler throws becomes one. The signal costs
 * nothing until it is read.
 */
import { show } from '../base/errors.ts';
import { NOTHING_CARRIED } from './carried-context.ts';
import type { WorkerFailure } from './worker-port.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** What a handler is given beside its arguments. */
export interface JobContext {
  /** Aborts when the job is cancelled or the worker shuts down. Honour it, or the worker is killed. */
  readonly signal: AbortSignal;
  /**
   * Whether it was told to stop. For loops that never await: in a thread this sees a cancellation though the loop holds the thread;
   * elsewhere it can only see what arrived before. Cheap enough to ask each time round.
   */
  readonly cancelled: boolean;
  /** What is left of the job's deadline at the moment of reading, ms; `Infinity` without one. */
  readonly remainingMs: number;
  /** What its caller's context lets go along, by the names of the keys. */
  readonly context: Readonly<Record<string, unknown>>;
  /** Puts a line into the service's log. Default level `info`. */
  log(text: string, level?: LogLevel): void;
  /** Tells the caller how far it is; anything that a result could be. What cannot be sent fails the job. */
  progress(value: unknown): void;
}

/**
 * Runs jobs of one name. What it returns (or resolves to) is the result. Written so that `args` may be of any
 * type.
 */
export type JobHandler<C = JobContext> = { handle(args: unknown, context: C): unknown }['handle'];

/** Causes followed in a traceback. */
const LONGEST_CHAIN = 5;
/** Characters of an error that are reported: enough for the frames that matter. */
const LONGEST_TRACEBACK = 32_768;
const LONGEST_MESSAGE = 8_192;

export abstract class RunningJob implements JobContext {
  readonly context: Readonly<Record<string, unknown>>;
  readonly #deadline: number;
  #bound: JobContext['log'] | undefined = undefined;
  #controller: AbortController | undefined = undefined;
  #cancelled = false;

  /** `deadline`: an instant of {@link now}; `Infinity` without one. */
  constructor(deadline: number, context: Readonly<Record<string, unknown>> | undefined) {
    this.context = context ?? NOTHING_CARRIED;
    this.#deadline = deadline;
  }

  /** A monotonic clock, ms. */
  protected abstract now(): number;
  protected abstract tellLog(text: string, level: LogLevel): void;
  protected abstract tellProgress(value: unknown): void;
  /** Takes note of what the parent has said meanwhile, where that is possible without giving up the thread. */
  protected look(): void {}
  /** Its one answer is one of these three, and never given before {@link follow} returned. */
  protected abstract succeeded(value: unknown): void;
  protected abstract failed(failure: WorkerFailure): void;
  protected abstract gaveUp(): void;

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  get cancelled(): boolean {
    this.look();
    return this.#cancelled;
  }

  get remainingMs(): number {
    return Math.max(0, this.#deadline - this.now());
  }

  /** Made when first read. Handlers take the context apart: it must not need it. */
  get log(): JobContext['log'] {
    this.#bound ??= (text, level = 'info') => this.tellLog(String(text), level);
    return this.#bound;
  }

  /** Made on reading, for the same reason. */
  get progress(): JobContext['progress'] {
    return (value) => this.tellProgress(value);
  }

  /** Aborts the signal. Once is enough. */
  cancel(reason: string): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    this.#controller ??= new AbortController();
    const error = new Error(`the job was cancelled: ${reason}`);
    error.name = 'AbortError';
    this.#controller.abort(error);
  }

  /** Answers as soon as what its handler gave has settled; what it threw is given as a rejection. */
  follow(outcome: unknown): void {
    Promise.resolve(outcome).then(
      (value) => this.succeeded(value),
      (error: unknown) => {
        if (this.#complied(error)) this.gaveUp();
        else this.failed(failureOf(error));
      },
    );
  }

  /**
   * A job that was told to stop and throws what its signal gave it, or any AbortError, did as it was told.
   */
  #complied(error: unknown): boolean {
    if (!this.#cancelled) return false;
    return error === this.#controller?.signal.reason || (error as Error | null)?.name === 'AbortError';
  }
}

/** An error as it travels: by name, message and stack, with its causes. */
export const failureOf = (error: unknown): WorkerFailure => {
  if (!(error instanceof Error)) {
    return { type: typeof error, message: cut(show(error), LONGEST_MESSAGE), traceback: '' };
  }
  const chain: string[] = [];
  for (let e: unknown = error; e instanceof Error && chain.length < LONGEST_CHAIN; e = e.cause) {
    chain.push(String(e.stack ?? `${e.name}: ${e.message}`));
  }
  return {
    type: String(error.name),
    message: cut(String(error.message), LONGEST_MESSAGE),
    traceback: cut(chain.join('\ncaused by '), LONGEST_TRACEBACK),
  };
};

/** Shortens a text, keeping both ends: one language prints what happened first, another last. */
export const cut = (text: string, longest: number): string =>
  text.length <= longest ? text : `${text.slice(0, longest / 2)} … ${text.slice(-longest / 2)}`;
