/**
 * OTP's restart intensity: at most `intensity` restarts within `periodMs`, the window's old edge included
 * (a restart counts while `t ≥ now − periodMs`; equal to OTP's rule on whole seconds).
 */
import { Deque } from '../base/deque.ts';
import { createError } from '../base/errors.ts';
import { fits, integer, ms, oneOf } from '../base/options.ts';
import type { Backoff } from '../kernel/spec.ts';

/** When a supervisor stops trying. `{ afterFailures }` counts one child's failures in a row; `'never'` goes on for good. */
export type GiveUp = { readonly afterFailures: number } | 'never' | undefined;

/** design §8: three restarts in five seconds. */
export const INTENSITY = 3;
export const PERIOD_MS = 5_000;

export const LIMIT_FIELDS = {
  intensity: integer(0),
  periodMs: ms(1),
  giveUp: fits<Exclude<GiveUp, undefined>>(
    "'never' or { afterFailures: a whole number of at least 1 }",
    (value) => {
      if (value === 'never') return true;
      const failures = (value as { afterFailures?: unknown } | null)?.afterFailures;
      return (
        Number.isInteger(failures) && (failures as number) >= 1 && Object.keys(value as object).length === 1
      );
    },
  ),
  onGiveUp: oneOf('gave_up', 'shutdown'),
  autoShutdown: oneOf('never', 'any_significant', 'all_significant'),
};

/** Counts the restarts of one supervisor; O(1) each, however many the period holds. */
export class RestartLimit {
  readonly intensity: number;
  readonly periodMs: number;
  readonly #restarts = new Deque<number>();

  constructor(intensity: number, periodMs: number) {
    this.intensity = intensity;
    this.periodMs = periodMs;
  }

  /** Counts one; `true` while the limit holds. */
  allows(nowMs: number): boolean {
    this.#restarts.push(nowMs);
    return this.used(nowMs) <= this.intensity;
  }

  /** Restarts that count now. */
  used(nowMs: number): number {
    const edge = nowMs - this.periodMs;
    for (
      let oldest = this.#restarts.at(0);
      oldest !== undefined && oldest < edge;
      oldest = this.#restarts.at(0)
    ) {
      this.#restarts.shift();
    }
    return this.#restarts.size;
  }
}

/** The delay before the restart after the n-th failure in a row (from 1), before jitter. */
export const backoffDelay = (backoff: Backoff, failures: number): number => {
  const step = backoff.delayFirst ? failures - 1 : failures - 2;
  return step < 0 ? 0 : Math.min(backoff.maxMs, backoff.baseMs * backoff.factor ** step);
};

/**
 * Refuses a backoff so long that its restarts spread out beyond the period: such a child would crash for ever and its
 * supervisor never give up.
 *
 * @throws ERR_INTENSITY_UNREACHABLE
 */
export const checkReachable = (
  supervisor: string,
  child: string,
  options: { readonly intensity: number; readonly periodMs: number; readonly backoff: Backoff | false },
): void => {
  const { intensity, periodMs, backoff } = options;
  if (backoff === false || backoff.baseMs === 0 || backoff.maxMs === 0) return;
  let spread = 0;
  for (let failure = 1; failure <= intensity && spread <= periodMs; failure++)
    spread += backoffDelay(backoff, failure);
  if (spread <= periodMs) return;
  const delayMs = backoffDelay(backoff, intensity);
  throw createError('ERR_INTENSITY_UNREACHABLE', { supervisor, child, intensity, periodMs, delayMs });
};
