/**
 * `sessionPool(…)`: sessions of an executor that stand ready, for whoever needs one for a while. The spec and the handle; a pool of `work/` with
 * a session in each of its places does the waiting, the sizes, the turns and the replacing.
 *
 * Invariants: never more sessions than `max`, starting ones included; one holder at a time; nobody is given a session in which another user's
 * code has run, unless `between` says so; what is given back busy, worn or dead is made anew before the next holder has it. Sessions are the
 * executor's children: their processes are supervised there.
 */

import {
  either,
  fits,
  integer,
  ms,
  msOrInfinity,
  object,
  oneOf,
  refuse,
  resolveOptions,
  text,
} from '../base/options.ts';
import type { Handle, Logic, Place } from '../kernel/logic.ts';
import { PlaceHandle } from '../kernel/place-handle.ts';
import { createSpec, isSpec, type Spec } from '../kernel/spec.ts';
import { inProcess } from '../work/in-process.ts';
import type { Lease } from '../work/lease.ts';
import { type PoolHandle, type PoolInspection, pool } from '../work/pool.ts';
import type { SizeRange } from '../work/pool-options.ts';
import type { ExecutorHandle } from './executor.ts';
import type { Session } from './session.ts';
import type { SessionOptions } from './session-options.ts';
import { SessionSeat } from './session-seat.ts';

/** When a session gets another process though it is well. It happens when it is given back. */
export interface SessionRecycling {
  /** After so many executions in one process. Default 100. */
  readonly executions?: number;
  /** When the session has been there for so long and is free, ms. Default `Infinity`. */
  readonly ageMs?: number;
  /** At so many resident bytes. Default `Infinity`. */
  readonly memoryBytes?: number;
}

/**
 * What becomes of a session between two users: `restart`: another process; `clear`: the same process with an empty namespace, so that imported
 * modules and what they hold stay; `keep`: nothing.
 */
export type BetweenUsers = 'restart' | 'clear' | 'keep';

/** Options of {@link sessionPool}. Times in ms. */
export interface SessionPoolOptions {
  /** Whose sessions they are. It must stand in the same tree, before this. */
  readonly executor: Spec<ExecutorHandle>;
  /** What each session is: as for `executor.session`, without an id and a user. */
  readonly session: Omit<SessionOptions, 'id' | 'user'>;
  /** How many stand ready, and how many there are at most. Default 2 and 10. */
  readonly size?: SizeRange;
  /** A session beyond `min` that nobody used for this long ends. Default 300,000. */
  readonly idleMs?: number;
  /** How long whoever acquires waits. Default 5,000. */
  readonly acquireMs?: number;
  /** How many may wait. Default 1,000. */
  readonly queueLimit?: number;
  readonly recycle?: SessionRecycling;
  /** Default `'restart'`. */
  readonly between?: BetweenUsers;
  /** For how long a user's last session is remembered, so that he gets it again where it is free. Default 300,000. */
  readonly affinityMs?: number;
  /** How often idle sessions are looked at. Default 30,000. */
  readonly checkEveryMs?: number;
}

/** Options of `acquire`. */
export interface AcquireOptions {
  /** Whose it will be: he gets the one that he had, where that is free, with all that he left in it. */
  readonly user?: string;
  /** Default: the pool's `acquireMs`. */
  readonly timeoutMs?: number;
  /** Takes the wish back, or gives back what was acquired, as a lease of a pool. */
  readonly signal?: AbortSignal;
}

/** A session for a while. */
export interface PooledSession extends AsyncDisposable {
  readonly session: Session;
  /** Gives it back: at once for its holder, for the next one when it is fit again. Idempotent; does not reject. */
  release(): Promise<void>;
}

/** A pool of sessions, as {@link SessionPoolHandle.inspect} shows it. */
export interface SessionPoolInspection {
  readonly size: SizeRange;
  /** Sessions that are there or starting. */
  readonly sessions: number;
  readonly idle: number;
  readonly held: number;
  readonly waiting: number;
  /** How often a session got another process because it was worn, busy or another user's. */
  readonly recycled: number;
  /** The pool beneath. */
  readonly pool: PoolInspection;
}

