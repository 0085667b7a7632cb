/**
 * The steps of charts: of users' machines as XState tells them, of troupe's own as their events tell them. For timelines, visit
 * heat and time travel.
 *
 * Invariant: bounded: a ring of {@link LIMITS.steps} steps for each of {@link ACTORS_KEPT} actors, the least recently stepping
 * forgotten first. Contexts are kept as what changed, redacted before anything is kept; and only for watched actors.
 */
import type { ChartStanding, History, Step } from './actor-view.ts';
import type { KnownChart } from './chart-definition.ts';
import { activeOf, enabledIn, inferTaken } from './chart-standing.ts';
import { LIMITS } from './protocol.ts';
import { Ring } from './ring.ts';
import { changesBetween } from './show-value.ts';
import type { Json, StateValue } from './tree-view.ts';

/** Actors whose steps are kept. Owner: one explorer; 200 steps are about 50 KB. */
const ACTORS_KEPT = 500;
/** The incarnation of a chart that lives before its actor does, or without one. */
export const NOBODY_YET = 0;

interface Past {
  readonly path: string;
  incarnation: number;
  machine: string;
  steps: Ring<Step>;
  visits: Record<string, number>;
  readonly since: number;
  value: StateValue | undefined;
  active: readonly string[];
  context: Json | undefined;
}

/** A step as its source tells it. */
export interface Seen {
  readonly path: string;
  readonly incarnation: number;
  readonly at: number;
  readonly event: string | undefined;
  readonly value: StateValue;
  readonly taken?: readonly string[];
  readonly actions?: readonly string[];
  readonly cause?: number | undefined;
  readonly fact?: number | undefined;
  /** The context after it, redacted and shown; absent where it is not kept. */
  readonly context?: Json | undefined;
}

export class Steps {
  /** The last steps of all. */
  readonly recent = new Ring<Step>(LIMITS.messages);
  readonly #pasts = new Map<string, Past>();

  /** Takes note of where a chart stands before anything is known of its steps. */
  seed(chart: KnownChart, seen: Omit<Seen, 'event'>): void {
    const known = this.#pasts.get(seen.path);
    if (known !== undefined && known.incarnation === seen.incarnation && known.value !== undefined) {
      known.context ??= seen.context;
      return;
    }
    const past = this.#of(chart, seen);
    past.value = seen.value;
    past.active = activeOf(chart.definition.root, seen.value);
    for (const id of past.active) past.visits[id] = (past.visits[id] ?? 0) + 1;
    past.context = seen.context;
  }

  /** Takes note of where a chart stands, and of the step that led there. */
  note(chart: KnownChart, seen: Seen): void {
    const past = this.#of(chart, seen);
    const active = activeOf(chart.definition.root, seen.value);
    const inferred =
      seen.taken === undefined ? inferTaken(chart, past.active, active, seen.event) : undefined;
    const changes =
      seen.context === undefined || past.context === undefined
        ? []
        : changesBetween(past.context, seen.context);
    const step = this.recent.add((n) => ({
      n,
      at: seen.at,
      path: seen.path,
      incarnation: seen.incarnation,
      machine: chart.definition.machine,
      event: seen.event ?? inferred?.event ?? '?',
      ...(seen.cause === undefined || seen.cause === 0 ? {} : { cause: seen.cause }),
      from: past.value,
      to: seen.value,
      active,
      taken: seen.taken ?? inferred?.taken.map(({ id }) => id) ?? [],
      actions: seen.actions ?? inferred?.taken.flatMap(({ actions }) => actions) ?? [],
      ...(seen.fact === undefined ? {} : { fact: seen.fact }),
      ...(changes.length === 0 ? {} : { changes }),
    }));
    for (const id of active) if (!past.active.includes(id)) past.visits[id] = (past.visits[id] ?? 0) + 1;
    past.value = seen.value;
    past.active = active;
    past.context = seen.context;
    past.steps.add(() => step);
  }

  /** Where a chart stands now, with what is known of how it came there. */
  standing(
    chart: KnownChart,
    about: {
      readonly path: string;
      readonly value: StateValue;
      readonly status: ChartStanding['status'];
      readonly snapshot?: unknown;
      readonly sendable: (type: string) => boolean;
      readonly now: number;
    },
  ): ChartStanding {
    const active = activeOf(chart.definition.root, about.value);
    const past = this.#pasts.get(about.path);
    const last = past?.steps.last();
    return {
      machine: chart.definition.machine,
      active,
      value: about.value,
      status: about.status,
      enabled: about.status === 'active' ? enabledIn(chart, active, about) : [],
      ...(last === undefined ? {} : { last }),
      visits: past?.visits ?? Object.fromEntries(active.map((id) => [id, 1])),
      since: past?.since ?? about.now,
    };
  }

  history(path: string, incarnation?: number): History | undefined {
    const past = this.#pasts.get(path);
    if (past === undefined) return undefined;
    const steps = past.steps.from(0);
    const wanted =
      incarnation === undefined ? steps : steps.filter((step) => step.incarnation === incarnation);
    return {
      path,
      incarnation: incarnation ?? past.incarnation,
      machine: past.machine,
      steps: wanted,
      since: past.since,
      forgotten: past.steps.forgotten,
      ...(past.context === undefined ? {} : { context: past.context }),
    };
  }

  #of(chart: KnownChart, { path, incarnation, at }: Omit<Seen, 'event'>): Past {
    const { machine } = chart.definition;
    let past = this.#pasts.get(path);
    if (past === undefined || past.machine !== machine) {
      past = {
        path,
        incarnation,
        machine,
        steps: new Ring<Step>(LIMITS.steps),
        visits: {},
        since: at,
        value: undefined,
        active: [],
        context: undefined,
      };
    } else if (past.incarnation === NOBODY_YET) {
      past.incarnation = incarnation;
    } else if (past.incarnation !== incarnation) {
      past.incarnation = incarnation;
      past.value = undefined;
      past.active = [];
      past.context = undefined;
    }
    this.#pasts.delete(path);
    this.#pasts.set(path, past);
    if (this.#pasts.size > ACTORS_KEPT) {
      for (const oldest of this.#pasts.keys()) {
        this.#pasts.delete(oldest);
        break;
      }
    }
    return past;
  }
}
