/**
 * `npm run -s package:try`: packs the package as `npm publish` would, installs the tarball in an empty project, compiles a program for
 * each way into it strictly, declarations of troupe included, and runs them. Exits with 1 where one is missing, or wrong.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { PROGRAMS } from './package-programs.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const { exports, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  exports: Readonly<Record<string, unknown>>;
  devDependencies: Readonly<Record<string, string>>;
};

/** What a user has beside the package: its peers, and what compiles. */
const BESIDE = ['xstate', 'fast-check', 'typescript', '@types/node'];
const COMPILER_OPTIONS = {
  strict: true,
  noUncheckedIndexedAccess: true,
  target: 'es2022',
  module: 'nodenext',
  types: ['node'],
  rootDir: 'src',
  outDir: 'out',
  // So that the declarations of the package are looked at, too.
  skipLibCheck: false,
};
const RUN_WITHIN_MS = 60_000;

const run = (cwd: string, command: string, ...args: readonly string[]): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

const fileOf = (way: string): string => (way === '.' ? 'main' : way.slice('./'.length));

const install = (project: string): void => {
  const packed = run(root, 'npm', 'pack', '--json', '--pack-destination', project);
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions: COMPILER_OPTIONS }));
  const beside = BESIDE.map((name) => `${name}@${devDependencies[name]}`);
  run(project, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', `./${filename}`, ...beside);
};

const tryAll = (project: string): readonly string[] => {
  const ways = Object.keys(exports).filter((way) => way !== './package.json');
  mkdirSync(join(project, 'src'));
  for (const [way, { source }] of Object.entries(PROGRAMS))
    writeFileSync(join(project, 'src', `${fileOf(way)}.ts`), source);
  run(project, 'npx', 'tsc');
  return ways.flatMap((way) => {
    const program = PROGRAMS[way];
    if (program === undefined) return [`${way}: no program tries it`];
    if (program.prints === undefined) return [];
    const stdout = execFileSync(process.execPath, [`out/${fileOf(way)}.js`], {
      cwd: project,
      encoding: 'utf8',
      timeout: RUN_WITHIN_MS,
    });
    const lines = stdout.split('\n').map((line) => line.trimEnd());
    return lines.includes(program.prints) ? [] : [`${way}: printed no ${program.prints}, but ${stdout}`];
  });
};

const project = mkdtempSync(join(tmpdir(), 'troupe-package-'));
try {
  install(project);
  const wrong = tryAll(project);
  for (const line of wrong) console.error(line);
  console.log(`package: ${Object.keys(PROGRAMS).length} ways in, ${wrong.length} wrong`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
} finally {
  rmSync(project, { recursive: true, force: true });
}
