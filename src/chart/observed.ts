/**
 * Any machine of XState, with context, guards that read it, inline actions and children, stepped purely and told in the
 * words of the seam: for whoever explores machines that are outside the subset of our charts.
 *
 * Invariant: nothing is executed: no action, no child, no timer. A loop of eventless transitions is stopped. What a
 * step does to context is the machine's business: this does not look into it.
 */
import type { AnyMachineSnapshot, AnyStateMachine, AnyTransitionDefinition } from 'xstate';
import type { ChartEvent, ChartRequest } from './chart.ts';
import {
  beginMachine,
  Declared,
  type EngineAction,
  type EngineStep,
  Standing,
  stepMachine,
} from './engine.ts';
import { guardName } from './guard.ts';
import { type ChartEdge, descriptorsOf, MICROSTEPS_MAX, nodesOf } from './subset.ts';

/** One step of such a machine. */
export interface ObservedStep {
  readonly snapshot: AnyMachineSnapshot;
  readonly requests: readonly ChartRequest[];
  /** Whether a transition was taken, or the machine ended by an error. */
  readonly changed: boolean;
  readonly edges: readonly ChartEdge[];
}

/** XState's words for what comes later, or comes back to oneself. */
interface Delayed {
  readonly event: ChartEvent;
  readonly id: string | undefined;
  readonly delay: number | undefined;
  /** Of a `sendTo`. */
  readonly to?: unknown;
}

const AFTER = /^xstate\.after\.([^.]+)\./;

const edgeOf = (definition: AnyTransitionDefinition): ChartEdge => {
  const { source, eventType, target, guard } = definition;
  return {
    source: source.id,
    on: eventType === '' ? 'always' : eventType.replace(AFTER, 'after $1 of '),
    targets: (target ?? []).map(({ id }) => id),
    guard: guard === undefined ? undefined : guardName(guard),
  };
};

const timerOf = ({ event, id = '', delay = 0 }: Delayed): ChartRequest => ({
  kind: 'start_timer',
  id,
  delay,
  event,
});

/** Reads an action as a request. What a machine sends itself comes back like a timer's event: soon, but not at once. */
const requestOf = ({ type, params, self }: EngineAction): ChartRequest | undefined => {
  if (type === 'xstate.cancel') return { kind: 'cancel_timer', id: (params as { sendId: string }).sendId };
  if (type === 'xstate.raise') {
    const raised = params as Delayed;
    return raised.delay === undefined ? undefined : timerOf(raised);
  }
  if (type === 'xstate.sendTo' && (params as Delayed).to === self) return timerOf(params as Delayed);
  return { kind: 'action', type, params: params as Readonly<Record<string, unknown>> | undefined };
};

/** A machine outside the subset, ready to be explored. */
export class ObservedMachine {
  readonly id: string;
  /** The ids of all its states, the root first; pseudo-states excepted. */
  readonly states: readonly string[];
  /** Every transition that it declares. */
  readonly edges: readonly ChartEdge[];
  /** Its event descriptors, those of timers and children included. */
  readonly events: readonly string[];
  readonly #machine: AnyStateMachine;
  readonly #declared: Declared;
  readonly #edgeOf = new Map<AnyTransitionDefinition, ChartEdge>();

  constructor(machine: AnyStateMachine) {
    const copy = machine.provide({}) as AnyStateMachine;
    const own = copy.options?.maxIterations ?? Infinity;
    copy.options = { ...copy.options, maxIterations: Math.min(own, MICROSTEPS_MAX) };
    const nodes = nodesOf(copy);
    for (const { transitions, always = [] } of nodes)
      for (const definition of [...[...transitions.values()].flat(), ...always])
        this.#edgeOf.set(definition, edgeOf(definition));
    this.id = machine.id;
    this.states = nodes.filter(({ type }) => type !== 'history').map(({ id }) => id);
    this.edges = [...this.#edgeOf.values()];
    this.events = descriptorsOf(copy);
    this.#machine = copy;
    this.#declared = new Declared(this.events);
  }

  /** @throws ERR_CHART_LOOP, and whatever a guard or its context throws */
  begin(input: unknown): ObservedStep {
    return this.#told(beginMachine(this.#machine, input), true);
  }

  /** @throws ERR_CHART_LOOP, and whatever a guard or an assignment throws */
  step(snapshot: AnyMachineSnapshot, event: ChartEvent): ObservedStep {
    const stepped = stepMachine(this.#machine, snapshot, event);
    return this.#told(stepped, stepped.transitions.length > 0 || stepped.state.status === 'error');
  }

  /** What tells a snapshot from others: where it stands, and what its history states would go back to; not its context. */
  keyOf(snapshot: AnyMachineSnapshot): string {
    const remembered = Object.entries(snapshot.historyValue as Record<string, readonly { id: string }[]>)
      .map(([id, nodes]) => `${id}: ${nodes.map((node) => node.id).join(' ')}`)
      .sort();
    return [Standing.keyOf(snapshot), ...remembered].join('; ');
  }

  statesOf(snapshot: AnyMachineSnapshot): readonly string[] {
    return snapshot._nodes.map(({ id }) => id);
  }

  /** Whether it says what to do on such an event, by name or by a wildcard. */
  declares(type: string): boolean {
    return this.#declared.classOf(type) !== undefined;
  }

  #told({ state, actions, transitions }: EngineStep, changed: boolean): ObservedStep {
    const requests = actions.map(requestOf).filter((request) => request !== undefined);
    const edges = transitions.flatMap((definition) => this.#edgeOf.get(definition) ?? []);
    return { snapshot: state, requests, changed, edges };
  }
}
