/**
 * Who has to do with a worker of a pool: what it runs, who owns it, who holds it, who waits for it. Contracts only.
 *
 * Invariant: all of them are told in the turn in which it happens, and none of them may throw.
 */
import type { TroupeError } from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import type { EventStream } from '../base/telemetry.ts';
import type { PoolWorker } from './pool-worker.ts';
import type { WorkerFailure } from './worker-port.ts';

/** What a worker runs. Exactly one of the four endings is told. */
export interface Assignment {
  readonly name: string;
  readonly args: unknown;
  /** An instant of `host.monotonic()`; `Infinity` is none. */
  readonly deadline: number;
  /** How many chunks of its result may come at first; left out: it comes as a whole. */
  readonly stream?: number | undefined;
  /** What its caller's context lets go along. */
  readonly context?: Readonly<Record<string, unknown>> | undefined;
  /** A part of the result, of a job with `stream`. */
  chunk?(value: unknown): void;
  /** How far it is. */
  progressed?(value: unknown): void;
  succeeded(value: unknown, now: number): void;
  failed(failure: WorkerFailure, now: number): void;
  /** It gave up, because it was asked to or because it is shutting down. */
  cancelled(now: number): void;
  /** It ended with the job in flight: nobody knows how far it came. */
  died(error: TroupeError, now: number): void;
  /** Its deadline has passed, and it has not ended yet. Told at most once. */
  overdue(): void;
}

/** How a worker is watched and ended. All ms, but the counts. */
export interface WorkerSettings {
  readonly pingEveryMs: number;
  readonly pingTimeoutMs: number;
  readonly pingMisses: number;
  readonly cancelGraceMs: number;
  readonly closeGraceMs: number;
  readonly checkEveryMs: number;
  readonly lookEveryMs: number;
  readonly recycle: {
    readonly maxUses: number;
    readonly maxAgeMs: number;
    readonly ageJitter: number;
  };
}

/** Who has a worker, and hears of it. */
export interface WorkerOwner {
  readonly host: Host;
  readonly events: EventStream;
  readonly path: string;
  readonly settings: WorkerSettings;
  /** It came to take jobs. Comes before it is available for the first time. */
  started(worker: PoolWorker, startMs: number): void;
  /** It takes work from now on. */
  available(worker: PoolWorker): void;
  /** It takes no work any more, though nobody has taken it. */
  unavailable(worker: PoolWorker): void;
  /** Why a worker that is given back should go instead, if it should. */
  worn(worker: PoolWorker): string | undefined;
  /** The last of it is gone. Once. */
  gone(worker: PoolWorker): void;
}

/** Who holds a worker between jobs. */
export interface WorkerHolder {
  /** It is gone. Once, and only while held. */
  lost(): void;
}

/** Whoever waits for the same worker to start and to end: its actor. */
export interface WorkerWatcher {
  started(): void;
  gone(): void;
}
