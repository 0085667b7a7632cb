/**
 * The first words with the service, on the main thread: `hello`, `ready`, `open`. It reads one frame at a time and waits for it, while
 * the wire thread starts; that one takes over once the session is open.
 *
 * Invariants: not a byte beyond the last frame is read; nothing of the user's runs meanwhile; pings are answered, and the process ends
 * when its parent does.
 */
import { readSync, writeSync } from 'node:fs';
import process from 'node:process';
import { isMainThread } from 'node:worker_threads';
import { PROTOCOL_VERSION, readParentMessage } from '../../../work/messages.ts';
import { FrameDecoder, LARGEST_FRAME_BYTES, type WireLimits } from '../../../work/wire.ts';
import type { FrameWriter } from './frame-writer.ts';
import { JOBS, type ToMain } from './messages.ts';

/** What is taken from a parent: it is trusted to keep to its own limits, which may be any. */
export const FROM_PARENT: WireLimits = { maxFrameBytes: LARGEST_FRAME_BYTES, maxDepth: 1_000 };
/** Where sysexits.h puts a remote that broke the protocol. */
const EXIT_PROTOCOL = 76;
const HEADER_BYTES = 4;
/** How long a descriptor that does not block is left alone before the next try, ms. */
const EMPTY_MS = 1;

export interface HandshakeOptions {
  readonly input: number;
  readonly writer: FrameWriter;
  /** Takes a job; whether the session is open then. */
  readonly take: (job: ToMain & { kind: 'job' }) => boolean;
}

/** Returns once the session is open. */
export const shakeHands = ({ input, writer, take }: HandshakeOptions): void => {
  let isOpen = false;
  const decoder = new FrameDecoder(FROM_PARENT, (frame) => {
    const message = readParentMessage(frame);
    if (message.kind === '!') breach(message.why);
    else if (message.kind === 'hello') {
      const { protocol, maxFrameBytes, maxDepth } = message;
      if (protocol !== PROTOCOL_VERSION) breach(`it speaks version ${protocol}, this is ${PROTOCOL_VERSION}`);
      writer.limits = { maxFrameBytes, maxDepth };
      const capabilities = ['stream', 'progress', 'interrupt', 'session'];
      const { pid } = process;
      writer.send({ kind: 'ready', protocol: PROTOCOL_VERSION, pid, capabilities, handlers: JOBS });
    } else if (message.kind === 'ping') writer.send({ kind: 'pong', id: message.id });
    else if (message.kind === 'shutdown') process.exit(0);
    else if (message.kind === 'run') {
      const { id, name, args } = message;
      isOpen = take({ kind: 'job', id, name, args: (args ?? {}) as Readonly<Record<string, unknown>> });
    }
  });
  while (!isOpen) {
    const header = read(input, HEADER_BYTES);
    try {
      decoder.push(header);
      decoder.push(read(input, header.readUInt32BE(0)));
    } catch (error) {
      breach((error as Error).message);
    }
  }
};

const read = (descriptor: number, size: number): Buffer => {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; ) {
    try {
      const got = readWire(descriptor, bytes, at, size - at, null);
      // The parent is gone before anything began.
      if (got === 0) process.exit(0);
      at += got;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') process.exit(0);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, EMPTY_MS);
    }
  }
  return bytes;
};

/** Captured: for user code the wire is not there to be read. */
const readWire = readSync;
const printLine = writeSync;

/** Ends this process because its parent does not speak the protocol. */
export const breach = (why: string): never => {
  printLine(2, `troupe session: the parent broke the protocol: ${why}\n`);
  // A thread can only leave by itself.
  if (!isMainThread) process.kill(process.pid, 'SIGKILL');
  return process.exit(EXIT_PROTOCOL);
};
