/**
 * A deadline is an instant of the host's monotonic clock, in milliseconds; `Infinity` is none.
 *
 * Budgets handed down only shrink: {@link sooner} of what was given and what is asked. On a wire a deadline
 * travels as the milliseconds that remain, since no two machines share a monotonic clock.
 */

/** Nothing bounds it. */
export const NO_DEADLINE = Number.POSITIVE_INFINITY;

/** The instant `timeoutMs` from now. */
export const deadlineIn = (nowMs: number, timeoutMs: number): number => nowMs + timeoutMs;

/** The milliseconds left, never negative. */
export const remainingMs = (nowMs: number, deadline: number): number => Math.max(0, deadline - nowMs);

/** The earlier of two deadlines. */
export const sooner = (a: number, b: number): number => (a < b ? a : b);
