/** WebSockets between `ws` and `ws`, over real sockets: the rules are the connection's, what is tested here is that they hold on this line. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { ConnectionRegistry, type ConnectionsOptions } from '../../src/coordination/connections.ts';
import type { WebSocketConnection, WebSocketOptions } from '../../src/coordination/web-socket.ts';

/** As far as it is used here: the package brings no types. */
interface Client {
  readonly readyState: number;
  send(data: string | Uint8Array): void;
  close(): void;
  terminate(): void;
  pause(): void;
  resume(): void;
  on(event: string, listener: (...args: never[]) => void): void;
  once(event: string, listener: (...args: never[]) => void): void;
}

const { WebSocket } = createRequire(import.meta.url)('ws') as {
  readonly WebSocket: new (url: string, options?: object) => Client;
};

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const serve = async (
  options: Omit<WebSocketOptions, 'host' | 'events'> = {},
  limits: ConnectionsOptions = {},
  load?: () => Promise<unknown>,
) => {
  const registry = new ConnectionRegistry({ retryMs: 500, ...limits }, load);
  const opened: WebSocketConnection[] = [];
  const failures: unknown[] = [];
  const waiting: ((connection: WebSocketConnection) => void)[] = [];
  const server = createServer();
  server.on('upgrade', (request, socket, head) => {
    registry.webSocket(request, socket, head, options).then(
      (connection) => {
        if (connection === undefined) return;
        opened.push(connection);
        for (const resolve of waiting.splice(0)) resolve(connection);
      },
      (error: unknown) => failures.push(error),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  ends.push(() => {
    for (const connection of opened) void connection.cut();
    return new Promise((resolve) => server.close(resolve));
  });
  const join = async (clientOptions: object = {}) => {
    const client = new WebSocket(`ws://127.0.0.1:${port}`, clientOptions);
    ends.push(() => client.terminate());
    const messages: string[] = [];
    client.on('message', (data: Uint8Array, isBinary: boolean) =>
      messages.push(isBinary ? `bytes ${data.length}` : Buffer.from(data).toString()),
    );
    client.on('error', () => undefined);
    const connected = new Promise<WebSocketConnection>((resolve) => waiting.push(resolve));
    const isOpen = new Promise<void>((resolve) => client.once('open', resolve));
    const connection = await connected;
    await isOpen;
    return { client, connection, messages };
  };
  /** The answer to a client that is not let in. */
  const refused = (clientOptions: object = {}): Promise<number> =>
    new Promise((resolve) => {
      const client = new WebSocket(`ws://127.0.0.1:${port}`, clientOptions);
      client.on('error', () => undefined);
      client.on('unexpected-response', (_request: unknown, response: { statusCode: number }) => {
        resolve(response.statusCode);
        client.terminate();
      });
    });
  return { registry, port, opened, failures, join, refused };
};

const until = async (is: () => boolean): Promise<void> => {
  const before = performance.now();
  while (!is()) {
    if (performance.now() - before > 10_000) throw new Error(`waited in vain: ${is}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
};

describe('a WebSocket', () => {
  it('carries text, bytes and JSON in order, both ways', async () => {
    const heard: unknown[] = [];
    const { join } = await serve({ onMessage: (message) => void heard.push(message) });
    const { client, connection, messages } = await join();
    connection.send('text');
    connection.send(new Uint8Array(3));
    connection.send({ a: 1 });
    client.send('up');
    client.send(Buffer.from([1, 2]));
    await until(() => messages.length === 3 && heard.length === 2);
    expect(messages).toEqual(['text', 'bytes 3', '{"a":1}']);
    expect(heard).toEqual(['up', Buffer.from([1, 2])]);
    expect(() => connection.send(undefined)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }));
  });

  it('whose client reads nothing costs its bounds, and the newest of what was sent arrives when it reads again', async () => {
    const { join } = await serve({ capacity: 8, maxBytes: 1_000_000 });
    const { client, connection, messages } = await join();
    client.pause();
    const piece = 'x'.repeat(32_768);
    let sent = 0;
    while (connection.report().dropped === 0) {
      connection.send(`${sent} ${piece}`);
      sent += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { pendingBytes, waiting, waitingBytes } = connection.report();
    expect(pendingBytes).toBeLessThan(65_536 + 40_000);
    expect(waiting).toBe(8);
    expect(waitingBytes).toBeLessThanOrEqual(1_000_000);
    client.resume();
    await until(() => messages.at(-1)?.startsWith(`${sent - 1} `) === true);
    const { offered, sent: given, dropped } = connection.report();
    expect(given + dropped).toBe(offered);
    expect(messages).toHaveLength(given);
  });

  it('whose client is gone without a word is found by a ping that nobody answers', async () => {
    const { join } = await serve({ heartbeatMs: 30, stallMs: 60 });
    const { connection } = await join();
    const { connection: silent } = await join({ autoPong: false });
    expect(await silent.closed).toMatchObject({ why: 'stalled' });
    expect(connection.isOpen).toBe(true);
  });

  it('hands on one message at a time, reads no more meanwhile, and ends where the handler fails', async () => {
    let running = 0;
    let most = 0;
    const heard: string[] = [];
    const { join } = await serve({
      onMessage: async (message) => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        heard.push(String(message));
        if (message === 'bad') throw new Error('cannot take it');
      },
    });
    const { client, connection } = await join();
    for (let each = 0; each < 50; each++) client.send(`${each}`);
    client.send('bad');
    client.send('after');
    const closed = new Promise((resolve) => client.once('close', (code: number) => resolve(code)));
    expect(await connection.closed).toMatchObject({ why: 'failed' });
    expect(await closed).toBe(1011);
    expect(most).toBe(1);
    expect(heard).toEqual([...Array.from({ length: 50 }, (_, each) => `${each}`), 'bad']);
  });

  it('ends with a client that sends more than it may', async () => {
    const heard: unknown[] = [];
    const { join } = await serve({
      maxPayloadBytes: 1_000,
      onMessage: (message) => void heard.push(message),
    });
    const { client, connection } = await join();
    client.send('x'.repeat(1_001));
    const end = await connection.closed;
    expect(end.why).toBe('failed');
    expect(heard).toEqual([]);
  });

  it('gives a source what the client can take, and lets go of it when the client leaves', async () => {
    let returned = 0;
    const source = async function* () {
      try {
        for (let each = 0; ; each++) {
          yield `${each} ${'x'.repeat(4_096)}`;
          await new Promise((resolve) => setImmediate(resolve));
        }
      } finally {
        returned += 1;
      }
    };
    const { join } = await serve();
    const { client, connection, messages } = await join();
    const closed = connection.sendAll(source());
    await until(() => messages.length > 20);
    expect(connection.report().waiting).toBe(0);
    client.terminate();
    expect(await closed).toMatchObject({ why: 'client_gone', cleanUp: 'done' });
    expect(returned).toBe(1);
  });
});

describe('the end', () => {
  it('of the service is told with 1012 and when to come back', async () => {
    const { registry, join } = await serve();
    const clients = await Promise.all([join(), join()].map((each) => each));
    const closes = clients.map(
      ({ client }) =>
        new Promise((resolve) =>
          client.once('close', (code: number, reason: Uint8Array) =>
            resolve(`${code} ${Buffer.from(reason)}`),
          ),
        ),
    );
    expect(await registry.drain({ timeoutMs: 5_000 })).toMatchObject({ finished: 2, cut: [], overdue: [] });
    for (const close of await Promise.all(closes)) expect(close).toMatch(/^1012 retry=\d+$/);
  });

  it('is in time also where a client answers nothing', async () => {
    const { registry, port } = await serve({}, { drainMs: 100 });
    const socket = connect(port, '127.0.0.1');
    ends.push(() => socket.destroy());
    socket.write(
      'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    );
    await once(socket, 'data');
    socket.pause();
    const { durationMs, cut } = await registry.drain();
    expect(cut).toHaveLength(1);
    expect(durationMs).toBeLessThan(3_000);
  });
});

describe('who is let in', () => {
  it.each([
    ['same', undefined, 'yes'],
    ['same', 'http://127.0.0.1:PORT', 'yes'],
    ['same', 'https://127.0.0.1:PORT', 'yes'],
    ['same', 'http://evil.test', 403],
    ['same', 'null', 403],
    ['same', 'http://127.0.0.1:PORT.evil.test', 403],
    ['any', 'http://evil.test', 'yes'],
    [['https://shop.example'], 'https://shop.example', 'yes'],
    [['https://shop.example'], 'https://shop.example.evil.test', 403],
  ] as const)('origins %j, from %s: %s', async (origins, origin, answer) => {
    const { port, join, refused } = await serve({ origins });
    const from = origin === undefined ? {} : { origin: origin.replace('PORT', `${port}`) };
    if (answer === 'yes') expect((await join(from)).connection.isOpen).toBe(true);
    else expect(await refused(from)).toBe(answer);
  });

  it('is nobody while the service drains, or is full', async () => {
    const { registry, join, refused } = await serve({}, { maxConnections: 1 });
    await join();
    expect(await refused()).toBe(503);
    void registry.drain();
    expect(await refused()).toBe(503);
  });

  it('is not who shakes hands wrongly, and one who leaves in the middle leaves nothing', async () => {
    const { registry, port, failures } = await serve();
    const socket = connect(port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1.1 400/);
    const hasty = connect(port, '127.0.0.1');
    hasty.write('GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
    hasty.resetAndDestroy();
    await once(hasty, 'close');
    expect({ size: registry.size, failures }).toEqual({ size: 0, failures: [] });
  });

  it('is nobody without the package ws, and the error says what to install', async () => {
    const { refused, failures } = await serve({}, {}, () => Promise.reject(new Error('Cannot find package')));
    expect(await refused()).toBe(501);
    expect(failures).toEqual([
      expect.objectContaining({
        code: 'ERR_CONNECTION_PEER',
        message: expect.stringContaining('npm install ws') as string,
      }),
    ]);
  });
});
