/**
 * `pool(…)`: workers of one or several kinds, leased, watched and replaced. The spec, the logic and the handle; the desk brings
 * jobs and workers together, the crew keeps the workers.
 *
 * Invariants: jobs run in their callers' and workers' turns, never in the pool's; a pool that stops finishes what it let in as
 * far as its allowance goes, then tells whoever is left and leaves no worker behind.
 */
import { NO_DEADLINE } from '../base/deadline.ts';
import { createError } from '../base/errors.ts';
import { check, integer, msOrInfinity, resolveOptions } from '../base/options.ts';
import type { ActorContext, Behaviour, Handle, Inspection, Logic, Place } from '../kernel/logic.ts';
import type { ExitReason } from '../kernel/reason.ts';
import type { Ref } from '../kernel/ref.ts';
import { createSpec, type Spec } from '../kernel/spec.ts';
import { Crew } from './crew.ts';
import { Desk, type PoolCounts } from './desk.ts';
import type { DeskKeeper } from './desk-keeper.ts';
import type { Durations } from './histogram.ts';
import { Intake, type LeaseHolder } from './intake.ts';
import type { Lease } from './lease.ts';
import {
  type JobOptions,
  type LeaseOptions,
  type PoolOptions,
  type ReplaceOptions,
  type ResolvedPoolOptions,
  rangeOf,
  resolvePool,
  SIZE,
  type SizeRange,
  type StreamOptions,
  WORKERS_MAX,
  windowOf,
} from './pool-options.ts';
import { draining } from './pool-refusals.ts';
import type { PoolWorker } from './pool-worker.ts';
import { type JobStream, ResultStream } from './result-stream.ts';
import { type PoolSessions, type SessionStats, sessionsOf } from './sessions.ts';
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
  /** How often it was taken, for a job or by a lease. */
  readonly uses: number;
  /** How long it was somebody's, ms. */
  readonly busyMs: number;
  /** Sessions that are with it. */
  readonly sessions: number;
  /** Answers nobody waited for. */
  readonly dropped: number;
  /** Its last transitions, oldest first; at most 32. */
  readonly history: readonly WorkerTransition[];
}

/** A pool, as {@link PoolHandle.inspect} shows it. Never payloads. */
export interface PoolInspection {
  /** `absent` while it has no incarnation. */
  readonly state: string;
  /** Whether those who wait are kept waiting by a pause. */
  readonly paused: boolean;
  readonly size: SizeRange;
  /** How many workers there should be now, within `size`. */
  readonly wanted: number;
  readonly workers: readonly WorkerInspection[];
  /** Jobs and wishes for leases that wait. */
  readonly waiting: number;
  /** How many may wait. */
  readonly queueLimit: number;
  /** Workers that could take a job now. */
  readonly idle: number;
  /** Whether the line is nearly full. */
  readonly saturated: boolean;
  /** Leases that are held. */
  readonly leases: number;
  /** Of these, who holds them since when; only where `leaseLeakMs` is set. */
  readonly heldLeases: readonly {
    readonly worker: string;
    readonly heldMs: number;
    readonly holder: string | undefined;
    readonly stack: string | undefined;
  }[];
  readonly sessions: SessionStats;
  /** How long what got a worker had waited for it, and how long workers were at jobs, since the pool's place was made. */
  readonly waits: Durations;
  readonly runs: Durations;
  /** The part of their time that the workers of this incarnation were somebody's, from 0 to 1. */
  readonly utilisation: number;
  /** Crashes with no job done between them. */
  readonly crashesInRow: number;
  readonly counts: Readonly<PoolCounts>;
}

/** Options of {@link PoolHandle.drain}. */
export interface DrainOptions {
  /** How long jobs and leases may go on, ms. `Infinity`: as long as they like. */
  readonly timeoutMs?: number;
}

/** What became of a job on one worker, of {@link PoolHandle.runOnEach}. */
export type EachOutcome<T> =
  | { readonly worker: string; readonly status: 'fulfilled'; readonly value: T }
  | { readonly worker: string; readonly status: 'rejected'; readonly reason: unknown };

