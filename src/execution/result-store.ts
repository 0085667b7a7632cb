/**
 * Where executions are written down so that they outlive the service: that each began, before it is sent, and what came of it.
 *
 * Invariant: an id that was begun is known from then on, whatever happens to the process, so that nothing runs twice under it. The
 * directory is an append-only log; what was acknowledged is there after a kill at any byte.
 */

import { isTroupeError } from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import { type DeadLetter, type DeadLetters, openDeadLetters } from '../coordination/dead-letters.ts';
import type { ExecutionResult } from './chunks.ts';

/** An error as it is written down. */
export interface StoredError {
  readonly code: string;
  readonly message: string;
  readonly outcome: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What is known of an execution. */
export type StoredExecution =
  | { readonly status: 'begun' }
  | { readonly status: 'fulfilled'; readonly result: ExecutionResult }
  | { readonly status: 'rejected'; readonly error: StoredError };

/** Whatever keeps executions: a directory, or a database of the user's. */
export interface ResultStore {
  /**
   * Writes down that an id begins, if it is new, and says what was known of it; `undefined`: it is new, and safe. Must be atomic: of two
   * that begin one id at once, one hears of the other.
   */
  begin(id: string): Promise<StoredExecution | undefined>;
  /** Writes down what came of it. */
  settle(id: string, outcome: StoredExecution): Promise<void>;
  find(id: string): Promise<StoredExecution | undefined>;
  close?(): Promise<void>;
}

/** Options of {@link openResultDirectory}. */
export interface ResultDirectoryOptions {
  /** Made if it is missing; one process at a time has it. */
  readonly directory: string;
  /** `always`: on the disk before it is acknowledged, also after a loss of power. Default `'always'`. */
  readonly fsync?: 'always' | 'never';
  /** What all files may take, bytes; beyond it nothing more begins. Default 64 MiB. */
  readonly maxBytes?: number;
  /** Executions are forgotten, and their ids free again, after this, ms. Default a week. */
  readonly maxAgeMs?: number;
  readonly host?: Host;
}

export const RESULT_DIRECTORY_DEFAULTS = Object.freeze({
  fsync: 'always' as const,
  maxBytes: 64 * 1_048_576,
  maxAgeMs: 7 * 24 * 3_600_000,
});

class ResultDirectory implements ResultStore {
  readonly #letters: DeadLetters;
  readonly #known = new Map<string, { readonly letter: number; readonly execution: StoredExecution }>();
  /** Ids whose beginning is being written. */
  readonly #beginning = new Map<string, Promise<StoredExecution | undefined>>();

  constructor(letters: DeadLetters) {
    this.#letters = letters;
    for (const letter of letters.list()) this.#remember(letter);
  }

  begin(id: string): Promise<StoredExecution | undefined> {
    const known = this.#known.get(id);
    if (known !== undefined) return Promise.resolve(known.execution);
    const other = this.#beginning.get(id);
    if (other !== undefined) return other.then(() => this.#known.get(id)?.execution);
    const begun = this.#write(id, { status: 'begun' }).then(() => undefined);
    this.#beginning.set(id, begun);
    const forget = (): void => void this.#beginning.delete(id);
    begun.then(forget, forget);
    return begun;
  }

  async settle(id: string, outcome: StoredExecution): Promise<void> {
    const before = this.#known.get(id);
    await this.#write(id, outcome);
    if (before !== undefined) await this.#letters.delete(before.letter);
  }

  find(id: string): Promise<StoredExecution | undefined> {
    return Promise.resolve(this.#known.get(id)?.execution);
  }

  close(): Promise<void> {
    return this.#letters.close();
  }

  async #write(id: string, execution: StoredExecution): Promise<void> {
    const record = { topic: id, payload: execution, error: '' };
    const letter = await this.#letters.add(record).catch(async (error: unknown) => {
      // What is too old makes room, and nothing else does.
      if (!isTroupeError(error, 'ERR_DEAD_LETTERS_FULL') || (await this.#expire()) === 0) throw error;
      return this.#letters.add(record);
    });
    this.#known.set(id, { letter, execution });
  }

  async #expire(): Promise<number> {
    const expired = await this.#letters.expire();
    if (expired > 0) {
      this.#known.clear();
      for (const letter of this.#letters.list()) this.#remember(letter);
    }
    return expired;
  }

  /** Of two records of one id the later one holds: the kill came between the writing of one and the deletion of the other. */
  #remember({ id: letter, topic, payload }: DeadLetter): void {
    this.#known.set(topic, { letter, execution: payload as StoredExecution });
  }
}

/**
 * A directory that keeps executions, on the append-only segments of dead letters.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN, and what the file system says
 */
export const openResultDirectory = async (options: ResultDirectoryOptions): Promise<ResultStore> => {
  const letters = await openDeadLetters({
    ...RESULT_DIRECTORY_DEFAULTS,
    ...options,
    // An id that is known must not be forgotten to make room for another.
    overflow: 'refuse',
  });
  return new ResultDirectory(letters);
};
