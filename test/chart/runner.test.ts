/** A runner performs what its chart asks for: in order, to completion, and not after its stop. */
import { describe, expect, it } from 'vitest';
import { createMachine, setup } from 'xstate';
import type { Chart } from '../../src/chart/chart.ts';
import { compileChart } from '../../src/chart/compile.ts';
import { interpretChart } from '../../src/chart/interpret.ts';
import { ChartRunner } from '../../src/chart/runner.ts';

type Event = { type: 'GO' } | { type: 'BACK' } | { type: 'END' };

const machine = setup({
  types: { events: {} as Event },
  actions: { log: (_, _params: { word: string }) => {}, alarm: () => {} },
  delays: { patience: 1_000 },
}).createMachine({
  id: 'walker',
  initial: 'home',
  entry: { type: 'log', params: { word: 'hello' } },
  states: {
    home: { on: { GO: { target: 'away', actions: { type: 'log', params: { word: 'leaving' } } } } },
    away: {
      entry: { type: 'log', params: { word: 'arrived' } },
      exit: { type: 'log', params: { word: 'left' } },
      after: { patience: { target: 'home', actions: 'alarm' } },
      on: { BACK: 'home', GO: { target: 'away', reenter: true }, END: 'over' },
    },
    over: { type: 'final' },
  },
});

/** Timers that fire when they are told to. */
class Timers {
  readonly running: { ms: number; label: string; fire: () => void }[] = [];

  readonly start = (ms: number, label: string, fire: () => void) => {
    const timer = { ms, label, fire };
    this.running.push(timer);
    return {
      cancel: () => {
        const at = this.running.indexOf(timer);
        if (at >= 0) this.running.splice(at, 1);
      },
    };
  };
}

const walk = (make: typeof compileChart = compileChart) => {
  const timers = new Timers();
  const log: string[] = [];
  const runner = new ChartRunner({
    chart: make(machine),
    perform: { log: ({ word }) => log.push(word), alarm: () => log.push('alarm') },
    delays: { patience: () => 50 },
    timer: timers.start,
    onStep: ({ snapshot }, { type }) => log.push(`${type} → ${String(snapshot.value)}`),
  });
  return { runner, timers, log };
};

describe.each([
  ['compiled', compileChart],
  ['interpreted', interpretChart as typeof compileChart],
])('a runner of a %s chart', (_name, make) => {
  it('performs the entry of the initial states at its start, and only once', () => {
    const { runner, log } = walk(make);
    expect(log).toEqual([]);
    runner.start();
    runner.start();
    expect(log).toEqual(['xstate.init → home', 'hello']);
  });

  it('performs requests in order and arms and cancels the chart’s timers', () => {
    const { runner, log, timers } = walk(make);
    runner.start();
    runner.send({ type: 'GO' });
    expect(log.slice(2)).toEqual(['GO → away', 'leaving', 'arrived']);
    expect(timers.running).toMatchObject([{ ms: 50, label: 'xstate.after.patience.walker.away' }]);
    runner.send({ type: 'GO' });
    expect(timers.running).toHaveLength(1);
    runner.send({ type: 'BACK' });
    expect(timers.running).toHaveLength(0);
  });

  it('sends a timer’s event when it fires, and ignores one that fires although it was cancelled', () => {
    const { runner, log, timers } = walk(make);
    runner.start();
    runner.send({ type: 'GO' });
    const [first] = timers.running;
    runner.send({ type: 'GO' });
    const [second] = timers.running;
    const before = log.length;
    first!.fire();
    expect(log).toHaveLength(before);
    second!.fire();
    expect(log.at(-1)).toBe('alarm');
    expect(runner.snapshot.value).toBe('home');
  });

  it('cancels all timers when the chart is done, and takes no event then', () => {
    const { runner, timers } = walk(make);
    runner.start();
    runner.send({ type: 'GO' });
    runner.send({ type: 'END' });
    runner.send({ type: 'GO' });
    expect(runner.snapshot).toMatchObject({ value: 'over', status: 'done' });
    expect(timers.running).toHaveLength(0);
  });

  it('ignores what is sent after its stop', () => {
    const { runner, timers, log } = walk(make);
    runner.start();
    runner.send({ type: 'GO' });
    const [timer] = timers.running;
    runner.stop();
    const before = log.length;
    runner.send({ type: 'BACK' });
    timer!.fire();
    expect(log).toHaveLength(before);
    expect(timers.running).toHaveLength(0);
  });
});

const relay = createMachine({
  id: 'relay',
  initial: 'a',
  states: {
    a: { on: { NEXT: { target: 'b', actions: ['one', 'two'] } } },
    b: { on: { NEXT: { target: 'a', actions: 'three' } } },
  },
});

const running = (perform: Record<string, () => void>) =>
  new ChartRunner({ chart: compileChart(relay) as Chart, perform });

describe('run to completion', () => {
  it('an event sent while performing waits until all is performed', () => {
    const log: string[] = [];
    const runner: ChartRunner = running({
      one: () => {
        runner.send({ type: 'NEXT' });
        log.push(`one in ${String(runner.snapshot.value)}`);
      },
      two: () => log.push('two'),
      three: () => log.push('three'),
    });
    runner.start();
    runner.send({ type: 'NEXT' });
    expect(log).toEqual(['one in b', 'two', 'three']);
  });

  it('an event sent before the start is handled after it', () => {
    const log: string[] = [];
    const runner = running({ one: () => log.push('one'), two: () => {}, three: () => {} });
    runner.send({ type: 'NEXT' });
    expect(log).toEqual([]);
    runner.start();
    expect(log).toEqual(['one']);
  });

  it('a performer that throws keeps nothing from being performed, and the sender is told', () => {
    const log: string[] = [];
    const runner: ChartRunner = running({
      one: () => {
        runner.send({ type: 'NEXT' });
        throw new Error('one broke');
      },
      two: () => log.push('two'),
      three: () => log.push('three'),
    });
    runner.start();
    expect(() => runner.send({ type: 'NEXT' })).toThrow('one broke');
    expect(log).toEqual(['two', 'three']);
    runner.stop();
  });

  it('a stop while performing lets the step finish and drops what waits', () => {
    const log: string[] = [];
    const runner: ChartRunner = running({
      one: () => {
        runner.send({ type: 'NEXT' });
        runner.stop();
      },
      two: () => log.push('two'),
      three: () => log.push('three'),
    });
    runner.start();
    runner.send({ type: 'NEXT' });
    runner.send({ type: 'NEXT' });
    expect(log).toEqual(['two']);
  });
});

describe('a runner is refused', () => {
  const chart = compileChart(machine) as Chart;
  const perform = { log: () => {}, alarm: () => {} };
  const timer = new Timers().start;
  const delays = { patience: () => 1 };

  it.each([
    ['without an action', { chart, perform: { log: () => {} }, timer, delays }, 'alarm must be a function'],
    ['without a delay', { chart, perform, timer }, 'patience must be a function'],
    ['without timers', { chart, perform, delays }, 'timer must be a function'],
    [
      'with an action that the chart lacks',
      { chart, perform: { ...perform, alarmm: () => {} }, timer, delays },
      'unknown option alarmm (did you mean alarm?)',
    ],
  ])('%s', (_what, options, message) => {
    expect(() => new ChartRunner(options)).toThrow(message);
  });

  it('when it resolves a delay to no number of ms', () => {
    const runner = new ChartRunner({ chart, perform, timer, delays: { patience: () => Number.NaN } });
    runner.start();
    expect(() => runner.send({ type: 'GO' })).toThrow(
      'delay patience must be a finite number of milliseconds',
    );
  });
});
