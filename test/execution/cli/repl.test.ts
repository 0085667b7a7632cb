import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createError } from '../../../src/base/errors.ts';
import { endsTooSoon, isOpenBlock } from '../../../src/execution/cli/completeness.ts';
import { requires } from '../../requirements.ts';
import { begin, type Called } from './called.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-repl-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const typed = async (language: string, ...lines: readonly string[]): Promise<Called> => {
  const called = begin(folder, ['repl', '--language', language]);
  called.type(`${lines.join('\n')}\n`);
  called.hangUp();
  expect(await called.ended, called.stderr).toBe(0);
  return called;
};

describe('troupe repl with piped input', () => {
  it.skipIf(requires('python3').skip)(
    'runs Python: blocks, open brackets, results by repr, failures, commands',
    async () => {
      const { stdout, stderr } = await typed(
        'python',
        'x = 41',
        'for i in range(2):',
        '  print(i)',
        '',
        'max(',
        '  x, 2)',
        'who = input("who? ")',
        'me',
        'who',
        '1/0',
        'raise SyntaxError("unexpected EOF while parsing")',
        'def f(',
        ':cancel',
        ':checkpoint kept.json',
        ':restart',
        ':namespace',
        ':restore kept.json',
        'x + 1',
        ':history',
        ':nothing',
        ':quit',
        'print("never")',
      );
      expect(stdout.split('\n')).toEqual([
        ...['0', '1', '41', "who? 'me'", 'kept x, i, who', expect.stringMatching(/^process \d+$/)],
        ...['restored x, i, who', '42', '[0]  x + 1  42', ''],
      ]);
      expect(stderr).toMatch(/ZeroDivisionError: division by zero\n/);
      expect(stderr).toMatch(/SyntaxError: unexpected EOF while parsing\n/);
      expect(stderr).toMatch(/there is no :nothing; :help tells what there is\n$/);
    },
  );

  it('runs JavaScript: several lines, top-level await, and goes on when its process ends', async () => {
    const { stdout, stderr } = await typed(
      'javascript',
      'const add = (a, b) => {',
      '  return a + b;',
      '};',
      'await Promise.resolve(add(1, 2))',
      "({ a: [1, 'two'] })",
      '/* begun',
      'and over */ 5',
      'process.reallyExit(3)',
      'add(4, 5)',
      'typeof add',
      ':help',
    );
    expect(stdout).toMatch(/^3\n\{ a: \[ 1, 'two' \] \}\n5\n/);
    expect(stdout).toMatch(/\n:cancel {2,}.*\n:restart {2,}.*\n:namespace {2,}.*\n:history .*\n:checkpoint /);
    expect(stderr).toMatch(/ERR_WORKER_EXITED: .*exit code 3.*\nanother process goes on: \d+\n/);
  });

  it('runs what is left of its code when the input ends, and refuses a language that it does not know', async () => {
    const { stdout } = await typed('javascript', '40 +', '2');
    expect(stdout).toBe('42\n');
    const cobol = begin(folder, ['repl', '--language', 'cobol']);
    expect([await cobol.ended, cobol.stdout]).toEqual([2, '']);
    expect(cobol.stderr).toBe(
      "troupe: ERR_OPTION_INVALID: troupe repl: --language must be 'python' or 'javascript', got 'cobol'\n",
    );
  });
});

describe('whether code is complete', () => {
  it.each([
    ['if x:', true],
    ['if x:\n  y', true],
    ['if x:\n  y\n', false],
    ['if x:\n  y\nz = 1', false],
    ['@cached', true],
    ['x = 1', false],
    ['async def f():', true],
    ['iffy = 1', false],
    ['try:\n  f()\nexcept E:', true],
  ])('Python has an open block after %j: %s', (code, isOpen) => {
    expect(isOpenBlock('python', code)).toBe(isOpen);
    expect(isOpenBlock('javascript', code)).toBe(false);
  });

  it('code that raises what a parser raises is no beginning: it has run', () => {
    const failed = (traceback: string) =>
      createError('ERR_EXECUTION_FAILED', {
        ...{ execution: 'e', session: 's', type: 'SyntaxError', text: 'Unexpected end of input' },
        traceback,
      });
    expect(endsTooSoon('javascript', 'f(', failed('<input-1>:1\nf(\n  \n'))).toBe(true);
    expect(endsTooSoon('javascript', 'eval("f(")', failed('SyntaxError: …\n    at <input-1>:1:1'))).toBe(
      false,
    );
  });
});
