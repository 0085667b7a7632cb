/**
 * Hearing of an abort: from a caller's AbortSignal, with one DOM listener a signal however many calls wait on it, or from
 * a call above, which has no AbortSignal until somebody reads one (a controller costs 768 B and 4 µs).
 *
 * Invariant: when the last call of a signal has ended, nothing of ours hangs on it. Thousands of calls on one long-lived
 * signal neither pile up listeners (Node warns from the eleventh on) nor keep memory.
 */

/** Whatever can abort: an AbortSignal, or a {@link LazyAbort}. */
export interface AbortSource {
  readonly aborted: boolean;
  readonly reason: unknown;
}

/** What wants to hear of an abort. */
export interface AbortListener {
  aborted(source: AbortSource): void;
}

/** An abort within troupe. Its AbortSignal is made when first read. */
export class LazyAbort implements AbortSource {
  aborted = false;
  reason: unknown = undefined;
  readonly #listeners = new Set<AbortListener>();
  #controller: AbortController | undefined = undefined;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.aborted) this.#controller.abort(this.reason);
    }
    return this.#controller.signal;
  }

  /** Once; later calls do nothing. Calls below hear of it before whoever reads the signal. */
  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    for (const listener of this.#listeners) {
      this.#listeners.delete(listener);
      listener.aborted(this);
    }
    this.#controller?.abort(reason);
  }

  listen(listener: AbortListener): void {
    if (!this.aborted) this.#listeners.add(listener);
  }

  unlisten(listener: AbortListener): void {
    this.#listeners.delete(listener);
  }
}

/** What listens to one signal: made once for it, attached only while anybody waits. */
interface Watch {
  readonly listeners: Set<AbortListener>;
  readonly dispatch: () => void;
}

const watches = new WeakMap<AbortSignal, Watch>();
const ONCE = Object.freeze({ once: true });

const watchOf = (signal: AbortSignal): Watch => {
  const known = watches.get(signal);
  if (known !== undefined) return known;
  const listeners = new Set<AbortListener>();
  const dispatch = (): void => {
    // Who leaves while others are told is not told any more.
    for (const each of listeners) {
      listeners.delete(each);
      each.aborted(signal);
    }
  };
  const watch = { listeners, dispatch };
  watches.set(signal, watch);
  return watch;
};

/** Calls `listener.aborted` once when the source aborts; not at all if it already has. */
export const listenToAbort = (source: AbortSource, listener: AbortListener): void => {
  if (source.aborted) return;
  if (source instanceof LazyAbort) source.listen(listener);
  else listenToSignal(source as AbortSignal, listener);
};

/** Ends the listening; safe to repeat. */
export const unlistenToAbort = (source: AbortSource, listener: AbortListener): void => {
  if (source instanceof LazyAbort) source.unlisten(listener);
  else unlistenToSignal(source as AbortSignal, listener);
};

/** The AbortSignal of a source. */
export const signalOf = (source: AbortSource): AbortSignal =>
  source instanceof LazyAbort ? source.signal : (source as AbortSignal);

const listenToSignal = (signal: AbortSignal, listener: AbortListener): void => {
  const { listeners, dispatch } = watchOf(signal);
  if (listeners.size === 0) signal.addEventListener('abort', dispatch, ONCE);
  listeners.add(listener);
};

const unlistenToSignal = (signal: AbortSignal, listener: AbortListener): void => {
  const watch = watches.get(signal);
  if (watch?.listeners.delete(listener) !== true || watch.listeners.size > 0) return;
  signal.removeEventListener('abort', watch.dispatch);
};
