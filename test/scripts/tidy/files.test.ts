import { describe, expect, test } from 'vitest';
import { HEADER, tidied } from '../orderly-repository.ts';

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
