/**
 * Goes through every state that a chart can reach, in the order of their distance from the start.
 *
 * Invariant: the way to a place is a shortest one, as places are found breadth first. A timer's event comes only while that
 * timer runs, a child's answer only while that child lives, in any order with everything else: durations are not known
 * here. What would make the exploration unsound (a key that sees less than guards do, context that is changed in place,
 * assignments by chance) is refused, never passed over.
 */
import type { AnyActorRef, AnyMachineSnapshot } from 'xstate';
import { createError } from '../base/errors.ts';
import { refuse } from '../base/options.ts';
import type { ChartEvent, ChartRequest, ChartSnapshot, Step } from '../chart/chart.ts';
import type { ChartEdge } from '../chart/subset.ts';
import { showData, showEvent, showPath, showSnapshot } from './chart-words.ts';
import type { ExploredChart } from './explored-chart.ts';
import { keyOfData, Unkeyable } from './state-key.ts';

/** One step that the exploration saw. For the start, `state` is `next` and `event` is `xstate.init`. */
export interface SeenStep<E extends ChartEvent, M = undefined, N = AnyMachineSnapshot> {
  readonly state: N;
  readonly event: E;
  readonly next: N;
  readonly step: Step;
  /** The transitions that it took, as the machine declares them, in order. */
  readonly edges: readonly ChartEdge[];
  /** What the chart's requests had amounted to before and after this step. */
  readonly before: M;
  readonly after: M;
  /** The events from the start up to this one: as few as lead to it. */
  readonly path: readonly E[];
}

/** What a child may answer, in every variant that the machine tells apart. None: it never does. */
export interface ChildAnswers {
  /** Outputs, one of which it ends with. */
  readonly done?: readonly unknown[];
  /** Errors, one of which it fails with. */
  readonly error?: readonly unknown[];
  /** Snapshots that it may show, any number of times, where the machine looks at them. */
  readonly snapshot?: readonly unknown[];
}

/** What an exploration is asked for. */
export interface Inquiry<E extends ChartEvent, M, N> {
  readonly events?: readonly E[] | ((snapshot: N) => readonly E[]);
  readonly invariants?: Readonly<Record<string, (seen: SeenStep<E, M, N>) => boolean | void>>;
  readonly memory?: {
    readonly initial: M;
    readonly next: (memory: M, request: ChartRequest, event: E) => M;
  };
  readonly key?: (snapshot: N) => unknown;
  readonly children?: Readonly<Record<string, ChildAnswers>>;
  readonly limit: number;
}

/** An invariant that failed. */
export interface Violation<E extends ChartEvent, N> {
  readonly invariant: string;
  readonly state: N;
  readonly event: E;
  readonly next: N;
  /** The events that lead to it, the last included. No way is shorter. */
  readonly path: readonly E[];
  /** What it threw, if it did. */
  readonly why: string;
}

/** An event that is to come: a timer's, or one that the machine sent to itself. */
interface Pending {
  readonly id: string;
  readonly event: ChartEvent;
}

/** A failing invariant is reported at most so often: the first says it all. */
const FAILURES_SHOWN = 3;
const NOTHING_PENDING: readonly Pending[] = [];

/** A state that was reached, and how it was first. */
export class Place<E extends ChartEvent, M, N> {
  readonly key: string;
  readonly snapshot: ChartSnapshot;
  readonly state: N;
  /** Of the context alone. */
  readonly contextKey: string;
  readonly memory: M;
  readonly pending: readonly Pending[];
  /** The ids of the children that have not ended. */
  readonly living: ReadonlySet<string>;
  readonly from: Place<E, M, N> | undefined;
  readonly event: E;
  /** Where its steps lead. */
  readonly onward = new Set<Place<E, M, N>>();
  enabled = false;

  constructor(known: Omit<Place<E, M, N>, 'onward' | 'enabled' | 'way' | 'path' | 'isActive'>) {
    this.key = known.key;
    this.snapshot = known.snapshot;
    this.state = known.state;
    this.contextKey = known.contextKey;
    this.memory = known.memory;
    this.pending = known.pending;
    this.living = known.living;
    this.from = known.from;
    this.event = known.event;
  }

  get isActive(): boolean {
    return this.snapshot.status === 'active';
  }

