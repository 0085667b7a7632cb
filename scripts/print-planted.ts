/**
 * Prints the table of planted bugs into docs/TESTING.md: `npm run docs:planted`. A test holds the page to the folder.
 *
 * Invariant: it is read off the bugs themselves: those of the table in `test/simulation/planted/`, and those that tests of
 * `test/simulation/planted-*.test.ts` plant, by what these expect to be found.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BREAKER_BUGS } from '../test/simulation/planted/breaker.ts';
import { KERNEL_BUGS } from '../test/simulation/planted/kernel.ts';
import { POOL_BUGS } from '../test/simulation/planted/pool.ts';
import { RECOVERY_BUGS } from '../test/simulation/planted/recovery.ts';
import { SERVICE_BUGS } from '../test/simulation/planted/service.ts';
import { SUPERVISOR_BUGS } from '../test/simulation/planted/supervisors.ts';

const PAGE = fileURLToPath(new URL('../docs/TESTING.md', import.meta.url));
const TESTS = fileURLToPath(new URL('../test/simulation/', import.meta.url));
const HEADING = '| scenario | property | a bug that it finds |\n|---|---|---|\n';

interface Row {
  readonly scenario: string;
  readonly property: string;
  readonly bug: string;
}

const tabled = (): readonly Row[] =>
  [
    ...SUPERVISOR_BUGS,
    ...KERNEL_BUGS,
    ...BREAKER_BUGS,
    ...POOL_BUGS,
    ...RECOVERY_BUGS,
    ...SERVICE_BUGS,
  ].flatMap(({ bug, scenario, violates }) =>
    violates.map((property) => ({ scenario: scenario.name, property, bug })),
  );

const SUBJECT = /^describe\('(.+) (?:is|are) caught'/m;
const BUG = /\n {2}it\('(.+)', async/;
const FOUND = /found\(\w*\)\)\.(?:toBe\('([^']+)'\)|toMatch\(\s*\/(.+?)\/,?\s*\)|not\.toBe\('nothing'\))/;

/** What one test plants, and which properties may be the first to find it. */
const rowOf = (scenario: string, text: string): Row => {
  const bug = BUG.exec(text)?.[1];
  const found = FOUND.exec(text);
  if (bug === undefined || found === null) throw new Error(`a planted bug that cannot be read: ${text}`);
  const property = found[1] ?? found[2]?.replaceAll('|', ' or ') ?? 'any';
  return { scenario, property, bug };
};

const tested = (): readonly Row[] =>
  readdirSync(TESTS)
    .filter((name) => /^planted-.*\.test\.ts$/.test(name))
    .sort()
    .flatMap((name) => {
      const groups = readFileSync(`${TESTS}${name}`, 'utf8').split(/(?=^describe\()/m);
      return groups.flatMap((group) => {
        const scenario = SUBJECT.exec(group)?.[1];
        if (scenario === undefined) return [];
        return group.split(/(?=\n {2}it\()/).flatMap((text) => (BUG.test(text) ? rowOf(scenario, text) : []));
      });
    });

const rows = (): readonly Row[] => [...tabled(), ...tested()];

/** The table as it must stand on the page. */
export const plantedTable = (): string => {
  const lines = rows().map(({ scenario, property, bug }) => `| ${scenario} | ${property} | ${bug} |`);
  return `${HEADING}${[...new Set(lines)].join('\n')}\n`;
};

/** A page with its table replaced. */
export const withPlantedTable = (page: string): string => {
  const from = page.indexOf(HEADING);
  if (from < 0) throw new Error('the page has no table of planted bugs');
  const end = /\n(?!\|)/.exec(page.slice(from));
  return page.slice(0, from) + plantedTable() + page.slice(from + (end?.index ?? page.length) + 1);
};

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(PAGE, withPlantedTable(readFileSync(PAGE, 'utf8')));
