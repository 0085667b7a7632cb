/**
 * What a client sends, handed on one message at a time.
 *
 * Invariant: while one is being handled nothing more is read from the socket, so that no client can fill our memory; after one that failed
 * none is handled.
 */
import { promiseOf } from '../resilience/call.ts';
import type { PeerSocket } from './web-socket-peer.ts';

/** One message of a client: text, or bytes. */
export type ClientMessage = string | Uint8Array;

export class Inbox {
  readonly #socket: PeerSocket;
  readonly #handle: (message: ClientMessage) => unknown;
  readonly #failed: (error: unknown) => void;
  /** What had been read when reading was stopped: no more than one piece of the socket's. */
  readonly #waiting: ClientMessage[] = [];
  #isBusy = false;

  constructor(
    socket: PeerSocket,
    handle: (message: ClientMessage) => unknown,
    failed: (error: unknown) => void,
  ) {
    this.#socket = socket;
    this.#handle = handle;
    this.#failed = failed;
  }

  take(message: ClientMessage): void {
    this.#waiting.push(message);
    this.#next();
  }

  #next(): void {
    while (!this.#isBusy) {
      const message = this.#waiting.shift();
      if (message === undefined) return;
      this.#isBusy = true;
      let pending: Promise<unknown> | undefined;
      try {
        pending = promiseOf(this.#handle(message));
      } catch (error) {
        this.#fail(error);
        return;
      }
      if (pending === undefined) this.#isBusy = false;
      else this.#await(pending);
    }
  }

  #await(pending: Promise<unknown>): void {
    this.#socket.pause();
    pending.then(
      () => {
        this.#isBusy = false;
        this.#next();
        if (!this.#isBusy) this.#socket.resume();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #fail(error: unknown): void {
    this.#waiting.length = 0;
    // The client's answer to the end has to be read.
    this.#socket.resume();
    this.#failed(error);
  }
}
