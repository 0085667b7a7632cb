/**
 * The package `ws`, an optional peer: loaded when the first WebSocket is opened, and described here as far as it is used.
 */
import { createError } from '../base/errors.ts';

/** A WebSocket of `ws`. */
export interface PeerSocket {
  readonly bufferedAmount: number;
  readonly readyState: number;
  send(
    data: string | Uint8Array,
    options: { readonly binary: boolean },
    taken: (error?: Error) => void,
  ): void;
  ping(): void;
  pause(): void;
  resume(): void;
  close(code: number, reason?: string): void;
  terminate(): void;
  on(event: 'message', listener: (data: Uint8Array, isBinary: boolean) => void): unknown;
  on(event: 'pong' | 'close', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

export interface PeerServer {
  handleUpgrade(
    request: unknown,
    socket: unknown,
    head: Uint8Array,
    upgraded: (socket: PeerSocket) => void,
  ): void;
}

export interface Peer {
  readonly WebSocketServer: new (options: {
    readonly noServer: true;
    readonly clientTracking: false;
    readonly perMessageDeflate: false;
    readonly maxPayload: number;
  }) => PeerServer;
}

const PACKAGE = 'ws';

/** @throws ERR_CONNECTION_PEER */
export const loadPeer = async (
  where: string,
  load: (name: string) => Promise<unknown> = (name) => import(name),
): Promise<Peer> => {
  try {
    return (await load(PACKAGE)) as Peer;
  } catch (cause) {
    throw createError('ERR_CONNECTION_PEER', { where, package: PACKAGE }, { cause });
  }
};
