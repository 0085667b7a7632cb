/**
 * The line before some workers: by priority, within a priority by turns of keys, within a key first come, first served.
 *
 * Invariants: everything is O(1) in the number that wait, also leaving from the midst; who waits grows more urgent, by one priority
 * for each `agingMs`, so that nobody starves. Ageing is at the same pace for all, so the order of two never changes: it is that of
 * the instants at which they came, each put off by what its priority costs. It does not bound itself.
 */
import type { Priority } from '../resilience/load-shedding.ts';
import { type Waiting, WaitQueue } from './wait-queue.ts';

/** From what goes first to what goes last, as indices. */
export const LEVELS: Readonly<Record<Priority, number>> = Object.freeze({
  critical: 0,
  high: 1,
  normal: 2,
  low: 3,
});
const LEVEL_COUNT = 4;

/** Something that can stand in a fair line. */
export interface Queued<T> extends Waiting<T> {
  /** One of {@link LEVELS}. */
  readonly level: number;
  /** Whom it is for. */
  readonly key: string | undefined;
  /** When it was let in, ms. */
  readonly since: number;
  /** Its number in the order of being let in: of two at one instant the lower goes first. */
  readonly order: number;
}

/** Those of one key, within one priority. */
class KeyLine<T extends Queued<T>> extends WaitQueue<T> implements Waiting<KeyLine<T>> {
  next: KeyLine<T> | undefined = undefined;
  previous: KeyLine<T> | undefined = undefined;
  inLine = false;
  readonly key: string | undefined;

  constructor(key: string | undefined) {
    super();
    this.key = key;
  }
}

/** Those of one priority. */
class Level<T extends Queued<T>> {
  /** Keys that have somebody waiting, in the order of their turns. */
  readonly turns = new WaitQueue<KeyLine<T>>();
  /** Those without a key: mostly all, and so spared the map. */
  readonly #plain = new KeyLine<T>(undefined);
  readonly #keyed = new Map<string, KeyLine<T>>();

  get first(): T | undefined {
    return this.turns.first?.first;
  }

  lineOf(key: string | undefined): KeyLine<T> {
    if (key === undefined) return this.#plain;
    let line = this.#keyed.get(key);
    if (line === undefined) {
      line = new KeyLine(key);
      this.#keyed.set(key, line);
    }
    return line;
  }

  /** Whoever nobody waits for loses its turn, and is forgotten. */
  left(line: KeyLine<T>): void {
    if (line.size > 0) return;
    this.turns.remove(line);
    if (line.key !== undefined) this.#keyed.delete(line.key);
  }
}

export class FairLine<T extends Queued<T>> {
  size = 0;
  readonly #levels: readonly Level<T>[] = Array.from({ length: LEVEL_COUNT }, () => new Level<T>());
  /** By how much each priority is put off, ms. */
  readonly #delays: readonly number[];

  constructor(agingMs: number) {
    this.#delays = Array.from({ length: LEVEL_COUNT }, (_, level) => (level === 0 ? 0 : level * agingMs));
  }

  /** Whose turn is next. */
  get first(): T | undefined {
    let best: T | undefined;
    for (let level = 0; level < LEVEL_COUNT; level++) {
      const { first } = this.#levels[level] as Level<T>;
      if (first !== undefined && (best === undefined || this.precedes(first, best))) best = first;
    }
    return best;
  }

  /** The one that matters least: of the lowest priority, whose turn is next there. */
  get least(): T | undefined {
    for (let level = LEVEL_COUNT - 1; level >= 0; level--) {
      const { first } = this.#levels[level] as Level<T>;
      if (first !== undefined) return first;
    }
    return undefined;
  }

  /** Whether `a` goes before `b`; also of two lines with the same ageing. */
  precedes(a: T, b: T): boolean {
    if (a.level === b.level) return a.since === b.since ? a.order < b.order : a.since < b.since;
    const [at, bt] = [a.since + this.#delay(a), b.since + this.#delay(b)];
    return at === bt ? a.level < b.level : at < bt;
  }

  push(item: T): void {
    const level = this.#levels[item.level] as Level<T>;
    const line = level.lineOf(item.key);
    line.push(item);
    if (!line.inLine) level.turns.push(line);
    this.size += 1;
  }

  /** Puts it before all others of its priority: it has waited its turn once already. */
  unshift(item: T): void {
    const level = this.#levels[item.level] as Level<T>;
    const line = level.lineOf(item.key);
    line.unshift(item);
    level.turns.remove(line);
    level.turns.unshift(line);
    this.size += 1;
  }

  /** Takes whose turn is next: the key's next turn is after those of all other keys. */
  shift(): T | undefined {
    const item = this.first;
    if (item !== undefined) this.take(item);
    return item;
  }

  /** Takes one as its turn. */
  take(item: T): void {
    const level = this.#levels[item.level] as Level<T>;
    const line = level.lineOf(item.key);
    this.remove(item);
    if (line.size === 0 || level.turns.size === 1) return;
    level.turns.remove(line);
    level.turns.push(line);
  }

  /** Takes it out wherever it stands, which is nobody's turn; it must stand here. */
  remove(item: T): void {
    const level = this.#levels[item.level] as Level<T>;
    const line = level.lineOf(item.key);
    line.remove(item);
    level.left(line);
    this.size -= 1;
  }

  #delay(item: T): number {
    return this.#delays[item.level] as number;
  }
}
