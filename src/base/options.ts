/**
 * Options are resolved once: defaults merged, every key checked, unknown keys refused, the result frozen.
 *
 * A {@link Field} is one key's rule. It never coerces: what a user wrote is either right or refused by name.
 */
import { createError, show } from './errors.ts';

/** One option's rule: whether a value fits, and the words for what would. */
export interface Field<T> {
  readonly expected: string;
  /** The words for several, in the rule of a list. */
  readonly plural?: string | undefined;
  readonly accepts: (value: unknown) => value is T;
}

type Fields = Readonly<Record<string, Field<unknown>>>;
type Shape<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

const field = <T>(expected: string, accepts: (value: unknown) => boolean, plural?: string): Field<T> => ({
  expected,
  plural,
  accepts: accepts as (value: unknown) => value is T,
});

const isNumber = (value: unknown): value is number => typeof value === 'number' && !Number.isNaN(value);

/** A duration in milliseconds, finite, at least `min`. */
export const ms = (min = 0): Field<number> =>
  field(`a finite number of milliseconds of at least ${min}`, (v) => isNumber(v) && v >= min && v < Infinity);
/** A duration in milliseconds, or `Infinity` for no limit. */
export const msOrInfinity = (min = 0): Field<number> =>
  field(`milliseconds of at least ${min}, or Infinity`, (v) => isNumber(v) && v >= min);
/** A whole number within bounds. */
export const integer = (min = 0, max = Number.MAX_SAFE_INTEGER): Field<number> => {
  const bounds = `from ${min} to ${max === Number.MAX_SAFE_INTEGER ? '2^53' : max}`;
  return field(
    `a whole number ${bounds}`,
    (v) => Number.isInteger(v) && (v as number) >= min && (v as number) <= max,
    `whole numbers ${bounds}`,
  );
};
/** A number within bounds, fractions allowed. */
export const ratio = (min = 0, max = 1): Field<number> =>
  field(`a number from ${min} to ${max}`, (v) => isNumber(v) && v >= min && v <= max);
/** `true` or `false`. */
export const flag: Field<boolean> = field('true or false', (v) => typeof v === 'boolean');
/** A non-empty string. */
export const text: Field<string> = field(
  'a non-empty string',
  (v) => typeof v === 'string' && v !== '',
  'non-empty strings',
);
/** An id of a place in a tree: `/` separates places, so it may not be in one. */
export const identifier: Field<string> = field(
  'a non-empty string of at most 200 characters without "/", "@" or control characters',
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here.
  (v) => typeof v === 'string' && /^[^/@\u0000-\u001f]{1,200}$/.test(v),
);
/** One of the given literals. */
export const oneOf = <const T extends string>(...values: readonly T[]): Field<T> =>
  field(values.map((v) => `'${v}'`).join(' or '), (v) => values.includes(v as T));
/** A function. */
export const fn = <T extends Function>(): Field<T> => field('a function', (v) => typeof v === 'function');
/** An array whose elements fit. */
export const listOf = <T>(element: Field<T>): Field<readonly T[]> =>
  field(
    element.plural === undefined ? `an array, each ${element.expected}` : `an array of ${element.plural}`,
    (v) => Array.isArray(v) && v.every((e) => element.accepts(e)),
  );
/** An object, checked elsewhere or not at all. */
export const object = <T extends object>(expected = 'an object'): Field<T> =>
  field(expected, (v) => typeof v === 'object' && v !== null && !Array.isArray(v));
/** Anything at all. */
export const anything: Field<unknown> = field('anything', () => true);
/** Whatever a predicate accepts. `plural`: the words for several. */
export const fits = <T>(expected: string, accepts: (value: unknown) => boolean, plural?: string): Field<T> =>
  field(expected, accepts, plural);
/** Either of two rules. */
export const either = <A, B>(a: Field<A>, b: Field<B>): Field<A | B> =>
  field(`${a.expected} or ${b.expected}`, (v) => a.accepts(v) || b.accepts(v));

/** Edit distance, for the hint in a refusal of an unknown key. */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1]?.toLowerCase() === b[j - 1]?.toLowerCase();
      next[j] = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (same ? 0 : 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
};

/** The hint in a refusal of an unknown key, for who checks keys without {@link resolveOptions}. */
export const hintFor = (key: string, known: readonly string[]): string => {
  const near = known
    .map((name) => ({ name, d: distance(key, name) }))
    .sort((x, y) => x.d - y.d)
    .find(({ d }) => d <= Math.max(2, Math.floor(key.length / 3)));
  return near === undefined ? '' : ` (did you mean ${near.name}?)`;
};

const LONGEST_QUOTE = 80;
const LONGEST_LIST = 6;

/** A value as a refusal shows it: `'5'` is not 5, and an empty string or list is seen. */
const quote = (value: unknown): string => {
  if (typeof value === 'string')
    return `'${value.length > LONGEST_QUOTE ? `${value.slice(0, LONGEST_QUOTE)}…` : value}'`;
  if (!Array.isArray(value)) return show(value);
  const shown = value.slice(0, LONGEST_LIST).map(quote);
  return `[${(value.length > LONGEST_LIST ? [...shown, '…'] : shown).join(', ')}]`;
};

/** Raises ERR_OPTION_INVALID; for rules that span several fields. */
export const refuse = (where: string, name: string, expected: string, got: unknown): never =>
  refuseWith(where, name, expected, quote(got));

/** The same where words say better what was wrong than the value does. */
export const refuseWith = (where: string, name: string, expected: string, got: string): never => {
  throw createError('ERR_OPTION_INVALID', { where, field: name, expected, got });
};

/** Checks one value by a rule, or raises ERR_OPTION_INVALID naming it. */
export const check = <T>(where: string, name: string, rule: Field<T>, value: unknown): T =>
  rule.accepts(value) ? value : refuse(where, name, rule.expected, value);

/**
 * Resolves a user's options: unknown keys are refused, `undefined` means the default, a key without a default
 * stays optional. Returns a frozen object with a null prototype's safety: only the keys of `fields`.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const resolveOptions = <F extends Fields, D extends Partial<Shape<F>>>(
  where: string,
  input: unknown,
  fields: F,
  defaults: D,
): Readonly<Partial<Shape<F>> & { [K in keyof D]-?: K extends keyof F ? Shape<F>[K] : never }> => {
  const given: unknown = input === undefined ? {} : input;
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return refuse(where, 'options', 'an object', given);
  const known = Object.keys(fields);
  for (const key of Object.keys(given)) {
    if (!Object.hasOwn(fields, key)) {
      throw createError('ERR_OPTION_UNKNOWN', {
        where,
        field: key,
        hint: hintFor(key, known),
        expected: known,
      });
    }
  }
  const resolved: Record<string, unknown> = { ...defaults };
  for (const key of known) {
    const value = (given as Record<string, unknown>)[key];
    if (value !== undefined) resolved[key] = check(where, key, fields[key] as Field<unknown>, value);
  }
  return Object.freeze(resolved) as never;
};
