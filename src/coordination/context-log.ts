/**
 * What every operation has in its context, and the lines that are written by it.
 *
 * Invariant: a line goes where the context in which it is logged says, with that one's time and verbosity, and nowhere else.
 * To log never fails whoever logs.
 */
import { type Context, currentContext, DEADLINE, makeKey } from './context.ts';
import type { ElapsedTimer } from './elapsed-timer.ts';
import { type Output, writeTo } from './log-output.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** What an operation is part of, as W3C Trace Context has it. */
export interface Trace {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  readonly sampled?: boolean;
}

/** The keys that troupe knows. */
export const contextKeys = Object.freeze({
  /** Where lines go. Default: nowhere. */
  output: makeKey<Output | undefined>('troupe.output', { default: undefined }),
  /** The least level of which lines go to the output. A file gets all. */
  verbosity: makeKey<LogLevel>('troupe.verbosity', { default: 'info', carried: true }),
  /** Since when the time before each line counts. Default: lines have no time. */
  timer: makeKey<ElapsedTimer | undefined>('troupe.timer', { default: undefined }),
  /** The file of the operation; opened and closed by it. */
  logFile: makeKey<Output | undefined>('troupe.log-file', { default: undefined }),
  /** An instant of `host.monotonic()`; inside it only becomes sooner. Jobs and tasks that are given the context keep it. */
  deadline: DEADLINE,
  trace: makeKey<Trace | undefined>('troupe.trace', { default: undefined, carried: true }),
});

/** Writes lines. */
export interface ContextLogger {
  debug(text: string): void;
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
}

const PREFIX: Readonly<Record<LogLevel, string>> = {
  debug: '',
  info: '',
  warn: 'warning: ',
  error: 'error: ',
};

/** One record is one line with its time, then lines that are set in: nothing that is logged passes for a record of its own. */
const lineOf = (timer: ElapsedTimer | undefined, level: LogLevel, text: string): string => {
  const time = timer === undefined ? '' : `${timer} `;
  const body = `${time}${PREFIX[level]}${text}`.replace(
    /\r\n|[\r\n\u2028\u2029]/g,
    `\n${' '.repeat(time.length)}`,
  );
  return `${body}\n`;
};

const log = (context: Context, level: LogLevel, text: string): void => {
  const output = context.get(contextKeys.output);
  const file = context.get(contextKeys.logFile);
  const shown = LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(context.get(contextKeys.verbosity));
  if (file === undefined && (output === undefined || !shown)) return;
  const line = lineOf(context.get(contextKeys.timer), level, String(text));
  if (output !== undefined && shown) writeTo(output, line);
  file?.write(line);
};

/** A logger for whatever context `read` gives each time. */
export const loggerFor = (read: () => Context): ContextLogger =>
  Object.freeze({
    debug: (text: string) => log(read(), 'debug', text),
    info: (text: string) => log(read(), 'info', text),
    warn: (text: string) => log(read(), 'warn', text),
    error: (text: string) => log(read(), 'error', text),
  });

/** Logs in the context in which it is called: to that one's output and file. Outside of any it does nothing. */
export const contextLog: ContextLogger = /* @__PURE__ */ loggerFor(currentContext);
