/**
 * What every policy is: a name, a stream of typed events, and `execute`, which runs work in its caller under the policy.
 *
 * Invariant: a call through a policy settles exactly once, and is bounded by its caller's signal and deadline whatever the
 * policy does; a disposed policy starts nothing. It decides nothing itself: each policy says in `run` what it adds.
 */
import { createError } from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import { flag, object, text } from '../base/options.ts';
import { realHost } from '../base/real-host.ts';
import { EventStream } from '../base/telemetry.ts';
import {
  BoundedCall,
  type Bounds,
  boundsOf,
  type CallContext,
  type CallScope,
  checkWork,
  type ExecuteOptions,
  rejectLater,
  throwIfOver,
  type Work,
} from './call.ts';
import { Mishaps } from './mishaps.ts';

/** The kinds that troupe has; a policy of your own may have any other word. */
export type PolicyKind =
  | 'noop'
  | 'wrap'
  | 'breaker'
  | 'retry'
  | 'timeout'
  | 'bulkhead'
  | 'rate_limit'
  | 'fallback'
  | 'single_flight'
  | 'hedge'
  | 'adaptive_concurrency'
  | 'load_shedding'
  | 'chaos'
  | (string & {});

/** What there is to know of a policy now: numbers and words, for health pages. */
export interface PolicyReport {
  readonly name: string;
  readonly [fact: string]: unknown;
}

/** What guards calls. Implement it to put a policy of your own into a `wrap`. */
export interface Policy<C extends CallContext = CallContext> {
  readonly kind: PolicyKind;
  readonly name: string;
  /** Where its events go. */
  readonly events: EventStream;
  /** Runs `work` in the caller, under this policy. Settles once; `options` bound it. */
  execute<T>(work: Work<T, C>, options?: ExecuteOptions): Promise<T>;
  inspect(): object;
}

/** A policy that stands alone: whoever made it ends it. */
export interface StandalonePolicy<C extends CallContext = CallContext> extends Policy<C> {
  /** Refuses all from now on with ERR_POLICY_DISPOSED and lets go of its timers. Work that is out goes on. Safe to repeat. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** What every policy can be given. */
export interface PolicyOptions {
  /** Names it in errors and events. Default: its kind. */
  readonly name?: string;
  /** Default: the real one. */
  readonly host?: Host;
  /** Where its events go. Default: a stream of its own. */
  readonly events?: EventStream;
  /**
   * `true`: none of its timers keeps the OS process alive. By default those do, and only those, that an unsettled call
   * stands on: its deadline, its turn in a line, the wait before its next attempt. Default `false`.
   */
  readonly unref?: boolean;
}

export const POLICY_FIELDS = {
  name: text,
  host: object<Host>('a Host'),
  events: object<EventStream>('an EventStream'),
  unref: flag,
} as const;

/** A policy's kind, name, host, events and end; `run` is what it adds. */
export abstract class BasePolicy implements StandalonePolicy, CallScope {
  readonly kind: PolicyKind;
  readonly name: string;
  readonly where: string;
  readonly host: Host;
  readonly events: EventStream;
  readonly unref: boolean;
  /** Where it says that a user's own function had to be overruled. */
  readonly mishaps: Mishaps;
  #disposed = false;

  constructor(kind: PolicyKind, { name = kind, host = realHost(), events, unref = false }: PolicyOptions) {
    this.kind = kind;
    this.name = name;
    this.where = `${kind.replaceAll('_', ' ')} ${name}`;
    this.host = host;
    this.events = events ?? new EventStream(() => host.wall());
    this.unref = unref;
    this.mishaps = new Mishaps(this);
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  execute<T>(work: Work<T, never>, options?: ExecuteOptions): Promise<T> {
    try {
      checkWork(this, work);
      return this.run(work as Work<T>, this.boundsFor(options));
    } catch (error) {
      return rejectLater(error);
    }
  }

  /** What bounds a call that begins now. @throws what a call is refused with that may not begin */
  boundsFor(options: ExecuteOptions | undefined): Bounds {
    this.throwIfDisposed();
    const bounds = boundsOf(this, options);
    throwIfOver(this, bounds);
    return bounds;
  }

  throwIfDisposed(): void {
    if (!this.#disposed) return;
    throw createError('ERR_POLICY_DISPOSED', { policy: this.where }, { stack: false });
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  abstract inspect(): PolicyReport;

  /** Runs one call; what it throws becomes a rejection. */
  protected abstract run<T>(work: Work<T>, bounds: Bounds): Promise<T>;

  /** Lets go of what it holds; once. */
  protected release(): void {}
}

class Noop extends BasePolicy {
  inspect(): PolicyReport {
    return { name: this.name };
  }

  protected run<T>(work: Work<T>, bounds: Bounds): Promise<T> {
    return new BoundedCall<T>(this, bounds, () => {}).run(work);
  }
}

/** A policy that adds nothing: for a place in a `wrap` that a configuration leaves empty. */
export const createNoop = (options: PolicyOptions = {}): StandalonePolicy => new Noop('noop', options);
