import { expect, test } from 'vitest';
import { deadlineIn, NO_DEADLINE, remainingMs, sooner } from '../../src/base/deadline.ts';

test('what is left of a deadline is never negative, and of none it is endless', () => {
  expect(remainingMs(100, deadlineIn(100, 30))).toBe(30);
  expect(remainingMs(500, deadlineIn(100, 30))).toBe(0);
  expect(remainingMs(500, NO_DEADLINE)).toBe(Number.POSITIVE_INFINITY);
});

test('a budget handed down only shrinks', () => {
  expect([sooner(10, 20), sooner(20, 10), sooner(NO_DEADLINE, 5)]).toEqual([10, 10, 5]);
});
