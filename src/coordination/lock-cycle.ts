/**
 * Whether a claim that has begun to wait would wait for ever, because it waits, over others, for its own owner.
 *
 * Invariant: told when the wait that closes the circle begins, and only of owners none of whom can go on. An owner that waits
 * for several keys needs them all. Where a key has several permits, or readers, one of its holders may come free though
 * another is in the circle; so those who can still go on are taken away first, as in graph reduction (Holt, 1972). Only
 * owners can close a circle: who holds nothing else and waits for nothing else keeps nobody waiting that the holders would not.
 */
import type { Claimed } from './lock-lease.ts';
import type { OwnerLocks } from './lock-owner.ts';
import type { LockFate, LockHolder, LockStore } from './lock-store.ts';

/** A step of a circle: who waits for which key, and who keeps them. */
interface Step {
  readonly claim: Claimed;
  readonly blocker: Claimed;
  readonly via: Step | undefined;
}

/** A line of work: an owner, or a claim that nobody owns. */
type Line = OwnerLocks | Claimed;

type Blockers = (holder: LockHolder) => Iterable<LockHolder>;

const lineOf = (holder: LockHolder): Line => (holder as Claimed).owner ?? (holder as Claimed);

const waitsOf = (line: Line): readonly Claimed[] => {
  const claims = 'claims' in line ? [...line.claims] : [line];
  return claims.filter(({ waiter }) => waiter !== undefined);
};

/** The words for the circle that a wait closes; `undefined` if it closes none. */
export const findCycle = (store: LockStore, start: Claimed): string | undefined => {
  const { owner } = start;
  if (owner === undefined || owner.claims.size < 2 || store.blockersOf === undefined) return undefined;
  const blockersOf: Blockers = (holder) => store.blockersOf?.(holder) ?? [];
  const circle = search(start, owner, blockersOf);
  if (circle === undefined || store.admits === undefined) return circle && tell(circle);
  const stuck = stuckFrom(store, owner, blockersOf);
  const closed = stuck.has(owner) ? search(start, owner, blockersOf, stuck) : undefined;
  return closed && tell(closed);
};

/** A way from a claim back to its owner, over owners in `among`. */
const search = (
  start: Claimed,
  owner: OwnerLocks,
  blockersOf: Blockers,
  among?: ReadonlySet<Line>,
): Step | undefined => {
  const seen = new Set([owner]);
  const open: { readonly claim: Claimed; readonly via: Step | undefined }[] = [
    { claim: start, via: undefined },
  ];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { claim, via } = next;
    for (const blocker of blockersOf(claim) as Iterable<Claimed>) {
      const other = blocker.owner;
      const step = { claim, blocker, via };
      if (other === owner) return step;
      if (other === undefined || seen.has(other) || among?.has(other) === false) continue;
      seen.add(other);
      for (const wait of waitsOf(other)) open.push({ claim: wait, via: step });
    }
  }
  return undefined;
};

/** Those whom `first` waits for, directly or not, that can never go on. */
const stuckFrom = (store: LockStore, first: OwnerLocks, blockersOf: Blockers): ReadonlySet<Line> => {
  const stuck = new Set<Line>([first]);
  const waits = new Set<Claimed>();
  for (const line of stuck) {
    for (const wait of waitsOf(line)) {
      waits.add(wait);
      for (const blocker of blockersOf(wait)) stuck.add(lineOf(blocker));
    }
  }
  const fate = (holder: LockHolder): LockFate => {
    if (!stuck.has(lineOf(holder))) return 'left';
    return waits.has(holder as Claimed) ? 'unchanged' : 'granted';
  };
  // What is granted is held until all that its owner waits for is there: then that one goes, with everything.
  for (let before = -1; before !== stuck.size + waits.size; ) {
    before = stuck.size + waits.size;
    for (const wait of waits) if (store.admits?.(wait, fate) === true) waits.delete(wait);
    for (const line of stuck) if (waitsOf(line).every((wait) => !waits.has(wait))) stuck.delete(line);
  }
  return stuck;
};

const tell = (last: Step): string => {
  const words: string[] = [nameOf(last.blocker)];
  for (let step: Step | undefined = last; step !== undefined; step = step.via) {
    const how = step.blocker.held ? 'held' : 'asked for before';
    words.unshift(`${nameOf(step.claim)} waits for ${step.claim.key}, ${how} by`);
  }
  return words.join(' ');
};

const nameOf = ({ owner }: Claimed): string => owner?.name ?? 'somebody';
