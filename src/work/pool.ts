/**
 * `pool(…)`: workers of one or several kinds, leased, watched and replaced. The spec, the logic and the handle; the desk brings
 * jobs and workers together, the crew keeps the workers.
 *
 * Invariants: jobs run in their callers' and workers' turns, never in the pool's; a pool that stops finishes what it let in as
 * far as its allowance goes, then tells whoever is left and leaves no worker behind.
 */
import { NO_DEADLINE } from '../base/deadline.ts';
import { createError } from '../base/errors.ts';
import { msOrInfinity, resolveOptions } from '../base/options.ts';
import type { ActorContext, Behaviour, Handle, Inspection, Logic, Place } from '../kernel/logic.ts';
import type { ExitReason } from '../kernel/reason.ts';
import type { Ref } from '../kernel/ref.ts';
import { createSpec, type Spec } from '../kernel/spec.ts';
import { Crew } from './crew.ts';
import { Desk, type PoolCounts } from './desk.ts';
import type { Lease } from './lease.ts';
import {
  type CheckoutOptions,
  type JobOptions,
  type PoolOptions,
  type ResolvedPoolOptions,
  resolvePool,
} from './pool-options.ts';
import type { PoolWorker } from './pool-worker.ts';
import type { WorkerTransition } from './worker-history.ts';

/** One worker, as {@link PoolHandle.inspect} shows it. */
export interface WorkerInspection {
  readonly id: string;
  readonly kind: string;
  /** The place it fills, from 0. */
  readonly seat: number;
  readonly pid: number | undefined;
  readonly state: string;
  readonly health: string;
  /** The instant on `host.monotonic()` since which it is in that state. */
  readonly sinceMs: number;
  /** The job it runs. */
  readonly job: string | undefined;
  /** Jobs it has answered, well or not. */
  readonly jobsDone: number;
  /** Answers nobody waited for. */
  readonly dropped: number;
  /** Its last transitions, oldest first; at most 32. */
  readonly history: readonly WorkerTransition[];
}

/** A pool, as {@link PoolHandle.inspect} shows it. Never payloads. */
export interface PoolInspection {
  /** `absent` while it has no incarnation. */
  readonly state: string;
  readonly size: number;
  readonly workers: readonly WorkerInspection[];
  /** Jobs and wishes for leases that wait. */
  readonly waiting: number;
  /** Workers that could take a job now. */
  readonly idle: number;
  /** Leases that are held. */
  readonly leases: number;
  /** Crashes with no job done between them. */
  readonly crashesInRow: number;
  readonly counts: Readonly<PoolCounts>;
}

/** Options of {@link PoolHandle.drain}. */
export interface DrainOptions {
  /** How long jobs and leases may go on, ms. `Infinity`: as long as they like. */
  readonly timeoutMs?: number;
}

/** What outside code uses. It follows restarts. */
export interface PoolHandle extends Handle {
  /**
   * Runs a job on a worker and resolves with what its handler returned, which `T` claims and nobody checks. One deadline covers the
   * wait, the run and the retries.
   *
   * @throws ERR_POOL_QUEUE_FULL, ERR_POOL_DEGRADED, ERR_POOL_DRAINING, ERR_POOL_ABORTED, ERR_POOL_CHECKOUT_TIMEOUT,
   *   ERR_JOB_INVALID: it never ran; ERR_JOB_FAILED: its handler threw; ERR_JOB_TIMEOUT, ERR_JOB_ABORTED,
   *   ERR_WORKER_EXITED, ERR_WORKER_PROTOCOL, ERR_JOB_CUT_OFF, ERR_CALLEE_ENDED: how far it came is unknown
   */
  run<T = unknown>(name: string, args?: unknown, options?: JobOptions): Promise<T>;
  /**
   * Takes a worker for a while; jobs of others do not come between. Release it, or use `await using`.
   *
   * @throws what `run` throws before a job runs
   */
  lease(options?: CheckoutOptions): Promise<Lease>;
  /** Takes a worker for the time of `work`, and gives it back however that ends. */
  use<T>(work: (lease: Lease) => T | PromiseLike<T>, options?: CheckoutOptions): Promise<T>;
  /** Whether a job brought now would be let in. Costs nothing; ask before taking on work. */
  canAccept(): boolean;
  /**
   * Lets nothing more in, finishes what was let in, then closes the workers. Resolves when they are gone. What is left after
   * `timeoutMs` (default: the pool's `shutdownMs`) is told so. Idempotent; it does not end the pool's actor, whose restart opens it
   * again.
   */
  drain(options?: DrainOptions): Promise<void>;
  inspect(): PoolInspection;
}

const DRAIN_FIELDS = { timeoutMs: msOrInfinity(0) };

class Pool implements PoolHandle {
  readonly #place: Place;
  readonly #desk: Desk;
  readonly #options: ResolvedPoolOptions;

