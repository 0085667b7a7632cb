/**
 * `npm run -s conform:live -- --runs 2000 --seed 7 --flavour links`: that many fresh random scripts on the Erlang of this machine and on
 * troupe; all flavours unless one is named; a seed of chance unless one is given (or stands in `CONFORM_SEED`). Prints seed and OTP
 * release, every mismatch made small, and exits 1 when there is one; 2 when its options are wrong.
 */
import { randomInt } from 'node:crypto';
import process from 'node:process';
import { oneOf } from '../src/base/options.ts';
import { compareFresh, describeMismatch, shrink } from '../test/conformance/otp/live-comparison.ts';
import { divergencesOf } from '../test/conformance/otp/releases.ts';
import { FLAVOURS } from '../test/conformance/otp/script-generator.ts';
import { argumentsOf, checked, wholeNumber } from './arguments.ts';

/** Mismatches that are made small; one cause shows often. */
const SHOWN = 3;
const RUNS = 2_000;
/** Seeds of chance are short enough to be typed. */
const SEEDS = 1_000_000_000;

const TEXT = { type: 'string' } as const;
const values = argumentsOf('conform:live', { runs: TEXT, seed: TEXT, flavour: TEXT });
const runs = wholeNumber('conform:live', 'runs', { value: values.runs ?? RUNS, min: 1 });
const seed = wholeNumber('conform:live', 'seed', {
  value: values.seed ?? (process.env['CONFORM_SEED'] || randomInt(SEEDS)),
  min: Number.MIN_SAFE_INTEGER,
});
const flavours =
  values.flavour === undefined
    ? FLAVOURS
    : [checked('conform:live', 'flavour', oneOf(...FLAVOURS), values.flavour)];

const main = async (): Promise<void> => {
  const began = Date.now();
  const { release, mismatches, concurrent, open } = await compareFresh({ runs, seed, flavours });
  for (const mismatch of mismatches.slice(0, SHOWN))
    process.stdout.write(`${describeMismatch(await shrink(mismatch))}\n`);
  const seconds = Math.round((Date.now() - began) / 1_000);
  const divergences = divergencesOf(release).map(({ what }) => what);
  const found = { mismatches: mismatches.length, concurrent, open, divergences };
  const report = { otp: release, seed, runs, ...found, seconds };
  process.stdout.write(`${JSON.stringify(report)}\n`);
  if (mismatches.length > 0) process.exitCode = 1;
};

await main();
