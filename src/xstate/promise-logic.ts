/** Tells XState's promise logic from its other kinds, which look alike. */
import type { AnyActorLogic } from 'xstate';

const PROBE = Symbol('probe');

/**
 * Whether `logic` came from `fromPromise`: only that takes a promise's result for its output. Asked of logic made by one of
 * XState's creators alone (they have a `config` function), other than `fromTransition`, which would run user code.
 */
export const isPromiseLogic = (logic: AnyActorLogic): boolean => {
  const { config, start } = logic as { readonly config?: unknown; readonly start?: unknown };
  if (typeof config !== 'function' || typeof start !== 'function') return false;
  const snapshot = { status: 'active', output: undefined, error: undefined, input: undefined };
  try {
    const after = logic.transition(snapshot as never, { type: 'xstate.promise.resolve', data: PROBE }, {
      self: {},
    } as never) as { readonly status?: unknown; readonly output?: unknown };
    return after.status === 'done' && after.output === PROBE;
  } catch {
    // Callback logic looks for the state of an actor that does not exist.
    return false;
  }
};