/** What outside code uses. It follows restarts. */
export interface SessionPoolHandle extends Handle {
  /**
   * A session of one's own, as soon as one is free or has been started.
   *
   * @throws ERR_POOL_CHECKOUT_TIMEOUT, ERR_POOL_QUEUE_FULL, ERR_POOL_DEGRADED: sessions fail to start; ERR_POOL_DRAINING,
   *   ERR_POOL_ABORTED, ERR_WORKER_START, ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
   */
  acquire(options?: AcquireOptions): Promise<PooledSession>;
  /** Has a session for the time of `work`, and gives it back however that ends. */
  use<T>(work: (session: Session) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T>;
  /** Resolves when the least number of sessions stands ready. @throws ERR_POOL_NOT_READY */
  ready(timeoutMs?: number): Promise<void>;
  inspect(): SessionPoolInspection;
}

export const SESSION_POOL_DEFAULTS = Object.freeze({
  size: Object.freeze({ min: 2, max: 10 }) as SizeRange,
  idleMs: 300_000,
  acquireMs: 5_000,
  queueLimit: 1_000,
  between: 'restart' as BetweenUsers,
  affinityMs: 300_000,
  checkEveryMs: 30_000,
});

export const SESSION_RECYCLING_DEFAULTS = Object.freeze({
  executions: 100,
  ageMs: Number.POSITIVE_INFINITY,
  memoryBytes: Number.POSITIVE_INFINITY,
});

const endless = fits<number>('Infinity', (v) => v === Number.POSITIVE_INFINITY);
const FIELDS = {
  executor: fits<Spec<ExecutorHandle>>('the spec of a codeExecutor', isSpec),
  session: object<SessionPoolOptions['session']>('the options of a session'),
  size: object<SizeRange>('{ min, max }'),
  idleMs: ms(1),
  acquireMs: msOrInfinity(1),
  queueLimit: integer(0),
  recycle: object<SessionRecycling>(),
  between: oneOf('restart', 'clear', 'keep'),
  affinityMs: ms(1),
  checkEveryMs: msOrInfinity(1),
};
const RECYCLING_FIELDS = {
  executions: either(integer(1), endless),
  ageMs: msOrInfinity(1),
  memoryBytes: either(integer(1), endless),
};
const ACQUIRE_FIELDS = {
  user: text,
  timeoutMs: msOrInfinity(0),
  signal: object<AbortSignal>('an AbortSignal'),
};

type Resolved = Omit<SessionPoolOptions, 'recycle'> &
  typeof SESSION_POOL_DEFAULTS & { readonly recycle: Required<SessionRecycling> };

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
const resolve = (where: string, options: SessionPoolOptions): Resolved => {
  const resolved = resolveOptions(where, options, FIELDS, SESSION_POOL_DEFAULTS);
  if (resolved.executor === undefined) refuse(where, 'executor', FIELDS.executor.expected, undefined);
  if (resolved.session === undefined) refuse(where, 'session', FIELDS.session.expected, undefined);
  const recycle = resolveOptions(
    `${where}.recycle`,
    options.recycle,
    RECYCLING_FIELDS,
    SESSION_RECYCLING_DEFAULTS,
  );
  return { ...resolved, recycle } as Resolved;
};

/** What belongs to one place in a tree, and outlives the incarnations of its pool. */
interface Shared {
  readonly inner: Logic<PoolHandle>;
  recycled: number;
}

/** By what the pool beneath shares. */
const SHARED = new WeakMap<object, Shared>();
const sharedOf = (place: Place): Shared => SHARED.get(place.shared as object) as Shared;

class HeldSession implements PooledSession {
  readonly session: Session;
  readonly #seat: SessionSeat;
  readonly #lease: Lease;
  #released: Promise<void> | undefined;

  constructor(session: Session, seat: SessionSeat, lease: Lease) {
    this.session = session;
    this.#seat = seat;
    this.#lease = lease;
  }

