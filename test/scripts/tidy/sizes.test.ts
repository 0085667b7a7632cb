import { describe, expect, test } from 'vitest';
import { inKernel, tidied } from '../orderly-repository.ts';

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
        'test/kernel/a.test.ts': `import '../../src/kernel/a.ts';\ndescribe('x', () => {\n${body}\n});\n`,
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
