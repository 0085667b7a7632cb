/**
 * Whether a history is linearizable: whether its operations could have happened one after the other, each at one moment between
 * its call and its return, on a model that does one thing at a time (Herlihy and Wing, 1990). Searched as Wing and Gong do, with
 * Lowe's memory of what was tried (2017), key by key; operations whose outcome is unknown may have happened or not.
 *
 * Invariant: `violated` is said only where no order exists, `linearizable` only where one was found; where the search was
 * given up it is `inconclusive`. What is shown of a failure is a history that fails by itself.
 */
import { integer, resolveOptions } from '../base/options.ts';
import type { Operation } from './history.ts';
import { drawHistory } from './history-diagram.ts';

/** What something does when nobody else is there: the specification. States are values: JSON tells them apart. */
export interface SequentialModel<S = unknown, I = unknown, O = unknown> {
  readonly name: string;
  readonly initial: S;
  /**
   * The states that the operation may lead to from `state`, with the output that it had; none: it cannot have happened here.
   * Where the outcome is `unknown`, those of all outputs that it may have had.
   */
  step(state: S, operation: Operation<I, O>): readonly S[];
  /** The words for an operation in a diagram. Default: JSON. */
  describe?(operation: Operation<I, O>): { readonly call: string; readonly answer: string };
}

export interface LinearizabilityOptions {
  /** Steps that the search may take for one key. Default 2,000,000. */
  readonly maxSteps?: number;
}

export interface LinearizabilityReport {
  readonly verdict: 'linearizable' | 'violated' | 'inconclusive';
  /** Steps that were taken. */
  readonly steps: number;
  /** The key that failed, or on which the search was given up. */
  readonly key?: string;
  /** Of a violation: the shortest run that shows it, from states that it may have begun in. */
  readonly operations?: readonly Operation[];
  readonly from?: readonly unknown[];
  /** That run as a Mermaid sequence diagram. */
  readonly diagram?: string;
}

const DEFAULTS = { maxSteps: 2_000_000 };

/** A call or a return in the list of what remains. */
interface Entry {
  readonly operation: number;
  readonly isCall: boolean;
  previous: Entry | undefined;
  next: Entry | undefined;
  /** Of a call: its return, where there was one. */
  matching: Entry | undefined;
}

interface Taken {
  readonly entry: Entry;
  readonly states: States;
}

/** The states that all that was taken may have led to, by the JSON of each. */
type States = ReadonlyMap<string, unknown>;

/** What is left of the steps; shared by the searches of one key. */
interface Budget {
  left: number;
}

class GaveUp extends Error {}

const statesOf = (list: Iterable<unknown>): States =>
  new Map(Array.from(list, (state) => [JSON.stringify(state), state]));

const keyOf = (states: States): string => [...states.keys()].sort().join('\n');

/** One search over the operations of one key. */
class Search {
  readonly #model: SequentialModel;
  readonly #operations: readonly Operation[];
  readonly #budget: Budget;
  readonly #head: Entry = entryOf(-1, false);
  readonly #tried = new Set<string>();
  readonly #mask: Uint32Array;
  readonly #taken: Taken[] = [];
  #states: States;
  #open: number;

  constructor(model: SequentialModel, operations: readonly Operation[], from: States, budget: Budget) {
    this.#model = model;
    this.#operations = operations;
    this.#states = from;
    this.#budget = budget;
    this.#mask = new Uint32Array(Math.ceil(operations.length / 32));
    this.#open = operations.filter(({ outcome }) => outcome === 'known').length;
    this.#link();
  }

  /** Whether there is an order at all. */
  finds(): boolean {
    return this.#run(() => true);
  }

  /** All states that may be left when everything has happened. */
  ends(): States {
    const ends = new Map<string, unknown>();
    this.#run((states) => {
      for (const [key, state] of states) ends.set(key, state);
      return false;
    });
    return ends;
  }

  #run(done: (states: States) => boolean): boolean {
    let entry = this.#head.next;
    for (;;) {
      if (this.#open === 0 && done(this.#states)) return true;
      if (this.#open > 0 && entry?.isCall === true) {
        entry = this.#take(entry) ? this.#head.next : entry.next;
        continue;
      }
      // Something returned untaken, or nothing is left to take: one of those taken was taken too soon.
      const last = this.#taken.pop();
      if (last === undefined) return false;
      this.#putBack(last);
      entry = last.entry.next;
    }
  }

  #take(entry: Entry): boolean {
    this.#budget.left -= 1;
    if (this.#budget.left < 0) throw new GaveUp();
    const operation = this.#operations[entry.operation] as Operation;
    const next = new Map<string, unknown>();
    for (const state of this.#states.values())
      for (const after of this.#model.step(state, operation)) next.set(JSON.stringify(after), after);
    if (next.size === 0) return false;
    this.#flip(entry);
    const tried = `${this.#mask.join()}|${keyOf(next)}`;
    if (this.#tried.has(tried)) {
      this.#flip(entry);
      return false;
    }
    this.#tried.add(tried);
    this.#taken.push({ entry, states: this.#states });
    this.#states = next;
    if (operation.outcome === 'known') this.#open -= 1;
    unlink(entry);
    if (entry.matching !== undefined) unlink(entry.matching);
    return true;
  }

  #putBack({ entry, states }: Taken): void {
    if (entry.matching !== undefined) relink(entry.matching);
    relink(entry);
    this.#flip(entry);
    this.#states = states;
    if (this.#operations[entry.operation]?.outcome === 'known') this.#open += 1;
  }

  #flip({ operation }: Entry): void {
    const word = operation >>> 5;
    this.#mask[word] = (this.#mask[word] ?? 0) ^ (1 << (operation & 31));
  }

  #link(): void {
    const entries = this.#operations.flatMap((operation, index) => {
      const call = entryOf(index, true);
      const placed = [{ at: operation.calledAt, entry: call }];
      if (operation.outcome === 'known') {
        call.matching = entryOf(index, false);
        placed.push({ at: operation.returnedAt, entry: call.matching });
      }
      return placed;
    });
    entries.sort((a, b) => a.at - b.at);
    let last = this.#head;
    for (const { entry } of entries) {
      entry.previous = last;
      last.next = entry;
      last = entry;
    }
  }
}