  release(): Promise<void> {
    this.#released ??= this.#seat.leave().then(() => this.#lease.release());
    return this.#released;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}

class PlacedSessionPool extends PlaceHandle implements SessionPoolHandle {
  readonly #inner: PoolHandle;
  readonly #shared: Shared;
  readonly #options: Resolved;

  constructor(place: Place, options: Resolved) {
    super(place);
    this.#shared = sharedOf(place);
    this.#inner = this.#shared.inner.handle(place);
    this.#options = options;
  }

  async acquire(options?: AcquireOptions): Promise<PooledSession> {
    const { acquireMs } = this.#options;
    const defaults = { timeoutMs: acquireMs };
    const resolved = resolveOptions(`acquire of ${this.path}`, options, ACQUIRE_FIELDS, defaults);
    const { user, timeoutMs, signal } = resolved as AcquireOptions & typeof defaults;
    const lease = await this.#inner.lease({
      timeoutMs,
      signal,
      ...(user === undefined ? {} : { session: user, key: user, holder: user }),
    });
    try {
      const seat = await lease.run<SessionSeat>(SEAT);
      return new HeldSession(await seat.enter(user), seat, lease);
    } catch (error) {
      lease.release();
      throw error;
    }
  }

  async use<T>(work: (session: Session) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T> {
    const held = await this.acquire(options);
    try {
      return await work(held.session);
    } finally {
      await held.release();
    }
  }

  async ready(timeoutMs = READY_MS): Promise<void> {
    await this.#inner.ready({ timeoutMs });
  }

  inspect(): SessionPoolInspection {
    const pool = this.#inner.inspect();
    const { size, workers, idle, leases, waiting } = pool;
    const { recycled } = this.#shared;
    return { size, sessions: workers.length, idle, held: leases, waiting, recycled, pool };
  }
}

/** The job by which whoever has a lease learns which seat it is. */
const SEAT = 'seat';
const READY_MS = 30_000;
/** A session closes within its executor's grace; the pool gives it a little longer, ms. */
const CLOSE_GRACE_MS = 10_000;

const poolAt = (place: Place, options: Resolved, counts: { recycled: number }): Spec<PoolHandle> => {
  const { executor, session, recycle, between, size, idleMs, acquireMs, queueLimit } = options;
  const newSeat = (): SessionSeat =>
    new SessionSeat({
      executor: place.system.get(executor),
      options: session,
      recycle,
      between,
      recycled: () => {
        counts.recycled += 1;
      },
    });
  const worker = inProcess<SessionSeat>({
    name: 'session',
    create: () => newSeat().open(),
    check: (seat) => seat.isWell,
    destroy: (seat) => seat.close(),
    handlers: { [SEAT]: (_, { resource }) => resource },
  });
  return pool(place.spec.id, {
    worker,
    size,
    scaling: { idleMs },
    checkoutMs: acquireMs,
    queueLimit,
    affinity: { ttlMs: options.affinityMs },
    recycle: { maxAgeMs: recycle.ageMs },
    // A start has its deadline in the session's own chart.
    startTimeoutMs: Number.POSITIVE_INFINITY,
    closeGraceMs: CLOSE_GRACE_MS,
    checkEveryMs: options.checkEveryMs,
  });
};

/**
 * A pool of warm sessions, as a spec: start it in a tree behind the executor whose sessions it keeps. Defaults: 2 sessions stand ready, 10 are
 * the most, one beyond the least ends after 300,000 ms without use, and each gets another process after 100 executions.
 *
 * Sessions that fail to start are tried again with growing delays; after 5 failures in a row whoever waits is told so (ERR_POOL_DEGRADED).
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const sessionPool = (id: string, options: SessionPoolOptions): Spec<SessionPoolHandle> => {
  const resolved = resolve(`session pool ${String(id)}`, options);
  const logic: Logic<SessionPoolHandle> = {
    kind: 'session pool',
    share: (place) => {
      const counts = { recycled: 0 };
      const inner = poolAt(place, resolved, counts).logic as Logic<PoolHandle>;
      const intake = inner.share?.(place) as object;
      SHARED.set(intake, Object.assign(counts, { inner }));
      return intake;
    },
    start: (context, input) => sharedOf(context.place).inner.start(context, input),
    handle: (place) => new PlacedSessionPool(place, resolved),
  };
  return createSpec(id, logic, { shutdownMs: CLOSE_GRACE_MS + READY_MS });
};
