/**
 * Rate limit: at most so many calls begin in a period; who comes too soon waits for exactly as long as it takes.
 *
 * Invariant: in any span at most `burst` + rate × span calls begin, in the order in which they came; one wake-up a call at
 * most, no polling. Who cannot have its turn in time is told so at once, and when it could. It counts beginnings; how
 * many run at once is a bulkhead's business.
 */
import { createError } from '../base/errors.ts';
import type { Timer } from '../base/host.ts';
import { fits, integer, ms, msOrInfinity, oneOf, resolveOptions } from '../base/options.ts';
import { BoundedCall, type Bounds, type ExecuteOptions, keptFor, rejectLater, type Work } from './call.ts';
import { CellRate, type Meter, TokenBucket } from './meter.ts';
import {
  BasePolicy,
  POLICY_FIELDS,
  type PolicyOptions,
  type PolicyReport,
  type StandalonePolicy,
} from './policy.ts';
import { WaitingLine } from './waiting-line.ts';

export interface RateLimitOptions extends PolicyOptions {
  /** Calls per `periodMs`, above 0. Default 1,000. */
  readonly rate?: number;
  /** Default 1,000 ms. */
  readonly periodMs?: number;
  /** How many may begin at once after a quiet time; 1 spaces them evenly. Default 100. */
  readonly burst?: number;
  /** Both keep the same limit; `gcra` keeps one number for it. Default `'token_bucket'`. */
  readonly algorithm?: 'token_bucket' | 'gcra';
  /** How many may wait; beyond that they are refused at once. Default 1,000. */
  readonly queueLimit?: number;
  /** Who would wait longer is refused at once, ms. Default `Infinity`: until its own deadline. */
  readonly maxWaitMs?: number;
}

export interface RateLimitReport extends PolicyReport {
  /** Permits that could be taken now, and calls that wait. */
  readonly left: number;
  readonly waiting: number;
  /** Since its creation: permits given, those that were waited for, the time waited, ms; timers fired; calls refused. */
  readonly acquires: number;
  readonly waits: number;
  readonly totalWaitMs: number;
  readonly wakeups: number;
  readonly refused: number;
}

/** Refuses with ERR_RATE_LIMITED (`data.retryAfterMs`). Event: `limit.exhausted`. */
export interface RateLimit extends StandalonePolicy {
  /** Takes a permit if there is one now and nobody waits for it. */
  tryAcquire(): boolean;
  /** Waits for a permit. Rejects as `execute` does. */
  acquire(options?: ExecuteOptions): Promise<void>;
  inspect(): RateLimitReport;
}

export const RATE_LIMIT_DEFAULTS = Object.freeze({
  rate: 1_000,
  periodMs: 1_000,
  burst: 100,
  algorithm: 'token_bucket' as 'token_bucket' | 'gcra',
  queueLimit: 1_000,
  maxWaitMs: Number.POSITIVE_INFINITY,
});

const FIELDS = {
  ...POLICY_FIELDS,
  rate: fits<number>('a finite number above 0', (v) => Number.isFinite(v) && (v as number) > 0),
  periodMs: ms(1),
  burst: integer(1),
  algorithm: oneOf('token_bucket', 'gcra'),
  queueLimit: integer(0),
  maxWaitMs: msOrInfinity(0),
} as const;

class RateLimitPolicy extends BasePolicy implements RateLimit {
  readonly #options;
  readonly #meter: Meter;
  readonly #line: WaitingLine;
  #timer: Timer | undefined = undefined;
  /** When the first in line has its turn. */
  #wakeAtMs = 0;
  #acquires = 0;
  #waits = 0;
  #totalWaitMs = 0;
  #wakeups = 0;
  #refused = 0;

