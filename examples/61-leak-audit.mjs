/** A request that forgets a timer and a task: both are named, with the request that made them; what is rightly owned goes on. */
import { createLeakAudit, createScope } from 'troupe';

const audit = createLeakAudit({ thresholds: { tasks: 3 } });
audit.events.on('leak.found', ({ kind, name, owner, origin }) => {
  console.log(`${kind} ${name} outlived ${owner}: ${origin?.split('/').at(-1) ?? 'somewhere'}`);
});
audit.events.on('leak.threshold_passed', ({ what, value, limit }) =>
  console.log(`${what}: ${value} of ${limit}`),
);

const service = createScope({ host: audit.host, name: 'service' });
const serving = ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', resolve));
for (const name of ['poll', 'sweep', 'report']) service.start(name, serving);

const request = createScope({ host: audit.host, name: 'request 7', closeMs: 20 });
const host = audit.within(request, 'request 7');
const forgotten = host.timer(60_000, 'reminder', () => {});
request.start('deaf', () => new Promise(() => {}));
await request.close();

// The audit looks by itself every minute; this is for now.
const { tasks } = audit.look();
console.log(`${tasks} tasks run, ${service.tasks().length} of them the service's`);

forgotten.cancel();
await service.close();
audit.dispose();
