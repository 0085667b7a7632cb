/** The timer wheel against the plainest model there is: a list sorted by instant, then by order of setting. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TimerWheel, type WheelTimer } from '../../src/base/timer-wheel.ts';

interface Expected {
  readonly id: number;
  readonly due: number;
  readonly held: boolean;
}

/** The model. What is due by `now` fires by (instant, order of setting); what is past counts as now. */
class SortedList {
  waiting: Expected[] = [];
  now: number;
  constructor(now: number) {
    this.now = now;
  }
  add(entry: Expected): void {
    if (entry.due !== Number.POSITIVE_INFINITY)
      this.waiting.push({ ...entry, due: Math.max(Math.ceil(entry.due), this.now) });
  }
  advanceTo(now: number): number[] {
    this.now = Math.max(this.now, Math.floor(now));
    const due = this.waiting.filter((entry) => entry.due <= this.now);
    this.waiting = this.waiting.filter((entry) => entry.due > this.now);
    return due.sort((a, b) => a.due - b.due || a.id - b.id).map(({ id }) => id);
  }
}

/** Delays around every digit of the wheel, its range, fractions, nothing and never. */
const delay = fc.oneof(
  { weight: 4, arbitrary: fc.nat(200) },
  { weight: 3, arbitrary: fc.nat(300_000) },
  { weight: 1, arbitrary: fc.integer({ min: 2 ** 30 - 100, max: 2 ** 30 + 100 }) },
  { weight: 1, arbitrary: fc.integer({ min: 2 ** 31 - 100, max: 2 ** 34 }) },
  {
    weight: 1,
    arbitrary: fc.double({ min: 0, max: 5_000, noNaN: true, noDefaultInfinity: true }),
  },
  { weight: 1, arbitrary: fc.constantFrom(0, -5, 64, 4_096, 262_144, Number.POSITIVE_INFINITY) },
);
const command = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('add' as const), delay, held: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('advance' as const), by: delay }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('leap' as const) }) },
);
const start = fc.constantFrom(0, 63, 4_095, 2 ** 30 - 50, 2 ** 31 - 3, 123_456_789_012, 0.5);

test('fires what a sorted list would, in its order, at its instants, through cancels and far delays', () => {
  fc.assert(
    fc.property(start, fc.array(command, { maxLength: 80 }), (startMs, commands) => {
      const heldChanges: boolean[] = [];
      const wheel = new TimerWheel(startMs, (held) => heldChanges.push(held));
      const model = new SortedList(Math.floor(startMs));
      const timers = new Map<number, WheelTimer>();
      const fired: number[] = [];
      let now = startMs;
      const advanceTo = (to: number) => {
        now = to;
        fired.length = 0;
        const count = wheel.advanceTo(to, (timer) => timer.run());
        expect(fired).toEqual(model.advanceTo(to));
        expect(count).toBe(fired.length);
      };
      commands.forEach((step, id) => {
        if (step.kind === 'add') {
          const due = now + step.delay;
          timers.set(id, wheel.add(due, { label: `${id}`, run: () => fired.push(id), held: step.held }));
          model.add({ id, due, held: step.held });
        } else if (step.kind === 'cancel') {
          const id = [...timers.keys()][step.which % Math.max(1, timers.size)] ?? -1;
          timers.get(id)?.cancel();
          model.waiting = model.waiting.filter((entry) => entry.id !== id);
        } else if (step.kind === 'advance') {
          if (step.by < Number.POSITIVE_INFINITY) advanceTo(now + Math.max(0, step.by));
        } else if (wheel.nextDueMs() < Number.POSITIVE_INFINITY) {
          advanceTo(Math.max(now, wheel.nextDueMs()));
        }
        expect(wheel.size).toBe(model.waiting.length);
        expect(wheel.held).toBe(model.waiting.some((entry) => entry.held));
        expect(heldChanges.at(-1) ?? false).toBe(wheel.held);
        expect(wheel.earliestDueMs()).toBe(Math.min(...model.waiting.map(({ due }) => due)));
        expect(wheel.nextDueMs()).toBeLessThanOrEqual(wheel.earliestDueMs());
        expect(wheel.nextDueMs() === Number.POSITIVE_INFINITY).toBe(wheel.size === 0);
      });
      expect([...wheel].map(({ label }) => Number(label)).sort((a, b) => a - b)).toEqual(
        model.waiting.map(({ id }) => id),
      );
    }),
    { numRuns: 600 },
  );
});

test('leaping from one next instant to the next fires everything, each leap ahead, in a few leaps a timer', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(2 ** 34), { minLength: 1, maxLength: 30 }), (delays) => {
      const wheel = new TimerWheel();
      const instants: number[] = [];
      let now = 0;
      for (const ms of delays) wheel.add(ms, { label: 'x', run: () => instants.push(now - ms), held: true });
      let leaps = 0;
      for (; wheel.size > 0; leaps++) {
        const next = wheel.nextDueMs();
        expect(leaps === 0 ? next >= now : next > now).toBe(true);
        now = next;
        wheel.advanceTo(now, (timer) => timer.run());
      }
      expect(instants).toEqual(delays.map(() => 0));
      expect(leaps).toBeLessThanOrEqual(delays.length * 6);
    }),
    { numRuns: 300 },
  );
});
