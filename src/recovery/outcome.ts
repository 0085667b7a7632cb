/**
 * What goes into a recovery and what comes out of it: the failure that calls for it, its standing while it lasts, its outcome.
 *
 * Invariant: plain frozen data. Nothing here decides or runs anything.
 */
import type { RecoveryEnd } from '../../actors/recovery.machine.ts';
import type { TroupeError } from '../base/errors.ts';
import type { EventType } from '../base/telemetry.ts';
import type { Classification, FailureContext } from './classification.ts';
import type { Step } from './playbook.ts';

/** How it came out, as whoever reported the failure is told. Never a rejection. */
export interface RecoveryOutcome<T = unknown> {
  /** `refused`: it never began; `error` says why. */
  readonly outcome: RecoveryEnd | 'refused';
  /** The recovery that answered the report; `undefined` where it was refused. */
  readonly recovery: string | undefined;
  readonly subject: string;
  readonly classification: Classification;
  readonly remedy: string;
  /** What the step that brought recovery returned; only for the report that the recovery began with. */
  readonly value: T | undefined;
  /** `undefined` if and only if it recovered. Its cause is the last error of a step, or else the one reported. */
  readonly error: TroupeError | undefined;
  /** Whether the report came while a recovery of its subject was under way, and was answered by it or the one after. */
  readonly coalesced: boolean;
  /** How many steps were run. */
  readonly steps: number;
  /** Steps that ignored their signal and may be running still. */
  readonly abandoned: readonly string[];
  readonly durationMs: number;
}

/** What there is to know of a recovery, also after its end. */
export interface RecoveryStatus {
  readonly recovery: string;
  readonly subject: string;
  /** For people; branch on `outcome`. */
  readonly state: string;
  /** `undefined` while it lasts. */
  readonly outcome: RecoveryOutcome['outcome'] | undefined;
  readonly category: string;
  readonly severity: string;
  readonly remedy: string;
  /** The step that runs. */
  readonly step: string | undefined;
  readonly steps: number;
  readonly ageMs: number;
  /** What is left of its budget. */
  readonly remainingMs: number;
  readonly error: TroupeError | undefined;
}

/** A failure that calls for recovery. */
export interface Trigger {
  readonly subject: string;
  readonly error: unknown;
  readonly classification: Classification;
  readonly context: FailureContext;
  readonly operation: Step | undefined;
  /** The events by which the subject tells that it works again; empty for what was merely reported. */
  readonly heals: readonly EventType[];
  /** How long the subject itself means to wait before it can heal, ms. */
  readonly ownWaitMs: number;
  /** The instant after which nobody cares. */
  readonly deadline: number;
}

/** A promise and the way to keep it. */
export class Deferred<T> {
  resolve!: (value: T) => void;
  readonly promise = new Promise<T>((resolve) => {
    this.resolve = resolve;
  });
}
