/** What there is to see of locks: who holds what, who waits, and what was counted. */
import type { Claimed } from './lock-lease.ts';
import { nameOfOwner } from './lock-owner.ts';
import type { LockHolder, LockMode } from './lock-store.ts';

/** A lock or a claim as it stands. */
export interface ClaimReport {
  readonly owner: string;
  readonly mode: LockMode;
  /** `undefined` while it waits. */
  readonly token: number | undefined;
  /** Since when it holds or waits, an instant of `host.monotonic()`. */
  readonly sinceMs: number;
}

export interface LocksReport {
  readonly name: string;
  readonly keys: readonly {
    readonly key: string;
    readonly holders: readonly ClaimReport[];
    readonly waiting: readonly ClaimReport[];
  }[];
  /** Since their creation. */
  readonly granted: number;
  readonly released: number;
  readonly refused: number;
  /** Leases that ended otherwise than by their release. */
  readonly lost: number;
  readonly releasesIgnored: number;
}

export const ownerName = ({ owner }: Claimed): string => owner?.name ?? nameOfOwner(undefined);

export const reportOf = (holder: LockHolder): ClaimReport => {
  const lease = holder as Claimed;
  const { mode, held } = lease;
  return {
    owner: ownerName(lease),
    mode,
    token: held ? lease.token : undefined,
    sinceMs: held ? lease.grantedAtMs : lease.claimedAtMs,
  };
};
