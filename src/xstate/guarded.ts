/**
 * Observers and listeners that cannot throw: what user code throws in one is reported, and the next is called.
 *
 * XState rethrows it from a `setTimeout`, as an uncaught exception of the process; so it does with an actor's error where
 * any one observer has no `error` handler. An observer without one is given one here.
 */

/** Who is told of what was thrown. */
export interface Reporter {
  threw(error: unknown): void;
}

type Listener = (value: unknown) => unknown;

/** Calls `run` and reports what it throws, or what its promise rejects with. */
export const guarded = (reporter: Reporter, run: () => unknown): void => {
  try {
    const outcome = run();
    if (isThenable(outcome)) outcome.then(undefined, (error: unknown) => reporter.threw(error));
  } catch (error) {
    reporter.threw(error);
  }
};

export const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as { then?: unknown } | null | undefined)?.then === 'function';

/** The same listener, unable to throw. */
export const guardedListener =
  (listener: Listener, reporter: Reporter): ((value: unknown) => void) =>
  (value) =>
    guarded(reporter, () => listener(value));

/** The arguments of a `subscribe`, as one observer that is complete and cannot throw. */
export const guardedObserver = (given: readonly unknown[], reporter: Reporter) => {
  const [first] = given;
  const observer =
    typeof first === 'object' && first !== null
      ? (first as Partial<Record<'next' | 'error' | 'complete', Listener>>)
      : ({ next: given[0], error: given[1], complete: given[2] } as Record<string, Listener | undefined>);
  return {
    next: (value: unknown) => guarded(reporter, () => observer.next?.(value)),
    error: (error: unknown) => guarded(reporter, () => observer.error?.(error)),
    complete: () => guarded(reporter, () => observer.complete?.(undefined)),
  };
};
