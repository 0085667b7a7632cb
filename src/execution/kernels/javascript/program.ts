/**
 * Programs: what was typed, made ready to run; and the cache of them.
 *
 * Invariants: the cache is asked before anything is parsed; it holds at most {@link CACHED_PROGRAMS}, of which the one not used for the
 * longest time goes first. Running is the execution's business.
 */
import * as crypto from 'node:crypto';
import { Script } from 'node:vm';
import { rewrite, TASK } from './rewrite.ts';
import { type Mode, parseCode } from './syntax.ts';

/** Programs that are kept for the case that the same code comes again. */
export const CACHED_PROGRAMS = 100;

/** Code that is ready to run. */
export interface Program {
  readonly mode: Mode;
  readonly awaits: boolean;
  /** Defines the functions of the top level; absent where there are none. */
  readonly functions: Script | undefined;
  /** Gives a function that takes its execution and runs the statements. */
  readonly body: Script;
  readonly declared: readonly string[];
  readonly hoisted: readonly string[];
}

export interface ProgramSource {
  readonly code: string;
  /** The name that tracebacks show. */
  readonly filename: string;
  /** What imports are relative to. */
  readonly base: string;
  /** An object in braces is meant as one, not as a block. */
  readonly interactive: boolean;
}

/** @throws SyntaxError, the engine's own where it refuses, too */
export const prepare = (source: ProgramSource): Program => {
  const { code, filename, base } = source;
  const text = source.interactive ? asExpression(code) : code;
  let rewritten: ReturnType<typeof rewrite>;
  try {
    rewritten = rewrite(text, parseCode(text), { base });
  } catch (error) {
    return unread(text, filename, error);
  }
  const { functions, body, awaits } = rewritten;
  return {
    ...rewritten,
    functions: functions === undefined ? undefined : definitions(functions, filename),
    body: new Script(`(${awaits ? 'async' : ''}(${TASK})=>{${body}\n})`, { filename }),
  };
};

/**
 * Functions come by an `eval` of their own: so they are properties of the global object that can be deleted again. It is called from a
 * script without a loader, which is what `import()` inside an `eval` inside of them goes by.
 */
const definitions = (functions: string, filename: string): Script =>
  new Script(`(0,eval)(${JSON.stringify(`${functions}\n//# sourceURL=${filename}`)});`, { filename });

/** `{ a: 1 }` is a block to the language and an object to whoever types it. */
const asExpression = (code: string): string => {
  if (!/^\s*\{/.test(code) || /;\s*$/.test(code)) return code;
  try {
    const wrapped = `(${code}\n)`;
    parseCode(wrapped);
    return wrapped;
  } catch {
    return code;
  }
};

/** What our parser refuses: the engine says why in its own words, or knows better and runs it as it is. */
const unread = (code: string, filename: string, refusal: unknown): Program => {
  if (!(refusal instanceof SyntaxError || refusal instanceof RangeError)) throw refusal;
  mustCompile(code, filename);
  const whole = JSON.stringify(`${code}\n//# sourceURL=${filename}`);
  const body = new Script(`((${TASK})=>{${TASK}.result((0,eval)(${whole}))})`, { filename });
  return { mode: 'unknown', awaits: false, functions: undefined, body, declared: [], hoisted: [] };
};

/** @throws SyntaxError in the engine's own words */
const mustCompile = (code: string, filename: string): void => {
  try {
    new Script(code, { filename });
  } catch (error) {
    if (!String((error as Error).message).startsWith('await is only valid')) throw error;
    // It stumbled over an await: what else is wrong with it shows in an async function, on the same lines.
    new Script(`(async()=>{${code}\n})`, { filename });
    throw error;
  }
};

/** Newer than the declarations that this is compiled with: in one call, which is a third of the time. */
const { hash } = crypto as unknown as {
  hash?: (algorithm: string, text: string, encoding: string) => string;
};

const digestOf = (text: string): string =>
  hash === undefined
    ? crypto.createHash('sha256').update(text).digest('base64')
    : hash('sha256', text, 'base64');

/** The last programs, by what they were made of. */
export class ProgramCache {
  readonly #programs = new Map<string, Program>();
  readonly #limit: number;
  hits = 0;
  misses = 0;

  constructor(limit = CACHED_PROGRAMS) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#programs.size;
  }

  /** The program of this source: from the cache, or made now. @throws SyntaxError */
  get(source: ProgramSource, named: boolean): Program {
    const { code, base, filename, interactive } = source;
    // A file's name shows in its tracebacks: it is a part of what it is. The number of an input is not.
    const identity = `${interactive}\0${named ? filename : ''}\0${base}\0${code}`;
    const key = digestOf(identity);
    const known = this.#programs.get(key);
    if (known !== undefined) {
      this.hits += 1;
      this.#programs.delete(key);
      this.#programs.set(key, known);
      return known;
    }
    this.misses += 1;
    const program = prepare(source);
    this.#programs.set(key, program);
    if (this.#programs.size > this.#limit) {
      const [oldest] = this.#programs.keys();
      if (oldest !== undefined) this.#programs.delete(oldest);
    }
    return program;
  }
}
