/** An orchestrator's options: their defaults, their rules, resolved once. */
import { fits, flag, integer, listOf, ms, object, refuse, resolveOptions, text } from '../base/options.ts';
import { SPEC_FIELDS, type SpecOptions } from '../kernel/spec.ts';
import { type BackoffOptions, createBackoff } from '../resilience/backoff.ts';
import type { Classifier } from './classification.ts';
import type { Journal } from './journal.ts';
import {
  type Circuit,
  checkCircuits,
  type PlaybookEntry,
  type ResolvedEntry,
  resolvePlaybook,
} from './playbook.ts';
import type { Severity } from './remedy.ts';

/** How long a recovery may take, ms, by severity; half of it where a user waits. Source: DSPex's orchestrator. */
export interface RecoveryBudgets {
  /** Default 5,000. */
  readonly criticalMs: number;
  /** Default 30,000. */
  readonly majorMs: number;
  /** Default 60,000. */
  readonly minorMs: number;
  /** For a severity that a classifier of the user's own made up. Default 10,000. */
  readonly otherwiseMs: number;
}

export interface RecoveryOptions
  extends Omit<SpecOptions, 'input' | 'mailboxCapacity' | 'overflow' | 'onShutdown'> {
  /** What can be done for which subjects; the first entry whose pattern fits counts. Default: nothing. */
  readonly playbook?: readonly PlaybookEntry[];
  /** Circuits that `circuit_break` may name, for entries that have none of that name. */
  readonly circuits?: Readonly<Record<string, Circuit>>;
  /** Default: the built-in table. */
  readonly classifier?: Pick<Classifier, 'classify'>;
  /** Recoveries that may run at once; more are refused with ERR_RECOVERY_CAPACITY. Default 10. */
  readonly maxConcurrent?: number;
  /** Recoveries that only watch a component heal by itself, at once; more are refused. Default 100. */
  readonly maxObserved?: number;
  /** Whether it hears `supervisor.gave_up`, `breaker.opened` and `pool.degraded`. Default `true`. */
  readonly listen?: boolean;
  /** Patterns of the subjects whose events it hears. Default: all. */
  readonly subjects?: readonly string[];
  readonly budgets?: Partial<RecoveryBudgets>;
  /** Base, factor, cap and jitter between attempts; the kind is the remedy's. Default: 1,000 ms to 30,000, ± 25 %. */
  readonly retryBackoff?: Omit<BackoffOptions, 'kind' | 'delay'>;
  /** Recoveries whose status is still known after their end. Default 100. */
  readonly historyLimit?: number;
  /** Default: in memory; outlives crashes of the orchestrator, not of the process. */
  readonly journal?: Journal;
}

/** What {@link resolveRecovery} makes of them. */
export interface ResolvedRecoveryOptions {
  readonly playbook: readonly ResolvedEntry[];
  readonly circuits: Readonly<Record<string, Circuit>>;
  readonly classifier: Pick<Classifier, 'classify'> | undefined;
  readonly maxConcurrent: number;
  readonly maxObserved: number;
  readonly listen: boolean;
  readonly subjects: readonly string[];
  readonly budgets: RecoveryBudgets;
  readonly retryBackoff: Omit<BackoffOptions, 'kind' | 'delay'>;
  readonly historyLimit: number;
  readonly journal: Journal | undefined;
  /** Those that every spec takes. */
  readonly spec: SpecOptions;
}

export const BUDGET_DEFAULTS: RecoveryBudgets = Object.freeze({
  criticalMs: 5_000,
  majorMs: 30_000,
  minorMs: 60_000,
  otherwiseMs: 10_000,
});

export const RECOVERY_DEFAULTS = Object.freeze({
  playbook: [] as readonly PlaybookEntry[],
  circuits: {} as Readonly<Record<string, Circuit>>,
  maxConcurrent: 10,
  maxObserved: 100,
  listen: true,
  subjects: ['**'] as readonly string[],
  budgets: BUDGET_DEFAULTS as Partial<RecoveryBudgets>,
  retryBackoff: {} as Omit<BackoffOptions, 'kind' | 'delay'>,
  historyLimit: 100,
});

const BUDGET_FIELDS = { criticalMs: ms(1), majorMs: ms(1), minorMs: ms(1), otherwiseMs: ms(1) } as const;

const having = <T>(expected: string, ...methods: readonly string[]) =>
  fits<T>(
    expected,
    (v) =>
      object().accepts(v) && methods.every((m) => typeof (v as Record<string, unknown>)[m] === 'function'),
  );

const OWN_FIELDS = {
  playbook: fits<readonly PlaybookEntry[]>('an array of entries', Array.isArray),
  circuits: object<Readonly<Record<string, Circuit>>>('an object of circuits'),
  classifier: having<Pick<Classifier, 'classify'>>('a classifier', 'classify'),
  maxConcurrent: integer(1),
  maxObserved: integer(0),
  listen: flag,
  subjects: listOf(text),
  budgets: object<Partial<RecoveryBudgets>>('budgets'),
  retryBackoff: object<Omit<BackoffOptions, 'kind' | 'delay'>>('a backoff'),
  historyLimit: integer(0),
  journal: having<Journal>('a journal', 'append', 'unfinished'),
} as const;

const {
  input: _i,
  mailboxCapacity: _m,
  overflow: _o,
  onShutdown: _s,
  backoff: _b,
  ...SPEC_OWN
} = SPEC_FIELDS;
const FIELDS = { ...SPEC_OWN, ...OWN_FIELDS } as const;

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const resolveRecovery = (where: string, input: unknown): ResolvedRecoveryOptions => {
  const all = resolveOptions(where, input, FIELDS, RECOVERY_DEFAULTS);
  checkCircuits(`${where}.circuits`, all.circuits);
  for (const key of ['kind', 'delay'])
    if (Object.hasOwn(all.retryBackoff, key))
      refuse(`${where}.retryBackoff`, key, "absent: the kind is the remedy's", all.retryBackoff);
  createBackoff(all.retryBackoff, `${where}.retryBackoff`);
  const { classifier, journal } = all;
  const spec = Object.fromEntries(Object.entries(all).filter(([key]) => Object.hasOwn(SPEC_OWN, key)));
  return Object.freeze({
    ...all,
    classifier,
    journal,
    playbook: resolvePlaybook(where, all.playbook),
    budgets: resolveOptions(
      `${where}.budgets`,
      all.budgets,
      BUDGET_FIELDS,
      BUDGET_DEFAULTS,
    ) as RecoveryBudgets,
    spec,
  });
};

/** The budget of a recovery, ms. */
export const budgetFor = (budgets: RecoveryBudgets, severity: Severity, userFacing: boolean): number => {
  const { criticalMs: critical, majorMs: major, minorMs: minor, otherwiseMs } = budgets;
  const whole = { critical, major, minor }[severity] ?? otherwiseMs;
  return userFacing ? whole / 2 : whole;
};
