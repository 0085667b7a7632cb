/** The page on testing tells which bugs the properties find, those that are planted and no others; its example is one that runs. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { plantedTable, withPlantedTable } from '../../scripts/print-planted.ts';

const page = readFileSync(new URL('../../docs/TESTING.md', import.meta.url), 'utf8');
const SIMULATION = new URL('../simulation/', import.meta.url);

const read = (name: string): string => readFileSync(new URL(name, SIMULATION), 'utf8');

it('docs/TESTING.md lists every planted bug (npm run docs:planted)', () => {
  expect(withPlantedTable(page)).toBe(page);
});

it('the list is read off all that is planted', () => {
  const table = plantedTable();
  const bugs = readdirSync(new URL('planted/', SIMULATION)).flatMap((name) =>
    [...read(`planted/${name}`).matchAll(/\bbug: '([^']+)'/g)].map(([, bug]) => bug),
  );
  const tests = readdirSync(SIMULATION)
    .filter((name) => name.startsWith('planted-'))
    .flatMap((name) => [...read(name).matchAll(/^ {2}it\('([^']+)'/gm)].map(([, bug]) => bug));
  expect(bugs.length).toBeGreaterThan(80);
  expect(tests.length).toBeGreaterThan(30);
  expect([...bugs, ...tests].filter((bug) => !table.includes(`| ${bug} |`))).toEqual([]);
});

it('docs/TESTING.md shows the example of an exhaustive check as it is run', () => {
  const example = readFileSync(new URL('../../examples/10-check-chart.mjs', import.meta.url), 'utf8');
  expect(page).toContain(`\`\`\`js\n${example}\`\`\``);
});
