/**
 * Where an actor stands in its chart: active states, what it would take now, and which transition a change of state must have
 * been where nobody saw it.
 *
 * Invariant: guards of users are asked with a bare event, guarded; what they throw, or read beyond the event's type, is `unknown`.
 */
import type { ChartState, ChartTransition, EnabledEvent } from './actor-view.ts';
import type { KnownChart } from './chart-definition.ts';
import type { StateValue } from './tree-view.ts';

/** Ids of all states that a value says are active, the root first. */
export const activeOf = (root: ChartState, value: StateValue): readonly string[] => {
  const active = [root.id];
  const parts = typeof value === 'string' ? [[value, undefined] as const] : Object.entries(value);
  for (const [key, below] of parts) {
    const child = root.states.find((state) => state.key === key);
    if (child === undefined) continue;
    if (below !== undefined) active.push(...activeOf(child, below));
    else active.push(child.id, ...initialBelow(child));
  }
  return active;
};

/** XState writes no value for what lies below an atomic state; a compound one always has one. */
const initialBelow = (state: ChartState): readonly string[] =>
  state.type === 'atomic' ? [] : (state.initial ?? []);

const transitionsFrom = (chart: KnownChart, active: readonly string[]): readonly ChartTransition[] =>
  active.flatMap((id) => chart.states.get(id)?.transitions ?? []);

/** What a snapshot of XState's answers. */
interface Asked {
  can(event: unknown): boolean;
}

/** Whether the guards let an event pass that is nothing but its type. */
const passes = (type: string, guarded: boolean, snapshot: Asked | undefined): EnabledEvent['passes'] => {
  if (!guarded) return 'yes';
  if (snapshot === undefined) return 'unknown';
  let readMore = false;
  const event = new Proxy(
    { type },
    {
      get: (bare, key) => {
        if (key !== 'type') readMore = true;
        return Reflect.get(bare, key) as unknown;
      },
      has: (bare, key) => {
        if (key !== 'type') readMore = true;
        return Reflect.has(bare, key);
      },
    },
  );
  try {
    const can = snapshot.can(event);
    if (readMore) return 'unknown';
    return can ? 'yes' : 'no';
  } catch {
    return 'unknown';
  }
};

/** The events that would do something now. */
export const enabledIn = (
  chart: KnownChart,
  active: readonly string[],
  options: { readonly snapshot?: unknown; readonly sendable: (type: string) => boolean },
): readonly EnabledEvent[] => {
  const byType = new Map<string, ChartTransition[]>();
  for (const transition of transitionsFrom(chart, active)) {
    if (transition.event === '') continue;
    const same = byType.get(transition.event);
    if (same === undefined) byType.set(transition.event, [transition]);
    else same.push(transition);
  }
  const asked = options.snapshot as Asked | undefined;
  return [...byType].map(([type, transitions]) => {
    const guarded = transitions.every(({ guard }) => guard !== undefined);
    const description = chart.definition.events[type];
    return {
      type,
      passes: passes(type, guarded, asked),
      transitions: transitions.map(({ id }) => id),
      ...(description === undefined ? {} : { description }),
      sendable: !type.startsWith('xstate.') && options.sendable(type),
    };
  });
};

/** The transitions that one step took, one a region at most, and their event. */
export interface Inferred {
  readonly event: string;
  readonly taken: readonly ChartTransition[];
}

/** A state takes the first of its transitions that fits: the order of a machine is the order of its guards. */
const firstOfEach = (
  chart: KnownChart,
  before: readonly string[],
  fits: (one: ChartTransition) => boolean,
): readonly ChartTransition[] => before.flatMap((id) => chart.states.get(id)?.transitions.find(fits) ?? []);

/** The transitions that must have led from one configuration to another, where only one event can have. */
export const inferTaken = (
  chart: KnownChart,
  before: readonly string[],
  after: readonly string[],
  event?: string,
): Inferred | undefined => {
  const entered = new Set(after.filter((id) => !before.includes(id)));
  const leads = (one: ChartTransition): boolean => one.targets.some((id) => entered.has(id));
  const events = new Set(
    transitionsFrom(chart, before)
      .filter(leads)
      .map((one) => one.event),
  );
  const only = event ?? (events.size === 1 ? [...events][0] : undefined);
  if (only === undefined) return undefined;
  const taken = firstOfEach(chart, before, (one) => one.event === only && leads(one));
  if (taken.length > 0) return { event: only, taken };
  if (event === undefined || entered.size > 0) return undefined;
  // It stayed where it was: whether a guard let anything happen there nobody saw.
  const own = transitionsFrom(chart, before).filter((one) => one.event === event);
  const stays = own.every(
    ({ guard, targets }) => guard === undefined && targets.every((id) => after.includes(id)),
  );
  return own.length > 0 && stays ? { event, taken: own } : undefined;
};
