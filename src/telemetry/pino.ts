/**
 * pino as a listener: every fact becomes a line, with a child logger for each place and a crash report for each abnormal end.
 *
 * Invariant: only the fields of the allow-list below are written; payloads of messages are never in an event, and what an
 * error carries beyond name, message, code, outcome and stack stays out of the log. Redaction by path is not relied on: it leaks
 * what nobody thought of.
 */
import { type Logger, pino } from 'pino';
import { isTroupeError, show } from '../base/errors.ts';
import { fits, integer, object, resolveOptions } from '../base/options.ts';
import type { EventStream, EventType, TroupeEvent } from '../base/telemetry.ts';
import { describeReason, type ExitReason, errorIn, isClean, isExitReason } from '../kernel/reason.ts';

/** Options of {@link logTo}. */
export interface PinoOptions {
  /** A logger of the service. Default: a new one on stdout at level `info`. */
  readonly logger?: Logger;
  /** Child loggers kept, one a place; the least recently used goes. Default 1,000. */
  readonly childLoggers?: number;
  /** The level of an event type, or `false` to leave it out; over the defaults. */
  readonly levels?: Partial<Readonly<Record<EventType, Level | false>>>;
}

export type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** Levels by event; a crash report is `error`, a clean end `debug`. */
const LEVELS: Readonly<Record<EventType, Level>> = {
  'host.stalled': 'warn',
  'actor.started': 'debug',
  'actor.ended': 'debug',
  'actor.start_failed': 'error',
  'actor.straggled': 'warn',
  'actor.fenced': 'warn',
  'actor.threw': 'error',
  'mail.dropped': 'warn',
  'mail.dead_lettered': 'debug',
  'supervisor.child.started': 'debug',
  'supervisor.child.ended': 'warn',
  'supervisor.child.start_failed': 'error',
  'supervisor.child.shutdown_failed': 'warn',
  'supervisor.child.restarted': 'warn',
  'supervisor.child.backing_off': 'warn',
  'supervisor.child.held': 'warn',
  'supervisor.child.released': 'info',
  'supervisor.gave_up': 'error',
  'supervisor.child.parked': 'error',
  'supervisor.auto_shutdown': 'info',
  'breaker.opened': 'warn',
  'breaker.half_opened': 'info',
  'breaker.closed': 'info',
  'breaker.isolated': 'warn',
  'breaker.disabled': 'warn',
  'breaker.observed': 'warn',
  'breaker.would_have_opened': 'warn',
  'breaker.rejected': 'debug',
  'breaker.checked': 'debug',
  'pool.worker.started': 'info',
  'pool.worker.transitioned': 'debug',
  'pool.worker.ended': 'warn',
  'pool.worker.stderr': 'info',
  'pool.job.started': 'trace',
  'pool.job.settled': 'trace',
  'pool.job.retried': 'warn',
  'pool.reply.dropped': 'warn',
  'pool.degraded': 'error',
  'pool.restored': 'info',
  'pool.paused': 'info',
  'pool.resumed': 'info',
  'pool.grown': 'info',
  'pool.shrunk': 'info',
  'pool.resized': 'info',
  'pool.saturated': 'warn',
  'pool.relieved': 'info',
  'pool.job.shed': 'debug',
  'pool.session.rebound': 'info',
  'pool.session.forgotten': 'debug',
  'pool.lease.leaked': 'warn',
  'pool.lease.revoked': 'warn',
  'pool.place.tainted': 'warn',
  'pool.replacement.began': 'info',
  'pool.replacement.ended': 'info',
  'policy.option_failed': 'error',
  'policy.misordered': 'warn',
  'limit.exhausted': 'debug',
  'task.started': 'trace',
  'task.settled': 'debug',
  'task.straggler_ended': 'warn',
  'scope.closed': 'debug',
  'leak.found': 'warn',
  'leak.threshold_passed': 'error',
  'leak.threshold_cleared': 'info',
  'operation.ended': 'debug',
  'operation.log_failed': 'warn',
  'bus.event.dropped': 'debug',
  'bus.handler.failed': 'error',
  'bus.handler.overdue': 'warn',
  'bus.subscription.ended': 'debug',
  'bus.closed': 'info',
  'outbox.dead_lettered': 'warn',
  'outbox.replayed': 'info',
  'connection.opened': 'debug',
  'connection.closed': 'debug',
  'connection.overflowed': 'info',
  'connection.clean_up_failed': 'error',
  'connection.clean_up_overdue': 'warn',
  'connection.refused': 'info',
  'connections.drained': 'info',
  'health.check_changed': 'warn',
  'lock.granted': 'trace',
  'lock.released': 'trace',
  'lock.refused': 'info',
  'lock.lost': 'warn',
  'lock.release_ignored': 'warn',
  'lock.release_failed': 'error',
  'timeout.passed': 'info',
  'fallback.used': 'info',
  'hedge.started': 'debug',
  'concurrency.limit_changed': 'debug',
  'chaos.injected': 'info',
  'retry.scheduled': 'info',
  'retry.exhausted': 'warn',
  'session.transitioned': 'debug',
  'session.started': 'info',
  'session.ended': 'info',
  'session.stderr': 'info',
  'session.reply.dropped': 'warn',
  'session.execution.started': 'debug',
  'session.execution.settled': 'debug',
  'session.execution.stopping': 'info',
  'session.execution.interrupted': 'warn',
  'session.output.throttled': 'warn',
  'session.capability.checked': 'info',
  'session.checkpoint.taken': 'debug',
  'session.checkpoint.failed': 'warn',
  'session.restored': 'info',
  'recovery.started': 'warn',
  'recovery.step_done': 'info',
  'recovery.ended': 'info',
  'recovery.coalesced': 'debug',
  'recovery.refused': 'error',
  'app.phase_entered': 'info',
  'app.resource.opened': 'info',
  'app.resource.closed': 'info',
  'app.resource.drain_failed': 'error',
  'app.signalled': 'info',
  'app.stray_error': 'error',
  'chart.stepped': 'trace',
  'explorer.listening': 'info',
  'explorer.refused': 'warn',
  'explorer.commanded': 'warn',
  'explorer.command_ended': 'info',
  'app.stopped': 'info',
};

