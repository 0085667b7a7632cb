/**
 * One claim of one owner, from the line to the release; what user code holds while it has a lock.
 *
 * Invariant: it is granted at most once, ends exactly once, and whoever ends it is told whether it was they. What comes
 * after its end does nothing and is reported. It knows no queue: the store does.
 */
import { type AbortListener, type AbortSource, LazyAbort, unlistenToAbort } from '../base/abort.ts';
import { createError, type TroupeError } from '../base/errors.ts';
import type { Timer } from '../base/host.ts';
import type { Awaitable } from '../kernel/logic.ts';
import { isThenable } from '../resilience/call.ts';
import type { LockOptions, LockWork } from './lock-options.ts';
import type { OwnerLocks } from './lock-owner.ts';
import type { LockHolder, LockLoss, LockMode, LockTicket } from './lock-store.ts';

/** A lock that is held. */
export interface LockLease {
  readonly key: string;
  readonly mode: LockMode;
  /**
   * The fencing token: greater than that of every lease of this key before it. Hand it to what the lock protects, and let that
   * refuse a smaller one than it has seen: a holder that was paused past its time then writes nothing.
   */
  readonly token: number;
  /** `false` once it was released or lost. */
  readonly held: boolean;
  /** Aborts when the lease is lost (ERR_LOCK_LOST), or when the caller's signal or deadline ends the work. */
  readonly signal: AbortSignal;
  /** "Still at it": another `ttlMs` from now. `false`: it is no longer held. */
  heartbeat(): Awaitable<boolean>;
  /** `true` for the one release that freed it. Later ones do nothing and are reported (`lock.release_ignored`). */
  release(): Awaitable<boolean>;
  /** Another lock in the same line of work: a cycle of such waits is an error, and so is the same key again. */
  use<T>(key: string, work: LockWork<T>, options?: LockOptions): Promise<T>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What a lease needs of the locks it belongs to. */
export interface LeaseHome {
  readonly where: string;
  use<T>(key: string, work: LockWork<T>, options?: LockOptions): Promise<T>;
  granted(lease: Claimed): void;
  /** It left the line ungranted. */
  refused(lease: Claimed, why: LockRefusal): void;
  ended(lease: Claimed, how: LeaseEnd): void;
  releaseIgnored(lease: Claimed): void;
  releaseFailed(lease: Claimed, error: unknown): void;
  /** Makes an owner of a lease that has none, so that what is claimed below it is of one line with it. */
  adopt(lease: Claimed): void;
  /** The lease that its store is being told to release. */
  freeing: Claimed | undefined;
}

export type LeaseEnd = 'released' | 'owner_ended' | 'holder_dead' | LockLoss;

export type LockRefusal =
  | 'timeout'
  | 'aborted'
  | 'full'
  | 'reentrant'
  | 'cycle'
  | 'owner_ended'
  | 'disposed'
  | 'store_failed';

/** How a claim that waits is told of its fate. */
export interface Waiter {
  granted(lease: Claimed): void;
  refused(error: unknown): void;
}

export interface LeaseWatch {
  readonly isAlive: () => boolean;
  readonly everyMs: number;
}

interface LeaseMaking {
  readonly mode: LockMode;
  readonly owner: OwnerLocks | undefined;
  readonly outer: Claimed | undefined;
  readonly watch: LeaseWatch | undefined;
}

export class Claimed implements LockLease, LockHolder, AbortListener {
  readonly key: string;
  readonly mode: LockMode;
  readonly home: LeaseHome;
  readonly outer: Claimed | undefined;
  /** Asked whether its holder still lives, every so often. */
  readonly watch: LeaseWatch | undefined;
  owner: OwnerLocks | undefined;
  token = 0;
  held = false;
  ticket: LockTicket | undefined = undefined;
  waiter: Waiter | undefined = undefined;
  timer: Timer | undefined = undefined;
  waitSource: AbortSource | undefined = undefined;
  claimedAtMs = 0;
  grantedAtMs = 0;
  /** Leases of the same owner and key that stand on this one. */
  depth = 0;
  /** What its store turned it away with. */
  refusal: { readonly error: unknown } | undefined = undefined;
  #loss: TroupeError | undefined = undefined;
  #abort: LazyAbort | undefined = undefined;
  #asked = false;

  constructor(home: LeaseHome, key: string, { mode, owner, outer, watch }: LeaseMaking) {
    this.home = home;
    this.key = key;
    this.mode = mode;
    this.owner = owner;
    this.outer = outer;
    this.watch = watch;
  }

  /** Why it is held no more, where nobody released it. */
  get loss(): TroupeError | undefined {
    return this.#loss;
  }

