/**
 * The openings of a breaker: how many, how long each waits, and what of that outlives its process.
 *
 * Invariant: openings in a row are those with no closing between them; a restored one waits no longer than the one that was
 * exported would have. When to open and when to close is the chart's to say.
 */
import type { Host } from '../base/host.ts';
import type { BreakerState } from './breaker.ts';
import type { OpenWait } from './open-wait.ts';

export class Openings {
  readonly #host: Host;
  readonly #wait: OpenWait;
  readonly #openFor: (openings: number, previousMs: number) => number;
  #inRow = 0;
  #failures = 0;
  /** Since its creation. */
  total = 0;
  /** How long the last of them waits. */
  openMs = 0;

  constructor(host: Host, wait: OpenWait, openFor: (openings: number, previousMs: number) => number) {
    this.#host = host;
    this.#wait = wait;
    this.#openFor = openFor;
  }

  begin(failures: number): void {
    this.total += 1;
    this.#inRow += 1;
    this.#failures = failures;
    this.openMs = this.#openFor(this.#inRow, this.#inRow === 1 ? 0 : this.openMs);
    this.#wait.start(this.openMs);
  }

  closed(): void {
    this.#inRow = 0;
  }

  exportState(probing: boolean): BreakerState {
    const waits = this.#wait.leftMs !== undefined;
    // What is probed had waited long enough.
    const retryAt = waits ? this.#wait.retryAt : probing ? this.#host.wall() : null;
    const [openings, failures] = [this.#inRow, this.#failures];
    return Object.freeze({ version: 1, retryAt, openings, openMs: this.openMs, failures });
  }

  /** After an opening has begun: it is the exported one that goes on. */
  restore({ openings, openMs }: BreakerState, retryAt: number): void {
    this.#inRow = openings;
    this.openMs = openMs;
    // The clock of another machine may be wrong, but nobody waits longer for that.
    this.#wait.start(Math.min(openMs, Math.max(0, retryAt - this.#host.wall())));
  }
}
