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
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener.aborted(this);
    this.#controller?.abort(reason);
  }

  listen(listener: AbortListener): void {
    if (!this.aborted) this.#listeners.add(listener);
  }

  unlisten(listener: AbortListener): void {
    this.#listeners.delete(listener);
  }
}

interface Watch {
  readonly listeners: Set<AbortListener>;
  readonly dispatch: () => void;
}

const watches = new WeakMap<AbortSignal, Watch>();

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

const unlistenToSignal = (signal: AbortSignal, listener: AbortListener): void => {
  const watch = watches.get(signal);
  if (watch === undefined) return;
  watch.listeners.delete(listener);
  if (watch.listeners.size > 0) return;
  watches.delete(signal);
  signal.removeEventListener('abort', watch.dispatch);
};
