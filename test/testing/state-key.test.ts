/** Keys of data: alike for what is alike, different for what differs, refused where that cannot be seen. */
import { describe, expect, it } from 'vitest';
import { keyOfData } from '../../src/testing/state-key.ts';

const key = (value: unknown): string => keyOfData('context', value);

/** Each differs from all others. */
const DIFFERENT: readonly unknown[] = [
  undefined,
  null,
  0,
  -0,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  1,
  1n,
  '1',
  'undefined',
  true,
  'true',
  [],
  [undefined],
  [[]],
  {},
  { a: undefined },
  { a: 1 },
  { a: '1' },
  { a: { b: 1 } },
  [['a', 1]],
  new Map(),
  new Map([['a', 1]]),
  new Map([[1, 1]]),
  new Set(),
  new Set(['a']),
  new Set([['a', 1]]),
  new Date(0),
  new Date(1),
  /a/,
  /a/g,
  new Uint8Array([1, 2]),
  new Uint16Array([1, 2]),
  new Error('down'),
  new TypeError('down'),
  new Error('down', { cause: 1 }),
  Object.assign(new Error('down'), { code: 1 }),
  new URL('http://a/'),
  new URL('http://b/'),
];

class Account {
  #balance = 0;
  add(): void {
    this.#balance += 1;
  }
}

describe('the key of data', () => {
  it('tells apart what differs', () => {
    expect(new Set(DIFFERENT.map(key)).size).toBe(DIFFERENT.length);
  });

  it('is one for what was filled in another order', () => {
    expect(key({ a: 1, b: [2] })).toBe(key({ b: [2], a: 1 }));
    expect(key(new Set([1, 2]))).toBe(key(new Set([2, 1])));
    expect(
      key(
        new Map([
          ['a', { c: 1, d: 2 }],
          ['b', { c: 1, d: 2 }],
        ]),
      ),
    ).toBe(
      key(
        new Map([
          ['b', { d: 2, c: 1 }],
          ['a', { d: 2, c: 1 }],
        ]),
      ),
    );
    const twice = { n: 1 };
    expect(key([twice, twice])).toBe(key([{ n: 1 }, { n: 1 }]));
  });

  it('is refused, with its place, for what it cannot see', () => {
    const ring: { self?: unknown } = {};
    ring.self = ring;
    expect(() => key({ list: [() => 1] })).toThrow('context.list.0 is a function');
    expect(() => key(Symbol('x'))).toThrow('context is a symbol');
    expect(() => key({ account: new Account() })).toThrow('context.account is an instance of Account');
    expect(() => key(new Map([['a', Promise.resolve()]]))).toThrow('context.a is an instance of Promise');
    expect(() => key(ring)).toThrow('context.self is a ring');
    expect(() => key({ [Symbol('hidden')]: 1 })).toThrow('an object with the symbol Symbol(hidden)');
  });
});
