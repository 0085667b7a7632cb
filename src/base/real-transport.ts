/**
 * Part of the real host: channels to other runtimes, over node:net. Addresses are `tcp://127.0.0.1:port` (port 0: any
 * free one) and `unix:/path`.
 *
 * Invariant: `closed` is told exactly once on each side, and nothing after it. It frames, encrypts and authenticates
 * nothing: whoever stands on it does.
 */
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from 'node:net';
import { createError } from './errors.ts';
import type { Channel, ChannelListeners, Listening, Timer, Transport } from './host.ts';

/** How long a closed channel may still flush to a peer that does not read, ms. */
const FLUSH_MS = 1_000;

type StartTimer = (delayMs: number, label: string, run: () => void) => Timer;
type Place = { readonly path: string } | { readonly host: string; readonly port: number };

const refused = (address: string, why: string, cause?: unknown) =>
  createError('ERR_HOST_TRANSPORT', { address, why }, { cause });

const parse = (address: string): Place => {
  const path = /^unix:(.+)$/.exec(address)?.[1];
  if (path !== undefined) return { path };
  const tcp = /^tcp:\/\/(?:\[([^\]]+)\]|([^:/]+)):(\d{1,5})$/.exec(address);
  const host = tcp?.[1] ?? tcp?.[2];
  const port = Number(tcp?.[3]);
  if (host === undefined || port > 65_535)
    throw refused(address, 'an address is tcp://host:port or unix:/path');
  return { host, port };
};

const show = ({ address, family, port }: AddressInfo): string =>
  family === 'IPv6' ? `tcp://[${address}]:${port}` : `tcp://${address}:${port}`;

/** A socket as a channel. Its listeners may come a moment after it, in the same turn. */
class SocketChannel implements Channel {
  listeners: ChannelListeners | undefined;
  readonly #socket: Socket;
  readonly #startTimer: StartTimer;
  #error: Error | undefined;
  #flush: Timer | undefined;

  constructor(socket: Socket, startTimer: StartTimer) {
    this.#socket = socket;
    this.#startTimer = startTimer;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Uint8Array) => this.listeners?.data(chunk));
    socket.on('drain', () => this.listeners?.drained?.());
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('close', () => {
      this.#flush?.cancel();
      this.listeners?.closed(this.#error);
    });
  }

  write(bytes: Uint8Array): boolean {
    return this.#socket.writable && this.#socket.write(bytes);
  }

  close(): void {
    if (this.#socket.destroyed || this.#flush !== undefined) return;
    this.#flush = this.#startTimer(FLUSH_MS, 'transport.flush', () => this.#socket.destroy());
    this.#socket.end(() => this.#socket.destroy());
  }
}

const listen = (
  address: string,
  accept: (channel: Channel) => ChannelListeners,
  startTimer: StartTimer,
): Promise<Listening> =>
  new Promise((resolve, reject) => {
    const place = parse(address);
    const channels = new Set<SocketChannel>();
    const server = createServer((socket) => {
      const channel = new SocketChannel(socket, startTimer);
      channels.add(channel);
      socket.on('close', () => channels.delete(channel));
      channel.listeners = accept(channel);
    });
    server.once('error', (error) => reject(refused(address, error.message, error)));
    server.listen(place, () => {
      // Once it listens, an error concerns one connection that could not be taken (no descriptors left).
      server.on('error', () => {});
      const bound = server.address();
      resolve({
        address: bound === null || typeof bound === 'string' ? address : show(bound),
        close: () => close(server, channels),
      });
    });
  });

const close = (server: Server, channels: ReadonlySet<SocketChannel>): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    for (const channel of channels) channel.close();
  });

const connect = (address: string, listeners: ChannelListeners, startTimer: StartTimer): Promise<Channel> =>
  new Promise((resolve, reject) => {
    const socket = createConnection(parse(address));
    const refuse = (error: Error) => reject(refused(address, error.message, error));
    socket.once('error', refuse);
    socket.once('connect', () => {
      socket.off('error', refuse);
      const channel = new SocketChannel(socket, startTimer);
      channel.listeners = listeners;
      resolve(channel);
    });
  });

export const createRealTransport = (startTimer: StartTimer): Transport => ({
  listen: (address, accept) => listen(address, accept, startTimer),
  connect: (address, listeners) => connect(address, listeners, startTimer),
});
