/**
 * Siblings that are to start together again (one_for_all, rest_for_one): who they are, and what they wait for.
 *
 * Invariants: a group stops at once and waits as one; another failing member joins it and takes the longer delay; whoever
 * is terminated leaves it. It does its work in the procedures of its supervisor, one step at a time.
 */
import type { ActorTimer } from '../kernel/logic.ts';
import type { Child } from './child.ts';
import { startOne, stopInReverse } from './child-steps.ts';
import type { Unit } from './hold.ts';
import type { Supervision } from './supervision.ts';
import type { Procedure } from './work.ts';

/** A group that waits as one: for its culprit's delay, a straggler, or a breaker. */
interface WaitingGroup {
  readonly culprit: Child;
  readonly members: Set<Child>;
  readonly until: number;
  readonly timer: ActorTimer;
}

const NO_TIMER: ActorTimer = { cancel: () => undefined };

/** One whose culprit failed to start, until that is tried again. */
type UnfinishedGroup = Pick<WaitingGroup, 'culprit' | 'members'>;

/** Gives up waiting: those not running stay stopped until someone starts them. */
const leaveStopped = (members: Iterable<Child>): void => {
  for (const child of members) {
    if (child.cell !== undefined) continue;
    child.send({ type: 'terminate' });
    child.place.markGone();
  }
};

/** What a group needs of its supervisor. `then` comes behind what else has been asked. */
export interface Siblings {
  readonly supervision: Supervision;
  /** In the order of starting. */
  readonly children: readonly Child[];
  /** Those who restart together with this one. */
  groupOf(culprit: Child): readonly Child[];
  forget(child: Child): void;
  retry(child: Child): void;
  backOff(child: Child, delayMs: number, then: () => Procedure): ActorTimer;
  isHeldBack(child: Child, then: () => Procedure | undefined): boolean;
  isHeld(unit: Unit, then: () => Procedure | undefined): boolean;
}

export class Group {
  readonly #siblings: Siblings;
  #waiting: WaitingGroup | undefined = undefined;
  /** A group whose culprit failed to start, until it is tried again. */
  #unfinished: UnfinishedGroup | undefined = undefined;

  constructor(siblings: Siblings) {
    this.#siblings = siblings;
  }

  *restart(culprit: Child, delayMs: number): Procedure {
    const { supervision } = this.#siblings;
    const touched = this.#siblings.groupOf(culprit);
    const earlier = this.#waiting;
    this.cancel();
    const members = this.#siblings.children.filter(
      (child) => touched.includes(child) || earlier?.members.has(child) === true,
    );
    const others = members.filter((child) => child !== culprit);
    yield* stopInReverse(supervision, others, true);
    for (const child of members) {
      if (child.spec.restart === 'temporary' && child !== culprit) this.#siblings.forget(child);
      else child.place.markRestarting(supervision.context.now() + delayMs);
    }
    const group = new Set(members.filter((child) => this.#siblings.children.includes(child)));
    const now = supervision.context.now();
    const until = Math.max(now + delayMs, earlier?.until ?? now);
    if (until > now) {
      const timer = this.#siblings.backOff(culprit, until - now, () => this.#endWait());
      this.#waiting = { culprit, members: group, until, timer };
    } else yield* this.#start(group);
  }

  /** One that is to start for the first time has to wait, and these with it. */
  holds(unit: Unit, { culprit, members }: UnfinishedGroup): boolean {
    const rest: WaitingGroup = { culprit, members, until: 0, timer: NO_TIMER };
    if (!this.#siblings.isHeld(unit, () => this.#endWaitOf(rest))) return false;
    this.#waiting = rest;
    return true;
  }

  /** A child has been terminated: the others go on without it, and need not wait for it. */
  *without(child: Child): Procedure {
    const waiting = this.#waiting;
    waiting?.members.delete(child);
    const unfinished = this.#unfinished;
    this.#unfinished = unfinished?.culprit === child ? undefined : unfinished;
    if (waiting?.culprit === child) yield* this.#endWait();
    else if (unfinished?.culprit === child) yield* this.#leaveOut(unfinished);
  }

  cancel(): void {
    this.#unfinished = undefined;
    this.#waiting?.timer.cancel();
    this.#waiting = undefined;
  }

  #endWaitOf(group: WaitingGroup): Procedure | undefined {
    return this.#waiting === group ? this.#endWait() : undefined;
  }

  *#endWait(): Procedure {
    const group = this.#waiting;
    this.#waiting = undefined;
    if (group !== undefined) yield* this.#start(group.members);
  }

  *#start(members: Set<Child>): Procedure {
    const { supervision } = this.#siblings;
    const begun = new Set([...members].filter(({ cell }) => cell !== undefined));
    for (const child of this.#siblings.children) {
      if (!members.has(child) || child.cell !== undefined) continue;
      const rest: WaitingGroup = { culprit: child, members, until: 0, timer: NO_TIMER };
      if (this.#siblings.isHeldBack(child, () => this.#endWaitOf(rest))) {
        child.hold?.stepAside();
        this.#waiting = rest;
        return;
      }
      const starting = this.#siblings.children.filter((other) => members.has(other) && !begun.has(other));
      if (this.holds({ starting }, rest)) return;
      begun.add(child);
      if (yield* startOne(supervision, child, 'restart')) {
        if (child.failures > 0) supervision.restarted(child);
        continue;
      }
      this.#unfinished = { culprit: child, members };
      // As OTP has it: until the culprit is tried again the others are stopped, may be started, deleted.
      if (child.backoff === false) leaveStopped([...members].filter((other) => other !== child));
      this.#siblings.retry(child);
      return;
    }
  }

  /** The culprit is not to be tried again: the rest start without it; where there is no backoff they are stopped already, as OTP's. */
  *#leaveOut({ culprit, members }: UnfinishedGroup): Procedure {
    members.delete(culprit);
    if (culprit.backoff !== false) yield* this.#start(members);
  }
}
