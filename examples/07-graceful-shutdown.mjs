/** An HTTP service that ends in order: not ready, intake stops, answers in flight complete, the tree stops, exit 0. */
import { createServer } from 'node:http';
import { actor, application, resource, server, supervisor } from 'troupe';

const clock = actor('clock', server({ init: () => ({}), call: { now: () => 'noon' } }));
const tree = supervisor('service', { children: [clock] });

const http = resource('http', {
  dependsOn: [tree],
  open: async ({ app }) => {
    const listener = createServer(async (_request, response) => {
      response.end(await app.get(clock).call({ type: 'now' }));
    });
    await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
    return listener;
  },
  drain: (listener) => new Promise((resolve) => listener.close(resolve)),
  close: (listener) => listener.closeAllConnections(),
});

const running = application(tree, { resources: [http], deadlineMs: 5_000 }).run();
// What an orchestrator would do later, and a user at the terminal with Ctrl-C.
setTimeout(() => process.kill(process.pid, 'SIGTERM'), 100);
const { reason, survivors } = await running;
console.log(reason, survivors);
