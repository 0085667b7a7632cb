/**
 * The upstream: a price list over HTTP on loopback, an OS process of its own. Whoever started it can make it sick
 * through the IPC channel, which only the launcher holds: `healthy`, `hanging` (takes requests, never answers) or
 * `failing` (answers 500). It ends when that channel closes.
 */
import { createServer } from 'node:http';

const port = Number(process.argv[2] ?? 0);
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

process.on('message', (message) => {
  mode = String(message);
  // Those left hanging are not answered after all: their clients have to give up by themselves.
  process.send?.({ mode });
});
process.on('disconnect', () => process.exit(0));
// The launcher decides when it ends; a Ctrl-C in the terminal reaches everyone there.
process.on('SIGINT', () => {});

server.listen(port, '127.0.0.1', () => process.send?.({ listening: server.address().port }));
