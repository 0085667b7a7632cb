/**
 * The upstream: a price list over HTTP on loopback, an OS process of its own. Whoever started it holds the IPC channel,
 * through which it is told to `listen`, and made sick: `healthy`, `hanging` (takes requests, never answers) or
 * `failing` (answers 500). It ends when that channel closes.
 */
import { createServer } from 'node:http';

let mode = 'healthy';

/** A price that anyone can work out from the article's name, so that an invented one would be noticed. */
const priceOf = (sku) =>
  100 + [...sku].reduce((sum, character) => (sum * 31 + character.charCodeAt(0)) % 9_900, 7);

const server = createServer((request, response) => {
  const sku = /^\/prices\/([\w-]{1,64})$/.exec(request.url ?? '')?.[1];
  if (mode === 'hanging') return;
  const [status, body] =
    mode === 'failing'
      ? [500, { error: 'the price list is on fire' }]
      : sku === undefined
        ? [404, { error: 'no such article' }]
        : [200, { sku, cents: priceOf(sku) }];
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
});

process.on('message', ({ listen, become }) => {
  // Those left hanging are not answered when it is well again: their clients have to give up by themselves.
  if (become !== undefined) mode = become;
  if (listen === undefined) process.send({ mode });
  else server.listen(listen, '127.0.0.1', () => process.send({ listening: server.address().port }));
});
process.on('disconnect', () => process.exit(0));
// The launcher decides when it ends; a Ctrl-C in the terminal reaches everyone there.
process.on('SIGINT', () => {});
process.send({ started: true });
