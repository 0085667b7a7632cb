/**
 * Who has a breaker isolated, by count.
 *
 * Invariant: it is isolated from the first hold to the last release; releasing twice is releasing once. It refuses nothing.
 */

export class Isolation {
  readonly #ask: (event: 'isolate' | 'resume') => void;
  #holders = 0;

  constructor(ask: (event: 'isolate' | 'resume') => void) {
    this.#ask = ask;
  }

  get held(): boolean {
    return this.#holders > 0;
  }

  /** Returns the function that ends this hold. */
  hold(): () => void {
    this.#holders += 1;
    if (this.#holders === 1) this.#ask('isolate');
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#holders -= 1;
      if (this.#holders === 0) this.#ask('resume');
    };
  }
}
