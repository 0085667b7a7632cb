/**
 * `npm run -s mutate`: breaks supervision in one way after another, in a copy of the tree, and shows that the tests of supervision
 * catch each. Prints a table; exits 1 when a mutation survives, 2 when one does not apply or the tests fail without any.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { argumentsOf } from './arguments.ts';
import { MUTATIONS, type Mutation } from './mutate/mutations.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const COPIED = ['src', 'actors', 'scripts', 'test', 'package.json', 'tsconfig.json', 'vitest.config.ts'];
/** Recorded scripts, among them the random ones of each kind. */
const RECORDED = 'test/conformance/otp/recorded-traces.test.ts';
const TESTS = [RECORDED, 'test/otp', 'test/supervision'];
/** Measures how supervision scales; says nothing of what it does. */
const MEASURED = '**/supervisor-suite-scaling.test.ts';
/** Tests that have not ended by then do not end: a livelock counts as caught. */
const TIMEOUT_MS = 90_000;
const UNUSABLE = 2;

interface Verdict {
  readonly isCaught: boolean;
  /** The first test that failed. */
  readonly by: string;
}

/** Whether the tests pass on the copy; with `by`, the recorded random scripts of that kind alone. */
const judge = (copy: string, by?: Mutation['by']): Verdict => {
  const tests =
    by === undefined ? [...TESTS, '--exclude', MEASURED] : [RECORDED, '-t', `random scripts .*: ${by}`];
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', ...tests, '--bail', '1', '--reporter', 'dot'],
    {
      cwd: copy,
      encoding: 'utf8',
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
      env: { ...process.env, NO_COLOR: '1' },
    },
  );
  if (signal !== null) return { isCaught: true, by: 'never ended' };
  const failed = /^ *FAIL +(.*)$/m.exec(`${stdout}\n${stderr}`);
  return { isCaught: status !== 0, by: failed?.[1] ?? '' };
};

/** A pattern that the code has grown out of would show nothing. */
const checkApplies = (copy: string, { file, from }: Mutation): void => {
  if (readFileSync(join(copy, file), 'utf8').split(from).length === 2) return;
  throw new Error(`${file}: not exactly once: ${from}`);
};

/** Applies one, judges, takes it back. */
const tryOne = (copy: string, { file, from, to, by }: Mutation): Verdict => {
  const path = join(copy, file);
  const original = readFileSync(path, 'utf8');
  writeFileSync(
    path,
    original.replace(from, () => to),
  );
  try {
    return judge(copy, by);
  } finally {
    writeFileSync(path, original);
  }
};

const main = (): void => {
  const copy = mkdtempSync(join(tmpdir(), 'troupe-mutate-'));
  try {
    for (const name of COPIED) cpSync(join(ROOT, name), join(copy, name), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    for (const mutation of MUTATIONS) checkApplies(copy, mutation);
    const healthy = judge(copy);
    if (healthy.isCaught) throw new Error(`a test fails without any mutation: ${healthy.by}`);
    let survivors = 0;
    for (const [i, mutation] of MUTATIONS.entries()) {
      const began = performance.now();
      const { isCaught, by } = tryOne(copy, mutation);
      if (!isCaught) survivors += 1;
      const seconds = ((performance.now() - began) / 1_000).toFixed(1);
      const verdict = isCaught ? 'caught' : 'SURVIVED';
      process.stdout.write(
        `${String(i + 1).padStart(2)}  ${verdict}  ${seconds} s  ${mutation.what}\n      ${by}\n`,
      );
    }
    process.stdout.write(`mutations ${MUTATIONS.length}, survived ${survivors}\n`);
    if (survivors > 0) process.exitCode = 1;
  } catch (error) {
    process.stderr.write(`mutate: ${(error as Error).message}\n`);
    process.exitCode = UNUSABLE;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
};

argumentsOf('mutate', {});
main();
