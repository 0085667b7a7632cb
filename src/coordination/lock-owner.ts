/**
 * Who claims locks: one line of work, such as an actor, a client, a command. It holds what that line holds and waits for.
 *
 * Invariant: an owner that holds nothing and waits for nothing is forgotten; one that ends frees all that it held, leaves
 * every line, and claims nothing any more.
 */
import type { Claimed } from './lock-lease.ts';

/** Whose end ends its locks: an actor's context is one. */
export interface EndingOwner {
  onEnd(release: () => void): () => void;
}

const ends = (owner: unknown): owner is EndingOwner =>
  typeof owner === 'object' && owner !== null && typeof (owner as EndingOwner).onEnd === 'function';

const NOBODY_KNOWN = 'somebody';

/** The word for an owner in errors and reports. */
export const nameOfOwner = (owner: unknown): string => {
  if (owner === undefined) return NOBODY_KNOWN;
  if (typeof owner === 'string') return owner;
  try {
    const { path, name, key } = owner as { path?: unknown; name?: unknown; key?: unknown };
    if (typeof path === 'string') return path;
    if (typeof name === 'string') return name;
    return typeof key === 'string' ? `the holder of ${key}` : NOBODY_KNOWN;
  } catch {
    // A word in a report is no reason to break off a grant in its middle.
    return NOBODY_KNOWN;
  }
};

export class OwnerLocks {
  readonly owner: unknown;
  readonly claims = new Set<Claimed>();
  readonly #forget: () => void;
  readonly #unhook: (() => void) | undefined;
  /** It is no more: what it claimed now, nobody would free. */
  ended = false;

  constructor(owner: unknown, forget: () => void) {
    this.owner = owner;
    this.#forget = forget;
    this.#unhook = ends(owner) ? owner.onEnd(() => this.#hasEnded()) : undefined;
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

  #hasEnded(): void {
    this.ended = true;
    this.end();
  }
}
