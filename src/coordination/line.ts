/** What a connection writes to: the end of a socket, as far as a connection cares. Types only. */
import type { Frame } from './frame-queue.ts';

/** One client's line. Nothing of it throws, and everything is safe after its end. */
export interface Line {
  /** `false`: it is full; {@link LineListener.drained} says when it is not. */
  write(frame: Frame): boolean;
  /** Writes a sign of life, or asks for one. `false`: it is full. */
  beat(): boolean;
  /** What has been written and not yet taken: more than nothing, for too long and without progress, is a stall. */
  readonly pending: number;
  /** Grows with whatever the client takes. */
  readonly taken: number;
  /** Tells the client that this was all. The line is over when the client has that. */
  finish(ending: Ending): void;
  /** It is over now. */
  cut(): void;
}

/** What a client can be told of an orderly end. */
export interface Ending {
  readonly hasFailed: boolean;
  /** When it should come back, ms. */
  readonly retryMs: number | undefined;
}

/** What a line tells. */
export interface LineListener {
  drained(): void;
  /** There is no client any more, or there never was. */
  over(error?: unknown): void;
}
