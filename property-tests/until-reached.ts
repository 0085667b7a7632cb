/**
 * Runs a property until it has met what it must have met to say anything. What cases are drawn is chance; that a rare one was not
 * drawn is no failure of what is tested, that it cannot be drawn is.
 */
import { expect } from 'vitest';

/** Chance that leaves out what it should draw every other time does so ten times in a row once in a thousand. */
const ROUNDS = 10;

/** `missing`: what has not been met so far; empty ends it. */
export const untilReached = async (
  run: () => Promise<unknown>,
  missing: () => readonly unknown[],
): Promise<void> => {
  for (let round = 0; round < ROUNDS; round++) {
    await run();
    if (missing().length === 0) return;
  }
  expect(missing()).toEqual([]);
};
