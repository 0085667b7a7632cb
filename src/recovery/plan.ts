/**
 * From a remedy to its steps, and from what is done of them to what comes next.
 *
 * Invariant: pure. The same remedy, entry and progress give the same move, whoever asks and however often: that is what makes
 * a recovery resumable. It runs nothing.
 */
import type { NextMove } from '../../actors/recovery.machine.ts';
import { refuse } from '../base/options.ts';
import { isSpec } from '../kernel/spec.ts';
import { type BackoffOptions, type BackoffStrategy, createBackoff } from '../resilience/backoff.ts';
import type { Classification } from './classification.ts';
import type { Progress } from './journal.ts';
import {
  AWAIT_HEALING,
  type Circuit,
  type ResolvedEntry,
  type RestartRequest,
  type Step,
} from './playbook.ts';
import { type Remedy, resolveRemedy } from './remedy.ts';

export interface PlannedStep {
  /** Unique within its plan, but for the attempts of one operation, which share a name and so a key. */
  readonly name: string;
  readonly run: Step;
}

export interface Plan {
  /** What it is called in events and reports: the remedy's kind, or `observe`. */
  readonly remedy: string;
  readonly steps: readonly PlannedStep[];
  /** Whether one step that succeeds is enough, or all must. */
  readonly needs: 'one' | 'all';
  /** Whether its steps are attempts at one operation: they are spaced, and end when an error forbids more. */
  readonly backoff: BackoffStrategy | undefined;
  /** What its success means: the subject is back, or only prevented from doing harm. */
  readonly success: 'recovered' | 'contained';
  /** What happens where it has no step. */
  readonly otherwise: NextMove;
}

/** What plans are made with, beside remedy and entry. */
export interface PlanMeans {
  /** The operation that failed, if the report brought it. */
  readonly operation: Step | undefined;
  /** The orchestrator's circuits. */
  readonly circuits: Readonly<Record<string, Circuit>>;
  /** Base, cap and jitter of all backoffs. */
  readonly backoff: Omit<BackoffOptions, 'kind' | 'delay'>;
}

const EMPTY = { steps: [], needs: 'all', backoff: undefined, success: 'recovered' } as const;

/** Nothing to do but to watch: the component heals by its own means. */
export const OBSERVE: Plan = Object.freeze({ ...EMPTY, remedy: 'observe', otherwise: 'healing' });

const named = (steps: Readonly<Record<string, Step>> | undefined): readonly PlannedStep[] =>
  Object.entries(steps ?? {}).map(([name, run]) => ({ name, run }));

const ownOf = <T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined =>
  record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;

const single = (name: string, run: Step | undefined): readonly PlannedStep[] =>
  run === undefined ? [] : [{ name, run }];

const recordFailure =
  (circuit: Circuit): Step =>
  (context) => {
    if (typeof circuit === 'function') return circuit(context);
    const breaker = isSpec(circuit) ? context.get(circuit) : circuit;
    return breaker.fail(context.error);
  };

const requestRestart =
  (request: RestartRequest): Step =>
  async (context) => {
    const answer: unknown =
      typeof request === 'function'
        ? await request(context)
        : await context.get(request.supervisor).recycleChild(request.child);
    if (answer === 'restarted') return answer;
    if (answer === 'already' || answer === 'failed') return AWAIT_HEALING;
    return refuse(`restart of ${context.subject}`, 'answer', "'restarted', 'already' or 'failed'", answer);
  };

const retrySteps = (run: Step | undefined, attempts: number): readonly PlannedStep[] =>
  run === undefined ? [] : Array.from({ length: attempts }, () => ({ name: 'retry', run }));

/** The steps that a remedy calls for, given what a user has for the subject. */
export const planFor = (remedy: Remedy, entry: ResolvedEntry | undefined, means: PlanMeans): Plan => {
  const base = { ...EMPTY, remedy: remedy.kind, otherwise: 'no_step' } as const;
  switch (remedy.kind) {
    case 'abandon':
      return { ...base, otherwise: 'abandoned' };
    case 'retry': {
      const steps = retrySteps(means.operation ?? entry?.retry, remedy.attempts);
      const kind = remedy.backoff === 'none' ? 'constant' : remedy.backoff;
      const options = remedy.backoff === 'none' ? { baseMs: 0 } : means.backoff;
      return { ...base, steps, needs: 'one', backoff: createBackoff({ ...options, kind }) };
    }
    case 'failover':
      return { ...base, steps: named(entry?.failover), needs: 'one' };
    case 'circuit_break': {
      const name = remedy.circuit ?? '';
      const circuit = ownOf(entry?.circuits, name) ?? ownOf(means.circuits, name);
      const steps = circuit === undefined ? [] : single(`circuit_break:${name}`, recordFailure(circuit));
      return { ...base, steps, success: 'contained' };
    }
    case 'restart':
      return {
        ...base,
        steps: entry?.restart === undefined ? [] : single('restart', requestRestart(entry.restart)),
      };
    case 'stop':
      return {
        ...base,
        steps: [...single('stop', entry?.stop), ...single('cleanup', entry?.cleanup)],
        success: 'contained',
      };
    default:
      return { ...base, steps: named(ownOf(entry?.remedies, remedy.kind)) };
  }
};

/** The remedy for a subject: its entry's, or what classification chose. */
export const remedyFor = (classification: Classification, entry: ResolvedEntry | undefined): Remedy => {
  const own = entry?.remedy;
  if (typeof own !== 'function') return own ?? classification.remedy;
  try {
    return resolveRemedy('playbook remedy', own(classification));
  } catch {
    return classification.remedy;
  }
};

/** What comes next when so much of a plan is done. Delays are the runner's affair: it makes a `step` a `delay`. */
export const nextMove = (plan: Plan, progress: Progress): NextMove => {
  const { steps, needs, success } = plan;
  if (steps.length === 0) return plan.otherwise;
  if (progress.deferred) return 'healing';
  if (needs === 'one') {
    if (progress.done > 0) return success;
    // Another step of a chain may succeed where one had no hope; another attempt at the same will not.
    if (progress.hopeless && plan.backoff !== undefined) return 'exhausted';
    return progress.failed < steps.length ? 'step' : 'exhausted';
  }
  if (progress.failed > 0) return 'exhausted';
  return progress.done < steps.length ? 'step' : success;
};
