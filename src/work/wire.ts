/**
 * The wire: frames of a 4-byte big-endian length and that many bytes of UTF-8 JSON, each one object.
 * `docs/PROTOCOL.md` is the specification; both sides of a worker in Node stand on this file.
 *
 * Invariants: a length is judged before anything is allocated for it; a frame's depth is judged before it is
 * parsed; memory held for a peer never exceeds what it has sent of one frame; keys that could reach a
 * prototype never get past here, in either direction; after a refusal the decoder delivers nothing more. It
 * knows nothing of what messages mean.
 */
import { Buffer, isUtf8 } from 'node:buffer';
import { createError, show } from '../base/errors.ts';

/** What a peer may send, and we to it. */
export interface WireLimits {
  /** Bytes of a frame's JSON. A larger one is refused with ERR_FRAME_TOO_LARGE; whoever sent it is broken. */
  readonly maxFrameBytes: number;
  /**
   * Levels of objects and arrays in a frame, the message itself being the first. Deeper ones could exhaust
   * the stack.
   */
  readonly maxDepth: number;
}

/** 10 MiB holds any document worth counting; 64 levels, any data made by people. */
export const WIRE_LIMITS: WireLimits = Object.freeze({ maxFrameBytes: 10 * 1_048_576, maxDepth: 64 });

/** The largest limit that may be asked for: half of what the length could say. */
export const LARGEST_FRAME_BYTES = 0x7fff_ffff;

const HEADER_BYTES = 4;
/** The first allocation for a frame that comes in pieces; it doubles with what has really arrived. */
const FIRST_PIECE_BYTES = 65_536;
/** From here on looking for brackets by the CPU's own search pays. */
const LONG_FRAME_BYTES = 1_024;
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/**
 * Makes a frame. `job` names the work in errors.
 *
 * @throws ERR_JOB_INVALID when the message is not JSON by nature, ERR_FRAME_TOO_LARGE
 */
export const encodeFrame = (message: object, limits: WireLimits, job = 'message'): Uint8Array =>
  frameOf(stringify(message, { depth: limits.maxDepth, job }), limits);

/** A message of which all but one value is known to be JSON, so that only that one is looked at and written out. */
export interface Envelope {
  /** The message's text up to the value, from its opening brace on; and after it. */
  readonly head: string;
  readonly tail: string;
  /** The key of the value, and the work, for errors. */
  readonly key: string;
  readonly job: string;
}

/**
 * The same frame as {@link encodeFrame} makes, at a third of its price.
 *
 * @throws ERR_JOB_INVALID when the value is not JSON by nature, ERR_FRAME_TOO_LARGE
 */
export const encodeAround = (
  value: unknown,
  { head, tail, key, job }: Envelope,
  limits: WireLimits,
): Uint8Array => {
  const json = value === null ? 'null' : stringify(value, { depth: limits.maxDepth - 1, job, key });
  return frameOf(head + json + tail, limits);
};

const frameOf = (json: string, { maxFrameBytes }: WireLimits): Uint8Array => {
  const bytes = Buffer.byteLength(json);
  if (bytes > maxFrameBytes) throw createError('ERR_FRAME_TOO_LARGE', { bytes, limit: maxFrameBytes });
  const frame = Buffer.allocUnsafe(HEADER_BYTES + bytes);
  frame[0] = bytes >>> 24;
  frame[1] = bytes >>> 16;
  frame[2] = bytes >>> 8;
  frame[3] = bytes;
  // Where each character is a byte, nothing has to be looked up.
  frame.write(json, HEADER_BYTES, bytes === json.length ? 'latin1' : 'utf8');
  return frame;
};

/** What is written out: how deep it may be, whose it is, and where in the message it stands. */
interface Writing {
  readonly depth: number;
  readonly job: string;
  readonly key?: string;
}

const stringify = (value: unknown, { depth, job, key }: Writing): string => {
  let flaw: Flaw | undefined;
  try {
    flaw = flawOf(value, depth);
    if (flaw === undefined) return JSON.stringify(value);
  } catch (error) {
    // A getter, a proxy or a toJSON of the user's threw.
    throw createError('ERR_JOB_INVALID', { job, why: show(error) }, { cause: error });
  }
  const found = key === undefined ? flaw : within(flaw, key);
  throw createError('ERR_JOB_INVALID', { job, why: `${pathOf(found)} ${found.why}` });
};

/** Why a value would not arrive as it is, and where in it: keys from the inside out. */
interface Flaw {
  readonly why: string;
  readonly keys: (string | number)[];
}

const flaw = (why: string): Flaw => ({ why, keys: [] });

/** Keys of a path that are shown, and characters of a key: a circle is as deep as is looked. */
const SHOWN_KEYS = 8;
const LONGEST_KEY = 40;

