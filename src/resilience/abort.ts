/**
 * Listening to a caller's AbortSignal: one DOM listener a signal, however many calls wait on it.
 *
 * Invariant: when the last call of a signal has ended, nothing of ours hangs on it. Thousands of calls on one long-lived
 * signal neither pile up listeners (Node warns from the eleventh on) nor keep memory. It makes no signals.
 */

/** What wants to hear of an abort. */
export interface AbortListener {
  aborted(signal: AbortSignal): void;
}

interface Watch {
  readonly listeners: Set<AbortListener>;
  readonly dispatch: () => void;
}

const watches = new WeakMap<AbortSignal, Watch>();

/** Calls `listener.aborted` once when the signal aborts; not at all if it already has. */
export const listenToAbort = (signal: AbortSignal, listener: AbortListener): void => {
  if (signal.aborted) return;
  let watch = watches.get(signal);
  if (watch === undefined) {
    const listeners = new Set<AbortListener>();
    const dispatch = (): void => {
      watches.delete(signal);
      for (const each of listeners) each.aborted(signal);
    };
    watch = { listeners, dispatch };
    watches.set(signal, watch);
    signal.addEventListener('abort', dispatch, { once: true });
  }
  watch.listeners.add(listener);
};

/** Ends the listening; safe to repeat. */
export const unlistenToAbort = (signal: AbortSignal, listener: AbortListener): void => {
  const watch = watches.get(signal);
  if (watch === undefined) return;
  watch.listeners.delete(listener);
  if (watch.listeners.size > 0) return;
  watches.delete(signal);
  signal.removeEventListener('abort', watch.dispatch);
};
