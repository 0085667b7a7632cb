/**
 * Copies values for transactions. Invariant: what is shared within one copying stays shared; what cannot be copied without changing
 * what it is (functions, instances of the user's classes, proxies, handles of the system) is handed on as it is.
 */
type Known = Map<object, object>;

export const deepCopy = (value: unknown, known: Known): unknown => {
  if (typeof value !== 'object' || value === null) return value;
  const made = known.get(value);
  if (made !== undefined) return made;
  try {
    return copyOf(value, known);
  } catch {
    // A proxy, a detached buffer, a structure too deep for the stack.
    known.set(value, value);
    return value;
  }
};

const copyOf = (value: object, known: Known): unknown => {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (Array.isArray(value) && prototype === Array.prototype) return copyArray(value, known);
  if (prototype === Object.prototype || prototype === null) return copyPlain(value, known);
  if (prototype === Map.prototype) return copyMap(value as Map<unknown, unknown>, known);
  if (prototype === Set.prototype) return copySet(value as Set<unknown>, known);
  if (prototype === Date.prototype) return remember(value, new Date(Number(value)), known);
  if (Buffer.isBuffer(value)) return remember(value, Buffer.from(value), known);
  if (ArrayBuffer.isView(value) && !(value.buffer instanceof SharedArrayBuffer) && isBuiltInView(prototype))
    return remember(value, structuredClone(value), known);
  if (prototype === ArrayBuffer.prototype) return remember(value, (value as ArrayBuffer).slice(0), known);
  return value;
};

const isBuiltInView = (prototype: unknown): boolean =>
  prototype === DataView.prototype ||
  Object.getPrototypeOf(prototype) === Object.getPrototypeOf(Uint8Array.prototype);

const remember = <T extends object>(value: object, copy: T, known: Known): T => {
  known.set(value, copy);
  return copy;
};

const copyArray = (value: readonly unknown[], known: Known): unknown[] => {
  const copy = remember(value, new Array<unknown>(value.length), known);
  for (const key of Object.keys(value)) {
    const index = key as unknown as number;
    copy[index] = deepCopy(value[index], known);
  }
  return copy;
};

const copyPlain = (value: object, known: Known): object => {
  const copy = remember(value, Object.create(Object.getPrototypeOf(value)) as object, known);
  for (const key of Reflect.ownKeys(value)) {
    const property = Object.getOwnPropertyDescriptor(value, key) as PropertyDescriptor;
    if ('value' in property) property.value = deepCopy(property.value, known);
    Object.defineProperty(copy, key, property);
  }
  return copy;
};

const copyMap = (value: ReadonlyMap<unknown, unknown>, known: Known): Map<unknown, unknown> => {
  const copy = remember(value, new Map<unknown, unknown>(), known);
  for (const [key, each] of value) copy.set(deepCopy(key, known), deepCopy(each, known));
  return copy;
};

const copySet = (value: ReadonlySet<unknown>, known: Known): Set<unknown> => {
  const copy = remember(value, new Set<unknown>(), known);
  for (const each of value) copy.add(deepCopy(each, known));
  return copy;
};
