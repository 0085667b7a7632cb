/**
 * Style as a test: `npm run tidy` prints what is out of order as `file:line  rule  what` with the fix, and fails.
 *
 * Invariant: what it says is right or the rule is wrong; there is no way to silence it for one line. What the compiler
 * and Biome already see, it leaves to them.
 */
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { chartStates } from './tidy/chart-states.ts';
import { errorTable } from './tidy/errors.ts';
import { headers, mirroring, names, untested } from './tidy/files.ts';
import { bannedGlobals } from './tidy/globals.ts';
import { chartImports, cycles, deadFiles, importPaths, layers, xstateImports } from './tidy/imports.ts';
import { sizes } from './tidy/sizes.ts';
import { type Rule, readTree, type Violation } from './tidy/source.ts';

const RULES: readonly Rule[] = [
  layers,
  importPaths,
  cycles,
  chartImports,
  xstateImports,
  deadFiles,
  bannedGlobals,
  chartStates,
  errorTable,
  headers,
  names,
  mirroring,
  untested,
  sizes,
];

/** All that is out of order below a root, by file and line. */
export const tidy = (root: string): Violation[] => {
  const tree = readTree(root);
  return RULES.flatMap((rule) => rule(tree)).sort(
    (a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) || a.line - b.line,
  );
};

export const show = ({ file, line, rule, what, fix }: Violation): string =>
  `${file}:${line}  ${rule}  ${what}\n    fix: ${fix}`;

const main = (): void => {
  const [, , root = fileURLToPath(new URL('..', import.meta.url))] = process.argv;
  const violations = tidy(root);
  for (const violation of violations) process.stderr.write(`${show(violation)}\n`);
  if (violations.length > 0) {
    process.stderr.write(`tidy: ${violations.length} out of order\n`);
    process.exitCode = 1;
  } else process.stdout.write('tidy: all in order\n');
};

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
