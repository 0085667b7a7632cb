/**
 * A worker's line to its parent: descriptors 3 and 4, which nothing that is printed can reach, and a lifeline
 * on descriptor 0.
 *
 * Invariants: a frame is written whole before `send` returns, so that no exit can cut it; when the parent is
 * gone this process goes too, with all it has started, even while its event loop is held by a job. What the messages ask for is
 * the business of whoever serves.
 */
import { Buffer } from 'node:buffer';
import { writeSync } from 'node:fs';
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import process from 'node:process';
import { Worker } from 'node:worker_threads';
import {
  DESCRIPTORS_VARIABLE,
  type ParentMessage,
  PROTOCOL_VERSION,
  readParentMessage,
  type WorkerMessage,
} from '../messages.ts';
import { plainValue } from '../transfer.ts';
import {
  encodeAround,
  encodeFrame,
  FrameDecoder,
  LARGEST_FRAME_BYTES,
  WIRE_LIMITS,
  type WireLimits,
} from '../wire.ts';
import type { Link, LinkListeners } from './link.ts';

/** Where sysexits.h puts a remote that broke the protocol. */
const EXIT_PROTOCOL = 76;
/** How long a full pipe is left alone before the next try, ms. */
const FULL_PIPE_MS = 1;
/** How long after its parent's end a process may take for its exit hooks, ms. */
const ORPHAN_GRACE_MS = 500;

/** What is read at once, bytes: as much as Node reads of any pipe. */
const READ_BYTES = 65_536;

/** What is taken from a parent: it is trusted to keep to its own limits, which may be any. */
const FROM_PARENT: WireLimits = { maxFrameBytes: LARGEST_FRAME_BYTES, maxDepth: 1_000 };
/** A character may take six bytes, escaped; the rest of the message needs some too. */
const BYTES_PER_CHARACTER = 8;

export class ParentLink implements Link {
  readonly pid = process.pid;
  readonly #output: number;
  readonly #listeners: LinkListeners;
  /** What may be said, as the parent told. */
  #limits: WireLimits = WIRE_LIMITS;
  #greeted = false;

  /** @throws Error when this process was not started by a pool. */
  constructor(listeners: LinkListeners) {
    const [input, output] = takeDescriptors();
    this.#output = output;
    this.#listeners = listeners;
    const decoder = new FrameDecoder(FROM_PARENT, (message) => this.#heard(readParentMessage(message)));
    const options: SocketConstructorOpts & { readonly onread: OnReadOpts } = {
      fd: input,
      readable: true,
      writable: false,
      // One buffer for all that is read, not one of this size for each reading: nothing of it is kept.
      onread: {
        buffer: Buffer.allocUnsafeSlow(READ_BYTES),
        callback: (count, buffer) => {
          try {
            decoder.push(buffer.subarray(0, count));
          } catch (error) {
            breach((error as Error).message);
          }
          return true;
        },
      },
    };
    const stream = new Socket(options);
    stream.resume();
    const ended = () => {
      if (!listeners.expectsEnd()) orphaned();
    };
    stream.on('end', ended);
    stream.on('error', ended);
  }

  get longestLog(): number {
    return Math.floor(this.#limits.maxFrameBytes / BYTES_PER_CHARACTER) - 1;
  }

  say(message: WorkerMessage, job?: string): void {
    if (!('value' in message)) {
      this.#send(encodeFrame(message, this.#limits, job));
      return;
    }
    const head = `{"kind":"${message.kind}","id":${message.id},"value":`;
    const envelope = { head, tail: '}', key: 'value', job: job ?? 'message' };
    this.#send(encodeAround(plainValue(message.value), envelope, this.#limits));
  }

  serving(): void {
    this.#watchLifeline();
  }

  leave(): void {
    process.stdout.write('', () => process.stderr.write('', () => process.exit(0)));
  }

  #heard(message: ReturnType<typeof readParentMessage>): void {
    if (message.kind === '!') breach(message.why);
    else if (message.kind === 'hello') this.#greet(message);
    // Kinds that this version does not know are ignored: that is the rule of versions.
    else if (message.kind !== '?') this.#listeners.ordered(message);
  }

  #greet({ protocol, maxFrameBytes, maxDepth }: ParentMessage & { kind: 'hello' }): void {
    if (protocol !== PROTOCOL_VERSION) breach(`it speaks version ${protocol}, this is ${PROTOCOL_VERSION}`);
    if (this.#greeted) breach('it said hello twice');
    this.#greeted = true;
    this.#limits = { maxFrameBytes, maxDepth };
    this.#listeners.greeted();
  }

  /** Writes a frame whole. It waits for a parent that is slow to read: that is the backpressure. */
  #send(frame: Uint8Array): void {
    let written = 0;
    while (written < frame.length) {
      try {
        written += writeSync(this.#output, frame, written);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') orphaned();
        pause(FULL_PIPE_MS);
      }
    }
  }

  /** Watches the lifeline from a thread of its own, for the times when a job holds this one. */
  #watchLifeline(): void {
    const thread = new Worker(LIFELINE_SOURCE, {
      eval: true,
      execArgv: [],
      env: {},
      workerData: { graceMs: ORPHAN_GRACE_MS },
      resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 },
    });
    // Without the thread (no memory for it, say) an idle worker still notices by itself.
    thread.on('error', () => {});
    thread.unref();
  }
}

/** Ends this process because its parent does not speak the protocol. */
const breach = (why: string): never => {
  writeSync(2, `troupe worker: the parent broke the protocol: ${why}\n`);
  process.exit(EXIT_PROTOCOL);
};

const takeDescriptors = (): readonly [number, number] => {
  const named = process.env[DESCRIPTORS_VARIABLE];
  // What this process starts must not take itself for a worker of our parent.
  delete process.env[DESCRIPTORS_VARIABLE];
  const match = /^(\d+),(\d+)$/.exec(named ?? '');
  if (match !== null) return [Number(match[1]), Number(match[2])];
  throw new Error(
    named === 'stdio'
      ? "a Node worker needs descriptors of its own: leave out descriptors: 'stdio'"
      : `a worker is started by a pool of troupe, not by hand (${DESCRIPTORS_VARIABLE} is not set)`,
  );
};

/** The parent has died: nobody wants the work, nor what it started. */
const orphaned = (): never => {
  process.once('exit', killGroup);
  process.exit(0);
};

const killGroup = (): void => {
  try {
    process.kill(-process.pid, 'SIGKILL');
  } catch {
    // It leads no group: there is nothing of ours to take along.
  }
};

const pause = (forMs: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, forMs);
};

/**
 * The thread's code. The lifeline is a pipe that nobody writes; it ends with the parent. The main thread sees
 * the same and is given the time to leave by itself. A source in a string needs no file of its own beside the
 * bundle.
 */
const LIFELINE_SOURCE = `
'use strict';
const { Socket } = require('node:net');
const { workerData } = require('node:worker_threads');
let over = false;
const gone = () => {
  if (over) return;
  over = true;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, workerData.graceMs);
  try { process.kill(-process.pid, 'SIGKILL'); } catch { process.kill(process.pid, 'SIGKILL'); }
};
const lifeline = new Socket({ fd: 0, readable: true, writable: false });
lifeline.on('end', gone).on('error', gone).on('close', gone).resume();
`;
