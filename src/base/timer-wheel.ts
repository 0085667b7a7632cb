/**
 * Every timer of a host, on one hierarchical wheel of 1 ms ticks, driven from outside: it reads no clock.
 *
 * Five levels of 64 slots; a timer lies on the level of the highest 6-bit digit in which its tick differs from the
 * wheel's own, so its place depends on those two numbers alone. Hence the invariant: timers of equal instants
 * always lie in one list, in the order of setting, also after cascades. Setting and cancelling take constant time.
 *
 * It deliberately does not catch what a timer throws, and does not decide when to advance: its host does both.
 */
import type { Timer } from './host.ts';

const DIGIT_BITS = 6;
const SLOTS_PER_LEVEL = 1 << DIGIT_BITS;
const LEVELS = 5;
/** Ticks that one turn of the whole wheel covers: 12.4 days. What is due in a later turn waits aside. */
const TURN = 2 ** (DIGIT_BITS * LEVELS);
/** Ticks from here on are never: numbers would stop being whole (285,000 years). */
const NEVER = Number.MAX_SAFE_INTEGER;

/** The lists beside the slots: due in a later turn, and two that take turns for what is due at once. */
const LATER_TURNS = LEVELS * SLOTS_PER_LEVEL;
const AT_ONCE = LATER_TURNS + 1;
const LISTS = LATER_TURNS + 3;
const NOWHERE = -1;

/** A timer on a wheel. `list`, `next` and `previous` belong to the wheel. */
export class WheelTimer implements Timer {
  readonly dueMs: number;
  readonly label: string;
  readonly run: () => void;
  /** Whether the timer wants the OS process kept alive for it. */
  readonly held: boolean;
  readonly #wheel: TimerWheel;
  list = NOWHERE;
  next: WheelTimer | undefined = undefined;
  previous: WheelTimer | undefined = undefined;

  constructor(wheel: TimerWheel, dueMs: number, spec: WheelTimerSpec) {
    this.#wheel = wheel;
    this.dueMs = dueMs;
    this.label = spec.label;
    this.run = spec.run;
    this.held = spec.held;
  }

  /** Whether it still waits: neither cancelled nor fired, nor set for `Infinity`. */
  get pending(): boolean {
    return this.list !== NOWHERE;
  }

  cancel(): void {
    this.#wheel.cancel(this);
  }
}

/** What a timer is for. */
export interface WheelTimerSpec {
  readonly label: string;
  readonly run: () => void;
  readonly held: boolean;
}

export class TimerWheel {
  readonly #heads: (WheelTimer | undefined)[] = new Array(LISTS).fill(undefined);
  readonly #tails: (WheelTimer | undefined)[] = new Array(LISTS).fill(undefined);
  /** One bit a slot, lowest level first: the first bit set is the earliest slot. */
  readonly #occupied = new Int32Array((LEVELS * SLOTS_PER_LEVEL) / 32);
  readonly #onHeld: ((held: boolean) => void) | undefined;
  /** The tick reached. `#turnStart + #low`, kept apart because bit operations end at 32 bits. */
  #elapsed: number;
  #turnStart: number;
  #low: number;
  /** Not later than the start of the turn of the earliest timer in `LATER_TURNS`. */
  #laterTurnsFrom = NEVER;
  #atOnce = AT_ONCE;
  #size = 0;
  #heldCount = 0;
  #advancing = false;

  /**
   * `startMs`: the instant at which it stands. `onHeld` is told whenever the first timer that keeps the process
   * alive is set, and the last one gone.
   */
  constructor(startMs = 0, onHeld?: (held: boolean) => void) {
    this.#elapsed = Math.floor(startMs);
    this.#turnStart = Math.floor(this.#elapsed / TURN) * TURN;
    this.#low = this.#elapsed - this.#turnStart;
    this.#onHeld = onHeld;
  }

  /** How many timers wait. */
  get size(): number {
    return this.#size;
  }

