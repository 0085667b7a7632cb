/** What became of a scope's tasks, counted as it happens; the truth that a close reports. */
import type { TaskKind } from '../../actors/scope.machine.ts';
import type { TaskOutcome, TaskState } from './task.ts';

/** A task whose work still runs. */
export interface TaskReport {
  readonly name: string;
  readonly kind: TaskKind;
  readonly state: TaskState;
  readonly runningMs: number;
  /** Where it was started: file and line, if that was noted. */
  readonly origin: string | undefined;
}

/** A task that failed, or ran out of time. */
export interface TaskFailure {
  readonly task: string;
  readonly error: unknown;
}

export interface ScopeReport {
  readonly scope: string;
  readonly started: number;
  readonly completed: number;
  /** Also those whose time passed, and releases of `onEnd` that threw. */
  readonly failed: number;
  readonly cancelled: number;
  /** Those that were refused because it was closing. */
  readonly refused: number;
  /** In the order in which they failed; of more than {@link MOST_FAILURES} the first. */
  readonly failures: readonly TaskFailure[];
  /** Whose work still runs: at the end of a close, those who ignored that they were cancelled. */
  readonly stragglers: readonly TaskReport[];
  /** Since the scope was made. */
  readonly durationMs: number;
}

/** A scope may live as long as its service: of its failures it keeps so many, and counts the others. */
export const MOST_FAILURES = 100;

export const isFailure = (outcome: TaskOutcome): boolean => outcome === 'failed' || outcome === 'timed_out';

export class ScopeLedger {
  readonly #scope: string;
  readonly #madeAtMs: number;
  readonly #failures: TaskFailure[] = [];
  started = 0;
  refused = 0;
  readonly #counts = { completed: 0, failed: 0, cancelled: 0, timed_out: 0, straggling: 0 };

  constructor(scope: string, madeAtMs: number) {
    this.#scope = scope;
    this.#madeAtMs = madeAtMs;
  }

  count(task: string, outcome: TaskOutcome, error: unknown): void {
    this.#counts[outcome] += 1;
    if (isFailure(outcome) && this.#failures.length < MOST_FAILURES) this.#failures.push({ task, error });
  }

  sinceMs(now: number): number {
    return now - this.#madeAtMs;
  }

  report(now: number, stragglers: readonly TaskReport[]): ScopeReport {
    const { completed, failed, cancelled, timed_out: timedOut } = this.#counts;
    return Object.freeze({
      scope: this.#scope,
      started: this.started,
      completed,
      failed: failed + timedOut,
      cancelled,
      refused: this.refused,
      failures: Object.freeze([...this.#failures]),
      stragglers: Object.freeze(stragglers),
      durationMs: this.sinceMs(now),
    });
  }
}
