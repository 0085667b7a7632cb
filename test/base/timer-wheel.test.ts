import { expect, test } from 'vitest';
import { TimerWheel } from '../../src/base/timer-wheel.ts';

const setUp = () => {
  const wheel = new TimerWheel();
  const fired: string[] = [];
  const add = (due: number, label: string, run = () => {}) =>
    wheel.add(due, {
      label,
      held: true,
      run: () => {
        fired.push(label);
        run();
      },
    });
  const advanceTo = (now: number) => {
    fired.length = 0;
    wheel.advanceTo(now, (timer) => timer.run());
    return [...fired];
  };
  return { wheel, add, advanceTo, fired };
};

test('a timer never fires before its instant, also a fractional one', () => {
  const { add, advanceTo } = setUp();
  add(10.2, 'a');
  expect(advanceTo(10.9)).toEqual([]);
  expect(advanceTo(11)).toEqual(['a']);
});

test('equal instants fire in the order of setting, though set from near and from far', () => {
  const { add, advanceTo } = setUp();
  add(5_000, 'from afar');
  advanceTo(4_095);
  add(5_000, 'from the next slot');
  advanceTo(4_990);
  add(5_000, 'from close by');
  expect(advanceTo(6_000)).toEqual(['from afar', 'from the next slot', 'from close by']);
});

test('what is set for now while timers fire waits for the next advance, so an advance always ends', () => {
  const { add, advanceTo, wheel } = setUp();
  const again = () => add(0, 'again', again);
  add(5, 'first', again);
  expect(advanceTo(10)).toEqual(['first']);
  expect(wheel.nextDueMs()).toBeLessThanOrEqual(10);
  expect(advanceTo(10)).toEqual(['again']);
  expect(advanceTo(10)).toEqual(['again']);
});

test('what is set for a later instant within the same advance fires in it, in its place', () => {
  const { add, advanceTo } = setUp();
  add(5, 'a', () => add(7, 'b'));
  add(9, 'c');
  expect(advanceTo(10)).toEqual(['a', 'b', 'c']);
});

test('a timer cancelled by one that fires at the same instant does not fire', () => {
  const { add, advanceTo, wheel } = setUp();
  add(5, 'a', () => b.cancel());
  const b = add(5, 'b');
  expect(advanceTo(10)).toEqual(['a']);
  expect(wheel.size).toBe(0);
});

test('cancelling twice, after firing, or from within its own firing does nothing', () => {
  const { add, advanceTo, wheel } = setUp();
  const a = add(5, 'a', () => a.cancel());
  add(5, 'b');
  expect(advanceTo(5)).toEqual(['a', 'b']);
  a.cancel();
  const c = add(6, 'c');
  c.cancel();
  c.cancel();
  expect(wheel.size).toBe(0);
  expect(wheel.held).toBe(false);
});

test('Infinity never fires and is not counted as waiting', () => {
  const { add, advanceTo, wheel } = setUp();
  expect(add(Number.POSITIVE_INFINITY, 'never').pending).toBe(false);
  expect(wheel.size).toBe(0);
  expect(wheel.nextDueMs()).toBe(Number.POSITIVE_INFINITY);
  expect(advanceTo(1e300)).toEqual([]);
});

test('a delay beyond the range of the wheel fires at its instant, not a turn of the wheel too soon', () => {
  const { add, advanceTo } = setUp();
  const farMs = 2 ** 31 + 7;
  add(farMs, 'far');
  add(farMs * 40, 'farther');
  expect(advanceTo(2 ** 30)).toEqual([]);
  expect(advanceTo(farMs - 1)).toEqual([]);
  expect(advanceTo(farMs)).toEqual(['far']);
  expect(advanceTo(farMs * 40 - 1)).toEqual([]);
  expect(advanceTo(farMs * 40)).toEqual(['farther']);
});

test('an advance from within an advance does nothing', () => {
  const { add, advanceTo, wheel } = setUp();
  add(1, 'a', () => expect(wheel.advanceTo(50, (timer) => timer.run())).toBe(0));
  add(20, 'b');
  expect(advanceTo(10)).toEqual(['a']);
  expect(advanceTo(20)).toEqual(['b']);
});

test('time that goes back fires nothing', () => {
  const { add, advanceTo } = setUp();
  advanceTo(100);
  add(150, 'a');
  expect(advanceTo(50)).toEqual([]);
  expect(advanceTo(150)).toEqual(['a']);
});

test('a timer that throws, though it must not, loses no other', () => {
  const { add, advanceTo } = setUp();
  add(0, 'a', () => {
    throw new Error('boom');
  });
  add(0, 'b');
  add(3, 'c');
  expect(() => advanceTo(5)).toThrow('boom');
  add(0, 'd');
  expect(advanceTo(5)).toEqual(['b', 'c']);
  expect(advanceTo(5)).toEqual(['d']);
});

test('a hundred thousand timers set and cancelled leave nothing behind', () => {
  const { wheel } = setUp();
  for (let i = 0; i < 100_000; i++)
    wheel.add(i * 37, { label: 'x', held: i % 2 === 0, run: () => {} }).cancel();
  expect([...wheel]).toEqual([]);
  expect(wheel.held).toBe(false);
});
