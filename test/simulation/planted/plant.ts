/**
 * The table of bugs on purpose: each replaces methods of the runtime's own classes while a test runs (planting.ts), and a
 * scenario that is deaf to all other properties must see the one violated that is there to find it.
 */
import { simulate } from '../../../src/testing/simulate.ts';
import type { SimulatedHost } from '../../../src/testing/simulated-host.ts';
import type { Check, Scenario, Stage } from '../../../src/testing/simulation.ts';
import type { Method, plant as put } from '../planting.ts';
import type { AnyScenario } from '../scenarios/index.ts';

export type { Method };
export type Put = typeof put;

/** A bug, and the properties of a scenario that are there to find it. */
export interface Bug {
  readonly bug: string;
  readonly scenario: AnyScenario;
  readonly violates: readonly string[];
  readonly plant: (put: Put) => void;
}

/** Nothing happens. */
export const nothing = (): Method => () => undefined;
/** Happens twice. */
export const twice = (original: Method): Method =>
  function (this: never, ...args: never[]) {
    Reflect.apply(original, this, args);
    return Reflect.apply(original, this, args);
  };
/** Answers what it is told to, after it has done what it does. */
export const saying =
  (answer: unknown) =>
  (original: Method): Method =>
    function (this: never, ...args: never[]) {
      Reflect.apply(original, this, args);
      return answer;
    };

/** Cancelling a timer does nothing. */
export const forgetful = (original: Method): Method =>
  function (this: SimulatedHost, ...args: never[]) {
    Reflect.apply(original, this as never, args);
    return { cancel: () => undefined };
  } as Method;

const FIRST_RUNS = 8;
const MOST_RUNS = 400;

/** The same scenario, deaf to all violations but one. */
const only = <W>(scenario: Scenario<W>, property: string): Scenario<W> => {
  const stages = new WeakMap<Stage, Stage>();
  const deaf = (stage: Stage): Stage => {
    const known = stages.get(stage);
    if (known !== undefined) return known;
    const made: Stage = {
      host: stage.host,
      option: (n) => stage.option(n),
      choose: (n, label) => stage.choose(n, label),
      reached: (name) => stage.reached(name),
      note: (fact) => stage.note(fact),
      violated: (name, why) => {
        if (name === property) stage.violated(name, why);
      },
      get healing() {
        return stage.healing;
      },
    };
    stages.set(stage, made);
    return made;
  };
  const judged = (checks: Readonly<Record<string, Check<W>>> = {}): Record<string, Check<W>> =>
    Object.fromEntries(
      Object.entries(checks).map(([name, check]) => [
        name,
        (world: W, stage: Stage) => {
          const why = check(world, deaf(stage));
          return name === property ? why : undefined;
        },
      ]),
    );
  const { heal } = scenario;
  return {
    ...scenario,
    setUp: (stage) => scenario.setUp(deaf(stage)),
    commands: Object.fromEntries(
      Object.entries(scenario.commands).map(([name, command]) => [
        name,
        (world: W, draw: (n: number) => number, stage: Stage) => command(world, draw, deaf(stage)),
      ]),
    ),
    always: judged(scenario.always),
    converged: judged(scenario.converged),
    ...(heal === undefined ? {} : { heal: (world: W, stage: Stage) => heal(world, deaf(stage)) }),
  };
};

/** Whether a property is violated in some of many runs; else what happened in their stead. */
export const finds = async (scenario: AnyScenario, property: string): Promise<string> => {
  const seen = new Set<string>();
  const judging = only(scenario, property);
  const options = {
    directory: false,
    shrinkRuns: 0,
    repeatOneIn: 0,
    collects: true,
  } as const;
  for (let from = 0, runs = FIRST_RUNS; from < MOST_RUNS; from += runs, runs = from) {
    const { failures } = await simulate(judging, { ...options, from, runs });
    for (const failure of failures) seen.add(failure.property);
    if (seen.has(property)) return property;
  }
  return `not found; but ${[...seen].join(', ') || 'nothing else either'}`;
};