/** What outside code uses. It follows restarts. */
export interface PoolHandle extends Handle {
  /**
   * Runs a job on a worker and resolves with what its handler returned, which `T` claims and nobody checks. One deadline covers the
   * wait, the run and the retries.
   *
   * @throws ERR_POOL_QUEUE_FULL, ERR_POOL_OVERLOADED, ERR_POOL_SESSION_BUSY, ERR_POOL_DEGRADED, ERR_POOL_DRAINING,
   *   ERR_POOL_ABORTED, ERR_POOL_CHECKOUT_TIMEOUT, ERR_JOB_INVALID: it never ran; ERR_JOB_FAILED: its handler threw;
   *   ERR_JOB_TIMEOUT, ERR_JOB_ABORTED, ERR_WORKER_EXITED, ERR_WORKER_PROTOCOL, ERR_JOB_CUT_OFF, ERR_CALLEE_ENDED: how far it
   *   came is unknown
   */
  run<T = unknown>(name: string, args?: unknown, options?: JobOptions): Promise<T>;
  /**
   * Runs a job whose handler is a generator, and gives what it yields as it comes. The handler waits while the reader is behind.
   * Leaving the loop cancels the job. Once a chunk was given it is not tried again.
   *
   * @throws by the reading, what `run` throws
   */
  stream<T = unknown>(name: string, args?: unknown, options?: StreamOptions): JobStream<T>;
  /**
   * Runs a job once on each worker of now, also on those that are busy or starting, as soon as each is free; what became of each. It does
   * not reject for what becomes of a worker.
   *
   * @throws ERR_POOL_DEGRADED, ERR_POOL_DRAINING, ERR_RESTARTING
   */
  runOnEach<T = unknown>(
    name: string,
    args?: unknown,
    options?: JobOptions,
  ): Promise<readonly EachOutcome<T>[]>;
  /**
   * Takes a worker for a while; jobs of others do not come between. Release it, or use `await using`. A lease that an actor takes through
   * `ctx.get` ends with that actor.
   *
   * @throws what `run` throws before a job runs
   */
  lease(options?: LeaseOptions): Promise<Lease>;
  /** Takes a worker for the time of `work`, and gives it back however that ends. */
  use<T>(work: (lease: Lease) => T | PromiseLike<T>, options?: LeaseOptions): Promise<T>;
  /** Whether a job brought now would be let in. Costs nothing; ask before taking on work. */
  canAccept(): boolean;
  /**
   * Resolves when so many workers take jobs; starts what is missing of them, so that a lazy pool can be warmed up. Default: the least
   * that there should be, after at most 30,000 ms.
   *
   * @throws ERR_POOL_NOT_READY, ERR_POOL_DRAINING, ERR_RESTARTING
   */
  ready(options?: ReadyOptions): Promise<void>;
  /**
   * Makes the pool larger or smaller. Nobody is interrupted: who is too many goes when it is free.
   *
   * @throws ERR_OPTION_INVALID, ERR_RESTARTING
   */
  resize(size: number | SizeRange): void;
  /** What runs goes on, what waits waits on, and more may come to wait. Deadlines go on, too. A drain ends it. Idempotent. */
  pause(): void;
  resume(): void;
  /**
   * Replaces all workers of now, a few at a time, each when nobody has it: no job is dropped. With `worker` the pool runs the new kind
   * from now on; where the first of these cannot start, the old kind is back in use.
   *
   * @throws ERR_POOL_REPLACE_FAILED, ERR_POOL_DRAINING, ERR_RESTARTING, ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN,
   *   ERR_WORKER_START: there is no such module
   */
  replaceWorkers(options?: ReplaceOptions): Promise<void>;
  /** Which sessions are with which workers. */
  readonly sessions: PoolSessions;
  /**
   * Lets nothing more in, finishes what was let in, then closes the workers. Resolves when they are gone. What is left after
   * `timeoutMs` (default: the pool's `shutdownMs`) is told so. Idempotent; it does not end the pool's actor, whose restart opens it
   * again.
   */
  drain(options?: DrainOptions): Promise<void>;
  inspect(): PoolInspection;
}

/** Options of {@link PoolHandle.ready}. */
export interface ReadyOptions {
  /** How many must be there. Default: the pool's `min`, at least 1. */
  readonly workers?: number;
  /** How long to wait, ms. Default 30,000. */
  readonly timeoutMs?: number;
}

const DRAIN_FIELDS = { timeoutMs: msOrInfinity(0) };
const READY_FIELDS = { workers: integer(1, WORKERS_MAX), timeoutMs: msOrInfinity(0) };
const READY_TIMEOUT_MS = 30_000;

/** Frames of a stack that say who took a lease. */
const LEASE_FRAMES = 8;

/** Where `below` was called. */
const stackAbove = (below: Function): string | undefined => {
  const limit = Error.stackTraceLimit;
  const here: { stack?: string } = {};
  Error.stackTraceLimit = LEASE_FRAMES;
  Error.captureStackTrace(here, below);
  Error.stackTraceLimit = limit;
  return here.stack?.replace(/^.*\n/, '');
};

class Pool implements PoolHandle {
  readonly sessions: PoolSessions;
  readonly #place: Place;
  readonly #intake: Intake;
  readonly #desk: Desk;
  readonly #options: ResolvedPoolOptions;

