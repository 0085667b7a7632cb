/**
 * Keyed locks: one holder a key (or several readers, or as many as there are permits), in order, for as long as the work runs.
 *
 * Invariant: every claim ends in exactly one of granted, refused; every lease in exactly one of released, lost; on every way
 * out of `use` the lock is freed, and not before the work itself is over. Owners that end leave nothing behind. Who holds
 * what, in which order, is the store's to say.
 */
import { listenToAbort } from '../base/abort.ts';
import { NO_DEADLINE, remainingMs, sooner } from '../base/deadline.ts';
import { createError } from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import { check, refuse, resolveOptions, text } from '../base/options.ts';
import { realHost } from '../base/real-host.ts';
import { EventStream } from '../base/telemetry.ts';
import { BoundedCall, type Bounds, isThenable, rejectLater } from '../resilience/call.ts';
import { LocalLockStore } from './local-lock-store.ts';
import { findCycle } from './lock-cycle.ts';
import { Claimed, type LeaseEnd, type LeaseHome, type LockLease, type LockRefusal } from './lock-lease.ts';
import {
  LOCK_FIELDS,
  LOCKS_DEFAULTS,
  LOCKS_FIELDS,
  type LockOptions,
  type LocksOptions,
  type LockWork,
} from './lock-options.ts';
import { nameOfOwner, OwnerLocks } from './lock-owner.ts';
import { type LocksReport, ownerName, reportOf } from './lock-report.ts';
import type { LockClaim, LockMode, LockStore } from './lock-store.ts';
import { runUnder } from './lock-work.ts';

/** Locks in one owner's name. */
export interface OwnedLocks {
  /**
   * Waits for the key, runs `work` in the caller, frees the key when the work is over, whatever became of it.
   *
   * @throws ERR_LOCK_TIMEOUT, ERR_LOCK_QUEUE_FULL, ERR_LOCK_REENTRANT, ERR_LOCK_CYCLE, ERR_LOCK_OWNER_ENDED,
   *   ERR_LOCKS_DISPOSED: the work was not started; ERR_LOCK_LOST: it was no longer alone when it ended;
   *   ERR_LOCK_RELEASE_FAILED; ERR_DEADLINE_PASSED, the signal's reason; and what `work` throws
   */
  use<T>(key: string, work: LockWork<T>, options?: LockOptions): Promise<T>;
  /** The lease itself, for work that does not fit into one function. Whoever takes it releases it. */
  acquire(key: string, options?: LockOptions): Promise<LockLease>;
  /** The lease if it is free now; `undefined` if not. */
  tryAcquire(key: string, options?: LockOptions): LockLease | undefined;
}

/** Keyed locks. Events: `lock.granted`, `lock.released`, `lock.refused`, `lock.lost`, `lock.release_ignored`,
 * `lock.release_failed`. */
export interface Locks extends OwnedLocks {
  readonly name: string;
  readonly events: EventStream;
  /** The same locks in the name of one owner. */
  as(owner: string | object): OwnedLocks;
  /** Frees all that an owner holds and takes it out of every line. How many claims that were. */
  releaseAll(owner: string | object): number;
  inspect(): LocksReport;
  /** Refuses all from now on, and those who wait; leases that are out stay good until they are released. Safe to repeat. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** How often in the time of a lease its holder is asked whether it lives: two questions may be lost. */
const ASKS_A_TTL = 3;

interface Asked {
  readonly owner: unknown;
  readonly mode: LockMode;
  readonly units: number;
  readonly maxWaitMs: number;
  readonly ttlMs: number;
  readonly reentrant: boolean;
  readonly isAlive: (() => boolean) | undefined;
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
}

export class KeyedLocks implements Locks, LeaseHome {
  readonly name: string;
  readonly where: string;
  readonly host: Host;
  readonly events: EventStream;
  readonly #store: LockStore;
  readonly #maxWaiting: number;
  readonly #permits: number;
  readonly #default: Asked;
  readonly #owners = new Map<unknown, OwnerLocks>();
  readonly #waiting = new Set<Claimed>();
  readonly #counts = { granted: 0, released: 0, refused: 0, lost: 0, releasesIgnored: 0 };
  freeing: Claimed | undefined = undefined;
  #disposed = false;

