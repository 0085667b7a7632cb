/**
 * When to trip: windows over the outcomes of recent calls. How long a breaker then stays open is not their business.
 *
 * Invariant: only a failure or a slow success trips; outcomes count in the order in which calls end, whatever order they
 * began in. Each counts once: what failed is a failure, however long it took.
 */
import type { Host } from '../base/host.ts';
import { fits, integer, ms, msOrInfinity, oneOf, ratio, refuse, resolveOptions } from '../base/options.ts';

/** Opens after so many failures with no success between them. */
export interface ConsecutiveWindowOptions {
  readonly kind: 'consecutive';
  /** At least 1. Default 5. */
  readonly failures?: number;
}

/** What rates trip at. */
interface RateOptions {
  /** With fewer calls than this in the window it never trips. Default 10, or `size` if smaller. */
  readonly minimumCalls?: number;
  /** Trips at this part of failures or more, above 0, at most 1. Default 0.5. */
  readonly failureRate?: number;
  /** A success that took longer is slow, ms. Default `Infinity`: none is, and no clock is read for it. */
  readonly slowMs?: number;
  /** Trips at this part of slow successes or more, above 0, at most 1. Default 1. */
  readonly slowRate?: number;
}

/** Opens when, of the last `size` calls, too large a part failed or was slow. */
export interface CountWindowOptions extends RateOptions {
  readonly kind: 'count';
  /** How many calls are remembered, 1 to 65,536. Default 100. */
  readonly size?: number;
}

/** Opens when, of the calls of the last `windowMs`, too large a part failed or was slow. */
export interface TimeWindowOptions extends RateOptions {
  readonly kind: 'time';
  /** How long a call is remembered, to a tenth, ms. Default 10,000. */
  readonly windowMs?: number;
}

export type WindowOptions = ConsecutiveWindowOptions | CountWindowOptions | TimeWindowOptions;

/** What a window holds now. */
export interface WindowCounts {
  readonly calls: number;
  readonly failures: number;
  /** Successes that took too long. */
  readonly slow: number;
}

/** Counts outcomes of one generation. */
export interface Window {
  succeeded(): void;
  /** Whether the breaker must open now. */
  failed(): boolean;
  slow(): boolean;
  clear(): void;
  counts(): WindowCounts;
  /** The last calls that it remembers one by one, at most so many, oldest first: `s`uccess, `f`ailure, s`l`ow. */
  outcomes?(most: number): string;
}

/** Resolved options, able to make windows. A window that needs time reads the host's monotonic clock itself. */
export interface WindowPlan {
  readonly options: Readonly<WindowOptions>;
  /** A success that took longer is slow; `Infinity` where none is. */
  readonly slowMs: number;
  create(host: Host): Window;
}

export const WINDOW_DEFAULTS = Object.freeze({ kind: 'consecutive', failures: 5 } as const);
export const RATE_DEFAULTS = Object.freeze({
  minimumCalls: 10,
  failureRate: 0.5,
  slowMs: Number.POSITIVE_INFINITY,
  slowRate: 1,
});
export const COUNT_DEFAULTS = Object.freeze({ size: 100, ...RATE_DEFAULTS });
export const TIME_DEFAULTS = Object.freeze({ windowMs: 10_000, ...RATE_DEFAULTS });
/** A time window forgets in so many steps. */
const BUCKETS = 10;
/** A ring costs a byte a call; beyond this a window by time says more. */
const LARGEST_COUNT_WINDOW = 65_536;

