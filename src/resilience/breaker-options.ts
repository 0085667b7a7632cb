/** A breaker's options: their defaults (design §8), their rules, resolved once. */
import {
  check,
  either,
  flag,
  fn,
  integer,
  ms,
  msOrInfinity,
  object,
  oneOf,
  refuse,
  resolveOptions,
} from '../base/options.ts';
import type { Random } from '../base/random.ts';
import { type BackoffOptions, createBackoff, tellingBackoff } from './backoff.ts';
import { type HealthCheckOptions, resolveHealthCheck } from './health-check.ts';
import { type Judge, judgeByDefault } from './judge.ts';
import { resolveWindow, WINDOW_DEFAULTS, type WindowOptions, type WindowPlan } from './window.ts';

export interface BreakerOptions {
  /** When to open. Default: 5 consecutive failures. */
  readonly window?: WindowOptions;
  /**
   * How long it stays open, ms: always the same, a backoff over the openings with no closing between them, or a function
   * of how many those are, from 1 (where it throws, or gives no duration, it is the default). Default 30,000.
   */
  readonly openMs?: number | BackoffOptions | ((openings: number) => number);
  /** How many probes may be out at once while half-open; others are refused at once. Default 1. */
  readonly halfOpenPermits?: number;
  /** How many successes close it again. More than there are permits is fine: permits come back. Default 1. */
  readonly successThreshold?: number;
  /**
   * Of how many probes the successes may come: it opens again only when too many of them have failed for the threshold to
   * be met. At least `successThreshold`. Default: `successThreshold`, so that any failure opens it.
   */
  readonly probeCalls?: number;
  /**
   * What the ending of a call means. By default: thrown, or past its deadline, is failure; the caller's own abort, and what
   * limits on our side refused, is neutral. Use it to count returned errors as failures, or 4xx as successes.
   */
  readonly judge?: Judge;
  /**
   * A probe that has not been settled by its call's deadline, or after this long where it has none, counts as a failure
   * and gives its permit back. Default 30,000 ms.
   */
  readonly watchdogMs?: number;
  /**
   * How many callers may wait while half-open and all probes are out, in order; others are refused at once. When it closes
   * they begin, when it opens they are refused. For `execute`; `admit` never waits. Default 0.
   */
  readonly halfOpenQueueLimit?: number;
  /** How long each of them waits at most, ms. Default `Infinity`: until its own deadline. */
  readonly halfOpenMaxWaitMs?: number;
  /**
   * Asks the guarded thing itself while this is open or half-open. What it finds counts as a probe's success or failure;
   * well while open, it half-opens at once.
   */
  readonly healthCheck?: HealthCheckOptions;
  /** `true`: not even the deadline of a call under way keeps the OS process alive. Default `false`. */
  readonly unref?: boolean;
  /**
   * `'shared'`: all whom it refuses in one opening get the same frozen error, which costs next to nothing. `'fresh'`: each gets one
   * of its own, for those that write on errors. Neither has a stack. Default `'shared'`.
   */
  readonly refusals?: 'shared' | 'fresh';
  /** Whether an application is not ready while this is open. Default `false`. */
  readonly critical?: boolean;
}

/** What {@link resolveBreaker} makes of them. */
export interface ResolvedBreakerOptions
  extends Required<Omit<BreakerOptions, 'window' | 'openMs' | 'healthCheck'>> {
  readonly healthCheck: Required<HealthCheckOptions> | undefined;
  readonly window: WindowPlan;
  /** Makes what says how long to stay open, given the openings in a row and the duration before. */
  readonly openFor: (means: OpeningMeans) => (openings: number, previousMs: number) => number;
}

/** What deciding on a duration takes. */
export interface OpeningMeans {
  readonly random: Random;
  /** Told where a user's own function had to be overruled. */
  readonly failed: (error: unknown) => void;
}

const OPEN_MS = 30_000;

export const BREAKER_DEFAULTS = Object.freeze({
  window: WINDOW_DEFAULTS as WindowOptions,
  openMs: OPEN_MS as number | BackoffOptions | ((openings: number) => number),
  halfOpenPermits: 1,
  successThreshold: 1,
  judge: judgeByDefault,
  watchdogMs: 30_000,
  halfOpenQueueLimit: 0,
  halfOpenMaxWaitMs: Number.POSITIVE_INFINITY,
  unref: false,
  refusals: 'shared' as 'shared' | 'fresh',
  critical: false,
});

export const BREAKER_FIELDS = {
  window: object<WindowOptions>('a window'),
  openMs: either(ms(0), either(object<BackoffOptions>('a backoff'), fn<(openings: number) => number>())),
  halfOpenPermits: integer(1),
  successThreshold: integer(1),
  probeCalls: integer(1),
  judge: fn<Judge>(),
  watchdogMs: ms(1),
  halfOpenQueueLimit: integer(0),
  halfOpenMaxWaitMs: msOrInfinity(0),
  healthCheck: object<HealthCheckOptions>('a health check'),
  unref: flag,
  refusals: oneOf('shared', 'fresh'),
  critical: flag,
} as const;

const openForOf = (
  where: string,
  openMs: NonNullable<BreakerOptions['openMs']>,
): ResolvedBreakerOptions['openFor'] => {
  if (typeof openMs === 'number') return () => () => openMs;
  if (typeof openMs === 'object') {
    // Refused now if it is wrong, not when the first breaker of these options is made.
    createBackoff(openMs, `${where}.openMs`);
    return ({ random, failed }) => {
      const backoff = createBackoff(tellingBackoff(openMs, failed));
      return (openings, previousMs) => backoff.delayMs(openings, previousMs, random);
    };
  }
  return ({ failed }) =>
    (openings) => {
      try {
        return check(where, 'openMs', DURATION, openMs(openings));
      } catch (error) {
        // A breaker must open whatever its options do.
        failed(error);
        return OPEN_MS;
      }
    };
};

const DURATION = ms(0);

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const resolveBreaker = (where: string, input: unknown): ResolvedBreakerOptions => {
  const { openMs, healthCheck, ...options } = resolveOptions(where, input, BREAKER_FIELDS, BREAKER_DEFAULTS);
  const { successThreshold, probeCalls = successThreshold } = options;
  if (probeCalls < successThreshold)
    refuse(where, 'probeCalls', `at least successThreshold (${successThreshold})`, probeCalls);
  const window = resolveWindow(`${where}.window`, options.window);
  return Object.freeze({
    ...options,
    probeCalls,
    openFor: openForOf(where, openMs),
    healthCheck: resolveHealthCheck(`${where}.healthCheck`, healthCheck),
    window,
  });
};
