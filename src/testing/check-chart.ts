/**
 * Exhaustive exploration of a chart: every configuration it can reach by every event case, with its timers, over the
 * very seam that runs it.
 *
 * ```ts
 * const report = checkChart(circuitBreakerMachine, {
 *   events: [{ type: 'wait.elapsed', nowMs: 0, openUntilMs: 1 }, { type: 'wait.elapsed', nowMs: 1, openUntilMs: 1 }, …],
 *   memory: { initial: '', next: (last, request) => verdictOf(request) ?? last },
 *   invariants: { 'a disposed breaker refuses': ({ next, after }) => next.status !== 'done' || after === 'refuse' },
 * });
 * expect(report.problems).toEqual([]);
 * ```
 *
 * Problems are: an invariant that fails; an active state in which nothing can happen (deadlock); a state with no way to
 * an end, where the chart has an end at all; a state never entered or a transition never taken; a declared event without
 * a case, or a case that is not declared; a guard that throws; a loop. Each comes with the events that lead to it.
 *
 * Invariant: exploration is exact, as charts hold no context: a timer's event is sent only while that timer runs, in any
 * order with everything else. It knows nothing of durations.
 */
import type { AnyStateMachine, EventFrom } from 'xstate';
import { createError } from '../base/errors.ts';
import type { ChartEvent, ChartRequest, ChartSnapshot, Step } from '../chart/chart.ts';
import { CompiledChart } from '../chart/compile.ts';
import type { ChartEdge } from '../chart/subset.ts';

/** One step that the exploration saw. For the start, `state` is `next` and `event` is `xstate.init`. */
export interface SeenStep<E extends ChartEvent, M = undefined> {
  readonly state: ChartSnapshot;
  readonly event: E;
  readonly next: ChartSnapshot;
  readonly step: Step;
  /** What the chart's requests had amounted to before and after this step. */
  readonly before: M;
  readonly after: M;
}

/** How a chart is checked. */
export interface ChartCheck<E extends ChartEvent, M = undefined> {
  /** Every event in every variant that a guard or params tell apart. Default: each declared type without data. */
  readonly events?: readonly E[];
  /** What holds at every step; `false` or a throw is a problem. A test's `expect` may be used. */
  readonly invariants?: Readonly<Record<string, (seen: SeenStep<E, M>) => boolean | void>>;
  /** What requests amount to over time (the last verdict, a count that saturates): it becomes part of the state. */
  readonly memory?: {
    readonly initial: M;
    readonly next: (memory: M, request: ChartRequest, event: E) => M;
  };
  /** Tells memories apart. Default: as JSON. Memories with one key must be alike for every invariant. */
  readonly key?: (memory: M) => string;
  /** Problems that are known and meant, each as it is printed. One that no longer occurs is itself a problem. */
  readonly allow?: readonly string[];
  /** Most states to explore, so that a memory without end is refused. Default 100,000. */
  readonly limit?: number;
}

/** A reachable state with a shortest way to it. */
export interface ReachedState<E extends ChartEvent, M = undefined> {
  readonly snapshot: ChartSnapshot;
  readonly memory: M;
  readonly path: readonly E[];
}

/** What an exploration found. */
export interface ChartReport<E extends ChartEvent, M = undefined> {
  /** Empty when all is well. */
  readonly problems: readonly string[];
  readonly states: readonly ReachedState<E, M>[];
  /** Every step that took a transition. */
  readonly steps: readonly SeenStep<E, M>[];
}

/** A failing invariant is reported at most so often: the first says it all. */
const FAILURES_SHOWN = 3;

interface Place<E extends ChartEvent, M> extends ReachedState<E, M> {
  readonly key: string;
  readonly timers: ReadonlyMap<string, ChartEvent>;
  /** Keys of the places that a step leads to. */
  readonly onward: Set<string>;
  enabled: boolean;
}

/** A chart's value on one line. */
export const showValue = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value).replaceAll('"', '');

const showEvent = (event: ChartEvent): string => {
  const { type, ...data } = event;
  return Object.keys(data).length === 0 ? type : `${type} ${JSON.stringify(data)}`;
};

