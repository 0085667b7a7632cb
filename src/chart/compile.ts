/**
 * Charts compiled from the machine object itself, as they run: the first step from a configuration by an event is
 * worked out by XState and kept as a decision tree of its guards; every later one is a look-up and the guards, live.
 *
 * Invariant: a step equals XState's on every path (`testing/chart-differential.ts` proves it). Given a configuration, an
 * event type and the answers of the guards in the order they are asked, XState's step is determined: that path is what
 * the tree stores. What is kept is bounded by the chart; undeclared event types add nothing.
 */
import type { AnyMachineSnapshot, AnyStateMachine, EventFrom } from 'xstate';
import type { Chart, ChartEvent, ChartNeeds, ChartRequest, ChartSnapshot, Step } from './chart.ts';
import {
  beginMachine,
  Declared,
  type EngineStep,
  NO_REQUESTS,
  requestOf,
  Standing,
  standingOf,
  stepMachine,
} from './engine.ts';
import { NO_CONTEXT, type Test } from './guard.ts';
import type { ActionOf } from './machine-types.ts';
import { type ChartEdge, ComputedParams, EDGE_ACTION, type Instrumented, readMachine } from './subset.ts';

/**
 * How many configurations and branches one chart keeps, so that a chart with an explosion of either costs time and not
 * memory: beyond it steps are worked out afresh. Our largest chart keeps some hundreds.
 */
const KEPT_MAX = 50_000;

/**
 * A guard that XState asked about the step's own event, with its answer. What a guard says of an event that the chart
 * raised by itself is the same each time, and so needs no asking again.
 */
interface Asked {
  readonly test: Test;
  readonly answer: boolean;
}

/** A request whose params are computed from the step's event. */
interface Computed {
  readonly type: string;
  readonly params: ComputedParams;
}

type Template = readonly (ChartRequest | Computed)[];

/** A node of a decision tree: asks `test`, or, where that is `undefined`, holds the outcome. */
class Branch {
  test: Test | undefined = undefined;
  yes: Branch | undefined = undefined;
  no: Branch | undefined = undefined;
  step: Step | undefined = undefined;
  /** Present where some params are computed: the step's requests are then rendered for each event. */
  template: Template | undefined = undefined;
  edges: readonly ChartEdge[] = [];
}

/** A configuration of one chart, with what is known of its steps. */
class Configuration extends Standing {
  readonly #owner: CompiledChart;
  /** By declared event type. */
  readonly #branches = new Map<string, Branch>();
  /** For undeclared types, by the wildcards that match them. */
  readonly #wild = new Map<string, Branch>();
  readonly #unchanged: Step;

  constructor(owner: CompiledChart, state: AnyMachineSnapshot) {
    super(state);
    this.#owner = owner;
    this.#unchanged = Object.freeze({ snapshot: this, requests: NO_REQUESTS, changed: false });
  }

  belongsTo(chart: CompiledChart): boolean {
    return this.#owner === chart;
  }

  step(event: ChartEvent): Step {
    const root = this.#branches.get(event.type);
    if (root !== undefined) {
      const leaf = follow(root, event);
      if (leaf?.step !== undefined) return leaf.template === undefined ? leaf.step : render(leaf, event);
    }
    return this.#stepAnew(event);
  }

  edgesOf(event: ChartEvent): readonly ChartEdge[] {
    return this.#leafFor(event)?.edges ?? [];
  }

  #stepAnew(event: ChartEvent): Step {
    const leaf = this.#leafFor(event);
    if (leaf?.step === undefined) return this.#unchanged;
    return leaf.template === undefined ? leaf.step : render(leaf, event);
  }

  /** The outcome for an event; `undefined` where the chart is done or does not declare it. */
  #leafFor(event: ChartEvent): Branch | undefined {
    if (this.status === 'done') return undefined;
    const kind = this.#owner.classOf(event.type);
    if (kind === undefined) return undefined;
    const branches = kind === event.type ? this.#branches : this.#wild;
    const root = branches.get(kind);
    const known = root === undefined ? undefined : follow(root, event);
    if (known !== undefined) return known;
    const { asked, leaf } = this.#owner.explore(this, this.#unchanged, event);
    if (!this.#owner.keep(asked.length + 1)) return leaf;
    const grown = root ?? new Branch();
    if (root === undefined) branches.set(kind, grown);
    return graft(grown, asked, leaf);
  }
}

/** Asks the guards of a tree about an event; `undefined` where nobody has come this way yet. */
const follow = (root: Branch, event: ChartEvent): Branch | undefined => {
  let at: Branch | undefined = root;
  while (at !== undefined && at.test !== undefined) {
    at = at.test(event) ? at.yes : at.no;
  }
  return at;
};

/** Adds a path to a tree. The branches it shares with older paths ask the same: only answers make a difference. */
const graft = (root: Branch, asked: readonly Asked[], leaf: Branch): Branch => {
  let at = root;
  for (const { test, answer } of asked) {
    at.test = test;
    if (answer) at = at.yes ??= new Branch();
    else at = at.no ??= new Branch();
  }
  return Object.assign(at, { step: leaf.step, template: leaf.template, edges: leaf.edges });
};

const paramsFor = ({ compute }: ComputedParams, event: ChartEvent): Readonly<Record<string, unknown>> =>
  compute({ context: NO_CONTEXT, event }) as Readonly<Record<string, unknown>>;

const isComputed = (request: ChartRequest | Computed): request is Computed =>
  'params' in request && request.params instanceof ComputedParams;

const render = ({ template = [], step }: Branch, event: ChartEvent): Step => ({
  snapshot: (step as Step).snapshot,
  changed: true,
  requests: template.map((request) =>
    isComputed(request)
      ? {
          kind: 'action',
          type: request.type,
          params: paramsFor(request.params, event),
        }
      : request,
  ),
});

