/** Hand-written machines, one for each feature of the subset and each quirk of XState that was met. */
import { and, cancel, createMachine, not, or, raise, setup } from 'xstate';
import type { ChartEvent } from '../../src/chart/chart.ts';
import { logged, type Specimen, structures } from './zoo-structures.ts';

interface Numbered extends ChartEvent {
  readonly n?: number;
}

const guards = {
  isOdd: ({ event }: { event: Numbered }) => (event.n ?? 0) % 2 === 1,
  isAbove: ({ event }: { event: Numbered }, params: { limit: number }) => (event.n ?? 0) > params.limit,
};

const declared = setup({
  types: { events: {} as Numbered },
  actions: { a: () => {}, b: () => {}, c: (_, _params: { n: number }) => {} },
  guards: {
    ...guards,
    isOddAndAbove: and(['isOdd', { type: 'isAbove', params: { limit: 2 } }]),
  },
  delays: { short: 10, long: 1_000 },
});

const aboveItself = ({ event }: { event: Numbered }) => ({ limit: event.n ?? 0 });

const numbered = (type: string): Numbered[] => [0, 1, 2, 3, 4].map((n) => ({ type, n }));

export const zoo: readonly Specimen[] = [
  {
    name: 'flat states with named actions and params',
    machine: declared.createMachine({
      id: 'flat',
      initial: 'one',
      states: {
        one: { entry: 'a', exit: ['b', { type: 'c', params: { n: 1 } }], on: { NEXT: 'two' } },
        two: { entry: { type: 'c', params: { n: 2 } }, on: { NEXT: { target: 'one', actions: ['a', 'b'] } } },
      },
    }),
  },
  {
    name: 'params computed from the event',
    machine: declared.createMachine({
      id: 'computed',
      initial: 'one',
      entry: { type: 'c', params: ({ event }) => ({ n: event.type.length }) },
      states: {
        one: {
          exit: { type: 'c', params: ({ event }) => ({ n: event.n ?? -1 }) },
          on: {
            NEXT: { target: 'two', actions: { type: 'c', params: ({ event }) => ({ n: -(event.n ?? 0) }) } },
          },
        },
        two: {
          entry: raise({ type: 'INNER', n: 9 } as never),
          on: {
            INNER: { actions: { type: 'c', params: ({ event }) => ({ n: event.n ?? 0 }) } },
            NEXT: 'one',
          },
        },
      },
    }),
    events: numbered('NEXT'),
  },
  {
    name: 'guards on an event that the chart raised by itself, whatever the event that led to it says',
    machine: declared.createMachine({
      id: 'inner',
      initial: 'one',
      states: {
        one: {
          on: {
            GO: [
              {
                guard: { type: 'isAbove', params: { limit: 2 } },
                actions: raise({ type: 'INNER', n: 1 } as never),
              },
              { actions: raise({ type: 'INNER', n: 4 } as never) },
            ],
            INNER: [
              { guard: 'isOdd', target: 'two' },
              { guard: not('isOdd'), target: 'three' },
            ],
          },
        },
        two: { always: { guard: 'isOdd', target: 'three' }, on: { GO: 'one' } },
        three: { on: { GO: 'one' } },
      },
    }),
    events: [...numbered('GO'), ...numbered('INNER')],
  },
  {
    name: 'guards with params and combinators, in order, by name and inline',
    machine: declared.createMachine({
      id: 'guarded',
      initial: 'one',
      states: {
        one: {
          on: {
            GO: [
              { guard: 'isOddAndAbove', target: 'three' },
              { guard: { type: 'isAbove', params: { limit: 3 } }, target: 'four' },
              { guard: not('isOdd'), target: 'two' },
              { actions: 'a' },
            ],
            TRY: {
              guard: or([not('isOdd'), { type: 'isAbove', params: aboveItself }] as never),
              target: 'two',
            },
          },
        },
        two: { on: { GO: { guard: 'isOdd', target: 'one' } } },
        three: { on: { GO: 'one' } },
        four: { on: { GO: 'one' } },
      },
    }),
    events: [...numbered('GO'), ...numbered('TRY')],
  },
  {
    name: 'delays by name and by number, several on one state',
    machine: declared.createMachine({
      id: 'delayed',
      initial: 'waiting',
      states: {
        waiting: {
          entry: 'a',
          exit: 'b',
          after: {
            short: [{ guard: 'isOdd', target: 'over' }, { target: 'resting' }],
            500: { actions: 'a' },
          },
          on: { AGAIN: { target: 'waiting', reenter: true }, STAY: { target: 'waiting' } },
        },
        resting: { after: { long: 'waiting' } },
        over: { type: 'final' },
      },
    }),
  },
  {
    name: 'raised and delayed events with ids, cancelled',
    machine: createMachine({
      id: 'raising',
      initial: 'one',
      states: {
        one: {
          entry: [
            raise({ type: 'A' }),
            raise({ type: 'B' }),
            raise({ type: 'LATE' }, { delay: 50, id: 'late' }),
          ],
          exit: cancel('late'),
          on: { A: { actions: 'saw A' }, B: 'two', LATE: 'three' },
        },
        two: { on: { LATE: 'three', BACK: 'one' } },
        three: {
          entry: raise({ type: 'BACK' }),
          on: { BACK: { actions: ['saw BACK', raise({ type: 'C' })] }, C: 'one' },
        },
      },
    }),
  },
  {
    name: 'wildcards, whole and partial, forbidden and empty transitions',
    machine: createMachine({
      id: 'wild',
      initial: 'one',
      on: { '*': { actions: 'anything' }, 'job.*': { actions: 'a job' } },
      states: {
        one: { on: { 'job.done': 'two', 'job.*': { actions: 'one’s job' }, 'job.failed.*': 'two' } },
        two: { on: { 'job.done': undefined, 'job.failed': {}, back: 'one', '*': [] } },
      },
    }),
    events: [
      'job.done',
      'job.failed',
      'job.failed.badly',
      'job',
      'jobs',
      'other',
      '*',
      'job.*',
      'xstate.init',
      'xstate.stop',
      'xstate.error.actor.x',
      'xstate.done.state.wild',
    ].map((type) => ({ type })),
  },
  {
    name: 'eventless transitions: chains, guards on the event, across regions',
    machine: declared.createMachine({
      id: 'eventless',
      type: 'parallel',
      states: {
        main: {
          initial: 'rest',
          states: {
            rest: {
              always: { guard: { type: 'isAbove', params: { limit: 3 } }, target: 'far', actions: 'a' },
              on: { GO: 'via' },
            },
            via: {
              entry: 'b',
              always: [
                { guard: 'isOdd', target: 'far' },
                { target: 'rest', actions: 'b' },
              ],
            },
            far: { on: { GO: 'rest' }, always: { guard: 'isOdd', actions: 'a' } },
          },
        },
        other: {
          initial: 'calm',
          states: {
            calm: { always: { guard: 'isOdd', target: 'upset' } },
            upset: { on: { OTHER: 'calm' }, always: { guard: not('isOdd'), target: 'calm' } },
          },
        },
      },
    }),
    events: [...numbered('GO'), ...numbered('OTHER')],
  },
  {
    name: 'done: compound and parallel, with what follows from it',
    machine: createMachine({
      id: 'done',
      initial: 'work',
      states: {
        work: {
          type: 'parallel',
          onDone: { target: 'after', actions: 'both done' },
          states: {
            p: {
              initial: 'on',
              onDone: { actions: 'p done' },
              states: { on: { on: { P: 'off', PQ: 'off' } }, off: { ...logged('p off'), type: 'final' } },
            },
            q: {
              initial: 'on',
              states: {
                on: {
                  initial: 'deep',
                  onDone: 'off',
                  states: { deep: { on: { Q: 'end', PQ: 'end' } }, end: { type: 'final' } },
                },
                off: { type: 'final' },
              },
            },
          },
        },
        after: { on: { END: 'end', REDO: 'work' } },
        end: { ...logged('end'), type: 'final' },
      },
      on: { LATE: { actions: 'late' } },
      exit: 'leave root',
    }),
  },
  {
    name: 'a parallel root that is done when all regions are, with onDone caught by a wildcard',
    machine: createMachine({
      id: 'rootdone',
      type: 'parallel',
      states: {
        one: {
          initial: 'live',
          on: { '*': { actions: 'one saw something' } },
          states: { live: { on: { END: 'over', ONE: 'over' }, exit: 'leave live' }, over: { type: 'final' } },
        },
        two: {
          initial: 'live',
          states: { live: { on: { END: 'over' } }, over: { type: 'final', exit: 'leave over' } },
        },
      },
    }),
  },
  {
    name: 'done at once',
    machine: createMachine({
      id: 'still',
      initial: 'end',
      states: { end: { type: 'final', entry: 'over' } },
    }),
  },
  {
    name: 'no states at all',
    machine: createMachine({ id: 'bare', entry: 'here', on: { PING: { actions: 'pong' } } }),
  },
  {
    name: 'a start that moves on by itself',
    machine: createMachine({
      id: 'starting',
      initial: 'a',
      entry: raise({ type: 'KICK' }),
      states: {
        a: { ...logged('a'), always: 'b' },
        b: { ...logged('b'), on: { KICK: 'c' } },
        c: { ...logged('c') },
      },
    }),
  },
  {
    name: 'a loop that only one event enters',
    machine: declared.createMachine({
      id: 'loop',
      initial: 'a',
      states: {
        a: { on: { SPIN: 'b', FINE: 'c' } },
        b: { always: 'd' },
        d: { always: 'b' },
        c: { on: { BACK: 'a' } },
      },
    }),
    events: [{ type: 'SPIN' }, { type: 'FINE' }, { type: 'BACK' }],
  },
  {
    name: 'a guard and params that throw for some events',
    machine: setup({
      types: { events: {} as Numbered },
      guards: {
        picky: ({ event }: { event: Numbered }) => {
          if (event.n === 2) throw new Error('two');
          return event.n === 1;
        },
      },
      actions: { c: (_, _params: { n: number }) => {} },
    }).createMachine({
      id: 'throwing',
      initial: 'a',
      states: {
        a: { on: { GO: { guard: 'picky', target: 'b' } } },
        b: {
          on: {
            GO: {
              target: 'a',
              actions: {
                type: 'c',
                params: ({ event }) => {
                  if (event.n === 3) throw new Error('three');
                  return { n: 0 };
                },
              },
            },
          },
        },
      },
    }),
    events: numbered('GO'),
  },
  ...structures,
];