/** The facts that may be written as they are: numbers, ids and words of troupe's own. */
const ALLOWED: ReadonlySet<string> = new Set([
  'address',
  'ageMs',
  'allowed',
  'attempt',
  'audit',
  'breakers',
  'category',
  'check',
  'child',
  'code',
  'command',
  'commands',
  'crashes',
  'cut',
  'delayMs',
  'dropped',
  'durationMs',
  'failures',
  'finished',
  'from',
  'healthy',
  'heldMs',
  'holder',
  'how',
  'incarnation',
  'inStateMs',
  'intensity',
  'inner',
  'job',
  'kind',
  'lastCrash',
  'lastMessage',
  'lateMs',
  'limit',
  'line',
  'maxMs',
  'max',
  'metadata',
  'min',
  'message',
  'name',
  'openMs',
  'option',
  'origin',
  'outcome',
  'outer',
  'overdue',
  'owner',
  'periodMs',
  'permits',
  'phase',
  'pid',
  'recovery',
  'reading',
  'remedy',
  'resource',
  'restarts',
  'retryAfterMs',
  'retryAtMs',
  'runMs',
  'sent',
  'severity',
  'signal',
  'startMs',
  'stack',
  'state',
  'status',
  'step',
  'subject',
  'survivors',
  'target',
  'timeoutMs',
  'to',
  'used',
  'value',
  'taintMs',
  'replaced',
  'waitedMs',
  'waiting',
  'workers',
  'waitMs',
  'what',
  'why',
  'worker',
  'lastStderr',
  'execution',
  'language',
  'linesPerSecond',
  'capability',
  'action',
  'kept',
  'lost',
  'bytes',
  'restored',
  'reason',
]);

/** What is written of an error: never its own properties, which may hold a request's headers. */
export const serializeError = (error: unknown, depth = 0): Readonly<Record<string, unknown>> => {
  if (!(error instanceof Error) && !isTroupeError(error)) return { type: typeof error, message: show(error) };
  const { name, message, stack, cause } = error;
  const code = (error as { code?: unknown }).code;
  return {
    type: name,
    message,
    ...(typeof code === 'string' ? { code } : {}),
    ...(isTroupeError(error) ? { outcome: error.outcome } : {}),
    ...(stack === undefined ? {} : { stack }),
    // Causes nest as deep as layers do; a cycle would nest for ever.
    ...(cause === undefined || depth >= 4 ? {} : { cause: serializeError(cause, depth + 1) }),
  };
};

