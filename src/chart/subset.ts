/**
 * The subset of XState that our charts keep to: checks a machine against it, and makes a copy whose guards and
 * transitions report to whoever steps it. Everything else about a copy is the machine's own.
 *
 * Invariant: what is outside the subset is refused by name, never passed over. Nothing here steps a machine.
 */
import { type AnyStateMachine, createMachine } from 'xstate';
import { createError } from '../base/errors.ts';
import type { ChartEvent, ChartNeeds } from './chart.ts';
import { compileGuard, guardName, type Test } from './guard.ts';

/** One transition as the machine declares it. */
export interface ChartEdge {
  /** The id of the state that declares it. */
  readonly source: string;
  /** Its event descriptor: a type, a wildcard, `always` or `onDone`. */
  readonly on: string;
  /** As written; empty for a targetless one. */
  readonly targets: readonly string[];
  /** The guard's name, where it has one. */
  readonly guard: string | undefined;
}

/** Params that are computed from the event, kept as data until a step renders them. */
export class ComputedParams {
  readonly compute: (args: { context: object; event: ChartEvent }) => unknown;

  constructor(compute: ComputedParams['compute']) {
    this.compute = compute;
  }
}

/** The action by which a copy tells that it took an edge. */
export const EDGE_ACTION = 'troupe.edge';

/**
 * Microsteps within one step, as XState counts them; a machine's `options.maxIterations` may ask for fewer. More is a
 * loop: no chart of ours takes ten.
 */
export const MICROSTEPS_MAX = 10_000;

/** A copy of a machine that reports what it does. */
export interface Instrumented {
  readonly machine: AnyStateMachine;
  /** The ids of all states, each before those within it. */
  readonly states: readonly string[];
  readonly edges: readonly ChartEdge[];
  readonly events: readonly string[];
  readonly needs: ChartNeeds;
}

/** Answers a guard for the copy: the very event that XState evaluates it with comes along. */
export type GuardOracle = (test: Test, event: ChartEvent) => boolean;

type Config = Readonly<Record<string, unknown>>;

const STATE_KEYS = new Set(
  'id initial type states entry exit on always after onDone description meta tags'.split(' '),
);
const ROOT_KEYS = new Set([...STATE_KEYS, 'version', 'types', 'schemas', 'context', 'options']);
const TRANSITION_KEYS = new Set(['target', 'actions', 'guard', 'reenter', 'description', 'meta']);
const STATE_TYPES: readonly unknown[] = [undefined, 'atomic', 'compound', 'parallel', 'final'];

const listOf = (value: unknown): readonly unknown[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];
const isEmpty = (value: unknown): boolean =>
  value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);

/**
 * Named delays reach XState as distinct negative numbers, so that what it schedules can be told by name again.
 * Numeric delays below 0 are refused.
 */
const tokenOf = (index: number): number => -1 - index;

/** The name behind a delay that XState resolved, or the ms themselves. */
export const delayOf = (needs: ChartNeeds, resolved: number): string | number =>
  resolved < 0 ? (needs.delays[-1 - resolved] as string) : resolved;

class Copier {
  readonly edges: ChartEdge[] = [];
  readonly actions = new Set<string>();
  readonly delays = new Set<string>();
  timers = false;
  readonly #machine: AnyStateMachine;
  readonly #oracle: GuardOracle;

  constructor(machine: AnyStateMachine, oracle: GuardOracle) {
    this.#machine = machine;
    this.#oracle = oracle;
  }

  #refuse(what: string, where: string): never {
    throw createError('ERR_CHART_UNSUPPORTED', { chart: this.#machine.id, what: `${what} (in ${where})` });
  }

  #only(config: Config, keys: ReadonlySet<string>, where: string): void {
    for (const key of Object.keys(config))
      if (!keys.has(key) && !isEmpty(config[key])) this.#refuse(`'${key}'`, where);
  }

  state(config: Config, path: readonly string[]): Config {
    const where = (config['id'] as string | undefined) ?? [this.#machine.id, ...path].join('.');
    this.#only(config, path.length === 0 ? ROOT_KEYS : STATE_KEYS, where);
    if (!STATE_TYPES.includes(config['type'])) this.#refuse(`a ${String(config['type'])} state`, where);
    if (!isEmpty(config['context'])) this.#refuse('context', where);
    const copy: Record<string, unknown> = { ...config };
    copy['entry'] = this.#actions(config['entry'], where);
    copy['exit'] = this.#actions(config['exit'], where);
    if (typeof config['initial'] === 'object' && config['initial'] !== null) {
      const initial = config['initial'] as Config;
      copy['initial'] = { ...initial, actions: this.#actions(initial['actions'], where) };
    }
    copy['on'] = this.#keyed(config['on'], where);
    copy['after'] = this.#after(config['after'], where);
    if (config['always']) copy['always'] = this.#transitions(config['always'], where, 'always');
    if (config['onDone']) copy['onDone'] = this.#transitions(config['onDone'], where, 'onDone');
    if (config['states'] !== undefined) {
      copy['states'] = Object.fromEntries(
        Object.entries(config['states'] as Record<string, Config>).map(([key, child]) => [
          key,
          this.state(child, [...path, key]),
        ]),
      );
    }
    return copy;
  }

  #keyed(on: unknown, where: string): Config {
    return Object.fromEntries(
      Object.entries((on ?? {}) as Config).map(([type, value]) => [
        type,
        this.#transitions(value, where, type),
      ]),
    );
  }

  #after(after: unknown, where: string): Config {
    for (const [delay, value] of Object.entries((after ?? {}) as Config)) {
      // XState spreads such a string into an object and loses the target.
      if (Array.isArray(value) && value.some((transition) => typeof transition !== 'object'))
        this.#refuse('a list of bare targets under after', where);
      this.timers = true;
      if (Number.isNaN(Number(delay))) this.delays.add(delay);
      else if (Number(delay) < 0) this.#refuse(`a delay of ${delay} ms`, where);
    }
    return this.#keyed(after, where);
  }

