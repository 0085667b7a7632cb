/**
 * Those who wait until a pool has so many workers that take jobs.
 *
 * Invariant: each is told once: when they are there, when his time is over, or when the pool takes no more jobs; then he holds no timer.
 */
import { createError, plainText, type TroupeError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';

interface Waiter {
  readonly count: number;
  readonly resolve: () => void;
  readonly reject: (error: TroupeError) => void;
  timer: Timer | undefined;
}

export class ReadyWait {
  readonly #host: Host;
  readonly #path: string;
  readonly #count: () => number;
  readonly #waiters = new Set<Waiter>();

  /** `count`: how many there are now. */
  constructor(host: Host, path: string, count: () => number) {
    this.#host = host;
    this.#path = path;
    this.#count = count;
  }

  until(count: number, untilMs: number, lastCrash: () => TroupeError | undefined): Promise<void> {
    if (this.#count() >= count) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { count, resolve, reject, timer: undefined };
      this.#waiters.add(waiter);
      const timeoutMs = Math.max(0, untilMs - this.#host.monotonic());
      if (timeoutMs === Number.POSITIVE_INFINITY) return;
      waiter.timer = this.#host.timer(timeoutMs, 'pool ready', () => {
        this.#waiters.delete(waiter);
        const crash = lastCrash();
        const why = crash === undefined ? '' : `; the last crash: ${plainText(crash)}`;
        const there = this.#count();
        const data = { pool: this.#path, wanted: count, there, timeoutMs: Math.round(timeoutMs), why };
        reject(createError('ERR_POOL_NOT_READY', data, { cause: crash, stack: false }));
      });
    });
  }

  /** There may be more than before. */
  look(): void {
    if (this.#waiters.size === 0) return;
    const there = this.#count();
    for (const waiter of this.#waiters) {
      if (there < waiter.count) continue;
      this.#forget(waiter);
      waiter.resolve();
    }
  }

  /** There will not be more. */
  give(error: TroupeError): void {
    for (const waiter of this.#waiters) {
      this.#forget(waiter);
      waiter.reject(error);
    }
  }

  #forget(waiter: Waiter): void {
    waiter.timer?.cancel();
    this.#waiters.delete(waiter);
  }
}
