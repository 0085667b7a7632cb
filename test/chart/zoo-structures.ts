/** Hand-written machines whose structure is what is hard: nesting, regions, conflicts, and orders that depend on history. */
import { type AnyStateMachine, createMachine } from 'xstate';
import type { ChartEvent } from '../../src/chart/chart.ts';

/** A machine with the events that its guards and params tell apart. */
export interface Specimen {
  readonly name: string;
  readonly machine: AnyStateMachine;
  readonly events?: readonly ChartEvent[];
}

/** Every state logs its entry and exit, so that orders show. */
export const logged = (name: string) => ({ entry: `enter ${name}`, exit: `leave ${name}` });

/** Nested and parallel machines. */
export const structures: readonly Specimen[] = [
  {
    name: 'nested states: defaults, entering deep, leaving far, internal and reentering',
    machine: createMachine({
      id: 'nested',
      initial: 'a',
      on: { RESET: { target: '.b', reenter: true }, DEEP: '#deep', SELF: { actions: 'root' } },
      states: {
        a: {
          ...logged('a'),
          initial: 'a1',
          on: { INSIDE: '.a2', OUTSIDE: { target: '.a2', reenter: true }, ME: 'a' },
          states: {
            a1: { ...logged('a1'), on: { DOWN: 'a2', OUT: '#nested.b' } },
            a2: {
              ...logged('a2'),
              initial: 'x',
              states: { x: { ...logged('x'), on: { GO: 'y' } }, y: { ...logged('y'), id: 'deep' } },
            },
          },
        },
        b: {
          ...logged('b'),
          initial: { target: 'b1', actions: 'begin b' },
          states: { b1: { ...logged('b1'), on: { BACK: '#nested.a' } } },
        },
      },
    }),
  },
  {
    name: 'parallel regions: both react, conflicts, several targets, order by history',
    machine: createMachine({
      id: 'parallel',
      type: 'parallel',
      on: { BOTH: ['.left.l2', '.right.r2'] as never, ALL: { target: '#parallel', reenter: true } as never },
      states: {
        left: {
          ...logged('left'),
          initial: 'l1',
          states: {
            l1: { ...logged('l1'), on: { STEP: 'l2', CROSS: '#parallel.right.r2' } },
            l2: { ...logged('l2'), on: { STEP: 'l1', BACK: 'l1', CROSS: 'l1' } },
          },
        },
        right: {
          ...logged('right'),
          initial: 'r1',
          on: { BACK: { actions: 'right saw BACK' }, AGAIN: { target: 'right', reenter: true } },
          states: {
            r1: { ...logged('r1'), on: { STEP: 'r2', CROSS: 'r2' } },
            r2: { ...logged('r2'), on: { ONLY: 'r1', CROSS: '#parallel.left.l2' } },
          },
        },
        alone: { ...logged('alone') },
      },
    }),
  },
  {
    name: 'regions named by numbers, which JavaScript orders by itself',
    machine: createMachine({
      id: 'numbers',
      type: 'parallel',
      states: {
        b: {
          initial: 'x',
          states: { x: { ...logged('bx'), on: { E: 'y' } }, y: { ...logged('by'), on: { E: 'x' } } },
        },
        2: {
          initial: 'x',
          states: { x: { ...logged('2x'), on: { E: 'y' } }, y: { ...logged('2y'), on: { E: 'x' } } },
        },
        1: {
          initial: 'x',
          states: { x: { ...logged('1x'), on: { E: 'y', F: 'y' } }, y: { ...logged('1y') } },
        },
      },
    }),
  },
];
