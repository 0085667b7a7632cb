/** The service's catalogue and the launcher's listener: each notices what the other must not let happen. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createCatalogue } from '../../examples/service-under-fire/catalogue.mjs';
import { startListener } from '../../examples/service-under-fire/listener.mjs';
import { createBus } from '../../src/coordination/bus.ts';
import { createLocks } from '../../src/coordination/locks.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

describe('the catalogue', () => {
  const set = (locks: unknown) => {
    const bus = createBus();
    const told: number[] = [];
    bus.subscribe('document.counted', (entry) => void told.push((entry as { version: number }).version));
    const catalogue = createCatalogue({ locks, bus } as never);
    const { signal } = new AbortController();
    const note = (text: string): Promise<{ readonly version: number }> =>
      catalogue.note(text, { words: 1 }, { signal });
    return { bus, told, note };
  };

  it('has one writer a document: versions rise by one, and are told in order', async () => {
    const { bus, told, note } = set(createLocks());
    const entries = await Promise.all(Array.from({ length: 20 }, () => note('same')));
    expect(entries.map(({ version }) => version).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
    await bus.idle({ timeoutMs: 5_000 });
    expect(told).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  });

  it('planted: without locks it loses writes', async () => {
    const { note } = set({ use: (_key: string, write: () => unknown) => write() });
    const entries = await Promise.all(Array.from({ length: 20 }, () => note('same')));
    expect(new Set(entries.map(({ version }) => version)).size).toBeLessThan(20);
  });
});

describe('the listener', () => {
  const serve = async (answer: (response: ServerResponse, lastEventId: string | undefined) => void) => {
    const server = createServer((request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      answer(response, request.headers['last-event-id'] as string | undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const listener = startListener({ address: { host: '127.0.0.1', port } });
    closers.push(async () => {
      await listener.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return listener;
  };
  const event = (id: string, version: number): string =>
    `id: ${version}\nevent: document\ndata: ${JSON.stringify({ id, version })}\n\n`;

  it('counts what it hears, and comes back with the last id when it is cut off', async () => {
    const ids: (string | undefined)[] = [];
    const listener = await serve((response, lastEventId) => {
      ids.push(lastEventId);
      response.end(event('a', ids.length));
    });
    await expect.poll(() => listener.heard.documents, { timeout: 10_000 }).toBeGreaterThanOrEqual(2);
    expect(ids.slice(0, 2)).toEqual([undefined, '1']);
    expect(listener.violations).toEqual([]);
  });

  it.each([
    ['repeats', [1, 1]],
    ['goes back', [1, 2, 1]],
    ['leaves one out', [1, 3]],
  ])('notices a version that %s', async (_how, versions) => {
    const listener = await serve((response) =>
      response.write(versions.map((version) => event('a', version)).join('')),
    );
    await expect.poll(() => listener.violations.length, { timeout: 10_000 }).toBe(1);
  });

  it('takes a gap that it is told of for what it is', async () => {
    const gap = 'event: gap\ndata: {"missed":7}\n\n';
    const listener = await serve((response) => response.write(event('a', 1) + gap + event('a', 9)));
    await expect.poll(() => listener.heard.documents, { timeout: 10_000 }).toBe(2);
    expect([listener.heard.missed, listener.violations]).toEqual([7, []]);
  });
});
