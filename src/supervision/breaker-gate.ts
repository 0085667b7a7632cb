/**
 * What stands between one breaker and the children that depend on it: a line, and one turn.
 *
 * Invariants: while the breaker refuses nobody passes. Those who had to wait pass one at a time, in the order in which they
 * came, each when the start of the one before is over; while it half-opens that goes for newcomers too. It takes no
 * permit of the breaker's: a start is no call. It polls nothing, and listens only while somebody waits.
 */

import type { PlaceOfActor } from '../kernel/place.ts';
import type { Dependable, Spec } from '../kernel/spec.ts';
import type { SystemOfActors } from '../kernel/system.ts';

/** Who waits at a gate. */
export interface Waiter {
  /** The gate would let it pass now. It may be called in anyone's turn, and must not throw. */
  consider(): void;
}

export class BreakerGate {
  readonly #place: PlaceOfActor;
  readonly #breaker: Dependable;
  readonly #line = new Set<Waiter>();
  #turn: Waiter | undefined = undefined;
  #deafen: (() => void) | undefined = undefined;

  constructor(place: PlaceOfActor) {
    this.#place = place;
    this.#breaker = place.handle as Dependable;
  }

  get path(): string {
    return this.#place.path;
  }

  get critical(): boolean {
    return this.#breaker.critical;
  }

  /** Nobody will start the breaker again: what it says holds nobody back. */
  get hasEnded(): boolean {
    return this.#place.gone;
  }

  /** The breaker lets no call through. */
  get refuses(): boolean {
    return !this.hasEnded && this.#breaker.inspect().verdict === 'refuse';
  }

  /** The breaker tries out whether it may let calls through. */
  get probes(): boolean {
    return !this.hasEnded && this.#breaker.inspect().verdict === 'permits';
  }

  /** The instant at which the breaker will half-open; `undefined` where it does not wait for that. */
  get opensAtMs(): number | undefined {
    return this.#breaker.inspect().openUntilMs;
  }

  lets(waiter: Waiter): boolean {
    if (this.refuses) return false;
    if (this.#turn === undefined || this.#turn === waiter) return true;
    return !this.#line.has(waiter) && !this.probes;
  }

  join(waiter: Waiter): void {
    if (this.#turn === waiter) this.leave(waiter);
    this.#line.add(waiter);
    if (this.#deafen !== undefined) return;
    const review = (): void => this.#review();
    const stops = [this.#breaker.onChange(review), this.#place.onGone(review)];
    this.#deafen = () => {
      for (const stop of stops) stop();
    };
  }

  /** Passes. Who has waited, or passes while the breaker probes, has the turn until it leaves. */
  pass(waiter: Waiter): void {
    if (this.#line.delete(waiter) || this.probes) this.#turn = waiter;
    this.#rest();
  }

  /** Goes away, or has done what it passed for. */
  leave(waiter: Waiter): void {
    this.#line.delete(waiter);
    if (this.#turn === waiter) {
      this.#turn = undefined;
      this.#review();
    }
    this.#rest();
  }

  #review(): void {
    for (const waiter of this.#line) {
      // What keeps one of them keeps all behind it.
      if (!this.lets(waiter)) return;
      waiter.consider();
    }
  }

  #rest(): void {
    if (this.#line.size > 0) return;
    this.#deafen?.();
    this.#deafen = undefined;
  }
}

const gates = new WeakMap<PlaceOfActor, BreakerGate>();

/** The gates of those among these breakers that stand somewhere now. */
export const gatesOf = (
  system: SystemOfActors,
  breakers: Iterable<Spec<unknown>>,
): readonly BreakerGate[] => {
  const found: BreakerGate[] = [];
  for (const breaker of breakers) {
    const place = system.findPlace(breaker);
    if (place === undefined) continue;
    const gate = gates.get(place) ?? new BreakerGate(place);
    gates.set(place, gate);
    found.push(gate);
  }
  return found;
};