  constructor(options: RateLimitOptions) {
    const resolved = resolveOptions('createRateLimit', options, FIELDS, RATE_LIMIT_DEFAULTS);
    super('rate_limit', resolved);
    this.#options = resolved;
    this.#meter = resolved.algorithm === 'gcra' ? new CellRate(resolved) : new TokenBucket(resolved);
    this.#line = new WaitingLine(this, () => this.#rest());
  }

  tryAcquire(): boolean {
    if (this.disposed || this.#line.size > 0 || this.#meter.take(this.host.monotonic()) > 0) return false;
    this.#acquires += 1;
    return true;
  }

  acquire(options?: ExecuteOptions): Promise<void> {
    return this.execute(() => {}, options);
  }

  inspect(): RateLimitReport {
    return Object.freeze({
      name: this.name,
      left: this.#meter.left(this.host.monotonic()),
      waiting: this.#line.size,
      acquires: this.#acquires,
      waits: this.#waits,
      totalWaitMs: this.#totalWaitMs,
      wakeups: this.#wakeups,
      refused: this.#refused,
    });
  }

  protected run<T>(work: Work<T>, bounds: Bounds): Promise<T> {
    const nowMs = this.host.monotonic();
    const queued = this.#line.size;
    // Behind others a permit that is there is theirs.
    const nextMs = queued === 0 ? this.#meter.take(nowMs) : this.#nextMs(nowMs);
    if (queued === 0 && nextMs === 0) return this.#begin(work, bounds);
    const { queueLimit, maxWaitMs, rate, periodMs } = this.#options;
    const waitMs = nextMs + (queued * periodMs) / rate;
    if (queued >= queueLimit || waitMs > maxWaitMs || nowMs + waitMs >= bounds.deadline)
      return this.#refuse(waitMs);
    return new Promise<T>((resolve, reject) => {
      this.#line.join({
        bounds,
        maxWaitMs: Number.POSITIVE_INFINITY,
        begin: (left) => {
          this.#waits += 1;
          this.#totalWaitMs += this.host.monotonic() - nowMs;
          resolve(this.#begin(work, left));
        },
        refuse: reject,
        overdue: () => undefined,
      });
      if (queued === 0) this.#wakeIn(nextMs);
    });
  }

  protected override release(): void {
    this.#line.clear(createError('ERR_POLICY_DISPOSED', { policy: this.where }, { stack: false }));
    this.#rest();
  }

  #begin<T>(work: Work<T>, bounds: Bounds): Promise<T> {
    this.#acquires += 1;
    return new BoundedCall<T>(this, bounds, () => {}).run(work);
  }

  /** How long the first in line still waits. */
  #nextMs(nowMs: number): number {
    return Math.max(0, this.#wakeAtMs - nowMs);
  }

  #wakeIn(delayMs: number): void {
    this.#wakeAtMs = this.host.monotonic() + delayMs;
    const wake = (): void => {
      this.#wakeups += 1;
      this.#serve();
    };
    this.#timer = this.host.timer(delayMs, `${this.where} permit`, wake, keptFor(this));
  }

  #serve(): void {
    while (this.#line.size > 0) {
      const waitMs = this.#meter.take(this.host.monotonic());
      if (waitMs > 0) {
        this.#wakeIn(waitMs);
        return;
      }
      this.#line.serve();
    }
  }

  /** Nobody waits any more: no wake-up for nobody. */
  #rest(): void {
    if (this.#line.size === 0) this.#timer?.cancel();
  }

  #refuse(waitMs: number): Promise<never> {
    this.#refused += 1;
    const { rate, periodMs } = this.#options;
    if (this.events.active) {
      const limit = { path: this.name, limit: this.kind, used: rate, allowed: rate, periodMs };
      this.events.emit('limit.exhausted', limit);
    }
    const data = { policy: this.where, rate, periodMs, retryAfterMs: Math.ceil(waitMs) };
    return rejectLater(createError('ERR_RATE_LIMITED', data, { stack: false }));
  }
}

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const createRateLimit = (options: RateLimitOptions = {}): RateLimit => new RateLimitPolicy(options);
