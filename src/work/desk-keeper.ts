/** What a pool's desk knows of the pool's incarnation of now: a contract only, kept by the crew. */
import type { TroupeError } from '../base/errors.ts';
import type { ExitReason } from '../kernel/reason.ts';
import type { ReplaceOptions, SizeRange } from './pool-options.ts';
import type { PoolWorker } from './pool-worker.ts';

/** The pool's incarnation of now. */
export interface DeskKeeper {
  /** The state of its chart; for people. */
  readonly state: string;
  /** Its workers are asked to end: it serves no more. */
  readonly closing: boolean;
  readonly workers: readonly PoolWorker[];
  /** How many workers there should be now. */
  readonly wanted: number;
  readonly size: SizeRange;
  /** The part of their time that its workers were busy, from 0 to 1, since it began. */
  readonly utilisation: number;
  /** The last crash of a worker, if any. */
  readonly lastCrash: TroupeError | undefined;
  /**
   * Resolves when all that was let in has settled and all workers are gone. At `untilMs` whatever is left is told `reason`, and
   * the workers are closed.
   */
  drain(untilMs: number, reason: ExitReason): Promise<void>;
  /** From now on it grows and shrinks within this range. */
  resize(size: SizeRange): void;
  pause(): void;
  resume(): void;
  /** Replaces all workers of now, some at a time. */
  replaceAll(options: ReplaceOptions | undefined): Promise<void>;
  /** Resolves when so many workers are there to take jobs. */
  ready(workers: number | undefined, untilMs: number): Promise<void>;
  /** Nothing waits and nothing runs, asked for by `watchesWork`. */
  workDone(): void;
  /** A job was done, asked for by `watchesSuccess`. */
  jobSucceeded(): void;
  /** Somebody has to wait, asked for by `watchesDemand`. */
  demand(): void;
}
