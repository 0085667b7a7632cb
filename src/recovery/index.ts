/** troupe's recovery: exports only. */
export type { RecoveryEnd } from '../../actors/recovery.machine.ts';
export {
  type Classification,
  type ClassificationData,
  type Classifier,
  type ClassifierOptions,
  carry,
  classificationOf,
  createClassifier,
  defaultClassifier,
  describeClassification,
  type FailureContext,
  isClassification,
  type Matcher,
} from './classification.ts';
export { type Journal, type JournalEntry, MemoryJournal, type StepOutcome } from './journal.ts';
export type { Match, Verdict } from './known-errors.ts';
export type { RecoveryMetrics, Reported } from './orchestrator.ts';
export type { RecoveryOutcome, RecoveryStatus } from './outcome.ts';
export {
  AWAIT_HEALING,
  type Circuit,
  type PlaybookEntry,
  type RestartAnswer,
  type RestartRequest,
  type Step,
  type StepContext,
} from './playbook.ts';
export { type RecoveryHandle, type RecoveryInspection, type Report, recovery } from './recovery.ts';
export type { RecoveryBudgets, RecoveryOptions } from './recovery-options.ts';
export {
  CATEGORIES,
  type Category,
  DEFAULT_SEVERITIES,
  REMEDIES,
  type Remedy,
  type RemedyChoice,
  type RemedyGrid,
  type RemedyKind,
  remedies,
  SEVERITIES,
  type Severity,
} from './remedy.ts';
