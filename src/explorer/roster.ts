/**
 * What the tree alone does not say: who ended a moment ago, who was started again and why, who waits for what. Heard from the
 * system's events while an explorer stands, and read from the flight recorder for the time before.
 *
 * Invariant: bounded. Tombstones last {@link LIMITS.tombstoneMs}; histories and counts are kept for a bounded number of places, the
 * least recently touched going first.
 */
import type { TroupeEvent } from '../base/telemetry.ts';
import { type Fact, type Reason, showReason } from '../kernel/fact.ts';
import { type ExitReason, isExitReason } from '../kernel/reason.ts';
import type { Restart } from './component-view.ts';
import { LIMITS } from './protocol.ts';
import type { Tombstone } from './tree-window.ts';

/** Places whose restarts are remembered. Owner: one roster, about 1 KB each. */
const PLACES_KEPT = 5_000;
/** Restarts remembered of one place. */
const HISTORY_KEPT = 50;
/** Tombstones at once; in a storm of ends the oldest go first. */
const TOMBSTONES_KEPT = 1_000;

/** What is remembered of one supervised place. */
export interface PlaceHistory {
  restarts: number;
  restartedAt: number;
  /** Newest first. */
  readonly history: Restart[];
  /** When each restart was, for a supervisor's window; newest last. */
  nextStartAt: number | undefined;
  failures: number;
}

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));
const idOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

export class Roster {
  readonly #places = new Map<string, PlaceHistory>();
  #tombstones: Tombstone[] = [];
  readonly #supervisorHistory = new Map<string, Restart[]>();
  readonly #gaveUp = new Map<string, { at: number; child: string; last: Reason }>();
  /** When each supervisor's children were started again, for the window of its limit. */
  readonly #windows = new Map<string, number[]>();

  /** Facts from before it listened. */
  recall(facts: readonly Fact[]): void {
    for (const fact of facts) {
      const { child, delayMs, failures, restarts, periodMs } = fact.data as Readonly<Record<string, unknown>>;
      const reason = (fact.data['reason'] ?? fact.data['last']) as unknown as Reason | undefined;
      const data = { child, delayMs, failures, restarts, periodMs };
      this.#take({ type: fact.type, at: fact.at, path: fact.path, reason, n: fact.n, ...data } as Heard);
    }
  }

