/**
 * The numbered results of a session, and the names under which they can be had: `_`, `__`, `___`, `Out`, `In` and their like.
 *
 * Invariants: only the values of expressions count, and each is taken as it was given, never evaluated again; user code cannot write
 * these names. Old entries go beyond the limit, numbers are never used twice.
 */
import { reprOf } from './values.ts';

/** The names that only the session writes. */
export const PROTECTED = [
  '_',
  '__',
  '___',
  '_i',
  '_ii',
  '_iii',
  'In',
  'Out',
  '_ih',
  '_oh',
  '_exit_code',
  '_exception',
] as const;

interface Entry {
  readonly index: number;
  readonly code: string;
  readonly repr: string;
}

const { defineProperty } = Object;

export class History {
  readonly #limit: number;
  readonly #entries: Entry[] = [];
  readonly #inputs: string[] = [];
  readonly #outputs: unknown[] = [];
  /** The last three results and inputs, the last one first. */
  #results: unknown[] = [undefined, undefined, undefined];
  #recent: string[] = ['', '', ''];
  #count = 0;
  exitCode: number | undefined;
  exception: unknown;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Puts the protected names where user code reads them. */
  install(target: object): void {
    const inputs = readOnly(this.#inputs);
    const outputs = readOnly(this.#outputs);
    const values: Readonly<Record<(typeof PROTECTED)[number], () => unknown>> = {
      _: () => this.#results[0],
      __: () => this.#results[1],
      ___: () => this.#results[2],
      _i: () => this.#recent[0],
      _ii: () => this.#recent[1],
      _iii: () => this.#recent[2],
      In: () => inputs,
      Out: () => outputs,
      _ih: () => inputs,
      _oh: () => outputs,
      _exit_code: () => this.exitCode,
      _exception: () => this.exception,
    };
    for (const name of PROTECTED) {
      const set = () => {
        throw new TypeError(`${name} is written by the session only: use another name`);
      };
      defineProperty(target, name, { get: values[name], set, enumerable: false, configurable: false });
    }
  }

  typed(code: string): void {
    this.#recent = [this.#inputs.at(-1) ?? '', ...this.#recent.slice(0, 2)];
    const at = this.#inputs.push(code) - 1;
    if (at >= this.#limit) delete this.#inputs[at - this.#limit];
  }

  /** Notes the value of an expression. `undefined` is none. Returns its number. */
  resulted(code: string, value: unknown, repr: string): number {
    this.#results = [value, ...this.#results.slice(0, 2)];
    const index = this.#count++;
    this.#outputs[index] = value;
    this.#entries.push({ index, code, repr });
    if (this.#entries.length > this.#limit) {
      const oldest = this.#entries.shift();
      if (oldest !== undefined) delete this.#outputs[oldest.index];
    }
    return index;
  }

  list(from = 0, to = Number.POSITIVE_INFINITY): readonly Entry[] {
    return this.#entries
      .filter(({ index }) => index >= from && index <= to)
      .map(({ index, code, repr }) => ({
        index,
        code,
        repr: repr === '' ? reprOf(this.#outputs[index]) : repr,
      }));
  }
}

/** The same array, to look at. */
const readOnly = <T>(array: T[]): readonly T[] => {
  const refuse = (): never => {
    throw new TypeError('the history is written by the session only');
  };
  return new Proxy(array, {
    set: refuse,
    defineProperty: refuse,
    deleteProperty: refuse,
    setPrototypeOf: refuse,
  });
};
