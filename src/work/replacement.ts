/**
 * All workers of a pool are replaced while it works: by new code, or by the same afresh.
 *
 * Invariants: no job is dropped and no lease taken away, for a worker goes only when nobody has it; no more than `atOnce` places are
 * without a worker that takes jobs; where the first of the new kind cannot start, the old kind is back in use and no more go. It
 * starts and ends nobody itself. It settles once.
 */
import type { TroupeError } from '../base/errors.ts';
import type { PoolWorker } from './pool-worker.ts';

/** What is replaced. */
export interface Replaced {
  readonly workers: readonly PoolWorker[];
  readonly wanted: number;
  /** Those that are there and stay. */
  readonly present: number;
}

export class Replacement {
  readonly promise: Promise<void>;
  /** Workers of an earlier one are to go. */
  readonly generation: number;
  readonly #replaced: Replaced;
  readonly #atOnce: number;
  #resolve!: () => void;
  #reject!: (error: unknown) => void;
  #over = false;
  /** Those that have gone for it. */
  count = 0;

  constructor(replaced: Replaced, generation: number, atOnce: number) {
    this.generation = generation;
    this.#replaced = replaced;
    this.#atOnce = atOnce;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever started it is told; that nobody listens any more is no error of its own.
    this.promise.catch(() => undefined);
  }

  /** Whether a worker that comes free goes for it. */
  takes(worker: PoolWorker): boolean {
    return !this.#over && this.#isOld(worker) && this.#missing < this.#atOnce;
  }

  /** Lets those go that nobody has; `true`: it is done. */
  step(): boolean {
    if (this.#over) return true;
    for (const worker of this.#replaced.workers) {
      if (this.#missing >= this.#atOnce) break;
      if (this.#isOld(worker) && !worker.taken && !worker.over) worker.retire('replaced');
    }
    if (this.#missing > 0 || this.#replaced.workers.some((worker) => this.#isOld(worker))) return false;
    this.#over = true;
    this.#resolve();
    return true;
  }

  fail(error: TroupeError): void {
    if (this.#over) return;
    this.#over = true;
    this.#reject(error);
  }

  /** Places without a worker that stays and takes jobs. */
  get #missing(): number {
    return this.#replaced.wanted - this.#replaced.present;
  }

  #isOld({ generation }: PoolWorker): boolean {
    return generation < this.generation;
  }
}