  hear(event: TroupeEvent, n: number): void {
    const { type, at } = event;
    const { path = '', reason, last, incarnation, kind, child, delayMs, failures } = event as unknown as Raw;
    const thrown = reason ?? last;
    const shown = isExitReason(thrown) ? showReason(thrown as ExitReason) : undefined;
    if (type === 'actor.ended' && shown !== undefined)
      this.#bury({
        path,
        id: idOf(path),
        kind: kind ?? '',
        incarnation: incarnation ?? 0,
        endedAt: at,
        reason: shown,
      });
    this.#take({ type, at, path, reason: shown, n, child, delayMs, failures });
  }

  restarts(path: string): { readonly count: number; readonly at: number } | undefined {
    const known = this.#places.get(path);
    return known === undefined || known.restarts === 0
      ? undefined
      : { count: known.restarts, at: known.restartedAt };
  }

  place(path: string): PlaceHistory | undefined {
    return this.#places.get(path);
  }

  /** Restarts of a supervisor's children, newest first. */
  historyOf(supervisor: string): readonly Restart[] {
    return this.#supervisorHistory.get(supervisor) ?? [];
  }

  gaveUp(supervisor: string) {
    return this.#gaveUp.get(supervisor);
  }

  /** When the restarts that count at `now` were. */
  window(supervisor: string, now: number, periodMs: number): readonly number[] {
    return (this.#windows.get(supervisor) ?? []).filter((at) => at >= now - periodMs);
  }

  /** By the path of their parent. */
  tombstones(now: number): ReadonlyMap<string, readonly Tombstone[]> {
    this.#tombstones = this.#tombstones.filter(({ endedAt }) => endedAt > now - LIMITS.tombstoneMs);
    const byParent = new Map<string, Tombstone[]>();
    for (const tombstone of this.#tombstones) {
      const parent = parentOf(tombstone.path);
      const siblings = byParent.get(parent);
      if (siblings === undefined) byParent.set(parent, [tombstone]);
      else siblings.push(tombstone);
    }
    return byParent;
  }

  #bury(tombstone: Tombstone): void {
    this.#tombstones.push(tombstone);
    if (this.#tombstones.length > TOMBSTONES_KEPT) this.#tombstones.shift();
  }

  #take(heard: Heard): void {
    const { type, path, at, child } = heard;
    if (type === 'actor.ended' || type === 'actor.start_failed') {
      if (heard.reason !== undefined && !heard.reason.clean) this.#failed(heard, heard.reason);
      return;
    }
    if (child === undefined) return;
    const place = `${path}/${child}`;
    if (type === 'supervisor.child.backing_off')
      this.#amend(place, path, { outcome: 'waiting', delayMs: heard.delayMs, failures: heard.failures }, at);
    else if (type === 'supervisor.child.restarted') {
      this.#amend(place, path, { outcome: 'restarted', restartedAt: at }, at);
      const times = this.#windows.get(path) ?? [];
      times.push(at);
      if (times.length > HISTORY_KEPT) times.shift();
      keep(this.#windows, path, times);
    } else if (type === 'supervisor.child.parked') this.#amend(place, path, { outcome: 'parked' }, at);
    else if (type === 'supervisor.gave_up') {
      this.#amend(place, path, { outcome: 'gave_up' }, at);
      if (heard.reason !== undefined) keep(this.#gaveUp, path, { at, child, last: heard.reason });
    }
  }

  #failed({ path, at, n }: Heard, reason: Reason): void {
    const place = this.#of(path);
    const failure: Restart = { n, at, child: idOf(path), reason, outcome: 'not_wanted' };
    place.history.unshift(failure);
    if (place.history.length > HISTORY_KEPT) place.history.pop();
    const supervisor = parentOf(path);
    const history = this.#supervisorHistory.get(supervisor) ?? [];
    history.unshift(failure);
    if (history.length > HISTORY_KEPT) history.pop();
    keep(this.#supervisorHistory, supervisor, history);
  }

  /** Says what came of the last failure at a place. */
  #amend(
    path: string,
    supervisor: string,
    change: {
      readonly outcome: Restart['outcome'];
      readonly delayMs?: number | undefined;
      readonly failures?: number | undefined;
      readonly restartedAt?: number;
    },
    at: number,
  ): void {
    const place = this.#of(path);
    if (change.outcome === 'restarted') {
      place.restarts += 1;
      place.restartedAt = at;
    }
    place.nextStartAt = change.outcome === 'waiting' ? at + (change.delayMs ?? 0) : undefined;
    place.failures = change.failures ?? (change.outcome === 'restarted' ? place.failures : 0);
    const [last] = place.history;
    if (last === undefined || last.outcome === 'restarted') return;
    const known = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
    const amended = { ...last, ...known } as Restart;
    place.history[0] = amended;
    const history = this.#supervisorHistory.get(supervisor);
    const i = history?.indexOf(last) ?? -1;
    if (history !== undefined && i >= 0) history[i] = amended;
  }

  #of(path: string): PlaceHistory {
    const known = this.#places.get(path) ?? {
      restarts: 0,
      restartedAt: 0,
      history: [],
      nextStartAt: undefined,
      failures: 0,
    };
    keep(this.#places, path, known);
    return known;
  }
}

/** What of events and facts it understands. */
interface Heard {
  readonly type: string;
  readonly at: number;
  readonly path: string;
  readonly n: number;
  readonly reason: Reason | undefined;
  readonly child: string | undefined;
  readonly delayMs: number | undefined;
  readonly failures: number | undefined;
}

interface Raw {
  readonly path?: string;
  readonly reason?: unknown;
  readonly last?: unknown;
  readonly incarnation?: number;
  readonly kind?: string;
  readonly child?: string;
  readonly delayMs?: number;
  readonly failures?: number;
}

/** Sets and touches; the least recently touched goes when there are too many. */
const keep = <V>(map: Map<string, V>, key: string, value: V): void => {
  map.delete(key);
  map.set(key, value);
  if (map.size <= PLACES_KEPT) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
};
