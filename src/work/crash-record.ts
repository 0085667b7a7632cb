/**
 * The crashes of a pool's workers: how many in a row, the last one, and what each means for the place it happened in.
 *
 * Invariants: a crash is counted once; those that are older than `forgetMs` count no more, so that no crash is held against a pool for
 * ever; a worker that did a job, or lived for `stableMs`, begins the count of its place anew.
 */
import type { TroupeError } from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import type { EventStream } from '../base/telemetry.ts';
import type { ResolvedPoolOptions } from './pool-options.ts';
import type { PoolWorker } from './pool-worker.ts';
import type { Seat } from './staff.ts';
import { isSuspicious } from './worker-end.ts';

/** Whose workers crash. */
export interface CrashingPool {
  readonly host: Host;
  readonly events: EventStream;
  readonly path: string;
  readonly settings: Pick<ResolvedPoolOptions, 'crashLoop' | 'recycle' | 'replaceBackoff'>;
  readonly workers: readonly PoolWorker[];
}

export class CrashRecord {
  last: TroupeError | undefined;
  readonly #pool: CrashingPool;
  /** Where the count of those in a row is kept, which a job that is done ends. */
  readonly #row: { crashesInRow: number };
  #lastAt = Number.NEGATIVE_INFINITY;

  constructor(pool: CrashingPool, row: { crashesInRow: number }) {
    this.#pool = pool;
    this.#row = row;
  }

  /** That worker has crashed in that place. */
  count(seat: Seat, worker: PoolWorker): void {
    const { host, settings } = this.#pool;
    const now = host.monotonic();
    if (now - this.#lastAt >= settings.crashLoop.forgetMs) this.#row.crashesInRow = 0;
    this.#lastAt = now;
    this.last = worker.crashError();
    this.#row.crashesInRow += 1;
    const proven = worker.jobsSucceeded > 0 || worker.livedMs >= settings.replaceBackoff.stableMs;
    seat.failures = proven ? 1 : seat.failures + 1;
    this.#taint(seat, worker, now);
  }

  /** Its place stays empty for a while, where it died as one does of something poisonous; but not the last one. */
  #taint(seat: Seat, worker: PoolWorker, now: number): void {
    const { events, path, settings, workers } = this.#pool;
    const { taintMs } = settings.recycle;
    const isLast = !workers.some(({ over }) => !over);
    if (taintMs === 0 || isLast || worker.end === undefined || !isSuspicious(worker.end, worker.killed))
      return;
    seat.taintedUntil = now + taintMs;
    const how = worker.describeEnd();
    events.emit('pool.place.tainted', { path, worker: worker.id, how, taintMs });
  }
}
