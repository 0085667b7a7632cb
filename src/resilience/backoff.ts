/**
 * How long to wait before trying again: constant, linear, exponential, fibonacci, decorrelated, or a user's own function.
 *
 * Invariant: a strategy holds no state. A delay is a function of the attempt, the delay before it in the same operation,
 * and chance; it is never negative, never above `maxMs` (jitter included), never NaN. It waits for nothing itself.
 */
import { check, fits, fn, ms, oneOf, ratio, refuse, resolveOptions } from '../base/options.ts';
import type { Random } from '../base/random.ts';

export type BackoffKind = 'constant' | 'linear' | 'exponential' | 'fibonacci' | 'decorrelated' | 'custom';

/** How chance spreads a delay `d`, so that clients which failed together do not come back together. */
export type Jitter = 'none' | 'full' | 'equal';

export interface BackoffOptions {
  /** Default `'exponential'`. */
  readonly kind?: BackoffKind;
  /** The first delay, ms. Default 1,000. */
  readonly baseMs?: number;
  /** No delay is longer, ms. Default 30,000. */
  readonly maxMs?: number;
  /** What an exponential delay grows by. Default 2, at least 1. */
  readonly factor?: number;
  /**
   * `none`: `d`; `full`: uniform in [0, d]; `equal`: uniform in d ± `jitterRatio`, cut at `maxMs`. Decorrelated delays are
   * chance already and take none. Default `'equal'`.
   */
  readonly jitter?: Jitter;
  /** Half the width of `equal` jitter, relative to the delay. Default 0.25. */
  readonly jitterRatio?: number;
  /**
   * With kind `custom`: the delay after so many failures, ms. Where it throws, or gives no number, the exponential delay
   * is taken.
   */
  readonly delay?: (attempt: number) => number;
}

/** A resolved backoff: pure, shareable by any number of operations. */
export interface BackoffStrategy {
  readonly options: Readonly<ResolvedBackoffOptions>;
  /**
   * The delay in ms after `attempt` failures (from 1). `previousMs` is the delay before it in the same operation (0 when
   * there was none); only decorrelated delays read it.
   */
  delayMs(attempt: number, previousMs: number, random: Random): number;
}

type ResolvedBackoffOptions = typeof BACKOFF_STRATEGY_DEFAULTS & Pick<BackoffOptions, 'delay'>;

export const BACKOFF_STRATEGY_DEFAULTS = Object.freeze({
  kind: 'exponential' as BackoffKind,
  baseMs: 1_000,
  maxMs: 30_000,
  factor: 2,
  jitter: 'equal' as Jitter,
  jitterRatio: 0.25,
});

const FIELDS = {
  kind: oneOf('constant', 'linear', 'exponential', 'fibonacci', 'decorrelated', 'custom'),
  baseMs: ms(0),
  maxMs: ms(0),
  factor: fits<number>('a finite number of at least 1', (v) => Number.isFinite(v) && (v as number) >= 1),
  jitter: oneOf('none', 'full', 'equal'),
  jitterRatio: ratio(0, 1),
  delay: fn<(attempt: number) => number>(),
} as const;

/** base, 2·base, 3·base, … */
export const linearMs = (attempt: number, baseMs: number): number => attempt * baseMs;

/** base, base·factor, base·factor², … */
export const exponentialMs = (attempt: number, baseMs: number, factor = 2): number =>
  baseMs === 0 ? 0 : baseMs * factor ** (attempt - 1);

/** base times 1, 1, 2, 3, 5, … */
export const fibonacciMs = (attempt: number, baseMs: number): number => {
  if (baseMs === 0) return 0;
  let [before, now] = [0, 1];
  // Past 2^1023 all is Infinity: further rounds would only spin.
  for (let n = 1; n < attempt && now < Infinity; n++) [before, now] = [now, before + now];
  return now * baseMs;
};

/** Uniform between base and three times the delay before (AWS's "decorrelated jitter"), cut at the cap. */
export const decorrelatedMs = (
  previousMs: number,
  bounds: { readonly baseMs: number; readonly maxMs: number },
  random: Random,
): number => {
  const low = Math.min(bounds.baseMs, bounds.maxMs);
  const high = Math.max(low, Math.min(bounds.maxMs, 3 * Math.max(previousMs, bounds.baseMs)));
  return low + random.next() * (high - low);
};

/** Cuts any number to a delay: never negative, never above the cap; NaN waits for nothing. */
export const boundedMs = (delayMs: number, maxMs: number): number =>
  delayMs > 0 ? Math.min(delayMs, maxMs) : 0;

class Strategy implements BackoffStrategy {
  readonly options: Readonly<ResolvedBackoffOptions>;

  constructor(options: Readonly<ResolvedBackoffOptions>) {
    this.options = options;
  }

  delayMs(attempt: number, previousMs: number, random: Random): number {
    const { kind, maxMs } = this.options;
    if (kind === 'decorrelated') return decorrelatedMs(previousMs, this.options, random);
    return this.#spread(boundedMs(this.#plainMs(attempt), maxMs), random);
  }

  #plainMs(attempt: number): number {
    const { kind, baseMs, factor, delay } = this.options;
    switch (kind) {
      case 'constant':
        return baseMs;
      case 'linear':
        return linearMs(attempt, baseMs);
      case 'fibonacci':
        return fibonacciMs(attempt, baseMs);
      case 'custom':
        return customMs(delay, attempt) ?? exponentialMs(attempt, baseMs, factor);
      default:
        return exponentialMs(attempt, baseMs, factor);
    }
  }

  #spread(delayMs: number, random: Random): number {
    const { jitter, jitterRatio, maxMs } = this.options;
    if (jitter === 'none') return delayMs;
    if (jitter === 'full') return random.next() * delayMs;
    const low = delayMs * (1 - jitterRatio);
    const high = Math.min(maxMs, delayMs * (1 + jitterRatio));
    return low + random.next() * (high - low);
  }
}

/** The same backoff, that says when its own function has no delay to give, and goes on without it as it does. */
export const tellingBackoff = <O extends BackoffOptions | undefined>(
  options: O,
  failed: (error: unknown) => void,
): O => {
  const own = options?.delay;
  if (typeof own !== 'function') return options;
  const delay = (attempt: number): number => {
    try {
      return check('backoff', 'delay', DELAY, own(attempt));
    } catch (error) {
      failed(error);
      throw error;
    }
  };
  return { ...options, delay };
};

const DELAY = fits<number>('a number of milliseconds', (v) => typeof v === 'number' && !Number.isNaN(v));

const customMs = (delay: BackoffOptions['delay'], attempt: number): number | undefined => {
  try {
    const given: unknown = delay?.(attempt);
    return typeof given === 'number' && !Number.isNaN(given) ? given : undefined;
  } catch {
    return undefined;
  }
};

/**
 * Resolves a backoff. Defaults: exponential from 1,000 ms, doubling, to 30,000 ms, ± 25 %.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const createBackoff = (options: BackoffOptions = {}, where = 'backoff'): BackoffStrategy => {
  const resolved = resolveOptions(where, options, FIELDS, BACKOFF_STRATEGY_DEFAULTS);
  const custom = resolved.kind === 'custom';
  if (custom !== (resolved.delay !== undefined)) {
    const expected = custom ? 'a function where kind is custom' : 'absent unless kind is custom';
    refuse(where, 'delay', expected, resolved.delay);
  }
  return Object.freeze(new Strategy(resolved as Readonly<ResolvedBackoffOptions>));
};
