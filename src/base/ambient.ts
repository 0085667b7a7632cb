/**
 * The one ambient value of a process: what the running code belongs to, followed by Node across awaits, timers and callbacks.
 *
 * Invariant: nothing is paid before the first value is entered; from then on every await of a Node 20 process costs about 2.8
 * times as much, so nobody enters one unasked. Code that runs in another's turn (a queue, a wheel, a line) runs in its own value
 * or in none, never in that of whoever had the turn. It knows nothing of what the value is.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

/** Shared by all copies of this module: one that was loaded again still finds what was entered before. */
const SHARED = Symbol.for('troupe/ambient');

interface Shared {
  store: AsyncLocalStorage<unknown> | undefined;
}

const everywhere = globalThis as { [SHARED]?: Shared };
everywhere[SHARED] ??= { store: undefined };
const shared = everywhere[SHARED];

/** The value in which this code runs. */
export const ambient = (): unknown => shared.store?.getStore();

/** Whether anybody in this process ever entered one: for those who would pay to hand one on. */
export const ambientIsUsed = (): boolean => shared.store !== undefined;

/** Runs code in a value, or outside of any with `undefined`. */
export const inAmbient = <T>(value: unknown, run: () => T): T => {
  if (shared.store === undefined) {
    if (value === undefined) return run();
    shared.store = new AsyncLocalStorage();
  }
  return shared.store.getStore() === value ? run() : shared.store.run(value, run);
};

/** Code for another's turn (a timer, a line), that runs in the value of now. */
export const keepAmbient = (run: () => void): (() => void) => {
  const value = ambient();
  return () => inAmbient(value, run);
};

/** Runs what belongs to nobody who happens to have the turn: a host's queues, what lives longer than its maker's work. */
export const outsideAmbient = <T>(run: () => T): T => inAmbient(undefined, run);
