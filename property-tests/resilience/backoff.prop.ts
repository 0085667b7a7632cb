/** Delays stay within their bounds, whatever the options, the attempt and the chance. */
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { createRandom } from '../../src/base/random.ts';
import { createBackoff } from '../../src/resilience/backoff.ts';

const options = fc.record({
  kind: fc.constantFrom('constant', 'linear', 'exponential', 'fibonacci', 'decorrelated', 'custom'),
  baseMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
  maxMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
  factor: fc.double({ min: 1, max: 100, noNaN: true }),
  jitter: fc.constantFrom('none', 'full', 'equal'),
  jitterRatio: fc.double({ min: 0, max: 1, noNaN: true }),
} as const);

/** Whatever a user's function may do. */
const answer = fc.oneof(fc.double(), fc.constant(undefined), fc.constant('soon'), fc.constant(null));

describe('backoffs', () => {
  it('are never negative, never above the cap, never NaN, at any attempt', () => {
    fc.assert(
      fc.property(
        options,
        fc.integer({ min: 1, max: 2 ** 31 }),
        answer,
        fc.nat(),
        (chosen, attempt, given, seed) => {
          const custom = chosen.kind === 'custom' ? { delay: () => given as number } : {};
          const backoff = createBackoff({ ...chosen, ...custom });
          const random = createRandom(seed);
          let previousMs = 0;
          for (const n of [1, 2, attempt]) {
            previousMs = backoff.delayMs(n, previousMs, random);
            if (!(previousMs >= 0 && previousMs <= chosen.maxMs)) return false;
          }
          return true;
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('without jitter never shrink from one attempt to the next', () => {
    fc.assert(
      fc.property(options, fc.integer({ min: 1, max: 5_000 }), (chosen, attempt) => {
        if (chosen.kind === 'custom' || chosen.kind === 'decorrelated') return true;
        const backoff = createBackoff({ ...chosen, jitter: 'none' });
        const random = createRandom(1);
        return backoff.delayMs(attempt, 0, random) <= backoff.delayMs(attempt + 1, 0, random);
      }),
      { numRuns: 1_000 },
    );
  });
});
