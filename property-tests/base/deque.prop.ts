/** The deque against an array. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Deque } from '../../src/base/deque.ts';

const command = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('push' as const), count: fc.integer({ min: 1, max: 20 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('unshift' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('shift' as const), count: fc.integer({ min: 1, max: 20 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('removeAt' as const), index: fc.integer({ min: -2, max: 40 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const) }) },
);

test('does what an array does', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const deque = new Deque<number>();
      const model: number[] = [];
      let value = 0;
      for (const step of commands) {
        if (step.kind === 'push') {
          for (let i = 0; i < step.count; i++) {
            deque.push(value);
            model.push(value++);
          }
        } else if (step.kind === 'unshift') {
          deque.unshift(value);
          model.unshift(value++);
        } else if (step.kind === 'shift') {
          for (let i = 0; i < step.count; i++) expect(deque.shift()).toBe(model.shift());
        } else if (step.kind === 'removeAt') {
          const inside = step.index >= 0 && step.index < model.length;
          expect(deque.removeAt(step.index)).toBe(inside ? model.splice(step.index, 1)[0] : undefined);
        } else {
          deque.clear();
          model.length = 0;
        }
        expect(deque.size).toBe(model.length);
        expect([...deque]).toEqual(model);
        expect(deque.at(model.length - 1)).toBe(model.at(-1));
      }
    }),
    { numRuns: 300 },
  );
});
