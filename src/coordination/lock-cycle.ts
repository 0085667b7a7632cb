/**
 * Whether a claim that has begun to wait would wait for ever, because it waits, over others, for its own owner.
 *
 * Invariant: told when the wait that closes the circle begins, and only of owners none of whom can go on. Where a key has
 * several permits, one of its holders may come free though another is in the circle; so those who can still go on are taken
 * away first, as in graph reduction (Holt, 1972). Only owners can close a circle: who holds nothing else and waits for
 * nothing else keeps nobody waiting.
 */
import type { Claimed } from './lock-lease.ts';
import type { OwnerLocks } from './lock-owner.ts';
import type { LockHolder, LockStore } from './lock-store.ts';

/** A step of a circle: who waits for which key. */
interface Step {
  readonly claim: Claimed;
  readonly via: Step | undefined;
}

type Blockers = (holder: LockHolder) => Iterable<LockHolder>;

const ownerOf = (holder: LockHolder): OwnerLocks | undefined => (holder as Claimed).owner;

const waitsOf = (owner: OwnerLocks): readonly Claimed[] =>
  [...owner.claims].filter(({ waiter }) => waiter !== undefined);

/** The words for the circle that a wait closes; `undefined` if it closes none. */
export const findCycle = (store: LockStore, start: Claimed): string | undefined => {
  const { owner } = start;
  if (owner === undefined || owner.claims.size < 2 || store.blockersOf === undefined) return undefined;
  const blockersOf: Blockers = (holder) => store.blockersOf?.(holder) ?? [];
  const circle = search(start, owner, blockersOf);
  if (circle === undefined || store.admits === undefined) return circle && tell(circle, owner);
  const stuck = stuckFrom(store, owner, blockersOf);
  const closed = stuck.has(owner) ? search(start, owner, blockersOf, stuck) : undefined;
  return closed && tell(closed, owner);
};

/** A way from a claim back to its owner, over owners in `among`. */
const search = (
  start: Claimed,
  owner: OwnerLocks,
  blockersOf: Blockers,
  among?: ReadonlySet<OwnerLocks>,
): Step | undefined => {
  const seen = new Set([owner]);
  const steps: Step[] = [{ claim: start, via: undefined }];
  for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
    for (const blocker of blockersOf(step.claim)) {
      const other = ownerOf(blocker);
      if (other === owner) return step;
      if (other === undefined || seen.has(other) || among?.has(other) === false) continue;
      seen.add(other);
      for (const claim of waitsOf(other)) steps.push({ claim, via: step });
    }
  }
  return undefined;
};

/** Those whom `first` waits for, directly or not, that can never go on. */
const stuckFrom = (store: LockStore, first: OwnerLocks, blockersOf: Blockers): ReadonlySet<OwnerLocks> => {
  const stuck = new Set([first]);
  for (const owner of stuck) {
    for (const wait of waitsOf(owner)) {
      for (const blocker of blockersOf(wait)) {
        const other = ownerOf(blocker);
        if (other !== undefined) stuck.add(other);
      }
    }
  }
  const gone = (holder: LockHolder): boolean => {
    const owner = ownerOf(holder);
    return owner === undefined || !stuck.has(owner);
  };
  for (let before = -1; before !== stuck.size; ) {
    before = stuck.size;
    for (const owner of stuck)
      if (waitsOf(owner).every((wait) => store.admits?.(wait, gone) === true)) stuck.delete(owner);
  }
  return stuck;
};

const tell = (last: Step, owner: OwnerLocks): string => {
  const words: string[] = [owner.name];
  for (let step: Step | undefined = last; step !== undefined; step = step.via)
    words.unshift(`${step.claim.owner?.name ?? 'somebody'} waits for ${step.claim.key}, held by`);
  return words.join(' ');
};
