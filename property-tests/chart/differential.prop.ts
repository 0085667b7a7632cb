/** On random machines, too, a compiled chart equals XState's interpreter. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawChart } from '../../src/testing/arbitrary-chart.ts';
import { casesFor, compareAlong, compareEverywhere } from '../../src/testing/chart-differential.ts';

/** One integer after the other decides how a machine looks; the list is long enough for the largest. */
const integers = fc.noBias(fc.array(fc.nat(255), { minLength: 100, maxLength: 600, size: 'max' }));

/** Some seconds of pure work; a machine that is shared may take many times that. */
const TIMEOUT_MS = 120_000;

describe('a compiled random chart equals the interpreter', () => {
  it(
    'along random events, with the engines taking turns',
    () => {
      fc.assert(
        fc.property(integers, fc.array(fc.nat(1_000), { maxLength: 24, size: 'max' }), (drawn, walk) => {
          const { machine, events } = drawChart(drawn);
          const cases = casesFor(machine.events.map(String), events);
          const along = walk.map((step) => cases[step % cases.length]!);
          expect(
            compareAlong(
              machine,
              along,
              walk.map((step) => step >> 4),
            ).difference,
          ).toBeUndefined();
        }),
        { numRuns: 1_700 },
      );
    },
    TIMEOUT_MS,
  );

  it(
    'in every configuration',
    () => {
      fc.assert(
        fc.property(integers, (drawn) => {
          const { machine, events } = drawChart(drawn);
          expect(compareEverywhere(machine, events, 6).difference).toBeUndefined();
        }),
        { numRuns: 300 },
      );
    },
    TIMEOUT_MS,
  );
});
