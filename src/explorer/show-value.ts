/**
 * Values of the observed program as bounded JSON: what is not JSON is put in words, what is too deep, too wide or too long is
 * cut and says so.
 *
 * Invariant: it never throws and never runs longer than its bounds allow, whatever a getter, a proxy or a cycle does.
 */

import type { ContextChange } from './actor-view.ts';
import { LIMITS } from './protocol.ts';
import type { Json } from './tree-view.ts';

/** Entries of one value in all; beyond, the rest is left out. Owner: the explorer's answers, a few hundred KB each. */
const MOST_IN_ALL = 5_000;

const cutText = (words: string): string =>
  words.length > LIMITS.valueCharacters
    ? `${words.slice(0, LIMITS.valueCharacters)}… (${words.length} characters)`
    : words;

const isInstant = (value: object): value is { toISOString(): string } =>
  Object.prototype.toString.call(value) === '[object Date]';

class Shower {
  #left = MOST_IN_ALL;
  readonly #above: object[] = [];

  show(value: unknown): Json {
    if (value === null || typeof value === 'boolean') return value;
    if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
    if (typeof value === 'string') return cutText(value);
    if (value === undefined) return 'undefined';
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value === 'symbol') return String(value);
    if (typeof value === 'function') return `function ${value.name}`;
    return this.#showObject(value);
  }

  #showObject(value: object): Json {
    if (this.#above.includes(value)) return '(the same as above: a cycle)';
    if (this.#above.length >= LIMITS.valueDepth) return '(too deep to show)';
    if (this.#left <= 0) return '(too much to show)';
    this.#above.push(value);
    try {
      return this.#entriesOf(value);
    } catch (error) {
      return `(cannot be read: ${cutText(String((error as Error | undefined)?.message ?? 'it threw'))})`;
    } finally {
      this.#above.pop();
    }
  }

  #entriesOf(value: object): Json {
    if (Array.isArray(value)) return this.#list(value, value.length);
    if (isInstant(value)) return Number.isNaN(Number(value)) ? 'Invalid Date' : value.toISOString();
    if (value instanceof Error) return `${value.name}: ${cutText(value.message)}`;
    if (value instanceof Map) return { [`Map of ${value.size}`]: this.#list(value.entries(), value.size) };
    if (value instanceof Set) return { [`Set of ${value.size}`]: this.#list(value.values(), value.size) };
    if (ArrayBuffer.isView(value)) return `${value.constructor.name} of ${value.byteLength} bytes`;
    // An actor inside a context is not part of it; its own row is where it is seen.
    const { sessionId, id } = value as { readonly sessionId?: unknown; readonly id?: unknown };
    if (typeof sessionId === 'string') return `actor ${String(id)}`;
    return this.#record(value as Readonly<Record<string, unknown>>);
  }

  #list(values: Iterable<unknown>, size: number): Json {
    const shown: Json[] = [];
    for (const value of values) {
      if (shown.length >= LIMITS.valueEntries || this.#left <= 0) break;
      this.#left -= 1;
      shown.push(this.show(value));
    }
    if (shown.length < size) shown.push(`(${size - shown.length} more)`);
    return shown;
  }

  #record(value: Readonly<Record<string, unknown>>): Json {
    const shown: [string, Json][] = [];
    const keys = Object.keys(value);
    for (const key of keys) {
      if (shown.length >= LIMITS.valueEntries || this.#left <= 0) break;
      this.#left -= 1;
      shown.push([cutText(key), this.show(value[key])]);
    }
    if (shown.length < keys.length) shown.push([`(${keys.length - shown.length} more)`, null]);
    // `fromEntries` makes own properties, also of a key such as __proto__.
    return Object.fromEntries(shown);
  }
}

/** What is shown of any value. */
export const showValue = (value: unknown): Json => new Shower().show(value);

const isRecord = (value: Json | undefined): value is Readonly<Record<string, Json>> | readonly Json[] =>
  typeof value === 'object' && value !== null;

/** Changes of one step that are told; beyond, the containing value is told whole. */
const MOST_CHANGES = 50;

/** What differs between two shown values, at the lowest place that differs. */
export const changesBetween = (
  before: Json | undefined,
  after: Json | undefined,
): readonly ContextChange[] => {
  const changes: ContextChange[] = [];
  const compare = (old: Json | undefined, now: Json | undefined, at: readonly (string | number)[]): void => {
    if (old === now || changes.length >= MOST_CHANGES) return;
    if (isRecord(old) && isRecord(now) && Array.isArray(old) === Array.isArray(now)) {
      const keys = new Set([...Object.keys(old), ...Object.keys(now)]);
      for (const key of keys) {
        const step = Array.isArray(now) ? Number(key) : key;
        compare(valueAt(old, key), valueAt(now, key), [...at, step]);
      }
      return;
    }
    changes.push({
      at,
      ...(old === undefined ? {} : { before: old }),
      ...(now === undefined ? {} : { after: now }),
    });
  };
  compare(before, after, []);
  return changes;
};

const valueAt = (value: object, key: string): Json | undefined =>
  Object.hasOwn(value, key) ? (value as Readonly<Record<string, Json>>)[key] : undefined;
