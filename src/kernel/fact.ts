/**
 * Lifecycle facts in words: what the flight recorder keeps and a viewer is shown. Errors and reasons become plain, bounded data.
 *
 * Invariant: never a payload, and of an error only its name, message, code, stack and causes: its own properties may hold a
 * request's headers.
 */
import { isTroupeError, show } from '../base/errors.ts';
import type { EventType, TroupeEvent } from '../base/telemetry.ts';
import { describeReason, type ExitReason, errorIn, isClean, isExitReason } from './reason.ts';

/** JSON. What is not JSON in the observed program (functions, maps, cycles, what is too deep) is put in words. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** An error, without the properties that could hold a request's headers. */
export interface ErrorShown {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: ErrorShown;
}

/** Why something ended, in troupe's words. */
export interface Reason {
  readonly kind: 'normal' | 'shutdown' | 'killed' | 'noproc' | 'error' | 'gave_up';
  /** `true`: no crash. */
  readonly clean: boolean;
  /** One line for people. */
  readonly text: string;
  /** What was thrown, if anything was. */
  readonly error?: ErrorShown;
}

/** One lifecycle fact, from the flight recorder: known also from before the first viewer. Never a payload. */
export interface Fact {
  readonly n: number;
  readonly at: number;
  /** An event of `EventMap` (`actor.ended`, `breaker.opened` …). */
  readonly type: string;
  /** The place it is about; `''` where it is about the process. */
  readonly path: string;
  /** How to weigh it, and for the lane's mark. */
  readonly weight: 'trouble' | 'change' | 'note';
  /** One line for people. */
  readonly text: string;
  /** Its figures and words: numbers, ids, states. Reasons and errors as {@link Reason} and {@link ErrorShown}. */
  readonly data: Readonly<Record<string, Json>>;
  /** The `n` of the fact from which it follows, as far as known: the crash behind a restart, the trip behind a recovery. */
  readonly cause?: number;
}

/** Bounds of what is kept of an error. Owner: the recorder, whose facts may each hold one. */
const LONGEST_STACK = 2_000;
const LONGEST_TEXT = 500;
const DEEPEST_CAUSE = 3;
const MOST_ENTRIES = 20;

const cut = (words: string, most: number): string =>
  words.length > most ? `${words.slice(0, most)}…` : words;

/** What is shown of something thrown. `stack: false` leaves the stacks out: making one costs more than all else here. */
export const showError = (
  error: unknown,
  options: { readonly stack?: boolean } = {},
  depth = 0,
): ErrorShown => {
  if (!(error instanceof Error) && !isTroupeError(error))
    return { name: typeof error, message: cut(show(error), LONGEST_TEXT) };
  const { name, message, cause } = error;
  const code = (error as { code?: unknown }).code;
  const stack = options.stack === false ? undefined : error.stack;
  return {
    name: cut(String(name), LONGEST_TEXT),
    message: cut(String(message), LONGEST_TEXT),
    ...(typeof code === 'string' ? { code } : {}),
    ...(typeof stack === 'string' ? { stack: cut(stack, LONGEST_STACK) } : {}),
    ...(cause === undefined || depth >= DEEPEST_CAUSE ? {} : { cause: showError(cause, options, depth + 1) }),
  };
};

const kindOf = (reason: ExitReason): Reason['kind'] => {
  if (typeof reason === 'string') return reason;
  if ('error' in reason) return 'error';
  return 'gaveUp' in reason ? 'gave_up' : 'shutdown';
};

export const showReason = (reason: ExitReason, options: { readonly stack?: boolean } = {}): Reason => {
  const error = errorIn(reason);
  return {
    kind: kindOf(reason),
    clean: isClean(reason),
    text: cut(describeReason(reason), LONGEST_TEXT),
    ...(error === undefined ? {} : { error: showError(error, options) }),
  };
};

/** What was thrown, if the event tells of something thrown. */
export const thrownIn = (event: TroupeEvent): unknown => {
  const { reason, last, error, cause } = event as Readonly<Record<string, unknown>>;
  if (isExitReason(reason)) return errorIn(reason);
  if (isExitReason(last)) return errorIn(last);
  return error ?? cause;
};

const dataOf = (value: unknown): Json => {
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'string') return cut(value, LONGEST_TEXT);
  if (Array.isArray(value)) return value.slice(0, MOST_ENTRIES).map(dataOf);
  return cut(show(value), LONGEST_TEXT);
};

/** The data of an event as JSON, without what every fact has. */
export const plainData = (
  event: TroupeEvent,
  options: { readonly stack?: boolean } = {},
): Readonly<Record<string, Json>> => {
  const data: Record<string, Json> = {};
  for (const [key, value] of Object.entries(event)) {
    if (key === 'type' || key === 'at' || key === 'path' || value === undefined) continue;
    if ((key === 'reason' || key === 'last') && isExitReason(value))
      data[key] = showReason(value, options) as unknown as Json;
    else if (key === 'error' || key === 'cause') data[key] = showError(value, options) as unknown as Json;
    else data[key] = dataOf(value);
  }
  return data;
};

