/**
 * `troupe run <file>`: a Python or JavaScript file in a supervised session, as the interpreter itself would run it.
 *
 * Invariant: what the file prints is on stdout and stderr as it prints it, and nothing else is on stdout; the exit code is its own.
 */
import { readFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { isTroupeError } from '../../base/errors.ts';
import { refuse, refuseWith } from '../../base/options.ts';
import {
  DONE,
  describe,
  exitCodeOf,
  FAILED,
  type Language,
  refuseUsage,
  tracebackIn,
  withSession,
} from './code-session.ts';
import type { CodeCommand, Console } from './console.ts';
import { type Shown, show } from './show.ts';

const WHERE = 'troupe run';
const ENDINGS: Readonly<Record<string, Language>> = {
  '.py': 'python',
  '.js': 'javascript',
  '.mjs': 'javascript',
  '.cjs': 'javascript',
};
const GRACE_MS = 500;
const MS_PER_S = 1_000;

interface Asked {
  readonly file: string;
  readonly language: Language;
  readonly code: string;
  readonly argv: readonly string[];
  readonly command: string | undefined;
  readonly graceMs: number;
  readonly timeoutMs: number;
}

const millisecondsOf = (name: string, seconds: string): number => {
  const count = Number(seconds);
  const isFit = seconds.trim() !== '' && Number.isFinite(count) && count >= 0;
  return isFit ? count * MS_PER_S : refuse(WHERE, name, 'a number of seconds', seconds);
};

/** What comes before the file is ours; what comes after it is the file's. */
const readOptions = (
  args: readonly string[],
): [options: ReadonlyMap<string, string>, rest: readonly string[]] => {
  const options = new Map<string, string>();
  let at = 0;
  for (; args[at]?.startsWith('--') === true; at += 2) {
    const name = args[at] as string;
    const value = args[at + 1];
    if (!['--interpreter', '--grace', '--timeout'].includes(name))
      refuse(WHERE, 'option', '--interpreter, --grace or --timeout', name);
    options.set(name, value ?? refuseWith(WHERE, name, 'followed by its value', 'nothing'));
  }
  return [options, args.slice(at)];
};

const readCode = async (path: string, file: string): Promise<string> => {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    return refuseWith(
      WHERE,
      'file',
      'a file that can be read',
      `${file} (${(error as { code?: string }).code})`,
    );
  }
};

/** @throws ERR_OPTION_INVALID */
const readArguments = async (args: readonly string[], cwd: string): Promise<Asked> => {
  const [options, [file, ...argv]] = readOptions(args);
  const timeout = options.get('--timeout');
  const grace = options.get('--grace');
  const graceMs = grace === undefined ? GRACE_MS : millisecondsOf('--grace', grace);
  const timeoutMs = timeout === undefined ? Number.POSITIVE_INFINITY : millisecondsOf('--timeout', timeout);
  if (file === undefined) return refuseWith(WHERE, 'file', 'a .py, .js, .mjs or .cjs file', 'none');
  const language = ENDINGS[extname(file)] ?? refuse(WHERE, 'file', 'a .py, .js, .mjs or .cjs file', file);
  const path = resolve(cwd, file);
  return {
    file: language === 'python' ? file : path,
    language,
    code: await readCode(path, file),
    argv,
    command: options.get('--interpreter'),
    graceMs,
    timeoutMs,
  };
};

const report = async ({ outcome, signal }: Shown, console: Console): Promise<number> => {
  if (outcome.status === 'fulfilled') return outcome.value.exitCode ?? DONE;
  const { reason } = outcome;
  const wasAsked = isTroupeError(reason, 'ERR_EXECUTION_CANCELLED');
  const { stage } = (isTroupeError(reason) ? reason.data : {}) as { readonly stage?: string };
  if (!wasAsked) await console.complain(tracebackIn(reason) ?? `${WHERE}: ${describe(reason)}\n`);
  else if (stage !== 'cooperative')
    await console.complain(`${WHERE}: it did not end when asked to, and was ${stage}\n`);
  return exitCodeOf(reason, wasAsked ? signal : undefined);
};

export const run: CodeCommand = {
  usage: 'run <file.py|file.js> [arguments…]',
  summary: 'runs a file in a supervised session; Ctrl-C asks, interrupts, then kills',
  run: async (args, console) => {
    let asked: Asked;
    try {
      asked = await readArguments(args, console.cwd);
    } catch (error) {
      return refuseUsage(console, error);
    }
    const { file, language, code, argv, command, graceMs, timeoutMs } = asked;
    const options = { kind: 'script', filename: file, argv, timeoutMs } as const;
    try {
      return await withSession({ language, command, graceMs, mainFile: file }, console, async (session) =>
        report(await show(session, console, { code, options }), console),
      );
    } catch (error) {
      await console.complain(`${WHERE}: ${describe(error)}\n`);
      return FAILED;
    } finally {
      console.close();
    }
  },
};
