/**
 * What a worker went through: its last transitions, newest last, each with its reason.
 *
 * Invariant: bounded, whatever a worker lives through; the oldest are forgotten. It is for people: nothing decides by it.
 */

/** One transition of a worker. */
export interface WorkerTransition {
  readonly from: string;
  readonly to: string;
  /** Why, in a few words: `checkout`, `health_check_failed`, `exited (signal SIGKILL)` … */
  readonly reason: string;
  /** How long it had been in `from`, ms. */
  readonly msInState: number;
  /** The instant on `host.monotonic()`. */
  readonly at: number;
  /** What was known beside the reason: the misses of a check, the exit code and signal of an end, the uses of a worker worn out. */
  readonly metadata?: TransitionMetadata;
}

/** Facts of a transition; never payloads. */
export type TransitionMetadata = Readonly<Record<string, string | number | boolean | null>>;

/** How many transitions a worker remembers: enough for a whole life in trouble, a few KB a worker. */
export const HISTORY_LIMIT = 32;

/** A transition as it is noted. */
export interface Moved {
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly metadata: TransitionMetadata | undefined;
}

export class WorkerHistory {
  /** Columns of a ring, so that a note on the way of every job makes no garbage. */
  readonly #from: string[] = [];
  readonly #to: string[] = [];
  readonly #reason: string[] = [];
  readonly #msInState: number[] = [];
  readonly #at: number[] = [];
  readonly #metadata: (TransitionMetadata | undefined)[] = [];
  #next = 0;
  /** When it entered the state it is in. */
  since: number;

  constructor(now: number) {
    this.since = now;
  }

  /** Notes a transition at `now`; returns how long the state before lasted. */
  note({ from, to, reason, metadata }: Moved, now: number): number {
    const msInState = now - this.since;
    const at = this.#next;
    this.since = now;
    this.#from[at] = from;
    this.#to[at] = to;
    this.#reason[at] = reason;
    this.#msInState[at] = msInState;
    this.#at[at] = now;
    this.#metadata[at] = metadata;
    this.#next = at + 1 === HISTORY_LIMIT ? 0 : at + 1;
    return msInState;
  }

  /** Oldest first. */
  list(): readonly WorkerTransition[] {
    const { length } = this.#at;
    const start = length < HISTORY_LIMIT ? 0 : this.#next;
    return Array.from({ length }, (_, i) => this.#entry((start + i) % length));
  }

  #entry(index: number): WorkerTransition {
    const metadata = this.#metadata[index];
    return {
      ...(metadata === undefined ? {} : { metadata }),
      from: this.#from[index] as string,
      to: this.#to[index] as string,
      reason: this.#reason[index] as string,
      msInState: this.#msInState[index] as number,
      at: this.#at[index] as number,
    };
  }
}
