/**
 * What some tests need that a machine may lack. A test skips where its tool is absent, unless the environment
 * says that it must be there: then it runs and fails. `TROUPE_REQUIRE=python3,erl npm test` is how CI makes
 * sure nothing is skipped.
 */
import { spawnSync } from 'node:child_process';

export type Tool = 'python3' | 'erl' | 'chromium' | 'perl';

const VERSION_QUESTION: Readonly<Record<Tool, readonly string[]>> = {
  python3: ['--version'],
  erl: ['-noshell', '-eval', 'halt().'],
  chromium: ['--version'],
  perl: ['-MJSON::PP', '-e1'],
};

const found = new Map<Tool, boolean>();

const isPresent = (tool: Tool): boolean => {
  const known = found.get(tool);
  if (known !== undefined) return known;
  const { status } = spawnSync(tool, VERSION_QUESTION[tool], { stdio: 'ignore', timeout: 20_000 });
  found.set(tool, status === 0);
  return status === 0;
};

/** For `test.skipIf(requires('python3').skip)` and the like; `reason` is for the test's name. */
export const requires = (tool: Tool): { readonly skip: boolean; readonly reason: string } => {
  const demanded = (process.env['TROUPE_REQUIRE'] ?? '').split(/[\s,]+/).includes(tool);
  return { skip: !demanded && !isPresent(tool), reason: `${tool} is not on this machine` };
};
