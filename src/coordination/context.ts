/**
 * Context: what an operation knows wherever its code runs, each thing under a typed key.
 *
 * Invariant: a context never changes. Who sets something makes a copy, for what runs inside; whoever runs beside it, before it or
 * after it sees nothing of that. It is a value, to be handed on as it is; until somebody first enters one, nothing is paid for
 * that possibility. Values are kept by the names of their keys, so that a module that is loaded twice still finds its own.
 */
import { ambient, inAmbient } from '../base/ambient.ts';
import { NO_DEADLINE } from '../base/deadline.ts';
import { anything, check, fits, flag, fn, refuse, resolveOptions } from '../base/options.ts';

/** A value for a key; made by the key. */
export interface ContextEntry {
  readonly key: ContextKey<unknown>;
  readonly value: unknown;
}

/** What something is known by in a context. */
export interface ContextKey<T> {
  readonly name: string;
  /** What a context gives in which nobody has set it. */
  readonly default: T;
  /** Whether it goes along with jobs, to workers too. */
  readonly carried: boolean;
  of(value: T): ContextEntry;
  /** What holds inside, of what held outside and what is set. */
  combine(outer: T, inner: T): T;
}

export interface ContextKeyOptions<T> {
  readonly default: T;
  /**
   * Goes along with jobs that are given the context, and is read there as `job.context`. Its values have to be JSON, since workers
   * may be other processes. Default `false`.
   */
  readonly carried?: boolean;
  /** For what may only become less, or only more: what holds inside. Default: what is set. */
  readonly combine?: (outer: T, inner: T) => T;
}

/** One or several entries. */
export type ContextChanges = ContextEntry | readonly ContextEntry[];

/** What an operation knows. */
export interface Context {
  get<T>(key: ContextKey<T>): T;
  /** Whether it was set, be it to the default. */
  has(key: Pick<ContextKey<unknown>, 'name'>): boolean;
  /** A copy in which these hold. */
  with(changes: ContextChanges): Context;
  /** Runs `work` in it, with all that it awaits, and the timers and tasks it starts. */
  run<T>(work: (context: Context) => T): T;
  /** A function that runs in it, whoever calls it: for callbacks, and for timers of a `Host`. */
  bind<A extends readonly unknown[], R>(callback: (...args: A) => R): (...args: A) => R;
  /** The instant of `host.monotonic()` by which the operation is to be over; `Infinity` is none. */
  readonly deadline: number;
  /** What goes along with a job, by the names of the keys; `undefined` if nothing does. */
  carried(): Readonly<Record<string, unknown>> | undefined;
}

/** Built-in keys are named so. */
const RESERVED = /^troupe\./;
/** What no frame may have as a key. */
const FORBIDDEN = ['__proto__', 'constructor', 'prototype'];

const keyName = fits<string>(
  "a name of at most 100 characters, not beginning with 'troupe.'",
  (value) =>
    typeof value === 'string' &&
    /^\S{1,100}$/.test(value) &&
    !RESERVED.test(value) &&
    !FORBIDDEN.includes(value),
);

const KEY_FIELDS = {
  default: anything,
  carried: flag,
  combine: fn<(outer: unknown, inner: unknown) => unknown>(),
} as const;

const KEY_DEFAULTS = { carried: false, combine: (_outer: unknown, inner: unknown) => inner };

const inner = <T>(_outer: T, set: T): T => set;

/** For keys of troupe itself: any name. */
export const makeKey = <T>(name: string, options: ContextKeyOptions<T>): ContextKey<T> => {
  const { default: value, carried = false, combine = inner } = options;
  const key: ContextKey<T> = Object.freeze({
    name,
    default: value,
    carried,
    combine,
    of: (given: T): ContextEntry => Object.freeze({ key: key as ContextKey<unknown>, value: given }),
  });
  return key;
};

/**
 * A key of your own: `const tenant = contextKey<string | undefined>('tenant', { default: undefined, carried: true })`. Two keys of one
 * name are one key: prefix those of a library.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const contextKey = <T>(name: string, options: ContextKeyOptions<T>): ContextKey<T> => {
  const where = 'contextKey';
  check(where, 'name', keyName, name);
  resolveOptions(`${where} ${name}`, options, KEY_FIELDS, KEY_DEFAULTS);
  return makeKey(name, options);
};

/** The instant by which the operation is to be over. It only ever becomes sooner. */
export const DEADLINE: ContextKey<number> = makeKey('troupe.deadline', {
  default: NO_DEADLINE,
  combine: Math.min,
});

