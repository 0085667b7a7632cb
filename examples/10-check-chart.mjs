/**
 * A machine of your own checked exhaustively: every state that it can reach, its context included. A store has room for three;
 * the guard of the careless one lets one more in, and the shortest way there is told.
 */
import { checkChart } from 'troupe/testing';
import { assign, setup } from 'xstate';

const store = (careful) =>
  setup({
    guards: {
      room: ({ context }) => (careful ? context.items < 3 : context.items <= 3),
      stock: ({ context }) => context.items > 0,
    },
  }).createMachine({
    id: 'store',
    initial: 'open',
    context: { items: 0 },
    states: {
      open: {
        on: {
          put: { guard: 'room', actions: assign({ items: ({ context }) => context.items + 1 }) },
          take: { guard: 'stock', actions: assign({ items: ({ context }) => context.items - 1 }) },
          shut: 'shut',
        },
        after: { 60000: 'shut' },
      },
      shut: { type: 'final' },
    },
  });

const invariants = { 'at most three': ({ next }) => next.context.items <= 3 };

const careful = checkChart(store(true), { invariants });
console.log(`careful: ${careful.states.length} states, ${careful.problems.length} problems`);
console.log(`tests: ${careful.paths.map(({ name }) => name).join('; ')}`);
const careless = checkChart(store(false), { invariants });
console.log(`careless: ${careless.problems[0]}`);
