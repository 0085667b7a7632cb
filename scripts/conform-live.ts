/**
 * `npm run -s conform:live -- --runs 2000 --seed 7`: that many fresh random scripts on the Erlang of this machine and on troupe. Prints
 * seed and OTP release, every mismatch made small, and exits 1 when there is one; 2 when its options are wrong.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { compareFresh, describeMismatch, shrink } from '../test/conformance/otp/live-comparison.ts';

/** Mismatches that are made small; one cause shows often. */
const SHOWN = 3;
const RUNS = 2_000;
const USAGE = 2;

const { values } = parseArgs({ options: { runs: { type: 'string' }, seed: { type: 'string' } } });
const runs = Number(values.runs ?? RUNS);
const seed = Number(values.seed ?? Date.now() % 1_000_000);

const main = async (): Promise<void> => {
  if (!Number.isSafeInteger(runs) || runs < 1 || !Number.isSafeInteger(seed)) {
    process.stderr.write('conform:live: --runs takes a whole number of at least 1, --seed a whole number\n');
    process.exitCode = USAGE;
    return;
  }
  const began = Date.now();
  const { release, mismatches } = await compareFresh({ runs, seed });
  for (const mismatch of mismatches.slice(0, SHOWN))
    process.stdout.write(`${describeMismatch(await shrink(mismatch))}\n`);
  const seconds = Math.round((Date.now() - began) / 1_000);
  const report = { otp: release, seed, runs, mismatches: mismatches.length, seconds };
  process.stdout.write(`${JSON.stringify(report)}\n`);
  if (mismatches.length > 0) process.exitCode = 1;
};

await main();
