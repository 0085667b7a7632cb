/**
 * The WebSocket to which Stately's inspector connects: everyone who does is told what stands, then what happens.
 *
 * Invariants: on loopback alone; a browser's page gets in only from Stately's own origins. What a client sends is never read. One that
 * does not take what it is sent is let go of.
 */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadPeer as loadOptional } from '../draw/peer.ts';
import type { StatelyEvent } from './stately-events.ts';

const LOOPBACK = '127.0.0.1';
/** What a client may owe, bytes; beyond it is closed. */
const OWED_BYTES = 4 * 1_024 * 1_024;
const MOST_CLIENTS = 8;
const OWN_ORIGIN = /^https:\/\/(?:[a-z0-9-]+\.)*stately\.ai$/;

/** What is used of a socket of `ws`. */
interface Socket {
  readonly bufferedAmount: number;
  send(text: string): void;
  terminate(): void;
  on(event: 'close' | 'error' | 'message', listener: () => void): void;
}

interface SocketServer {
  on(event: 'connection', listener: (socket: Socket) => void): void;
  close(): void;
}

type SocketServerClass = new (options: {
  readonly server: object;
  readonly maxPayload: number;
  readonly perMessageDeflate: false;
  readonly verifyClient: (asked: { readonly req: IncomingMessage }) => boolean;
}) => SocketServer;

export interface StatelyServer {
  /** `ws://localhost:8080`. */
  readonly address: string;
  tell(events: readonly StatelyEvent[]): void;
  close(): void;
}

export interface StatelyServerOptions {
  /** `0`: any that is free. */
  readonly port: number;
  /** What whoever comes is told first. */
  readonly standing: () => readonly StatelyEvent[];
  /** A folder of the user's project, where `ws` is sought first. */
  readonly from: string;
}

/** Whether a request comes from Stately's pages, or from no page at all. */
export const isWelcome = (origin: string | undefined): boolean =>
  origin === undefined || OWN_ORIGIN.test(origin);

/** @throws ERR_PEER_MISSING where `ws` is nowhere */
export const serveStately = async (options: StatelyServerOptions): Promise<StatelyServer> => {
  const { port, standing, from } = options;
  const peer = await loadOptional({ peer: 'ws', feature: 'troupe stately', from });
  // Its CommonJS entry, which a project's `require` finds, has all it exports in its default.
  const { WebSocketServer } = (peer['WebSocketServer'] === undefined ? peer['default'] : peer) as {
    readonly WebSocketServer: SocketServerClass;
  };
  const clients = new Set<Socket>();
  const server = createServer((_request, response) => response.writeHead(426).end('a WebSocket is awaited'));
  const sockets = new WebSocketServer({
    server,
    maxPayload: 1_024,
    perMessageDeflate: false,
    verifyClient: ({ req }) => isWelcome(req.headers.origin) && clients.size < MOST_CLIENTS,
  });
  const send = (socket: Socket, events: readonly StatelyEvent[]): void => {
    for (const event of events) socket.send(JSON.stringify(event));
    if (socket.bufferedAmount > OWED_BYTES) socket.terminate();
  };
  sockets.on('connection', (socket) => {
    clients.add(socket);
    socket.on('close', () => clients.delete(socket));
    // Too large a message is an error of `ws`, and ends the connection by itself.
    socket.on('error', () => undefined);
    socket.on('message', () => undefined);
    send(socket, standing());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, LOOPBACK, resolve);
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    address: `ws://localhost:${bound}`,
    tell: (events) => {
      for (const socket of clients) send(socket, events);
    },
    close: () => {
      for (const socket of clients) socket.terminate();
      sockets.close();
      server.close();
      server.closeAllConnections();
    },
  };
};