const TROUBLE: ReadonlySet<string> = new Set<EventType>([
  'host.stalled',
  'actor.ended',
  'actor.start_failed',
  'actor.straggled',
  'actor.threw',
  'mail.dropped',
  'supervisor.child.start_failed',
  'supervisor.child.shutdown_failed',
  'supervisor.gave_up',
  'supervisor.child.parked',
  'breaker.opened',
  'pool.worker.ended',
  'pool.degraded',
  'recovery.refused',
  'app.stray_error',
  'app.resource.drain_failed',
]);
const NOTE: ReadonlySet<string> = new Set<EventType>([
  'pool.worker.started',
  'recovery.step_done',
  'app.resource.opened',
  'app.resource.closed',
  'explorer.listening',
]);

export const weightOf = (type: string): Fact['weight'] => {
  if (TROUBLE.has(type)) return 'trouble';
  return NOTE.has(type) ? 'note' : 'change';
};

type Data = Readonly<Record<string, Json>>;

const reasonText = (data: Data): string => {
  const reason = (data['reason'] ?? data['last']) as unknown as Reason | undefined;
  if (reason !== undefined) return `: ${reason.text}`;
  const error = (data['error'] ?? data['cause']) as unknown as ErrorShown | undefined;
  return error === undefined ? '' : `: ${error.message}`;
};

/** One line for each type that says more than its name. */
const LINES: Readonly<Record<string, (data: Data) => string>> = {
  'host.stalled': (d) => `the event loop was late by ${Math.round(Number(d['lateMs']))} ms`,
  'actor.ended': (d) => `crashed${reasonText(d)}`,
  'actor.start_failed': (d) => `did not start${reasonText(d)}`,
  'actor.straggled': () => 'ended, and a handler of it still runs',
  'actor.threw': (d) => `threw where nobody could be told${reasonText(d)}`,
  'mail.dropped': (d) =>
    `mail dropped (${d['message']}, ${d['why']})${d['times'] === undefined ? '' : ` ${d['times']} times`}`,
  'supervisor.child.restarted': (d) =>
    `restarted ${d['child']}; ${d['used']} of ${d['intensity']} in ${d['periodMs']} ms`,
  'supervisor.child.backing_off': (d) =>
    `${d['child']} waits ${Math.round(Number(d['delayMs']))} ms, failure ${d['failures']}`,
  'supervisor.child.start_failed': (d) => `${d['child']} did not start${reasonText(d)}`,
  'supervisor.child.shutdown_failed': (d) => `${d['child']} did not stop well${reasonText(d)}`,
  'supervisor.gave_up': (d) => `gave up on ${d['child']} after ${d['restarts']} restarts${reasonText(d)}`,
  'supervisor.child.parked': (d) => `parked ${d['child']} after ${d['restarts']} restarts${reasonText(d)}`,
  'supervisor.auto_shutdown': (d) => `ends, since ${d['child']} has ended`,
  'breaker.opened': (d) => `opened for ${d['openMs']} ms after ${d['failures']} failures${reasonText(d)}`,
  'breaker.half_opened': (d) => `half open: ${d['permits']} may probe`,
  'breaker.closed': () => 'closed',
  'pool.worker.started': (d) => `${d['worker']} started${d['pid'] === undefined ? '' : ` (pid ${d['pid']})`}`,
  'pool.worker.ended': (d) => `${d['worker']} ended: ${d['how']}${reasonText(d)}`,
  'pool.degraded': (d) => `lets nobody in: ${d['crashes']} crashes in a row (${d['lastCrash']})`,
  'pool.restored': () => 'lets jobs in again',
  'recovery.started': (d) => `${d['recovery']} began for ${d['subject']}: ${d['category']}, ${d['remedy']}`,
  'recovery.step_done': (d) => `${d['recovery']}: step ${d['step']} ${d['outcome']}`,
  'recovery.ended': (d) => `${d['recovery']} for ${d['subject']}: ${d['outcome']}`,
  'recovery.refused': (d) => `refused a recovery for ${d['subject']}: ${d['why']}`,
  'app.phase_entered': (d) => `phase ${d['phase']}`,
  'app.signalled': (d) => `signal ${d['signal']}`,
  'app.stray_error': (d) => `stray error${reasonText(d)}`,
  'app.stopped': (d) => `stopped${reasonText(d)}`,
  'explorer.commanded': (d) => `command ${d['audit']}: ${d['command']} ${d['target']}`,
  'explorer.command_ended': (d) => `command ${d['audit']}: ${d['outcome']}`,
};

export const lineOf = (type: string, data: Data): string =>
  cut(LINES[type]?.(data) ?? type.replaceAll('.', ' ').replaceAll('_', ' '), LONGEST_TEXT);
