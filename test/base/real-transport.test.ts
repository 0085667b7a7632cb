import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isTroupeError } from '../../src/base/errors.ts';
import type { Channel, ChannelListeners } from '../../src/base/host.ts';
import { createRealHost } from '../../src/base/real-host.ts';

const { transport } = createRealHost();
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-transport-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Listeners that keep what they are told and can be awaited. */
const keep = () => {
  const told: string[] = [];
  let check = () => {};
  const note = (what: string) => {
    told.push(what);
    check();
  };
  const listeners: ChannelListeners = {
    data: (chunk) => note(Buffer.from(chunk).toString()),
    closed: (error) => note(error === undefined ? '|closed' : '|failed'),
  };
  const until = (text: string) =>
    new Promise<void>((resolve) => {
      check = () => {
        if (told.join('').includes(text)) resolve();
      };
      check();
    });
  return { told, listeners, until };
};

describe.each(['tcp', 'unix'])('over %s', (kind) => {
  const address = (name: string) => (kind === 'tcp' ? 'tcp://127.0.0.1:0' : `unix:${join(folder, name)}`);

  test('bytes go both ways, and a close flushes what was written, then is told once on each side', async () => {
    const [near, far] = [keep(), keep()];
    let accepted: Channel | undefined;
    const listening = await transport.listen(address('a'), (channel) => {
      accepted = channel;
      return far.listeners;
    });
    const channel = await transport.connect(listening.address, near.listeners);
    channel.write(Buffer.from('hello'));
    await far.until('hello');
    accepted?.write(Buffer.from('welcome'));
    await near.until('welcome');
    channel.write(Buffer.from('bye'));
    channel.close();
    channel.close();
    await Promise.all([far.until('|closed'), near.until('|closed')]);
    expect(channel.write(Buffer.from('x'))).toBe(false);
    await listening.close();
    expect([far.told.join(''), near.told.join('')]).toEqual(['hellobye|closed', 'welcome|closed']);
  });

  test('closing the listener closes its channels and frees the address', async () => {
    const near = keep();
    const listening = await transport.listen(address('b'), () => keep().listeners);
    await transport.connect(listening.address, near.listeners);
    await Promise.all([listening.close(), near.until('|closed')]);
    await expect(transport.connect(listening.address, near.listeners)).rejects.toSatisfy((error) =>
      isTroupeError(error, 'ERR_HOST_TRANSPORT'),
    );
    await (await transport.listen(listening.address, () => near.listeners)).close();
  });

  test('an address that is taken is refused', async () => {
    const listening = await transport.listen(address('c'), () => keep().listeners);
    await expect(transport.listen(listening.address, () => keep().listeners)).rejects.toSatisfy((error) =>
      isTroupeError(error, 'ERR_HOST_TRANSPORT'),
    );
    await listening.close();
  });
});

test('a peer that breaks the connection off is told as closed, with its error', async () => {
  const near = keep();
  const server = createServer((socket) => {
    socket.once('data', () => socket.resetAndDestroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as { port: number };
  const channel = await transport.connect(`tcp://127.0.0.1:${port}`, near.listeners);
  channel.write(Buffer.from('x'));
  await near.until('|');
  expect(near.told).toEqual(['|failed']);
  server.close();
});

test.each(['', 'localhost:80', 'tcp://host', 'tcp://:80', 'tcp://host:99999', 'unix:', 'http://a:1'])(
  'the address %j is refused',
  async (address) => {
    await expect(transport.connect(address, keep().listeners)).rejects.toThrow(/an address is/);
    await expect(transport.listen(address, () => keep().listeners)).rejects.toThrow(/an address is/);
  },
);
