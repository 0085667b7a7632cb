/**
 * The sessions of a pool, as its users see them: which worker each is with, bound by use or by hand. Contract and adapter; the table
 * keeps them.
 */
import { createError } from '../base/errors.ts';

/** What has come of the sessions. Counts are since the pool's place was made. */
export interface SessionStats {
  /** Remembered now. */
  readonly total: number;
  /** By the worker's id. */
  readonly perWorker: Readonly<Record<string, number>>;
  /** Uses on the worker that the session was with. */
  readonly hits: number;
  /** Uses on another one, because its own was busy. */
  readonly misses: number;
  /** Given another worker, because their own was lost or somebody wanted it so. */
  readonly rebound: number;
  /** Forgotten because they were not used. */
  readonly expired: number;
  /** Forgotten because there were too many. */
  readonly evicted: number;
}

/** Reached by `pool.sessions`. Workers are named by their ids, as `pool.inspect()` and leases give them. */
export interface PoolSessions {
  /**
   * Binds a session to a worker: the named one, or the one with the fewest sessions. Returns its id. A session that was with another is
   * rebound.
   *
   * @throws ERR_POOL_NO_WORKER: there is no such worker, or none at all
   */
  bind(session: string, worker?: string): string;
  /** The id of the worker that it is with; `undefined`: with none. */
  get(session: string): string | undefined;
  /** Forgets it; `false` where it was not known. */
  unbind(session: string): boolean;
  /** Binds many, each to the worker with the fewest; by session, the worker's id. */
  bindAll(sessions: Iterable<string>): ReadonlyMap<string, string>;
  /** The workers of many; those with none are left out. */
  getAll(sessions: Iterable<string>): ReadonlyMap<string, string>;
  /** Forgets many, or all; how many were known. */
  unbindAll(sessions?: Iterable<string>): number;
  /** Forgets all that are with a worker; how many that were. */
  unbindWorker(worker: string): number;
  stats(): SessionStats;
}

/** What {@link sessionsOf} needs of the desk. */
export interface SessionDesk<W extends { readonly id: string }> {
  readonly path: string;
  readonly sessions: {
    bind(session: string, worker: W, now: number): void;
    workerOf(session: string, now: number): W | undefined;
    unbind(session: string): boolean;
    unbindAll(worker: W): number;
    clear(): number;
    stats(now: number): SessionStats;
  };
  readonly workers: readonly W[];
  /** Of these, those that take work, now or when they are given back. */
  readonly fitWorkers: readonly W[];
  /** Of some, the one with the fewest sessions. */
  leastBound(workers: Iterable<W>): W | undefined;
  now(): number;
}

/** The sessions of a desk, for people. */
export const sessionsOf = <W extends { readonly id: string }>(desk: SessionDesk<W>): PoolSessions => {
  const { sessions } = desk;
  const named = (id: string): W | undefined => desk.workers.find((worker) => worker.id === id);
  const bind = (session: string, id?: string): string => {
    const worker = id === undefined ? desk.leastBound(desk.fitWorkers) : named(id);
    if (worker === undefined)
      throw createError('ERR_POOL_NO_WORKER', { pool: desk.path, worker: id ?? 'any' });
    sessions.bind(session, worker, desk.now());
    return worker.id;
  };
  const get = (session: string): string | undefined => sessions.workerOf(session, desk.now())?.id;
  return {
    bind,
    get,
    unbind: (session) => sessions.unbind(session),
    bindAll: (all) => new Map([...all].map((session) => [session, bind(session)])),
    getAll: (all) =>
      new Map(
        [...all].flatMap((session) => {
          const worker = get(session);
          return worker === undefined ? [] : [[session, worker] as const];
        }),
      ),
    unbindAll: (all) =>
      all === undefined ? sessions.clear() : [...all].filter((session) => sessions.unbind(session)).length,
    unbindWorker: (id) => {
      const worker = named(id);
      return worker === undefined ? 0 : sessions.unbindAll(worker);
    },
    stats: () => sessions.stats(desk.now()),
  };
};
