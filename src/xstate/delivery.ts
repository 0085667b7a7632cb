/**
 * The order in which the actors inside one logic hear from each other: XState's own, depth first, without its recursion.
 *
 * In XState a sender runs its receiver: whatever the receiver sends is heard before the sender's next letter, and mail to
 * an actor that is still at work waits for it. Here the same order is kept on a stack of frames, so that the length of a
 * chain costs memory, not stack, and a run can pause.
 *
 * Invariant: at most one letter is being handled; an actor with a frame is busy, and its mail waits in that frame. It
 * knows nothing of XState: what a letter means is its owner's business.
 */

/** The receiver's side: where its frame hangs while it is busy. */
export interface Mailable<L> {
  frame: Frame<L> | undefined;
}

/** An actor at work: what it has sent and nobody has heard yet, and the mail that waits until it is done. */
class Frame<L> {
  receiver: Mailable<L> | undefined;
  sent: L[] = [];
  nextSent = 0;
  mail: L[] = [];
  nextMail = 0;

  constructor(receiver: Mailable<L> | undefined) {
    this.receiver = receiver;
  }

  get exhausted(): boolean {
    return this.nextSent === this.sent.length;
  }
}

export type { Frame };

/** What the owner of a {@link Delivery} does with a letter. */
export interface Reader<L> {
  /** Whom it is for, if that is an actor inside; anyone else is told at once, without a frame. */
  receiverOf(letter: L): Mailable<L> | undefined;
  /** Handles it. What is sent meanwhile comes back through `add`. Must not throw. */
  read(letter: L): void;
  /** The letter waits for a busy receiver: `true` discards all that waited before it. */
  supersedes(letter: L): boolean;
  /** A letter was discarded, for one that supersedes it. */
  unheard(letter: L): void;
}

export class Delivery<L> {
  readonly #reader: Reader<L>;
  readonly #frames: [Frame<L>, ...Frame<L>[]] = [new Frame<L>(undefined)];
  #spare: Frame<L> | undefined = undefined;

  constructor(reader: Reader<L>) {
    this.#reader = reader;
  }

  /** Nothing that was sent so far is still unheard: what is done now comes in XState's order. */
  get caughtUp(): boolean {
    return this.#top.exhausted;
  }

  /** Nothing waits anywhere. */
  get idle(): boolean {
    return this.#frames.length === 1 && this.#frames[0].exhausted;
  }

  /** Takes what the actor at work sends, or what comes from outside. */
  add(letter: L): void {
    this.#top.sent.push(letter);
  }

  /** Delivers a letter from outside and all that follows from it: `add` and `run`, without a queue where there is none. */
  deliver(letter: L, budget: number): boolean {
    const receiver = this.idle ? this.#reader.receiverOf(letter) : undefined;
    if (receiver === undefined) this.add(letter);
    else {
      this.#enter(receiver);
      this.#reader.read(letter);
    }
    return this.run(budget);
  }

  /** Delivers until nothing waits, or `budget` letters were handled. Returns whether nothing waits any more. */
  run(budget: number): boolean {
    let left = budget;
    for (;;) {
      const frame = this.#top;
      const letter = this.#next(frame);
      if (letter === undefined) {
        if (frame.receiver === undefined) return true;
        this.#leave(frame);
        continue;
      }
      this.#reader.read(letter);
      left -= 1;
      if (left === 0) return this.idle;
    }
  }

  /** Forgets everything that waits, and returns it. */
  clear(): readonly L[] {
    const unheard: L[] = [];
    for (const frame of this.#frames) {
      unheard.push(...frame.sent.slice(frame.nextSent), ...frame.mail.slice(frame.nextMail));
      frame.sent = [];
      frame.mail = [];
      frame.nextSent = 0;
      frame.nextMail = 0;
      if (frame.receiver !== undefined) frame.receiver.frame = undefined;
    }
    this.#frames.length = 1;
    return unheard;
  }

  get #top(): Frame<L> {
    return this.#frames[this.#frames.length - 1] ?? this.#frames[0];
  }

  /** The next letter to read, its receiver's frame on top; `undefined` when this frame has nothing left. */
  #next(frame: Frame<L>): L | undefined {
    while (frame.nextSent < frame.sent.length) {
      const letter = frame.sent[frame.nextSent] as L;
      frame.nextSent += 1;
      if (frame.nextSent === frame.sent.length) {
        frame.sent.length = 0;
        frame.nextSent = 0;
      }
      const receiver = this.#reader.receiverOf(letter);
      if (receiver === undefined) return letter;
      if (receiver.frame === undefined) {
        this.#enter(receiver);
        return letter;
      }
      this.#wait(receiver.frame, letter);
    }
    if (frame.nextMail === frame.mail.length) return undefined;
    const letter = frame.mail[frame.nextMail] as L;
    frame.nextMail += 1;
    if (frame.nextMail === frame.mail.length) {
      frame.mail.length = 0;
      frame.nextMail = 0;
    }
    return letter;
  }

  #wait(frame: Frame<L>, letter: L): void {
    if (this.#reader.supersedes(letter)) {
      for (const waiting of frame.mail.slice(frame.nextMail)) this.#reader.unheard(waiting);
      frame.mail.length = 0;
      frame.nextMail = 0;
    }
    frame.mail.push(letter);
  }

  #enter(receiver: Mailable<L>): void {
    const frame = this.#spare ?? new Frame<L>(receiver);
    this.#spare = undefined;
    frame.receiver = receiver;
    receiver.frame = frame;
    this.#frames.push(frame);
  }

  #leave(frame: Frame<L>): void {
    this.#frames.pop();
    if (frame.receiver !== undefined) frame.receiver.frame = undefined;
    frame.receiver = undefined;
    this.#spare = frame;
  }
}
