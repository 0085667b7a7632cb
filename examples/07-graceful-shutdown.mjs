/** An HTTP service that ends in order: not ready, intake stops, answers in flight complete, the tree stops, exit 0. */
import { actor, application, httpServer, server, supervisor } from 'troupe';

const clock = actor('clock', server({ init: () => ({}), call: { now: () => 'noon' } }));
const tree = supervisor('service', { children: [clock] });

const http = httpServer('http', {
  dependsOn: [tree],
  handler:
    ({ app }) =>
    async (request, response) => {
      if (request.url === '/health/live') return response.writeHead(app.health().live ? 200 : 503).end();
      if (request.url === '/health/ready') return response.writeHead(app.health().ready ? 200 : 503).end();
      return response.end(await app.get(clock).call({ type: 'now' }));
    },
});

const running = application(tree, { resources: [http], deadlineMs: 5_000 }).run();
// What an orchestrator does when a deploy replaces this service, and a user with Ctrl-C.
setTimeout(() => process.kill(process.pid, 'SIGTERM'), 100);
const { reason, survivors } = await running;
console.log(reason, survivors);
