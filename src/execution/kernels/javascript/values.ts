/**
 * How values are shown and described: representation, type, size, and errors with the frames of the user's own code.
 *
 * Invariant: nothing here throws, whatever a value does when it is looked at, and nothing grows beyond its bound.
 */
import { inspect } from 'node:util';

/** Characters of a representation. */
const LONGEST_REPR = 16_384;
const LONGEST_MESSAGE = 8_192;
/** Values that are looked at to estimate a size. */
const COUNTED_VALUES = 10_000;
/** Errors in a chain of causes that are shown. */
const SHOWN_CAUSES = 5;

const show = inspect;
const ownUrl = import.meta.url;

export const cut = (text: string, limit: number): string =>
  text.length <= limit ? text : `${text.slice(0, limit - 1)}…`;

export const reprOf = (value: unknown, limit = LONGEST_REPR): string => {
  try {
    return cut(show(value, { depth: 4, maxArrayLength: 100, maxStringLength: 10_000 }), limit);
  } catch (error) {
    return `[not shown: ${cut(String((error as Error | undefined)?.message ?? 'it threw'), 200)}]`;
  }
};

/** The name of what a value is: its class, or the word for a primitive. */
export const typeOf = (value: unknown): string => {
  if (value === null) return 'null';
  if (typeof value !== 'object') return typeof value;
  try {
    const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: unknown } } | null;
    const name = prototype?.constructor?.name;
    return typeof name === 'string' && name !== '' ? cut(name, 200) : 'Object';
  } catch {
    return 'Object';
  }
};

/** About how many bytes a value holds; for large ones a lower bound. */
export const sizeOf = (value: unknown): number => {
  const seen = new Set<unknown>();
  const waiting: unknown[] = [value];
  let bytes = 0;
  for (let next: unknown; waiting.length > 0 && seen.size < COUNTED_VALUES; ) {
    next = waiting.pop();
    if (typeof next === 'string') bytes += 2 * next.length;
    else if (typeof next !== 'object' || next === null) bytes += 8;
    else if (!seen.has(next)) {
      seen.add(next);
      bytes += 16 + sizeOfObject(next, waiting);
    }
  }
  return bytes;
};

const sizeOfObject = (value: object, waiting: unknown[]): number => {
  try {
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength;
    if (value instanceof Map) for (const [key, each] of value) waiting.push(key, each);
    else if (value instanceof Set) for (const each of value) waiting.push(each);
    else
      for (const key of Object.keys(value).slice(0, COUNTED_VALUES)) {
        const property = Object.getOwnPropertyDescriptor(value, key);
        if (property !== undefined && 'value' in property) waiting.push(property.value);
      }
  } catch {
    // A proxy that refuses to be looked at.
  }
  return 0;
};

/** An error as the protocol tells it. */
export interface ToldError {
  readonly type: string;
  readonly message: string;
  readonly traceback: string;
}

export const toldError = (error: unknown): ToldError => {
  if (!isError(error)) {
    return {
      type: typeOf(error),
      message: cut(`thrown: ${reprOf(error, 1_000)}`, LONGEST_MESSAGE),
      traceback: '',
    };
  }
  const type = readText(error, 'name') ?? typeOf(error);
  const message = cut(readText(error, 'message') ?? '', LONGEST_MESSAGE);
  return { type: type === '' ? 'Error' : cut(type, 200), message, traceback: tracebackOf(error) };
};

/** Of any realm. */
const isError = (value: unknown): value is Error => {
  try {
    return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';
  } catch {
    return false;
  }
};

const readText = (error: Error, key: 'name' | 'message' | 'stack'): string | undefined => {
  try {
    const text: unknown = error[key];
    return typeof text === 'string' ? text : undefined;
  } catch {
    return undefined;
  }
};

/** The stack without the frames of the kernel and of Node's own machinery, and the causes likewise. */
export const tracebackOf = (error: unknown): string => {
  const parts: string[] = [];
  let next: unknown = error;
  for (let i = 0; i < SHOWN_CAUSES && isError(next); i++) {
    const stack = readText(next, 'stack');
    parts.push(
      (i === 0 ? '' : 'Caused by: ') + (stack === undefined ? reprOf(next, 1_000) : userFrames(stack)),
    );
    next = causeOf(next);
  }
  return parts.join('\n');
};

const causeOf = (error: Error): unknown => {
  try {
    return error.cause;
  } catch {
    return undefined;
  }
};

const FRAME = /^\s+at /;

/** Keeps the frames of the user's code: not those of this file, nor of what it stands on. */
const userFrames = (stack: string): string =>
  stack
    .split('\n')
    .filter(
      (line) =>
        !FRAME.test(line) ||
        !(
          line.includes(ownUrl) ||
          line.includes('(node:') ||
          line.includes(' node:') ||
          line.includes('at eval (')
        ),
    )
    .map((line) => (FRAME.test(line) ? line.replace(/eval at [^,]*\), /, '') : line))
    .join('\n')
    .trimEnd();
