/**
 * A small repository in which all is in order, and what tidy says once some of its files are otherwise. Each is made in
 * a folder of its own, which goes with the test.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach } from 'vitest';
import { tidy } from '../../scripts/tidy.ts';

export const HEADER = '/** Owns one thing, keeps one invariant, does nothing else. */\n';

/** A file of these lines, below a header. */
export const file = (...lines: readonly string[]): string => `${HEADER}${lines.join('\n')}\n`;

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
export const tidied = (files: Readonly<Record<string, string | null>>): string[] => {
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
export const inKernel = (code: string): string[] => tidied({ 'src/kernel/a.ts': `${HEADER}${code}\n` });

/** A chart with three states. */
export const CHART = `${HEADER}import { setup } from 'xstate';
export const machine = setup({}).createMachine({
  initial: 'closed',
  states: { closed: {}, half_open: { states: { probing: {} } } },
});
`;
/** The same beside that chart, inside a function of `thing`. */
export const besideChart = (code: string): string[] =>
  tidied({
    'actors/door.machine.ts': CHART,
    'src/kernel/a.ts': file(
      "import '../../actors/door.machine.ts';",
      'export const a = (thing: any) => {',
      code,
      '};',
    ),
  });
