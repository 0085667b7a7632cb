import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { RANKS } from '../../scripts/tidy/imports.ts';
import { show, tidy } from '../../scripts/tidy.ts';

const HEADER = '/** Owns one thing, keeps one invariant, does nothing else. */\n';

/** A repository in which all is in order. */
const ORDERLY: Readonly<Record<string, string>> = {
  'tsup.config.ts': "export default { entry: { index: 'src/index.ts', base: 'src/base/b.ts' } };\n",
  'src/index.ts': `${HEADER}export { a } from './kernel/a.ts';\n`,
  'src/kernel/a.ts': `${HEADER}import { b } from '../base/b.ts';\nexport const a = b;\n`,
  'src/base/b.ts': `${HEADER}export const b = 1;\n`,
  'test/kernel/a.test.ts': "import { a } from '../../src/kernel/a.ts';\na;\n",
  'test/base/b.test.ts': '',
};

const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true });
});

/** What tidy says of the orderly repository with some files more, or others; `null` takes one away. */
const tidied = (files: Readonly<Record<string, string | null>>): string[] => {
  const root = mkdtempSync(join(tmpdir(), 'troupe-tidy-'));
  roots.push(root);
  for (const [path, text] of Object.entries({ ...ORDERLY, ...files })) {
    if (text === null) continue;
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return tidy(root).map(({ file, line, rule, what }) => `${file}:${line} ${rule}: ${what}`);
};

/** The orderly repository, in which `src/kernel/a.ts` has this below its header. */
const inKernel = (code: string): string[] => tidied({ 'src/kernel/a.ts': `${HEADER}${code}\n` });

/** The same with a rank 4 folder, where a chart is at hand. */
const CHART = `${HEADER}import { setup } from 'xstate';
export const machine = setup({}).createMachine({
  initial: 'closed',
  states: { closed: {}, half_open: { states: { probing: {} } } },
});
`;
const besideChart = (code: string): string[] =>
  tidied({
    'actors/door.machine.ts': CHART,
    'src/kernel/a.ts': `${HEADER}import '../../actors/door.machine.ts';\nexport const a = (thing: any) => {\n${code}\n};\n`,
  });

test('an orderly repository has nothing to be said of it', () => {
  expect(tidied({})).toEqual([]);
});

test('what is printed names the place, the rule and the fix', () => {
  const violation = { file: 'src/a.ts', line: 3, rule: 'cycles', what: 'imports itself', fix: 'do not' };
  expect(show(violation)).toBe('src/a.ts:3  cycles  imports itself\n    fix: do not');
});

describe('layers', () => {
  test('a lower rank may not import a higher one, types included', () => {
    expect(
      tidied({
        'src/index.ts': `${HEADER}export * from './kernel/a.ts';\nexport * from './work/w.ts';\n`,
        'src/work/w.ts': `${HEADER}export type W = 1;\n`,
        'test/work/w.test.ts': '',
        'src/kernel/a.ts': `${HEADER}import type { W } from '../work/w.ts';\nexport type A = W;\n`,
      }),
    ).toEqual(['src/kernel/a.ts:2 layers: src/kernel (rank 1) imports src/work (rank 4)']);
  });

  test('folders of equal rank may not import each other, in whatever way it is written', () => {
    expect(
      tidied({
        'src/kernel/a.ts': `${HEADER}export const a = () => import('../chart/c.ts');\nexport type C = import('../chart/c.ts').C;\n`,
        'src/chart/c.ts': `${HEADER}export type C = 1;\n`,
        'test/chart/c.test.ts': '',
      }),
    ).toEqual([
      'src/kernel/a.ts:2 layers: src/kernel (rank 1) imports src/chart (rank 1)',
      'src/kernel/a.ts:3 layers: src/kernel (rank 1) imports src/chart (rank 1)',
    ]);
  });

  test('nobody of the product imports testing, or what is not product', () => {
    expect(
      tidied({
        'src/kernel/a.ts': `${HEADER}import '../testing/t.ts';\nimport '../../test/kernel/a.test.ts';\nexport const a = 1;\n`,
        'src/testing/t.ts': HEADER,
        'test/testing/t.test.ts': "import '../../src/testing/t.ts';\n",
        'test/kernel/a.test.ts': '',
      }),
    ).toEqual([
      'src/kernel/a.ts:2 layers: imports src/testing/t.ts',
      'src/kernel/a.ts:3 layers: imports test/kernel/a.test.ts',
    ]);
  });

  test('a folder without a rank is refused', () => {
    expect(
      tidied({
        'src/index.ts': `${HEADER}import './kernel/a.ts';\nimport './stuff/s.ts';\n`,
        'src/stuff/s.ts': HEADER,
        'test/stuff/s.test.ts': '',
      }),
    ).toEqual(['src/stuff/s.ts:1 layers: src/stuff has no rank']);
  });

  test('the table is the one of the design', () => {
    expect([
      RANKS['src/base'],
      RANKS['src/kernel'],
      RANKS['src/supervision'],
      RANKS['src/telemetry'],
    ]).toEqual([0, 1, 3, 7]);
  });
});

test('a relative import names a file that is there', () => {
  expect(
    inKernel(
      "import '../base/b';\nimport '../base/nothing.ts';\nimport '../base/b.ts';\nexport const a = 1;",
    ),
  ).toEqual([
    'src/kernel/a.ts:2 import-paths: imports ../base/b',
    'src/kernel/a.ts:3 import-paths: imports ../base/nothing.ts',
  ]);
});

test('a ring of imports is told once, with its way', () => {
  expect(
    tidied({
      'src/kernel/a.ts': `${HEADER}import './c.ts';\nexport const a = 1;\n`,
      'src/kernel/c.ts': `${HEADER}import type {} from './d.ts';\n`,
      'src/kernel/d.ts': `${HEADER}export * from './a.ts';\n`,
    }),
  ).toEqual([
    'src/kernel/a.ts:2 cycles: imports itself: src/kernel/a.ts → src/kernel/c.ts → src/kernel/d.ts → src/kernel/a.ts',
  ]);
});

describe('charts and XState', () => {
  test('a chart imports xstate and nothing else', () => {
    expect(
      tidied({
        'actors/door.machine.ts': `${CHART}import '../src/base/b.ts';\nimport 'node:fs';\n`,
        'src/kernel/a.ts': `${HEADER}import '../../actors/door.machine.ts';\nexport const a = 1;\n`,
      }),
    ).toEqual([
      'actors/door.machine.ts:7 layers: actors (rank 0) imports src/base (rank 0)',
      'actors/door.machine.ts:7 chart-imports: imports ../src/base/b.ts',
      'actors/door.machine.ts:8 chart-imports: imports node:fs',
    ]);
  });

  test('only chart, xstate and testing import xstate', () => {
    const importing = `${HEADER}import type {} from 'xstate';\nexport const a = 1;\n`;
    expect(
      tidied({
        'src/index.ts': `${HEADER}import './kernel/a.ts';\nimport './chart/c.ts';\nimport './xstate/x.ts';\n`,
        'src/kernel/a.ts': importing,
        'src/chart/c.ts': importing,
        'src/xstate/x.ts': importing,
        'test/chart/c.test.ts': '',
        'test/xstate/x.test.ts': '',
      }),
    ).toEqual(['src/kernel/a.ts:2 xstate-imports: imports xstate']);
  });
});

describe('dead files', () => {
  test('a file that no entry point reaches is dead, though a test imports it', () => {
    expect(
      tidied({
        'src/kernel/dead.ts': HEADER,
        'test/kernel/dead.test.ts': "import '../../src/kernel/dead.ts';\n",
      }),
    ).toEqual(['src/kernel/dead.ts:1 dead-files: no entry point of tsup.config.ts reaches it']);
  });

  test('what only tests use lives in testing, and lives as long as they use it', () => {
    expect(
      tidied({
        'src/testing/used.ts': HEADER,
        'src/testing/unused.ts': HEADER,
        'test/testing/used.test.ts': "import '../../src/testing/used.ts';\n",
      }),
    ).toEqual(['src/testing/unused.ts:1 dead-files: no entry point of tsup.config.ts reaches it']);
  });

  test('an entry point that does not exist is missed', () => {
    expect(
      tidied({
        'tsup.config.ts':
          "export default { entry: { a: 'src/index.ts', b: 'src/base/b.ts', c: 'src/gone.ts' } };\n",
      }),
    ).toEqual(['tsup.config.ts:1 dead-files: the entry point src/gone.ts does not exist']);
  });
});

describe('banned globals', () => {
  test.each([
    ['Date.now()', 'Date'],
    ['new Date()', 'Date'],
    ['performance.now()', 'performance'],
    ['setTimeout(() => {}, 1)', 'setTimeout'],
    ['queueMicrotask(() => {})', 'queueMicrotask'],
    ['Math.random()', 'Math.random'],
    ['[1].map(Math.random)', 'Math.random'],
    ['AbortSignal.timeout(5)', 'AbortSignal.timeout'],
    ['process.env', 'process'],
    ['process.nextTick(() => {})', 'process.nextTick'],
    ['globalThis.Date', 'globalThis'],
    ['crypto.randomUUID()', 'crypto'],
    ['({ setTimeout })', 'setTimeout'],
    ['new WeakRef({})', 'WeakRef'],
  ])('%s is refused', (code, name) => {
    expect(inKernel(`export const a = ${code};`)).toEqual([`src/kernel/a.ts:2 banned-globals: uses ${name}`]);
  });

  test.each([
    'node:timers',
    'timers/promises',
    'node:child_process',
    'node:net',
    'node:crypto',
    'node:process',
  ])('importing %s is refused', (module) => {
    const name = `node:${module.replace('node:', '')}`;
    expect(inKernel(`import {} from '${module}';\nexport const a = 1;`)).toEqual([
      `src/kernel/a.ts:2 banned-globals: uses ${name}`,
    ]);
  });

  test.each([
    'export const a = (process: { pid: number }) => process.pid;',
    'export const a = (x: { Date: 1 }) => x.Date;',
    'export const a = (x: Date, y: NodeJS.Timeout) => [x, y];',
    'export const a = { Date: 1, setTimeout() {} };',
    'import { crypto } from "somewhere";\nexport const a = crypto;',
    'export const a = () => { const { performance } = other; return performance; };\nconst other = { performance: 1 };',
    'export const a = () => { for (const process of [1]) process; };',
    '// Date.now() and setTimeout\nexport const a = "Math.random()";',
    'export const a = Math.max(1, 2);',
  ])('%s is not about a global', (code) => {
    expect(inKernel(code)).toEqual([]);
  });

  test('exceptions hold in their place alone', () => {
    const code = `${HEADER}import { env } from 'node:process';\nexport const a = [env, setTimeout, Date.now()];\n`;
    expect(
      tidied({
        'src/index.ts': `${HEADER}import './work/sdk/w.ts';\nimport './base/real-host.ts';\n`,
        'src/kernel/a.ts': null,
        'test/kernel/a.test.ts': null,
        'src/base/real-host.ts': code,
        'src/work/sdk/w.ts': code,
        'test/work/w.test.ts': '',
      }),
    ).toEqual(['src/work/sdk/w.ts:3 banned-globals: uses Date']);
  });
});

describe('branching on the state of a chart', () => {
  test.each([
    "if (thing.snapshot.value === 'half_open') return 1;",
    "if ('closed' !== thing.value) return 1;",
    "return thing.state == 'closed';",
    "const { workerState } = thing;\nreturn workerState === 'probing';",
    "switch (thing.getSnapshot()) {\n case 'closed': return 1;\n}",
    "return thing.matches('half_open');",
    "return thing.snapshot.matches({ half_open: 'probing' });",
    "return ['closed', 'x'].includes(thing.state);",
    "return thing.snapshot.value['region'] === 'closed';",
  ])('%s is refused', (code) => {
    const said = besideChart(code);
    expect(said.length).toBe(1);
    expect(said[0]).toMatch(/^src\/kernel\/a\.ts:\d chart-states: branches on the chart state '/);
  });

  test.each([
    "return thing.verdict === 'closed';",
    "return thing.state === 'admit';",
    "return thing === 'closed';",
    "return /closed/.test(thing) && thing.stated === 'closed';",
    "return { state: 'closed' };",
    "return ['closed'].includes(thing.name);",
    "return thing.url.matches('nothing of ours');",
  ])('%s is let be', (code) => {
    expect(besideChart(code)).toEqual([]);
  });

  test('where no chart has such a state, no word is one', () => {
    expect(inKernel("export const a = (thing: { state: string }) => thing.state === 'closed';")).toEqual([]);
  });
});

describe('the table of errors', () => {
  const table = `${HEADER}const entry = (...of: string[]) => of;
export const ERRORS = {
  ERR_A: entry('CallError', 'unknown', '{who} did {what}', 'help'),
};
`;
  const withTable = (code: string) =>
    tidied({
      'src/base/errors.ts': table,
      'src/kernel/a.ts': `${HEADER}import '../base/errors.ts';\nimport '../base/b.ts';\ndeclare const createError: any;\n${code}\n`,
    });

  test('an error is raised with every fact that its message names', () => {
    expect(withTable("export const a = () => createError('ERR_A', { who: 1 });")).toEqual([
      'src/kernel/a.ts:5 error-facts: ERR_A lacks what, which its message names',
    ]);
    expect(withTable("export const a = (all: object) => createError('ERR_A', { ...all });")).toEqual([]);
    expect(withTable("export const a = () => createError('ERR_A', { who: 1, what: 2 });")).toEqual([]);
  });

  test('a code that nobody raises is no code', () => {
    expect(withTable('export const a = 1;')).toEqual([
      'src/base/errors.ts:4 unraised-errors: ERR_A is raised nowhere',
    ]);
  });
});

describe('files', () => {
  test('every file but a test opens with a header', () => {
    expect(
      tidied({
        'src/base/b.ts': 'export const b = 1;\n/** This comes too late to be a header of it. */\n',
        'src/kernel/a.ts': `/** a */\nimport { b } from '../base/b.ts';\nexport const a = b;\n`,
        'examples/e.mjs': '#!/usr/bin/env node\n/** Shows how one thing is done by hand. */\n',
      }),
    ).toEqual([
      'src/base/b.ts:1 headers: does not open with a header comment',
      'src/kernel/a.ts:1 headers: does not open with a header comment',
    ]);
  });

  test.each(['utils', 'helpers', 'common', 'types', 'call-handler', 'pool-manager'])(
    'a file or folder called %s is refused',
    (name) => {
      expect(
        tidied({
          'src/index.ts': `${HEADER}import './kernel/a.ts';\nimport './kernel/${name}.ts';\n`,
          [`src/kernel/${name}.ts`]: HEADER,
        }),
      ).toEqual([`src/kernel/${name}.ts:1 names: the name ${name}.ts says nothing`]);
      expect(tidied({ [`scripts/${name}/x.ts`]: HEADER })).toEqual([
        `scripts/${name}/x.ts:1 names: the name ${name} says nothing`,
      ]);
    },
  );

  test('names are kebab-case, Python’s its own', () => {
    expect(
      tidied({ 'scripts/fooBar.ts': HEADER, 'scripts/foo_bar.py': '', 'examples/README.md': '' }),
    ).toEqual(['scripts/fooBar.ts:1 names: the name fooBar.ts is not kebab-case']);
  });

  test('tests mirror src, each kind in its own place', () => {
    expect(
      tidied({
        'test/nowhere/x.test.ts': '',
        'src/kernel/a.test.ts': '',
        'test/kernel/a.prop.ts': `${HEADER}`,
        'property-tests/kernel/a.prop.ts': `${HEADER}`,
        'test/package.test.ts': '',
        'test/scripts/x.test.ts': '',
        'test/kernel/fixtures/crash.mjs': HEADER,
      }).filter((said) => said.includes('mirroring')),
    ).toEqual([
      'src/kernel/a.test.ts:1 mirroring: a .test.ts lies in src/',
      'test/kernel/a.prop.ts:1 mirroring: a .prop.ts lies in test/',
      'test/nowhere/x.test.ts:1 mirroring: src/nowhere/ does not exist',
    ]);
  });

  test('every folder of src has a test', () => {
    expect(tidied({ 'test/base/b.test.ts': null })).toEqual(['src/base:1 untested: test/base/ has no test']);
  });
});

describe('sizes', () => {
  const lines = (count: number, text: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => text(i)).join('\n');

  test('a file has at most 400 lines, doc comments not counted', () => {
    const docs = `/**\n${lines(50, () => ' * Explains.')}\n */\n`;
    expect(inKernel(`${docs}${lines(399, (i) => `export const a${i} = ${i};`)}`)).toEqual([]);
    expect(inKernel(lines(401, (i) => `export const a${i} = ${i};`))).toEqual([
      'src/kernel/a.ts:400 file-size: has 401 lines without its doc comments (at most 400)',
    ]);
  });

  test('a function has at most 70 lines, however it is written', () => {
    const body = lines(69, (i) => `  void ${i};`);
    expect(inKernel(`export const a = () => {\n${lines(68, (i) => `  void ${i};`)}\n};`)).toEqual([]);
    expect(inKernel(`export const a = () => {\n${body}\n};`)).toEqual([
      'src/kernel/a.ts:2 function-size: a has 71 lines (at most 70)',
    ]);
    expect(inKernel(`export class A {\n  run() {\n${body}\n  }\n}`)).toEqual([
      'src/kernel/a.ts:3 function-size: run has 71 lines (at most 70)',
    ]);
  });

  test('a group of tests may be longer, a test may not', () => {
    const body = lines(80, (i) => `  void ${i};`);
    expect(
      tidied({
        'test/kernel/a.test.ts': `import { a } from '../../src/kernel/a.ts';\ndescribe('x', () => {\n${body}\n});\n`,
        'test/base/b.test.ts': `test('x', () => {\n${body}\n});\n`,
      }),
    ).toEqual(['test/base/b.test.ts:1 function-size: a function has 82 lines (at most 70)']);
  });

  test('a line has at most 110 characters, unless nothing can be done about it', () => {
    const long = 'x'.repeat(110);
    expect(inKernel(`// ${long}\nexport const a = 1;`)).toEqual([
      'src/kernel/a.ts:2 line-length: has 113 characters (at most 110)',
    ]);
    expect(
      inKernel(`/** ${long} */\nexport const a = [\n  '${long}',\n];\n// https://example.org/${long}`),
    ).toEqual([]);
  });
});
