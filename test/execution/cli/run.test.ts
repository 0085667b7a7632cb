/** The real command line, as a user calls it: one process that starts another. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requires } from '../../requirements.ts';
import { begin, type Called } from './called.ts';

interface Dialect {
  readonly language: string;
  readonly skip: boolean;
  readonly ending: string;
  readonly talk: string;
  readonly fail: string;
  readonly failure: RegExp;
  readonly loop: string;
  readonly deaf: string;
  readonly die: string;
}

const PYTHON: Dialect = {
  language: 'python',
  skip: requires('python3').skip,
  ending: 'py',
  talk: [
    'import os, sys',
    'print(__name__, sys.argv[1:], os.path.basename(os.getcwd()).startswith("troupe-run-"))',
    'print("hi", input("name? "), file=sys.stderr)',
    'try: input()',
    'except EOFError: print("no more")',
    'sys.exit(3)',
  ].join('\n'),
  fail: 'def f():\n  raise ValueError("no such luck")\nf()\n',
  failure: /^Traceback \(most recent call last\):\n.*fail\.py", line 3.*\nValueError: no such luck\n$/s,
  loop: 'try:\n  print("begun")\n  while True: pass\nfinally: print("cleaned")\n',
  deaf: 'import ctypes\nprint("begun", flush=True)\nctypes.PyDLL(None).sleep(600)\n',
  die: 'import os\nos._exit(7)\n',
};

const JAVASCRIPT: Dialect = {
  language: 'javascript',
  skip: false,
  ending: 'mjs',
  talk: [
    "import { basename } from 'node:path';",
    "console.log('__main__', process.argv.slice(2), basename(process.cwd()).startsWith('troupe-run-'));",
    "console.error('hi', await input('name? '));",
    "if ((await input('')) === null) console.log('no more');",
    'process.exit(3);',
  ].join('\n'),
  fail: 'const f = () => {\n  throw new RangeError("no such luck");\n};\nf();\n',
  failure: /RangeError: no such luck\n.*fail\.mjs:2/s,
  loop: 'try {\n  console.log("begun");\n  for (;;) await new Promise((r) => setTimeout(r, 5));\n} finally {\n  console.log("cleaned");\n}\n',
  // A wait within the system, where nothing reaches it.
  deaf: 'import { execSync } from "node:child_process";\nconsole.log("begun");\nexecSync("sleep 600");\n',
  die: 'process.reallyExit(7);\n',
};

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-run-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (...args: readonly string[]): Called => begin(folder, ['run', ...args]);

describe.each([PYTHON, JAVASCRIPT])('troupe run of $language', (dialect) => {
  const file = (name: 'talk' | 'fail' | 'loop' | 'deaf' | 'die'): string => {
    const path = `${name}.${dialect.ending}`;
    writeFileSync(join(folder, path), dialect[name]);
    return path;
  };

  it.skipIf(dialect.skip)('runs the file with its arguments, input, both outputs and exit code', async () => {
    const called = run(file('talk'), 'a', '--b');
    called.type('bob\n');
    called.hangUp();
    expect(await called.ended).toBe(3);
    expect(called.stderr).toBe('hi bob\n');
    expect(called.stdout).toMatch(/^__main__ \[ ?'a', '--b' ?\] [Tt]rue\nname\? no more\n$/);
  });

  it.skipIf(dialect.skip)('tells an error as the interpreter would, on stderr, and ends with 1', async () => {
    const called = run(file('fail'));
    expect([await called.ended, called.stdout]).toEqual([1, '']);
    expect(called.stderr).toMatch(dialect.failure);
  });

  it.skipIf(dialect.skip)('lets the file clean up after Ctrl-C, and ends with 130', async () => {
    const called = run(file('loop'));
    await called.prints('begun\n');
    called.signal('SIGINT');
    expect([await called.ended, called.stdout]).toEqual([130, 'begun\ncleaned\n']);
    expect(called.stderr).toBe('');
  });

  it.skipIf(dialect.skip)('kills what neither Ctrl-C nor the interruption ends, and says so', async () => {
    const called = run('--grace', '0.2', file('deaf'));
    await called.prints('begun\n');
    called.signal('SIGINT');
    expect([await called.ended, called.stdout]).toEqual([130, 'begun\n']);
    expect(called.stderr).toBe('troupe run: it did not end when asked to, and was killed\n');
  });

  it.skipIf(dialect.skip)('ends with the code of a process that left without a word', async () => {
    const called = run(file('die'));
    expect([await called.ended, called.stdout]).toEqual([7, '']);
    expect(called.stderr).toMatch(/^troupe run: ERR_WORKER_EXITED: .*exit code 7.*\n$/);
  });
});

it.each([
  [[], /file must be a \.py, \.js, \.mjs or \.cjs file, got none/],
  [['nowhere.py'], /got nowhere\.py \(ENOENT\)/],
  [['picture.png'], /got 'picture\.png'/],
  [['--fast', 'a.py'], /option must be .*, got '--fast'/],
  [['--timeout', 'soon', 'a.py'], /--timeout must be a number of seconds, got 'soon'/],
])('troupe run called as %j is refused on one line with 2', async (args, why) => {
  const called = run(...args);
  expect([await called.ended, called.stdout]).toEqual([2, '']);
  expect(called.stderr).toMatch(/^troupe: ERR_OPTION_INVALID: troupe run: [^\n]*\n$/);
  expect(called.stderr).toMatch(why);
});
