/**
 * Checkpoints: the part of a namespace that can be written down, a blob a name, and what of it was lost and why.
 *
 * Invariant: a name is kept only where it comes back as what it was; an instance of a user's class, which would come back as a plain
 * object, is lost and said to be.
 */
import { deserialize, serialize } from 'node:v8';
import type { Namespace } from './namespace.ts';
import { cut, typeOf } from './values.ts';

export const CHECKPOINT_FORMAT = 'troupe-javascript-1';
/** Of a frame, what other things than blobs may take. */
const FRAME_RESERVE = 65_536;
/** Values that are looked at in one name: beyond, it is taken on trust. */
const LOOKED_AT = 1_000_000;

export interface Lost {
  readonly name: string;
  readonly why: string;
}

export interface Checkpoint {
  readonly format: string;
  readonly data: Readonly<Record<string, string>>;
  readonly kept: readonly string[];
  readonly lost: readonly Lost[];
}

export const takeCheckpoint = (
  namespace: Namespace,
  wanted: readonly string[] | undefined,
  frameBytes: number,
): Checkpoint => {
  const data: Record<string, string> = Object.create(null) as Record<string, string>;
  const lost: Lost[] = [];
  let room = frameBytes - FRAME_RESERVE;
  for (const name of wanted ?? namespace.names()) {
    const blob = namespace.has(name)
      ? blobOf(name, namespace.get(name))
      : { name, why: 'there is no such name' };
    if (typeof blob !== 'string') lost.push(blob);
    else if (blob.length + name.length > room) lost.push({ name, why: 'it is too large for one frame' });
    else {
      room -= blob.length + name.length + 16;
      data[name] = blob;
    }
  }
  return { format: CHECKPOINT_FORMAT, data, kept: Object.keys(data), lost };
};

const FORBIDDEN: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

const blobOf = (name: string, value: unknown): string | Lost => {
  if (FORBIDDEN.has(name)) return { name, why: 'it is a name that is never sent' };
  try {
    const why = whyNot(value);
    return why === undefined ? serialize(value).toString('base64') : { name, why };
  } catch (error) {
    return { name, why: cut(String((error as Error | undefined)?.message ?? error), 200) };
  }
};

/** The first thing in a value that would not come back as it is. */
const whyNot = (value: unknown): string | undefined => {
  const seen = new Set<unknown>();
  const waiting: unknown[] = [value];
  while (waiting.length > 0 && seen.size < LOOKED_AT) {
    const next = waiting.pop();
    if (typeof next === 'function') return 'functions cannot be kept';
    if (typeof next === 'symbol') return 'symbols cannot be kept';
    if (typeof next !== 'object' || next === null || seen.has(next)) continue;
    seen.add(next);
    const why = look(next, waiting);
    if (why !== undefined) return why;
  }
  return undefined;
};

const BUILT_IN = [
  Object,
  Array,
  Map,
  Set,
  Date,
  RegExp,
  ArrayBuffer,
  Boolean,
  Number,
  String,
  DataView,
  Buffer,
];
const ERRORS = [Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError];
const KEPT_PROTOTYPES: ReadonlySet<unknown> = new Set([
  null,
  ...[...BUILT_IN, ...ERRORS].map(({ prototype }) => prototype as unknown),
]);

const look = (value: object, waiting: unknown[]): string | undefined => {
  if (ArrayBuffer.isView(value) && !(value.buffer instanceof SharedArrayBuffer)) return undefined;
  if (!KEPT_PROTOTYPES.has(Object.getPrototypeOf(value))) return `a ${typeOf(value)} cannot be kept`;
  if (value instanceof Map) for (const [key, each] of value) waiting.push(key, each);
  else if (value instanceof Set) for (const each of value) waiting.push(each);
  for (const key of Object.keys(value)) {
    const property = Object.getOwnPropertyDescriptor(value, key);
    if (property !== undefined && !('value' in property)) return `the getter ${cut(key, 100)} cannot be kept`;
    waiting.push(property?.value);
  }
  return undefined;
};

export const restoreCheckpoint = (
  namespace: Namespace,
  data: Readonly<Record<string, unknown>>,
): { readonly restored: readonly string[]; readonly lost: readonly Lost[] } => {
  const restored: string[] = [];
  const lost: Lost[] = [];
  for (const [name, blob] of Object.entries(data)) {
    try {
      namespace.merge({ [name]: deserialize(Buffer.from(String(blob), 'base64')) as unknown }, 'overwrite');
      if (namespace.has(name)) restored.push(name);
      else lost.push({ name, why: 'it is a name of the session' });
    } catch (error) {
      lost.push({ name, why: cut(String((error as Error | undefined)?.message ?? error), 200) });
    }
  }
  return { restored, lost };
};
