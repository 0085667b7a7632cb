/**
 * `troupe repl`: an interactive session in Python or JavaScript. Results are shown as the language itself writes them.
 *
 * Invariants: one piece of code at a time, in the order in which it was typed; where nobody types, no prompt is printed; the process behind may
 * go at any time, the REPL does not.
 */
import { parseArgs } from 'node:util';
import { isTroupeError } from '../../base/errors.ts';
import { check, fits, refuse, refuseWith } from '../../base/options.ts';
import type { Session } from '../session.ts';
import {
  DONE,
  describe,
  exitCodeOf,
  FAILED,
  LANGUAGES,
  type Language,
  refuseUsage,
  tracebackIn,
  withSession,
} from './code-session.ts';
import { endsTooSoon, isOpenBlock } from './completeness.ts';
import type { CodeCommand, Console, EndSignal } from './console.ts';
import { command, commandIn } from './repl-commands.ts';
import { show } from './show.ts';

const WHERE = 'troupe repl';
const GRACE_MS = 500;

const PROMPTS: Readonly<Record<Language, readonly [first: string, more: string]>> = {
  python: ['>>> ', '... '],
  javascript: ['> ', '... '],
};

/** What it took to end what ran. */
const STOPPED: Readonly<Record<string, string>> = {
  cooperative: 'cancelled',
  interrupted: 'interrupted',
  killed: 'killed: it did not end when interrupted',
};

interface Asked {
  readonly language: Language;
  readonly command: string | undefined;
}

const LANGUAGE = fits<Language>(LANGUAGES.map((each) => `'${each}'`).join(' or '), (value) =>
  LANGUAGES.includes(value as Language),
);

const parsed = (args: readonly string[]) => {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { language: { type: 'string' }, interpreter: { type: 'string' } },
    });
  } catch (error) {
    return refuseWith(WHERE, 'option', '--language or --interpreter', (error as Error).message);
  }
};

/** @throws ERR_OPTION_INVALID */
const readArguments = (args: readonly string[]): Asked => {
  const { values, positionals } = parsed(args);
  if (positionals.length > 0) refuse(WHERE, 'argument', 'an option', positionals[0]);
  return { language: check(WHERE, '--language', LANGUAGE, values.language), command: values.interpreter };
};

class Repl {
  readonly #session: Session;
  readonly #console: Console;
  readonly #language: Language;
  /** What was typed of a piece of code that is not complete. */
  #lines: string[] = [];
  #over = false;
  #signal: EndSignal | undefined;

  constructor(session: Session, console: Console, language: Language) {
    this.#session = session;
    this.#console = console;
    this.#language = language;
  }

  /** Resolves with the exit code. */
  async run(): Promise<number> {
    const console = this.#console;
    const deafen = console.onSignal((signal) => {
      // At a terminal Ctrl-C ends a piece of code, and elsewhere the program.
      if (signal === 'SIGINT' && console.interactive) return;
      this.#signal = signal;
      this.#over = true;
    });
    try {
      await this.#greet();
      while (!this.#over) await this.#step();
      if (this.#signal !== undefined) return exitCodeOf(undefined, this.#signal);
      return this.#session.inspect().over ? FAILED : DONE;
    } finally {
      deafen();
    }
  }

  async #greet(): Promise<void> {
    if (!this.#console.interactive) return;
    const { pid } = this.#session.inspect();
    await this.#console.write(
      `${this.#language}, process ${pid}; :help tells the commands, Ctrl-D ends it\n`,
    );
  }

  async #step(): Promise<void> {
    const [first, more] = PROMPTS[this.#language];
    const prompt = this.#console.interactive ? (this.#lines.length === 0 ? first : more) : '';
    const typed = await this.#console.ask({ prompt, remembered: true });
    if (this.#over) return;
    if (typed === 'interrupted') this.#lines = [];
    else if (typed === 'end') await this.#end();
    else await this.#take(typed.text);
  }

  async #end(): Promise<void> {
    this.#over = true;
    if (this.#console.interactive) await this.#console.write('\n');
    if (this.#lines.length > 0) await this.#execute(this.#lines.join('\n'), false);
  }

  async #take(line: string): Promise<void> {
    const asked = commandIn(line);
    if (asked?.name === 'quit') this.#over = true;
    else if (asked?.name === 'cancel' && this.#lines.length > 0) this.#lines = [];
    else if (asked !== undefined && this.#lines.length === 0)
      await command({ session: this.#session, console: this.#console }, asked.name, asked.argument);
    else {
      this.#lines.push(line);
      const code = this.#lines.join('\n');
      if (code.trim() === '') this.#lines = [];
      else if (!isOpenBlock(this.#language, code)) await this.#execute(code, true);
    }
  }

  /** `mayGoOn`: what ends too soon waits for another line. */
  async #execute(code: string, mayGoOn: boolean): Promise<void> {
    const console = this.#console;
    const quiet = console.onLine((line) => this.#heard(line));
    const { outcome, signal, isLineOver } = await show(this.#session, console, { code, options: {} });
    quiet();
    const failed = outcome.status === 'rejected';
    if (failed && mayGoOn && endsTooSoon(this.#language, code, outcome.reason)) return;
    this.#lines = [];
    if (console.interactive && !isLineOver) await console.write('\n');
    if (failed) await this.#tell(outcome.reason, signal !== undefined);
    else if (outcome.value.hasValue) await console.write(`${outcome.value.repr}\n`);
    if (this.#session.inspect().over) this.#over = true;
  }

  async #tell(reason: unknown, wasAsked: boolean): Promise<void> {
    const traceback = tracebackIn(reason);
    const stopped = isTroupeError(reason, 'ERR_EXECUTION_CANCELLED')
      ? STOPPED[String(reason.data['stage'])]
      : undefined;
    await this.#console.complain(traceback ?? `${stopped ?? describe(reason)}\n`);
    if (traceback !== undefined) return;
    const session = this.#session;
    try {
      const before = session.inspect();
      await session.ready();
      const { pid } = session.inspect();
      if (before.pid !== pid) await this.#console.complain(`another process goes on: ${pid}\n`);
    } catch (error) {
      if (!wasAsked) await this.#console.complain(`${describe(error)}\n`);
    }
  }

  /** What is typed while code runs; `true`: it was for us. */
  #heard(line: string): boolean {
    if (commandIn(line)?.name !== 'cancel') return false;
    const { execution } = this.#session.inspect();
    return execution !== undefined && this.#session.cancel(execution, ':cancel');
  }
}

export const repl: CodeCommand = {
  usage: 'repl --language python|javascript',
  summary: 'an interactive session, with what is told by :help',
  run: async (args, console) => {
    let asked: Asked;
    try {
      asked = readArguments(args);
    } catch (error) {
      return refuseUsage(console, error);
    }
    const plan = { ...asked, graceMs: GRACE_MS, checkpoint: 'on_kill' } as const;
    try {
      return await withSession(plan, console, (session) => new Repl(session, console, asked.language).run());
    } catch (error) {
      await console.complain(`${WHERE}: ${describe(error)}\n`);
      return FAILED;
    } finally {
      console.close();
    }
  },
};
