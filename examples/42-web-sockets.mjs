/** WebSockets, over the package `ws`: messages one at a time, a page of another site kept out, a drain that says when to come back. */
import { application, connections, httpServer, supervisor } from 'troupe';
import { WebSocket } from 'ws';

const sockets = connections('sockets', { retryMs: 2_000 });
const http = httpServer('http', {
  connections: sockets,
  handler: () => (_request, response) => response.writeHead(426).end(),
  upgrade:
    ({ app }) =>
    async (request, socket, head) => {
      const client = await app.resource(sockets).webSocket(request, socket, head, {
        onMessage: (text) => client?.send({ echo: String(text) }),
      });
    },
});
const tree = supervisor('chat', { children: [] });
const app = await application(tree, { resources: [http, sockets] }).start();
const url = `ws://127.0.0.1:${app.resource(http).address().port}`;

const stranger = new WebSocket(url, { origin: 'https://elsewhere.example' });
const answer = await new Promise((resolve) => stranger.once('error', resolve));
console.log('a page of another site:', answer.message);

const client = new WebSocket(url);
await new Promise((resolve) => client.once('open', resolve));
for (const text of ['to be', 'or not to be']) {
  client.send(text);
  console.log(await new Promise((resolve) => client.once('message', (data) => resolve(String(data)))));
}
const closed = new Promise((resolve) => {
  client.once('close', (code, reason) => resolve(`${code}, ${String(reason).replace(/\d+/, '…')}`));
});
await app.stop();
console.log('drained:', await closed);
