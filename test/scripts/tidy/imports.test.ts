import { describe, expect, test } from 'vitest';
import { RANKS } from '../../../scripts/tidy/imports.ts';
import { CHART, file, HEADER, inKernel, tidied } from '../orderly-repository.ts';

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
        'src/kernel/a.ts': file(
          "export const a = () => import('../chart/c.ts');",
          "export type C = import('../chart/c.ts').C;",
        ),
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
        'src/kernel/a.ts': file(
          "import '../testing/t.ts';",
          "import '../../test/kernel/a.test.ts';",
          'export const a = 1;',
        ),
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
      'src/kernel/c.ts': `${HEADER}import {} from './d.ts';\n`,
      'src/kernel/d.ts': `${HEADER}export * from './a.ts';\n`,
    }),
  ).toEqual([
    'src/kernel/a.ts:2 cycles: imports itself: src/kernel/a.ts → src/kernel/c.ts → src/kernel/d.ts → src/kernel/a.ts',
  ]);
});

test('types of one folder may know each other', () => {
  expect(
    tidied({
      'src/kernel/a.ts': `${HEADER}import './c.ts';\nexport const a = 1;\n`,
      'src/kernel/c.ts': `${HEADER}import type {} from './a.ts';\n`,
    }),
  ).toEqual([]);
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
