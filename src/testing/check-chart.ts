/**
 * Exhaustive exploration of a machine: every state it can reach by every event case, with its timers and the answers of its
 * children.
 *
 * ```ts
 * const report = checkChart(turnstileMachine, {
 *   events: [{ type: 'coin' }, { type: 'push' }],
 *   invariants: { 'nobody passes unpaid': ({ next }) => next.context.coins >= 0 },
 * });
 * expect(report.problems).toEqual([]);
 * ```
 *
 * Problems are: an invariant that fails; an active state in which nothing can happen (deadlock); a state with no way to
 * an end, where the chart has an end at all; a state never entered or a transition never taken; a declared event without
 * a case, or a case that is not declared; a guard or an assignment that throws; a child's error that nobody handles; a loop.
 * Each comes with the events that lead to it, as few as there can be.
 *
 * Invariant: exploration is exact, unless `key` tells less than all: then what it did not find may still be there. It knows
 * nothing of durations. Charts of the subset that troupe compiles run over the very seam that runs them, all others over
 * XState's pure steps. No action is executed.
 */
import type { AnyMachineSnapshot, AnyStateMachine, EventFrom, InputFrom, SnapshotFrom } from 'xstate';
import { anything, either, fn, integer, listOf, object, resolveOptions, text } from '../base/options.ts';
import type { ChartEvent, ChartRequest } from '../chart/chart.ts';
import type { ChartEdge } from '../chart/subset.ts';
import {
  type ChildAnswers,
  Exploration,
  type Inquiry,
  type Place,
  type SeenStep,
  type Trail,
  type Violation,
} from './chart-exploration.ts';
import { showPath, showSnapshot } from './chart-words.ts';
import { type ExploredChart, exploredChart } from './explored-chart.ts';

export type { ChildAnswers, SeenStep, Violation };

/** How a machine is checked. */
export interface ChartCheck<E extends ChartEvent, M = undefined, N = AnyMachineSnapshot, I = unknown> {
  /**
   * Every event in every variant that a guard, an assignment or params tell apart; or what may come in a state. Default:
   * each declared type without data.
   */
  readonly events?: readonly E[] | ((snapshot: N) => readonly E[]);
  /** What holds at every step; `false` or a throw is a problem. A test's `expect` may be used. */
  readonly invariants?: Readonly<Record<string, (seen: SeenStep<E, M, N>) => boolean | void>>;
  /**
   * What of a snapshot's context tells states apart, as data. Default: all of it. Snapshots with one key must be alike for
   * every guard, assignment and invariant. The state value, history, pending timers and children always count.
   */
  readonly key?: (snapshot: N) => unknown;
  /** What children may answer, by their id or, where that is a name, their `src`. */
  readonly children?: Readonly<Record<string, ChildAnswers>>;
  /** What the machine is started with. */
  readonly input?: I;
  /** What requests amount to over time (the last verdict, a count that saturates): it becomes part of the state. */
  readonly memory?: {
    readonly initial: M;
    readonly next: (memory: M, request: ChartRequest, event: E) => M;
  };
  /** Problems that are known and meant, each as it is printed. One that no longer occurs is itself a problem. */
  readonly allow?: readonly string[];
  /** Most states to explore, so that context without bounds is refused. Default 10,000. */
  readonly limit?: number;
}

/** A reachable state with a shortest way to it. */
export interface ReachedState<E extends ChartEvent, M = undefined, N = AnyMachineSnapshot> {
  readonly snapshot: N;
  readonly memory: M;
  readonly path: readonly E[];
}

/** A way through the machine, to be gone with what the machine stands for. */
export interface ChartPath<E extends ChartEvent, N = AnyMachineSnapshot> {
  /** Its events and where it ends, on one line. */
  readonly name: string;
  /** Each event, and what the machine says of where it leads. */
  readonly steps: readonly { readonly event: E; readonly snapshot: N }[];
}

/** How much of a machine was reached: of its states and transitions as they are declared. */
export interface ChartCoverage {
  readonly states: { readonly reached: number; readonly declared: number };
  readonly transitions: { readonly taken: number; readonly declared: number };
}

/** What an exploration found. */
export interface ChartReport<E extends ChartEvent, M = undefined, N = AnyMachineSnapshot> {
  /** Empty when all is well. */
  readonly problems: readonly string[];
  /** The first failures of each invariant, as data. */
  readonly violations: readonly Violation<E, N>[];
  readonly coverage: ChartCoverage;
  readonly states: readonly ReachedState<E, M, N>[];
  /** Every step that took a transition. */
  readonly steps: readonly SeenStep<E, M, N>[];
  /** Few short ways that together take every transition that can be taken: tests for what the machine stands for. */
  readonly paths: readonly ChartPath<E, N>[];
}

const FIELDS = {
  events: either(listOf(object('an event')), fn<(snapshot: never) => readonly ChartEvent[]>()),
  invariants: object('an object of functions'),
  key: fn<(snapshot: never) => unknown>(),
  children: object('an object of { done, error, snapshot } by id'),
  input: anything,
  memory: object('{ initial, next }'),
  allow: listOf(text),
  limit: integer(1),
};

const ANSWERS = { done: listOf(anything), error: listOf(anything), snapshot: listOf(anything) };
const DEFAULTS = { limit: 10_000 };

const showEdge = ({ source, on, targets, guard }: ChartEdge): string =>
  `${source} on ${on}${guard === undefined ? '' : ` if ${guard}`} → ${targets.length === 0 ? '(no target)' : targets.join(', ')}`;

