/**
 * The port behind keyed locks: who holds a key, who waits for it, in which order. `local-lock-store.ts` keeps it in this
 * process; another may keep it elsewhere.
 *
 * Invariant of every store: a key's holders never exceed what it allows; a claim is granted at most once, in the order in
 * which the claims came; a fencing token is greater than every token granted for that key before, also by a store that was
 * there before a restart. A store knows no owners, deadlines or code: `locks.ts` does.
 */
import type { Awaitable } from '../kernel/logic.ts';

/** `exclusive`: takes `units` of the key's permits. `shared`: with any number of its like, and nobody exclusive. */
export type LockMode = 'exclusive' | 'shared';

/** What is asked of a key. */
export interface LockClaim {
  readonly key: string;
  readonly mode: LockMode;
  /** Of an exclusive claim: how many of the key's permits. */
  readonly units: number;
  /** How long a grant lasts unless it is renewed, ms; `Infinity`: until it is released. */
  readonly ttlMs: number;
}

/** Who claims. Each method is called at most once, `lost` only after `granted`; none may throw. */
export interface LockHolder {
  granted(token: number): void;
  /** It waits no more, and was never granted. */
  refused(error: unknown): void;
  /** It was granted and is so no longer, though nobody released it. */
  lost(why: LockLoss): void;
}

export type LockLoss = 'expired' | 'store_failed';

/** A claim in a store, from the line to the release. Every method is safe at any time and any number of times. */
export interface LockTicket {
  /** Leaves the line. What is granted in spite of that (it crossed the withdrawal) is released by the store. */
  withdraw(): void;
  /** Another `ttlMs` from now. `false`: it is no longer held. */
  renew(): Awaitable<boolean>;
  /** `true` exactly once, for what was held. */
  release(): Awaitable<boolean>;
}

/** A key as it stands, for inspection and for finding cycles. */
export interface LockedKey {
  readonly key: string;
  readonly holders: readonly LockHolder[];
  readonly waiting: readonly LockHolder[];
}

/** What is to be thought of a holder, or of one who waits: it has left; it has, or was granted, what it asked for; it is as it is. */
export type LockFate = 'left' | 'granted' | 'unchanged';

export interface LockStore {
  /** Joins the line of a key, or is granted at once: `holder` is told, possibly before this returns. */
  claim(claim: LockClaim, holder: LockHolder): LockTicket;
  /** How many wait for a key here. */
  waiting(key: string): number;
  /** For whom a holder waits: those who hold the key, and those ahead in line. Absent: cycles are not found. */
  blockersOf?(holder: LockHolder): Iterable<LockHolder>;
  /**
   * Whether one that waits would be granted if the others came to what `fate` says of each. Of several permits any one may come
   * free, so that a circle of waits need not be a deadlock; absent: every circle is taken for one.
   */
  admits?(holder: LockHolder, fate: (holder: LockHolder) => LockFate): boolean;
  /** The keys that are held or waited for, as far as this process knows; or `only` this one. */
  keys(only?: string): Iterable<LockedKey>;
}
