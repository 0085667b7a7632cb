/**
 * How an application ended, as data that can be logged as it is.
 *
 * Invariant: frozen. In JSON the reason is one line of text, since an Error has no fields of its own there.
 */
import { describeReason, type ExitReason } from '../kernel/reason.ts';

/** How an application ended. `JSON.stringify` gives it with its reason in words. */
export interface StopReport {
  /** `'shutdown'` when it was asked to; otherwise why it ended by itself. */
  readonly reason: ExitReason;
  /** What was still there at the end: handlers that ran on, resources that did not close. Empty when all is gone. */
  readonly survivors: readonly string[];
  readonly durationMs: number;
  toJSON(): { readonly reason: string; readonly survivors: readonly string[]; readonly durationMs: number };
}

class Report implements StopReport {
  readonly reason: ExitReason;
  readonly survivors: readonly string[];
  readonly durationMs: number;

  constructor({ reason, survivors, durationMs }: Omit<StopReport, 'toJSON'>) {
    this.reason = reason;
    this.survivors = Object.freeze([...survivors]);
    this.durationMs = durationMs;
    Object.freeze(this);
  }

  toJSON(): ReturnType<StopReport['toJSON']> {
    const { survivors, durationMs } = this;
    return { reason: describeReason(this.reason), survivors, durationMs };
  }
}

export const createReport = (facts: Omit<StopReport, 'toJSON'>): StopReport => new Report(facts);
