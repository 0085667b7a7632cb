/** Siblings that are to start together again (one_for_all, rest_for_one), and wait for that. */
import type { ActorTimer } from '../kernel/logic.ts';
import type { Child } from './child.ts';

/** A group that waits as one for its culprit's delay (one_for_all, rest_for_one). */
export interface WaitingGroup {
  readonly culprit: Child;
  readonly members: Set<Child>;
  readonly until: number;
  readonly timer: ActorTimer;
}

export const NO_TIMER: ActorTimer = { cancel: () => undefined };

/** One whose culprit failed to start, until that is tried again. */
export type UnfinishedGroup = Pick<WaitingGroup, 'culprit' | 'members'>;

/** Gives up waiting: those not running stay stopped until someone starts them. */
export const leaveStopped = (members: Iterable<Child>): void => {
  for (const child of members) {
    if (child.cell !== undefined) continue;
    child.send({ type: 'terminate' });
    child.place.markGone();
  }
};
