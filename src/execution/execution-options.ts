/** How one execution is asked for: its options, checked once. */
import { fits, fn, listOf, msOrInfinity, oneOf, resolveOptions, text } from '../base/options.ts';
import type { Awaitable } from '../kernel/logic.ts';

/** What code waits for when it asks for input. */
export interface InputRequest {
  readonly execution: string;
  readonly request: string;
  readonly prompt: string;
  readonly secret: boolean;
}

/** What becomes of the namespace: all is kept, nothing where the code failed, or nothing at all. */
export type Transaction = 'commit_always' | 'rollback_on_failure' | 'rollback_always';

/** Options of `session.execute`. Times in ms. */
export interface ExecuteOptions {
  /**
   * What it is known by, everywhere; with a store it never runs twice, and its result is found again after a restart of the service.
   * Default: a fresh one.
   */
  readonly id?: string;
  /**
   * How long it may take, from the call on. Time in which it waits for input does not count. Default 30,000; `Infinity` is allowed.
   */
  readonly timeoutMs?: number;
  /** An instant of `host.monotonic()` after which it is stopped, whatever it does. */
  readonly deadline?: number;
  /** Cancels it. */
  readonly signal?: AbortSignal;
  /** `repl` gives the value of a last expression, `script` runs as a file does. Default `'repl'`. */
  readonly kind?: 'repl' | 'script';
  /** What tracebacks call the code. */
  readonly filename?: string;
  /** Of a script. */
  readonly argv?: readonly string[];
  /** Default `'commit_always'`. */
  readonly transaction?: Transaction;
  /** Answers input; `null` is the end of input, as is a throw. Without it `session.input` answers. */
  readonly onInput?: (request: InputRequest) => Awaitable<string | null>;
}

const FIELDS = {
  id: fits<string>(
    'a string of at most 200 characters without control characters',
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here.
    (v) => typeof v === 'string' && /^[^\u0000-\u001f]{1,200}$/.test(v),
  ),
  timeoutMs: msOrInfinity(0),
  deadline: fits<number>('an instant of host.monotonic()', (v) => typeof v === 'number' && !Number.isNaN(v)),
  signal: fits<AbortSignal>(
    'an AbortSignal',
    (v) => typeof (v as AbortSignal | null)?.addEventListener === 'function',
  ),
  kind: oneOf('repl', 'script'),
  filename: text,
  argv: listOf(fits<string>('a string', (v) => typeof v === 'string', 'strings')),
  transaction: oneOf('commit_always', 'rollback_on_failure', 'rollback_always'),
  onInput: fn<NonNullable<ExecuteOptions['onInput']>>(),
};

export const EXECUTE_DEFAULTS = Object.freeze({
  kind: 'repl' as 'repl' | 'script',
  transaction: 'commit_always' as Transaction,
  deadline: Number.POSITIVE_INFINITY,
});

export type ResolvedExecute = ExecuteOptions &
  Required<Pick<ExecuteOptions, 'timeoutMs' | 'deadline' | 'kind' | 'transaction'>>;

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const resolveExecute = (
  where: string,
  options: ExecuteOptions | undefined,
  timeoutMs: number,
): ResolvedExecute => resolveOptions(where, options, FIELDS, { ...EXECUTE_DEFAULTS, timeoutMs });
