/**
 * The line before a pool: first come, first served, and whoever gives up leaves it in O(1) from any place.
 *
 * Invariant: what stands in the line is linked in it exactly once, so that a thousand aborted jobs leave nothing behind. It does
 * not bound itself: its owner refuses what is too much.
 */

/** Something that can stand in one line at a time. */
export interface Waiting<T> {
  next: T | undefined;
  previous: T | undefined;
  inLine: boolean;
}

export class WaitQueue<T extends Waiting<T>> {
  size = 0;
  #first: T | undefined;
  #last: T | undefined;

  /** Whose turn is next. */
  get first(): T | undefined {
    return this.#first;
  }

  /** Whose turn is last. */
  get last(): T | undefined {
    return this.#last;
  }

  push(item: T): void {
    item.inLine = true;
    item.previous = this.#last;
    if (this.#last === undefined) this.#first = item;
    else this.#last.next = item;
    this.#last = item;
    this.size += 1;
  }

  /** Puts it before all others: it has waited its turn once already. */
  unshift(item: T): void {
    item.inLine = true;
    item.next = this.#first;
    if (this.#first === undefined) this.#last = item;
    else this.#first.previous = item;
    this.#first = item;
    this.size += 1;
  }

  shift(): T | undefined {
    const item = this.#first;
    if (item !== undefined) this.remove(item);
    return item;
  }

  /** Takes it out wherever it stands; does nothing when it does not stand here. */
  remove(item: T): void {
    if (!item.inLine) return;
    if (item.previous === undefined) this.#first = item.next;
    else item.previous.next = item.next;
    if (item.next === undefined) this.#last = item.previous;
    else item.next.previous = item.previous;
    item.next = undefined;
    item.previous = undefined;
    item.inLine = false;
    this.size -= 1;
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (let item = this.#first; item !== undefined; item = item.next) yield item;
  }
}
