/** A breaker's options: their defaults (design §8), their rules, resolved once. */
import { flag, fn, integer, ms, object, resolveOptions } from '../base/options.ts';
import { type Judge, judgeByDefault } from './judge.ts';
import { resolveWindow, WINDOW_DEFAULTS, type WindowOptions, type WindowPlan } from './window.ts';

export interface BreakerOptions {
  /** When to open. Default: 5 consecutive failures. */
  readonly window?: WindowOptions;
  /** How long it stays open, ms. Default 30,000. */
  readonly openMs?: number;
  /** How many probes may be out at once while half-open; others are refused at once. Default 1. */
  readonly halfOpenPermits?: number;
  /** How many successes close it again. More than there are permits is fine: permits come back. Default 1. */
  readonly successThreshold?: number;
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
export interface ResolvedBreakerOptions extends Required<Omit<BreakerOptions, 'window'>> {
  readonly window: WindowPlan;
}

export const BREAKER_DEFAULTS = Object.freeze({
  window: WINDOW_DEFAULTS as WindowOptions,
  openMs: 30_000,
  halfOpenPermits: 1,
  successThreshold: 1,
  judge: judgeByDefault,
  watchdogMs: 30_000,
  critical: false,
});

export const BREAKER_FIELDS = {
  window: object<WindowOptions>('a window'),
  openMs: ms(0),
  halfOpenPermits: integer(1),
  successThreshold: integer(1),
  judge: fn<Judge>(),
  watchdogMs: ms(1),
  critical: flag,
} as const;

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const resolveBreaker = (where: string, input: unknown): ResolvedBreakerOptions => {
  const options = resolveOptions(where, input, BREAKER_FIELDS, BREAKER_DEFAULTS);
  return Object.freeze({ ...options, window: resolveWindow(`${where}.window`, options.window) });
};