const isEntry = (value: unknown): value is ContextEntry => {
  const { key } = (value ?? {}) as Partial<ContextEntry>;
  return typeof key?.of === 'function' && typeof key.name === 'string';
};

const entriesOf = (changes: ContextChanges): readonly ContextEntry[] => {
  const entries = Array.isArray(changes) ? (changes as readonly ContextEntry[]) : [changes as ContextEntry];
  if (entries.every(isEntry)) return entries;
  return refuse('context', 'changes', 'entries as key.of(value) makes them', changes);
};

class OperationContext implements Context {
  readonly #entries: ReadonlyMap<string, ContextEntry>;
  #carried: Readonly<Record<string, unknown>> | undefined;
  #looked = false;

  constructor(entries: ReadonlyMap<string, ContextEntry>) {
    this.#entries = entries;
  }

  get deadline(): number {
    return this.get(DEADLINE);
  }

  get<T>(key: ContextKey<T>): T {
    const entry = this.#entries.get(key.name);
    return entry === undefined ? key.default : (entry.value as T);
  }

  has(key: Pick<ContextKey<unknown>, 'name'>): boolean {
    return this.#entries.has(key.name);
  }

  with(changes: ContextChanges): Context {
    const entries = new Map(this.#entries);
    for (const entry of entriesOf(changes)) {
      const { key, value } = entry;
      const outer = entries.get(key.name);
      const next = outer === undefined ? value : key.combine(outer.value, value);
      entries.set(key.name, next === value ? entry : key.of(next));
    }
    return new OperationContext(entries);
  }

  run<T>(work: (context: Context) => T): T {
    return inAmbient(this.#ambient, () => work(this));
  }

  bind<A extends readonly unknown[], R>(callback: (...args: A) => R): (...args: A) => R {
    return (...args) => inAmbient(this.#ambient, () => callback(...args));
  }

  carried(): Readonly<Record<string, unknown>> | undefined {
    if (this.#looked) return this.#carried;
    this.#looked = true;
    const pairs = [...this.#entries.values()]
      .filter(({ key, value }) => key.carried && value !== undefined)
      .map(({ key, value }) => [key.name, value] as const);
    if (pairs.length > 0) this.#carried = Object.freeze(Object.fromEntries(pairs));
    return this.#carried;
  }

  /** To be in the empty one is to be in none, and costs nothing. */
  get #ambient(): Context | undefined {
    return this.#entries.size === 0 ? undefined : this;
  }
}

/** The one in which nothing is set. */
export const EMPTY_CONTEXT: Context = /* @__PURE__ */ new OperationContext(new Map());

/** The context in which this code runs; where nobody has set any, the empty one. */
export const currentContext = (): Context => (ambient() as Context | undefined) ?? EMPTY_CONTEXT;

/**
 * Runs `work` in a copy of the current context in which the changes hold: `withContext(tenant.of('acme'), () => …)`. What runs beside
 * it, and what runs after it, has none of them. The first call makes every await of a Node 20 process about 2.8 times as slow;
 * where that matters hand a {@link Context} on as a value.
 *
 * @throws ERR_OPTION_INVALID, and what `work` throws
 */
export const withContext = <T>(changes: ContextChanges, work: (context: Context) => T): T =>
  currentContext().with(changes).run(work);

/**
 * The context of a job, made of what came along with it: `contextFrom(job.context).get(tenant)`. It has what was carried, nothing else.
 *
 * @throws ERR_OPTION_INVALID
 */
export const contextFrom = (carried: Readonly<Record<string, unknown>> | undefined): Context => {
  if (carried === undefined) return EMPTY_CONTEXT;
  if (typeof carried !== 'object' || carried === null || Array.isArray(carried))
    return refuse('contextFrom', 'carried', 'what a job has as its context', carried);
  const entries = Object.entries(carried).map(([name, value]): [string, ContextEntry] => [
    name,
    makeKey<unknown>(name, { default: undefined, carried: true }).of(value),
  ]);
  return entries.length === 0 ? EMPTY_CONTEXT : new OperationContext(new Map(entries));
};
