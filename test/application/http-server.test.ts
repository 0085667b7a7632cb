import { Agent, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { actor, application, httpServer, server, supervisor } from '../../src/index.ts';

const read = (
  port: number,
  path: string,
  agent: Agent,
): Promise<{ status: number; text: string; connection: string | undefined }> =>
  new Promise((resolve, reject) => {
    const asked = get({ port, path, agent, host: '127.0.0.1' }, (response: IncomingMessage) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text, connection: response.headers.connection }),
      );
    });
    asked.on('error', reject);
  });

const setUp = async () => {
  let release: (() => void) | undefined;
  let began: (() => void) | undefined;
  const inHandler = new Promise<void>((resolve) => {
    began = resolve;
  });
  const desk = actor(
    'desk',
    server({
      init: () => ({}),
      call: {
        slow: () =>
          new Promise<string>((resolve) => {
            release = () => resolve('slow but sure');
            began?.();
          }),
      },
    }),
  );
  const tree = supervisor('service', { children: [desk] });
  const http = httpServer('http', {
    dependsOn: [tree],
    handler:
      ({ app }) =>
      async (request, response) => {
        if (request.url === '/slow') response.end(await app.get(desk).call({ type: 'slow' }));
        else response.end('quick');
      },
  });
  const app = await application(tree, { resources: [http], deadlineMs: 10_000 }).start();
  const { port } = app.resource(http).address() as AddressInfo;
  return { app, port, inHandler, finish: () => release?.() };
};

describe('httpServer', () => {
  it('completes what keep-alive clients have in flight, tells them to close, and takes nothing new', async () => {
    const { app, port, inHandler, finish } = await setUp();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect(await read(port, '/', agent)).toMatchObject({ text: 'quick', connection: 'keep-alive' });
    const inFlight = read(port, '/slow', agent);
    await inHandler;
    const draining = new Promise<void>((resolve) => {
      app.events.on('app.phase_entered', ({ phase }) => (phase === 'draining' ? resolve() : undefined));
    });
    const stopped = app.stop();
    await draining.then(() => new Promise((resolve) => setImmediate(resolve)));
    finish();
    expect(await inFlight).toEqual({ status: 200, text: 'slow but sure', connection: 'close' });
    expect(await stopped).toMatchObject({ reason: 'shutdown', survivors: [] });
    await expect(read(port, '/', agent)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    agent.destroy();
  });

  it('closes idle keep-alive connections at once', async () => {
    const { app, port } = await setUp();
    const agent = new Agent({ keepAlive: true });
    await read(port, '/', agent);
    expect((await app.stop()).durationMs).toBeLessThan(3_000);
    agent.destroy();
  });

  it('fails the start when its port is taken, and says so', async () => {
    const { app, port } = await setUp();
    const tree = supervisor('other', { children: [] });
    const http = httpServer('http', {
      port,
      dependsOn: [tree],
      handler: () => (_request, response) => response.end(),
    });
    await expect(application(tree, { resources: [http] }).start()).rejects.toThrow(/EADDRINUSE/);
    await app.stop();
  });

  it('refuses what it cannot serve', () => {
    expect(() => httpServer('http', { port: -1, handler: () => () => undefined })).toThrow(
      /port must be a whole number/,
    );
    expect(() => httpServer('http', {} as never)).toThrow(/handler must be a function/);
  });
});
