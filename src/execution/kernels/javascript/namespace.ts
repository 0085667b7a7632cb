/**
 * The names of a session: properties of the global object that were not there when it was opened, or were and have been given another
 * value by name.
 *
 * Invariants: the global object is the same for the session's life; the session's own names are never changed, deleted or listed;
 * what is told as changed is what has really changed.
 */
import { deepCopy } from './deep-copy.ts';
import { PROTECTED } from './history.ts';
import { reprOf, sizeOf, typeOf } from './values.ts';

export type Strategy = 'overwrite' | 'preserve' | 'smart';

export interface Listed {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly repr: string;
}

/** Characters of a representation in a list. */
const LISTED_REPR = 200;

const { getOwnPropertyDescriptor, getOwnPropertyNames, hasOwn, is, keys } = Object;
const isEnumerable = Object.prototype.propertyIsEnumerable;

export class Namespace {
  readonly #global: Record<string, unknown>;
  /** What was there before the user. */
  #builtIn = new Map<string, PropertyDescriptor>();
  /** Of those, what the user has given another value by name. */
  readonly #overridden = new Set<string>();
  /** The values when it was last looked at. */
  readonly #seen = new Map<string, unknown>();

  constructor(target: object) {
    this.#global = target as Record<string, unknown>;
  }

  /** What is there now belongs to the session. */
  seal(): void {
    this.#builtIn = new Map();
    for (const name of getOwnPropertyNames(this.#global)) {
      const property = getOwnPropertyDescriptor(this.#global, name);
      if (property !== undefined) this.#builtIn.set(name, property);
    }
  }

  names(): string[] {
    const names: string[] = [];
    for (const name of keys(this.#global))
      if (!this.#builtIn.has(name) || this.#overridden.has(name)) names.push(name);
    // What the user has hidden, or declared over what Node hides.
    for (const name of this.#overridden)
      if (hasOwn(this.#global, name) && !isEnumerable.call(this.#global, name)) names.push(name);
    return names;
  }

  get size(): number {
    return this.#seen.size;
  }

  has(name: string): boolean {
    return hasOwn(this.#global, name) && (!this.#builtIn.has(name) || this.#overridden.has(name));
  }

  get(name: string): unknown {
    const property = getOwnPropertyDescriptor(this.#global, name);
    // A getter of the user's is user code: it is not run to look at the name.
    return property !== undefined && 'value' in property ? property.value : undefined;
  }

  /** Makes the names that code is about to declare its own, also where Node has a getter of that name. */
  declare(declared: readonly string[], hoisted: readonly string[]): void {
    for (const name of declared) {
      if (!this.#builtIn.has(name) || isProtected(name)) continue;
      this.#overridden.add(name);
      const property = getOwnPropertyDescriptor(this.#global, name);
      if (property === undefined || (property.configurable === true && property.writable !== true))
        this.#define(name, undefined);
    }
    for (const name of hoisted) if (!hasOwn(this.#global, name)) this.#define(name, undefined);
  }

  /** The names whose value is another one than at the last look; deleted ones too. */
  changed(): string[] {
    const seen = this.#seen;
    const names = this.names();
    const changed: string[] = [];
    for (const name of names) {
      const value = this.get(name);
      if (seen.has(name) && is(seen.get(name), value)) continue;
      changed.push(name);
      seen.set(name, value);
    }
    if (seen.size === names.length) return changed;
    const there = new Set(names);
    for (const name of seen.keys()) {
      if (there.has(name)) continue;
      changed.push(name);
      seen.delete(name);
    }
    return changed;
  }

  list(): Listed[] {
    return this.names().map((name) => {
      const value = this.get(name);
      return { name, type: typeOf(value), size: sizeOf(value), repr: reprOf(value, LISTED_REPR) };
    });
  }

  merge(values: Readonly<Record<string, unknown>>, strategy: Strategy): string[] {
    for (const [name, value] of Object.entries(values)) {
      if (isProtected(name) || isOfTheSession(this.#builtIn.get(name))) continue;
      if (this.has(name) && !mayReplace(strategy, this.get(name), value)) continue;
      if (this.#builtIn.has(name)) this.#overridden.add(name);
      this.#define(name, value);
    }
    return this.changed();
  }

  /** Deletes names of the user's; a built-in that bore one of them is back. */
  delete(names: readonly string[]): string[] {
    for (const name of names) {
      if (!this.has(name)) continue;
      const before = this.#builtIn.get(name);
      this.#overridden.delete(name);
      if (before === undefined) Reflect.deleteProperty(this.#global, name);
      else Reflect.defineProperty(this.#global, name, before);
    }
    return this.changed();
  }

  clear(): string[] {
    return this.delete(this.names());
  }

  /** Copies all values; what is given back restores them. */
  snapshot(): () => void {
    const known = new Map<object, object>();
    const values = this.names().map((name) => [name, deepCopy(this.get(name), known)] as const);
    return () => {
      const kept = new Set(values.map(([name]) => name));
      this.delete(this.names().filter((name) => !kept.has(name)));
      for (const [name, value] of values) {
        if (this.#builtIn.has(name)) this.#overridden.add(name);
        this.#define(name, value);
      }
      this.changed();
    };
  }

  #define(name: string, value: unknown): void {
    // Where it cannot be configured (the user froze it) it can perhaps be written.
    const property = { value, writable: true, enumerable: true, configurable: true };
    if (!Reflect.defineProperty(this.#global, name, property)) Reflect.set(this.#global, name, value);
  }
}

const isProtected = (name: string): boolean => (PROTECTED as readonly string[]).includes(name);

/** What nobody can redefine: the session's own names, `undefined`, `NaN`. */
const isOfTheSession = (property: PropertyDescriptor | undefined): boolean =>
  property?.configurable === false;

/** Whether a value may take the place of one that is there. */
const mayReplace = (strategy: Strategy, before: unknown, value: unknown): boolean => {
  if (strategy === 'overwrite') return true;
  if (strategy === 'preserve') return false;
  if ((value === null || value === undefined) && before !== null && before !== undefined) return false;
  if (isEmpty(value) && !isEmpty(before)) return false;
  return !is(before, value);
};

const isEmpty = (value: unknown): boolean => {
  if (typeof value === 'string' || Array.isArray(value)) return value.length === 0;
  if (value instanceof Map || value instanceof Set) return value.size === 0;
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.getPrototypeOf(value) === Object.prototype &&
    Object.keys(value).length === 0
  );
};
