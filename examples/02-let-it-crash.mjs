/** A server that crashes is started again by its supervisor; the handle follows it. */
import { actor, application, server, supervisor } from 'troupe';

const till = actor(
  'till',
  server({
    init: () => ({ pence: 0 }),
    call: {
      take: (state, { pence }) => {
        if (pence < 0) throw new RangeError(`cannot take ${pence}`);
        state.pence += pence;
        return state.pence;
      },
    },
  }),
);

const app = await application(supervisor('shop', { children: [till] })).start();
const handle = app.get(till);

console.log('taken', await handle.call({ type: 'take', pence: 250 }));
const crash = await handle.call({ type: 'take', pence: -1 }).catch((error) => error);
console.log(crash.code, '←', crash.cause.message);

// The new incarnation starts from a clean state: that is the point.
console.log('taken', await handle.call({ type: 'take', pence: 100 }, { whenDown: 'wait' }));
await app.stop();
