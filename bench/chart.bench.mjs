/**
 * What a step of a statechart costs, compiled, beside XState's own `transition`; and what it costs to bring a machine to life
 * under supervision, beside XState's own `createActor`. The machines are the same objects on both sides.
 */
import { createActor, setup, transition } from 'xstate';
import { actor, createSystem, dynamicSupervisor, fromMachine } from '../dist/index.js';
import { compileChart } from '../dist/testing.js';

const FLIP = { type: 'FLIP', n: 1 };

const flat = setup({}).createMachine({
  id: 'flat',
  initial: 'off',
  states: { off: { on: { FLIP: 'on' } }, on: { on: { FLIP: 'off' } } },
});

const region = { initial: 'off', states: { off: { on: { FLIP: 'on' } }, on: { on: { FLIP: 'off' } } } };
const parallel = setup({}).createMachine({
  id: 'parallel',
  type: 'parallel',
  states: { a: region, b: region, c: region },
});

/** All that charts of troupe's own use: guards, entry, exit, params, delays, in two regions. */
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
}).createMachine({ id: 'full', type: 'parallel', states: { a: fullRegion, b: fullRegion } });

const stepping = (machine) => () => {
  const chart = compileChart(machine);
  let ours = chart.initial.snapshot;
  let theirs = machine.resolveState({ value: ours.value, context: {} });
  return {
    contestants: {
      troupe: async (count) => {
        for (let i = 0; i < count; i++) ours = chart.step(ours, FLIP).snapshot;
      },
      xstate: async (count) => {
        for (let i = 0; i < count; i++) [theirs] = transition(machine, theirs, FLIP);
      },
    },
  };
};

/** As many as are alive at once; then they are stopped, which is not timed. */
const BATCH = 1_000;

/** One after the other, each from the wish to the initial state; ours supervised, with a place, a name and a handle. */
const spawning = async () => {
  const supervised = async (count) => {
    const system = createSystem();
    const room = await system.start(
      dynamicSupervisor('room', { template: actor('flat', fromMachine(flat)) }),
    );
    const began = process.hrtime.bigint();
    for (let i = 0; i < count; i++) await room.startChild(`a${i}`);
    const ns = Number(process.hrtime.bigint() - began);
    await system.shutdown();
    return ns;
  };
  const alone = async (count) => {
    const actors = [];
    const began = process.hrtime.bigint();
    for (let i = 0; i < count; i++) actors.push(createActor(flat).start());
    const ns = Number(process.hrtime.bigint() - began);
    for (const one of actors) one.stop();
    return ns;
  };
  return { contestants: { troupe: supervised, xstate: alone } };
};

export const suite = [
  { case: 'step', per: 'step', open: stepping(flat), aims: { xstate: 0.05 } },
  { case: 'step, three regions', per: 'step', open: stepping(parallel), aims: { xstate: 0.05 } },
  { case: 'step, with all', per: 'step', open: stepping(full), aims: { xstate: 0.05 } },
  { case: 'machine spawn', per: 'actor', open: spawning, count: BATCH },
];
