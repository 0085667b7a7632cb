/**
 * How decisions are generated: uniformly; by random priorities with change points (PCT, which finds a bug of depth d with a
 * known probability); mostly first come, first served; or every combination in turn, for tiny scenarios.
 *
 * Invariant: a strategy depends on its random source and on what it was asked so far, on nothing else.
 */
import type { Random } from '../base/random.ts';
import { FAULT_LABEL } from './faults.ts';
import type { Leaning } from './leaning.ts';
import type { Decide } from './simulated-host.ts';

export type StrategyName = 'uniform' | 'pct' | 'mostly_fifo';
export const STRATEGIES: readonly StrategyName[] = ['mostly_fifo', 'uniform', 'pct'];

/** What a schedule's decisions are labelled; all others are the scenario's own, or faults. */
const SCHEDULES: ReadonlySet<string> = new Set(['actor', 'arrival', 'timer']);
/** One decision in so many is out of order, where most are in order. */
const PERTURBED_ONE_IN = 12;
/** How many decisions a run is taken to have, when change points are strewn over it. */
const EXPECTED_DECISIONS = 120;
const MOST_CHANGE_POINTS = 4;

/** Priorities of PCT: the highest goes first, and at a change point whoever would go falls behind all others. */
class Priorities {
  readonly #random: Random;
  readonly #of = new WeakMap<object, number>();
  readonly #changes = new Set<number>();
  #decided = 0;
  #lowest = 0;

  constructor(random: Random) {
    this.#random = random;
    for (let left = random.below(MOST_CHANGE_POINTS + 1); left > 0; left--)
      this.#changes.add(random.below(EXPECTED_DECISIONS));
  }

  choose(ready: number, who: (index: number) => object | undefined): number {
    this.#decided += 1;
    let best = 0;
    let highest = Number.NEGATIVE_INFINITY;
    for (let index = 0; index < ready; index++) {
      const priority = this.#priorityOf(who(index));
      if (priority <= highest) continue;
      highest = priority;
      best = index;
    }
    const chosen = who(best);
    if (chosen !== undefined && this.#changes.has(this.#decided)) this.#of.set(chosen, --this.#lowest);
    return best;
  }

  #priorityOf(candidate: object | undefined): number {
    if (candidate === undefined) return this.#random.next();
    let priority = this.#of.get(candidate);
    if (priority === undefined) {
      priority = this.#random.next();
      this.#of.set(candidate, priority);
    }
    return priority;
  }
}

const scheduleBy = (strategy: StrategyName, random: Random): Decide => {
  if (strategy === 'uniform') return (ready) => random.below(ready);
  if (strategy === 'mostly_fifo')
    return (ready) => (random.below(PERTURBED_ONE_IN) === 0 ? random.below(ready) : 0);
  const priorities = new Priorities(random);
  return (ready, _label, who) => (who === undefined ? random.below(ready) : priorities.choose(ready, who));
};

/** Decisions of one run. Faults are as rare as it leans to. */
export const decideBy = (
  strategy: StrategyName,
  random: Random,
  { rarity }: Pick<Leaning, 'rarity'>,
): Decide => {
  const schedule = scheduleBy(strategy, random);
  return (ready, label, who) => {
    if (SCHEDULES.has(label)) return schedule(ready, label, who);
    if (!label.startsWith(FAULT_LABEL)) return random.below(ready);
    const oneIn = rarity(label);
    return oneIn !== undefined && random.below(oneIn) === 0 ? random.below(ready) : 0;
  };
};

/**
 * The next of all combinations: the last decision that has a possibility left takes it, and all after it start over.
 * `undefined` when there is none.
 */
export const nextCombination = (
  taken: readonly number[],
  among: readonly number[],
): readonly number[] | undefined => {
  for (let last = taken.length - 1; last >= 0; last--) {
    const next = (taken[last] ?? 0) + 1;
    if (next < (among[last] ?? 0)) return [...taken.slice(0, last), next];
  }
  return undefined;
};
