/** What the engine of a logic reports, and to whom. */

/** By this an action finds, on its `system`, who answers calls: see `reply.ts`. */
export const ANSWER: unique symbol = Symbol.for('troupe/answer') as never;

export interface Answering {
  [ANSWER](value: () => unknown, to: string | undefined): void;
}

/** A selected transition, as `@xstate.microstep` carries it. */
export interface Taken {
  readonly eventType: string;
  readonly target: unknown;
  readonly actions: readonly unknown[];
}

/** Whom the engine works for. Only `failed` may throw. */
export interface Owner {
  /** The root has taken a macrostep. */
  advanced(snapshot: unknown): void;
  /** The root selected these transitions for an event (none: it does not take it), in one of its microsteps. */
  selected(event: unknown, taken: readonly Taken[]): void;
  /** The root emitted. */
  emitted(event: unknown): void;
  /** The root sent something to its parent. */
  sentToParent(event: unknown): void;
  /** Everything that a turn started has been heard. */
  rested(): void;
  /** The root reached its final state; everything is gone. */
  done(): void;
  /** The root failed; everything is gone. */
  failed(error: unknown): void;
  /** User code threw where nobody can be told. */
  threw(error: unknown): void;
  /** An action answers a call. */
  answer(value: () => unknown, to: string | undefined): void;
}
