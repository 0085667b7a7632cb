/**
 * Each property finds the bug that it is there for: bugs are planted while a test runs, and a scenario that is deaf to all else
 * must report the property that names them. Every property that any scenario states is in the table.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { BREAKER_BUGS } from './planted/breaker.ts';
import { KERNEL_BUGS } from './planted/kernel.ts';
import { finds } from './planted/plant.ts';
import { POOL_BUGS } from './planted/pool.ts';
import { RECOVERY_BUGS } from './planted/recovery.ts';
import { RULES } from './planted/rules.ts';
import { SERVICE_BUGS } from './planted/service.ts';
import { SUPERVISOR_BUGS } from './planted/supervisors.ts';
import { plant, takeBackAfterEach } from './planting.ts';
import { SCENARIOS } from './scenarios/index.ts';

takeBackAfterEach();

const BUGS = [
  ...SUPERVISOR_BUGS,
  ...KERNEL_BUGS,
  ...BREAKER_BUGS,
  ...POOL_BUGS,
  ...RECOVERY_BUGS,
  ...SERVICE_BUGS,
];

/** Most take a fraction of a second; a machine that is shared may take many times that. */
const TIMEOUT_MS = 120_000;

const CASES = BUGS.flatMap((bug) =>
  bug.violates.map((property) => ({ ...bug, name: bug.scenario.name, property })),
);
/** The others' bugs are planted in files of their own. */
const TABLED = SCENARIOS.filter(({ scenario }) => CASES.some(({ name }) => name === scenario.name));
const CAUGHT = new Set(CASES.map(({ name, property }) => `${name}: ${property}`));

/** Checks that only keep a scenario's own model up to date. */
const NO_PROPERTIES = new Set(['stops are watched', 'the watchdog is heard']);

const read = (file: string): string =>
  readFileSync(fileURLToPath(new URL(`./scenarios/${file}.ts`, import.meta.url)), 'utf8');

/** `supervision` has the rules of its trees in a file of their own. */
const textOf = (name: string): string => (name === 'supervision' ? read(name) + read('trees') : read(name));

/** What a scenario says must hold, wherever it says so. */
const statedBy = ({
  name,
  always = {},
  converged = {},
}: (typeof SCENARIOS)[number]['scenario']): string[] => {
  const violated = [...textOf(name).matchAll(/violated\(\s*'([^']+)'/g)].map(
    ([, property]) => property ?? '',
  );
  return [...new Set([...violated, ...Object.keys(always), ...Object.keys(converged)])].filter(
    (property) => !NO_PROPERTIES.has(property),
  );
};

describe('a planted bug', () => {
  it.each(CASES)(
    '$name: $bug → $property',
    async (bug) => {
      bug.plant(plant);
      expect(await finds(bug.scenario, bug.property)).toBe(bug.property);
    },
    TIMEOUT_MS,
  );
});

describe('the table', () => {
  it.each(TABLED)('has a bug for every property of $scenario.name', ({ scenario }) => {
    const stated = statedBy(scenario);
    expect(stated.length).toBeGreaterThan(2);
    expect(stated.filter((property) => !CAUGHT.has(`${scenario.name}: ${property}`))).toEqual([]);
  });

  it('has a bug for every property that scenarios share', () => {
    const shared = [...textOf('ledger').matchAll(/violated\(\s*'([^']+)'/g)].map(([, property]) => property);
    const caught = new Set(CASES.map(({ property }) => property));
    expect(shared.length).toBeGreaterThan(2);
    expect(shared.filter((property) => !caught.has(property ?? ''))).toEqual([]);
  });

  it('names for every rule the properties that hold it, each with its bug', () => {
    for (const { rule, held } of RULES) {
      expect(held.length, rule).toBeGreaterThan(0);
      expect(
        held.filter((property) => !CAUGHT.has(property)),
        rule,
      ).toEqual([]);
    }
  });
});
