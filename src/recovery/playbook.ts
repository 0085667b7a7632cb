/**
 * The playbook: which steps a user has for which subjects, by the name of the remedy that calls for them.
 *
 * Invariant: plain data and functions, checked and frozen when the spec is made; it decides nothing but which entry is a
 * subject's: the first whose pattern fits.
 */

import { check, fits, fn, listOf, object, refuse, resolveOptions, text } from '../base/options.ts';
import type { Awaitable, Handle } from '../kernel/logic.ts';
import { isSpec, type Spec } from '../kernel/spec.ts';
import type { CircuitBreaker } from '../resilience/circuit-breaker.ts';
import type { SupervisorHandle } from '../supervision/supervisor-handle.ts';
import type { Classification } from './classification.ts';
import { type Remedy, type RemedyChoice, resolveRemedy } from './remedy.ts';
import { matchesSubject } from './subject-pattern.ts';

/** A step may return this: its subject's owner is at it already, so the recovery waits for the subject to heal. */
export const AWAIT_HEALING: unique symbol = Symbol.for('troupe/await-healing');

/** What a step is given. */
export interface StepContext {
  readonly recovery: string;
  readonly subject: string;
  readonly step: string;
  /**
   * The same whenever this step of this recovery runs, be it another attempt or a resumption: hand it to whatever can
   * use it to do nothing the second time.
   */
  readonly key: string;
  /** How often this remedy has run a step, this one included. */
  readonly attempt: number;
  /** What was reported; `undefined` in a process that resumed the recovery from its journal. */
  readonly error: unknown;
  readonly classification: Classification;
  /** Aborts when the recovery is cancelled or its budget ends. A step that goes on is abandoned, and named. */
  readonly signal: AbortSignal;
  /** The instant of `host.monotonic()` by which the recovery is over. */
  readonly deadline: number;
  /** The handle of a spec of this application. */
  get<H>(spec: Spec<H>): H;
}

/** A step succeeds by returning, and fails by throwing. It may run more than once, always under the same key. */
export type Step<T = unknown> = (context: StepContext) => Awaitable<T>;

/** A circuit as far as recovery goes: failures are recorded with it. A breaker's spec, its handle, or a function. */
export type Circuit =
  | Spec<Handle & Pick<CircuitBreaker, 'fail'>>
  | Pick<CircuitBreaker, 'fail'>
  | ((context: StepContext) => Awaitable<unknown>);

/** What an owner answers who is asked to start a subject anew; `already` and `failed`: it is at it, by its own rules. */
export type RestartAnswer = 'restarted' | 'already' | 'failed';

/**
 * Asks a subject's owner to start it anew: a child of a supervisor, or a function that asks. One owner acts on a failure:
 * this is a request, never a deed; where the owner is at it already, the recovery waits for the subject to heal.
 */
export type RestartRequest =
  | { readonly supervisor: Spec<SupervisorHandle>; readonly child: string }
  | ((context: StepContext) => Awaitable<RestartAnswer>);

/** What a user has for some subjects. */
export interface PlaybookEntry {
  /** Patterns of paths: `*` is any run of characters within one part, `**` any number of parts. */
  readonly subjects: string | readonly string[];
  /** Instead of the remedy that classification chose. A function that throws leaves that one. */
  readonly remedy?: RemedyChoice | ((classification: Classification) => RemedyChoice);
  /** What `retry` runs where the report brings no operation. */
  readonly retry?: Step;
  /** What `circuit_break` may name. Those of the orchestrator are used for names that are not here. */
  readonly circuits?: Readonly<Record<string, Circuit>>;
  /** What `failover` tries, in this order, until one succeeds. */
  readonly failover?: Readonly<Record<string, Step>>;
  readonly restart?: RestartRequest;
  /** What `stop` does: first this … */
  readonly stop?: Step;
  /** … then this. Run once in effect, if it heeds its key. */
  readonly cleanup?: Step;
  /** Remedies of the user's own: all steps of one, in this order. */
  readonly remedies?: Readonly<Record<string, Readonly<Record<string, Step>>>>;
}