  /** Whether a waiting timer wants the process kept alive. */
  get held(): boolean {
    return this.#heldCount > 0;
  }

  /**
   * Sets a timer for an instant, rounded up to a whole tick so that it never fires early. An instant not after the
   * tick reached means the next call of {@link advanceTo}, never the one under way; `Infinity` means never.
   */
  add(dueMs: number, spec: WheelTimerSpec): WheelTimer {
    const due = Math.ceil(dueMs);
    const timer = new WheelTimer(this, due, spec);
    if (due >= NEVER) return timer;
    if (due > this.#elapsed) this.#place(timer);
    else this.#append(timer, this.#atOnce);
    this.#size += 1;
    if (spec.held) {
      this.#heldCount += 1;
      if (this.#heldCount === 1) this.#onHeld?.(true);
    }
    return timer;
  }

  /** Takes a timer off the wheel; does nothing for one that has fired or been cancelled. */
  cancel(timer: WheelTimer): void {
    if (timer.list === NOWHERE) return;
    this.#detach(timer);
    this.#forget(timer);
  }

  /**
   * When to call {@link advanceTo} next: never later than the earliest timer is due, but maybe earlier, since a far
   * timer comes closer in a few leaps. `Infinity` when none waits.
   */
  nextDueMs(): number {
    return this.#hasAtOnce() ? this.#elapsed : this.#nextStop();
  }

  /** The instant of the earliest timer; `Infinity` when none waits. Reads one whole list: for rare questions. */
  earliestDueMs(): number {
    if (this.#hasAtOnce()) return this.#elapsed;
    const slot = this.#firstSlot();
    let earliest = Number.POSITIVE_INFINITY;
    let timer = this.#heads[slot === NOWHERE ? LATER_TURNS : slot];
    for (; timer !== undefined; timer = timer.next) earliest = Math.min(earliest, timer.dueMs);
    return earliest;
  }

  /**
   * Moves to `nowMs` and fires what has become due, earliest first, equal instants in the order of setting. What a
   * firing timer sets for a later instant up to `nowMs` fires too; for an instant reached already, in the next call:
   * so a call always ends. A timer cancelled by an earlier one does not fire. A call from within a call does nothing.
   *
   * @returns how many fired
   */
  advanceTo(nowMs: number, fire: (timer: WheelTimer) => void): number {
    if (this.#advancing) return 0;
    const target = Math.min(Math.floor(nowMs), NEVER);
    this.#advancing = true;
    try {
      let fired = this.#fireAll(this.#takeAtOnce(), fire);
      for (let next = this.#nextStop(); next <= target; next = this.#nextStop()) {
        this.#moveTo(next);
        const slot = this.#firstSlot();
        if (slot === NOWHERE || this.#startOf(slot) > next) continue;
        if (slot < SLOTS_PER_LEVEL) fired += this.#fireAll(slot, fire);
        else this.#replaceAll(slot);
      }
      if (target > this.#elapsed) this.#moveTo(target);
      return fired;
    } finally {
      this.#advancing = false;
    }
  }

  /** The waiting timers, in no particular order except that equal instants come in the order of setting. */
  *[Symbol.iterator](): IterableIterator<WheelTimer> {
    for (let list = 0; list < LISTS; list++) {
      for (let timer = this.#heads[list]; timer !== undefined; timer = timer.next) yield timer;
    }
  }

  #hasAtOnce(): boolean {
    return this.#heads[AT_ONCE] !== undefined || this.#heads[AT_ONCE + 1] !== undefined;
  }

  /** What is due at once now; what is added meanwhile goes to the other list. */
  #takeAtOnce(): number {
    const taken = this.#atOnce;
    const other = taken === AT_ONCE ? AT_ONCE + 1 : AT_ONCE;
    // Only left over where a timer threw; it goes first.
    if (this.#heads[other] !== undefined) return other;
    this.#atOnce = other;
    return taken;
  }

  #fireAll(list: number, fire: (timer: WheelTimer) => void): number {
    let fired = 0;
    for (let timer = this.#heads[list]; timer !== undefined; timer = this.#heads[list]) {
      this.#detach(timer);
      this.#forget(timer);
      fired += 1;
      fire(timer);
    }
    return fired;
  }

  #replaceAll(list: number): void {
    let timer = this.#heads[list];
    this.#heads[list] = undefined;
    this.#tails[list] = undefined;
    this.#markEmpty(list);
    while (timer !== undefined) {
      const next: WheelTimer | undefined = timer.next;
      this.#place(timer);
      timer = next;
    }
  }

  /** The start of the earliest slot in use, or the turn in which the earliest of the others is due. */
  #nextStop(): number {
    const slot = this.#firstSlot();
    if (slot !== NOWHERE) return this.#startOf(slot);
    return this.#heads[LATER_TURNS] === undefined ? Number.POSITIVE_INFINITY : this.#laterTurnsFrom;
  }

  #moveTo(tick: number): void {
    this.#elapsed = tick;
    this.#low = tick - this.#turnStart;
    if (this.#low < TURN) return;
    this.#turnStart = Math.floor(tick / TURN) * TURN;
    this.#low = tick - this.#turnStart;
    this.#laterTurnsFrom = NEVER;
    this.#replaceAll(LATER_TURNS);
  }

  #place(timer: WheelTimer): void {
    const low = timer.dueMs - this.#turnStart;
    if (low >= TURN) {
      const turn = Math.floor(timer.dueMs / TURN) * TURN;
      if (turn < this.#laterTurnsFrom) this.#laterTurnsFrom = turn;
      this.#append(timer, LATER_TURNS);
      return;
    }
    const differing = low ^ this.#low;
    const level = differing < SLOTS_PER_LEVEL ? 0 : Math.trunc((31 - Math.clz32(differing)) / DIGIT_BITS);
    const slot = level * SLOTS_PER_LEVEL + ((low >> (level * DIGIT_BITS)) & (SLOTS_PER_LEVEL - 1));
    this.#append(timer, slot);
    this.#occupied[slot >> 5] = (this.#occupied[slot >> 5] as number) | (1 << (slot & 31));
  }

  #append(timer: WheelTimer, list: number): void {
    const tail = this.#tails[list];
    timer.list = list;
    timer.previous = tail;
    timer.next = undefined;
    if (tail === undefined) this.#heads[list] = timer;
    else tail.next = timer;
    this.#tails[list] = timer;
  }

  #detach(timer: WheelTimer): void {
    const { list, next, previous } = timer;
    if (previous === undefined) this.#heads[list] = next;
    else previous.next = next;
    if (next === undefined) this.#tails[list] = previous;
    else next.previous = previous;
    if (this.#heads[list] === undefined) this.#markEmpty(list);
    timer.list = NOWHERE;
    timer.next = undefined;
    timer.previous = undefined;
  }

  #forget(timer: WheelTimer): void {
    this.#size -= 1;
    if (!timer.held) return;
    this.#heldCount -= 1;
    if (this.#heldCount === 0) this.#onHeld?.(false);
  }

  #markEmpty(list: number): void {
    if (list < LATER_TURNS)
      this.#occupied[list >> 5] = (this.#occupied[list >> 5] as number) & ~(1 << (list & 31));
  }

  #firstSlot(): number {
    for (let word = 0; word < this.#occupied.length; word++) {
      const bits = this.#occupied[word] as number;
      if (bits !== 0) return word * 32 + (31 - Math.clz32(bits & -bits));
    }
    return NOWHERE;
  }

  #startOf(slot: number): number {
    const shift = Math.trunc(slot / SLOTS_PER_LEVEL) * DIGIT_BITS;
    const above = shift + DIGIT_BITS;
    const digit = slot & (SLOTS_PER_LEVEL - 1);
    return this.#turnStart + ((this.#low >> above) << above) + (digit << shift);
  }
}
