/**
 * Writes frames to the parent, from either thread.
 *
 * Invariants: a frame is written whole, by one thread at a time; it waits for a parent that is slow to read. What the frames say is
 * not its business.
 */
import { writeSync } from 'node:fs';
import { encodeFrame, WIRE_LIMITS, type WireLimits } from '../../../work/wire.ts';
import { acquire, release } from './shared-state.ts';

/** How long a full pipe is left alone before the next try, ms. */
const FULL_PIPE_MS = 1;

export class FrameWriter {
  readonly #cells: Int32Array;
  readonly #descriptor: number;
  /** What the parent takes, as it told. */
  limits: WireLimits = WIRE_LIMITS;

  constructor(cells: Int32Array, descriptor: number) {
    this.#cells = cells;
    this.#descriptor = descriptor;
  }

  /** @throws ERR_JOB_INVALID, ERR_FRAME_TOO_LARGE where it cannot be sent as it is; then nothing was */
  send(message: object): void {
    this.write(encodeFrame(message, this.limits));
  }

  /** Whether a value can be sent, inside of a message of a few levels more. */
  fits(value: unknown): boolean {
    const { maxFrameBytes, maxDepth } = this.limits;
    try {
      encodeFrame({ value }, { maxFrameBytes: Math.floor(maxFrameBytes / 2), maxDepth: maxDepth - 4 });
      return true;
    } catch {
      return false;
    }
  }

  write(frame: Uint8Array): void {
    acquire(this.#cells);
    try {
      this.#writeWhole(frame);
    } finally {
      release(this.#cells);
    }
  }

  #writeWhole(frame: Uint8Array): void {
    for (let at = 0; at < frame.length; ) {
      try {
        at += writeWire(this.#descriptor, frame, at);
      } catch (error) {
        // With the parent gone there is nobody to tell: the wire thread sees the same and ends this process.
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
        pause(FULL_PIPE_MS);
      }
    }
  }
}

/** Captured: user code writes through a `writeSync` that knows what is the wire. */
const writeWire = writeSync;
const sleeper = new Int32Array(new SharedArrayBuffer(4));
const { wait } = Atomics;

const pause = (forMs: number): void => {
  wait(sleeper, 0, 0, forMs);
};
