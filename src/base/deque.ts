/** A double-ended queue on a ring that doubles when full and gives memory back when it has run empty. */

const SMALLEST = 8;

/** O(1) at both ends. `undefined` is not a value: it is what an empty deque gives. */
export class Deque<T> {
  #ring: (T | undefined)[] = new Array(SMALLEST);
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(value: T): void {
    if (this.#size === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#size) & (this.#ring.length - 1)] = value;
    this.#size += 1;
  }

  unshift(value: T): void {
    if (this.#size === this.#ring.length) this.#grow();
    this.#head = (this.#head - 1) & (this.#ring.length - 1);
    this.#ring[this.#head] = value;
    this.#size += 1;
  }

  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const value = this.#ring[this.#head];
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#size -= 1;
    if (this.#size === 0 && this.#ring.length > 1_024) this.clear();
    return value;
  }

  at(index: number): T | undefined {
    return index < 0 || index >= this.#size
      ? undefined
      : this.#ring[(this.#head + index) & (this.#ring.length - 1)];
  }

  /** Takes out the element at an index, keeping the order of the others; O(n). */
  removeAt(index: number): T | undefined {
    if (index === 0) return this.shift();
    const removed = this.at(index);
    if (removed === undefined) return undefined;
    const mask = this.#ring.length - 1;
    for (let i = index; i < this.#size - 1; i++) {
      this.#ring[(this.#head + i) & mask] = this.#ring[(this.#head + i + 1) & mask];
    }
    this.#size -= 1;
    this.#ring[(this.#head + this.#size) & mask] = undefined;
    return removed;
  }

  clear(): void {
    this.#ring = new Array(SMALLEST);
    this.#head = 0;
    this.#size = 0;
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (let i = 0; i < this.#size; i++) yield this.at(i) as T;
  }

  #grow(): void {
    const old = this.#ring;
    const next: (T | undefined)[] = new Array(old.length * 2);
    for (let i = 0; i < this.#size; i++) next[i] = old[(this.#head + i) & (old.length - 1)];
    this.#ring = next;
    this.#head = 0;
  }
}
