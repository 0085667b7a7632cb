/** Timers, what a machine sends itself, and children: what comes to a machine that nobody sends. */
import { describe, expect, it } from 'vitest';
import {
  type AnyStateMachine,
  assign,
  cancel,
  createMachine,
  fromPromise,
  raise,
  sendTo,
  setup,
} from 'xstate';
import { checkChart } from '../../src/testing/check-chart.ts';

const machineOf = (config: object): AnyStateMachine =>
  createMachine({ id: 'x', ...config } as never) as unknown as AnyStateMachine;

const typesOf = (path: readonly { readonly type: string }[]): string =>
  path.map(({ type }) => type).join(' ');

describe('time', () => {
  it('passes as an event while a timer runs, in any order with others', () => {
    const states = {
      waiting: { on: { more: { actions: assign({ n: 1 }) } }, after: { 1000: 'over' } },
      over: { type: 'final' },
    };
    const { problems, states: reached } = checkChart(
      machineOf({ initial: 'waiting', context: { n: 0 }, states }),
    );
    expect(problems).toEqual([]);
    expect(
      reached.filter(({ snapshot }) => snapshot.value === 'over').map(({ path }) => typesOf(path)),
    ).toEqual(['xstate.after.1000.x.waiting', 'more xstate.after.1000.x.waiting']);
  });

  it('does not pass for what was cancelled, and passes for each of two without an id', () => {
    const later = raise({ type: 'due' } as never, { delay: 100 } as never);
    const named = raise({ type: 'named' } as never, { delay: 100, id: 'named' } as never);
    const config = (entry: readonly unknown[]) => ({
      context: { due: 0, named: 0 },
      entry,
      on: {
        due: { actions: assign({ due: ({ context }) => context.due + 1 }) },
        named: { actions: assign({ named: 1 }) },
      },
    });
    const reached = (...entry: unknown[]) =>
      checkChart(machineOf(config(entry)), { events: [], allow: [] }).states.map(
        ({ snapshot: { context } }) => `${context.due} ${context.named}`,
      );
    expect(reached(named)).toEqual(['0 0', '0 1']);
    expect(reached(named, cancel('named'))).toEqual(['0 0']);
    expect(reached(later, later)).toEqual(['0 0', '1 0', '2 0']);
  });

  it('brings what a machine sends to itself', () => {
    const states = {
      a: { entry: sendTo(({ self }) => self, { type: 'E' }), on: { E: 'b' } },
      b: { type: 'final' },
    };
    const { problems, steps } = checkChart(machineOf({ initial: 'a', context: { n: 0 }, states }), {
      events: [],
      allow: ['event E has no case'],
    });
    expect(problems).toEqual([]);
    expect(steps.map(({ next }) => next.value)).toEqual(['b']);
  });
});

describe('children', () => {
  const loader = (more: object = {}): AnyStateMachine =>
    machineOf({
      initial: 'idle',
      context: { user: null },
      states: {
        idle: { on: { GO: 'loading' } },
        loading: {
          invoke: {
            id: 'fetch',
            src: fromPromise(async () => 'anna'),
            onDone: { target: 'ready', actions: assign({ user: ({ event }) => event.output }) },
            ...more,
          },
          on: { CANCEL: 'idle' },
        },
        ready: {},
      },
    });
  const allow = [
    'deadlock: nothing can happen in ready {"user":"anna"} (after GO, fetch done "anna")',
    'deadlock: nothing can happen in ready {"user":null} (after GO, fetch done null)',
  ];

  it('answer all that is said, while they live', () => {
    const report = checkChart(loader({ onError: 'idle' }), {
      children: { fetch: { done: ['anna', null], error: [new Error('down')] } },
      allow,
    });
    expect(report.problems).toEqual([]);
    const heard = report.steps.filter(({ event }) => (event as { type: string }).type.startsWith('xstate.'));
    expect(heard.map(({ state, next }) => `${state.value} → ${next.value}`)).toEqual([
      'loading → ready',
      'loading → ready',
      'loading → idle',
    ]);
  });

  it('are refused where nobody says what they answer', () => {
    expect(() => checkChart(loader())).toThrow(
      'chart x: the child fetch in loading {"user":null} may answer something, and nobody says what [ERR_CHART_CHILD]',
    );
  });

  it('are found by the name of their logic, too', () => {
    const machine = setup({ actors: { load: fromPromise(async () => 1) } }).createMachine({
      initial: 'a',
      states: { a: { invoke: { src: 'load', onDone: 'b' } }, b: { type: 'final' } },
    });
    const { problems, steps } = checkChart(machine, { children: { load: { done: [1] } } });
    expect(problems).toEqual([]);
    expect(steps).toHaveLength(1);
  });

  it('end the machine by an error that nobody handles, which is a problem', () => {
    const { problems } = checkChart(loader(), {
      children: { fetch: { done: ['anna'], error: [new Error('down')] } },
    });
    expect(problems).toContain('the machine ends by Error: down (after GO, fetch fails Error("down"))');
  });

  it('answer once, also where nothing follows from it', () => {
    const states = {
      a: {
        invoke: {
          id: 'once',
          src: fromPromise(async () => 1),
          onDone: { actions: assign({ n: ({ context }) => context.n + 1 }) },
        },
      },
    };
    const { states: reached } = checkChart(machineOf({ initial: 'a', context: { n: 0 }, states }), {
      children: { once: { done: [1] } },
    });
    expect(reached.map(({ snapshot }) => snapshot.context.n)).toEqual([0, 1]);
  });

  it('may be spawned with an id, and are refused without', () => {
    const child = fromPromise(async () => 1);
    const spawning = (id?: string) =>
      machineOf({
        context: { child: undefined },
        on: {
          E: {
            guard: ({ context }: { context: { child: unknown } }) => context.child === undefined,
            actions: assign({
              child: ({ spawn }) => spawn(child, id === undefined ? {} : ({ id } as never)),
            }),
          },
        },
      });
    const { states } = checkChart(spawning('worker'), { children: { worker: {} } });
    expect(states).toHaveLength(2);
    expect(() => checkChart(spawning())).toThrow('is spawned without an id [ERR_CHART_CHILD]');
  });
});
