/**
 * Functions of a user's own that break while a policy uses them: a judge, a measure of load, a delay.
 *
 * Invariant: a policy goes on without them, by what it documents, and says so: once for each function and period, not once
 * for each call. It calls none of them itself.
 */
import type { EventStream } from '../base/telemetry.ts';

export class Mishaps {
  readonly #about: { readonly name: string; readonly events: EventStream };
  /** The options told of, each with the period in which it was. */
  readonly #told = new Map<string, number>();

  constructor(about: { readonly name: string; readonly events: EventStream }) {
    this.#about = about;
  }

  /** `option` had to be overruled. It is told of once a `period`; a policy without periods has one only. */
  tell(option: string, error: unknown, period = 0): void {
    const { events, name: path } = this.#about;
    if (!events.active || this.#told.get(option) === period) return;
    this.#told.set(option, period);
    events.emit('policy.option_failed', { path, option, error });
  }

  /** It works again: when it breaks once more, that is told. */
  works(option: string): void {
    if (this.#told.size > 0) this.#told.delete(option);
  }
}