const pathOf = ({ keys }: Flaw): string => {
  if (keys.length === 0) return 'it';
  const more = keys.length > SHOWN_KEYS ? `… (${keys.length - SHOWN_KEYS} levels more)` : '';
  const shown = keys
    .reverse()
    .slice(0, SHOWN_KEYS)
    .map((key, i) =>
      typeof key === 'number' ? `[${key}]` : `${i === 0 ? '' : '.'}${key.slice(0, LONGEST_KEY)}`,
    );
  return shown.join('') + more;
};

/**
 * The first flaw of a value. JSON.stringify would drop functions, turn NaN into null and Maps into `{}`:
 * silently. A property that is `undefined` is left out, as everywhere in JSON.
 */
const flawOf = (value: unknown, depth: number): Flaw | undefined => {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : flaw(`is ${value}`);
    case 'object':
      return value === null ? undefined : flawOfObject(value, depth);
    case 'undefined':
      return flaw('is undefined');
    default:
      return flaw(`is a ${typeof value}`);
  }
};

const flawOfObject = (value: object, depth: number): Flaw | undefined => {
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON !== 'function') return flawOfStructure(value, depth);
  // JSON.stringify asks once: what it gives is written as it is.
  const written: unknown = toJSON.call(value, '');
  return typeof written === 'object' && written !== null
    ? flawOfStructure(written, depth)
    : flawOf(written, depth);
};

const flawOfStructure = (value: object, depth: number): Flaw | undefined => {
  if (depth === 0) return flaw('nests too deeply, or in a circle');
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const found = flawOf(value[i], depth - 1);
      if (found !== undefined) return within(found, i);
    }
    return undefined;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  // Plain in any realm: a root prototype or none.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return flaw(`is a ${show(value)}`);
  for (const key of Object.keys(value)) {
    if (FORBIDDEN_KEYS.has(key)) return within(flaw('is a key that is never sent'), key);
    const property = (value as Record<string, unknown>)[key];
    const found = property === undefined ? undefined : flawOf(property, depth - 1);
    if (found !== undefined) return within(found, key);
  }
  return undefined;
};

const within = (found: Flaw, key: string | number): Flaw => {
  found.keys.push(key);
  return found;
};

/** Takes bytes as they come and gives the messages in them. */
export class FrameDecoder {
  readonly #limits: WireLimits;
  readonly #deliver: (message: Readonly<Record<string, unknown>>) => void;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  /** Bytes of JSON that the frame under way has announced; 0 between frames. */
  #announced = 0;
  /** What has come of them, where the frame comes in pieces. */
  #pieces: Buffer | undefined;
  #received = 0;
  #closed = false;

  /** `deliver` gets each message as it completes; it may close the decoder, and must not throw. */
  constructor(limits: WireLimits, deliver: (message: Readonly<Record<string, unknown>>) => void) {
    this.#limits = limits;
    this.#deliver = deliver;
  }

  /** Whether a frame has begun and not yet ended. */
  get partial(): boolean {
    return this.#headerBytes > 0;
  }

  /** Bytes held for the frame under way. */
  get bufferedBytes(): number {
    return this.#headerBytes + this.#received;
  }

  /** Delivers nothing more. */
  close(): void {
    this.#closed = true;
    this.#reset();
  }

