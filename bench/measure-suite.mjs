/**
 * Measures one suite, in a process of its own, so that no suite runs in the heap or the compiler's memory of another.
 * `node --expose-gc bench/measure-suite.mjs <file>` prints one line of JSON for each case and peer; what was left out, and
 * why, goes to stderr. People and CI use `run.mjs`.
 */
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
import { contest, linesOf } from './contest.mjs';
import { startErlang } from './erlang.mjs';

const [file, ...only] = process.argv.slice(2);
const name = basename(file).replace(/\.bench\.mjs$/, '');
const { suite } = await import(pathToFileURL(file).href);

let beam;
/** Started for the first case that wants it. */
const erlang = (round) => {
  if (beam === undefined) {
    beam = startErlang();
    if (beam.reason !== undefined) process.stderr.write(`${name}: no figures of erlang: ${beam.reason}\n`);
  }
  return beam.contestant(round);
};

try {
  for (const plan of suite) {
    if (only.length > 0 && !only.includes(plan.case)) continue;
    process.stderr.write(`${name}: ${plan.case}\n`);
    const medians = await contest(plan, { erlang });
    for (const line of linesOf(name, plan, medians)) process.stdout.write(`${JSON.stringify(line)}\n`);
  }
} finally {
  beam?.close();
}
// What a rival left running is no business of the figures.
process.exit(0);