  constructor(options: LocksOptions = {}) {
    const resolved = resolveOptions('createLocks', options, LOCKS_FIELDS, LOCKS_DEFAULTS);
    const { host = realHost(), permits } = resolved;
    this.name = resolved.name;
    this.where = `locks ${resolved.name}`;
    this.host = host;
    this.events = resolved.events ?? new EventStream(() => host.wall());
    this.#store = resolved.store ?? new LocalLockStore({ host, permits });
    this.#maxWaiting = resolved.maxWaiting;
    this.#permits = permits;
    const { maxWaitMs, ttlMs, reentrant } = resolved;
    this.#default = Object.freeze({
      owner: undefined,
      mode: 'exclusive' as const,
      units: 1,
      maxWaitMs,
      ttlMs,
      reentrant,
      isAlive: undefined,
      deadline: NO_DEADLINE,
      signal: undefined,
    });
  }

  use<T>(key: string, work: LockWork<T>, options?: LockOptions): Promise<T> {
    try {
      if (typeof work !== 'function') refuse(this.where, 'work', 'a function', work);
      const asked = this.#resolve(options);
      const lease = this.#claim(key, asked);
      if (lease.held) return this.#run(lease, work, asked);
      // In its caller's turn and context again, not in those of whoever released the lock.
      return this.#line(lease, asked).then((granted) => this.#begin(granted, work, asked));
    } catch (error) {
      return rejectLater(error);
    }
  }

  acquire(key: string, options?: LockOptions): Promise<LockLease> {
    try {
      const asked = this.#resolve(options);
      const lease = this.#claim(key, asked);
      return lease.held ? Promise.resolve(lease) : this.#line(lease, asked);
    } catch (error) {
      return rejectLater(error);
    }
  }

  tryAcquire(key: string, options?: LockOptions): LockLease | undefined {
    const lease = this.#claim(key, this.#resolve(options));
    if (lease.held) return lease;
    lease.ticket?.withdraw();
    lease.owner?.remove(lease);
    return undefined;
  }

  as(owner: string | object): OwnedLocks {
    check(this.where, 'owner', LOCK_FIELDS.owner, owner);
    const owned = (options: LockOptions | undefined): LockOptions => {
      const deadline = sooner(options?.deadline ?? NO_DEADLINE, deadlineOf(owner));
      return { ...options, owner, deadline };
    };
    return {
      use: (key, work, options) => this.use(key, work, owned(options)),
      acquire: (key, options) => this.acquire(key, owned(options)),
      tryAcquire: (key, options) => this.tryAcquire(key, owned(options)),
    };
  }

  releaseAll(owner: string | object): number {
    return this.#owners.get(owner)?.end() ?? 0;
  }

  inspect(): LocksReport {
    const keys = Array.from(this.#store.keys(), ({ key, holders, waiting }) => ({
      key,
      holders: holders.map(reportOf),
      waiting: waiting.map(reportOf),
    }));
    return { name: this.name, keys, ...this.#counts };
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const lease of [...this.#waiting]) lease.giveUp('disposed', this.#disposedError());
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  granted(lease: Claimed): void {
    // What has been released is told before what was granted for it.
    if (this.freeing?.key === lease.key) this.freeing.passOn();
    const waited = this.#waiting.delete(lease);
    this.#counts.granted += 1;
    lease.grantedAtMs = this.host.monotonic();
    this.#watch(lease);
    if (!this.events.active) return;
    const { key, token, mode } = lease;
    const waitMs = waited ? lease.grantedAtMs - lease.claimedAtMs : 0;
    this.events.emit('lock.granted', { path: this.name, key, owner: ownerName(lease), token, mode, waitMs });
  }

  refused(lease: Claimed, why: LockRefusal): void {
    this.#waiting.delete(lease);
    lease.owner?.remove(lease);
    this.#tellRefused(lease, why);
  }

  adopt(lease: Claimed): void {
    lease.owner = this.#ownerOf(lease);
    if (lease.held) lease.owner.add(lease);
  }

  ended(lease: Claimed, how: LeaseEnd): void {
    lease.owner?.remove(lease);
    if (how === 'released') this.#counts.released += 1;
    else this.#counts.lost += 1;
    if (!this.events.active) return;
    const { key, token } = lease;
    const data = { path: this.name, key, owner: ownerName(lease), token };
    if (how !== 'released') this.events.emit('lock.lost', { ...data, why: how });
    else this.events.emit('lock.released', { ...data, heldMs: this.host.monotonic() - lease.grantedAtMs });
  }

  releaseIgnored(lease: Claimed): void {
    this.#counts.releasesIgnored += 1;
    if (!this.events.active) return;
    const { key, token, loss } = lease;
    const why = loss === undefined ? 'released' : 'lost';
    this.events.emit('lock.release_ignored', { path: this.name, key, owner: ownerName(lease), token, why });
  }

  releaseFailed({ key, token, owner }: Claimed, error: unknown): void {
    const name = nameOfOwner(owner?.owner);
    this.events.emit('lock.release_failed', { path: this.name, key, owner: name, token, error });
  }

  #resolve(options: LockOptions | undefined): Asked {
    if (options === undefined) return this.#default;
    const { where } = this;
    const asked = resolveOptions(where, options, LOCK_FIELDS, this.#default as never) as unknown as Asked;
    if (asked.units > this.#permits)
      refuse(where, 'units', `at most the ${this.#permits} permits of a key`, asked.units);
    if (asked.isAlive !== undefined && asked.ttlMs === Number.POSITIVE_INFINITY)
      refuse(where, 'isAlive', 'given with a finite ttlMs', asked.isAlive);
    return asked;
  }

  /** A claim that is held, or stands in line and needs {@link #wait}. */
  #claim(key: string, asked: Asked): Claimed {
    if (this.#disposed) throw this.#disposedError();
    if (typeof key !== 'string' || key === '') check(this.where, 'key', text, key);
    const { mode, units, ttlMs, isAlive, signal, deadline } = asked;
    if (signal?.aborted === true) throw signal.reason;
    if (deadline <= this.#nowIf(deadline)) throw this.#overdue();
    const owner = asked.owner === undefined ? undefined : this.#ownerOf(asked.owner);
    if (owner?.ended === true)
      throw createError(
        'ERR_LOCK_OWNER_ENDED',
        { where: this.where, key, owner: owner.name },
        { stack: false },
      );
    const outer = owner?.holding(key);
    const watch = isAlive === undefined ? undefined : { isAlive, everyMs: ttlMs / ASKS_A_TTL };
    const lease = new Claimed(this, key, { mode, owner, outer, watch });
    if (outer !== undefined) this.#stand(lease, outer, asked);
    else this.#ask(lease, { key, mode, units, ttlMs });
    return lease;
  }

  #ask(lease: Claimed, claim: LockClaim): void {
    const { owner } = lease;
    owner?.add(lease);
    try {
      lease.ticket = this.#store.claim(claim, lease);
    } catch (error) {
      owner?.remove(lease);
      throw error;
    }
    if (lease.refusal !== undefined) throw lease.refusal.error;
    if (lease.loss === undefined) return;
    // Whoever heard of the grant ended its owner.
    lease.abandon();
    throw lease.loss;
  }

  /** Settles when it is granted or refused. */
  #line(lease: Claimed, asked: Asked): Promise<Claimed> {
    return new Promise((resolve, reject) => {
      lease.waiter = { granted: resolve, refused: reject };
      this.#wait(lease, asked);
    });
  }

  /** What it waited for is there; whether its caller still wants it is to be seen. */
  #begin<T>(lease: Claimed, work: LockWork<T>, asked: Asked): Promise<T> {
    const { loss } = lease;
    if (loss !== undefined)
      throw createError('ERR_LOCK_LOST', loss.data, { outcome: 'not_started', stack: false });
    const { signal, deadline } = asked;
    if (signal?.aborted !== true && deadline > this.#nowIf(deadline)) return this.#run(lease, work, asked);
    const error = signal?.aborted === true ? signal.reason : this.#overdue();
    return runUnder(lease, () => {
      throw error;
    });
  }

  /** A lease upon another of the same owner: it shares that one's token, and its fate. */
  #stand(lease: Claimed, outer: Claimed, { mode, reentrant }: Asked): void {
    const upgrades = outer.mode === 'shared' && mode === 'exclusive';
    if (!reentrant || upgrades) {
      this.#tellRefused(lease, 'reentrant');
      const how = upgrades ? 'as one of its readers, and wants it exclusively' : 'already';
      throw createError('ERR_LOCK_REENTRANT', { ...this.#naming(lease), how });
    }
    lease.owner?.add(lease);
    outer.depth += 1;
    lease.granted(outer.token);
  }

  /** It stands in line, unless it must not. */
  #wait(lease: Claimed, asked: Asked): void {
    this.#waiting.add(lease);
    lease.claimedAtMs = this.host.monotonic();
    if (this.#store.waiting(lease.key) > this.#maxWaiting) {
      const data = { ...this.#naming(lease), limit: this.#maxWaiting };
      lease.giveUp('full', createError('ERR_LOCK_QUEUE_FULL', data, { stack: false }));
      return;
    }
    const cycle = findCycle(this.#store, lease);
    if (cycle === undefined) this.#limitWait(lease, asked);
    else lease.giveUp('cycle', createError('ERR_LOCK_CYCLE', { ...this.#naming(lease), cycle }));
  }

  #limitWait(lease: Claimed, { maxWaitMs, deadline, signal }: Asked): void {
    if (signal !== undefined) {
      lease.waitSource = signal;
      listenToAbort(signal, lease);
    }
    const timeoutMs = sooner(maxWaitMs, Math.max(0, deadline - lease.claimedAtMs));
    if (timeoutMs === NO_DEADLINE) return;
    lease.timer = this.host.timer(timeoutMs, `${this.where} wait`, () => {
      const data = { ...this.#naming(lease), timeoutMs, holder: this.#holderOf(lease.key) };
      lease.giveUp('timeout', createError('ERR_LOCK_TIMEOUT', data, { stack: false }));
    });
  }

  #tellRefused(lease: Claimed, why: LockRefusal): void {
    this.#counts.refused += 1;
    if (this.events.active)
      this.events.emit('lock.refused', { path: this.name, key: lease.key, owner: ownerName(lease), why });
  }

  #run<T>(lease: Claimed, work: LockWork<T>, { deadline, signal }: Asked): Promise<T> {
    if (deadline === NO_DEADLINE && signal === undefined) return runUnder(lease, work);
    const budgetMs = remainingMs(this.#nowIf(deadline), deadline);
    const bounds: Bounds = { deadline, budgetMs, signal };
    const call = new BoundedCall<T>(this, bounds, (ending) => {
      if (ending.kind === 'aborted' || ending.kind === 'timed_out') lease.source.abort(ending.error);
    });
    return call.run(() => runUnder(lease, work));
  }

  #watch(lease: Claimed): void {
    const { watch } = lease;
    if (watch === undefined) return;
    const ask = (): void => {
      if (lives(watch.isAlive)) {
        renewQuietly(lease);
        this.#watch(lease);
      } else lease.revoke('holder_dead');
    };
    lease.timer = this.host.timer(watch.everyMs, `${this.where} watch`, ask, { unref: true });
  }

  #ownerOf(owner: unknown): OwnerLocks {
    let known = this.#owners.get(owner);
    if (known === undefined) {
      known = new OwnerLocks(owner, () => this.#owners.delete(owner));
      if (!known.ended) this.#owners.set(owner, known);
    }
    return known;
  }

  #holderOf(key: string): string {
    for (const locked of this.#store.keys(key)) {
      if (locked.key !== key) continue;
      const names = locked.holders.map((holder) => ownerName(holder as Claimed));
      return names.length === 0 ? 'nobody here' : names.join(', ');
    }
    return 'nobody here';
  }

  #naming(lease: Claimed): { where: string; key: string; owner: string } {
    return { where: this.where, key: lease.key, owner: ownerName(lease) };
  }

  /** Now, where a deadline is to be compared with it. */
  #nowIf(deadline: number): number {
    return deadline === NO_DEADLINE ? 0 : this.host.monotonic();
  }

  #overdue(): unknown {
    const data = { where: this.where, timeoutMs: 0 };
    return createError('ERR_DEADLINE_PASSED', data, { outcome: 'not_started', stack: false });
  }

  #disposedError(): unknown {
    return createError('ERR_LOCKS_DISPOSED', { where: this.where }, { stack: false });
  }
}

/** An actor's context has the deadline of the call that it handles. */
const deadlineOf = (owner: string | object): number => {
  const { deadline } = owner as { readonly deadline?: unknown };
  return typeof deadline === 'number' ? deadline : NO_DEADLINE;
};

/** A store that cannot be reached renews nothing: the lease then expires, and its holder hears of that. */
const renewQuietly = (lease: Claimed): void => {
  const renewed = lease.heartbeat();
  if (isThenable(renewed)) Promise.resolve(renewed).catch(() => {});
};

const lives = (isAlive: () => boolean): boolean => {
  try {
    return isAlive();
  } catch {
    return false;
  }
};

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const createLocks = (options: LocksOptions = {}): Locks => new KeyedLocks(options);
