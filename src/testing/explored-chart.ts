/**
 * What an exploration steps: a chart of troupe's subset over the compiled seam that runs it, any other machine over XState's
 * own pure steps. Both in one form, so that one exploration serves either.
 *
 * Invariant: a step has no effect. What people are shown are XState's snapshots of the machine, whichever way it is stepped.
 */
import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import { isTroupeError } from '../base/errors.ts';
import type { ChartEvent, ChartSnapshot, Step } from '../chart/chart.ts';
import { CompiledChart } from '../chart/compile.ts';
import { standingOf } from '../chart/engine.ts';
import { ObservedMachine, type ObservedStep } from '../chart/observed.ts';
import type { ChartEdge } from '../chart/subset.ts';

/** One step of what is explored. */
export interface ExploredStep {
  /** Its snapshot is what the chart itself goes on from. */
  readonly step: Step;
  readonly edges: readonly ChartEdge[];
}

/** A chart as it is explored. */
export interface ExploredChart {
  readonly id: string;
  readonly states: readonly string[];
  readonly edges: readonly ChartEdge[];
  /** Its event descriptors. */
  readonly events: readonly string[];
  /** Whether the compiled chart is stepped: it has no context, and one timer an id. */
  readonly isCompiled: boolean;
  begin(): ExploredStep;
  step(from: ChartSnapshot, event: ChartEvent): ExploredStep;
  /** What tells snapshots apart, context excepted. */
  keyOf(snapshot: ChartSnapshot): string;
  statesOf(snapshot: ChartSnapshot): readonly string[];
  declares(type: string): boolean;
  /** XState's snapshot of it. */
  shown(snapshot: ChartSnapshot): AnyMachineSnapshot;
}

const compiled = (machine: AnyStateMachine): ExploredChart => {
  const chart = new CompiledChart(machine);
  const { id, states, edges, events, initial, initialEdges } = chart;
  return {
    id,
    states,
    edges,
    events,
    isCompiled: true,
    begin: () => ({ step: initial, edges: initialEdges }),
    step: (from, event) => {
      const step = chart.step(from, event);
      return { step, edges: step.changed ? chart.edgesTaken(from, event) : [] };
    },
    keyOf: (snapshot) => chart.keyOf(snapshot),
    statesOf: (snapshot) => chart.statesOf(snapshot),
    declares: (type) => chart.classOf(type) !== undefined,
    shown: (snapshot) => standingOf(snapshot, id).stateFor(machine),
  };
};

const asSeam = (snapshot: AnyMachineSnapshot): ChartSnapshot => snapshot as unknown as ChartSnapshot;
const asState = (snapshot: ChartSnapshot): AnyMachineSnapshot => snapshot as unknown as AnyMachineSnapshot;

const told = ({ snapshot, requests, changed, edges }: ObservedStep): ExploredStep => ({
  step: { snapshot: asSeam(snapshot), requests, changed },
  edges,
});

const observed = (machine: AnyStateMachine, input: unknown): ExploredChart => {
  const own = new ObservedMachine(machine);
  const { id, states, edges, events } = own;
  return {
    id,
    states,
    edges,
    events,
    isCompiled: false,
    begin: () => told(own.begin(input)),
    step: (from, event) => told(own.step(asState(from), event)),
    keyOf: (snapshot) => own.keyOf(asState(snapshot)),
    statesOf: (snapshot) => own.statesOf(asState(snapshot)),
    declares: (type) => own.declares(type),
    shown: asState,
  };
};

/** Readies a machine for exploration: compiled where that is possible. */
export const exploredChart = (machine: AnyStateMachine, input?: unknown): ExploredChart => {
  try {
    return compiled(machine);
  } catch (error) {
    if (!isTroupeError(error, 'ERR_CHART_UNSUPPORTED')) throw error;
    return observed(machine, input);
  }
};
