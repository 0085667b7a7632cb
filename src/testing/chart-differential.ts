/**
 * Proof that a compiled chart equals XState's interpreter: both are stepped side by side and everything the seam shows is
 * compared, value (with the order of its regions), status, whether a transition was taken, and each request in order.
 *
 * Invariant: the two share no step. One side may continue from the other's snapshot, so a wrong snapshot shows up too.
 */
import { isDeepStrictEqual } from 'node:util';
import type { AnyStateMachine } from 'xstate';
import type { Chart, ChartEvent, ChartSnapshot, Step } from '../chart/chart.ts';
import { CompiledChart } from '../chart/compile.ts';
import { interpretChart } from '../chart/interpret.ts';

/** Where two engines differ, in words. */
export interface Difference {
  /** The events up to and including the one at which they differ. */
  readonly events: readonly ChartEvent[];
  readonly compiled: unknown;
  readonly interpreted: unknown;
}

/** What a comparison covered, and the first difference, if there is one. */
export interface Comparison {
  readonly configurations: number;
  readonly steps: number;
  readonly difference: Difference | undefined;
}

/** What is compared of a step. The value goes as text: the order of regions decides XState's order of actions. */
const visible = ({ snapshot, requests, changed }: Step): object => ({
  value: JSON.stringify(snapshot.value),
  status: snapshot.status,
  changed,
  requests,
});

type Outcome =
  | { readonly step: Step; readonly shown: object }
  | { readonly step: undefined; readonly shown: object };

/** A throw is an outcome too. XState adds a preface to what a guard throws, so the messages are not compared. */
const failure = (error: unknown): object => ({ threw: (error as { code?: unknown }).code ?? true });

const attempt = (chart: Chart, snapshot: ChartSnapshot, event: ChartEvent): Outcome => {
  try {
    const step = chart.step(snapshot, event);
    return { step, shown: visible(step) };
  } catch (error) {
    return { step: undefined, shown: failure(error) };
  }
};

/** The events that a machine can be sent: the cases, one for every other declared type, and its timers'. */
export const casesFor = (events: readonly string[], cases: readonly ChartEvent[]): readonly ChartEvent[] => {
  const given = new Set(cases.map(({ type }) => type));
  return [...cases, ...events.filter((type) => !given.has(type)).map((type) => ({ type }))];
};

const NOTHING: Comparison = { configurations: 0, steps: 0, difference: undefined };

/** Starts both engines. A machine whose start fails is the same to both if it fails alike. */
const start = (
  machine: AnyStateMachine,
): { readonly compiled: CompiledChart; readonly interpreted: Chart } | Comparison => {
  const [ours, theirs] = [() => new CompiledChart(machine), () => interpretChart(machine) as Chart].map(
    (make) => {
      try {
        const chart = make();
        return { chart, shown: visible(chart.initial) };
      } catch (error) {
        return { chart: undefined, shown: failure(error) };
      }
    },
  ) as [{ chart: CompiledChart | undefined; shown: object }, { chart: Chart | undefined; shown: object }];
  if (!isDeepStrictEqual(ours.shown, theirs.shown))
    return { ...NOTHING, difference: { events: [], compiled: ours.shown, interpreted: theirs.shown } };
  if (ours.chart === undefined || theirs.chart === undefined) return NOTHING;
  return { compiled: ours.chart, interpreted: theirs.chart };
};

interface Pair {
  readonly compiled: ChartSnapshot;
  readonly interpreted: ChartSnapshot;
  readonly path: readonly ChartEvent[];
}

/**
 * Compares both engines on every configuration that a machine can reach by the given cases and its timers. Every edge is
 * stepped twice by the compiled engine: worked out, and looked up.
 */
export const compareEverywhere = (
  machine: AnyStateMachine,
  given: readonly ChartEvent[] = [],
  configurationsMax = 5_000,
): Comparison => {
  const started = start(machine);
  if (!('compiled' in started)) return started;
  const { compiled, interpreted } = started;
  const cases = casesFor(compiled.events, given);
  const seen = new Set([compiled.keyOf(compiled.initial.snapshot)]);
  const queue: Pair[] = [
    { compiled: compiled.initial.snapshot, interpreted: interpreted.initial.snapshot, path: [] },
  ];
  let steps = 0;
  for (let pair = queue.shift(); pair !== undefined; pair = queue.shift()) {
    for (const event of cases) {
      steps += 1;
      const anew = attempt(compiled, pair.compiled, event);
      const known = attempt(compiled, pair.compiled, event);
      const reference = attempt(interpreted, pair.interpreted, event);
      const path = [...pair.path, event];
      for (const { shown } of [anew, known]) {
        if (isDeepStrictEqual(shown, reference.shown)) continue;
        const difference = { events: path, compiled: shown, interpreted: reference.shown };
        return { configurations: seen.size, steps, difference };
      }
      if (anew.step === undefined || reference.step === undefined) continue;
      const next = { compiled: anew.step.snapshot, interpreted: reference.step.snapshot, path };
      const key = compiled.keyOf(next.compiled);
      if (key !== compiled.keyOf(next.interpreted)) {
        const difference = { events: path, compiled: key, interpreted: compiled.keyOf(next.interpreted) };
        return { configurations: seen.size, steps, difference };
      }
      if (seen.has(key) || seen.size >= configurationsMax) continue;
      seen.add(key);
      queue.push(next);
    }
  }
  return { configurations: seen.size, steps, difference: undefined };
};

/**
 * Compares both engines along one sequence of events, each event stepped by both from one snapshot, which is now the
 * compiled engine's, now the interpreter's: `turns[i]` odd means that the interpreter's goes on.
 */
export const compareAlong = (
  machine: AnyStateMachine,
  events: readonly ChartEvent[],
  turns: readonly number[],
): Comparison => {
  const started = start(machine);
  if (!('compiled' in started)) return started;
  const { compiled, interpreted } = started;
  let at = compiled.initial.snapshot;
  for (const [index, event] of events.entries()) {
    const ours = attempt(compiled, at, event);
    const theirs = attempt(interpreted, at, event);
    if (!isDeepStrictEqual(ours.shown, theirs.shown)) {
      const difference = {
        events: events.slice(0, index + 1),
        compiled: ours.shown,
        interpreted: theirs.shown,
      };
      return { configurations: 0, steps: index + 1, difference };
    }
    const next = (turns[index] ?? 0) % 2 === 0 ? ours : theirs;
    if (next.step !== undefined) at = next.step.snapshot;
  }
  return { configurations: 0, steps: events.length, difference: undefined };
};
