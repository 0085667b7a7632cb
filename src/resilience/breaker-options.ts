/** A breaker's options: their defaults (design §8), their rules, resolved once. */
import { either, flag, fn, integer, ms, object, refuse, resolveOptions } from '../base/options.ts';
import type { Random } from '../base/random.ts';
import { type BackoffOptions, createBackoff } from './backoff.ts';
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
  /** Whether an application is not ready while this is open. Default `false`. */
  readonly critical?: boolean;
}

/** What {@link resolveBreaker} makes of them. */
export interface ResolvedBreakerOptions extends Required<Omit<BreakerOptions, 'window' | 'openMs'>> {
  readonly window: WindowPlan;
  /** How long to stay open, given the openings in a row and the duration before. */
  readonly openFor: (openings: number, previousMs: number, random: Random) => number;
}

const OPEN_MS = 30_000;

export const BREAKER_DEFAULTS = Object.freeze({
  window: WINDOW_DEFAULTS as WindowOptions,
  openMs: OPEN_MS as number | BackoffOptions | ((openings: number) => number),
  halfOpenPermits: 1,
  successThreshold: 1,
  judge: judgeByDefault,
  watchdogMs: 30_000,
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
  critical: flag,
} as const;

const openForOf = (
  where: string,
  openMs: NonNullable<BreakerOptions['openMs']>,
): ResolvedBreakerOptions['openFor'] => {
  if (typeof openMs === 'number') return () => openMs;
  if (typeof openMs === 'object') {
    const backoff = createBackoff(openMs, `${where}.openMs`);
    return (openings, previousMs, random) => backoff.delayMs(openings, previousMs, random);
  }
  return (openings) => {
    try {
      const asked: unknown = openMs(openings);
      if (DURATION.accepts(asked)) return asked;
    } catch {
      // The default, below: a breaker must open whatever its options do.
    }
    return OPEN_MS;
  };
};

const DURATION = ms(0);

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const resolveBreaker = (where: string, input: unknown): ResolvedBreakerOptions => {
  const { openMs, ...options } = resolveOptions(where, input, BREAKER_FIELDS, BREAKER_DEFAULTS);
  const { successThreshold, probeCalls = successThreshold } = options;
  if (probeCalls < successThreshold)
    refuse(where, 'probeCalls', `at least successThreshold (${successThreshold})`, probeCalls);
  const window = resolveWindow(`${where}.window`, options.window);
  return Object.freeze({ ...options, probeCalls, openFor: openForOf(where, openMs), window });
};
