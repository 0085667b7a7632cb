/**
 * A circuit breaker as its users see it, alone or in a tree. It declares; `breaker-core.ts` does.
 */
import type { BreakerVerdict } from '../../actors/circuit-breaker.machine.ts';
import type { Host } from '../base/host.ts';
import type { EventStream, EventType, TroupeEvent } from '../base/telemetry.ts';
import type { Admission } from './admission.ts';
import type { ExecuteOptions, Work } from './call.ts';

/** What a listener is told after each transition. Branch on the verdict; the state is for people. */
export interface BreakerChange {
  readonly state: string;
  /** What admissions are answered now: let through, through while permits last, turned away, or through uncounted. */
  readonly verdict: BreakerVerdict;
  readonly generation: number;
  /** How long until it half-opens, ms; `undefined` unless it waits for that. */
  readonly retryAfterMs: number | undefined;
}

/** What there is to know of a breaker. Instants are of `host.monotonic()`. */
export interface BreakerReport extends BreakerChange {
  readonly name: string;
  /** The instant at which it half-opens; `undefined` unless it waits for that. */
  readonly openUntilMs: number | undefined;
  /** Calls, failures and slow successes in the window; while it is not closed, those that tripped it. */
  readonly calls: number;
  readonly failures: number;
  readonly slow: number;
  /** Probes that are out, callers that wait for one, and successes counted, since it half-opened. */
  readonly probes: number;
  readonly waiting: number;
  readonly successes: number;
  readonly lastFailureAtMs: number | undefined;
  readonly changedAtMs: number;
  /** Since its creation: calls refused, results that came too late to count, openings. */
  readonly rejected: number;
  readonly stale: number;
  readonly openings: number;
  readonly critical: boolean;
}

/** What outlives the process of a breaker: JSON. It says whether it waits, not which calls its window remembered. */
export interface BreakerState {
  readonly version: 1;
  /** Until when it refuses, ms of the wall clock; `null` where it does not. */
  readonly retryAt: number | null;
  /** Openings with no closing between them, the duration of the last, and the failures that led to it. */
  readonly openings: number;
  readonly openMs: number;
  readonly failures: number;
}

/** A breaker, alone or in a tree. */
export interface CircuitBreaker {
  readonly kind: 'breaker';
  readonly name: string;
  /**
   * Its events: `breaker.opened`, `breaker.half_opened`, `breaker.closed`, `breaker.rejected`, `breaker.checked`;
   * `limit.exhausted` where a line for probes is full.
   */
  readonly events: EventStream;
  /**
   * Runs `work` in the caller if it is let through. Rejects with what the work throws, or with ERR_BREAKER_OPEN,
   * ERR_BREAKER_PROBING, ERR_BREAKER_DISPOSED, ERR_DEADLINE_PASSED, or the reason of the caller's signal.
   */
  execute<T>(work: Work<T>, options?: ExecuteOptions): Promise<T>;
  /**
   * Asks to be let through, for work that is not one function: settle the token. An abort of `signal` settles it too.
   * Throws for wrong options, and where the signal or the deadline is over already; never to refuse.
   */
  admit(options?: ExecuteOptions): Admission;
  /** Records an outcome seen elsewhere, as if a call had been admitted and settled now. While open: nothing. */
  succeed(): void;
  fail(cause?: unknown): void;
  /** Closes it, with nothing counted; results still out move nothing. What is isolated stays so. */
  reset(): void;
  /**
   * Refuses all with ERR_BREAKER_ISOLATED until the function it returns has been called, by all who have isolated it; then
   * it is closed, with nothing counted. While isolated it can be neither disabled, nor made to observe, nor resumed.
   */
  isolate(): () => void;
  /** Lets all through, uncounted, until `resume` or `reset`. */
  disable(): void;
  /** Lets all through and counts: where it would open it emits `breaker.would_have_opened`. Until `resume` or `reset`. */
  observe(): void;
  /** Decides by itself again: closed, with nothing counted. Does nothing where nobody had interfered. */
  resume(): void;
  /** For a process that may end at any time: hand it to the next as the option `state`. */
  exportState(): BreakerState;
  inspect(): BreakerReport;
  /** Called in the turn of each transition, after it. Returns the function that ends it. */
  onChange(listener: (change: BreakerChange) => void): () => void;
  /** Listens to one type of its events. Returns the function that ends it. */
  on<T extends EventType>(type: T, listener: (event: Extract<TroupeEvent, { type: T }>) => void): () => void;
}

/** A breaker that stands alone: whoever made it ends it. */
export interface StandaloneBreaker extends CircuitBreaker {
  /** Refuses all from now on and lets go of its timers. Work that is out goes on, uncounted. Safe to repeat. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** What a core stands on. */
export interface BreakerGround {
  readonly host: Host;
  readonly events: EventStream;
  /** Its name, or its place in the tree. */
  readonly path: string;
  /** It stands in a tree: an actor keeps its time. */
  readonly placed?: boolean;
}
