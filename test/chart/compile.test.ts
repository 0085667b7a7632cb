/** What a compiled chart refuses, what it keeps, and what a step of it is. */

import { describe, expect, it } from 'vitest';
import {
  assign,
  createMachine,
  emit,
  enqueueActions,
  raise,
  sendTo,
  setup,
  spawnChild,
  stateIn,
} from 'xstate';
import { isTroupeError } from '../../src/base/errors.ts';
import type { Chart, ChartEvent } from '../../src/chart/chart.ts';
import { CompiledChart, compileChart } from '../../src/chart/compile.ts';
import { interpretChart } from '../../src/chart/interpret.ts';

const refusal = (config: object, implementations: object = {}): string => {
  const machine = createMachine({ id: 'x', ...config } as never, implementations as never);
  const messages = [compileChart, interpretChart].map((make) => {
    try {
      make(machine);
      return 'accepted';
    } catch (error) {
      expect(isTroupeError(error, 'ERR_CHART_UNSUPPORTED')).toBe(true);
      return (error as Error).message;
    }
  });
  expect(messages[0]).toBe(messages[1]);
  return messages[0]!;
};

const one = (state: object, implementations: object = {}): string =>
  refusal({ initial: 'a', states: { a: state, b: {} } }, implementations);

describe('outside the subset, a machine is refused by both engines, naming what and where', () => {
  it.each([
    ['context', refusal({ context: { n: 1 } }), 'context (in x)'],
    ['context made by a function', refusal({ context: () => ({}) }), 'context (in x)'],
    ['invoke', one({ invoke: { src: 'job' } }), "'invoke' (in x.a)"],
    ['output', refusal({ output: 1 }), "'output' (in x)"],
    ['history', one({ initial: 'h', states: { h: { type: 'history' } } }), 'a history state (in x.a.h)'],
    ['assign', one({ entry: assign({}) }), 'the action xstate.assign (in x.a)'],
    ['a named assign', one({ entry: 'set' }, { actions: { set: assign({}) } }), 'the action xstate.assign'],
    ['spawnChild', one({ entry: spawnChild('job') }), 'the action xstate.spawnChild'],
    ['emit', one({ entry: emit({ type: 'out' }) }), 'the action xstate.emit'],
    ['sendTo', one({ exit: sendTo('other', { type: 'E' }) }), 'the action xstate.sendTo'],
    ['enqueueActions', one({ entry: enqueueActions(() => {}) }), 'the action xstate.enqueueActions'],
    ['an inline action', one({ on: { E: { actions: () => {} } } }), 'the inline action actions (in x.a)'],
    ['an inline guard', one({ on: { E: { guard: () => true } } }), 'an inline guard (in x.a)'],
    ['a guard that is nowhere', one({ on: { E: { guard: 'g' } } }), 'the guard g without an implementation'],
    ['stateIn', one({ on: { E: { guard: stateIn('b') } } }), "XState's stateIn"],
    ['a computed raise', one({ entry: raise(() => ({ type: 'E' })) }), 'a raise of a computed event'],
    ['a delayed raise without an id', one({ entry: raise({ type: 'E' }, { delay: 1 }) }), 'without an id'],
    ['a negative delay', one({ after: { '-5': 'b' } }), 'a delay of -5 ms'],
    [
      'bare targets in a list under after',
      one({ after: { 5: ['b'] } }),
      'a list of bare targets under after',
    ],
    [
      'a misspelt key of a transition',
      one({ on: { E: { gaurd: 'g', target: 'b' } } }),
      "'gaurd' (in x.a on E)",
    ],
  ])('%s', (_what, message, expected) => {
    expect(message).toContain(expected);
  });

  it('an empty context and stub implementations are no effects', () => {
    expect(refusal({ context: {}, entry: 'log' }, { actions: { log: () => {} } })).toBe('accepted');
  });
});

