/**
 * Everybody who waits before a pool: in the common line for any worker, or in the line of one worker that alone will do.
 *
 * Invariant: each stands in one line, once, and leaves it in O(1); of those whom a worker could serve, the one whose turn it is by
 * priority and age goes first, whichever line he stands in. Who may wait, and for whom, is the desk's decision.
 */
import { FairLine, type Queued } from './fair-line.ts';

/** Something that waits for a worker, or for one particular worker `W`. */
export interface Standing<T, W> extends Queued<T> {
  /** The worker in whose line it stands; `undefined`: the common one. */
  standsFor: W | undefined;
}

export class WaitingLines<W, T extends Standing<T, W>> {
  /** In all lines. */
  size = 0;
  readonly common: FairLine<T>;
  readonly #own = new Map<W, FairLine<T>>();
  readonly #agingMs: number;

  constructor(agingMs: number) {
    this.#agingMs = agingMs;
    this.common = new FairLine<T>(agingMs);
  }

  /** Whether anybody waits for that worker alone. */
  hasOwn(worker: W): boolean {
    return this.#own.size > 0 && this.#own.has(worker);
  }

  push(item: T, worker?: W): void {
    item.standsFor = worker;
    this.#lineOf(worker).push(item);
    this.size += 1;
  }

  unshift(item: T): void {
    item.standsFor = undefined;
    this.common.unshift(item);
    this.size += 1;
  }

  /** Takes whoever that worker is to serve next. */
  nextFor(worker: W): T | undefined {
    const { common } = this;
    const own = this.#own.size === 0 ? undefined : this.#own.get(worker);
    const first = common.first;
    const ownFirst = own?.first;
    if (own === undefined || ownFirst === undefined) return this.#take(common, first);
    if (first !== undefined && common.precedes(first, ownFirst)) return this.#take(common, first);
    return this.#take(own, ownFirst);
  }

  /** Takes it out wherever it stands; does nothing when it stands nowhere. */
  remove(item: T): void {
    if (!item.inLine) return;
    const line = this.#lineOf(item.standsFor);
    line.remove(item);
    this.size -= 1;
    this.#leave(line, item);
  }

  /** Takes anybody at all, the common line first. */
  shift(): T | undefined {
    const { common } = this;
    if (common.size > 0) return this.#take(common, common.first);
    const [line] = this.#own.values();
    return line === undefined ? undefined : this.#take(line, line.first);
  }

  /** Takes all who wait for that worker alone, in their order. */
  takeOwn(worker: W): readonly T[] {
    const taken: T[] = [];
    for (let line = this.#own.get(worker); line !== undefined; line = this.#own.get(worker))
      taken.push(this.#take(line, line.first) as T);
    return taken;
  }

  /** Takes the one of the common line that matters least. */
  takeLeast(): T | undefined {
    const { least } = this.common;
    if (least !== undefined) this.remove(least);
    return least;
  }

  #take(line: FairLine<T>, item: T | undefined): T | undefined {
    if (item === undefined) return undefined;
    line.take(item);
    this.size -= 1;
    this.#leave(line, item);
    return item;
  }

  #lineOf(worker: W | undefined): FairLine<T> {
    if (worker === undefined) return this.common;
    let line = this.#own.get(worker);
    if (line === undefined) {
      line = new FairLine(this.#agingMs);
      this.#own.set(worker, line);
    }
    return line;
  }

  #leave(line: FairLine<T>, item: T): void {
    const worker = item.standsFor;
    item.standsFor = undefined;
    if (worker !== undefined && line.size === 0) this.#own.delete(worker);
  }
}
