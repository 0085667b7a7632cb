/**
 * An operation: a function with a name, a timer, a logger and perhaps a file of its own.
 *
 * Invariant: it is over once: when its work is, or sooner when it is aborted or its time has passed. In that turn its file is closed
 * and its output let go of, exactly once, on every path; work that goes on logs into nothing. Whatever runs beside it, around it or
 * inside it with settings of its own sees none of its settings, and changes none.
 */
import {
  type AbortListener,
  type AbortSource,
  LazyAbort,
  listenToAbort,
  unlistenToAbort,
} from '../base/abort.ts';
import { deadlineIn, NO_DEADLINE, sooner } from '../base/deadline.ts';
import { createError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import { fits, flag, msOrInfinity, object, resolveOptions, text } from '../base/options.ts';
import { realHost } from '../base/real-host.ts';
import { EventStream } from '../base/telemetry.ts';
import type { Awaitable } from '../kernel/logic.ts';
import { promiseOf, rejectLater } from '../resilience/call.ts';
import { type Context, type ContextEntry, currentContext } from './context.ts';
import { type ContextLogger, contextKeys, loggerFor } from './context-log.ts';
import { type ElapsedTimer, startElapsedTimer } from './elapsed-timer.ts';
import { LogFile } from './log-file.ts';
import { HeldOutput, type Output } from './log-output.ts';

export interface OperationOptions {
  /** Names it in errors and events. Default `'operation'`. */
  readonly name?: string;
  /** Where its lines go. Default: where those of the operation around it go, else nowhere. */
  readonly output?: Output;
  /** Whether `debug` lines go to the output as well. Default: as around it, else no. A file gets every line. */
  readonly verbose?: boolean;
  /** A path: emptied, and written by this operation alone. Default: the file of the operation around it, if it has one. */
  readonly logFile?: string;
  /** Aborts it: it rejects at once with the reason, whatever its work does. */
  readonly signal?: AbortSignal;
  /** How long it may take, ms. Default `Infinity`. */
  readonly timeoutMs?: number;
  /** The same as an instant of `host.monotonic()`. The sooner of both counts, and of the context's. */
  readonly deadline?: number;
  /** The context around it. Default: the current one. */
  readonly context?: Context;
  /**
   * Whether what runs inside finds the operation's context as the current one. `false`: only by `operation.context`, which costs other
   * code nothing. Default `true`.
   */
  readonly ambient?: boolean;
  readonly host?: Host;
  /** Default: a stream of its own. */
  readonly events?: EventStream;
}

/** What the work of an operation is given. */
export interface Operation {
  readonly name: string;
  readonly context: Context;
  readonly log: ContextLogger;
  readonly timer: ElapsedTimer;
  /** Aborts when it is aborted or its time has passed. Made when first read. */
  readonly signal: AbortSignal;
  readonly deadline: number;
}

export const OPERATION_DEFAULTS = Object.freeze({
  name: 'operation',
  timeoutMs: NO_DEADLINE,
  deadline: NO_DEADLINE,
  ambient: true,
});

const FIELDS = {
  name: text,
  output: fits<Output>(
    'a stream, or anything with write(text)',
    (value) => typeof (value as { write?: unknown } | null)?.write === 'function',
  ),
  verbose: flag,
  logFile: text,
  signal: object<AbortSignal>('an AbortSignal'),
  timeoutMs: msOrInfinity(0),
  deadline: fits<number>(
    'an instant of host.monotonic(), ms',
    (value) => typeof value === 'number' && !Number.isNaN(value),
  ),
  context: object<Context>('a Context'),
  ambient: flag,
  host: object<Host>('a Host'),
  events: object<EventStream>('an EventStream'),
} as const;

const resolve = (options: OperationOptions) => {
  const resolved = resolveOptions('operation', options, FIELDS, OPERATION_DEFAULTS);
  const host = resolved.host ?? realHost();
  const events = resolved.events ?? new EventStream(() => host.wall());
  return { ...resolved, host, events, outer: resolved.context ?? currentContext() };
};

type Resolved = ReturnType<typeof resolve>;

class OperationRun implements Operation, AbortListener {
  readonly name: string;
  readonly context: Context;
  readonly log: ContextLogger;
  readonly timer: ElapsedTimer;
  readonly deadline: number;
  readonly #options: Resolved;
  readonly #file: LogFile | undefined;
  readonly #output: HeldOutput | undefined;
  #abort: LazyAbort | undefined;
  #alarm: Timer | undefined;
  #over = false;
  #resolve!: (value: unknown) => void;
  #reject!: (error: unknown) => void;

  /** @throws ERR_OPERATION_LOG_FILE */
  constructor(options: Resolved) {
    const { name, host, outer, output, verbose, logFile, timeoutMs } = options;
    this.name = name;
    this.#options = options;
    this.timer = startElapsedTimer(host);
    const own = sooner(options.deadline, deadlineIn(this.timer.startedAtMs, timeoutMs));
    this.deadline = sooner(own, outer.deadline);
    const failed = (what: string) => (why: string) =>
      options.events.emit('operation.log_failed', { path: name, what, why });
    if (logFile !== undefined) this.#file = new LogFile(logFile, name, failed(logFile));
    if (output !== undefined) this.#output = new HeldOutput(output, failed('output'));
    const changes: ContextEntry[] = [contextKeys.timer.of(this.timer)];
    if (this.deadline !== NO_DEADLINE) changes.push(contextKeys.deadline.of(this.deadline));
    if (this.#output !== undefined) changes.push(contextKeys.output.of(this.#output));
    if (this.#file !== undefined) changes.push(contextKeys.logFile.of(this.#file));
    if (verbose !== undefined) changes.push(contextKeys.verbosity.of(verbose ? 'debug' : 'info'));
    this.context = outer.with(changes);
    this.log = loggerFor(() => this.context);
  }

  get signal(): AbortSignal {
    return this.#source.signal;
  }

  run<T>(work: (operation: Operation) => Awaitable<T>): Promise<T> {
    const promise = new Promise<unknown>((yes, no) => {
      this.#resolve = yes;
      this.#reject = no;
    });
    this.#arm();
    let outcome: unknown;
    let pending: Promise<unknown> | undefined;
    try {
      outcome = this.#options.ambient ? this.context.run(() => work(this)) : work(this);
      pending = promiseOf(outcome);
    } catch (error) {
      this.#end('failed', error);
    }
    if (pending === undefined) this.#end('completed', outcome);
    else
      pending.then(
        (value) => this.#end('completed', value),
        (error: unknown) => this.#end('failed', error),
      );
    return promise as Promise<T>;
  }

  aborted(source: AbortSource): void {
    this.#end('aborted', source.reason);
  }

  get #source(): LazyAbort {
    if (this.#abort === undefined) this.#abort = new LazyAbort();
    return this.#abort;
  }

  #arm(): void {
    const { host, signal, name } = this.#options;
    if (signal !== undefined) listenToAbort(signal, this);
    if (this.deadline === NO_DEADLINE) return;
    const timeoutMs = Math.max(0, this.deadline - this.timer.startedAtMs);
    this.#alarm = host.timer(timeoutMs, `operation ${name} deadline`, () =>
      this.#end('timed_out', createError('ERR_DEADLINE_PASSED', { where: `operation ${name}`, timeoutMs })),
    );
  }

  #end(outcome: 'completed' | 'failed' | 'aborted' | 'timed_out', value: unknown): void {
    if (this.#over) return;
    this.#over = true;
    const { signal, events, name } = this.#options;
    this.#alarm?.cancel();
    if (signal !== undefined) unlistenToAbort(signal, this);
    const isCut = outcome === 'aborted' || outcome === 'timed_out';
    if (isCut) this.#source.abort(value);
    this.#output?.letGo();
    this.#file?.close();
    const error = outcome === 'completed' ? undefined : value;
    if (events.active)
      events.emit('operation.ended', { path: name, outcome, runMs: this.timer.elapsedMs(), error });
    if (outcome === 'completed') this.#resolve(value);
    else this.#reject(value);
  }
}

/**
 * Runs `work` as an operation and resolves to what it returns. Its lines begin with the time since it began, `MM:SS.cc`. Inside,
 * `contextLog` logs to it too, and operations have timers of their own; what they do not set, they take from this one.
 *
 * @throws what `work` throws, the signal's reason, ERR_DEADLINE_PASSED, ERR_OPERATION_LOG_FILE: `work` was not called;
 *   ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const operation = <T>(
  options: OperationOptions,
  work: (operation: Operation) => Awaitable<T>,
): Promise<T> => {
  try {
    const resolved = resolve(options);
    resolved.signal?.throwIfAborted();
    return new OperationRun(resolved).run(work);
  } catch (error) {
    return rejectLater(error);
  }
};