class ConsecutiveWindow implements Window {
  readonly #limit: number;
  #failures = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  succeeded(): void {
    this.#failures = 0;
  }

  failed(): boolean {
    this.#failures += 1;
    return this.#failures >= this.#limit;
  }

  slow(): boolean {
    this.#failures = 0;
    return false;
  }

  clear(): void {
    this.#failures = 0;
  }

  counts(): WindowCounts {
    return { calls: this.#failures, failures: this.#failures, slow: 0 };
  }

  outcomes(most: number): string {
    return 'f'.repeat(Math.min(most, this.#failures));
  }
}

/** What a ring remembers of a call. */
const SUCCESS = 0;
const FAILURE = 1;
const SLOW = 2;
/** For people, by what a ring remembers. */
const SIGNS = 'sfl';

class CountWindow implements Window {
  readonly #ring: Uint8Array;
  readonly #options: Required<CountWindowOptions>;
  #next = 0;
  #calls = 0;
  #failures = 0;
  #slow = 0;

  constructor(options: Required<CountWindowOptions>) {
    this.#ring = new Uint8Array(options.size);
    this.#options = options;
  }

  succeeded(): void {
    this.#push(SUCCESS);
  }

  failed(): boolean {
    this.#push(FAILURE);
    this.#failures += 1;
    return this.#trips(this.#failures, this.#options.failureRate);
  }

  slow(): boolean {
    this.#push(SLOW);
    this.#slow += 1;
    return this.#trips(this.#slow, this.#options.slowRate);
  }

  clear(): void {
    this.#next = 0;
    this.#calls = 0;
    this.#failures = 0;
    this.#slow = 0;
  }

  counts(): WindowCounts {
    return { calls: this.#calls, failures: this.#failures, slow: this.#slow };
  }

  outcomes(most: number): string {
    const ring = this.#ring;
    let told = '';
    for (let back = Math.min(most, this.#calls); back >= 1; back--)
      told += SIGNS[ring[(this.#next - back + ring.length) % ring.length] as number];
    return told;
  }

  #trips(part: number, rate: number): boolean {
    return this.#calls >= this.#options.minimumCalls && part / this.#calls >= rate;
  }

  #push(outcome: number): void {
    const ring = this.#ring;
    const at = this.#next;
    if (this.#calls < ring.length) this.#calls += 1;
    else if (ring[at] === FAILURE) this.#failures -= 1;
    else if (ring[at] === SLOW) this.#slow -= 1;
    ring[at] = outcome;
    this.#next = at + 1 === ring.length ? 0 : at + 1;
  }
}

class TimeWindow implements Window {
  readonly #host: Host;
  readonly #options: Required<TimeWindowOptions>;
  readonly #bucketMs: number;
  /** Calls, failures and slow successes of each bucket, and of all. */
  readonly #buckets = new Int32Array(BUCKETS * 3);
  readonly #sums = new Int32Array(3);
  /** The bucket of now, counted from the clock's origin; where it begins among them, and when it ends. */
  #tick = 0;
  #at = 0;
  #endMs = 0;

  constructor(host: Host, options: Required<TimeWindowOptions>) {
    this.#host = host;
    this.#options = options;
    this.#bucketMs = options.windowMs / BUCKETS;
  }

  succeeded(): void {
    this.#push(SUCCESS);
  }

  failed(): boolean {
    this.#push(FAILURE);
    return this.#trips(FAILURE, this.#options.failureRate);
  }

  slow(): boolean {
    this.#push(SLOW);
    return this.#trips(SLOW, this.#options.slowRate);
  }

  clear(): void {
    this.#buckets.fill(0);
    this.#sums.fill(0);
  }

  counts(): WindowCounts {
    this.#forget();
    const [calls = 0, failures = 0, slow = 0] = this.#sums;
    return { calls, failures, slow };
  }

  #trips(kind: number, rate: number): boolean {
    const calls = this.#sums[0] as number;
    return calls >= this.#options.minimumCalls && (this.#sums[kind] as number) / calls >= rate;
  }

  #push(kind: number): void {
    const at = this.#forget();
    this.#add(at, 0, 1);
    if (kind !== SUCCESS) this.#add(at, kind, 1);
  }

  #add(at: number, kind: number, count: number): void {
    this.#buckets[at + kind] = (this.#buckets[at + kind] as number) + count;
    this.#sums[kind] = (this.#sums[kind] as number) + count;
  }

  /** Empties the buckets that are too old, and gives where that of now begins. */
  #forget(): number {
    const nowMs = this.#host.monotonic();
    if (nowMs >= this.#endMs) this.#turnTo(Math.floor(nowMs / this.#bucketMs));
    return this.#at;
  }

  #turnTo(tick: number): void {
    if (tick - this.#tick >= BUCKETS) this.clear();
    else
      for (let passed = this.#tick + 1; passed <= tick; passed++) {
        const from = (passed % BUCKETS) * 3;
        for (let kind = 0; kind < 3; kind++) this.#add(from, kind, -(this.#buckets[from + kind] as number));
      }
    this.#tick = tick;
    this.#at = (tick % BUCKETS) * 3;
    this.#endMs = (tick + 1) * this.#bucketMs;
  }
}

const RATE = fits<number>('a number above 0, at most 1', (v) => v !== 0 && ratio(0, 1).accepts(v));
const KIND = { kind: oneOf('consecutive', 'count', 'time') } as const;
const CONSECUTIVE_FIELDS = { ...KIND, failures: integer(1) } as const;
const RATE_FIELDS = { ...KIND, failureRate: RATE, slowMs: msOrInfinity(0), slowRate: RATE } as const;
const COUNT_FIELDS = {
  ...RATE_FIELDS,
  size: integer(1, LARGEST_COUNT_WINDOW),
  minimumCalls: integer(1, LARGEST_COUNT_WINDOW),
} as const;
const TIME_FIELDS = { ...RATE_FIELDS, windowMs: ms(BUCKETS), minimumCalls: integer(1) } as const;

const planCount = (where: string, input: CountWindowOptions): WindowPlan => {
  const size = input.size ?? COUNT_DEFAULTS.size;
  const minimumCalls = Math.min(COUNT_DEFAULTS.minimumCalls, size);
  const defaults = { kind: input.kind, ...COUNT_DEFAULTS, minimumCalls } as const;
  const options = resolveOptions(where, input, COUNT_FIELDS, defaults) as Required<CountWindowOptions>;
  if (options.minimumCalls > options.size)
    refuse(where, 'minimumCalls', `at most size (${options.size})`, options.minimumCalls);
  return { options, slowMs: options.slowMs, create: () => new CountWindow(options) };
};

const planTime = (where: string, input: TimeWindowOptions): WindowPlan => {
  const defaults = { kind: input.kind, ...TIME_DEFAULTS } as const;
  const options = resolveOptions(where, input, TIME_FIELDS, defaults) as Required<TimeWindowOptions>;
  return { options, slowMs: options.slowMs, create: (host) => new TimeWindow(host, options) };
};

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const resolveWindow = (where: string, input: WindowOptions = WINDOW_DEFAULTS): WindowPlan => {
  const kind: unknown = (input as { kind?: unknown } | null)?.kind;
  if (kind === 'count') return planCount(where, input as CountWindowOptions);
  if (kind === 'time') return planTime(where, input as TimeWindowOptions);
  if (kind !== 'consecutive') refuse(where, 'kind', KIND.kind.expected, kind);
  const options = resolveOptions(where, input, CONSECUTIVE_FIELDS, WINDOW_DEFAULTS);
  return {
    options: options as ConsecutiveWindowOptions,
    slowMs: Number.POSITIVE_INFINITY,
    create: () => new ConsecutiveWindow(options.failures),
  };
};
