/**
 * Charts run by XState's own interpreter, step by pure step: the reference that {@link compileChart} is held against.
 *
 * Invariant: what a step does is XState's decision alone; here its outcome is only read. It is some hundred times slower
 * than a compiled chart, and XState remembers every event type it is asked about: it is not for traffic.
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
import type { ActionOf } from './machine-types.ts';
import { readMachine } from './subset.ts';

class InterpretedChart implements Chart {
  readonly id: string;
  readonly events: readonly string[];
  readonly needs: ChartNeeds;
  readonly initial: Step;
  readonly #machine: AnyStateMachine;
  readonly #declared: Declared;

  constructor(machine: AnyStateMachine) {
    const { instrumented, plain } = readMachine(machine);
    this.id = machine.id;
    this.events = instrumented.events;
    this.needs = instrumented.needs;
    this.#machine = plain;
    this.#declared = new Declared(instrumented.events);
    this.initial = this.#stepOf(beginMachine(plain));
  }

  step(snapshot: ChartSnapshot, event: ChartEvent): Step {
    const standing = standingOf(snapshot, this.id);
    if (standing.status === 'active' && this.#declared.classOf(event.type) !== undefined) {
      const stepped = stepMachine(this.#machine, standing.stateFor(this.#machine), event);
      if (stepped.transitions.length > 0) return this.#stepOf(stepped);
    }
    return { snapshot, requests: NO_REQUESTS, changed: false };
  }

  #stepOf({ state, actions }: EngineStep): Step {
    const requests: ChartRequest[] = [];
    for (const action of actions) {
      const request = requestOf(action, this.needs);
      if (request !== undefined) requests.push(request);
    }
    return { snapshot: new Standing(state as AnyMachineSnapshot), requests, changed: true };
  }
}

/**
 * Steps a machine through XState's interpreter. Takes and refuses the same machines as {@link compileChart}.
 *
 * @throws ERR_CHART_UNSUPPORTED, ERR_CHART_LOOP
 */
export const interpretChart = <M extends AnyStateMachine>(machine: M): Chart<EventFrom<M>, ActionOf<M>> =>
  new InterpretedChart(machine) as Chart as Chart<EventFrom<M>, ActionOf<M>>;