  /** The places that lead here, the start excepted, this one included. */
  get way(): readonly Place<E, M, N>[] {
    const way: Place<E, M, N>[] = [];
    for (let at: Place<E, M, N> = this; at.from !== undefined; at = at.from) way.push(at);
    return way.reverse();
  }

  get path(): readonly E[] {
    return this.way.map(({ event }) => event);
  }
}

/** Where a step comes from, and what is left of what was pending and living before it. */
interface Origin<E extends ChartEvent, M, N> {
  readonly place: Place<E, M, N>;
  readonly pending: readonly Pending[];
  readonly living: ReadonlySet<string>;
}

/** The first step that took some transition. */
export interface Trail<E extends ChartEvent, M, N> {
  readonly place: Place<E, M, N>;
  readonly event: E;
  readonly next: N;
}

const childrenOf = (state: AnyMachineSnapshot): Readonly<Record<string, AnyActorRef | undefined>> =>
  (state.children ?? {}) as Readonly<Record<string, AnyActorRef | undefined>>;

const without = <T>(list: readonly T[], index: number): readonly T[] => list.filter((_, at) => at !== index);

export class Exploration<E extends ChartEvent, M, N> {
  readonly problems: string[] = [];
  readonly violations: Violation<E, N>[] = [];
  readonly steps: SeenStep<E, M, N>[] = [];
  readonly trails: Trail<E, M, N>[] = [];
  readonly places = new Map<string, Place<E, M, N>>();
  readonly taken = new Set<ChartEdge>();
  readonly #chart: ExploredChart;
  readonly #inquiry: Inquiry<E, M, N>;
  readonly #declared: readonly string[];
  readonly #given = new Set<string>();
  readonly #queue: Place<E, M, N>[] = [];
  readonly #failures = new Map<string, number>();

  constructor(chart: ExploredChart, inquiry: Inquiry<E, M, N>) {
    this.#chart = chart;
    this.#inquiry = inquiry;
    this.#declared = chart.events.filter((type) => !type.startsWith('xstate.') && !type.includes('*'));
  }

  run(): void {
    const { step, edges } = this.#chart.begin();
    for (const edge of edges) this.taken.add(edge);
    const init = { type: 'xstate.init' } as E;
    const first = this.#reach(step, init, undefined);
    const { state, memory } = first;
    const before = this.#inquiry.memory?.initial as M;
    this.#hold({ state, event: init, next: state, step, edges, before, after: memory, path: [] });
    for (let index = 0; index < this.#queue.length; index++) {
      const place = this.#queue[index] as Place<E, M, N>;
      if (place.isActive) this.#leave(place);
    }
    this.#judgeCases();
  }

  /** Tries all that may happen in a place. */
  #leave(place: Place<E, M, N>): void {
    const { pending, living } = place;
    for (const event of this.#casesIn(place)) this.#try(event, { place, pending, living });
    for (const [index, { event }] of pending.entries())
      this.#try(event as E, { place, pending: without(pending, index), living });
    for (const id of living) this.#hearChild(place, id);
  }

