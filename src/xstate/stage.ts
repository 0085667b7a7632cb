/**
 * What the handles of a place and its incarnations share: who watches, and the last snapshot.
 *
 * Invariant: watchers outlive incarnations and never disturb them: what a watcher throws is reported as `actor.threw`, and
 * the next is called. A snapshot outlives its incarnation only as a tombstone, until the next one has its first.
 */
import { createError } from '../base/errors.ts';
import type { Timer } from '../base/host.ts';
import type { Place } from '../kernel/logic.ts';
import type { ExitReason } from '../kernel/reason.ts';
import { guarded, type Reporter } from './guarded.ts';

/** Stops a subscription. Doing so twice does nothing. */
export interface Subscription {
  unsubscribe(): void;
}

/** What a subscriber is told, over all incarnations. */
export interface StageObserver<S> {
  /** Every snapshot, the first of each incarnation included. */
  next?(snapshot: S): unknown;
  /** An incarnation has ended; another may follow. */
  ended?(reason: ExitReason): unknown;
}

/** Options of `waitFor`. */
export interface WaitOptions {
  /** Default 5,000; `Infinity` waits for ever. */
  readonly timeoutMs?: number;
  /** An instant of `host.monotonic()`, instead of `timeoutMs`. */
  readonly deadline?: number;
  readonly signal?: AbortSignal;
}

/** As a call's: see `docs/SEMANTICS.md`. */
export const WAIT_TIMEOUT_MS = 5_000;

/** The incarnation of now. */
interface Player<S> {
  readonly snapshot: S | undefined;
}

type Listener = (event: unknown) => unknown;

export class Stage<S = unknown> implements Reporter {
  readonly #place: Place;
  #player: Player<S> | undefined = undefined;
  #tombstone: S | undefined = undefined;
  #observers: Set<StageObserver<S>> | undefined = undefined;
  #listeners: Map<string, Set<Listener>> | undefined = undefined;

  constructor(place: Place) {
    this.#place = place;
  }

  /** Of the incarnation of now, else the tombstone; `undefined` before the first. */
  get snapshot(): S | undefined {
    return this.#player?.snapshot ?? this.#tombstone;
  }

  enter(player: Player<S>): void {
    this.#player = player;
  }

  /** Without a reason nobody is told: its init failed, so that it never was. */
  leave(player: Player<S>, reason?: ExitReason): void {
    if (this.#player !== player) return;
    this.#tombstone = player.snapshot;
    this.#player = undefined;
    if (this.#observers === undefined || reason === undefined) return;
    for (const observer of [...this.#observers]) guarded(this, () => observer.ended?.(reason));
  }

  publish(snapshot: S): void {
    if (this.#observers === undefined) return;
    for (const observer of [...this.#observers]) guarded(this, () => observer.next?.(snapshot));
  }

  subscribe(observer: StageObserver<S>): Subscription {
    const own = bound(observer);
    this.#observers ??= new Set();
    this.#observers.add(own);
    return { unsubscribe: () => void this.#observers?.delete(own) };
  }

  /** Tells those who listen for its type and those who listen for `'*'`. Returns whether there were any. */
  emit(event: { readonly type: string }): boolean {
    const listeners = [...(this.#listeners?.get(event.type) ?? []), ...(this.#listeners?.get('*') ?? [])];
    for (const listener of listeners) guarded(this, () => listener(event));
    return listeners.length > 0;
  }

  on(type: string, listener: Listener): Subscription {
    this.#listeners ??= new Map();
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners);
    const own: Listener = (event) => listener(event);
    listeners.add(own);
    return {
      unsubscribe: () => {
        listeners.delete(own);
        if (listeners.size === 0 && this.#listeners?.get(type) === listeners) this.#listeners.delete(type);
      },
    };
  }

  threw(error: unknown): void {
    const { path, system } = this.#place;
    if (system.events.lifecycle) system.events.emit('actor.threw', { path, error });
  }

  /**
   * The first snapshot that fits, beginning with the one of now, over restarts. Of a tombstone only a final state's counts:
   * what a crashed or stopped incarnation was is no answer.
   */
  waitFor(fits: (snapshot: S) => boolean, options: WaitOptions): Promise<S> {
    const { host } = this.#place.system;
    const now = host.monotonic();
    const deadline = options.deadline ?? now + (options.timeoutMs ?? WAIT_TIMEOUT_MS);
    const data = { message: 'waitFor', target: this.#place.path, timeoutMs: Math.round(deadline - now) };
    return new Promise((resolve, reject) => {
      const { signal } = options;
      let subscription: Subscription | undefined;
      let timer: Timer | undefined;
      const settle = (outcome: () => void) => {
        subscription?.unsubscribe();
        timer?.cancel();
        signal?.removeEventListener('abort', abort);
        outcome();
      };
      const abort = () =>
        settle(() => reject(createError('ERR_CALL_ABORTED', data, { cause: signal?.reason })));
      const look = (snapshot: S) => {
        let does = false;
        try {
          does = fits(snapshot);
        } catch (error) {
          settle(() => reject(error));
          return;
        }
        if (does) settle(() => resolve(snapshot));
      };
      if (signal?.aborted === true) {
        abort();
        return;
      }
      subscription = this.subscribe({ next: look });
      signal?.addEventListener('abort', abort);
      if (deadline !== Number.POSITIVE_INFINITY) {
        const expire = () => settle(() => reject(createError('ERR_CALL_TIMEOUT', data)));
        timer = host.timer(Math.max(0, deadline - now), 'wait', expire);
      }
      const current = this.snapshot;
      if (current !== undefined && counts(current)) look(current);
    });
  }
}

const counts = (snapshot: unknown): boolean => {
  const { status } = snapshot as { readonly status?: unknown };
  return status === 'active' || status === 'done';
};

const bound = <S>(observer: StageObserver<S>): StageObserver<S> => ({
  ...(observer.next === undefined ? {} : { next: (snapshot: S) => observer.next?.(snapshot) }),
  ...(observer.ended === undefined ? {} : { ended: (reason: ExitReason) => observer.ended?.(reason) }),
});
