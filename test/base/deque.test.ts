import { expect, test } from 'vitest';
import { Deque } from '../../src/base/deque.ts';

test('gives undefined when it is empty and for an index outside', () => {
  const deque = new Deque<number>();
  expect([deque.shift(), deque.at(0), deque.removeAt(0), deque.size]).toEqual([
    undefined,
    undefined,
    undefined,
    0,
  ]);
  deque.push(1);
  expect([deque.at(-1), deque.at(1), deque.removeAt(1), deque.size]).toEqual([
    undefined,
    undefined,
    undefined,
    1,
  ]);
});

test('keeps its order when it wraps around and grows', () => {
  const deque = new Deque<number>();
  for (let i = 0; i < 6; i++) deque.push(i);
  for (let i = 0; i < 4; i++) deque.shift();
  for (let i = 6; i < 30; i++) deque.push(i);
  deque.unshift(3);
  expect([...deque]).toEqual([3, 4, 5, ...Array.from({ length: 24 }, (_, i) => i + 6)]);
});

test('a million pushed and shifted is no slower than linear and leaves it empty', () => {
  const deque = new Deque<number>();
  for (let i = 0; i < 1_000_000; i++) deque.push(i);
  let sum = 0;
  for (let value = deque.shift(); value !== undefined; value = deque.shift()) sum += value;
  expect([sum, deque.size]).toEqual([499_999_500_000, 0]);
});
