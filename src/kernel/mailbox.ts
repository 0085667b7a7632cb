/**
 * The mail lane of one actor: FIFO, with a capacity that counts tells and calls only. What the kernel and the actor
 * itself put there (DOWN, EXIT, timers, runs) is exempt and never refused. The control lane is the cell's.
 *
 * Invariant: `counted` is the number of tells and calls in the queue, and never exceeds the capacity. A call that its
 * caller gave up keeps its place, and its share of the memory that the capacity bounds, until its turn.
 */
import { Deque } from '../base/deque.ts';
import { CALL, type Mail, TELL } from './mail.ts';
import type { Overflow } from './spec.ts';

const isCounted = (mail: Mail): boolean => mail.kind === TELL || mail.kind === CALL;

export class Mailbox {
  readonly #queue = new Deque<Mail>();
  /** What goes before everything else, in the order of asking; most actors have none. */
  #first: Deque<Mail> | undefined = undefined;
  #counted = 0;

  get size(): number {
    return this.#first === undefined ? this.#queue.size : this.#first.size + this.#queue.size;
  }

  /** Tells and calls waiting. */
  get counted(): number {
    return this.#counted;
  }

  /**
   * Puts counted mail at the end. Returns what had to go for want of room: the newcomer itself, the oldest counted
   * mail, or nothing.
   */
  offer(mail: Mail, capacity: number, overflow: Overflow): Mail | undefined {
    if (this.#counted < capacity) {
      this.#counted += 1;
      this.#queue.push(mail);
      return undefined;
    }
    if (overflow !== 'drop_oldest') return mail;
    const evicted = this.#takeOldestCounted();
    this.#counted += 1;
    this.#queue.push(mail);
    return evicted;
  }

  /** Puts exempt mail at the end. */
  push(mail: Mail): void {
    this.#queue.push(mail);
  }

  /** Puts exempt mail before all else that waits, behind what was put there before it (OTP's continue). */
  pushFirst(mail: Mail): void {
    this.#first ??= new Deque();
    this.#first.push(mail);
  }

  shift(): Mail | undefined {
    const mail = this.#first?.shift() ?? this.#queue.shift();
    if (mail !== undefined && isCounted(mail)) this.#counted -= 1;
    return mail;
  }

  /** What comes next, at most `count`, left where it is; for people. */
  first(count: number): readonly Mail[] {
    const mails: Mail[] = [];
    for (const queue of this.#first === undefined ? [this.#queue] : [this.#first, this.#queue]) {
      for (let i = 0; i < queue.size && mails.length < count; i++) {
        const mail = queue.at(i);
        if (mail !== undefined) mails.push(mail);
      }
    }
    return mails;
  }

  /** Takes out what a predicate names, keeping the order of the rest. */
  remove(matches: (mail: Mail) => boolean): void {
    for (let i = this.#queue.size - 1; i >= 0; i--) {
      const mail = this.#queue.at(i);
      if (mail === undefined || !matches(mail)) continue;
      this.#queue.removeAt(i);
      if (isCounted(mail)) this.#counted -= 1;
    }
  }

  #takeOldestCounted(): Mail | undefined {
    for (let i = 0; i < this.#queue.size; i++) {
      const mail = this.#queue.at(i);
      if (mail !== undefined && isCounted(mail)) {
        this.#counted -= 1;
        return this.#queue.removeAt(i);
      }
    }
    return undefined;
  }
}