type AnyPlace = Place<ChartEvent, unknown, unknown>;

/** Places from which an end can be reached, by walking backwards from the ends. */
const endable = (places: readonly AnyPlace[]): ReadonlySet<AnyPlace> => {
  const backward = new Map<AnyPlace, AnyPlace[]>();
  for (const place of places) {
    for (const next of place.onward) {
      const from = backward.get(next);
      if (from === undefined) backward.set(next, [place]);
      else from.push(place);
    }
  }
  const found = new Set(places.filter(({ snapshot }) => snapshot.status === 'done'));
  const queue = [...found];
  for (let place = queue.pop(); place !== undefined; place = queue.pop()) {
    for (const previous of backward.get(place) ?? []) {
      if (found.has(previous)) continue;
      found.add(previous);
      queue.push(previous);
    }
  }
  return found;
};

const shown = (place: AnyPlace): string =>
  `${showSnapshot(place.state as AnyMachineSnapshot)} (${showPath(place.path)})`;

const judgeEnds = (places: readonly AnyPlace[]): readonly string[] => {
  const toEnd = endable(places);
  return places
    .filter(({ isActive }) => isActive)
    .flatMap((place) => {
      if (!place.enabled) return [`deadlock: nothing can happen in ${shown(place)}`];
      return toEnd.size > 0 && !toEnd.has(place) ? [`no way to an end from ${shown(place)}`] : [];
    });
};

interface Covered {
  readonly coverage: ChartCoverage;
  readonly problems: readonly string[];
}

const cover = (chart: ExploredChart, places: readonly AnyPlace[], taken: ReadonlySet<ChartEdge>): Covered => {
  const entered = new Set(places.flatMap(({ snapshot }) => chart.statesOf(snapshot)));
  for (const { source } of taken) entered.add(source);
  const missing = chart.states.filter((id) => !entered.has(id));
  const untaken = chart.edges.filter((edge) => !taken.has(edge));
  const [states, transitions] = [chart.states.length, chart.edges.length];
  return {
    coverage: {
      states: { reached: states - missing.length, declared: states },
      transitions: { taken: transitions - untaken.length, declared: transitions },
    },
    problems: [
      ...missing.map((id) => `state ${id} is never entered`),
      ...untaken.map((edge) => `transition never taken: ${showEdge(edge)}`),
    ],
  };
};

const startsWith = (long: readonly unknown[], short: readonly unknown[]): boolean =>
  short.every((event, index) => long[index] === event);

/** Leaves out what is the beginning of another. */
const pathsOf = <E extends ChartEvent, M, N>(
  trails: readonly Trail<E, M, N>[],
): readonly ChartPath<E, N>[] => {
  const ways = trails.map(({ place, event, next }) => [
    ...place.way.map((on) => ({ event: on.event, snapshot: on.state })),
    { event, snapshot: next },
  ]);
  const events = ways.map((way) => way.map(({ event }) => event));
  return ways.flatMap((steps, index) => {
    const own = events[index] ?? [];
    const isBeginning = events.some((other) => other.length > own.length && startsWith(other, own));
    const last = steps.at(-1);
    if (isBeginning || last === undefined) return [];
    const name = `${showSnapshot(last.snapshot as unknown as AnyMachineSnapshot)} ${showPath(own)}`;
    return [{ name, steps }];
  });
};

const withoutAllowed = (problems: readonly string[], allow: readonly string[] = []): readonly string[] => {
  const allowed = new Set(allow);
  const found = new Set(problems);
  return [
    ...[...found].filter((problem) => !allowed.has(problem)),
    ...[...allowed].filter((problem) => !found.has(problem)).map((p) => `allowed, but does not occur: ${p}`),
  ];
};

/**
 * Explores a machine.
 *
 * @throws ERR_CHART_STATES beyond `limit` states; ERR_CHART_STATE_KEY for context that does not tell states apart, such as
 *   functions; ERR_CHART_IMPURE for assignments that change the old context, or go by time or chance; ERR_CHART_CHILD for a
 *   child whose answers are not given, or without an id; ERR_CHART_LOOP for a start that does not come to rest;
 *   ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const checkChart = <S extends AnyStateMachine, M = undefined>(
  machine: S,
  check: ChartCheck<EventFrom<S>, M, SnapshotFrom<S>, InputFrom<S>> = {},
): ChartReport<EventFrom<S>, M, SnapshotFrom<S>> => {
  type E = EventFrom<S>;
  type N = SnapshotFrom<S>;
  const options = resolveOptions('checkChart()', check, FIELDS, DEFAULTS);
  for (const [id, answers] of Object.entries(options.children ?? {}))
    resolveOptions(`checkChart() children.${id}`, answers, ANSWERS, {});
  const chart = exploredChart(machine, options.input);
  const exploration = new Exploration<E, M, N>(chart, options as unknown as Inquiry<E, M, N>);
  exploration.run();
  const { problems, violations, steps, trails, taken } = exploration;
  const places = [...exploration.places.values()];
  const anyPlaces = places as unknown as readonly AnyPlace[];
  const covered = cover(chart, anyPlaces, taken);
  return {
    problems: withoutAllowed([...problems, ...judgeEnds(anyPlaces), ...covered.problems], check.allow),
    violations,
    coverage: covered.coverage,
    states: places.map((place) => ({
      snapshot: place.state,
      memory: place.memory,
      get path() {
        return place.path;
      },
    })),
    steps,
    get paths() {
      return pathsOf(trails);
    },
  };
};
