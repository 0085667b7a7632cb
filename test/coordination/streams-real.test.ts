/** Streams over real sockets: what a stalled client costs is only to be seen where the kernel buffers too. */
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, it } from 'vitest';
import { createConnections } from '../../src/coordination/connections.ts';
import { createFeed } from '../../src/coordination/feed.ts';
import type { SseStream } from '../../src/coordination/sse.ts';

/** `.ci/run` asks for the whole crowd. */
const CROWD = Number(process.env['TROUPE_CLIENTS'] ?? 200);
const STALLED = CROWD / 10;
const KIB = 1_024;
/** What every event begins with. */
const MARK = 'data: ';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

const listen = async (server: Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
};

interface Client {
  readonly socket: Socket;
  events: number;
  last: string;
}

/** Resolves when it has been answered; a client that does not read stops right there. */
const join = (port: number, reads: boolean): Promise<Client> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const client: Client = { socket, events: 0, last: '' };
    ends.push(() => socket.destroy());
    socket.setEncoding('utf8');
    socket.on('error', reject);
    let tail = '';
    socket.once('data', () => {
      if (reads)
        socket.on('data', (text) => {
          // A chunk may end in the middle of a mark.
          const parts = (tail + text).split(MARK);
          client.events += parts.length - 1;
          tail = (parts.at(-1) as string).slice(1 - MARK.length);
          client.last = String(text);
        });
      else socket.pause();
      resolve(client);
    });
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  });

/** What is held, without what nobody holds. */
const heapAfterCollection = (): number => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  return process.memoryUsage().heapUsed;
};

const until = async (is: () => boolean, what: string): Promise<void> => {
  const before = performance.now();
  while (!is()) {
    if (performance.now() - before > 15_000) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
};

it(`of ${CROWD} clients a tenth stall: the others have everything, and the stalled cost no more than their bounds`, async () => {
  const connections = createConnections({
    capacity: 64,
    maxBytes: 64 * KIB,
    maxConnections: CROWD,
    drainMs: 200,
  });
  const feed = createFeed({ capacity: 100 });
  const streams = new Map<number, SseStream>();
  const server = createServer((request, response) => {
    const stream = connections.sse(request, response, { feed });
    if (stream !== undefined) streams.set(request.socket.remotePort ?? 0, stream);
  });
  const port = await listen(server);
  const clients: Client[] = [];
  while (clients.length < CROWD)
    clients.push(
      ...(await Promise.all(
        Array.from({ length: 50 }, (_, at) => join(port, clients.length + at >= STALLED)),
      )),
    );
  const readers = clients.slice(STALLED);
  const stalled = clients
    .slice(0, STALLED)
    .map(({ socket }) => streams.get(socket.localPort ?? 0) as SseStream);
  // What the kernel takes for a client that does not read is taken; then nothing is.
  const piece = 'x'.repeat(32 * KIB);
  for (const stream of stalled) {
    do {
      stream.send({ data: piece });
      await new Promise((resolve) => setImmediate(resolve));
    } while (stream.report().waiting === 0);
  }
  const heapBefore = heapAfterCollection();
  const rounds = 200;
  for (let round = 0; round < rounds; round++) {
    feed.publish({ data: { round } });
    if (round % 50 === 49)
      await until(
        () => readers.every(({ events }) => events === round + 1),
        `all to have ${round + 1} events`,
      );
  }
  expect(heapAfterCollection() - heapBefore).toBeLessThan(16 * KIB * KIB);
  for (const stream of streams.values()) {
    const { waitingBytes, pendingBytes, offered, sent, dropped, waiting } = stream.report();
    expect(waitingBytes).toBeLessThanOrEqual(64 * KIB);
    // At most one frame beyond what Node takes before it says no.
    expect(pendingBytes).toBeLessThan(64 * KIB + 33 * KIB);
    expect(sent + dropped + waiting).toBe(offered);
    expect(dropped > 0).toBe(stalled.includes(stream));
  }
  for (const { last } of readers) expect(last).toContain(`data: {"round":${rounds - 1}}`);
  const drained = await connections.drain({ timeoutMs: 2_000 });
  expect(drained).toMatchObject({ finished: CROWD - STALLED, overdue: [] });
  expect(drained.cut).toHaveLength(STALLED);
  await until(() => readers.every(({ last }) => /retry: \d+\n\n/.test(last)), 'the hint when to come back');
}, 60_000);

it('a client that leaves is seen at once, and 1,000 that came and went leave nothing', async () => {
  const connections = createConnections();
  let cleaned = 0;
  const server = createServer((request, response) => {
    connections.sse(request, response, {
      onClose: ({ why }) => {
        if (why === 'client_gone') cleaned += 1;
      },
    });
  });
  const port = await listen(server);
  for (let round = 0; round < 20; round++) {
    const clients = await Promise.all(Array.from({ length: 50 }, () => join(port, true)));
    for (const { socket } of clients) socket.destroy();
    await until(() => connections.size === 0, 'all to be gone');
  }
  expect(cleaned).toBe(1_000);
});

it('40,000 events to a client that reads leave no more than the feed keeps', async () => {
  const connections = createConnections({ capacity: 5_000 });
  const feed = createFeed({ capacity: 100 });
  const server = createServer((request, response) => connections.sse(request, response, { feed }));
  const client = await join(await listen(server), true);
  const publish = async (from: number, to: number): Promise<void> => {
    for (let each = from; each < to; each++) {
      feed.publish({ data: `${each} ${'x'.repeat(100)}` });
      if (each % 1_000 === 999) await until(() => client.events === each + 1, `event ${each}`);
    }
  };
  await publish(0, 2_000);
  const before = heapAfterCollection();
  await publish(2_000, 40_000);
  expect(heapAfterCollection() - before).toBeLessThan(2 * KIB * KIB);
  expect(connections.report().connections[0]).toMatchObject({ offered: 40_000, sent: 40_000, dropped: 0 });
});
