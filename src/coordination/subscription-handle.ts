/** What a subscriber holds of its subscription, and what ends it from outside: its owner, its signal. */
import { listenToAbort, unlistenToAbort } from '../base/abort.ts';
import type { Subscriber, SubscriptionReport } from './subscription.ts';

export interface Subscription {
  /** Nothing is delivered after this has returned. `false`: it had ended already. */
  unsubscribe(): boolean;
  readonly active: boolean;
  report(): SubscriptionReport;
  [Symbol.dispose](): void;
}

/** Ends a subscription with its owner and its signal; returns what stops listening to them. */
export const bind = (
  subscriber: Subscriber,
  owner: unknown,
  signal: AbortSignal | undefined,
): (() => void) => {
  const { onEnd } = (typeof owner === 'object' && owner !== null ? owner : {}) as {
    onEnd?: (release: () => void) => () => void;
  };
  // First what may throw: nothing must be left listening then.
  const unhook = onEnd?.call(owner, () => subscriber.end('unsubscribed'));
  const listener = { aborted: () => subscriber.end('unsubscribed') };
  if (signal !== undefined && subscriber.active) listenToAbort(signal, listener);
  return () => {
    if (signal !== undefined) unlistenToAbort(signal, listener);
    unhook?.();
  };
};

export const subscriptionOf = (subscriber: Subscriber): Subscription => ({
  get active() {
    return subscriber.active;
  },
  unsubscribe: () => {
    const was = subscriber.active;
    subscriber.end('unsubscribed');
    return was;
  },
  report: () => subscriber.report(),
  [Symbol.dispose]: () => subscriber.end('unsubscribed'),
});
