/** What is ill is seen and told; it is mended through recovery, by asking the supervisor that owns it. */
import {
  actor,
  application,
  healthMonitor,
  loopLag,
  probe,
  recovery,
  restartChild,
  server,
  supervisor,
} from 'troupe';

// The database's connection: opened with the actor, and lost without a word.
const link = { opened: 0, isUp: false };
const open = () => Object.assign(link, { opened: link.opened + 1, isUp: true });
const storage = supervisor('storage', { children: [actor('database', server({ init: open }))] });
const ping = () => (link.isUp ? 'pong' : Promise.reject(new Error('connection lost')));
const mend = recovery('mend');
const health = healthMonitor('health', {
  checks: {
    database: probe(ping, { intervalMs: 50, enterAfter: 2, leaveAfter: 2, affects: 'readiness' }),
    loop: loopLag({ affects: 'liveness' }),
  },
  recovery: mend,
  remedies: { database: restartChild(storage, 'database') },
});
const app = await application(supervisor('shop', { children: [storage, mend, health] })).start();
const changed = (to) =>
  new Promise((resolve) => app.events.on('health.check_changed', (event) => event.to === to && resolve()));

const held = setInterval(() => {}, 1_000); // In a service, what serves holds the process.
link.isUp = false;
await changed('unhealthy');
console.log('ready:', app.health().ready, '· live:', app.health().live, '·', app.health().notReady.join());
await changed('healthy');
console.log('ready:', app.health().ready, '· connections opened:', link.opened);
clearInterval(held);
await app.stop();
