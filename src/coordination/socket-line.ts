/**
 * The line of a WebSocket of `ws`.
 *
 * Invariant: a ping that was not answered counts as something that was not taken, so that a client that is gone without a word is found; a
 * socket that holds as much as it may is full until it holds half.
 */
import type { Frame } from './frame-queue.ts';
import type { Ending, Line, LineListener } from './line.ts';
import type { PeerSocket } from './web-socket-peer.ts';

/** Bytes that `ws` may hold before a client counts as full. */
const HIGH_WATER_BYTES = 65_536;

/** RFC 6455, 7.4.1, and the registry of the IANA. */
const CLOSE_CODES = { normal: 1000, failed: 1011, restart: 1012 } as const;

const CLOSED = 3;

export class SocketLine implements Line {
  readonly #socket: PeerSocket;
  readonly #listener: LineListener;
  #isFull = false;
  #awaitsPong = false;
  #taken = 0;

  constructor(socket: PeerSocket, listener: LineListener) {
    this.#socket = socket;
    this.#listener = listener;
    socket.on('pong', () => {
      this.#awaitsPong = false;
      this.#taken += 1;
    });
    socket.on('close', () => listener.over());
    socket.on('error', (error) => listener.over(error));
  }

  get pending(): number {
    return this.#socket.bufferedAmount + (this.#awaitsPong ? 1 : 0);
  }

  get taken(): number {
    return this.#taken;
  }

  write({ body, bytes }: Frame): boolean {
    this.#socket.send(body, { binary: typeof body !== 'string' }, (error) => {
      if (error == null) this.#took(bytes);
    });
    return this.#takes();
  }

  beat(): boolean {
    if (!this.#awaitsPong && this.#socket.readyState < CLOSED) {
      this.#awaitsPong = true;
      this.#socket.ping();
    }
    return this.#takes();
  }

  finish({ hasFailed, retryMs }: Ending): void {
    if (hasFailed) this.#socket.close(CLOSE_CODES.failed);
    else if (retryMs === undefined) this.#socket.close(CLOSE_CODES.normal);
    else this.#socket.close(CLOSE_CODES.restart, `retry=${Math.round(retryMs)}`);
  }

  cut(): void {
    if (this.#socket.readyState !== CLOSED) this.#socket.terminate();
  }

  #takes(): boolean {
    this.#isFull ||= this.#socket.bufferedAmount >= HIGH_WATER_BYTES;
    return !this.#isFull;
  }

  #took(bytes: number): void {
    this.#taken += bytes;
    if (!this.#isFull || this.#socket.bufferedAmount >= HIGH_WATER_BYTES / 2) return;
    this.#isFull = false;
    this.#listener.drained();
  }
}
