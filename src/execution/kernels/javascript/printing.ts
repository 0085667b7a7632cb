/**
 * The streams of the process as user code sees them: what it prints, by whatever way of Node's, becomes output of the execution; what
 * it reads is asked of the service.
 *
 * Invariants: nothing that is printed gets into the protocol or is lost; closing a descriptor never closes the wire. What native code
 * writes to descriptors 1 and 2 by itself goes where the descriptors lead: to the service, as printed lines.
 */
import { Console } from 'node:console';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import process from 'node:process';
import { Readable, Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { Output, Stream } from './output.ts';
import type { Requests } from './requests.ts';

export interface PrintingOptions {
  readonly output: Output;
  readonly requests: Requests;
  /** The descriptors that are nobody's to touch: the lifeline and the wire. */
  readonly wire: readonly number[];
}

export interface Printing {
  readonly print: (stream: Stream, data: string | Uint8Array) => void;
  readonly console: Console;
}

export const installPrinting = ({ output, requests, wire }: PrintingOptions): Printing => {
  const decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') };
  const print = (stream: Stream, data: string | Uint8Array): void => {
    const text = typeof data === 'string' ? data : decoders[stream].write(Buffer.from(data));
    if (text !== '') output.print(stream, text);
  };
  const stdout = printer('stdout', print);
  const stderr = printer('stderr', print);
  redefine(process, 'stdout', stdout);
  redefine(process, 'stderr', stderr);
  redefine(process, 'stdin', inputStream(requests));
  // Who prints may be told to stop while it waits: a console that swallows errors would swallow that.
  const console = new Console({ stdout, stderr, ignoreErrors: false });
  redefine(globalThis, 'console', console);
  guardDescriptors({ print, requests, wire });
  return { print, console };
};

const redefine = (target: object, name: string, value: unknown): void => {
  Object.defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true });
};

const printer = (stream: Stream, print: Printing['print']): Writable => {
  const writable = new Writable({
    decodeStrings: false,
    write(chunk: string | Uint8Array, encoding, done) {
      try {
        const isText = typeof chunk === 'string' && /^(?:utf-?8|ascii)$/i.test(encoding);
        print(stream, isText || typeof chunk !== 'string' ? chunk : Buffer.from(chunk, encoding));
      } catch (error) {
        // The one who printed is to stop: that has to reach it, and leave the stream in order.
        done();
        throw error;
      }
      done();
    },
    // As in Node, the streams of the process never end.
    destroy(_error, done) {
      done(null);
    },
  });
  writable.end = (...given: unknown[]) => {
    const [chunk] = given;
    if (typeof chunk === 'string' || chunk instanceof Uint8Array) writable.write(chunk);
    for (const each of given) if (typeof each === 'function') process.nextTick(each as () => void);
    return writable;
  };
  writable.destroy = () => writable;
  return Object.assign(writable, { fd: stream === 'stdout' ? 1 : 2, isTTY: false, _type: 'pipe' });
};

/** Asks for a line whenever somebody reads. */
const inputStream = (requests: Requests): Readable => {
  let asking = false;
  const stream = new Readable({
    read() {
      if (asking) return;
      asking = true;
      requests.input('', false).then(
        (text) => {
          asking = false;
          stream.push(text === null ? null : `${text}\n`);
        },
        (error: Error) => {
          asking = false;
          stream.destroy(error);
        },
      );
    },
  });
  return Object.assign(stream, { fd: 0, isTTY: false, setRawMode: () => stream });
};

interface Guard {
  readonly print: Printing['print'];
  readonly requests: Requests;
  readonly wire: readonly number[];
}

type Any = (...given: never[]) => unknown;

