/**
 * The jobs under way on one worker, by number.
 *
 * Invariant: one job at a time is the rule, and has its place beside the table: a `Map` that one entry after another goes through makes
 * a new table every few entries. It knows nothing of what jobs are.
 */

/** Whatever has a number of its own among those under way. */
export interface Numbered {
  readonly id: number;
}

export class JobTable<J extends Numbered> {
  #only: J | undefined = undefined;
  readonly #others = new Map<number, J>();

  get size(): number {
    return this.#others.size + (this.#only === undefined ? 0 : 1);
  }

  get(id: number): J | undefined {
    if (this.#only?.id === id) return this.#only;
    return this.#others.size === 0 ? undefined : this.#others.get(id);
  }

  /** Its number must not be taken. */
  add(job: J): void {
    if (this.#only === undefined) this.#only = job;
    else this.#others.set(job.id, job);
  }

  /** Whether it was there. */
  delete(id: number): boolean {
    if (this.#only?.id !== id) return this.#others.size > 0 && this.#others.delete(id);
    this.#only = undefined;
    return true;
  }

  /** All of them, by number. */
  list(): readonly J[] {
    const all = this.#only === undefined ? [] : [this.#only];
    return [...all, ...this.#others.values()].sort((a, b) => a.id - b.id);
  }
}
