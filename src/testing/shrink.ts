/**
 * Makes a failing case small: fast-check's own shrinking of arrays and numbers, applied to a case that was found
 * elsewhere. Because 0 is benign everywhere, what is left is what the failure needs.
 */
import fc from 'fast-check';
import { type RunCase, type RunOutcome, runCase, type Scenario } from './simulation.ts';

const BYTE = 255;
const ARGUMENT = 65_535;

/** Cases, as fast-check makes and shrinks them. Choices are mostly benign. */
export const arbitraryCase = (maxCommands: number): fc.Arbitrary<RunCase> =>
  fc.record({
    commands: fc.array(fc.tuple(fc.nat(BYTE), fc.nat(ARGUMENT), fc.nat(BYTE)), { maxLength: maxCommands }),
    config: fc.array(fc.nat(BYTE), { maxLength: 32 }),
    choices: fc.array(fc.nat(BYTE), { maxLength: 100_000 }),
    seed: fc.nat(ARGUMENT),
  });

/** The smallest case found that violates the same property. */
export const shrinkCase = async <W>(
  scenario: Scenario<W>,
  found: RunCase,
  { failure }: RunOutcome,
  maxRuns: number,
): Promise<RunCase> => {
  let smallest = found;
  let runs = 0;
  const holds = async (run: RunCase): Promise<boolean> => {
    runs += 1;
    if (runs > maxRuns) return true;
    const outcome = await runCase(scenario, run);
    if (outcome.failure?.property !== failure?.property) return true;
    smallest = run;
    return false;
  };
  const shrinkable = arbitraryCase(Math.max(found.commands.length, 1));
  await fc.check(fc.asyncProperty(shrinkable, holds), { examples: [[found]], numRuns: 1, seed: 1 });
  return smallest;
};
