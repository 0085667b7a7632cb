/** A bounded journal whose entries are numbered through its whole life: the oldest is forgotten for one more. */
export class Ring<T extends { readonly n: number }> {
  readonly #kept: T[] = [];
  readonly #size: number;
  #next: number;

  /** `first`: the number of its first entry, for one that goes on from another. */
  constructor(size: number, first = 0) {
    this.#size = size;
    this.#next = first;
    this.forgotten = first;
  }

  /** Entries that are gone: numbers below this. */
  forgotten: number;

  /** The number of the next entry. */
  get next(): number {
    return this.#next;
  }

  add(make: (n: number) => T): T {
    const entry = make(this.#next);
    this.#kept[this.#next % this.#size] = entry;
    this.#next += 1;
    this.forgotten = Math.max(this.forgotten, this.#next - this.#size);
    return entry;
  }

  /** The entries from number `from` on, as far as they are kept, oldest first; at most `most`. */
  from(from: number, most = this.#size): readonly T[] {
    const entries: T[] = [];
    for (let n = Math.max(from, this.forgotten); n < this.#next && entries.length < most; n++) {
      const entry = this.#kept[n % this.#size];
      if (entry !== undefined) entries.push(entry);
    }
    return entries;
  }

  last(): T | undefined {
    return this.#next === this.forgotten ? undefined : this.#kept[(this.#next - 1) % this.#size];
  }
}