/** Has `node:fs` leave the wire alone, print where it would write to 1 and 2, and ask where it would read 0. */
const guardDescriptors = ({ print, requests, wire }: Guard): void => {
  const module = fs as unknown as Record<string, Any>;
  const closed = new Set<number>();
  const refused = (descriptor: unknown): boolean => wire.includes(descriptor as number);
  const badDescriptor = (call: string) =>
    Object.assign(new Error(`EBADF: bad file descriptor, ${call}`), {
      errno: -9,
      code: 'EBADF',
      syscall: call,
    });
  const printed = (descriptor: unknown): Stream | undefined =>
    closed.has(descriptor as number)
      ? undefined
      : descriptor === 1
        ? 'stdout'
        : descriptor === 2
          ? 'stderr'
          : undefined;

  for (const call of [
    'close',
    'read',
    'write',
    'readv',
    'writev',
    'fstat',
    'fsync',
    'ftruncate',
    'futimes',
    'fchmod',
  ]) {
    for (const name of [call, `${call}Sync`]) {
      const original = module[name] as ((...given: unknown[]) => unknown) | undefined;
      if (original === undefined) continue;
      const guarded = (...given: unknown[]): unknown => {
        const [descriptor, data] = given;
        if (refused(descriptor) && !(descriptor === 0 && call === 'fstat')) {
          if (descriptor === 0 && name === 'readSync') return readLine(requests, given);
          const error = badDescriptor(call);
          const done = given.at(-1);
          if (name !== call || typeof done !== 'function') throw error;
          process.nextTick(done as Any, error);
          return undefined;
        }
        const stream = printed(descriptor);
        if (stream !== undefined && call === 'write') return printWhole(print, stream, given);
        if (stream !== undefined && call === 'writev') {
          const parts = (data as Uint8Array[]).map((part) =>
            Buffer.from(part.buffer, part.byteOffset, part.byteLength),
          );
          return printWhole(print, stream, [descriptor, Buffer.concat(parts), given.at(-1)]);
        }
        if (call === 'close' && (descriptor === 1 || descriptor === 2)) closed.add(descriptor);
        return original.apply(fs, given);
      };
      Object.defineProperty(guarded, 'name', { value: name, configurable: true });
      module[name] = guarded as unknown as Any;
    }
  }
  guardWholeFiles(module, { print, requests, printed });
  syncBuiltinESMExports();
};

interface WholeFiles {
  readonly print: Printing['print'];
  readonly requests: Requests;
  readonly printed: (descriptor: unknown) => Stream | undefined;
}

const guardWholeFiles = (module: Record<string, Any>, { print, requests, printed }: WholeFiles): void => {
  const { readFileSync, writeFileSync, appendFileSync } = fs;
  const isInput = (path: unknown) => path === 0 || path === '/dev/stdin' || path === '/dev/fd/0';
  const streamOf = (path: unknown): Stream | undefined =>
    path === '/dev/stdout' ? 'stdout' : path === '/dev/stderr' ? 'stderr' : printed(path);
  module['readFileSync'] = ((path: never, options: never) => {
    if (!isInput(path)) return readFileSync(path, options);
    let text = '';
    for (let line = requests.inputNow('', false); line !== null; line = requests.inputNow('', false))
      text += `${line}\n`;
    const encoding = (options as { encoding?: unknown } | undefined)?.encoding ?? options;
    return typeof encoding === 'string' ? text : Buffer.from(text);
  }) as Any;
  for (const [name, original] of [
    ['writeFileSync', writeFileSync],
    ['appendFileSync', appendFileSync],
  ] as const) {
    module[name] = ((path: never, data: never, options: never) => {
      const stream = streamOf(path);
      if (stream === undefined) return original(path, data, options);
      return print(stream, typeof data === 'string' ? data : Buffer.from(data as Uint8Array));
    }) as Any;
  }
};

/** `fs.write` and `fs.writeSync` in all their forms: what is printed counts as written whole. */
const printWhole = (print: Printing['print'], stream: Stream, given: readonly unknown[]): unknown => {
  const [, data, offset, length] = given;
  const done = given.at(-1);
  const bytes = typeof data === 'string' ? Buffer.from(data) : cutOut(data as Uint8Array, offset, length);
  print(stream, bytes);
  if (typeof done !== 'function') return bytes.length;
  process.nextTick(done as Any, null, bytes.length, data);
  return undefined;
};

const cutOut = (data: Uint8Array, offset: unknown, length: unknown): Uint8Array => {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const { offset: from = 0, length: count = undefined } =
    typeof offset === 'object' && offset !== null
      ? (offset as { offset?: number; length?: number })
      : { offset: Number(offset ?? 0) || 0, length: typeof length === 'number' ? length : undefined };
  return bytes.subarray(from, count === undefined ? undefined : from + count);
};

/** What `fs.readSync(0, …)` has not yet handed out. */
let unread = Buffer.alloc(0);

const readLine = (requests: Requests, given: readonly unknown[]): number => {
  if (unread.length === 0) {
    const line = requests.inputNow('', false);
    if (line === null) return 0;
    unread = Buffer.from(`${line}\n`);
  }
  const room = cutOut(given[1] as Uint8Array, given[2], given[3]);
  const count = Math.min(room.length, unread.length);
  unread.copy(room, 0, 0, count);
  unread = unread.subarray(count);
  return count;
};
