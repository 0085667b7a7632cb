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

/** One a process: who is being run, for errors that reach only the process. */
let owners: AsyncLocalStorage<Ref> | undefined;

/** The context of the caller, to be restored when its message is handled. */
export const captureScope = (): AsyncScope => new AsyncResource('troupe.mail');

/** Runs code as an actor's. */
export const runOwned = <T>(owner: Ref, run: () => T): T => {
  owners ??= new AsyncLocalStorage<Ref>();
  return owners.run(owner, run);
};

/** The actor in whose context this code runs, where `context: 'async'` is on. */
export const currentOwner = (): Ref | undefined => owners?.getStore();
