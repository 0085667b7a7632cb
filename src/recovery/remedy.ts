/**
 * What can be done about an error, and the grid that chooses it: category × severity → remedy.
 *
 * Invariant: a total table, frozen data; every category has a remedy at every severity. It performs nothing: a remedy is
 * carried out by whoever owns the failed work (a retry policy, a breaker, the recovery orchestrator).
 */
import { fits, integer, oneOf, refuse, resolveOptions, text } from '../base/options.ts';
import type { BackoffKind } from '../resilience/backoff.ts';

/** What kind of failure it was. */
export const CATEGORIES = [
  /** Something could not be started. */
  'initialization',
  /** The other side cannot be reached, or went away. */
  'connection',
  /** The other side was reached and not understood. */
  'communication',
  /** No answer in time. */
  'timeout',
  /** Something countable ran out. */
  'resource',
  /** A probe failed; nobody's work did. */
  'health_check',
  /** The other side forgot who we are. */
  'session',
  /** The other side's own code raised: a handler in a worker process, of any language; an upstream's 500. */
  'remote',
  /** Everything else: programming errors, and what nobody has classified. */
  'system',
] as const;
export type Category = (typeof CATEGORIES)[number];

/** How bad it is, from the least. */
export const SEVERITIES = ['minor', 'major', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/**
 * `retry` runs the operation again; `circuit_break` stops calls to what is sick; `failover` runs it elsewhere; `restart`
 * asks the owner to start it anew; `stop` takes it down and cleans up; `abandon` knows that nothing helps. Any other word
 * names a remedy of the user's playbook.
 */
export type RemedyKind =
  | 'retry'
  | 'circuit_break'
  | 'failover'
  | 'restart'
  | 'stop'
  | 'abandon'
  | (string & {});

/** A backoff that needs no code to be named. */
export type RemedyBackoff = Exclude<BackoffKind, 'custom'> | 'none';

/** One remedy, as data. */
export interface Remedy {
  readonly kind: RemedyKind;
  /** How often it may run the failed operation: 0 where it does not run it at all. */
  readonly attempts: number;
  /** How it waits between attempts; `'none'` where there is at most one. */
  readonly backoff: RemedyBackoff;
  /** The circuit that `circuit_break` opens. */
  readonly circuit: string | undefined;
}

const REMEDY_FIELDS = {
  kind: text,
  attempts: integer(0, 1_000),
  backoff: oneOf('none', 'constant', 'linear', 'exponential', 'fibonacci', 'decorrelated'),
  circuit: fits<string | undefined>('a string', (v) => v === undefined || typeof v === 'string'),
} as const;

/** A remedy as users write it: what is left out is "runs nothing, waits for nothing". */
export type RemedyChoice = Partial<Remedy> & { readonly kind: RemedyKind };

/** Checks and freezes a remedy. @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const resolveRemedy = (where: string, input: RemedyChoice): Remedy => {
  if (input?.kind === undefined) refuse(where, 'kind', REMEDY_FIELDS.kind.expected, input?.kind);
  return resolveOptions(where, input, REMEDY_FIELDS, REMEDY_DEFAULTS) as Remedy;
};

const REMEDY_DEFAULTS = { attempts: 0, backoff: 'none' as RemedyBackoff, circuit: undefined };

const remedyOf = (
  kind: RemedyKind,
  attempts = 0,
  backoff: RemedyBackoff = 'none',
  circuit?: string,
): Remedy => Object.freeze({ kind, attempts, backoff, circuit });

/** Remedies by name, for playbooks and classifiers. */
export const remedies = Object.freeze({
  /** Runs the operation again, at most `attempts` times. */
  retry: (attempts: number, backoff: RemedyBackoff = 'exponential'): Remedy =>
    resolveRemedy('remedies.retry()', { kind: 'retry', attempts, backoff }),
  /** Records the failure with the named circuit. */
  circuitBreak: (circuit: string): Remedy =>
    resolveRemedy('remedies.circuitBreak()', { kind: 'circuit_break', circuit }),
  /** Tries the steps of `failover` in order, until one succeeds. */
  failover: remedyOf('failover', 1),
  /** Asks the owner to start it anew. */
  restart: remedyOf('restart'),
  /** Runs `stop`, then `cleanup`. */
  stop: remedyOf('stop'),
  /** Knows that nothing helps. */
  abandon: remedyOf('abandon'),
  /** One of the playbook's own `remedies`. */
  named: (kind: string): Remedy => resolveRemedy('remedies.named()', { kind }),
});

/** Category → severity → remedy. */
export type RemedyGrid = Readonly<Record<Category, Readonly<Record<Severity, Remedy>>>>;

const exponential = (attempts: number): Remedy => remedyOf('retry', attempts, 'exponential');
const linear = (attempts: number): Remedy => remedyOf('retry', attempts, 'linear');
const circuit = (name: string): Remedy => remedyOf('circuit_break', 0, 'none', name);
const row = (critical: Remedy, major: Remedy, minor: Remedy): Readonly<Record<Severity, Remedy>> =>
  Object.freeze({ critical, major, minor });

/** The remedies unless a classifier is given others. Source: the recovery orchestrator of DSPex, phase 3. */
export const REMEDIES: RemedyGrid = Object.freeze({
  //                    critical                              major           minor
  initialization: row(circuit('worker_initialization'), exponential(3), linear(2)),
  connection: row(circuit('pool_connections'), exponential(5), linear(3)),
  communication: row(circuit('communication_failures'), exponential(3), linear(3)),
  timeout: row(remedies.abandon, exponential(2), linear(3)),
  resource: row(circuit('pool_resources'), remedies.failover, linear(2)),
  health_check: row(remedies.abandon, exponential(2), linear(3)),
  session: row(remedies.abandon, linear(2), linear(3)),
  remote: row(remedies.failover, remedies.failover, linear(2)),
  system: row(remedies.abandon, remedies.abandon, remedies.abandon),
});

/** The severity of an error of a category, unless something says otherwise. Source: DSPex's pool error handler. */
export const DEFAULT_SEVERITIES: Readonly<Record<Category, Severity>> = Object.freeze({
  initialization: 'critical',
  connection: 'major',
  communication: 'major',
  timeout: 'major',
  resource: 'critical',
  health_check: 'minor',
  session: 'minor',
  remote: 'major',
  system: 'critical',
});
