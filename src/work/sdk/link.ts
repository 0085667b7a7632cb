/**
 * What a serving worker needs of its line to the parent, whatever that is: pipes of an OS process, or the port of a thread. Contracts
 * only.
 *
 * Invariant: a link speaks of messages; frames, copies and limits are its own.
 */
import type { ParentMessage, WorkerMessage } from '../messages.ts';

/** What a parent says once it has greeted. */
export type Order = Exclude<ParentMessage, { kind: 'hello' }>;

/** What the owner of a link is told. */
export interface LinkListeners {
  /** The parent is there: say that this worker is ready. Once, and first. */
  greeted(): void;
  ordered(order: Order): void;
  /** The parent ended the input; `true` means that this was to be expected. */
  expectsEnd(): boolean;
}

export interface Link {
  /** How this side of the parent's line is known, in `ready`. */
  readonly pid: number;
  /**
   * Says it whole. `job` names the work in errors.
   *
   * @throws Error when it cannot be sent as it is; then nothing was
   */
  say(message: WorkerMessage, job?: string): void;
  /** Characters of a line for the log that can be sent for certain. */
  readonly longestLog: number;
  /** It is ready: from here on jobs may hold this thread. */
  serving(): void;
  /** Takes note of cancellations that came while a job holds this thread. Absent where that cannot be done. */
  readonly look?: () => void;
  /** Ends this worker after its outputs have taken what was printed. */
  leave(): void;
}
