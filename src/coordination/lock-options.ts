/** What locks and claims can be given, and what holds where nothing was. */
import type { Host } from '../base/host.ts';
import { fits, flag, fn, integer, msOrInfinity, object, oneOf, text } from '../base/options.ts';
import type { EventStream } from '../base/telemetry.ts';
import type { Awaitable } from '../kernel/logic.ts';
import type { LockLease } from './lock-lease.ts';
import type { LockMode, LockStore } from './lock-store.ts';

/** What runs while the lock is held. */
export type LockWork<T> = (lease: LockLease) => Awaitable<T>;

export interface LocksOptions {
  /** Names them in errors and events. Default `'locks'`. */
  readonly name?: string;
  /** Default: the real one. */
  readonly host?: Host;
  /** Where their events go. Default: a stream of their own. */
  readonly events?: EventStream;
  /** How many units of one key may be held at once: 1 is a lock, more a counting semaphore. Default 1. */
  readonly permits?: number;
  /** How many claims may wait for one key; beyond that they are refused at once. Default 1,000. */
  readonly maxWaiting?: number;
  /** How long a claim waits at most, ms. Default 5,000. */
  readonly maxWaitMs?: number;
  /** How long a lease lasts unless its holder sends a heartbeat, ms. Default `Infinity`: until it is released. */
  readonly ttlMs?: number;
  /** Whether an owner that holds a key may take it again. Default `false`: that is an error. */
  readonly reentrant?: boolean;
  /** Where the locks are kept. Default: in this process. */
  readonly store?: LockStore;
}

export interface LockOptions {
  /**
   * The line of work that claims: an actor's context, a scope, or any string or object. Its leases are freed when it ends
   * (`releaseAll`, or by itself where it has `onEnd`). Give each line an owner of its own. Default: nobody in particular.
   */
  readonly owner?: unknown;
  /** Default `'exclusive'`. */
  readonly mode?: LockMode;
  /** How many permits of the key an exclusive claim takes. Default 1. */
  readonly units?: number;
  /** How long this claim waits at most, ms. */
  readonly maxWaitMs?: number;
  readonly ttlMs?: number;
  readonly reentrant?: boolean;
  /**
   * Asked three times in every `ttlMs` whether the holder still lives: while it says yes the lease is renewed; when it says no
   * (or throws) the lock is freed at once. Needs a finite `ttlMs`.
   */
  readonly isAlive?: () => boolean;
  /** An instant of `host.monotonic()` that bounds the wait, and with `use` the work. */
  readonly deadline?: number;
  /** Ends the wait, and with `use` the call, at once. The lock is held until the work itself is over. */
  readonly signal?: AbortSignal;
}

export const LOCKS_DEFAULTS = Object.freeze({
  name: 'locks',
  permits: 1,
  maxWaiting: 1_000,
  maxWaitMs: 5_000,
  ttlMs: Number.POSITIVE_INFINITY,
  reentrant: false,
});

export const LOCKS_FIELDS = {
  name: text,
  host: object<Host>('a Host'),
  events: object<EventStream>('an EventStream'),
  permits: integer(1),
  maxWaiting: integer(0),
  maxWaitMs: msOrInfinity(0),
  ttlMs: msOrInfinity(1),
  reentrant: flag,
  store: object<LockStore>('a LockStore'),
} as const;

export const LOCK_FIELDS = {
  owner: fits<string | object>(
    'a non-empty string or an object',
    (value) => (typeof value === 'string' && value !== '') || (typeof value === 'object' && value !== null),
  ),
  mode: oneOf('exclusive', 'shared'),
  units: integer(1),
  maxWaitMs: msOrInfinity(0),
  ttlMs: msOrInfinity(1),
  reentrant: flag,
  isAlive: fn<() => boolean>(),
  deadline: fits<number>(
    'an instant of host.monotonic(), ms',
    (v) => typeof v === 'number' && !Number.isNaN(v),
  ),
  signal: object<AbortSignal>('an AbortSignal'),
} as const;