  /** Aborts with the lease. */
  get source(): LazyAbort {
    if (this.#abort === undefined) {
      this.#abort = new LazyAbort();
      if (this.#loss !== undefined) this.#abort.abort(this.#loss);
    }
    return this.#abort;
  }

  get signal(): AbortSignal {
    return this.source.signal;
  }

  granted(token: number): void {
    this.token = token;
    this.held = true;
    this.#leaveLine();
    this.home.granted(this);
    const { waiter } = this;
    this.waiter = undefined;
    waiter?.granted(this);
  }

  refused(error: unknown): void {
    this.refusal = { error };
    this.#turnAway('store_failed', error);
  }

  /** Leaves the line. Nothing, once it was granted. */
  giveUp(why: LockRefusal, error: unknown): void {
    if (this.waiter === undefined) return;
    this.ticket?.withdraw();
    this.#turnAway(why, error);
  }

  aborted(source: AbortSource): void {
    this.giveUp('aborted', source.reason);
  }

  lost(why: LockLoss): void {
    this.#loseAll(why);
  }

  heartbeat(): Awaitable<boolean> {
    if (!this.held) return false;
    if (this.outer !== undefined) return this.outer.heartbeat();
    const renewed = this.ticket?.renew() ?? false;
    if (!isThenable(renewed)) return this.#stillHeld(renewed);
    return Promise.resolve(renewed).then((still) => this.#stillHeld(still));
  }

  release(): Awaitable<boolean> {
    if (!this.held || this.#asked) {
      this.home.releaseIgnored(this);
      return false;
    }
    this.#asked = true;
    if (this.outer !== undefined) {
      this.#end('released');
      return this.outer.#stepOff();
    }
    // Those that stand on it go first.
    return this.depth === 0 ? this.#free() : true;
  }

  /** Its owner is no more: it is freed, and its holder, should it still run, is told. */
  orphan(): void {
    if (this.waiter === undefined) this.revoke('owner_ended');
    else {
      const data = { where: this.home.where, key: this.key, owner: this.owner?.name ?? '' };
      this.giveUp('owner_ended', createError('ERR_LOCK_OWNER_ENDED', data, { stack: false }));
    }
  }

  /** Taken from its holder and given to the next. */
  revoke(why: 'owner_ended' | 'holder_dead'): void {
    if (!this.held) return;
    this.#loseAll(why);
    if (this.outer === undefined) this.abandon();
    else quietly(this.outer.#stepOff());
  }

  /** Gives back what it has in the store. Nobody awaits that; a store that fails is told of all the same. */
  abandon(): void {
    const freed = releaseOf(this.ticket);
    if (isThenable(freed))
      Promise.resolve(freed).catch((error: unknown) => this.home.releaseFailed(this, error));
  }

  use<T>(key: string, work: LockWork<T>, options: LockOptions = {}): Promise<T> {
    if (this.owner === undefined) this.home.adopt(this);
    return this.home.use(key, work, { owner: this.owner?.owner as object, ...options });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.held && !this.#asked) await this.release();
  }

  /** The next holder of the key was granted while this one was being released: it has been released, then. */
  passOn(): void {
    this.#end('released');
  }

  /** One that stood on it is gone. */
  #stepOff(): Awaitable<boolean> {
    this.depth -= 1;
    return this.#asked && this.depth === 0 && this.held ? this.#free() : true;
  }

  #free(): Awaitable<boolean> {
    this.home.freeing = this;
    const freed = releaseOf(this.ticket);
    this.home.freeing = undefined;
    if (!isThenable(freed)) return this.#freed(freed);
    return Promise.resolve(freed).then(
      (did) => this.#freed(did),
      (cause: unknown) => {
        // Whoever wants to may try again.
        this.#asked = false;
        this.home.releaseFailed(this, cause);
        throw createError('ERR_LOCK_RELEASE_FAILED', { where: this.home.where, key: this.key }, { cause });
      },
    );
  }

  #freed(did: boolean): boolean {
    if (did) this.#end('released');
    else this.#stillHeld(false);
    return did;
  }

  /** A store that says "no more" and told nobody: it expired there. */
  #stillHeld(still: boolean): boolean {
    if (!still) this.#loseAll('expired');
    return still;
  }

  /** With those that stand on it. */
  #loseAll(why: Exclude<LeaseEnd, 'released'>): void {
    if (this.depth > 0)
      for (const claim of this.owner?.claims ?? []) if (claim.outer === this) claim.#lose(why);
    this.#lose(why);
  }

  #lose(why: Exclude<LeaseEnd, 'released'>): void {
    if (!this.held) return;
    const data = { where: this.home.where, key: this.key, token: this.token, why };
    this.#loss = createError('ERR_LOCK_LOST', data, { stack: false });
    this.#end(why);
    this.#abort?.abort(this.#loss);
  }

  #end(how: LeaseEnd): void {
    if (!this.held) return;
    this.held = false;
    this.timer?.cancel();
    this.home.ended(this, how);
  }

  #turnAway(why: LockRefusal, error: unknown): void {
    this.#leaveLine();
    const { waiter } = this;
    this.waiter = undefined;
    this.home.refused(this, why);
    waiter?.refused(error);
  }

  #leaveLine(): void {
    this.timer?.cancel();
    this.timer = undefined;
    if (this.waitSource !== undefined) unlistenToAbort(this.waitSource, this);
    this.waitSource = undefined;
  }
}

/** A store that throws fails like one that rejects: it must not keep other leases of the owner from being freed. */
const releaseOf = (ticket: LockTicket | undefined): Awaitable<boolean> => {
  try {
    return ticket?.release() ?? false;
  } catch (error) {
    return Promise.reject(error);
  }
};

/** Nobody awaits it; a failure was told of where it happened. */
const quietly = (done: unknown): void => {
  if (isThenable(done)) Promise.resolve(done).catch(() => {});
};