const entryOf = (operation: number, isCall: boolean): Entry => ({
  operation,
  isCall,
  previous: undefined,
  next: undefined,
  matching: undefined,
});

const unlink = ({ previous, next }: Entry): void => {
  if (previous !== undefined) previous.next = next;
  if (next !== undefined) next.previous = previous;
};

const relink = (entry: Entry): void => {
  if (entry.previous !== undefined) entry.previous.next = entry;
  if (entry.next !== undefined) entry.next.previous = entry;
};

/** The history as it was at one moment: what had not returned by then is open. */
const until = (operations: readonly Operation[], moment: number): readonly Operation[] =>
  operations
    .filter(({ calledAt }) => calledAt <= moment)
    .map((operation) =>
      operation.returnedAt <= moment
        ? operation
        : { ...operation, output: undefined, outcome: 'unknown', returnedAt: Number.POSITIVE_INFINITY },
    );

/** What can be said of one key. */
class KeyCheck {
  readonly #model: SequentialModel;
  readonly #budget: Budget;
  readonly #initial: States;

  constructor(model: SequentialModel, budget: Budget) {
    this.#model = model;
    this.#budget = budget;
    this.#initial = statesOf([model.initial]);
  }

  holds(operations: readonly Operation[], from: States = this.#initial): boolean {
    return new Search(this.#model, operations, from, this.#budget).finds();
  }

  /**
   * The shortest run that fails: it ends with the first answer that no order explains (every beginning of a linearizable history
   * is linearizable), and begins after the last moment at which nothing was under way from which it still fails.
   */
  shortest(operations: readonly Operation[]): { readonly run: readonly Operation[]; readonly from: States } {
    const returns = operations
      .filter(({ outcome }) => outcome === 'known')
      .map(({ returnedAt }) => returnedAt)
      .sort((a, b) => a - b);
    let [low, high] = [0, returns.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.holds(until(operations, returns[middle] ?? 0))) low = middle + 1;
      else high = middle;
    }
    const run = until(operations, returns[low] ?? 0);
    return this.#lateStart(run);
  }

  #lateStart(run: readonly Operation[]): { readonly run: readonly Operation[]; readonly from: States } {
    const ordered = [...run].sort((a, b) => a.calledAt - b.calledAt);
    let [start, from, latest] = [0, this.#initial, -1];
    for (const [index, { calledAt, returnedAt }] of ordered.entries()) {
      if (index > start && latest < calledAt) {
        from = new Search(this.#model, ordered.slice(start, index), from, this.#budget).ends();
        start = index;
      }
      latest = Math.max(latest, returnedAt);
    }
    return { run: this.#withoutIdle(ordered.slice(start), from), from };
  }

  /** Open operations that change nothing about the failure only distract from it. */
  #withoutIdle(run: readonly Operation[], from: States): readonly Operation[] {
    const without = run.filter(({ outcome }) => outcome === 'known');
    return this.holds(without, from) ? run : without;
  }
}

/**
 * Whether what was noted of some clients is linearizable by a model. A violation comes with its shortest run, and with a diagram
 * of that.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const checkLinearizable = <S, I, O>(
  model: SequentialModel<S, I, O>,
  operations: readonly Operation<I, O>[],
  options: LinearizabilityOptions = {},
): LinearizabilityReport => {
  const { maxSteps } = resolveOptions('checkLinearizable', options, { maxSteps: integer(1) }, DEFAULTS);
  const keys = new Map<string, Operation[]>();
  for (const operation of operations) {
    const own = keys.get(operation.key);
    if (own === undefined) keys.set(operation.key, [operation]);
    else own.push(operation);
  }
  let steps = 0;
  for (const [key, own] of keys) {
    const budget = { left: maxSteps };
    const check = new KeyCheck(model as unknown as SequentialModel, budget);
    try {
      const holds = check.holds(own);
      steps += maxSteps - budget.left;
      if (!holds) return { steps, ...violation(model as unknown as SequentialModel, key, own) };
    } catch (error) {
      if (!(error instanceof GaveUp)) throw error;
      return { verdict: 'inconclusive', steps: steps + maxSteps, key };
    }
  }
  return { verdict: 'linearizable', steps };
};

/** How much longer the search for a short run may take than that for any. */
const SHORTENING_STEPS = 5_000_000;

const violation = (
  model: SequentialModel,
  key: string,
  operations: readonly Operation[],
): Omit<LinearizabilityReport, 'steps'> => {
  let [run, from]: [readonly Operation[], readonly unknown[]] = [operations, [model.initial]];
  try {
    const shortest = new KeyCheck(model, { left: SHORTENING_STEPS }).shortest(operations);
    [run, from] = [shortest.run, [...shortest.from.values()]];
  } catch (error) {
    if (!(error instanceof GaveUp)) throw error;
  }
  return { verdict: 'violated', key, operations: run, from, diagram: drawHistory(model, run, from) };
};
