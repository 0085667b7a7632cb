/**
 * A subscription as an async iterator: an event is handed over when the loop asks for one, so that its queue is the
 * subscription's own, with that one's bound and policy.
 *
 * Invariant: leaving the loop frees the place; the end of the subscription ends the loop.
 */
import type { BusEvent, Deliver, Subscriber } from './subscription.ts';

type Result = IteratorResult<BusEvent, undefined>;

const DONE: Result = { done: true, value: undefined };

export const iterate = (
  subscribe: (deliver: Deliver, ended: () => void) => Subscriber,
): AsyncIterableIterator<BusEvent, undefined> => {
  /** Who waits for an event: as many as were asked for. */
  const asking: ((result: Result) => void)[] = [];
  const deliver: Deliver = (value) => asking.shift()?.({ done: false, value });
  const end = (): void => {
    for (const resolve of asking.splice(0)) resolve(DONE);
  };
  const subscriber = subscribe(deliver, end);
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: () => {
      if (!subscriber.active) return Promise.resolve(DONE);
      return new Promise<Result>((resolve) => {
        asking.push(resolve);
        subscriber.ask();
      });
    },
    return: () => {
      subscriber.end('unsubscribed');
      return Promise.resolve(DONE);
    },
  };
};
