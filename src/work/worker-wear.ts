/**
 * How worn a worker is: how often and how long it was somebody's, how old it is, and whether that is enough.
 *
 * Invariant: it says so when the worker is given back, and by a timer where it may be idle then; it ends nothing itself.
 */
import type { Host, Timer } from '../base/host.ts';

/** When it is enough. */
export interface WearLimits {
  readonly maxUses: number;
  readonly maxAgeMs: number;
  readonly ageJitter: number;
}

export class WorkerWear {
  uses = 0;
  /** Why it is to go as soon as it is free. */
  retiring: string | undefined;
  readonly #host: Host;
  readonly #limits: WearLimits;
  readonly #tooOld: () => void;
  #takenAt = 0;
  #busyMs = 0;
  /** From then on it is too old. */
  #bestBefore = Number.POSITIVE_INFINITY;
  #timer: Timer | undefined;

  constructor(host: Host, limits: WearLimits, tooOld: () => void) {
    this.#host = host;
    this.#limits = limits;
    this.#tooOld = tooOld;
  }

  /** It is there. Its age is drawn for it alone, so that those who came together do not go together. */
  begin(now: number): void {
    const { maxAgeMs, ageJitter } = this.#limits;
    if (maxAgeMs === Number.POSITIVE_INFINITY) return;
    const ageMs = maxAgeMs * (1 - ageJitter * this.#host.random.next());
    this.#bestBefore = now + ageMs;
    this.#timer = this.#host.timer(ageMs, 'worker age', this.#tooOld, { unref: true });
  }

  taken(now: number): void {
    this.#takenAt = now;
    this.uses += 1;
  }

  /** It is given back; why it is to go, if it is. */
  returned(now: number): string | undefined {
    this.#busyMs += now - this.#takenAt;
    if (this.retiring !== undefined) return this.retiring;
    if (this.uses >= this.#limits.maxUses) return 'max_uses';
    return now >= this.#bestBefore ? 'max_age' : undefined;
  }

  /** How long it was somebody's so far, ms; `taken`: it is now. */
  busyMs(taken: boolean): number {
    return taken ? this.#busyMs + this.#host.monotonic() - this.#takenAt : this.#busyMs;
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