/** An entry after checking. */
export interface ResolvedEntry extends PlaybookEntry {
  readonly subjects: readonly string[];
  readonly remedy?: Remedy | ((classification: Classification) => RemedyChoice);
}

const STEP = fn<Step>();
const ENTRY_FIELDS = {
  subjects: fits<string | readonly string[]>(
    'a pattern or an array of patterns',
    (v) => text.accepts(v) || listOf(text).accepts(v),
  ),
  remedy: fits<NonNullable<PlaybookEntry['remedy']>>(
    'a remedy or a function',
    (v) => typeof v === 'function' || object().accepts(v),
  ),
  retry: STEP,
  circuits: object<NonNullable<PlaybookEntry['circuits']>>(),
  failover: object<Readonly<Record<string, Step>>>('an object of steps'),
  restart: fits<RestartRequest>(
    '{ supervisor, child } or a function',
    (v) =>
      typeof v === 'function' || (object().accepts(v) && isSpec((v as { supervisor?: unknown }).supervisor)),
  ),
  stop: STEP,
  cleanup: STEP,
  remedies: object<NonNullable<PlaybookEntry['remedies']>>('an object of remedies'),
} as const;

const CIRCUIT = fits<Circuit>(
  "a breaker's spec or handle, or a function",
  (v) =>
    typeof v === 'function' ||
    isSpec(v) ||
    typeof (v as { fail?: unknown } | null | undefined)?.fail === 'function',
);

/** Steps run in the order of their names as written; JavaScript would put names that are numbers first. */
const NAME = /^(?!\d+$).{1,100}$/;

const checkSteps = (where: string, steps: Readonly<Record<string, unknown>> | undefined): void => {
  for (const [name, step] of Object.entries(steps ?? {})) {
    if (!NAME.test(name)) refuse(where, name, 'a name that is not a number', name);
    check(where, name, STEP, step);
  }
};

/** Checks the circuits of an entry or an orchestrator. */
export const checkCircuits = (
  where: string,
  circuits: Readonly<Record<string, unknown>> | undefined,
): void => {
  for (const [name, circuit] of Object.entries(circuits ?? {})) check(where, name, CIRCUIT, circuit);
};

const BUILT_IN = new Set(['retry', 'circuit_break', 'failover', 'restart', 'stop', 'abandon']);

const resolveEntry = (where: string, input: unknown): ResolvedEntry => {
  const entry = resolveOptions(where, input, ENTRY_FIELDS, {}) as PlaybookEntry;
  if (entry.subjects === undefined) refuse(where, 'subjects', ENTRY_FIELDS.subjects.expected, undefined);
  checkCircuits(`${where}.circuits`, entry.circuits);
  checkSteps(`${where}.failover`, entry.failover);
  for (const [name, steps] of Object.entries(entry.remedies ?? {})) {
    if (BUILT_IN.has(name)) refuse(`${where}.remedies`, name, 'no remedy that is built in', name);
    checkSteps(
      `${where}.remedies.${name}`,
      check(where, name, object<Readonly<Record<string, Step>>>(), steps),
    );
  }
  const subjects = typeof entry.subjects === 'string' ? [entry.subjects] : [...entry.subjects];
  const { remedy } = entry;
  const resolved = typeof remedy === 'object' ? resolveRemedy(`${where}.remedy`, remedy) : remedy;
  const fixed = { ...entry, subjects: Object.freeze(subjects), ...(resolved && { remedy: resolved }) };
  return Object.freeze(fixed as ResolvedEntry);
};

/** Checks a playbook. @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN naming the entry */
export const resolvePlaybook = (where: string, input: readonly unknown[]): readonly ResolvedEntry[] =>
  Object.freeze(input.map((entry, index) => resolveEntry(`${where}.playbook[${index}]`, entry)));

/** The first entry that is about a subject. */
export const entryFor = (playbook: readonly ResolvedEntry[], subject: string): ResolvedEntry | undefined =>
  playbook.find((entry) => entry.subjects.some((pattern) => matchesSubject(pattern, subject)));