const showEdge = ({ source, on, targets, guard }: ChartEdge): string =>
  `${source} on ${on}${guard === undefined ? '' : ` if ${guard}`} → ${targets.length === 0 ? '(no target)' : targets.join(', ')}`;

const after = (path: readonly ChartEvent[]): string =>
  path.length === 0 ? 'at the start' : `after ${path.map(showEvent).join(', ')}`;

class Exploration<E extends ChartEvent, M> {
  readonly problems: string[] = [];
  readonly steps: SeenStep<E, M>[] = [];
  readonly places = new Map<string, Place<E, M>>();
  readonly taken = new Set<ChartEdge>();
  readonly #chart: CompiledChart;
  readonly #check: ChartCheck<E, M>;
  readonly #queue: Place<E, M>[] = [];
  readonly #failures = new Map<string, number>();

  constructor(chart: CompiledChart, check: ChartCheck<E, M>) {
    this.#chart = chart;
    this.#check = check;
  }

  run(): void {
    const { initial, initialEdges } = this.#chart;
    for (const edge of initialEdges) this.taken.add(edge);
    const init = { type: 'xstate.init' } as E;
    const first = this.#reach(initial, init, undefined);
    this.#hold(
      {
        state: initial.snapshot,
        event: init,
        next: initial.snapshot,
        step: initial,
        ...this.#memories(first),
      },
      [],
    );
    const declared = this.#chart.events.filter((type) => !type.startsWith('xstate.') && !type.includes('*'));
    const cases = this.#check.events ?? declared.map((type) => ({ type }) as E);
    for (let place = this.#queue.shift(); place !== undefined; place = this.#queue.shift()) {
      for (const event of cases) this.#try(place, event, place.timers);
      for (const [id, event] of place.timers) {
        const rest = new Map(place.timers);
        rest.delete(id);
        this.#try(place, event as E, rest);
      }
    }
    this.#judgeCases(declared, cases);
  }

  #memories(place: Place<E, M>): { before: M; after: M } {
    return { before: this.#check.memory?.initial as M, after: place.memory };
  }

  #try(place: Place<E, M>, event: E, timers: ReadonlyMap<string, ChartEvent>): void {
    let step: Step;
    try {
      step = this.#chart.step(place.snapshot, event);
    } catch (error) {
      this.problems.push(`${showEvent(event)} in ${showValue(place.snapshot.value)} throws ${String(error)}`);
      return;
    }
    if (!step.changed && timers === place.timers) return;
    for (const edge of this.#chart.edgesTaken(place.snapshot, event)) this.taken.add(edge);
    const reached = this.#reach(step, event, { ...place, timers });
    place.onward.add(reached.key);
    if (!step.changed) return;
    place.enabled = true;
    const seen: SeenStep<E, M> = {
      state: place.snapshot,
      event,
      next: step.snapshot,
      step,
      before: place.memory,
      after: reached.memory,
    };
    this.steps.push(seen);
    this.#hold(seen, [...place.path, event]);
  }

  #reach(step: Step, event: E, from: Place<E, M> | undefined): Place<E, M> {
    const timers = new Map(from?.timers);
    let memory = from === undefined ? (this.#check.memory?.initial as M) : from.memory;
    for (const request of step.requests) {
      if (request.kind === 'start_timer') timers.set(request.id, request.event);
      if (request.kind === 'cancel_timer') timers.delete(request.id);
      if (this.#check.memory !== undefined) memory = this.#check.memory.next(memory, request, event);
    }
    if (step.snapshot.status === 'done') timers.clear();
    const remembered = (this.#check.key ?? JSON.stringify)(memory);
    const armed = [...timers.keys()].sort().join(' ');
    const key = `${this.#chart.keyOf(step.snapshot)} | ${armed} | ${remembered}`;
    const known = this.places.get(key);
    if (known !== undefined) return known;
    const path = from === undefined ? [] : [...from.path, event];
    const { snapshot } = step;
    const place = { key, snapshot, memory, timers, path, onward: new Set<string>(), enabled: false };
    this.places.set(key, place);
    this.#queue.push(place);
    const limit = this.#check.limit ?? 100_000;
    if (this.places.size > limit) {
      throw createError('ERR_CHART_LOOP', { chart: this.#chart.id, limit, event: 'exploration' });
    }
    return place;
  }

  #hold(seen: SeenStep<E, M>, path: readonly E[]): void {
    for (const [name, holds] of Object.entries(this.#check.invariants ?? {})) {
      let why: string;
      try {
        if (holds(seen) !== false) continue;
        why = '';
      } catch (error) {
        why = `: ${error instanceof Error ? error.message : String(error)}`;
      }
      const count = (this.#failures.get(name) ?? 0) + 1;
      this.#failures.set(name, count);
      if (count > FAILURES_SHOWN) continue;
      const { state, next } = seen;
      this.problems.push(
        `"${name}" fails from ${showValue(state.value)} to ${showValue(next.value)} ${after(path)}${why}`,
      );
    }
  }

  #judgeCases(declared: readonly string[], cases: readonly E[]): void {
    const given = new Set(cases.map(({ type }) => type));
    for (const type of declared) if (!given.has(type)) this.problems.push(`event ${type} has no case`);
    for (const type of given)
      if (this.#chart.classOf(type) === undefined) this.problems.push(`event ${type} is not declared`);
  }
}

/** Places from which an end can be reached, by walking backwards from the ends. */
const endable = (places: ReadonlyMap<string, Place<never, never>>): ReadonlySet<string> => {
  const backward = new Map<string, string[]>();
  for (const { key, onward } of places.values()) {
    for (const next of onward) {
      const from = backward.get(next);
      if (from === undefined) backward.set(next, [key]);
      else from.push(key);
    }
  }
  const ends = [...places.values()].filter(({ snapshot }) => snapshot.status === 'done');
  const found = new Set(ends.map(({ key }) => key));
  const queue = [...found];
  for (let key = queue.pop(); key !== undefined; key = queue.pop()) {
    for (const previous of backward.get(key) ?? []) {
      if (found.has(previous)) continue;
      found.add(previous);
      queue.push(previous);
    }
  }
  return found;
};

const coverage = (chart: CompiledChart, exploration: Exploration<never, never>): readonly string[] => {
  const entered = new Set<string>();
  for (const { snapshot } of exploration.places.values())
    for (const id of chart.statesOf(snapshot)) entered.add(id);
  for (const { source } of exploration.taken) entered.add(source);
  return [
    ...chart.states.filter((id) => !entered.has(id)).map((id) => `state ${id} is never entered`),
    ...chart.edges
      .filter((edge) => !exploration.taken.has(edge))
      .map((edge) => `transition never taken: ${showEdge(edge)}`),
  ];
};

/**
 * Explores a machine of the subset that troupe compiles.
 *
 * @throws ERR_CHART_UNSUPPORTED for other machines; ERR_CHART_LOOP beyond `limit` states
 */
export const checkChart = <S extends AnyStateMachine, M = undefined>(
  machine: S,
  check: ChartCheck<EventFrom<S>, M> = {},
): ChartReport<EventFrom<S>, M> => {
  const chart = new CompiledChart(machine);
  const exploration = new Exploration<EventFrom<S>, M>(chart, check);
  exploration.run();
  const { places, problems, steps } = exploration;
  const states = [...places.values()];
  const toEnd = endable(places as unknown as ReadonlyMap<string, Place<never, never>>);
  for (const { snapshot, path, enabled, key } of states) {
    if (snapshot.status === 'done') continue;
    const where = `${showValue(snapshot.value)} (${after(path)})`;
    if (!enabled) problems.push(`deadlock: nothing can happen in ${where}`);
    else if (toEnd.size > 0 && !toEnd.has(key)) problems.push(`no way to an end from ${where}`);
  }
  problems.push(...coverage(chart, exploration as unknown as Exploration<never, never>));
  const allowed = new Set(check.allow);
  const found = new Set(problems);
  return {
    problems: [
      ...[...found].filter((problem) => !allowed.has(problem)),
      ...[...allowed]
        .filter((problem) => !found.has(problem))
        .map((p) => `allowed, but does not occur: ${p}`),
    ],
    states: states.map(({ snapshot, memory, path }) => ({ snapshot, memory, path })),
    steps,
  };
};
