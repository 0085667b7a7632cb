/**
 * The journal of recoveries: what was begun and what came of it, so that whoever resumes one after a crash neither forgets a
 * step nor takes one that is done.
 *
 * Invariant: an entry is written before what it announces begins (`began`) and after what it reports is over (`settled`); so a
 * step without its `settled` may or may not have had its effect, and is run again under the same key. Entries are data.
 */
import type { RecoveryEnd } from '../../actors/recovery.machine.ts';
import type { Awaitable } from '../kernel/logic.ts';
import type { ClassificationData } from './classification.ts';

/**
 * What came of a step: done; failed; failed with an error against which running it again does not help; or left to the
 * subject's owner, who is at it already.
 */
export type StepOutcome = 'done' | 'failed' | 'failed_for_good' | 'deferred';

/** One line of a journal; JSON, but for what a user's own remedies put in. Budgets are ms that remained then. */
export type JournalEntry =
  | {
      readonly kind: 'opened';
      readonly recovery: string;
      /** The path of the orchestrator that opened it. */
      readonly orchestrator: string;
      readonly subject: string;
      readonly classification: ClassificationData;
      readonly remainingMs: number;
    }
  | {
      readonly kind: 'began';
      readonly recovery: string;
      readonly step: string;
      readonly key: string;
      readonly remainingMs: number;
    }
  | {
      readonly kind: 'settled';
      readonly recovery: string;
      readonly step: string;
      readonly outcome: StepOutcome;
      readonly remainingMs: number;
    }
  | { readonly kind: 'ended'; readonly recovery: string; readonly end: RecoveryEnd };

/** Where recoveries are journaled. A step waits for `append`; one that fails makes the step fail without having begun. */
export interface Journal {
  /** Keeps an entry; durably, if the journal is durable, when it returns or resolves. */
  append(entry: JournalEntry): Awaitable<void>;
  /** The entries of an orchestrator's recoveries that have not `ended`, in the order of their appending. */
  unfinished(orchestrator: string): Awaitable<readonly JournalEntry[]>;
}

/** What the entries of one recovery amount to. */
export interface Progress {
  readonly done: number;
  readonly failed: number;
  /** Whether the last failure was one for good. */
  readonly hopeless: boolean;
  readonly deferred: boolean;
}

export const NO_PROGRESS: Progress = Object.freeze({ done: 0, failed: 0, hopeless: false, deferred: false });

/** One step more. */
export const progressed = (progress: Progress, outcome: StepOutcome): Progress => ({
  done: progress.done + (outcome === 'done' ? 1 : 0),
  failed: progress.failed + (outcome === 'failed' || outcome === 'failed_for_good' ? 1 : 0),
  hopeless: outcome === 'failed_for_good',
  deferred: progress.deferred || outcome === 'deferred',
});

/** How far the recovery came that these entries are of. */
export const progressIn = (entries: readonly JournalEntry[]): Progress =>
  entries.reduce<Progress>(
    (progress, entry) => (entry.kind === 'settled' ? progressed(progress, entry.outcome) : progress),
    NO_PROGRESS,
  );

/** How many unfinished recoveries the memory journal holds; the oldest is forgotten for one more. */
export const MEMORY_JOURNAL_RECOVERIES = 1_000;

/** The default: lives as long as its orchestrator's place, so it outlives crashes of the actor, not of the process. */
export class MemoryJournal implements Journal {
  readonly #recoveries = new Map<string, JournalEntry[]>();
  readonly #limit: number;

  constructor(limit = MEMORY_JOURNAL_RECOVERIES) {
    this.#limit = limit;
  }

  append(entry: JournalEntry): void {
    const { recovery, kind } = entry;
    if (kind === 'ended') this.#recoveries.delete(recovery);
    else if (kind === 'opened') this.#open(entry);
    // Of a recovery that was never opened here, or forgotten, nothing is kept.
    else this.#recoveries.get(recovery)?.push(entry);
  }

  unfinished(orchestrator: string): readonly JournalEntry[] {
    return [...this.#recoveries.values()].flatMap((entries) => {
      const [first] = entries;
      return first?.kind === 'opened' && first.orchestrator === orchestrator ? entries : [];
    });
  }

  #open(entry: JournalEntry): void {
    for (const oldest of this.#recoveries.keys()) {
      if (this.#recoveries.size < this.#limit) break;
      this.#recoveries.delete(oldest);
    }
    this.#recoveries.set(entry.recovery, [entry]);
  }
}
