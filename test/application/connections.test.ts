import { get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { application } from '../../src/application/application.ts';
import { connections } from '../../src/application/connections.ts';
import { httpServer } from '../../src/application/http-server.ts';
import { actor } from '../../src/kernel/actor.ts';
import { server } from '../../src/kernel/server.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';

const tree = () => supervisor('shop', { children: [actor('idle', server({ init: () => ({}) }))] });

it('streams end before the server waits for its connections: a drain with live streams takes no longer than they do', async () => {
  const streams = connections('streams', { retryMs: 500 });
  const http = httpServer('http', {
    connections: streams,
    handler:
      ({ app }) =>
      (request, response) =>
        app.resource(streams).sse(request, response),
  });
  const app = await application(tree(), { resources: [http, streams], deadlineMs: 10_000 }).start();
  const { port } = app.resource(http).address() as AddressInfo;
  let text = '';
  const response = await new Promise<NodeJS.ReadableStream>((resolve) =>
    get({ port, host: '127.0.0.1' }, (answer) => resolve(answer.setEncoding('utf8'))),
  );
  response.on('data', (part) => {
    text += String(part);
  });
  const ended = new Promise((resolve) => response.once('end', resolve));
  app.resource(streams);
  const report = await app.stop();
  await ended;
  expect(text).toMatch(/^retry: \d+\n\n$/);
  expect(report.survivors).toEqual([]);
  // Not the six tenths of the deadline that a stream that nobody ends would cost.
  expect(report.durationMs).toBeLessThan(2_000);
});

it('a server depends on its connections, so that they are there when it listens', () => {
  const streams = connections('streams');
  const http = httpServer('http', { connections: streams, handler: () => () => undefined });
  expect(application(tree(), { resources: [http, streams] }).resources.map(({ id }) => id)).toEqual([
    'streams',
    'http',
  ]);
});
