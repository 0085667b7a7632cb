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

  /** The incarnation that lives there. */
  at(path: string): number | undefined {
    return this.#at.get(path);
  }

  get paths(): readonly string[] {
    return [...this.#at.keys()];
  }
}

/**
 * What a supervisor's restart limit has been spent on: failures that count for certain, and those that may count, because
 * nobody outside can tell whether the supervisor came to see to them.
 */
export class Spent {
  readonly intensity: number;
  readonly #periodMs: number;
  #certain: number[] = [];
  #possible: number[] = [];

  constructor(intensity: number, periodMs: number) {
    this.intensity = intensity;
    this.#periodMs = periodMs;
  }

  count(nowMs: number, certainly: boolean): void {
    if (certainly) this.#certain.push(nowMs);
    this.#possible.push(nowMs);
  }

  /** A supervisor of a new incarnation counts anew. */
  clear(): void {
    this.#certain = [];
    this.#possible = [];
  }

  /** A restart at `nowMs` must have been within the limit. */
  judgeRestart(nowMs: number, path: string, stage: Stage): void {
    const used = this.#within(this.#certain, nowMs);
    if (used === this.intensity) stage.reached('restarted at the limit');
    if (used > this.intensity)
      stage.violated('more failures than the limit escalate', `${path}: ${used} of ${this.intensity}`);
  }

  /** Who gives up at `nowMs` must have been past it. */
  judgeEnd(nowMs: number, path: string, stage: Stage): void {
    const used = this.#within(this.#possible, nowMs);
    if (used <= this.intensity)
      stage.violated('within the limit nobody gives up', `${path}: ${used} of ${this.intensity}`);
  }

  #within(times: readonly number[], nowMs: number): number {
    return times.filter((time) => time >= nowMs - this.#periodMs).length;
  }
}

/** What is acquired by an init and given back by a `terminate`: once each, also where the init came too late. */
export class Acquired {
  readonly #late = new Map<string, number>();
  readonly #ended = new Map<string, number>();

  /** An init has come through. `late`: after its time was up, or its actor told to stop. */
  came(key: string, late: boolean, stage: Stage): void {
    if (!late) return;
    stage.reached('an init came too late');
    this.#late.set(key, 0);
  }

  terminated(key: string, stage: Stage): void {
    const times = (this.#ended.get(key) ?? 0) + 1;
    this.#ended.set(key, times);
    if (this.#late.has(key)) this.#late.set(key, times);
    if (times > 1) stage.violated('terminate runs once', `${key}: ${times} times`);
  }

  /** The late ones that were not closed. */
  get left(): readonly string[] {
    return [...this.#late].filter(([, times]) => times !== 1).map(([key, times]) => `${key}: ${times}`);
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