/** A compiled chart; besides the seam it can tell which of its declared edges a step takes. */
export class CompiledChart implements Chart {
  readonly id: string;
  readonly events: readonly string[];
  readonly needs: ChartNeeds;
  readonly initial: Step;
  /** The ids of all its states, the root first. */
  readonly states: readonly string[];
  /** Every transition that the machine declares. */
  readonly edges: readonly ChartEdge[];
  /** The edges that entering the initial states took: those of `always`. */
  readonly initialEdges: readonly ChartEdge[];
  readonly #machine: AnyStateMachine;
  readonly #declared: Declared;
  readonly #configurations = new Map<string, Configuration>();
  #kept = 0;
  /** While XState works out a step: the event that stands for the step's own, that one, and the guards asked. */
  #exploring: { stand: ChartEvent; event: ChartEvent; asked: Asked[] } | undefined = undefined;

  constructor(machine: AnyStateMachine) {
    const read: Instrumented = readMachine(machine, (test, event) => this.#ask(test, event)).instrumented;
    this.id = machine.id;
    this.events = read.events;
    this.needs = read.needs;
    this.edges = read.edges;
    this.states = read.states;
    this.#machine = read.machine;
    this.#declared = new Declared(read.events);
    const begun = this.#leafOf(beginMachine(read.machine), undefined, undefined);
    this.initialEdges = begun.edges;
    this.initial = begun.step as Step;
  }

  step(snapshot: ChartSnapshot, event: ChartEvent): Step {
    return this.#own(snapshot).step(event);
  }

  /** The declared edges that a step takes, in order; empty when it takes none. */
  edgesTaken(snapshot: ChartSnapshot, event: ChartEvent): readonly ChartEdge[] {
    return this.#own(snapshot).edgesOf(event);
  }

  /** The ids of the states that are active in a snapshot. */
  statesOf(snapshot: ChartSnapshot): readonly string[] {
    return this.#own(snapshot).nodes;
  }

  /** What tells a snapshot from all others of this chart. */
  keyOf(snapshot: ChartSnapshot): string {
    return this.#own(snapshot).key;
  }

  /** The class of event types that it treats alike; `undefined` for those it does not declare. */
  classOf(type: string): string | undefined {
    return this.#declared.classOf(type);
  }

  /** @internal Whether so many more branches may be kept. */
  keep(count: number): boolean {
    if (this.#kept + count > KEPT_MAX) return false;
    this.#kept += count;
    return true;
  }

  /** @internal Has XState work out a step, noting which guards it asks. */
  explore(from: Standing, unchanged: Step, event: ChartEvent): { asked: readonly Asked[]; leaf: Branch } {
    const outer = this.#exploring;
    const stand: ChartEvent = { type: event.type };
    const exploring = { stand, event, asked: [] as Asked[] };
    this.#exploring = exploring;
    try {
      const stepped = stepMachine(this.#machine, from.stateFor(this.#machine), stand);
      return { asked: exploring.asked, leaf: this.#leafOf(stepped, unchanged, stand) };
    } finally {
      this.#exploring = outer;
    }
  }

  #own(snapshot: ChartSnapshot): Configuration {
    return snapshot instanceof Configuration && snapshot.belongsTo(this)
      ? snapshot
      : this.#intern(standingOf(snapshot, this.id).stateFor(this.#machine));
  }

  #ask(test: Test, asked: ChartEvent): boolean {
    const exploring = this.#exploring;
    if (exploring === undefined || asked !== exploring.stand) return test(asked);
    const answer = test(exploring.event);
    exploring.asked.push({ test, answer });
    return answer;
  }

  #intern(state: AnyMachineSnapshot): Configuration {
    const key = Standing.keyOf(state);
    const known = this.#configurations.get(key);
    if (known !== undefined) return known;
    const made = new Configuration(this, state);
    if (this.keep(1)) this.#configurations.set(key, made);
    return made;
  }

  #leafOf(stepped: EngineStep, unchanged: Step | undefined, stand: ChartEvent | undefined): Branch {
    const template: (ChartRequest | Computed)[] = [];
    const edges: ChartEdge[] = [];
    for (const action of stepped.actions) {
      const { type, params, event } = action;
      if (type === EDGE_ACTION) edges.push(params as ChartEdge);
      else if (!(params instanceof ComputedParams)) {
        const request = requestOf(action, this.needs);
        if (request !== undefined) template.push(request);
      } else if (event === stand) template.push({ type, params });
      else template.push({ kind: 'action', type, params: paramsFor(params, event) });
    }
    const leaf = new Branch();
    leaf.edges = edges;
    const computed = template.some(isComputed);
    leaf.template = computed ? template : undefined;
    leaf.step =
      unchanged !== undefined && edges.length === 0
        ? unchanged
        : Object.freeze({
            snapshot: this.#intern(stepped.state),
            requests:
              template.length === 0 || computed ? NO_REQUESTS : Object.freeze(template as ChartRequest[]),
            changed: true,
          });
    return leaf;
  }
}

/**
 * Compiles a machine of `setup(…).createMachine(…)` that keeps to the subset of our charts: any states but history;
 * named actions with params; named pure guards, and `and`, `or`, `not` of them; numeric or named delays; `always`;
 * `raise` and `cancel` of plain data. Named delays are the owner's to resolve, whatever the machine says of them.
 *
 * @throws ERR_CHART_UNSUPPORTED naming what is outside the subset; ERR_CHART_LOOP if its start does not come to rest
 */
export const compileChart = <M extends AnyStateMachine>(machine: M): Chart<EventFrom<M>, ActionOf<M>> =>
  new CompiledChart(machine) as Chart as Chart<EventFrom<M>, ActionOf<M>>;
