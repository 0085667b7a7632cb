/**
 * Who claims locks: one line of work, such as an actor, a client, a command. It holds what that line holds and waits for.
 *
 * Invariant: an owner that holds nothing and waits for nothing is forgotten; one that ends frees all that it held and
 * leaves every line. A cycle is found when the wait that would close it begins.
 */
import type { Claimed } from './lock-lease.ts';
import type { LockHolder, LockStore } from './lock-store.ts';

/** Whose end ends its locks: an actor's context is one. */
export interface EndingOwner {
  onEnd(release: () => void): () => void;
}

const ends = (owner: unknown): owner is EndingOwner =>
  typeof owner === 'object' && owner !== null && typeof (owner as EndingOwner).onEnd === 'function';

/** The word for an owner in errors and reports. */
export const nameOfOwner = (owner: unknown): string => {
  if (owner === undefined) return 'somebody';
  if (typeof owner === 'string') return owner;
  const { path, name, key } = owner as { path?: unknown; name?: unknown; key?: unknown };
  if (typeof path === 'string') return path;
  if (typeof name === 'string') return name;
  return typeof key === 'string' ? `the holder of ${key}` : 'somebody';
};

export class OwnerLocks {
  readonly owner: unknown;
  readonly claims = new Set<Claimed>();
  readonly #forget: () => void;
  readonly #unhook: (() => void) | undefined;

  constructor(owner: unknown, forget: () => void) {
    this.owner = owner;
    this.#forget = forget;
    this.#unhook = ends(owner) ? owner.onEnd(() => this.end()) : undefined;
  }

  get name(): string {
    return nameOfOwner(this.owner);
  }

  /** What it holds of a key, outermost first. */
  holding(key: string): Claimed | undefined {
    for (const claim of this.claims)
      if (claim.held && claim.key === key && claim.outer === undefined) return claim;
    return undefined;
  }

  add(claim: Claimed): void {
    this.claims.add(claim);
  }

  remove(claim: Claimed): void {
    this.claims.delete(claim);
    if (this.claims.size > 0) return;
    this.#unhook?.();
    this.#forget();
  }

  /** Frees and leaves everything. How many that were. */
  end(): number {
    const claims = [...this.claims];
    // Inner ones first: what they stand on is freed once.
    for (const claim of claims.reverse()) claim.orphan();
    return claims.length;
  }
}

/** A step of a cycle: who waits for which key. */
interface Step {
  readonly claim: Claimed;
  readonly via: Step | undefined;
}

const asClaim = (holder: LockHolder): Claimed => holder as Claimed;

/**
 * Whether a claim that has begun to wait waits, over others, for its own owner; the words for the cycle if so. Only owners can
 * close one: who holds nothing else and waits for nothing else keeps nobody waiting.
 */
export const findCycle = (store: LockStore, start: Claimed): string | undefined => {
  const { owner } = start;
  if (owner === undefined || owner.claims.size < 2 || store.blockersOf === undefined) return undefined;
  const seen = new Set<unknown>([owner]);
  const steps: Step[] = [{ claim: start, via: undefined }];
  for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
    for (const blocker of store.blockersOf(step.claim)) {
      const other = asClaim(blocker).owner;
      if (other === owner) return tell(step, owner);
      if (other === undefined || seen.has(other)) continue;
      seen.add(other);
      for (const claim of other.claims) {
        if (claim.waiter !== undefined) steps.push({ claim, via: step });
      }
    }
  }
  return undefined;
};

const tell = (last: Step, owner: OwnerLocks): string => {
  const words: string[] = [owner.name];
  for (let step: Step | undefined = last; step !== undefined; step = step.via)
    words.unshift(`${step.claim.owner?.name ?? 'somebody'} waits for ${step.claim.key}, held by`);
  return words.join(' ');
};
