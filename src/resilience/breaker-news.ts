/**
 * What a breaker tells of itself: its events, and each change to whoever listens to it alone.
 *
 * Invariant: a step is told when it is complete, so that whoever hears of it may use the breaker at once; a listener that
 * throws is dropped and counted. It decides nothing: the chart says what is to be announced.
 */
import type { BreakerFact } from '../../actors/circuit-breaker.machine.ts';
import type { EventStream } from '../base/telemetry.ts';
import type { BreakerChange } from './breaker.ts';
import type { Finding } from './health-check.ts';
import { Mishaps } from './mishaps.ts';

/** The figures of an opening, or of what would have been one. */
export interface Opening {
  readonly retryAtMs: number;
  readonly openMs: number;
  readonly failures: number;
  readonly cause: unknown;
}

/** Whom the news are about. */
export interface Newsworthy {
  readonly name: string;
  readonly events: EventStream;
  readonly options: { readonly halfOpenPermits: number; readonly halfOpenQueueLimit: number };
  change(): BreakerChange;
  opening(): Opening;
}

export class BreakerNews {
  readonly #about: Newsworthy;
  readonly #listeners = new Set<(change: BreakerChange) => void>();
  readonly #facts: BreakerFact[] = [];
  readonly #mishaps: Mishaps;

  constructor(about: Newsworthy) {
    this.#about = about;
    this.#mishaps = new Mishaps(about);
  }

  get isHeard(): boolean {
    return this.#about.events.active || this.#listeners.size > 0;
  }

  listen(listener: (change: BreakerChange) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  forget(): void {
    this.#listeners.clear();
  }

  /** To be told once the step is complete. */
  note(fact: BreakerFact): void {
    this.#facts.push(fact);
  }

  publish(): void {
    for (let fact = this.#facts.shift(); fact !== undefined; fact = this.#facts.shift()) this.#announce(fact);
    for (const listener of [...this.#listeners]) {
      try {
        listener(this.#about.change());
      } catch {
        this.#listeners.delete(listener);
        this.#about.events.brokenListeners += 1;
      }
    }
  }

  /** Tells of a user's function that had to be overruled, once a generation. */
  optionFailed(option: string, error: unknown): void {
    this.#mishaps.tell(option, error, this.#about.change().generation);
  }

  stepped(state: string, event: string): void {
    const { events, name: path } = this.#about;
    if (events.hears('chart.stepped')) events.emit('chart.stepped', { path, state, event });
  }

  checked({ healthy, error }: Finding): void {
    const { events, name: path } = this.#about;
    if (events.active) events.emit('breaker.checked', { path, healthy, error });
  }

  /** The line for probes is full. */
  lineFull(used: number): void {
    const { events, name: path, options } = this.#about;
    const { halfOpenQueueLimit: allowed } = options;
    if (events.active && allowed > 0)
      events.emit('limit.exhausted', { path, limit: 'probe_queue', used, allowed, periodMs: 0 });
  }

  #announce(fact: BreakerFact): void {
    const { events, name: path, options } = this.#about;
    if (!events.lifecycle) return;
    const { cause, failures, ...wait } = this.#about.opening();
    if (fact === 'breaker.opened') events.emit(fact, { path, ...wait, failures, cause });
    else if (fact === 'breaker.half_opened') events.emit(fact, { path, permits: options.halfOpenPermits });
    else if (fact === 'breaker.would_have_opened') events.emit(fact, { path, failures, cause });
    else events.emit(fact, { path });
  }
}
