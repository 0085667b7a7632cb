/**
 * The only place where a chart meets XState's engine: one pure step of a machine through XState's own
 * `initialTransition` and `transition`, with what the machine asked for as requests.
 *
 * Invariant: nothing executes here; what XState calls executable actions are read as data. Both implementations of the
 * seam make their snapshots of {@link Standing}, so that either continues where the other stopped.
 */
import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyTransitionDefinition,
  initialTransition,
  transition,
} from 'xstate';
import { createError, isTroupeError } from '../base/errors.ts';
import { refuse } from '../base/options.ts';
import type { ChartEvent, ChartNeeds, ChartRequest, ChartSnapshot, ChartValue } from './chart.ts';
import { delayOf, EDGE_ACTION } from './subset.ts';

/** The event that a chart's first entry actions see, as XState names it. */
export const INITIAL_EVENT: ChartEvent = Object.freeze({ type: 'xstate.init' });

/** The requests of a step that asks for nothing. */
export const NO_REQUESTS: readonly ChartRequest[] = Object.freeze([]);

const freezeValue = (value: ChartValue): ChartValue => {
  if (typeof value !== 'string') {
    for (const part of Object.values(value)) freezeValue(part);
    Object.freeze(value);
  }
  return value;
};

/** A snapshot of either implementation: a configuration, as the *ordered* list of its states' ids. */
export class Standing implements ChartSnapshot {
  readonly value: ChartValue;
  readonly status: 'active' | 'done';
  readonly #state: AnyMachineSnapshot;

  constructor(state: AnyMachineSnapshot) {
    this.value = freezeValue(state.value as ChartValue);
    this.status = state.status === 'done' ? 'done' : 'active';
    this.#state = state;
  }

