/**
 * What a viewer is shown of the tree, and the values that all views are made of. Types only: part of the protocol,
 * imported through `protocol.ts`.
 */
import type { Reason } from '../kernel/fact.ts';
import type { LIMITS } from './protocol.ts';

export type { ErrorShown, Json, Reason } from '../kernel/fact.ts';

/** A chart's state value as XState writes it: `'closed'`, `{ lifecycle: 'ready', health: 'healthy' }`. */
export type StateValue = string | { readonly [region: string]: StateValue };

/** One incarnation of an actor. `path` is its place in the tree (`app/pool/worker-3`). */
export interface ActorAddress {
  readonly path: string;
  readonly incarnation: number;
}

/**
 * Durations as a histogram with fixed edges: `counts[i]` values were at most `edges[i]` ms and above the edge before; the last
 * count is of all beyond. Cumulative since the inspection began: subtract two to have an interval.
 */
export interface Histogram {
  readonly edges: readonly number[];
  readonly counts: readonly number[];
  /** Their sum, ms, and their number. */
  readonly sum: number;
  readonly count: number;
}

// ── tree ────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Which rows of the tree to show. The tree is flattened on the server, depth first; closed branches count one row.
 *
 * `query` is a list of words, all of which must hold for an actor; its ancestors are kept as context (`matched: false`).
 * - `path:jobs` a part of the path, case-insensitive; with `*` for anything but `/`
 * - `state:busy` a part of the chart's state; `status:suspended` the exact status; `kind:pool` the exact kind of logic
 * - `mailbox>10`, `mailbox<5`, `mailbox=0`, likewise `restarts`, `children`
 * - a word alone: a part of the path, the state, the kind or the description
 * - `-` before a word: must not hold. `"…"` keeps spaces together: `state:"half open"`
 */
export interface TreeQuery {
  readonly query: string;
  /** The first row wanted, from 0, and how many: at most {@link LIMITS.windowRows}. */
  readonly from: number;
  readonly count: number;
  /** Keys of rows that the user has closed. A filter opens what holds a match, whatever was closed. */
  readonly collapsed?: readonly string[];
  /** Keys of groups that the user has opened. */
  readonly opened?: readonly string[];
}

/**
 * How one place in the tree does. `parked`, `backing_off`, `held`, `stopped`, `vacant` and the like are places with no actor now;
 * `ended` is a tombstone; `straggling` is a handler that outlived its actor.
 */
export type RowStatus =
  | 'starting'
  | 'running'
  | 'suspended'
  | 'stopping'
  | 'ended'
  | 'straggling'
  | (string & {});

/** One row. */
export interface TreeRow {
  /** Stable while it means the same thing; for keyed lists, `collapsed` and `opened`. */
  readonly key: string;
  /** `actor`: lives. `absent`: should live, or may be started. `tombstone`: has ended. `group`: several alike. */
  readonly type: 'actor' | 'absent' | 'tombstone' | 'group';
  readonly path: string;
  /** The last part of the path; of a group, what its members have in common (`worker × 9,812`). */
  readonly id: string;
  readonly depth: number;
  /** `false`: kept because something below it matches. */
  readonly matched: boolean;
  /** Absent on leaves. Whether what stands below is shown, and how many actors it is, at any depth. */
  readonly open?: boolean;
  readonly below?: number;
  /** The kind of logic: `supervisor`, `dynamic_supervisor`, `server`, `machine`, `breaker`, `pool`, `worker`, `recovery` … */
  readonly kind: string;
  readonly status: RowStatus;
  readonly incarnation?: number;
  /** Of a supervisor: `one_for_one`, `one_for_all`, `rest_for_one`. */
  readonly strategy?: string;
  readonly restart?: 'permanent' | 'transient' | 'temporary';
  /** The chart's state, or the logic's own word; for a chip. */
  readonly state?: StateValue;
  /** {@link ChartDefinition.machine}, where a chart can be drawn. */
  readonly machine?: string;
  /** `false`: the service is not whole because of it. */
  readonly ready?: boolean;
  /** Mail that waits; absent where there is none. */
  readonly mailbox?: number;
  /** Times it was started again, and when last; absent where never. For the flash and the count. */
  readonly restarts?: number;
  readonly restartedAt?: number;
  /** Of a tombstone. */
  readonly endedAt?: number;
  readonly reason?: Reason;
  /** The next start of an absent one, if it is set. */
  readonly nextStartAt?: number;
  /** Whether an operator or a fault of the explorer's meddles with it now. */
  readonly meddled?: 'paused' | 'fault';
  readonly description?: string;
  /** Of a group: its size, and how many of it are in which state (or status, where they have no state), the most first. */
  readonly group?: {
    readonly size: number;
    readonly states: readonly (readonly [state: string, count: number])[];
  };
  /** Gauges worth a line: counts, never payloads. */
  readonly facts: Readonly<Record<string, string | number | boolean>>;
}

export interface TreeWindow {
  readonly query: TreeQuery;
  /** Rows there are in all, for the length of a scrollbar. */
  readonly rows: number;
  /** Actors that match, at any depth, closed branches included; and actors there are. */
  readonly matches: number;
  readonly actors: number;
  /** Why a query was not understood, in words; then it is treated as empty. */
  readonly misread?: string;
  readonly window: readonly TreeRow[];
}
