import { describe, expect, test } from 'vitest';
import { isTroupeError } from '../../src/base/errors.ts';
import {
  anything,
  check,
  either,
  type Field,
  fits,
  flag,
  fn,
  identifier,
  integer,
  listOf,
  ms,
  msOrInfinity,
  object,
  oneOf,
  ratio,
  refuse,
  resolveOptions,
  text,
} from '../../src/base/options.ts';

const thrownBy = (run: () => unknown): unknown => {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
};

const fields = { timeoutMs: ms(), retries: integer(0, 5), name: text };
const resolve = (input: unknown) => resolveOptions('createThing', input, fields, { retries: 2 });

describe('resolving', () => {
  test('merges the defaults, keeps what has none optional, and freezes', () => {
    const resolved = resolve({ timeoutMs: 5 });
    expect(resolved).toEqual({ timeoutMs: 5, retries: 2 });
    expect(Object.isFrozen(resolved)).toBe(true);
    expect(resolve(undefined)).toEqual({ retries: 2 });
  });

  test('undefined means the default, for a key that has one and for one that has none', () => {
    expect(resolve({ retries: undefined, timeoutMs: undefined })).toEqual({ retries: 2 });
  });

  test('refuses an unknown key, naming the nearest and all known ones', () => {
    const error = thrownBy(() => resolve({ timeoutMS: 5 }));
    expect(isTroupeError(error, 'ERR_OPTION_UNKNOWN')).toBe(true);
    expect(error).toMatchObject({
      message:
        'createThing: unknown option timeoutMS (did you mean timeoutMs?); known are timeoutMs, retries, name [ERR_OPTION_UNKNOWN]',
      outcome: 'not_started',
    });
  });

  test('gives no hint where nothing is near', () => {
    expect(String(thrownBy(() => resolve({ zzzzzzzz: 5 })))).toContain('unknown option zzzzzzzz; known are');
  });

  test('a key that every object inherits is as unknown as any other', () => {
    expect(
      isTroupeError(
        thrownBy(() => resolve({ constructor: 1 })),
        'ERR_OPTION_UNKNOWN',
      ),
    ).toBe(true);
    expect(
      isTroupeError(
        thrownBy(() => resolve(JSON.parse('{"__proto__": 1}'))),
        'ERR_OPTION_UNKNOWN',
      ),
    ).toBe(true);
  });

  test('refuses a wrong value, naming the place, the option, the rule and the value', () => {
    expect(thrownBy(() => resolve({ retries: 9 }))).toMatchObject({
      code: 'ERR_OPTION_INVALID',
      message: 'createThing: retries must be a whole number from 0 to 5, got 9 [ERR_OPTION_INVALID]',
    });
  });

  test.each([null, 5, 'x', []])('refuses %j in place of the options', (input) => {
    expect(
      isTroupeError(
        thrownBy(() => resolve(input)),
        'ERR_OPTION_INVALID',
      ),
    ).toBe(true);
  });

  test('check gives the value back, refuse raises', () => {
    expect(check('here', 'it', flag, true)).toBe(true);
    expect(String(thrownBy(() => check('here', 'it', flag, 'yes')))).toContain(
      "here: it must be true or false, got 'yes'",
    );
    expect(String(thrownBy(() => refuse('here', 'both', 'one of them', {})))).toContain(
      'both must be one of them',
    );
  });
});

const { NaN: notANumber, POSITIVE_INFINITY: infinity } = Number;
const rules: readonly [string, Field<unknown>, readonly unknown[], readonly unknown[]][] = [
  ['ms', ms(), [0, 0.5, 1e12], [-1, infinity, notANumber, '5', null, 5n]],
  ['ms of at least', ms(10), [10, 11], [9.9]],
  ['msOrInfinity', msOrInfinity(1), [1, infinity], [0, -infinity, notANumber, '1']],
  ['integer', integer(), [0, 2 ** 53 - 1], [-1, 0.5, 2 ** 53, infinity, notANumber, '1']],
  ['integer within', integer(-2, 2), [-2, 2], [-3, 3]],
  ['ratio', ratio(), [0, 0.5, 1], [-0.1, 1.1, notANumber, '0.5']],
  ['flag', flag, [true, false], [0, 'true', null]],
  ['text', text, ['a', ' '], ['', 5, null]],
  [
    'identifier',
    identifier,
    ['a', 'a b', 'ünï', 'x'.repeat(200)],
    ['', 'a/b', 'a@1', 'a\n', 'x'.repeat(201), 5],
  ],
  ['oneOf', oneOf('a', 'b'), ['a', 'b'], ['c', '', undefined]],
  ['fn', fn(), [() => {}, class {}], [{}, 'f']],
  ['listOf', listOf(integer()), [[], [1, 2]], [[1, 'x'], 'x', { length: 0 }]],
  ['object', object(), [{}, new Map()], [null, [], 'x', () => {}]],
  ['anything', anything, [null, undefined, 0, {}], []],
  ['fits', fits('an even number', (v) => (v as number) % 2 === 0), [2], [3]],
  ['either', either(flag, integer(1)), [true, 1], [0, 'x']],
];

describe.each(rules)('the rule %s', (_name, rule, good, bad) => {
  test('takes what fits, and nothing else', () => {
    expect(good.filter((value) => !rule.accepts(value))).toEqual([]);
    expect(bad.filter((value) => rule.accepts(value))).toEqual([]);
  });

  test('says in words what fits', () => {
    expect(rule.expected.length).toBeGreaterThan(5);
  });
});
