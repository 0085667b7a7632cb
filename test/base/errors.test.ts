import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import {
  createError,
  ERRORS,
  type ErrorCode,
  isTroupeError,
  show,
  TroupeError,
} from '../../src/base/errors.ts';

const codes = Object.keys(ERRORS) as ErrorCode[];
const make = () => createError('ERR_NOPROC', { target: 'app/pool@7' });

describe('the table', () => {
  test('its keys are codes, and no two share a message', () => {
    expect(codes.filter((code) => !/^ERR_[A-Z]+(_[A-Z]+)*$/.test(code))).toEqual([]);
    expect(new Set(codes.map((code) => ERRORS[code].message)).size).toBe(codes.length);
  });

  test.each(codes)('%s makes an error of its class with code, outcome and a whole message', (code) => {
    const { class: errorClass, message, outcome, help } = ERRORS[code];
    const places = [...message.matchAll(/\{(\w+)\}/g)].map(([, place = '']) => place);
    const data = Object.fromEntries(places.map((place) => [place, `<${place}>`]));
    const error = createError(code, data);
    expect(error).toBeInstanceOf(TroupeError);
    expect(error).toMatchObject({ code, outcome, data, name: errorClass });
    expect(error.message).toBe(`${message.replace(/\{(\w+)\}/g, '<$1>')} [${code}]`);
    expect(message.replace(/\{\w+\}/g, '')).not.toMatch(/[{}]/);
    expect(help).toMatch(/\.$/);
  });
});

describe('an error', () => {
  test('carries its cause, and an outcome that the raiser knows better', () => {
    const cause = new Error('why');
    expect(createError('ERR_NOPROC', { target: 'a' }, { cause, outcome: 'unknown' })).toMatchObject({
      cause,
      outcome: 'unknown',
    });
    expect('cause' in make()).toBe(false);
  });

  test('has a stack that begins where it was made, under the name of its class', () => {
    const { stack = '' } = make();
    expect(stack).toMatch(/^CallError: app\/pool@7 is not alive \[ERR_NOPROC\]\n {4}at /);
    expect(stack).toContain('errors.test');
  });

  test('made without a stack has no frame, and the next one has its frames again', () => {
    const { stackTraceLimit } = Error;
    const { stack } = createError('ERR_NOPROC', { target: 'a' }, { stack: false });
    expect(stack).toBe('CallError: a is not alive [ERR_NOPROC]');
    expect(Error.stackTraceLimit).toBe(stackTraceLimit);
    expect(make().stack).toContain('\n    at ');
  });

  test('shows values of its message safely', () => {
    class Secret {}
    expect(
      [
        'text',
        5,
        undefined,
        null,
        Symbol('s'),
        [1, 'b'],
        new TypeError('bad'),
        new Secret(),
        { password: 'x', b: 1 },
        Object.create(null),
        () => {},
        function named() {},
      ].map(show),
    ).toEqual([
      'text',
      '5',
      'undefined',
      'null',
      'Symbol(s)',
      '1, b',
      'TypeError: bad',
      'Secret',
      '{ password, b }',
      '{}',
      'function (anonymous)',
      'function named',
    ]);
  });
});

describe('the guard', () => {
  test('knows the errors, and their codes', () => {
    expect([
      isTroupeError(make()),
      isTroupeError(make(), 'ERR_NOPROC'),
      isTroupeError(make(), 'ERR_FENCED'),
    ]).toEqual([true, true, false]);
  });

  test('knows those of another copy of the package, and of another realm', async () => {
    const copyPath = '../../src/base/errors.ts?copy';
    const copy = (await import(/* @vite-ignore */ copyPath)) as typeof import('../../src/base/errors.ts');
    const foreign = copy.createError('ERR_NOPROC', { target: 'a' });
    expect(foreign).not.toBeInstanceOf(TroupeError);
    expect([isTroupeError(foreign, 'ERR_NOPROC'), copy.isTroupeError(make(), 'ERR_NOPROC')]).toEqual([
      true,
      true,
    ]);
    const elsewhere: unknown = runInNewContext(`
      class CallError extends Error { code = 'ERR_NOPROC' }
      Object.defineProperty(CallError.prototype, Symbol.for('troupe/error'), { value: true });
      new CallError('x')`);
    expect(elsewhere).not.toBeInstanceOf(Error);
    expect(isTroupeError(elsewhere, 'ERR_NOPROC')).toBe(true);
  });

  test.each([[undefined], [null], ['ERR_NOPROC'], [new Error('ERR_NOPROC')], [{ code: 'ERR_NOPROC' }]])(
    'knows that %s is none of ours',
    (value) => {
      expect(isTroupeError(value)).toBe(false);
    },
  );
});
