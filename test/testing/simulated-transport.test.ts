import { expect, test } from 'vitest';
import { isTroupeError } from '../../src/base/errors.ts';
import type { Channel } from '../../src/base/host.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

const listenersInto = (told: string[]) => ({
  data: (chunk: Uint8Array) => told.push(Buffer.from(chunk).toString()),
  closed: () => told.push('closed'),
});

const setUp = async (choices: number[] = []) => {
  const host = new SimulatedHost({ choices });
  const [near, far]: [string[], string[]] = [[], []];
  let accepted: Channel | undefined;
  const listening = await host.transport.listen('a', (channel) => {
    accepted = channel;
    return listenersInto(far);
  });
  const channel = await host.runUntil(host.transport.connect('a', listenersInto(near)));
  return { host, near, far, channel, accepted: accepted as unknown as Channel, listening };
};

test('bytes go both ways in order, as they were when written', async () => {
  const { host, near, far, channel, accepted } = await setUp([1, 1, 1, 1]);
  const bytes = Buffer.from('1');
  channel.write(bytes);
  bytes[0] = 0x39;
  channel.write(Buffer.from('2'));
  accepted.write(Buffer.from('a'));
  accepted.write(Buffer.from('b'));
  await host.settle();
  expect([far, near]).toEqual([
    ['1', '2'],
    ['a', 'b'],
  ]);
});

test('closing delivers what was written before, then tells each side once', async () => {
  const { host, near, far, channel, accepted } = await setUp();
  channel.write(Buffer.from('last'));
  channel.close();
  channel.close();
  expect(channel.write(Buffer.from('too late'))).toBe(false);
  await host.settle();
  accepted.close();
  await host.settle();
  expect([far, near]).toEqual([['last', 'closed'], ['closed']]);
});

test('a listener that closes takes its channels with it and frees the address', async () => {
  const { host, near, far, listening } = await setUp();
  await listening.close();
  await host.settle();
  expect([far, near]).toEqual([['closed'], ['closed']]);
  await host.transport.listen('a', () => listenersInto([]));
});

test('an address that nobody listens at, or that is taken, is refused', async () => {
  const { host } = await setUp();
  const isRefusal = (error: unknown) => isTroupeError(error, 'ERR_HOST_TRANSPORT');
  await expect(host.runUntil(host.transport.connect('b', listenersInto([])))).rejects.toSatisfy(isRefusal);
  await expect(host.transport.listen('a', () => listenersInto([]))).rejects.toSatisfy(isRefusal);
});
