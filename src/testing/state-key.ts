/**
 * Data written so that what is told apart by any reader is told apart here, and nothing else: the key of a state.
 *
 * Invariant: sound or refused. What could differ without being seen (functions, private fields, promises, rings) is refused
 * with its place; it is never left out, as `JSON.stringify` leaves out what sets, maps and functions hold. The order in which
 * objects, maps and sets were filled does not count: where it matters, keep an array.
 */

/** Why a value cannot be a key, and where in it. */
export class Unkeyable extends Error {
  readonly path: string;
  readonly what: string;

  constructor(path: readonly string[], what: string) {
    super(`${path.join('.')} is ${what}`);
    this.path = path.join('.');
    this.what = what;
  }
}

interface Walk {
  readonly path: string[];
  /** The objects that are being written, to find rings. */
  readonly within: Set<object>;
}

interface ActorLike {
  readonly xstate$$type: unknown;
  readonly id: unknown;
}

const isActor = (value: object): value is ActorLike => 'xstate$$type' in value;

const writeNumber = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));

const writeAt = (walk: Walk, step: string, value: unknown): string => {
  walk.path.push(step);
  const written = write(walk, value);
  walk.path.pop();
  return written;
};

const writeFields = (walk: Walk, value: object): string => {
  const hidden = Object.getOwnPropertySymbols(value)[0];
  if (hidden !== undefined) throw new Unkeyable(walk.path, `an object with the symbol ${String(hidden)}`);
  const fields = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, field]) => `${JSON.stringify(key)}:${writeAt(walk, key, field)}`);
  return `{${fields.join(',')}}`;
};

const bytesOf = (value: ArrayBuffer | ArrayBufferView): string =>
  ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength).join(' ')
    : new Uint8Array(value).join(' ');

const nameOf = ({ constructor: made }: object): string =>
  typeof made === 'function' ? made.name : 'an unnamed class';

const writeError = (walk: Walk, error: Error): string => {
  const { name, message, cause } = error;
  const because = cause === undefined ? '' : `,${writeAt(walk, 'cause', cause)}`;
  const fields = writeFields(walk, error);
  const more = `${because}${fields === '{}' ? '' : `,${fields}`}`;
  return `${JSON.stringify(name).slice(1, -1)}(${JSON.stringify(message)}${more})`;
};

const writeObject = (walk: Walk, value: object): string => {
  if (Array.isArray(value))
    return `[${value.map((element, index) => writeAt(walk, String(index), element)).join(',')}]`;
  if (value instanceof Map) {
    const entries = [...value].map(
      ([key, field]) => `${writeAt(walk, 'a key', key)}=>${writeAt(walk, String(key), field)}`,
    );
    return `Map(${entries.sort().join(',')})`;
  }
  if (value instanceof Set)
    return `Set(${[...value]
      .map((element) => writeAt(walk, 'an element', element))
      .sort()
      .join(',')})`;
  if (isActor(value)) return `actor(${JSON.stringify(value.id)})`;
  if (value instanceof RegExp) return `RegExp(${String(value)},${value.lastIndex})`;
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value))
    return `${nameOf(value)}(${bytesOf(value as ArrayBuffer)})`;
  if (value instanceof Error) return writeError(walk, value);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return writeFields(walk, value);
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') return `${nameOf(value)}(${write(walk, toJSON.call(value))})`;
  throw new Unkeyable(walk.path, `an instance of ${nameOf(value)}`);
};

const write = (walk: Walk, value: unknown): string => {
  if (value === null) return 'null';
  if (typeof value === 'number') return writeNumber(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'boolean' || value === undefined) return String(value);
  if (typeof value !== 'object') throw new Unkeyable(walk.path, `a ${typeof value}`);
  const { within } = walk;
  if (within.has(value)) throw new Unkeyable(walk.path, 'a ring');
  within.add(value);
  const written = writeObject(walk, value);
  within.delete(value);
  return written;
};

/** The key of some data; `name` is what its places are told by. @throws Unkeyable */
export const keyOfData = (name: string, value: unknown): string =>
  write({ path: [name], within: new Set() }, value);
