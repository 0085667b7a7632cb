/**
 * When a pool grows and when it shrinks.
 *
 * Invariants: it grows by the delay of its queue, not by its length: a job that is served in good time starts nobody, however many
 * came with it; it never wants more workers than wait for one, nor more than `max`. It shrinks one at a time, never below `min`, and
 * never while somebody waits; growing puts the shrinking off, so that a pool between two sizes does not swing. It starts and ends
 * nobody itself.
 */
import type { Host, Timer } from '../base/host.ts';
import type { ScalingOptions, SizeRange } from './pool-options.ts';

/** What it scales. */
export interface Scaled {
  readonly size: SizeRange;
  wanted: number;
  /** Those that are not there to take jobs yet. */
  readonly starting: number;
  readonly startsAtOnce: number;
  /** How many wait, and how long the next of them has waited, ms. */
  readonly waiting: number;
  readonly delayMs: number;
  /** Whether whoever waits would be served if there were a worker. */
  readonly serves: boolean;
  /** How long the one that was idle for longest has been so, ms; `undefined` where none is. */
  readonly idleMs: number | undefined;
  /** More are wanted. */
  grown(): void;
  /** One less is wanted: the one that was idle for longest goes. */
  shrunk(): void;
}

const UNREF = { unref: true };

export class Scaling {
  readonly #host: Host;
  readonly #settings: Readonly<Required<ScalingOptions>>;
  readonly #scaled: Scaled;
  #growTimer: Timer | undefined;
  #shrinkTimer: Timer | undefined;
  #changedAt = 0;

  constructor(host: Host, settings: Readonly<Required<ScalingOptions>>, scaled: Scaled) {
    this.#host = host;
    this.#settings = settings;
    this.#scaled = scaled;
  }

  /** Somebody waits. */
  demand(): void {
    if (this.#growTimer !== undefined) return;
    const { wanted, size, waiting, starting, serves } = this.#scaled;
    if (wanted >= size.max || waiting <= starting || !serves) return;
    // Below its least it is not worth waiting, and a pool of none never works its queue off.
    if (wanted < Math.max(1, size.min)) this.#grow(1);
    else this.#armGrowth(this.#settings.growAfterMs);
  }

  /** The size it may have, or the one it has, is another. */
  changed(): void {
    this.#changedAt = this.#host.monotonic();
    this.#armShrinking();
    if (this.#scaled.waiting > 0) this.demand();
  }

  stop(): void {
    this.#growTimer?.cancel();
    this.#shrinkTimer?.cancel();
  }

  #armGrowth(delayMs: number): void {
    if (delayMs === Number.POSITIVE_INFINITY) return;
    this.#growTimer = this.#host.timer(delayMs, 'pool growth', () => {
      this.#growTimer = undefined;
      this.#considerGrowing();
    });
  }

  #considerGrowing(): void {
    const { wanted, size, waiting, starting, startsAtOnce, delayMs, serves } = this.#scaled;
    if (wanted >= size.max || waiting === 0 || !serves) return;
    const { growAfterMs } = this.#settings;
    if (delayMs < growAfterMs) {
      this.#armGrowth(growAfterMs - delayMs);
      return;
    }
    const count = Math.min(waiting - starting, startsAtOnce - starting, size.max - wanted);
    if (count > 0) this.#grow(count);
    if (this.#scaled.wanted < size.max) this.#armGrowth(Math.max(growAfterMs, 1));
  }

  #grow(count: number): void {
    this.#scaled.wanted += count;
    this.#changedAt = this.#host.monotonic();
    this.#scaled.grown();
    this.#armShrinking();
  }

  #armShrinking(): void {
    const { idleMs, shrinkEveryMs } = this.#settings;
    if (this.#shrinkTimer !== undefined || this.#scaled.wanted <= this.#scaled.size.min) return;
    if (idleMs === Number.POSITIVE_INFINITY) return;
    const everyMs = Math.max(1, shrinkEveryMs === 0 ? idleMs : Math.min(idleMs, shrinkEveryMs));
    const look = (): void => {
      this.#shrinkTimer = undefined;
      this.#considerShrinking();
      this.#armShrinking();
    };
    this.#shrinkTimer = this.#host.timer(everyMs, 'pool shrinking', look, UNREF);
  }

  #considerShrinking(): void {
    const { wanted, size, waiting, idleMs } = this.#scaled;
    const now = this.#host.monotonic();
    if (wanted <= size.min || waiting > 0) return;
    if (idleMs === undefined || idleMs < this.#settings.idleMs) return;
    if (now - this.#changedAt < this.#settings.shrinkEveryMs) return;
    this.#changedAt = now;
    this.#scaled.wanted -= 1;
    this.#scaled.shrunk();
  }
}