  /** The ids of its active states, in XState's order. */
  get nodes(): readonly string[] {
    return nodeIdsOf(this.#state);
  }

  get key(): string {
    return Standing.keyOf(this.#state);
  }

  /** What tells configurations apart: XState's order of regions depends on how they were entered. */
  static keyOf(state: AnyMachineSnapshot): string {
    return `${state.status} ${nodeIdsOf(state).join(' ')}`;
  }

  /** XState's snapshot of this standing, for a machine whose states bear the same ids. */
  stateFor(machine: AnyStateMachine): AnyMachineSnapshot {
    if (this.#state.machine === machine) return this.#state;
    const _nodes = nodeIdsOf(this.#state).map((id) => machine.getStateNodeById(`#${id}`));
    return { ...this.#state, machine, _nodes } as AnyMachineSnapshot;
  }
}

const nodeIdsOf = (state: AnyMachineSnapshot): readonly string[] => state._nodes.map((node) => node.id);

/** The standing behind a snapshot. @throws ERR_OPTION_INVALID for a snapshot that no chart made */
export const standingOf = (snapshot: ChartSnapshot, chartId: string): Standing =>
  snapshot instanceof Standing
    ? snapshot
    : refuse(`chart ${chartId}`, 'snapshot', 'a snapshot that a step of this chart gave', snapshot);

/** One action as XState hands it out. */
export interface EngineAction {
  readonly type: string;
  readonly params: unknown;
  /** The event it would be executed with: the one of its microstep. */
  readonly event: ChartEvent;
  /** What stood for the actor in this step. */
  readonly self: unknown;
}

/** What one step of the engine gave. */
export interface EngineStep {
  readonly state: AnyMachineSnapshot;
  readonly actions: readonly EngineAction[];
  /** The transitions that were selected, in order, be they without effect; those of the initial states are not told. */
  readonly transitions: readonly AnyTransitionDefinition[];
}

interface Executable {
  readonly type: string;
  readonly params: unknown;
  readonly info: { readonly event: ChartEvent; readonly self: unknown };
}

const actionsOf = (executables: readonly unknown[]): EngineAction[] =>
  (executables as readonly Executable[]).map(({ type, params, info }) => ({
    type,
    params,
    event: info.event,
    self: info.self,
  }));

const LOOP_MESSAGE = 'Infinite loop detected';

const rethrow = (machine: AnyStateMachine, event: ChartEvent, error: unknown): never => {
  if (!(error instanceof Error && error.message.startsWith(LOOP_MESSAGE)) || isTroupeError(error))
    throw error;
  throw createError(
    'ERR_CHART_LOOP',
    { chart: machine.id, limit: machine.options.maxIterations, event: event.type },
    { cause: error },
  );
};

/** XState builds an inert actor for each pure step, which would evaluate the initial guards each time. */
const INERT = { status: 'active', output: undefined, error: undefined };

/** What a pure step is given in place of an actor's surroundings. */
interface Scope {
  readonly system: { readonly inspect: (observe: (seen: Seen) => void) => unknown };
}

interface Seen {
  readonly type: string;
  readonly _transitions?: readonly AnyTransitionDefinition[];
}

const noteTransitions = (scope: Scope, transitions: AnyTransitionDefinition[]): void => {
  scope.system.inspect(({ type, _transitions = [] }) => {
    if (type === '@xstate.microstep') transitions.push(..._transitions);
  });
};

/** Enters a machine's initial states. @throws ERR_CHART_LOOP, and whatever a guard, params or its context throw */
export const beginMachine = (machine: AnyStateMachine, input?: unknown): EngineStep => {
  const transitions: AnyTransitionDefinition[] = [];
  let builtActor = false;
  const logic = {
    getInitialSnapshot: (scope: Scope, given: unknown) => {
      if (!builtActor) {
        builtActor = true;
        return INERT;
      }
      noteTransitions(scope, transitions);
      return machine.getInitialSnapshot(scope as never, given as never);
    },
    getPersistedSnapshot: () => INERT,
    transition: () => INERT,
  };
  const [state, executables] = initialTransition(logic as never, input as never) as unknown as [
    AnyMachineSnapshot,
    readonly unknown[],
  ];
  if (state.status === 'error') return rethrow(machine, INITIAL_EVENT, state.error);
  return { state, actions: actionsOf(executables), transitions };
};

/** Steps a machine. @throws ERR_CHART_LOOP, and whatever a guard or params throw */
export const stepMachine = (
  machine: AnyStateMachine,
  state: AnyMachineSnapshot,
  event: ChartEvent,
): EngineStep => {
  const transitions: AnyTransitionDefinition[] = [];
  const logic = {
    getInitialSnapshot: () => INERT,
    getPersistedSnapshot: () => INERT,
    transition: (from: AnyMachineSnapshot, received: ChartEvent, scope: Scope) => {
      noteTransitions(scope, transitions);
      return machine.transition(from, received, scope as never);
    },
  };
  try {
    const [next, executables] = transition(logic as never, state as never, event as never) as unknown as [
      AnyMachineSnapshot,
      readonly unknown[],
    ];
    return { state: next, actions: actionsOf(executables), transitions };
  } catch (error) {
    return rethrow(machine, event, error);
  }
};

/** XState's words for timers. A raise without a delay was handled within the step and asks for nothing. */
interface Raised {
  readonly event: ChartEvent;
  readonly id: string;
  readonly delay: number | undefined;
}

/** Reads an action as a request; `undefined` for what concerns only the step itself. */
export const requestOf = ({ type, params }: EngineAction, needs: ChartNeeds): ChartRequest | undefined => {
  if (type === EDGE_ACTION) return undefined;
  if (type === 'xstate.cancel')
    return Object.freeze({ kind: 'cancel_timer', id: (params as { sendId: string }).sendId });
  if (type === 'xstate.raise') {
    const { event, id, delay } = params as Raised;
    if (delay === undefined) return undefined;
    return Object.freeze({ kind: 'start_timer', id, delay: delayOf(needs, delay), event });
  }
  return Object.freeze({
    kind: 'action',
    type,
    params: params as Readonly<Record<string, unknown>> | undefined,
  });
};

/** Tells which events a chart takes: those it declares, and none of XState's own but its timers'. */
export class Declared {
  readonly #types: ReadonlySet<string>;
  readonly #wildcards: readonly string[];

  constructor(events: readonly string[]) {
    this.#types = new Set(events);
    this.#wildcards = events.filter((descriptor) => descriptor === '*' || descriptor.endsWith('.*'));
  }

  /**
   * The class of event types that a chart treats alike: the type itself where it is declared, else the wildcards that
   * match it; `undefined` where nothing does. There are no more classes than the chart has descriptors to form them.
   */
  classOf(type: string): string | undefined {
    if (this.#types.has(type)) return type;
    if (this.#wildcards.length === 0 || type.startsWith('xstate.')) return undefined;
    const matching = this.#wildcards.filter((descriptor) => matches(type, descriptor));
    return matching.length === 0 ? undefined : matching.join(' ');
  }
}

/** XState's rule: `a.b.*` is for `a.b` and all below it; a `*` in the middle matches nothing. */
const matches = (type: string, descriptor: string): boolean => {
  if (descriptor === '*') return true;
  const prefix = descriptor.slice(0, -2);
  if (prefix.split('.').includes('*')) return false;
  return type === prefix || type.startsWith(`${prefix}.`);
};
