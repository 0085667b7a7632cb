/** Events for clients that come and go: who comes back is given what it missed; a drain ends streams first. */
import { get } from 'node:http';
import { actor, application, connections, createFeed, httpServer, server, supervisor } from 'troupe';

const prices = createFeed({ name: 'prices', capacity: 100 });
const streams = connections('streams', { retryMs: 2_000, overflow: 'coalesce' });
const http = httpServer('http', {
  connections: streams,
  handler:
    ({ app }) =>
    (request, response) =>
      app.resource(streams).sse(request, response, { feed: prices }),
});
const tree = supervisor('shop', { children: [actor('till', server({ init: () => ({}) }))] });
const app = await application(tree, { resources: [http, streams] }).start();

const listen = (lastEventId) =>
  new Promise((resolve) => {
    const client = { text: '' };
    const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
    get({ ...app.resource(http).address(), host: '127.0.0.1', headers }, (response) => {
      response.setEncoding('utf8').on('data', (text) => (client.text += text));
      client.ended = new Promise((done) => response.on('close', done));
      client.leave = () => response.destroy();
      resolve(client);
    });
  });

const first = await listen();
const seen = prices.publish({ event: 'price', data: { tea: 250 }, key: 'tea' });
first.leave();
prices.publish({ event: 'price', data: { tea: 260 }, key: 'tea' });
const again = await listen(seen);
prices.publish({ event: 'price', data: { coffee: 300 }, key: 'coffee' });
await app.stop();
await again.ended;
const told = again.text.replaceAll(/^id: .*\n/gm, '').replace(/retry: \d+/, 'retry: …');
console.log(told.trim());
