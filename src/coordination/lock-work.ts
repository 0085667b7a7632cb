/**
 * Work under a lease.
 *
 * Invariant: on every way out the lease is released once, after the work itself is over; work that was not alone to its end
 * does not pass for done; a release that fails surfaces, whatever the work came to.
 */
import { isThenable, promiseOf, rejectLater } from '../resilience/call.ts';
import type { Claimed } from './lock-lease.ts';
import type { LockWork } from './lock-options.ts';

/** Runs work in the caller and frees the lock when it is over. */
export const runUnder = <T>(lease: Claimed, work: LockWork<T>): Promise<T> => {
  let result: T | PromiseLike<T>;
  let promise: Promise<T> | undefined;
  try {
    result = work(lease);
    promise = promiseOf(result);
  } catch (error) {
    return afterFailure(lease, error);
  }
  if (promise !== undefined) {
    return promise.then(
      (value) => afterSuccess(lease, value),
      (error: unknown) => afterFailure(lease, error),
    );
  }
  try {
    return Promise.resolve(afterSuccess(lease, result as T));
  } catch (error) {
    return rejectLater(error);
  }
};

const afterSuccess = <T>(lease: Claimed, value: T): T | Promise<T> => {
  if (lease.loss !== undefined) throw lease.loss;
  if (!lease.held) return value;
  const released = lease.release();
  return isThenable(released)
    ? Promise.resolve(released).then(() => unlessLost(lease, value))
    : unlessLost(lease, value);
};

/** Only when it was released is it known that it was held to the end. */
const unlessLost = <T>({ loss }: Claimed, value: T): T => {
  if (loss !== undefined) throw loss;
  return value;
};

const afterFailure = (lease: Claimed, error: unknown): Promise<never> => {
  if (!lease.held) return rejectLater(error);
  const released = lease.release();
  return isThenable(released)
    ? Promise.resolve(released).then(() => Promise.reject(error))
    : rejectLater(error);
};
