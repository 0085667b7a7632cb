/** An XState machine runs unchanged: supervised, called, watched, and asked to end in its own way. */
import { actor, application, fromMachine, reply, supervisor } from 'troupe';
import { setup } from 'xstate';

const door = setup({
  actions: { answer: reply(({ event }) => `who is ${event.who}?`) },
}).createMachine({
  id: 'door',
  initial: 'shut',
  on: { knock: { actions: 'answer' } },
  states: {
    shut: { on: { open: 'ajar', lock: 'locked' } },
    ajar: { after: { 20: 'shut' }, on: { lock: 'locked' } },
    locked: { type: 'final' },
  },
});

// On shutdown it is told to lock, and has its allowance to get there; reaching the final state ends it.
const front = actor('front', fromMachine(door, { onShutdown: { type: 'lock' } }), { shutdownMs: 1_000 });
const app = await application(supervisor('house', { children: [front] })).start();
const handle = app.get(front);

handle.send({ type: 'open' });
await handle.waitFor((snapshot) => snapshot.matches('ajar'));
console.log('open, and shut again by itself:', (await handle.waitFor((s) => s.matches('shut'))).value);
console.log(await handle.call({ type: 'knock', who: 'there' }));
await app.stop();
console.log('and at the end:', handle.snapshot().value);
