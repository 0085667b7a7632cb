/**
 * What of a chart's transitions is an arrow and what is a line inside a box, and between which boxes of which container an arrow runs.
 *
 * Invariant: pure, and every transition is told exactly once: as an arrow among the children of the innermost state that holds both of
 * its ends, as an arrow from that state's own door, or as a line where an arrow would only be in the way.
 */
import type { ChartState, ChartTransition } from '../protocol.ts';

/** One transition in words: its event, and what stands beside it. */
export interface EdgeLine {
  readonly transition: ChartTransition;
  readonly words: string;
  readonly guard: string;
}

export interface Arrow {
  /** The children of the container between which it runs; `undefined`: from the container's own door. */
  readonly fromChild: string | undefined;
  readonly toChild: string;
  /** The states that it truly joins. */
  readonly from: string;
  readonly to: string;
  readonly lines: readonly EdgeLine[];
}

/** A transition told inside its source: it stays, reenters, goes up, or crosses from one region to another. */
export interface InnerLine extends EdgeLine {
  readonly sign: '↺' | '↰' | '⇢';
  readonly goal: string;
}

export interface Wiring {
  /** By the id of the container. */
  readonly arrows: ReadonlyMap<string, readonly Arrow[]>;
  /** By the id of the source. */
  readonly inner: ReadonlyMap<string, readonly InnerLine[]>;
}

interface Placed {
  readonly state: ChartState;
  readonly parent: string | undefined;
}

const placesOf = (root: ChartState): ReadonlyMap<string, Placed> => {
  const places = new Map<string, Placed>();
  const walk = (state: ChartState, parent: string | undefined): void => {
    places.set(state.id, { state, parent });
    for (const child of state.states) walk(child, state.id);
  };
  walk(root, undefined);
  return places;
};

/** From the root down to a state, its own id the last. */
const wayTo = (id: string, places: ReadonlyMap<string, Placed>): readonly string[] => {
  const way: string[] = [];
  for (let at: string | undefined = id; at !== undefined; at = places.get(at)?.parent) way.unshift(at);
  return way;
};

const sharedLength = (a: readonly string[], b: readonly string[]): number => {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) n += 1;
  return n;
};

/** Of several targets, the state that holds them all. */
const goalOf = (targets: readonly string[], places: ReadonlyMap<string, Placed>): string | undefined => {
  const known = targets.filter((id) => places.has(id));
  const ways = known.map((id) => wayTo(id, places));
  const [first, ...others] = ways;
  if (first === undefined) return undefined;
  const length = others.reduce((n, way) => Math.min(n, sharedLength(first, way)), first.length);
  return first[length - 1];
};

const lineOf = (transition: ChartTransition): EdgeLine => ({
  transition,
  words: transition.kind === 'after' ? `◷ ${transition.label}` : transition.label,
  guard: transition.guard === undefined ? '' : `[${transition.guard}]`,
});

const push = <T>(map: Map<string, T[]>, key: string, value: T): void => {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
};

type Route =
  | {
      readonly container: string;
      readonly fromChild: string | undefined;
      readonly toChild: string;
      readonly goal: string;
    }
  | { readonly sign: InnerLine['sign']; readonly goal: string };

/** How a transition is told. */
const routeOf = (source: string, goal: string | undefined, places: ReadonlyMap<string, Placed>): Route => {
  if (goal === undefined) return { sign: '↺', goal: '' };
  if (goal === source) return { sign: '↺', goal: '' };
  const [from, to] = [wayTo(source, places), wayTo(goal, places)];
  const shared = sharedLength(from, to);
  if (shared === to.length) return { sign: '↰', goal };
  const container = from[shared - 1] as string;
  const toChild = to[shared] as string;
  const isParallel = places.get(container)?.state.type === 'parallel';
  if (shared === from.length) {
    return isParallel ? { sign: '⇢', goal } : { container, fromChild: undefined, toChild, goal };
  }
  if (isParallel) return { sign: '⇢', goal };
  return { container, fromChild: from[shared] as string, toChild, goal };
};

/** Sorts all transitions of a chart. */
export const wire = (root: ChartState): Wiring => {
  const places = placesOf(root);
  const inner = new Map<string, InnerLine[]>();
  const bundles = new Map<string, Map<string, { arrow: Omit<Arrow, 'lines'>; lines: EdgeLine[] }>>();
  for (const { state } of places.values()) {
    for (const transition of state.transitions) {
      const line = lineOf(transition);
      const route = routeOf(state.id, goalOf(transition.targets, places), places);
      if ('sign' in route) {
        const goal = route.goal === '' ? '' : (places.get(route.goal)?.state.key ?? '');
        push(inner, state.id, { ...line, sign: route.sign, goal });
        continue;
      }
      const { container, fromChild, toChild, goal } = route;
      const bundle = bundles.get(container) ?? new Map();
      bundles.set(container, bundle);
      const key = `${state.id}→${goal}`;
      const known = bundle.get(key);
      if (known === undefined)
        bundle.set(key, { arrow: { fromChild, toChild, from: state.id, to: goal }, lines: [line] });
      else known.lines.push(line);
    }
  }
  const arrows = new Map(
    [...bundles].map(([container, bundle]) => [
      container,
      [...bundle.values()].map(({ arrow, lines }) => ({ ...arrow, lines })),
    ]),
  );
  return { arrows, inner };
};