  constructor(place: Place, options: ResolvedPoolOptions) {
    this.#place = place;
    this.#desk = place.shared as Desk;
    this.#options = options;
  }

  get path(): string {
    return this.#place.path;
  }

  ref(): Ref | undefined {
    return this.#place.ref();
  }

  run<T>(name: string, args?: unknown, options?: JobOptions): Promise<T> {
    return this.#desk.run(name, args, options) as Promise<T>;
  }

  lease(options?: CheckoutOptions): Promise<Lease> {
    return this.#desk.lease(options);
  }

  async use<T>(work: (lease: Lease) => T | PromiseLike<T>, options?: CheckoutOptions): Promise<T> {
    const lease = await this.#desk.lease(options);
    try {
      return await work(lease);
    } finally {
      lease.release();
    }
  }

  canAccept(): boolean {
    return this.#desk.canAccept();
  }

  async drain(options?: DrainOptions): Promise<void> {
    const { shutdownMs } = this.#options;
    const defaults = { timeoutMs: typeof shutdownMs === 'number' ? shutdownMs : 0 };
    const { timeoutMs } = resolveOptions(`drain of pool ${this.path}`, options, DRAIN_FIELDS, defaults);
    await this.#desk.keeper?.drain(this.#desk.now() + timeoutMs, 'shutdown');
  }

  inspect(): PoolInspection {
    const { keeper, waiting, idle, leases, crashesInRow, counts } = this.#desk;
    return {
      state: keeper?.state ?? 'absent',
      size: this.#options.size,
      workers: (keeper?.workers ?? []).map(showWorker),
      waiting,
      idle,
      leases,
      crashesInRow,
      counts: { ...counts },
    };
  }
}

const showWorker = (worker: PoolWorker): WorkerInspection => ({
  id: worker.id,
  kind: worker.kind,
  seat: worker.seat,
  pid: worker.pid,
  ...worker.states,
  job: worker.jobName,
  jobsDone: worker.jobsDone,
  dropped: worker.dropCount,
  history: worker.history(),
});

/** Kept of an allowance beyond the workers' grace, ms: their kills take a moment to arrive. */
const CLOSE_MARGIN_MS = 500;

class PoolActor implements Behaviour {
  readonly #context: ActorContext;
  readonly #desk: Desk;
  readonly #crew: Crew;

  constructor(context: ActorContext, options: ResolvedPoolOptions) {
    this.#context = context;
    this.#desk = context.place.shared as Desk;
    this.#crew = new Crew(context, this.#desk, options);
    this.#crew.begin();
  }

  tell(): void {}

  /** Jobs come in through the handle; this is only for those that found no incarnation and reached one after all. */
  call(): never {
    throw createError('ERR_RESTARTING', { target: this.#context.path, retryAfterMs: 0 }, { stack: false });
  }

  shutdown(reason: ExitReason): Promise<void> {
    const { stopDeadline } = this.#context;
    const leftMs = Math.max(0, stopDeadline - this.#desk.now());
    const reserveMs = Math.min(this.#crew.settings.closeGraceMs + CLOSE_MARGIN_MS, leftMs / 2);
    return this.#crew.drain(stopDeadline === NO_DEADLINE ? stopDeadline : stopDeadline - reserveMs, reason);
  }

  reap(reason: ExitReason): void {
    this.#crew.end(reason);
  }

  inspect(): Inspection {
    const { waiting, idle, leases } = this.#desk;
    const absent = this.#crew.vacancies.map(({ index, kind, waits }) => ({
      id: `place ${index}`,
      kind,
      status: waits ? 'backing off' : 'vacant',
    }));
    const facts = { workers: this.#crew.workers.length, idle, waiting, leases };
    return { state: this.#crew.state, ready: this.#crew.isReady, facts, absent };
  }
}

/**
 * A pool of workers, as a spec: start it in a tree, and `app.get(spec)` gives its {@link PoolHandle}. Defaults: 4 workers, 5,000 ms
 * until a job must have one, 1,000 jobs waiting, 30,000 ms a job, not retried, 5 crashes in a row a crash loop.
 *
 * It does not start where a worker's module does not exist (ERR_WORKER_START). It is ready for an application's health while a worker is
 * fit and jobs are let in.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const pool = (id: string, options: PoolOptions): Spec<PoolHandle> => {
  const resolved = resolvePool(`pool ${String(id)}`, options);
  const { restart, shutdownMs, description } = resolved;
  const logic: Logic<PoolHandle> = {
    kind: 'pool',
    share: (place) => new Desk(place, resolved),
    start: (context) => {
      for (const kind of resolved.kinds) kind.verify?.();
      return new PoolActor(context, resolved);
    },
    handle: (place) => new Pool(place, resolved),
  };
  return createSpec(id, logic, {
    restart,
    shutdownMs,
    ...(description === undefined ? {} : { description }),
  });
};