const reasonFields = (reason: ExitReason): Readonly<Record<string, unknown>> => {
  const error = errorIn(reason);
  return { reason: describeReason(reason), ...(error === undefined ? {} : { err: serializeError(error) }) };
};

const fieldsOf = (event: TroupeEvent): Readonly<Record<string, unknown>> => {
  const fields: Record<string, unknown> = { event: event.type };
  for (const [key, value] of Object.entries(event)) {
    if ((key === 'reason' || key === 'last') && isExitReason(value))
      Object.assign(fields, reasonFields(value));
    else if (key === 'error' || key === 'cause') {
      if (value !== undefined) fields['err'] = serializeError(value);
    } else if (ALLOWED.has(key)) fields[key] = value;
  }
  return fields;
};

const levelOf = (event: TroupeEvent): Level => {
  if (event.type === 'actor.ended' && isExitReason(event.reason) && !isClean(event.reason)) return 'error';
  if (event.type === 'app.stopped' && event.survivors.length > 0) return 'error';
  if (event.type === 'recovery.ended' && event.outcome === 'gave_up') return 'error';
  return LEVELS[event.type];
};

const wordsOf = (event: TroupeEvent): string =>
  event.type === 'actor.ended' && isExitReason(event.reason) && !isClean(event.reason)
    ? `crash report: ${event.path} ended with ${describeReason(event.reason)}`
    : event.type;

/** `err` arrives serialized; pino's own serializer would take what is left for an error and rewrite it. */
const SERIALIZERS = { err: (err: unknown) => err };

/** Loggers by place, the least recently used dropped. */
class ChildLoggers {
  readonly #logger: Logger;
  readonly #limit: number;
  readonly #children = new Map<string, Logger>();

  constructor(logger: Logger, limit: number) {
    this.#logger = logger;
    this.#limit = limit;
  }

  of(path: string): Logger {
    const known = this.#children.get(path);
    const child = known ?? this.#logger.child({ path }, { serializers: SERIALIZERS });
    this.#children.delete(path);
    this.#children.set(path, child);
    if (this.#children.size > this.#limit) {
      const oldest = this.#children.keys().next();
      if (oldest.done !== true) this.#children.delete(oldest.value);
    }
    return child;
  }
}

const FIELDS = {
  logger: fits<Logger>('a pino logger', (value) => typeof (value as Logger | null)?.child === 'function'),
  childLoggers: integer(1),
  levels: object<NonNullable<PinoOptions['levels']>>('levels by event type'),
};

/**
 * Writes a system's events to pino; returns the function that stops it. Restart counts of a child are remembered, so
 * that a crash report says how often it has come.
 *
 * @example const stop = logTo(app.events, { logger: pino({ level: 'info' }) });
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const logTo = (events: EventStream, options: PinoOptions = {}): (() => void) => {
  const {
    logger = pino({ level: 'info' }),
    childLoggers,
    levels,
  } = resolveOptions('logTo', options, FIELDS, {
    childLoggers: 1_000,
    levels: {},
  });
  const loggers = new ChildLoggers(logger, childLoggers);
  const restarts = new Map<string, number>();
  return events.listen((event) => {
    if (event.type === 'supervisor.child.restarted')
      restarts.set(`${event.path}/${event.child}`, event.restarts);
    const asked = levels[event.type];
    if (asked === false) return;
    const level = asked ?? levelOf(event);
    if (!logger.isLevelEnabled(level)) return;
    const path = 'path' in event ? event.path : 'host';
    const crash = event.type === 'actor.ended' ? { restarts: restarts.get(path) ?? 0 } : {};
    loggers.of(path)[level]({ ...fieldsOf(event), ...crash }, wordsOf(event));
    if (event.type === 'actor.ended' && isExitReason(event.reason) && isClean(event.reason))
      restarts.delete(path);
  });
};
