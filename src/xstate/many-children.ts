/**
 * A machine that ends stops its children one by one, and for each XState copies the map of all: with 4,000 children the
 * process stands still for seconds. Here the map is taken away while XState looks, and the children stop by our index.
 *
 * Invariant: what the machine, its observers and its snapshot show is as XState has it. Spawning into a machine stays
 * quadratic: that map is the machine's own context, in all but name.
 */
import { actorsFrom, hasStarted, type InnerActor, type Snapshot, STOP } from './inner-actor.ts';

/** From how many children on it is worth asking which way an error will go. Owner: engine. */
const MANY = 16;

interface Machine {
  getTransitionData?(snapshot: unknown, event: unknown): readonly unknown[];
}

/** What the engine does for {@link stopOnceDone}. */
interface Landlord {
  /** Frees its `systemId`. */
  _unregister(actor: InnerActor): void;
  order(actor: InnerActor, order: typeof STOP): void;
}

/**
 * XState is about to stop the children of a machine that came to its final state in this microstep: does it instead. Their
 * names are free at once, and they stop when the machine has sent what it had to send.
 */
export const stopOnceDone = (engine: Landlord, machine: InnerActor, snapshot: Snapshot | undefined): void => {
  const children = snapshot?.children;
  if (snapshot?.status !== 'done' || children === undefined) return;
  const actors = Object.values(children) as InnerActor[];
  for (const child of actors) {
    for (const each of actorsFrom(child)) engine._unregister(each);
    // One that has not started yet never will.
    if (!hasStarted(child)) engine.order(child, STOP);
  }
  const mutable = snapshot as { children: Snapshot['children'] };
  mutable.children = {};
  machine._actorScope.defer(() => {
    mutable.children = children;
    for (const child of actors) engine.order(child, STOP);
  });
};

/** An error event that no transition takes fails its machine, and all children stop: forgets them first, as XState would. */
export const forgetIfFailing = (actor: InnerActor, event: unknown): void => {
  const snapshot = actor._snapshot;
  const count = snapshot?.children === undefined ? 0 : Object.keys(snapshot.children).length;
  if (snapshot?.status !== 'active' || count < MANY) return;
  let takes = true;
  try {
    takes = (actor.logic as Machine).getTransitionData?.(snapshot, event).length !== 0;
  } catch {
    // A guard throws; it will do so again where XState handles it.
  }
  if (!takes) actor._snapshot = { ...snapshot, children: {} };
};
