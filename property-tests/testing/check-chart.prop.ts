/** What the exploration reaches in machines of chance is what XState's own graph reaches, told apart by the whole context. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assign, createMachine } from 'xstate';
import { getAdjacencyMap } from 'xstate/graph';
import { checkChart } from '../../src/testing/check-chart.ts';

const STATES = ['a', 'b', 'c'] as const;
const EVENTS = ['E', 'F'] as const;

const arrow = fc.record({
  event: fc.constantFrom(...EVENTS),
  target: fc.option(fc.constantFrom(...STATES), { nil: undefined }),
  least: fc.integer({ min: 0, max: 2 }),
  add: fc.integer({ min: 0, max: 3 }),
});

const machines = fc.record({
  arrows: fc.array(fc.array(arrow, { maxLength: 3 }), { minLength: 3, maxLength: 3 }),
  modulus: fc.integer({ min: 1, max: 5 }),
});

type Shape = typeof machines extends fc.Arbitrary<infer T> ? T : never;

const machineOf = ({ arrows, modulus }: Shape) => {
  const states = STATES.map((name, index) => {
    const on: Record<string, object[]> = {};
    for (const { event, target, least, add } of arrows[index] ?? []) {
      const guard = ({ context }: { context: { n: number } }) => context.n >= least;
      const actions = assign({ n: ({ context }) => (context.n + add) % modulus });
      on[event] = [...(on[event] ?? []), { target, guard, actions }];
    }
    return [name, { on }];
  });
  return createMachine({
    id: 'x',
    initial: 'a',
    context: { n: 0 },
    states: Object.fromEntries(states),
  } as never);
};

describe('the exploration of a machine', () => {
  it('reaches what XState’s own graph reaches, by ways as short', () => {
    fc.assert(
      fc.property(machines, (shape) => {
        const machine = machineOf(shape);
        const events = EVENTS.map((type) => ({ type }));
        const graph = getAdjacencyMap(
          machine as never,
          {
            events: events as never,
            filterEvents: (state: { can: (event: object) => boolean }, event: object) => state.can(event),
            serializeState: ({ value, context }: { value: unknown; context: unknown }) =>
              JSON.stringify([value, context]),
          } as never,
        ) as unknown as Readonly<Record<string, { readonly transitions: object }>>;
        const { states, steps } = checkChart(machine, { events } as never);
        const keys = states.map(({ snapshot: { value, context } }) => JSON.stringify([value, context]));
        expect(keys.sort()).toEqual(Object.keys(graph).sort());
        const edges = Object.values(graph).reduce(
          (sum, { transitions }) => sum + Object.keys(transitions).length,
          0,
        );
        expect(steps).toHaveLength(edges);
      }),
      { numRuns: 300 },
    );
  });

  it('finds no way that could be shorter', () => {
    fc.assert(
      fc.property(machines, (shape) => {
        const { states, steps } = checkChart(machineOf(shape));
        const key = ({ value, context }: { value: unknown; context: unknown }) =>
          JSON.stringify([value, context]);
        const distance = new Map(states.map(({ snapshot, path }) => [key(snapshot as never), path.length]));
        for (const { state, next } of steps)
          expect(distance.get(key(next as never))).toBeLessThanOrEqual(
            (distance.get(key(state as never)) ?? 0) + 1,
          );
      }),
      { numRuns: 200 },
    );
  });
});
