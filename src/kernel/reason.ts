/** Why an actor ended: OTP's exit reasons, as data that can cross a wire (an `error` is kept as it was thrown). */
import { isTroupeError, plainText, show } from '../base/errors.ts';

/** What a supervisor says when it gives up on a child (OTP ends with `shutdown`, which parents then overlook). */
export interface GaveUp {
  readonly supervisor: string;
  readonly child: string;
  readonly restarts: number;
  readonly periodMs: number;
  readonly last: ExitReason;
}

export type ExitReason =
  | 'normal'
  | 'shutdown'
  | 'killed'
  | 'noproc'
  | { readonly shutdown: unknown }
  | { readonly error: unknown }
  | { readonly gaveUp: GaveUp };

/** `normal`, `shutdown` and `{ shutdown }`: no crash report, and a transient child is not restarted. */
export const isClean = (reason: ExitReason): boolean =>
  reason === 'normal' || reason === 'shutdown' || (typeof reason === 'object' && 'shutdown' in reason);

/** The reason of an actor whose handler threw `thrown`. */
export const reasonOf = (thrown: unknown): ExitReason => ({ error: thrown });

/** Whether `value` has the shape of a reason; for boundaries fed from outside. */
export const isExitReason = (value: unknown): value is ExitReason =>
  value === 'normal' ||
  value === 'shutdown' ||
  value === 'killed' ||
  value === 'noproc' ||
  (typeof value === 'object' &&
    value !== null &&
    ('shutdown' in value || 'error' in value || 'gaveUp' in value));

/** What a supervisor that could not start a child ends with, inside `{ shutdown }` (OTP's failed_to_start_child). */
export interface StartFailure {
  readonly failedToStart: string;
  readonly reason: ExitReason;
}

const isStartFailure = (value: unknown): value is StartFailure =>
  typeof value === 'object' && value !== null && 'failedToStart' in value;

/** What was thrown, however deep in nested start failures and surrenders; `undefined` where nothing was. */
export const errorIn = (reason: ExitReason): unknown => {
  if (typeof reason !== 'object') return undefined;
  if ('error' in reason) return reason.error;
  if ('gaveUp' in reason) return errorIn(reason.gaveUp.last);
  return isStartFailure(reason.shutdown) ? errorIn(reason.shutdown.reason) : undefined;
};

/** One line for logs and error messages. */
export const describeReason = (reason: ExitReason): string => {
  if (typeof reason === 'string') return reason;
  if ('shutdown' in reason) {
    const { shutdown } = reason;
    return isStartFailure(shutdown)
      ? `failed to start ${shutdown.failedToStart}: ${describeReason(shutdown.reason)}`
      : `shutdown: ${show(shutdown)}`;
  }
  if ('error' in reason)
    return `error: ${isTroupeError(reason.error) ? plainText(reason.error) : show(reason.error)}`;
  const { supervisor, child, restarts, periodMs, last } = reason.gaveUp;
  const after = `${restarts} restarts in ${periodMs} ms`;
  return `gave up: ${supervisor} on ${child} after ${after} (last: ${describeReason(last)})`;
};
