/** Bugs planted by patching prototypes while a test runs: the scenario must report the property that names them. */
import { afterEach } from 'vitest';
import { simulate } from '../../src/testing/simulate.ts';
import type { AnyScenario } from './scenarios/index.ts';

export type Method = (this: never, ...args: never[]) => unknown;

const undo: (() => void)[] = [];

/** Takes back what was planted, after each test of the file that asks for it. */
export const takeBackAfterEach = (): void => {
  afterEach(() => {
    for (const back of undo.splice(0)) back();
  });
};

/** Puts `make(original)` in the place of a method or a getter. */
export const plant = (
  owner: { readonly prototype: object },
  name: string,
  make: (original: Method) => unknown,
): void => {
  const { prototype } = owner;
  const was = Object.getOwnPropertyDescriptor(prototype, name);
  if (was === undefined) throw new Error(`nothing is called ${name}`);
  const now =
    was.get === undefined
      ? { ...was, value: make(was.value as Method) }
      : { ...was, get: make(was.get as Method) as () => unknown };
  Object.defineProperty(prototype, name, now);
  undo.push(() => Object.defineProperty(prototype, name, was));
};

/** The property that a campaign reports; the first failure ends it. */
export const found = async (scenario: AnyScenario, runs = 400): Promise<string> => {
  try {
    await simulate(scenario, { runs, directory: false, shrinkRuns: 0, repeatOneIn: 0 });
    return 'nothing';
  } catch (error) {
    return String((error as { data?: { property?: unknown } }).data?.property ?? error);
  }
};
