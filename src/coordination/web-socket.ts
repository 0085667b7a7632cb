/**
 * WebSockets under the same rules as every connection: bounded, watched, ended in order, cleaned up once. The protocol is the work of `ws`.
 *
 * Invariant: a connection's (`connection.ts`); and what a client sends is handled one message at a time, and not read from the socket while
 * one is being handled. Who comes from a page of another site is not let in unless that is asked for.
 */
import { fits, fn, integer, resolveOptions } from '../base/options.ts';
import type { ClientConnection, Connection, ConnectionClosed } from './connection.ts';
import { CONNECTION_DEFAULTS, CONNECTION_FIELDS, type ConnectionOptions } from './connection-options.ts';
import { type ClientMessage, Inbox } from './inbox.ts';
import { messageFrame } from './message-frame.ts';
import type { Sent } from './outgoing.ts';
import { SocketLine } from './socket-line.ts';
import { SourceConnection } from './source-connection.ts';
import { loadPeer, type Peer, type PeerSocket } from './web-socket-peer.ts';

/** What is needed of the request to upgrade: node:http's has it. */
export interface UpgradeRequest {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** What is needed of its socket. */
export interface UpgradeSocket {
  readonly destroyed: boolean;
  write(text: string): unknown;
  end(text?: string): unknown;
  destroy(): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'close', listener: () => void): unknown;
}

export interface WebSocketOptions extends ConnectionOptions {
  /**
   * Handles what the client sends, one message at a time; meanwhile nothing more is read. Where it throws or rejects the connection ends.
   * Without it what comes is thrown away.
   */
  readonly onMessage?: (message: ClientMessage, context: { readonly signal: AbortSignal }) => unknown;
  /** The largest message that a client may send, bytes. Default 65,536. */
  readonly maxPayloadBytes?: number;
  /**
   * Pages of which sites may connect: `same` as the host that was asked, `any`, or a list (`https://shop.example`). A client that is no browser says
   * nothing of where it comes from, and is let in. Default `'same'`.
   */
  readonly origins?: 'same' | 'any' | readonly string[];
}

/** A WebSocket to a client. */
export interface WebSocketConnection extends Connection {
  /**
   * Text and bytes go as they are, everything else as JSON. Of two that wait with the same `key` only the newer is sent, where the policy is
   * `coalesce`. @throws ERR_OPTION_INVALID for what JSON cannot say
   */
  send(message: unknown, options?: { readonly key?: string }): Sent;
  /** As {@link SseStream.sendAll}; where the source fails, the client is told by the close code 1011. */
  sendAll(source: AsyncIterable<unknown> | Iterable<unknown>): Promise<ConnectionClosed>;
}

export const WEB_SOCKET_DEFAULTS = Object.freeze({ maxPayloadBytes: 65_536, origins: 'same' as const });

const FIELDS = {
  ...CONNECTION_FIELDS,
  onMessage: fn<NonNullable<WebSocketOptions['onMessage']>>(),
  maxPayloadBytes: integer(1),
  origins: fits<NonNullable<WebSocketOptions['origins']>>(
    "'same', 'any', or a list of origins",
    (value) =>
      value === 'same' ||
      value === 'any' ||
      (Array.isArray(value) && value.every((each) => typeof each === 'string')),
  ),
} as const;

class SocketConnection extends SourceConnection<unknown> implements WebSocketConnection {
  send(message: unknown, options: { readonly key?: string } = {}): Sent {
    return this.offer(messageFrame(this.where, message, options.key));
  }
}

const resolve = ({ where, options }: WebSocketGround) =>
  resolveOptions(where, options, FIELDS, { ...CONNECTION_DEFAULTS, ...WEB_SOCKET_DEFAULTS });
type Resolved = ReturnType<typeof resolve>;

const text = new TextDecoder();
const decode = (data: Uint8Array): string => text.decode(data);

export interface WebSocketGround {
  readonly where: string;
  readonly options: WebSocketOptions;
  /** Asked when it comes, and again when `ws` is there. */
  readonly refusal: () => { readonly retryMs: number } | undefined;
  readonly opened: (connection: ClientConnection) => void;
  readonly load?: (name: string) => Promise<unknown>;
}

const headerOf = ({ headers }: UpgradeRequest, name: string): string | undefined => {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
};

const isWelcome = (request: UpgradeRequest, origins: NonNullable<WebSocketOptions['origins']>): boolean => {
  const origin = headerOf(request, 'origin');
  if (origin === undefined || origins === 'any') return true;
  if (origins !== 'same') return origins.includes(origin);
  const host = headerOf(request, 'host');
  return host !== undefined && /^https?:\/\/(.*)$/i.exec(origin)?.[1]?.toLowerCase() === host.toLowerCase();
};

const refuse = (
  socket: UpgradeSocket,
  { status, retryMs }: { readonly status: string; readonly retryMs?: number },
): undefined => {
  const retry = retryMs === undefined ? '' : `Retry-After: ${Math.ceil(retryMs / 1_000)}\r\n`;
  if (!socket.destroyed)
    socket.end(`HTTP/1.1 ${status}\r\n${retry}Content-Length: 0\r\nConnection: close\r\n\r\n`);
  return undefined;
};

/** The handshake: `undefined` where `ws` answered that it is none, or the client left meanwhile. */
const upgrade = (
  { WebSocketServer }: Peer,
  { request, socket, head }: Upgrade,
  maxPayload: number,
): Promise<PeerSocket | undefined> =>
  new Promise((resolve) => {
    socket.on('close', () => resolve(undefined));
    const server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload,
    });
    server.handleUpgrade(request, socket, head, resolve);
  });

export interface Upgrade {
  readonly request: UpgradeRequest;
  readonly socket: UpgradeSocket;
  readonly head: Uint8Array;
}

/** @throws ERR_CONNECTION_PEER, ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const openWebSocket = async (
  asked: Upgrade,
  ground: WebSocketGround,
): Promise<WebSocketConnection | undefined> => {
  const { request, socket } = asked;
  // Until `ws` has it nobody else hears of a client that is reset.
  socket.on('error', () => undefined);
  const { maxPayloadBytes, origins, ...options } = resolve(ground);
  if (!isWelcome(request, origins)) return refuse(socket, { status: '403 Forbidden' });
  const refused = ground.refusal();
  if (refused !== undefined) return refuse(socket, { status: '503 Service Unavailable', ...refused });
  let peer: Peer;
  try {
    peer = await loadPeer(ground.where, ground.load);
  } catch (error) {
    refuse(socket, { status: '501 Not Implemented' });
    throw error;
  }
  if (socket.destroyed) return undefined;
  const late = ground.refusal();
  if (late !== undefined) return refuse(socket, { status: '503 Service Unavailable', ...late });
  const opened = await upgrade(peer, asked, maxPayloadBytes);
  return opened === undefined ? undefined : connect(opened, options, ground);
};

const connect = (
  socket: PeerSocket,
  { onMessage, ...options }: Omit<Resolved, 'maxPayloadBytes' | 'origins'>,
  ground: WebSocketGround,
): WebSocketConnection => {
  const connection = new SocketConnection({
    kind: 'websocket',
    where: ground.where,
    options,
    line: (listener) => new SocketLine(socket, listener),
  });
  const inbox = new Inbox(
    socket,
    (message) => onMessage?.(message, connection),
    (error) => void connection.endInOrder('failed', error),
  );
  socket.on('message', (data, isBinary) => {
    if (connection.isOpen && onMessage !== undefined) inbox.take(isBinary ? data : decode(data));
  });
  ground.opened(connection);
  connection.begin();
  return connection;
};
