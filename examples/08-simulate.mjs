/**
 * A turnstile of your own under a supervisor of your own, simulated: random commands, schedules and crashes, and a failure
 * comes back as the few steps that it needs. The bug: it lets go of what it was paid when it is pushed, but not when it
 * is pushed by somebody who has not paid.
 */
import { actor, application, fromMachine, supervisor } from 'troupe';
import { faultsAt, simulate } from 'troupe/testing';
import { assign, setup } from 'xstate';

const machine = (careful) =>
  setup({ guards: { paid: ({ context }) => !careful || context.coins > 0 } }).createMachine({
    context: { coins: 0 },
    on: {
      coin: { actions: assign({ coins: ({ context }) => context.coins + 1 }) },
      push: { guard: 'paid', actions: assign({ coins: ({ context }) => context.coins - 1 }) },
    },
  });

const scenario = (careful) => ({
  name: 'turnstile',
  faults: { points: faultsAt('actor.before', 'mailbox.delay') },
  setUp: async ({ host }) => {
    const turnstile = actor('turnstile', fromMachine(machine(careful)));
    const app = await application(supervisor('gate', { children: [turnstile], giveUp: 'never' }), {
      host,
    }).start();
    return { app, turnstile: app.get(turnstile) };
  },
  commands: {
    coin: ({ turnstile }) => turnstile.send({ type: 'coin' }),
    push: ({ turnstile }) => turnstile.send({ type: 'push' }),
  },
  always: {
    'nobody passes unpaid': ({ turnstile }) =>
      turnstile.ref() && turnstile.snapshot().context.coins < 0 ? 'in debt' : undefined,
  },
  heal: ({ app }) => app.stop(),
});

const { runs, failures } = await simulate(scenario(true), { runs: 300 });
console.log(`careful: ${runs} runs, ${failures.length} failures`);
const found = await simulate(scenario(false), { runs: 300, directory: false }).catch((error) => error);
console.log(`careless: ${found.data.property}, after ${found.data.commandNames}`);
