/**
 * Runs the benchmarks one after another, each in a process of its own: `npm run bench`, or `npm run bench -- kernel breaker`.
 * Figures are for ratios within one run: nothing else should keep this machine busy meanwhile.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));
const suites = readdirSync(folder)
  .filter((name) => name.endsWith('.bench.mjs'))
  .map((name) => name.replace('.bench.mjs', ''));
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !suites.includes(name));
if (unknown.length > 0) {
  console.error(`no such benchmark: ${unknown.join(', ')}; there are ${suites.join(', ')}`);
  process.exit(2);
}

let failed = false;
for (const suite of asked.length > 0 ? asked : suites) {
  console.log(`\n── ${suite}`);
  const { status } = spawnSync(process.execPath, ['--expose-gc', `${folder}${suite}.bench.mjs`], {
    stdio: 'inherit',
  });
  failed ||= status !== 0;
}
process.exit(failed ? 1 : 0);
