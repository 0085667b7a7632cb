/**
 * What clients did to something they share, as they saw it: when each operation was called, when it returned, with what.
 *
 * Invariant: the order of calls and returns is that in which they were noted, whatever the clock says; an operation of which
 * nobody heard again stays open, and may or may not have happened. It judges nothing: linearizability.ts does.
 */

/** One operation of one client. */
export interface Operation<I = unknown, O = unknown> {
  readonly client: string;
  /** What it was done to. Operations on different keys have nothing to do with each other. */
  readonly key: string;
  readonly input: I;
  /** What it returned; `undefined` while that is unknown. */
  readonly output: O | undefined;
  /** `unknown`: nobody heard how it ended; it may have happened at any time since, or not at all. */
  readonly outcome: 'known' | 'unknown';
  /** Places in the order of all calls and returns. */
  readonly calledAt: number;
  readonly returnedAt: number;
}

/** An operation under way. Exactly one of the two is told, once; neither means `unknown`. */
export interface OpenOperation<O = unknown> {
  returned(output: O): void;
  /** It ended, and nobody knows how: a timeout, a lost connection. */
  lost(): void;
}

export interface History<I = unknown, O = unknown> {
  /** Notes that a client calls something, now. */
  call(client: string, key: string, input: I): OpenOperation<O>;
  /** Notes something that happened at this very moment, such as an expiry. */
  happened(client: string, key: string, input: I, output: O): void;
  /** All that was called so far. */
  readonly operations: readonly Operation<I, O>[];
}

type Noted<I, O> = { -readonly [K in keyof Operation<I, O>]: Operation<I, O>[K] };

class RecordedHistory<I, O> implements History<I, O> {
  readonly #operations: Noted<I, O>[] = [];
  #order = 0;

  get operations(): readonly Operation<I, O>[] {
    return this.#operations;
  }

  call(client: string, key: string, input: I): OpenOperation<O> {
    const operation: Noted<I, O> = {
      client,
      key,
      input,
      output: undefined,
      outcome: 'unknown',
      calledAt: this.#order++,
      returnedAt: Number.POSITIVE_INFINITY,
    };
    this.#operations.push(operation);
    let over = false;
    return {
      returned: (output) => {
        if (over) return;
        over = true;
        operation.output = output;
        operation.outcome = 'known';
        operation.returnedAt = this.#order++;
      },
      lost: () => {
        over = true;
      },
    };
  }

  happened(client: string, key: string, input: I, output: O): void {
    this.call(client, key, input).returned(output);
  }
}

/** A history to note operations in. */
export const recordHistory = <I = unknown, O = unknown>(): History<I, O> => new RecordedHistory<I, O>();
