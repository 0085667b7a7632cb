/**
 * Watches the resident memory of a worker process: tells once that it has outgrown its use, and at once that it must go.
 *
 * Invariant: a measurement that is under way when the watch stops tells nothing. Who recycles and who kills is the owner's business.
 */
import type { ChildPort, Host, Timer } from '../base/host.ts';

/** At how many bytes what follows. */
export interface MemoryLimits {
  readonly recycleAtBytes: number;
  readonly killAtBytes: number;
  /** How often it is measured, ms. */
  readonly everyMs: number;
}

export interface MemoryOwner {
  /** It should be replaced when it is free. Once. */
  outgrown(residentBytes: number): void;
  /** It must go now. Once, and the watch is over. */
  exceeded(residentBytes: number): void;
}

export class MemoryWatch {
  readonly #host: Host;
  readonly #child: ChildPort;
  readonly #limits: MemoryLimits;
  readonly #owner: MemoryOwner;
  #timer: Timer | undefined;
  #told = false;
  #over = false;

  constructor(host: Host, child: ChildPort, watched: { limits: MemoryLimits; owner: MemoryOwner }) {
    this.#host = host;
    this.#child = child;
    this.#limits = watched.limits;
    this.#owner = watched.owner;
    const { recycleAtBytes, killAtBytes } = this.#limits;
    // Without a limit nothing is measured.
    if (Math.min(recycleAtBytes, killAtBytes) < Number.POSITIVE_INFINITY) this.#arm();
  }

  stop(): void {
    this.#over = true;
    this.#timer?.cancel();
  }

  #arm(): void {
    const measure = () => this.#child.measure?.((bytes) => this.#measured(bytes));
    this.#timer = this.#host.timer(this.#limits.everyMs, 'worker.memory', measure, { unref: true });
  }

  #measured(bytes: number | undefined): void {
    if (this.#over) return;
    if (bytes !== undefined && bytes >= this.#limits.killAtBytes) {
      this.#over = true;
      this.#owner.exceeded(bytes);
      return;
    }
    if (bytes !== undefined && bytes >= this.#limits.recycleAtBytes && !this.#told) {
      this.#told = true;
      this.#owner.outgrown(bytes);
    }
    this.#arm();
  }
}
