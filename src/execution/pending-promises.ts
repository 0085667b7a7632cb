/**
 * What is awaited of sessions, by id: executions (`exec:<execution>`), their input (`exec:<execution>:input:<request>`) and what they
 * ask of providers (`exec:<execution>:request:<request>`).
 *
 * Invariants: an entry is there before what it waits for is asked, settles once, and is released on every path, with its timer; a second
 * settlement and one of an unknown id do nothing and say so.
 */
import type { Host, Timer } from '../base/host.ts';

/** How an entry is kept. */
export interface PendingOptions<T> {
  /** How long it is waited for, ms. `Infinity`: somebody else watches the time. */
  readonly timeoutMs: number;
  /** What it comes to then: a value, or what it throws. */
  readonly expired: () => T;
}

interface Entry {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly timer: Timer | undefined;
}

/** For people. */
export interface PendingReport {
  readonly pending: number;
  /** The most there ever were at once. */
  readonly highWater: number;
  readonly settled: number;
  /** Settlements of what was not, or no longer, awaited. */
  readonly unmatched: number;
}

export class PendingPromises {
  readonly #host: Host;
  readonly #entries = new Map<string, Entry>();
  #highWater = 0;
  #settled = 0;
  #unmatched = 0;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Awaits something under an id that is free. */
  open<T>(id: string, { timeoutMs, expired }: PendingOptions<T>): Promise<T> {
    const promise = new Promise<T>((resolve, reject) => {
      const timer =
        timeoutMs === Number.POSITIVE_INFINITY
          ? undefined
          : this.#host.timer(timeoutMs, 'pending promise', () => this.#expire(id, expired));
      this.#entries.set(id, { resolve: resolve as Entry['resolve'], reject, timer });
    });
    this.#highWater = Math.max(this.#highWater, this.#entries.size);
    return promise;
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  /** `false`: nobody awaits it. */
  resolve(id: string, value: unknown): boolean {
    const entry = this.#take(id);
    entry?.resolve(value);
    return entry !== undefined;
  }

  /** `false`: nobody awaits it. */
  reject(id: string, error: unknown): boolean {
    const entry = this.#take(id);
    entry?.reject(error);
    return entry !== undefined;
  }

  inspect(): PendingReport {
    const { size: pending } = this.#entries;
    return {
      pending,
      highWater: this.#highWater,
      settled: this.#settled,
      unmatched: this.#unmatched,
    };
  }

  #take(id: string): Entry | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) {
      this.#unmatched += 1;
      return undefined;
    }
    this.#entries.delete(id);
    this.#settled += 1;
    entry.timer?.cancel();
    return entry;
  }

  #expire(id: string, expired: () => unknown): void {
    try {
      this.resolve(id, expired());
    } catch (error) {
      this.reject(id, error);
    }
  }
}
