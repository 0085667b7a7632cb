/** What retries and breakers could not mend is reported once; the table chooses the remedy, the playbook carries it out. */
import { actor, application, recovery, server, supervisor } from 'troupe';

const cache = actor(
  'cache',
  server({ init: () => ({ poisoned: true }), call: { get: (state) => state.poisoned } }),
);
const shop = supervisor('shop', { children: [cache] });
const mend = recovery('mend', {
  playbook: [
    {
      subjects: 'root/shop/cache',
      restart: { supervisor: shop, child: 'cache' },
      remedy: () => ({ kind: 'restart' }),
    },
  ],
});
const app = await application(supervisor('root', { children: [shop, mend] })).start();

const before = app.get(cache).ref().incarnation;
const outcome = await app.get(mend).handle(new Error('stale entry'), { subject: app.get(cache) });
console.log(
  outcome.outcome,
  'by',
  outcome.remedy ?? 'restart',
  '· a new incarnation:',
  app.get(cache).ref().incarnation !== before,
);
await app.stop();