  #transitions(value: unknown, where: string, on: string): readonly Config[] {
    return (Array.isArray(value) ? value : [value]).map((written: unknown) => {
      const config: Config =
        typeof written === 'string' || written === undefined ? { target: written } : (written as Config);
      this.#only(config, TRANSITION_KEYS, `${where} on ${on}`);
      const edge: ChartEdge = {
        source: where,
        on,
        targets: listOf(config['target']) as readonly string[],
        guard: config['guard'] === undefined ? undefined : guardName(config['guard']),
      };
      this.edges.push(edge);
      const report = { type: EDGE_ACTION, params: edge };
      const copy = { ...config, actions: [report, ...this.#actions(config['actions'], where)] };
      if (config['guard'] === undefined) return copy;
      const test = compileGuard(config['guard'], this.#machine, where);
      const oracle = this.#oracle;
      return { ...copy, guard: ({ event }: { event: ChartEvent }) => oracle(test, event) };
    });
  }

  #actions(value: unknown, where: string): readonly unknown[] {
    return listOf(value).map((action) => {
      if (typeof action === 'function') return this.#builtin(action, where);
      const { type, params } = (typeof action === 'string' ? { type: action } : action) as {
        type: string;
        params?: unknown;
      };
      const implementation: unknown = (this.#machine.implementations.actions as Config)[type];
      if (typeof implementation === 'function' && 'resolve' in implementation)
        return this.#builtin(implementation, where);
      this.actions.add(type);
      return typeof params === 'function'
        ? { type, params: new ComputedParams(params as ComputedParams['compute']) }
        : action;
    });
  }

  /** XState's own actions carry what they do as fields; raising and cancelling fit, when they are plain data. */
  #builtin(action: Function, where: string): Function {
    const { type, event, id, delay, sendId } = action as unknown as Config;
    if (!('resolve' in action))
      return this.#refuse(`the inline action ${action.name || '(anonymous)'}`, where);
    if (type === 'xstate.cancel') {
      return typeof sendId === 'string' ? action : this.#refuse('a computed cancel', where);
    }
    if (type !== 'xstate.raise') return this.#refuse(`the action ${String(type)}`, where);
    if (typeof event === 'function') return this.#refuse('a raise of a computed event', where);
    if (delay === undefined) return action;
    if (typeof id !== 'string') return this.#refuse('a delayed raise without an id', where);
    if (typeof delay === 'function' || (typeof delay === 'number' && delay < 0))
      return this.#refuse('a raise with a computed or negative delay', where);
    this.timers = true;
    if (typeof delay === 'string') this.delays.add(delay);
    return action;
  }
}

/** Prefix of the events by which XState tells that a region is done: its own, nobody may send them. */
const DONE_STATE = 'xstate.done.state.';

/** All states of a machine, each before those within it. */
export const nodesOf = (machine: AnyStateMachine): readonly AnyStateMachine['root'][] => {
  const found: AnyStateMachine['root'][] = [];
  const waiting: AnyStateMachine['root'][] = [machine.root];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    found.push(node);
    waiting.push(...Object.values(node.states).reverse());
  }
  return found;
};

/** The event descriptors that a machine declares, XState's own for its regions excepted. */
export const descriptorsOf = (machine: AnyStateMachine): readonly string[] => [
  ...new Set(
    nodesOf(machine)
      .flatMap((node) => [...node.transitions.keys()].map(String))
      .filter((type) => !type.startsWith(DONE_STATE)),
  ),
];

/** Bounds a copy's loops and tells its delays apart. `machine` must be a copy: its options are replaced. */
const bounded = (machine: AnyStateMachine, needs: ChartNeeds): AnyStateMachine => {
  const delays = Object.fromEntries(needs.delays.map((name, index) => [name, () => tokenOf(index)]));
  const copy = machine.provide({ delays }) as AnyStateMachine;
  const own = copy.options.maxIterations ?? Infinity;
  copy.options = { ...copy.options, maxIterations: Math.min(own, MICROSTEPS_MAX) };
  return copy;
};

/**
 * Checks a machine against the subset and copies it. `instrumented` reports its edges as {@link EDGE_ACTION}s and asks
 * `oracle` for its guards; `plain` is the machine itself, with bounded loops and delays that keep their names.
 *
 * @throws ERR_CHART_UNSUPPORTED naming what is outside the subset, and where
 */
export const readMachine = (
  machine: AnyStateMachine,
  oracle: GuardOracle = (test, event) => test(event),
): { readonly instrumented: Instrumented; readonly plain: AnyStateMachine } => {
  const copier = new Copier(machine, oracle);
  const config = copier.state({ ...(machine.config as Config), id: machine.id }, []);
  const needs: ChartNeeds = Object.freeze({
    actions: Object.freeze([...copier.actions]),
    delays: Object.freeze([...copier.delays]),
    timers: copier.timers,
  });
  const copy = createMachine(config as never, { actions: machine.implementations.actions } as never);
  const instrumented = bounded(copy as AnyStateMachine, needs);
  return {
    instrumented: {
      machine: instrumented,
      states: nodesOf(instrumented).map(({ id }) => id),
      edges: copier.edges,
      events: Object.freeze(descriptorsOf(instrumented)),
      needs,
    },
    plain: bounded(machine, needs),
  };
};
