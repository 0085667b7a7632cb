/**
 * Topics and patterns: words joined by dots. In a pattern `*` stands for one word, and `**` at its end for any number of them.
 *
 * Invariant: matching is linear in the length of both, whatever they are: words are compared one by one, nothing is tried
 * twice.
 */
import { fits } from '../base/options.ts';

/** Whether topic `T` fits pattern `P`, as types. */
type Fits<T extends string, P extends string> = P extends '**'
  ? true
  : P extends `${infer PH}.${infer PR}`
    ? T extends `${infer TH}.${infer TR}`
      ? PH extends '*' | TH
        ? Fits<TR, PR>
        : false
      : PR extends '**'
        ? PH extends '*' | T
          ? true
          : false
        : false
    : T extends `${string}.${string}`
      ? false
      : P extends '*' | T
        ? true
        : false;

/** The topics of `M` that a pattern stands for. */
export type Matching<M, P extends string> = {
  [T in keyof M & string]: true extends Fits<T, P> ? T : never;
}[keyof M & string];

const LONGEST = 512;
const WORD = /^[^.*\s]+$/;

const isTopic = (value: unknown): boolean =>
  typeof value === 'string' && value.length <= LONGEST && value.split('.').every((word) => WORD.test(word));

const isPattern = (value: unknown): boolean => {
  if (typeof value !== 'string' || value.length > LONGEST) return false;
  const words = value.split('.');
  return words.every(
    (word, i) => word === '*' || (word === '**' && i === words.length - 1) || WORD.test(word),
  );
};

export const topicRule = fits<string>('words joined by dots, without spaces or *', isTopic);
export const patternRule = fits<string>(
  'words joined by dots, * for any one of them, ** at the end for any rest',
  isPattern,
);

/** A pattern, taken apart once. */
export class Pattern {
  readonly text: string;
  readonly #words: readonly string[];
  readonly #open: boolean;

  constructor(text: string) {
    const words = text.split('.');
    this.text = text;
    this.#open = words.at(-1) === '**';
    this.#words = this.#open ? words.slice(0, -1) : words;
  }

  matches(topic: string): boolean {
    const words = topic.split('.');
    const fits = this.#open ? words.length >= this.#words.length : words.length === this.#words.length;
    return fits && this.#words.every((word, i) => word === '*' || word === words[i]);
  }
}
