/**
 * What a step of a chart costs: compiled beside XState's own `transition`, interleaved rounds in one process, medians.
 * Run with `node bench/chart.bench.mjs` after `npm run build:js`; `--json` prints one object a line.
 */
import { setup, transition } from 'xstate';
import { compileChart } from '../dist/testing.js';

const ROUNDS = 31;
const COMPILED_STEPS = 400_000;
const XSTATE_STEPS = 4_000;

const flat = setup({}).createMachine({
  id: 'flat',
  initial: 'off',
  states: { off: { on: { FLIP: 'on' } }, on: { on: { FLIP: 'off' } } },
});

const region = {
  initial: 'off',
  states: { off: { on: { FLIP: 'on' } }, on: { on: { FLIP: 'off' } } },
};
const parallel = setup({}).createMachine({
  id: 'parallel',
  type: 'parallel',
  states: { a: region, b: region, c: region },
});

const declared = setup({
  actions: { enter: () => {}, leave: () => {}, note: () => {}, say: () => {} },
  guards: { isEven: ({ event }) => event.n % 2 === 0, always: () => true },
  delays: { patience: 1_000 },
});
const fullRegion = {
  initial: 'off',
  states: {
    off: {
      entry: { type: 'enter', params: { what: 'off' } },
      exit: 'leave',
      on: { FLIP: { guard: 'always', target: 'on', actions: 'note' } },
    },
    on: {
      entry: { type: 'enter', params: { what: 'on' } },
      exit: 'leave',
      after: { patience: 'off' },
      on: {
        FLIP: [
          { guard: 'never', target: 'off' },
          { target: 'off', actions: 'note' },
        ],
      },
    },
  },
};
const full = setup({
  actions: { enter: () => {}, leave: () => {}, note: () => {} },
  guards: { always: () => true, never: () => false },
  delays: { patience: 1_000 },
}).createMachine({
  id: 'full',
  type: 'parallel',
  states: { a: fullRegion, b: fullRegion },
});

const computed = declared.createMachine({
  id: 'computed',
  initial: 'off',
  states: {
    off: {
      on: {
        FLIP: {
          guard: 'always',
          target: 'on',
          actions: { type: 'say', params: ({ event }) => ({ n: event.n }) },
        },
      },
    },
    on: { on: { FLIP: 'off' } },
  },
});

const refused = declared.createMachine({
  id: 'refused',
  initial: 'off',
  states: { off: { on: { FLIP: { guard: 'isEven', target: 'on' } } }, on: {} },
});

const charts = {
  'flat, two states': flat,
  'parallel, three regions': parallel,
  'parallel, two regions with guards, entry, exit, after': full,
  'flat, params computed from the event': computed,
  'flat, guard says no (no transition)': refused,
};
const event = { type: 'FLIP', n: 1 };

const compiledRound = (machine) => {
  const chart = compileChart(machine);
  return () => {
    let at = chart.initial.snapshot;
    const from = performance.now();
    for (let i = 0; i < COMPILED_STEPS; i++) at = chart.step(at, event).snapshot;
    return ((performance.now() - from) * 1e6) / COMPILED_STEPS;
  };
};

const xstateRound = (machine) => () => {
  let at = machine.resolveState({ value: compileChart(machine).initial.snapshot.value, context: {} });
  const from = performance.now();
  for (let i = 0; i < XSTATE_STEPS; i++) [at] = transition(machine, at, event);
  return ((performance.now() - from) * 1e6) / XSTATE_STEPS;
};

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

const runs = Object.entries(charts).map(([name, machine]) => ({
  name,
  compiled: { round: compiledRound(machine), ns: [] },
  xstate: { round: xstateRound(machine), ns: [] },
}));

for (let round = 0; round < ROUNDS; round++) {
  for (const { compiled, xstate } of runs) {
    for (const side of round % 2 === 0 ? [compiled, xstate] : [xstate, compiled]) side.ns.push(side.round());
  }
}

for (const { name, compiled, xstate } of runs) {
  const [ours, theirs] = [median(compiled.ns), median(xstate.ns)];
  const row = {
    name,
    compiledNs: Math.round(ours),
    xstateNs: Math.round(theirs),
    ratio: Math.round(theirs / ours),
  };
  if (process.argv.includes('--json')) console.log(JSON.stringify(row));
  else console.log(`${name}: ${row.compiledNs} ns compiled, ${row.xstateNs} ns XState, ${row.ratio} ×`);
}
