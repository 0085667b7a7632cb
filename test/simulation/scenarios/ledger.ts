/** What several scenarios keep of a system: its events, who lives, and what must be gone at the end. */
import type { EventType, TroupeEvent } from '../../../src/base/telemetry.ts';
import type { System, SystemOfActors } from '../../../src/kernel/system.ts';
import type { Stage } from '../../../src/testing/simulation.ts';

/** What became of a promise so far. */
export interface Outcome {
  status: 'pending' | 'fulfilled' | 'rejected';
  value?: unknown;
  error?: { readonly code?: string; readonly outcome?: string };
}

/** Follows a promise without waiting for it. */
export const follow = (promise: Promise<unknown>, settled?: (outcome: Outcome) => void): Outcome => {
  const outcome: Outcome = { status: 'pending' };
  promise.then(
    (value) => {
      Object.assign(outcome, { status: 'fulfilled', value });
      settled?.(outcome);
    },
    (error) => {
      Object.assign(outcome, { status: 'rejected', error });
      settled?.(outcome);
    },
  );
  return outcome;
};

/** Puts every event into the trace, and calls listeners by type. */
export const listen = (
  system: Pick<System, 'events'>,
  stage: Stage,
  hear: { readonly [T in EventType]?: (event: Extract<TroupeEvent, { type: T }>) => void } = {},
): void => {
  system.events.listen((event) => {
    stage.note(`${event.type} ${(event as { path?: string }).path ?? ''}`);
    (hear[event.type] as ((event: TroupeEvent) => void) | undefined)?.(event);
  });
};

/** Who lives where: at most one incarnation a place, from the outside's point of view. */
export class Living {
  readonly #at = new Map<string, number>();

  started(path: string, incarnation: number, stage: Stage): void {
    const other = this.#at.get(path);
    if (other !== undefined)
      stage.violated('at most one incarnation a place', `${path}: ${incarnation} while ${other} lives`);
    this.#at.set(path, incarnation);
  }

  ended(path: string, incarnation: number): void {
    if (this.#at.get(path) === incarnation) this.#at.delete(path);
  }

  has(path: string): boolean {
    return this.#at.has(path);
  }

  get paths(): readonly string[] {
    return [...this.#at.keys()];
  }
}

/** Nothing is left of a system that has been shut down: no actor, no handler, no timer. */
export const leftOver = (
  system: System,
  stage: Stage,
  ownTimers: readonly string[] = [],
): string | undefined => {
  const { started, ended, stragglers } = system.counters;
  if (started !== ended) return `${started} actors were started, ${ended} have ended`;
  if (system.tree().length > 0) return `still there: ${system.drawTree()}`;
  if (stragglers > 0) return `${stragglers} handlers still run`;
  const timers = stage.host.pendingTimers().filter(({ label }) => !ownTimers.includes(label));
  return timers.length === 0 ? undefined : `timers wait: ${timers.map(({ label }) => label).join(', ')}`;
};

/** The cell at a place, if any: for looking, never for touching. */
export const cellAt = (system: System, path: string) => (system as SystemOfActors).placeAt(path)?.cell;