  #casesIn({ state }: Place<E, M, N>): readonly E[] {
    const { events } = this.#inquiry;
    const cases = typeof events === 'function' ? events(state) : events;
    if (cases === undefined) return this.#declared.map((type) => ({ type }) as E);
    for (const { type } of cases) {
      if (type.startsWith('xstate.'))
        refuse('checkChart()', 'events', "no event of XState's own: children answer under children", type);
      this.#given.add(type);
    }
    return cases;
  }

  #hearChild(place: Place<E, M, N>, id: string): void {
    const { done = [], error = [], snapshot = [] } = this.#answersOf(place, id);
    const { pending, living } = place;
    const rest = new Set(living);
    rest.delete(id);
    for (const output of done) {
      const event = { type: `xstate.done.actor.${id}`, output, actorId: id };
      this.#try(event as ChartEvent as E, { place, pending, living: rest });
    }
    for (const each of error) {
      const event = { type: `xstate.error.actor.${id}`, error: each, actorId: id };
      this.#try(event as ChartEvent as E, { place, pending, living: rest });
    }
    for (const each of snapshot) {
      const event = { type: `xstate.snapshot.${id}`, snapshot: each };
      this.#try(event as ChartEvent as E, { place, pending, living });
    }
  }

  #answersOf({ state }: Place<E, M, N>, id: string): ChildAnswers {
    const { children = {} } = this.#inquiry;
    const shown = state as unknown as AnyMachineSnapshot;
    const source: unknown = childrenOf(shown)[id]?.src;
    const answers = children[id] ?? (typeof source === 'string' ? children[source] : undefined);
    if (answers !== undefined) return answers;
    throw this.#childError(`the child ${id}`, shown, 'may answer something, and nobody says what');
  }

  #childError(child: string, state: AnyMachineSnapshot, what: string): Error {
    return createError('ERR_CHART_CHILD', { chart: this.#chart.id, child, state: showSnapshot(state), what });
  }

  #try(event: E, origin: Origin<E, M, N>): void {
    const { place, pending, living } = origin;
    const explored = this.#step(place, event);
    if (explored === undefined) return;
    const { step, edges } = explored;
    if (!step.changed && pending === place.pending && living === place.living) return;
    if (step.changed) this.#checkUntouched(place, event);
    const reached = this.#reach(step, event, origin);
    place.onward.add(reached);
    if (!step.changed) return;
    const next = this.#shown(step.snapshot);
    if (edges.some((edge) => !this.taken.has(edge))) this.trails.push({ place, event, next });
    for (const edge of edges) this.taken.add(edge);
    place.enabled = true;
    const { state, memory: before } = place;
    const seen: SeenStep<E, M, N> = {
      state,
      event,
      next,
      step,
      edges,
      before,
      after: reached.memory,
      get path() {
        return [...place.path, event];
      },
    };
    this.steps.push(seen);
    this.#hold(seen);
    const { status, error } = next as unknown as AnyMachineSnapshot;
    if (status === 'error') this.#problem(`the machine ends by ${String(error)}`, place, event);
  }

  #step(place: Place<E, M, N>, event: E) {
    try {
      return this.#chart.step(place.snapshot, event);
    } catch (error) {
      this.#problem(`${showEvent(event)} in ${this.#shownOn(place)} throws ${String(error)}`, place, event);
      return undefined;
    }
  }

  #problem(what: string, place: Place<E, M, N>, event: E): void {
    this.problems.push(`${what} (${showPath([...place.path, event])})`);
  }

  #shown(snapshot: ChartSnapshot): N {
    return this.#chart.shown(snapshot) as unknown as N;
  }

  #shownOn({ state }: Place<E, M, N>): string {
    return showSnapshot(state as unknown as AnyMachineSnapshot);
  }

  #reach(step: Step, event: E, origin: Origin<E, M, N> | undefined): Place<E, M, N> {
    const from = origin?.place;
    const state = this.#shown(step.snapshot);
    const pending = this.#pendingAfter(step, origin?.pending ?? NOTHING_PENDING);
    const living = this.#livingAfter(state as unknown as AnyMachineSnapshot, origin);
    const { memory: remembering } = this.#inquiry;
    let memory = from === undefined ? (remembering?.initial as M) : from.memory;
    if (remembering !== undefined)
      for (const request of step.requests) memory = remembering.next(memory, request, event);
    const contextKey = this.#contextKey(state);
    const key = [
      this.#chart.keyOf(step.snapshot),
      contextKey,
      pending
        .map(({ id, event: due }) => `${id} ${this.#key('the pending event', due)}`)
        .sort()
        .join(', '),
      [...living].sort().join(' '),
      this.#key('memory', memory),
    ].join(' | ');
    const known = this.places.get(key);
    if (known !== undefined) return known;
    if (from !== undefined) this.#checkRepeatable(from, event, step.snapshot, contextKey);
    if (this.places.size >= this.#inquiry.limit) throw this.#tooMany();
    const { snapshot } = step;
    const place = new Place({ key, snapshot, state, contextKey, memory, pending, living, from, event });
    this.places.set(key, place);
    this.#queue.push(place);
    return place;
  }

  #pendingAfter(step: Step, before: readonly Pending[]): readonly Pending[] {
    if (step.snapshot.status !== 'active') return NOTHING_PENDING;
    let pending = before;
    for (const request of step.requests) {
      if (request.kind === 'action') continue;
      const { id } = request;
      if (request.kind === 'cancel_timer' || this.#chart.isCompiled)
        pending = pending.filter((each) => each.id !== id);
      if (request.kind === 'start_timer') pending = [...pending, { id, event: request.event }];
    }
    return pending;
  }

  #livingAfter(state: AnyMachineSnapshot, origin: Origin<E, M, N> | undefined): ReadonlySet<string> {
    const children = childrenOf(state);
    const before = childrenOf((origin?.place.state ?? { children: {} }) as AnyMachineSnapshot);
    const living = new Set<string>();
    if (state.status !== 'active') return living;
    for (const [id, child] of Object.entries(children)) {
      if (child !== undefined && child.id === child.sessionId)
        throw this.#childError('a child', state, 'is spawned without an id');
      if (!(id in before) || before[id] !== child || origin?.living.has(id) === true) living.add(id);
    }
    return living;
  }

  #contextKey(state: N): string {
    if (this.#chart.isCompiled) return '';
    const { key } = this.#inquiry;
    if (key !== undefined) return this.#key('key', key(state));
    return this.#key('context', (state as unknown as AnyMachineSnapshot).context);
  }

  #key(name: string, value: unknown): string {
    try {
      return keyOfData(name, value);
    } catch (error) {
      if (!(error instanceof Unkeyable)) throw error;
      const { path, what } = error;
      throw createError('ERR_CHART_STATE_KEY', { chart: this.#chart.id, path, what });
    }
  }

  /** An assignment that changes the old context changes a state that others are still to be explored from. */
  #checkUntouched(place: Place<E, M, N>, event: E): void {
    if (this.#chart.isCompiled || this.#contextKey(place.state) === place.contextKey) return;
    throw this.#impure(place, event, 'changes the context in place');
  }

  #checkRepeatable(from: Place<E, M, N>, event: E, first: ChartSnapshot, contextKey: string): void {
    if (this.#chart.isCompiled) return;
    const { snapshot } = this.#chart.step(from.snapshot, event).step;
    if (this.#chart.keyOf(snapshot) !== this.#chart.keyOf(first))
      throw this.#impure(from, event, 'leads elsewhere each time');
    if (this.#contextKey(this.#shown(snapshot)) !== contextKey)
      throw this.#impure(from, event, 'assigns something else each time');
  }

  #impure(place: Place<E, M, N>, event: E, what: string): Error {
    const state = this.#shownOn(place);
    return createError('ERR_CHART_IMPURE', {
      chart: this.#chart.id,
      event: showEvent(event),
      state,
      what,
    });
  }

  /** What grows, as far as it can be told. */
  #tooMany(): Error {
    const values = new Map<string, Set<string>>();
    for (const { state } of this.places.values()) {
      const { context } = state as unknown as AnyMachineSnapshot;
      for (const [name, value] of Object.entries((context ?? {}) as object)) {
        const seen = values.get(name) ?? new Set();
        values.set(name, seen.add(showData(value)));
      }
    }
    const [most] = [...values].sort(([, a], [, b]) => b.size - a.size);
    const hint = most === undefined ? '' : `; context.${most[0]} alone has ${most[1].size} values`;
    return createError('ERR_CHART_STATES', {
      chart: this.#chart.id,
      limit: this.#inquiry.limit,
      states: this.places.size,
      hint,
    });
  }

  #hold(seen: SeenStep<E, M, N>): void {
    for (const [name, holds] of Object.entries(this.#inquiry.invariants ?? {})) {
      let why: string;
      try {
        if (holds(seen) !== false) continue;
        why = '';
      } catch (error) {
        why = error instanceof Error ? error.message : String(error);
      }
      const count = (this.#failures.get(name) ?? 0) + 1;
      this.#failures.set(name, count);
      if (count > FAILURES_SHOWN) continue;
      const { state, event, next, path } = seen;
      this.violations.push({ invariant: name, state, event, next, path, why });
      const [was, is] = [state, next].map((each) => showSnapshot(each as unknown as AnyMachineSnapshot));
      const said = why === '' ? '' : `: ${why}`;
      this.problems.push(`"${name}" fails from ${was} to ${is} ${showPath(path)}${said}`);
    }
  }

  #judgeCases(): void {
    if (this.#inquiry.events === undefined) return;
    for (const type of this.#declared)
      if (!this.#given.has(type)) this.problems.push(`event ${type} has no case`);
    for (const type of this.#given)
      if (!this.#chart.declares(type)) this.problems.push(`event ${type} is not declared`);
  }
}
