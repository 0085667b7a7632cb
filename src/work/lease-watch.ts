/**
 * Leases that are held for too long: whoever forgot to give one back is named, with the place in the code where it was taken.
 *
 * Invariants: one timer however many are held, none when none is; it keeps no OS process alive; a lease that is given back is
 * forgotten at once. It takes nothing away from anybody.
 */
import type { Host, Timer } from '../base/host.ts';

/** A lease as it is held. */
export interface HeldLease {
  /** The id of its worker. */
  readonly worker: string;
  /** The instant on `host.monotonic()` at which it was given. */
  readonly at: number;
  /** Who took it, where he said so or is an actor. */
  readonly holder: string | undefined;
  /** Where it was taken. */
  readonly stack: string | undefined;
}

interface Entry {
  readonly held: HeldLease;
  dueAt: number;
}

const UNREF = { unref: true };

export class LeaseWatch {
  /** Whether anybody looks at all; where not, nothing need be told to it. */
  readonly isOn: boolean;
  readonly #host: Host;
  readonly #afterMs: number;
  readonly #tell: (held: HeldLease, heldMs: number) => void;
  /** By lease, in the order in which they are due. */
  readonly #entries = new Map<object, Entry>();
  #timer: Timer | undefined;

  constructor(host: Host, afterMs: number, tell: (held: HeldLease, heldMs: number) => void) {
    this.#host = host;
    this.#afterMs = afterMs;
    this.isOn = afterMs < Number.POSITIVE_INFINITY;
    this.#tell = tell;
  }

  get held(): readonly HeldLease[] {
    return [...this.#entries.values()].map(({ held }) => held);
  }

  add(lease: object, held: HeldLease): void {
    if (!this.isOn) return;
    this.#entries.set(lease, { held, dueAt: held.at + this.#afterMs });
    if (this.#timer === undefined) this.#arm(this.#afterMs);
  }

  remove(lease: object): void {
    if (!this.#entries.delete(lease) || this.#entries.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(delayMs: number): void {
    this.#timer = this.#host.timer(delayMs, 'lease leak', () => this.#look(), UNREF);
  }

  #look(): void {
    this.#timer = undefined;
    const now = this.#host.monotonic();
    for (const [lease, entry] of [...this.#entries]) {
      if (entry.dueAt > now) break;
      // It is due again after as long, behind all others.
      this.#entries.delete(lease);
      entry.dueAt = now + this.#afterMs;
      this.#entries.set(lease, entry);
      this.#tell(entry.held, now - entry.held.at);
    }
    const [first] = this.#entries.values();
    if (first !== undefined && this.#timer === undefined) this.#arm(Math.max(0, first.dueAt - now));
  }
}