  constructor(place: Place, options: ResolvedPoolOptions) {
    this.#place = place;
    this.#intake = place.shared as Intake;
    this.#desk = this.#intake.desk;
    this.#options = options;
    this.sessions = sessionsOf(this.#desk);
  }

  get path(): string {
    return this.#place.path;
  }

  ref(): Ref | undefined {
    return this.#place.ref();
  }

  run<T>(name: string, args?: unknown, options?: JobOptions): Promise<T> {
    return this.#intake.run({ name, args, options }) as Promise<T>;
  }

  stream<T>(name: string, args?: unknown, options?: StreamOptions): JobStream<T> {
    const { window, options: others } = windowOf(`stream of pool ${this.path}`, options);
    const stream = new ResultStream<T>(window, options?.onProgress);
    return stream.of(this.#intake.start({ name, args, options: others, listener: stream }));
  }

  async runOnEach<T>(name: string, args?: unknown, options?: JobOptions): Promise<readonly EachOutcome<T>[]> {
    const brought = this.#intake.runOnEach({ name, args, options });
    return Promise.all(
      brought.map(({ worker: { id: worker }, promise }) =>
        promise.then(
          (value): EachOutcome<T> => ({ worker, status: 'fulfilled', value: value as T }),
          (reason: unknown): EachOutcome<T> => ({ worker, status: 'rejected', reason }),
        ),
      ),
    );
  }

  lease(options?: LeaseOptions): Promise<Lease> {
    return this.#intake.lease(options, this.#holder(this.lease));
  }

  async use<T>(work: (lease: Lease) => T | PromiseLike<T>, options?: LeaseOptions): Promise<T> {
    const lease = await this.#intake.lease(options, this.#holder(this.use));
    try {
      return await work(lease);
    } finally {
      lease.release();
    }
  }

  /** Who takes a lease by calling `method`; `undefined` where nobody wants to know. */
  #holder(method: Function): LeaseHolder | undefined {
    const { holder } = this.#place;
    const { isOn } = this.#desk.leaseWatch;
    if (!isOn && holder === undefined) return undefined;
    return {
      stack: isOn ? stackAbove(method) : undefined,
      actor: holder?.path,
      onEnd: holder === undefined ? undefined : (release) => holder.onEnd(release),
    };
  }

  canAccept(): boolean {
    return this.#desk.canAccept();
  }

  async ready(options?: ReadyOptions): Promise<void> {
    const defaults = { timeoutMs: READY_TIMEOUT_MS };
    const { workers, timeoutMs } = resolveOptions(
      `ready of pool ${this.path}`,
      options,
      READY_FIELDS,
      defaults,
    );
    const keeper = this.#keeper;
    const { admission } = this.#desk;
    // What drains will not have more than it has, and need not begin any.
    if (admission === 'refuse_draining' || admission === 'refuse_closed') throw draining(this.path);
    await keeper.ready(workers, this.#desk.now() + timeoutMs);
  }

  resize(size: number | SizeRange): void {
    this.#keeper.resize(rangeOf(check(`resize of pool ${this.path}`, 'size', SIZE, size)));
  }

  pause(): void {
    this.#keeper.pause();
  }

  resume(): void {
    this.#keeper.resume();
  }

  async replaceWorkers(options?: ReplaceOptions): Promise<void> {
    await this.#keeper.replaceAll(options);
  }

  get #keeper(): DeskKeeper {
    const { keeper } = this.#desk;
    if (keeper !== undefined) return keeper;
    throw createError('ERR_RESTARTING', { target: this.path, retryAfterMs: 0 }, { stack: false });
  }

  async drain(options?: DrainOptions): Promise<void> {
    const { shutdownMs } = this.#options;
    const defaults = { timeoutMs: typeof shutdownMs === 'number' ? shutdownMs : 0 };
    const { timeoutMs } = resolveOptions(`drain of pool ${this.path}`, options, DRAIN_FIELDS, defaults);
    await this.#desk.keeper?.drain(this.#desk.now() + timeoutMs, 'shutdown');
  }

  inspect(): PoolInspection {
    const desk = this.#desk;
    const { keeper, dispatch, waits, runs, counts } = desk;
    const now = desk.now();
    const { waiting, saturated, idle, leases, crashesInRow } = desk;
    return {
      state: keeper?.state ?? 'absent',
      paused: dispatch.paused,
      size: keeper?.size ?? this.#options.size,
      wanted: keeper?.wanted ?? 0,
      workers: desk.workers.map((worker) => showWorker(worker, dispatch.sessions.countOf(worker))),
      waiting,
      queueLimit: this.#options.queueLimit,
      saturated,
      idle,
      leases,
      heldLeases: desk.leaseWatch.held.map(({ at, ...held }) => ({ ...held, heldMs: now - at })),
      sessions: dispatch.sessions.stats(now),
      waits: waits.report(),
      runs: runs.report(),
      utilisation: keeper?.utilisation ?? 0,
      crashesInRow,
      counts: { ...counts },
    };
  }
}

const showWorker = (worker: PoolWorker, sessions: number): WorkerInspection => ({
  id: worker.id,
  kind: worker.kind,
  seat: worker.seat,
  pid: worker.pid,
  ...worker.states,
  job: worker.jobName,
  jobsDone: worker.jobsDone,
  uses: worker.uses,
  busyMs: worker.busyMs,
  sessions,
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
    this.#desk = (context.place.shared as Intake).desk;
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
    share: (place) => new Intake(place, new Desk(place, resolved), resolved),
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
