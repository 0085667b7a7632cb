/** Seeded randomness: repeatable, within its bounds, and evenly spread. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRandom } from '../../src/base/random.ts';

const seed = fc.integer({ min: 0, max: 2 ** 53 - 1 });

test('the same seed gives the same numbers, all within [0, 1)', () => {
  fc.assert(
    fc.property(seed, (from) => {
      const [a, b] = [createRandom(from), createRandom(from)];
      for (let i = 0; i < 50; i++) {
        const value = a.next();
        expect(b.next()).toBe(value);
        expect(value >= 0 && value < 1).toBe(true);
      }
    }),
    { numRuns: 200 },
  );
});

test('below gives whole numbers under its bound', () => {
  fc.assert(
    fc.property(seed, fc.integer({ min: 1, max: 1_000_000 }), (from, bound) => {
      const random = createRandom(from);
      for (let i = 0; i < 50; i++) {
        const value = random.below(bound);
        expect(Number.isInteger(value) && value >= 0 && value < bound).toBe(true);
      }
    }),
    { numRuns: 200 },
  );
});

test('neighbouring seeds give unlike numbers, and each seed spreads evenly', () => {
  fc.assert(
    fc.property(fc.nat(1_000_000), (from) => {
      const [a, b] = [createRandom(from), createRandom(from + 1)];
      const first = Array.from({ length: 8 }, () => a.next());
      expect(Array.from({ length: 8 }, () => b.next())).not.toEqual(first);
      const buckets = new Array<number>(10).fill(0);
      for (let i = 0; i < 5_000; i++) {
        const bucket = a.below(10);
        buckets[bucket] = (buckets[bucket] ?? 0) + 1;
      }
      // 500 expected; 120 is more than five standard deviations.
      for (const count of buckets) expect(Math.abs(count - 500)).toBeLessThan(120);
    }),
    { numRuns: 50, seed: 1 },
  );
});
