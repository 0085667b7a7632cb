/** What runs between actors: exports only. */
export type { LockLease } from './lock-lease.ts';
export type { LockOptions, LocksOptions, LockWork } from './lock-options.ts';
export type { ClaimReport, LocksReport } from './lock-report.ts';
export type {
  LockClaim,
  LockedKey,
  LockHolder,
  LockLoss,
  LockMode,
  LockStore,
  LockTicket,
} from './lock-store.ts';
export { createLocks, type Locks, type OwnedLocks } from './locks.ts';