  /**
   * Delivers the messages that these bytes complete, in order.
   *
   * @throws ERR_FRAME_TOO_LARGE, ERR_FRAME_MALFORMED after having delivered what came before; the decoder is
   * then closed.
   */
  push(chunk: Uint8Array): void {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    let at = 0;
    while (at < bytes.length && !this.#closed) at = this.#take(bytes, at);
  }

  #take(chunk: Buffer, from: number): number {
    if (this.#headerBytes < HEADER_BYTES) {
      if (this.#headerBytes === 0 && chunk.length - from >= HEADER_BYTES) {
        this.#headerBytes = HEADER_BYTES;
        this.#announce(lengthAt(chunk, from));
        return from + HEADER_BYTES;
      }
      this.#header[this.#headerBytes++] = chunk[from] as number;
      if (this.#headerBytes === HEADER_BYTES) this.#announce(lengthAt(this.#header, 0));
      return from + 1;
    }
    if (this.#received === 0 && chunk[from] !== OPEN_OBJECT) this.#refuse('it is not a JSON object');
    const end = Math.min(chunk.length, from + this.#announced - this.#received);
    if (end - from === this.#announced) this.#complete(chunk, from, end);
    else this.#gather(chunk.subarray(from, end));
    return end;
  }

  #announce(bytes: number): void {
    if (bytes > this.#limits.maxFrameBytes) {
      this.close();
      throw createError('ERR_FRAME_TOO_LARGE', { bytes, limit: this.#limits.maxFrameBytes });
    }
    if (bytes === 0) this.#refuse('it is empty');
    this.#announced = bytes;
  }

  #gather(piece: Buffer): void {
    const received = this.#received + piece.length;
    if (this.#pieces === undefined || this.#pieces.length < received) {
      const room = Math.max(FIRST_PIECE_BYTES, 2 * received);
      const larger = Buffer.allocUnsafe(Math.min(this.#announced, room));
      this.#pieces?.copy(larger, 0, 0, this.#received);
      this.#pieces = larger;
    }
    piece.copy(this.#pieces, this.#received);
    this.#received = received;
    if (received === this.#announced) this.#complete(this.#pieces, 0, received);
  }

  #complete(bytes: Buffer, from: number, to: number): void {
    this.#reset();
    const { maxDepth } = this.#limits;
    const isShort = to - from <= LONG_FRAME_BYTES;
    const traits = isShort ? traitsOf(bytes, { from, to, maxDepth }) : NOT_ASCII;
    const json = (traits & NOT_ASCII) === 0 ? undefined : bytes.subarray(from, to);
    if (json !== undefined && !isUtf8(json)) this.#refuse('it is not UTF-8');
    const isDeep = isShort ? (traits & TOO_DEEP) !== 0 : isDeeper(bytes.subarray(from, to), maxDepth);
    if (isDeep) this.#refuse(`it nests deeper than ${maxDepth}`);
    const text = bytes.toString(json === undefined ? 'latin1' : 'utf8', from, to);
    const message = this.#parse(text);
    const isSuspect = isShort ? (traits & SUSPECT) !== 0 : mayHoldForbiddenKey(text);
    if (isSuspect && holdsForbiddenKey(message)) this.#refuse('it has a forbidden key');
    this.#deliver(message);
  }

  #parse(text: string): Readonly<Record<string, unknown>> {
    try {
      return JSON.parse(text) as Record<string, unknown>;
    } catch (error) {
      // The engine's message quotes the payload: it is dropped, payloads stay out of logs.
      return this.#refuse(error instanceof SyntaxError ? 'it is not JSON' : show(error));
    }
  }

  #refuse(why: string): never {
    this.close();
    throw createError('ERR_FRAME_MALFORMED', { why });
  }

  #reset(): void {
    this.#headerBytes = 0;
    this.#announced = 0;
    this.#received = 0;
    this.#pieces = undefined;
  }
}

const lengthAt = (bytes: Buffer, at: number): number =>
  (bytes[at] as number) * 0x100_0000 +
  (((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number));

/** What one look at each byte of a short text tells of it. */
const NOT_ASCII = 1;
const TOO_DEEP = 2;
/** It may hold a forbidden key: a string as long as one of them, or an escape, in which one could be spelled. */
const SUSPECT = 4;

interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly maxDepth: number;
}

const FORBIDDEN_LENGTHS: ReadonlySet<number> = new Set([...FORBIDDEN_KEYS].map(({ length }) => length));

/** Of text that is no JSON it may tell anything: the parser refuses that. */
const traitsOf = (json: Buffer, { from, to, maxDepth }: Stretch): number => {
  let traits = 0;
  let depth = 0;
  let all = 0;
  for (let i = from; i < to; i++) {
    const byte = json[i] as number;
    all |= byte;
    if (byte === QUOTE) {
      const begun = i + 1;
      for (i++; i < to && json[i] !== QUOTE; i++) {
        all |= json[i] as number;
        if (json[i] !== BACKSLASH) continue;
        traits |= SUSPECT;
        i++;
        if (i < to) all |= json[i] as number;
      }
      if (FORBIDDEN_LENGTHS.has(i - begun)) traits |= SUSPECT;
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (++depth > maxDepth) traits |= TOO_DEEP;
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      depth -= 1;
    }
  }
  return all < 0x80 ? traits : traits | NOT_ASCII;
};

/** Whether brackets outside of strings nest too deeply; whether they match is the parser's business. */
const isDeeper = (json: Buffer, maxDepth: number): boolean => {
  if (!hasMoreOpenings(json, maxDepth)) return false;
  let depth = 0;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i];
    if (byte === QUOTE) {
      for (i++; i < json.length && json[i] !== QUOTE; i++) if (json[i] === BACKSLASH) i++;
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (++depth > maxDepth) return true;
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      depth -= 1;
    }
  }
  return false;
};

/** What has few brackets in all cannot nest deeply: a long text is spared the slow look at each byte. */
const hasMoreOpenings = (json: Buffer, limit: number): boolean => {
  let openings = 0;
  for (const bracket of [OPEN_OBJECT, OPEN_ARRAY]) {
    for (let at = json.indexOf(bracket); at !== -1; at = json.indexOf(bracket, at + 1)) {
      if (++openings > limit) return true;
    }
  }
  return false;
};

/** Cheap and never wrong when it says no: a key can be spelled plainly or with `\u` escapes only. */
const mayHoldForbiddenKey = (text: string): boolean =>
  text.includes('__proto__') ||
  text.includes('constructor') ||
  text.includes('prototype') ||
  text.includes('\\u');

/** The depth is bounded by then, so the recursion is. */
const holdsForbiddenKey = (value: unknown): boolean => {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(holdsForbiddenKey);
  return Object.keys(value).some(
    (key) => FORBIDDEN_KEYS.has(key) || holdsForbiddenKey((value as Record<string, unknown>)[key]),
  );
};
