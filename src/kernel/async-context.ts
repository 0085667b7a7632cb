/**
 * Foreign async context (AsyncLocalStorage of the service), carried by message only where the system asks for
 * `context: 'async'`: one `run` anywhere slows every await of a Node 20 process about 2.8 times.
 *
 * Carried by AsyncResource, never by `snapshot()`, which costs 11 µs. With it, stray errors find their actor.
 */
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import type { Ref } from './ref.ts';

export interface AsyncScope {
  runInAsyncScope<T>(run: () => T): T;
}

/** Whose code runs, and in which of its turns. */
export interface Turn {
  readonly ref: Ref;
  readonly turn: number;
}

/** One a process: who is being run, for errors that reach only the process and calls by handles of outside. */
let turns: AsyncLocalStorage<Turn> | undefined;

/** The context of the caller, to be restored when its message is handled. */
export const captureScope = (): AsyncScope => new AsyncResource('troupe.mail');

/** Runs code as an actor's. */
export const runOwned = <T>(owner: Turn, run: () => T): T => {
  turns ??= new AsyncLocalStorage<Turn>();
  return turns.run(owner, run);
};

/** The turn that set this code in motion, over by now or not, where `context: 'async'` is on. */
export const currentTurn = (): Turn | undefined => turns?.getStore();

/** The actor in whose context this code runs, where `context: 'async'` is on. */
export const currentOwner = (): Ref | undefined => turns?.getStore()?.ref;
