/** The check finds each kind of problem, with a way to it, and nothing else. */
import { describe, expect, it } from 'vitest';
import { createMachine } from 'xstate';
import { checkChart } from '../../src/testing/check-chart.ts';

const problemsOf = (config: object, check: object = {}): readonly string[] =>
  checkChart(createMachine({ id: 'x', ...config } as never), check as never).problems;

describe('checking a chart', () => {
  it('finds nothing where nothing is wrong', () => {
    const states = { a: { on: { E: 'b' } }, b: { on: { E: 'a', END: 'c' } }, c: { type: 'final' } };
    expect(problemsOf({ initial: 'a', states })).toEqual([]);
  });

  it('names a state in which nothing can happen, and the way there', () => {
    const states = { a: { on: { E: 'b', F: 'a' } }, b: {} };
    expect(problemsOf({ initial: 'a', states })).toEqual(['deadlock: nothing can happen in b (after E)']);
  });

  it('names a state that cannot get to an end', () => {
    const states = {
      a: { on: { E: 'b', END: 'c' } },
      b: { on: { E: { actions: 'spin' } } },
      c: { type: 'final' },
    };
    expect(problemsOf({ initial: 'a', states })).toEqual(['no way to an end from b (after E)']);
  });

  it('names what is never entered and never taken', () => {
    const states = { a: { on: { E: 'a' } }, b: { on: { E: 'a' } } };
    expect(problemsOf({ initial: 'a', states })).toEqual([
      'state x.b is never entered',
      'transition never taken: x.b on E → a',
    ]);
  });

  it('counts a state that is only passed through as entered', () => {
    const states = { a: { on: { E: 'via' } }, via: { always: 'b' }, b: { on: { E: 'a' } } };
    expect(problemsOf({ initial: 'a', states })).toEqual([]);
  });

  it('sends the event of a timer while that runs, and only then', () => {
    const states = {
      a: { after: { 10: 'b' }, on: { E: 'c' } },
      b: { on: { E: 'a' } },
      c: { on: { E: 'a' } },
    };
    const machine = createMachine({ id: 'x', initial: 'a', states } as never);
    const { problems, steps } = checkChart(machine);
    expect(problems).toEqual([]);
    const timed = steps.filter(({ event }) => (event as { type: string }).type.startsWith('xstate.after'));
    expect(timed.map(({ state }) => state.value)).toEqual(['a']);
  });

  it('names an event without a case and a case that is not declared', () => {
    const states = { a: { on: { E: 'a', F: 'a' } } };
    expect(problemsOf({ initial: 'a', states }, { events: [{ type: 'E' }, { type: 'G' }] })).toEqual([
      'event F has no case',
      'event G is not declared',
      'transition never taken: x.a on F → a',
    ]);
  });

  it('tells which invariant fails where, whether it answers false or throws', () => {
    const states = { a: { on: { E: 'b' } }, b: { on: { E: 'a' } } };
    const invariants = {
      'never b': ({ next }: { next: { value: unknown } }) => next.value !== 'b',
      'never a again': ({ state, next }: { state: unknown; next: { value: unknown } }) => {
        if (state !== next && next.value === 'a') throw new Error('seen a');
      },
    };
    expect(problemsOf({ initial: 'a', states }, { invariants })).toEqual([
      '"never b" fails from a to b after E',
      '"never a again" fails from b to a after E, E: seen a',
    ]);
  });

  it('checks the start as a step', () => {
    const states = { a: { on: { E: 'a' } } };
    const invariants = {
      'no start': ({ event }: { event: { type: string } }) => event.type !== 'xstate.init',
    };
    expect(problemsOf({ initial: 'a', states }, { invariants })).toEqual([
      '"no start" fails from a to a at the start',
    ]);
  });

  it('remembers what requests amount to, as part of the state', () => {
    const machine = createMachine({
      id: 'x',
      initial: 'a',
      states: { a: { on: { E: { actions: 'count' } } } },
    });
    const { problems, states } = checkChart(machine, {
      memory: { initial: 0, next: (count) => Math.min(3, count + 1) },
    });
    expect(problems).toEqual([]);
    expect(states.map(({ memory, path }) => [memory, path.length])).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
  });

  it('refuses a memory without end', () => {
    const machine = createMachine({
      id: 'x',
      initial: 'a',
      states: { a: { on: { E: { actions: 'count' } } } },
    });
    const memory = { initial: 0, next: (count: number) => count + 1 };
    expect(() => checkChart(machine, { memory, limit: 100 })).toThrow('ERR_CHART_STATES');
  });

  it('leaves out what is allowed, and names what is allowed for nothing', () => {
    const states = { a: { on: { E: 'b' } }, b: {} };
    const allow = ['deadlock: nothing can happen in b (after E)', 'state x.c is never entered'];
    expect(problemsOf({ initial: 'a', states }, { allow })).toEqual([
      'allowed, but does not occur: state x.c is never entered',
    ]);
  });

  it('reports a guard that throws', () => {
    const machine = createMachine(
      { id: 'x', initial: 'a', states: { a: { on: { E: { guard: 'g' }, F: 'a' } } } } as never,
      {
        guards: {
          g: () => {
            throw new Error('no idea');
          },
        },
      } as never,
    );
    expect(checkChart(machine).problems[0]).toContain('E in a throws');
  });
});
