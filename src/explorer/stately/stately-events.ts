/**
 * What an explorer tells, in the words of Stately's inspector: actors with their machines, and a snapshot for each step.
 *
 * Invariants: bounded: of each actor that lives the last snapshot is kept, at most {@link ACTORS_KEPT} of them; whoever comes later is
 * told those first. Contexts are not told: they leave this machine.
 */
import type { ChartDefinition, Frame, Step, TreeRow } from '../protocol.ts';

/** Actors that are told of. Owner: one bridge; about 1 KB each, and the definitions once. */
export const ACTORS_KEPT = 500;
/** The version of `@statelyai/inspect` whose words these are. */
const WORDS_OF = '0.7.2';

/** What an inspector is sent, as JSON. */
export interface StatelyEvent {
  readonly type: '@xstate.actor' | '@xstate.snapshot';
  readonly sessionId: string;
  readonly rootId: string;
  readonly createdAt: string;
  readonly id: null;
  readonly _version: string;
  readonly name?: string;
  readonly parentId?: string;
  readonly definition?: string;
  readonly event?: { readonly type: string };
  readonly snapshot: { readonly status: string; readonly value: unknown; readonly context: object };
}

interface Known {
  readonly actor: StatelyEvent;
  readonly machine: string;
  readonly path: string;
  snapshot: StatelyEvent | undefined;
  state: string;
}

const sessionOf = (path: string, incarnation: number): string => `${path}@${incarnation}`;

const snapshotOf = (value: unknown, status = 'active'): StatelyEvent['snapshot'] => ({
  status,
  value,
  context: {},
});

export class StatelyEvents {
  readonly #definitions = new Map<string, ChartDefinition>();
  readonly #known = new Map<string, Known>();
  #root = '';
  #at = 0;

  /** What a frame tells, in order. */
  take(frame: Frame): readonly StatelyEvent[] {
    if (frame.type === 'hello') {
      this.#root = frame.body.name;
      this.#at = frame.body.at;
      return [];
    }
    if (frame.type === 'definition') {
      this.#definitions.set(frame.body.machine, frame.body);
      return [];
    }
    if (frame.type === 'tree') return this.#tree(frame.body.window);
    return frame.type === 'steps' ? frame.body.steps.flatMap((step) => this.#step(step)) : [];
  }

  /** For who comes later: every actor that lives, and where it stands. */
  standing(): readonly StatelyEvent[] {
    return [...this.#known.values()].flatMap(({ actor, snapshot }) =>
      snapshot === undefined ? [actor] : [actor, snapshot],
    );
  }

  #base(sessionId: string, at: number): Omit<StatelyEvent, 'type' | 'snapshot'> {
    return { sessionId, rootId: this.#root, createdAt: String(Math.round(at)), id: null, _version: WORDS_OF };
  }

  #tree(rows: readonly TreeRow[]): readonly StatelyEvent[] {
    const told: StatelyEvent[] = [];
    const alive = new Set<string>();
    for (const { type, path, incarnation, machine, state, restartedAt } of rows) {
      if (type !== 'actor' || incarnation === undefined || machine === undefined || state === undefined)
        continue;
      const session = sessionOf(path, incarnation);
      alive.add(session);
      const value = this.#valueOf(machine, state);
      told.push(...this.#met(session, { path, machine, value, at: restartedAt ?? this.#at }));
    }
    for (const [session, known] of this.#known) {
      if (alive.has(session)) continue;
      this.#known.delete(session);
      const value = known.snapshot?.snapshot.value ?? known.actor.snapshot.value;
      const event = { type: 'troupe.ended' };
      const ended = { ...this.#base(session, this.#at), snapshot: snapshotOf(value, 'stopped'), event };
      told.push({ type: '@xstate.snapshot', ...ended });
    }
    return told;
  }

  /** A row says a worker's two regions in words; its chart has them by name. */
  #valueOf(machine: string, state: unknown): unknown {
    const regions = this.#definitions.get(machine)?.root;
    if (regions?.type !== 'parallel' || typeof state !== 'string') return state;
    const words = state.split(', ');
    return Object.fromEntries(regions.states.map(({ key }, i) => [key, words[i] ?? words[0]]));
  }

  #met(
    session: string,
    seen: { readonly path: string; readonly machine: string; readonly value: unknown; readonly at: number },
  ): readonly StatelyEvent[] {
    const { path, machine, value, at } = seen;
    const state = JSON.stringify(value);
    const known = this.#known.get(session);
    if (known !== undefined) {
      if (known.state === state) return [];
      // Nobody told of the step: it fell between two pictures of the tree.
      return [this.#moved(known, session, { value, at: this.#at, event: 'troupe.changed' })];
    }
    const definition = this.#definitions.get(machine);
    if (definition === undefined || this.#known.size >= ACTORS_KEPT) return [];
    const actor: StatelyEvent = {
      type: '@xstate.actor',
      ...this.#base(session, at),
      name: path,
      parentId: path.slice(0, Math.max(0, path.lastIndexOf('/'))),
      definition: JSON.stringify(definition.config),
      snapshot: snapshotOf(value),
    };
    this.#known.set(session, { actor, machine, path, snapshot: undefined, state });
    return [actor];
  }

  #step({ path, incarnation, event, to, at }: Step): readonly StatelyEvent[] {
    this.#at = Math.max(this.#at, at);
    const session = sessionOf(path, incarnation);
    const known = this.#known.get(session);
    return known === undefined ? [] : [this.#moved(known, session, { value: to, at, event })];
  }

  #moved(
    known: Known,
    session: string,
    { value, at, event }: { readonly value: unknown; readonly at: number; readonly event: string },
  ): StatelyEvent {
    const base = this.#base(session, at);
    const moved: StatelyEvent = {
      type: '@xstate.snapshot',
      ...base,
      event: { type: event },
      snapshot: snapshotOf(value),
    };
    known.snapshot = moved;
    known.state = JSON.stringify(value);
    return moved;
  }
}
