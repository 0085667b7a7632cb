import { expect, test } from 'vitest';
import { createRandom } from '../../src/base/random.ts';

test('the numbers of a seed are the same for ever: recorded failures replay', () => {
  const random = createRandom(42);
  expect(Array.from({ length: 6 }, () => random.below(1_000))).toMatchInlineSnapshot(`
    [
      486,
      130,
      130,
      622,
      767,
      600,
    ]
  `);
});