const toggle = setup({
  types: { events: {} as { type: 'FLIP' } | { type: 'SAY'; word: string } | { type: 'NOTHING' } },
  actions: { say: (_, _params: { word: string }) => {}, lit: () => {} },
  guards: { isLoud: ({ event }) => event.type === 'SAY' && event.word === 'HEY' },
}).createMachine({
  id: 'toggle',
  initial: 'off',
  states: {
    off: { on: { FLIP: { target: 'on', actions: 'lit' }, NOTHING: {} } },
    on: {
      on: {
        FLIP: 'off',
        SAY: {
          guard: 'isLoud',
          actions: { type: 'say', params: ({ event }) => ({ word: event.type === 'SAY' ? event.word : '' }) },
        },
      },
    },
  },
});

describe('a compiled chart', () => {
  const chart: Chart = compileChart(toggle);
  const off = chart.initial.snapshot;

  it('gives one and the same step for the same path', () => {
    const first = chart.step(off, { type: 'FLIP' });
    expect(chart.step(off, { type: 'FLIP' })).toBe(first);
    expect(chart.step(first.snapshot, { type: 'FLIP' }).snapshot).toBe(off);
    expect(Object.isFrozen(first) && Object.isFrozen(first.requests)).toBe(true);
  });

  it('computes params for each event anew', () => {
    const on = chart.step(off, { type: 'FLIP' }).snapshot;
    const say = (word: string) => chart.step(on, { type: 'SAY', word } as ChartEvent);
    expect(say('HEY').requests).toEqual([{ kind: 'action', type: 'say', params: { word: 'HEY' } }]);
    expect(say('psst')).toEqual({ snapshot: on, requests: [], changed: false });
    expect(say('HEY').changed).toBe(true);
  });

  it('says that it changed when a transition was taken, be it one without effect', () => {
    expect(chart.step(off, { type: 'NOTHING' })).toMatchObject({ changed: true, requests: [] });
    expect(chart.step(off, { type: 'SAY', word: 'HEY' } as ChartEvent).changed).toBe(false);
  });

  it('keeps nothing of event types that it does not declare', () => {
    const unchanged = chart.step(off, { type: 'type-0' });
    for (let i = 1; i < 1_000; i++) expect(chart.step(off, { type: `type-${i}` })).toBe(unchanged);
    expect(unchanged).toEqual({ snapshot: off, requests: [], changed: false });
  });

  it('refuses a snapshot that no chart made', () => {
    expect(() => chart.step({ value: 'off', status: 'active' }, { type: 'FLIP' })).toThrow(
      'ERR_OPTION_INVALID',
    );
  });

  it('tells what it needs of its owner', () => {
    expect(chart.needs).toEqual({ actions: ['lit', 'say'], delays: [], timers: false });
    expect(chart.events).toEqual(['FLIP', 'NOTHING', 'SAY']);
  });

  it('asks guards anew at each step, and never remembers an answer', () => {
    let asked = 0;
    const counting = createMachine(
      {
        id: 'counting',
        initial: 'a',
        states: { a: { on: { E: { guard: 'g', target: 'b' } } }, b: {} },
      } as never,
      { guards: { g: () => ++asked > 3 } } as never,
    );
    const counted = new CompiledChart(counting);
    const steps = [1, 2, 3, 4].map(() => counted.step(counted.initial.snapshot, { type: 'E' }).changed);
    expect(steps).toEqual([false, false, false, true]);
  });

  it.each([compileChart, interpretChart])('breaks a loop off with ERR_CHART_LOOP: %o', (make) => {
    const spin = createMachine({
      id: 'spin',
      initial: 'a',
      states: { a: { on: { GO: 'b' } }, b: { always: 'c' }, c: { always: 'b' } },
    });
    const spinning = make(spin) as Chart;
    expect(() => spinning.step(spinning.initial.snapshot, { type: 'GO' })).toThrow(
      'chart spin took more than 10000 microsteps on GO [ERR_CHART_LOOP]',
    );
  });
});
