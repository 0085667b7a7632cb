/**
 * Which session is with which worker: what a pool's affinity remembers.
 *
 * Invariants: a session is with one worker at most; it is forgotten `ttlMs` after its last use, and the least recently used one when
 * there are too many, so that no number of sessions costs more than `limit` entries. Expiry costs O(1) a session. It routes nothing:
 * whether a session's worker is waited for is the desk's business.
 */
import type { SessionStats } from './sessions.ts';

/** What the table needs to know of a worker. */
export interface SessionWorker {
  readonly id: string;
}

interface Binding<W> {
  readonly session: string;
  /** `undefined`: its worker was lost, and it has not been used since. */
  worker: W | undefined;
  /** The one it was with, while it has none. */
  lostFrom: string | undefined;
  usedAt: number;
}

/** What the table tells. */
export interface SessionNews {
  rebound(session: string, from: string, to: string): void;
  forgotten(session: string, worker: string, why: 'expired' | 'evicted'): void;
}

export class SessionTable<W extends SessionWorker> {
  /** In the order of last use, the oldest first. */
  readonly #bindings = new Map<string, Binding<W>>();
  readonly #byWorker = new Map<W, Set<Binding<W>>>();
  readonly #settings: { readonly ttlMs: number; readonly limit: number };
  readonly #news: SessionNews;
  #hits = 0;
  #misses = 0;
  #expired = 0;
  #evicted = 0;
  #rebound = 0;

  constructor(settings: { readonly ttlMs: number; readonly limit: number }, news: SessionNews) {
    this.#settings = settings;
    this.#news = news;
  }

  get size(): number {
    return this.#bindings.size;
  }

  /** The worker that a session is with. Looking is no use: it does not prolong anything. */
  workerOf(session: string, now: number): W | undefined {
    if (this.#bindings.size === 0) return undefined;
    this.#expire(now);
    return this.#bindings.get(session)?.worker;
  }

  /** How many sessions are with a worker. */
  countOf(worker: W): number {
    return this.#byWorker.get(worker)?.size ?? 0;
  }

  /** The session is used on this worker: bound to it, if it was with none, and good for another `ttlMs`. */
  used(session: string, worker: W, now: number): void {
    this.#expire(now);
    const binding = this.#bindings.get(session);
    if (binding === undefined || binding.worker === undefined) {
      this.bind(session, worker, now);
      return;
    }
    if (binding.worker === worker) this.#hits += 1;
    else this.#misses += 1;
    this.#touch(binding, now);
  }

  /** It goes on being used. */
  touch(session: string, now: number): void {
    const binding = this.#bindings.get(session);
    if (binding !== undefined) this.#touch(binding, now);
  }

  /** Binds a session to a worker, whatever it was with before. */
  bind(session: string, worker: W, now: number): void {
    this.#expire(now);
    const before = this.#bindings.get(session);
    const from = before?.worker?.id ?? before?.lostFrom;
    if (before !== undefined) this.#remove(before);
    else if (this.#bindings.size >= this.#settings.limit) this.#evict();
    const binding: Binding<W> = { session, worker, lostFrom: undefined, usedAt: now };
    this.#bindings.set(session, binding);
    this.#setOf(worker).add(binding);
    if (from === undefined || from === worker.id) return;
    this.#rebound += 1;
    this.#news.rebound(session, from, worker.id);
  }

  /** Forgets a session; `false` where it is not known. */
  unbind(session: string): boolean {
    const binding = this.#bindings.get(session);
    if (binding !== undefined) this.#remove(binding);
    return binding !== undefined;
  }

  /** Forgets all that is with a worker; how many that were. */
  unbindAll(worker: W): number {
    const bindings = [...(this.#byWorker.get(worker) ?? [])];
    for (const binding of bindings) this.#remove(binding);
    return bindings.length;
  }

  clear(): number {
    const { size } = this.#bindings;
    this.#bindings.clear();
    this.#byWorker.clear();
    return size;
  }

  /** The worker is gone: its sessions are with nobody until they are used again, and then with another. */
  lost(worker: W): void {
    for (const binding of this.#byWorker.get(worker) ?? []) {
      binding.worker = undefined;
      binding.lostFrom = worker.id;
    }
    this.#byWorker.delete(worker);
  }

  stats(now: number): SessionStats {
    this.#expire(now);
    const perWorker: Record<string, number> = {};
    for (const [worker, bindings] of this.#byWorker) perWorker[worker.id] = bindings.size;
    return {
      total: this.#bindings.size,
      perWorker,
      hits: this.#hits,
      misses: this.#misses,
      rebound: this.#rebound,
      expired: this.#expired,
      evicted: this.#evicted,
    };
  }

  #touch(binding: Binding<W>, now: number): void {
    if (binding.usedAt === now) return;
    binding.usedAt = now;
    this.#bindings.delete(binding.session);
    this.#bindings.set(binding.session, binding);
  }

  /** Only the oldest can be over. */
  #expire(now: number): void {
    const { ttlMs } = this.#settings;
    for (const binding of this.#bindings.values()) {
      if (now - binding.usedAt < ttlMs) return;
      this.#remove(binding);
      this.#expired += 1;
      this.#tellForgotten(binding, 'expired');
    }
  }

  #evict(): void {
    const [oldest] = this.#bindings.values();
    if (oldest === undefined) return;
    this.#remove(oldest);
    this.#evicted += 1;
    this.#tellForgotten(oldest, 'evicted');
  }

  #tellForgotten({ session, worker, lostFrom }: Binding<W>, why: 'expired' | 'evicted'): void {
    this.#news.forgotten(session, worker?.id ?? lostFrom ?? '', why);
  }

  #remove(binding: Binding<W>): void {
    this.#bindings.delete(binding.session);
    const { worker } = binding;
    if (worker === undefined) return;
    const bindings = this.#byWorker.get(worker);
    bindings?.delete(binding);
    if (bindings?.size === 0) this.#byWorker.delete(worker);
  }

  #setOf(worker: W): Set<Binding<W>> {
    let bindings = this.#byWorker.get(worker);
    if (bindings === undefined) {
      bindings = new Set();
      this.#byWorker.set(worker, bindings);
    }
    return bindings;
  }
}
