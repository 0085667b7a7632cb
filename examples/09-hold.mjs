/**
 * A worker that depends on a breaker: while its upstream is down it is held instead of restarted into the same failure, and
 * its supervisor gives up on nobody.
 */
import { setTimeout } from 'node:timers/promises';
import { actor, application, circuitBreaker, server, supervisor } from 'troupe';

let upstreamIsUp = true;
const connect = async () => {
  if (!upstreamIsUp) throw new Error('ECONNREFUSED');
  return {};
};

const upstream = circuitBreaker('upstream', { window: { kind: 'consecutive', failures: 1 }, openMs: 50 });
const feed = actor(
  'feed',
  server({
    init: (_input, context) => context.get(upstream).execute(connect),
    cast: {
      lost: () => {
        throw new Error('connection lost');
      },
    },
  }),
  { dependsOn: upstream },
);

const app = await application(supervisor('shop', { children: [upstream, feed], intensity: 0 })).start();
for (const type of ['held', 'released'])
  app.events.on(`supervisor.child.${type}`, ({ child, why }) => console.log(child, type, why ?? ''));

upstreamIsUp = false;
app.get(upstream).fail(new Error('ECONNREFUSED'));
app.get(feed).tell({ type: 'lost' });
await setTimeout(20);
console.log(app.drawTree());
await setTimeout(100);
upstreamIsUp = true;
await setTimeout(100);
console.log(app.drawTree());
await app.stop();
