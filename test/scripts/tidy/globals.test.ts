import { describe, expect, test } from 'vitest';
import { file, HEADER, inKernel, tidied } from '../orderly-repository.ts';

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
    'export const a = () => { const { performance } = other; return performance; };\ndeclare const other: any;',
    'export const a = () => { for (const process of [1]) process; };',
    '// Date.now() and setTimeout\nexport const a = "Math.random()";',
    'export const a = Math.max(1, 2);',
  ])('%s is not about a global', (code) => {
    expect(inKernel(code)).toEqual([]);
  });

  test('exceptions hold in their place alone', () => {
    const code = file(
      "import { env } from 'node:process';",
      'export const a = [env, setTimeout, Date.now()];',
    );
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
