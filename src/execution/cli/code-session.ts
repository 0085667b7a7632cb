/**
 * One supervised session for a command at a terminal, and what its end means for the shell.
 *
 * Invariant: whatever becomes of the command, its session's processes are gone when this has resolved.
 */
import { constants } from 'node:os';
import { isTroupeError, plainText } from '../../base/errors.ts';
import { createSystem } from '../../kernel/system.ts';
import { codeExecutor } from '../executor.ts';
import type { Session } from '../session.ts';
import type { Console, EndSignal } from './console.ts';

/** Exit codes, as of common tools. */
export const DONE = 0;
export const FAILED = 1;
export const MISUSED = 2;
/** What a shell makes of a signal: 130 after Ctrl-C. */
const SIGNAL_CODES = 128;

export type Language = 'python' | 'javascript';
export const LANGUAGES: readonly Language[] = ['python', 'javascript'];

/** How a session at a terminal is started. Times in ms. */
export interface CodeSessionPlan {
  readonly language: Language;
  /** The interpreter; `undefined`: `python3`, or this Node. */
  readonly command: string | undefined;
  /** How long code may take to comply with each stage of Ctrl-C. */
  readonly graceMs: number;
  readonly mainFile?: string;
  /** Whether what can be kept of the namespace outlives a process that had to be killed. */
  readonly checkpoint?: 'on_kill';
}

/** A person at a terminal may type for as long as he likes, and read as slowly. */
const PATIENT_MS = 2 ** 31 - 1;
/** A person sees that something is slow; a machine under load may be. */
const READY_MS = 30_000;

/** A session of all that the user may do himself: his code is not confined from him. */
export const withSession = async <T>(
  plan: CodeSessionPlan,
  console: Console,
  work: (session: Session) => Promise<T>,
): Promise<T> => {
  const { language, command, graceMs, mainFile, checkpoint = 'never' } = plan;
  const system = createSystem();
  const interpreter = command === undefined ? {} : { command };
  const env = Object.entries(console.environment).filter(
    (each): each is [string, string] => each[1] !== undefined,
  );
  try {
    const executor = await system.start(
      codeExecutor('terminal', {
        ...(language === 'python' ? { python: interpreter } : { node: interpreter }),
        capabilities: 'unrestricted',
        floods: false,
        output: { drainMs: PATIENT_MS },
        executeTimeoutMs: Number.POSITIVE_INFINITY,
        inputTimeoutMs: Number.POSITIVE_INFINITY,
        cancelGraceMs: graceMs,
        interruptGraceMs: graceMs,
        readyTimeoutMs: READY_MS,
        // Another start of what does not start fails as well: whoever types sees why at once.
        replacements: { intensity: 3, periodMs: 10_000 },
      }),
    );
    const session = await executor.session({
      language,
      id: language,
      cwd: console.cwd,
      checkpoint,
      env: Object.fromEntries(env),
      ...(mainFile === undefined ? {} : { mainFile }),
    });
    return await work(session);
  } finally {
    await system.shutdown();
  }
};

/** How something failed, on one line with its code. */
export const describe = (error: unknown): string => {
  if (!isTroupeError(error)) return error instanceof Error ? error.message : String(error);
  return `${error.code}: ${plainText(error)}`.replaceAll('\n', ' ');
};

/** What is wrong with how a command was called, told on one line. */
export const refuseUsage = async (console: Console, error: unknown): Promise<number> => {
  await console.complain(`troupe: ${describe(error)}\n`);
  return MISUSED;
};

/** The user's own traceback, as his interpreter would have printed it; nothing where there is none. */
export const tracebackIn = (error: unknown): string | undefined => {
  if (!isTroupeError(error, 'ERR_EXECUTION_FAILED')) return undefined;
  const { traceback, type, text } = error.data as Readonly<Record<'traceback' | 'type' | 'text', unknown>>;
  const last = `${String(type)}: ${String(text)}`;
  const told = typeof traceback === 'string' ? traceback.trimEnd() : '';
  return `${told === '' ? last : told}\n`;
};

const codeOfSignal = (name: string): number =>
  SIGNAL_CODES + ((constants.signals as Readonly<Record<string, number>>)[name] ?? 0);

/** What the shell is told of an execution that did not end well: of a process that ended, how that ended. */
export const exitCodeOf = (error: unknown, signal: EndSignal | undefined): number => {
  if (signal !== undefined) return codeOfSignal(signal);
  if (!isTroupeError(error, 'ERR_WORKER_EXITED')) return FAILED;
  const { code, signal: killer } = error.data as { readonly code?: unknown; readonly signal?: unknown };
  if (typeof killer === 'string') return codeOfSignal(killer);
  return typeof code === 'number' ? code : FAILED;
};
