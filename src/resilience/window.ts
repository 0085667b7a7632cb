/**
 * When to trip: windows over the outcomes of recent calls. How long a breaker then stays open is not their business.
 *
 * Invariant: only a failure trips; outcomes count in the order in which calls end, whatever order they began in.
 */
import type { Host } from '../base/host.ts';
import { fits, integer, oneOf, ratio, refuse, resolveOptions } from '../base/options.ts';

/** Opens after so many failures with no success between them. */
export interface ConsecutiveWindowOptions {
  readonly kind: 'consecutive';
  /** At least 1. Default 5. */
  readonly failures?: number;
}

/** Opens when, of the last `size` calls, too large a part failed. */
export interface CountWindowOptions {
  readonly kind: 'count';
  /** How many calls are remembered, 1 to 65,536. Default 100. */
  readonly size?: number;
  /** With fewer calls than this in the window it never trips. At most `size`. Default 10, or `size` if smaller. */
  readonly minimumCalls?: number;
  /** Trips at this part of failures or more, above 0, at most 1. Default 0.5. */
  readonly failureRate?: number;
}

export type WindowOptions = ConsecutiveWindowOptions | CountWindowOptions;

/** What a window holds now. */
export interface WindowCounts {
  readonly calls: number;
  readonly failures: number;
}

/** Counts outcomes of one generation. */
export interface Window {
  succeeded(): void;
  /** Whether the breaker must open now. */
  failed(): boolean;
  clear(): void;
  counts(): WindowCounts;
}

/** Resolved options, able to make windows. A window that needs time reads the host's monotonic clock itself. */
export interface WindowPlan {
  readonly options: Readonly<WindowOptions>;
  create(host: Host): Window;
}

export const WINDOW_DEFAULTS = Object.freeze({ kind: 'consecutive', failures: 5 } as const);
const COUNT_DEFAULTS = Object.freeze({ size: 100, minimumCalls: 10, failureRate: 0.5 });
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

  clear(): void {
    this.#failures = 0;
  }

  counts(): WindowCounts {
    return { calls: this.#failures, failures: this.#failures };
  }
}

class CountWindow implements Window {
  readonly #ring: Uint8Array;
  readonly #minimumCalls: number;
  readonly #failureRate: number;
  #next = 0;
  #calls = 0;
  #failures = 0;

  constructor(options: Required<CountWindowOptions>) {
    this.#ring = new Uint8Array(options.size);
    this.#minimumCalls = options.minimumCalls;
    this.#failureRate = options.failureRate;
  }

  succeeded(): void {
    this.#push(0);
  }

  failed(): boolean {
    this.#push(1);
    return this.#calls >= this.#minimumCalls && this.#failures / this.#calls >= this.#failureRate;
  }

  clear(): void {
    this.#next = 0;
    this.#calls = 0;
    this.#failures = 0;
  }

  counts(): WindowCounts {
    return { calls: this.#calls, failures: this.#failures };
  }

  #push(failure: 0 | 1): void {
    const ring = this.#ring;
    const at = this.#next;
    if (this.#calls === ring.length) this.#failures -= ring[at] as number;
    else this.#calls += 1;
    ring[at] = failure;
    this.#failures += failure;
    this.#next = at + 1 === ring.length ? 0 : at + 1;
  }
}

const KIND = { kind: oneOf('consecutive', 'count') } as const;
const CONSECUTIVE_FIELDS = { ...KIND, failures: integer(1) } as const;
const COUNT_FIELDS = {
  ...KIND,
  size: integer(1, LARGEST_COUNT_WINDOW),
  minimumCalls: integer(1, LARGEST_COUNT_WINDOW),
  failureRate: fits<number>('a number above 0, at most 1', (v) => v !== 0 && ratio(0, 1).accepts(v)),
} as const;

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const resolveWindow = (where: string, input: WindowOptions = WINDOW_DEFAULTS): WindowPlan => {
  const kind: unknown = (input as { kind?: unknown } | null)?.kind;
  if (kind === 'count') {
    const size = (input as CountWindowOptions).size ?? COUNT_DEFAULTS.size;
    const minimumCalls = Math.min(COUNT_DEFAULTS.minimumCalls, size);
    const defaults = { kind, ...COUNT_DEFAULTS, minimumCalls } as const;
    const options = resolveOptions(where, input, COUNT_FIELDS, defaults) as Required<CountWindowOptions>;
    if (options.minimumCalls > options.size)
      refuse(where, 'minimumCalls', `at most size (${options.size})`, options.minimumCalls);
    return { options, create: () => new CountWindow(options) };
  }
  if (kind !== 'consecutive') refuse(where, 'kind', KIND.kind.expected, kind);
  const options = resolveOptions(where, input, CONSECUTIVE_FIELDS, WINDOW_DEFAULTS);
  return {
    options: options as ConsecutiveWindowOptions,
    create: () => new ConsecutiveWindow(options.failures),
  };
};
