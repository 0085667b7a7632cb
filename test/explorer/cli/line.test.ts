import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { realHost } from '../../../src/base/real-host.ts';
import { Line } from '../../../src/explorer/cli/line.ts';
import { PROTOCOL_VERSION } from '../../../src/explorer/protocol.ts';

it('what is to be shown is told one after the other: the last that was wanted stays', async () => {
  const told: unknown[] = [];
  const held: ServerResponse[] = [];
  let look = (): void => undefined;
  const server = createServer((request, response) => {
    if (request.method === 'GET') {
      const hello = { type: 'hello', seq: 0, body: { version: PROTOCOL_VERSION, stream: 's' } };
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`data: ${JSON.stringify(hello)}\n\n`);
      return;
    }
    let body = '';
    request.on('data', (chunk) => {
      body += String(chunk);
    });
    request.on('end', () => {
      told.push((JSON.parse(body) as { watch: unknown }).watch);
      held.push(response);
      look();
    });
  });
  const heard = (count: number) =>
    new Promise<void>((resolve) => {
      look = () => {
        if (told.length >= count) resolve();
      };
      look();
    });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const line = new Line({
    host: realHost(),
    target: { base: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, token: undefined },
    watch: () => ({ metrics: true }),
    frame: () => undefined,
    status: () => undefined,
  });
  line.open();
  await heard(1);
  void line.watch({ tree: { query: 'older', from: 0, count: 1 } });
  void line.watch({ tree: { query: 'newer', from: 0, count: 1 } });
  void line.watch({ metrics: false });
  held[0]?.end('{}');
  await heard(2);
  expect(told).toEqual([{ metrics: true }, { tree: { query: 'newer', from: 0, count: 1 }, metrics: false }]);
  held[1]?.end('{}');
  line.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
