/**
 * Reads an XState machine as a chart to draw: its states, transitions and words, as JSON. Once a machine, whoever asks.
 *
 * Invariant: it only reads the machine object; ids are the same for every viewer and every process that runs the same machine.
 * Inline functions are shown by their names, never by their source.
 */
import type { ChartDefinition, ChartState, ChartTransition } from './actor-view.ts';
import { showValue } from './show-value.ts';
import type { Json } from './tree-view.ts';

/** What is read of a transition of XState's. */
export interface MachineTransition {
  readonly source: MachineNode;
  readonly target: readonly MachineNode[] | undefined;
  readonly eventType: string;
  readonly guard?: unknown;
  readonly actions: readonly unknown[];
  readonly reenter?: boolean;
  readonly description?: string | undefined;
}

/** What is read of a state node of XState's. */
export interface MachineNode {
  readonly id: string;
  readonly key: string;
  readonly type: ChartState['type'];
  readonly history: 'shallow' | 'deep' | boolean;
  readonly initial?: { readonly target?: readonly MachineNode[] | undefined } | undefined;
  readonly description?: string | undefined;
  readonly tags: readonly string[];
  readonly meta?: unknown;
  readonly entry: readonly unknown[];
  readonly exit: readonly unknown[];
  readonly invoke: readonly { readonly id: string; readonly src: unknown }[];
  readonly transitions: ReadonlyMap<string, readonly MachineTransition[]>;
  readonly always?: readonly MachineTransition[] | undefined;
  readonly after: readonly { readonly eventType: string; readonly delay: unknown }[];
  readonly states: Readonly<Record<string, MachineNode>>;
}

/** What is read of a machine of XState's. */
export interface Machine {
  readonly id: string;
  readonly root: MachineNode;
  readonly config: unknown;
}

/** A definition, with the way from XState's own objects to its ids. */
export interface KnownChart {
  readonly definition: ChartDefinition;
  /** The id of a transition object of this machine. */
  idOf(transition: unknown): string | undefined;
  readonly states: ReadonlyMap<string, ChartState>;
}

const nameOf = (implementation: unknown): string => {
  if (typeof implementation === 'string') return implementation;
  if (typeof implementation === 'function') return implementation.name || 'inline';
  const type = (implementation as { readonly type?: unknown } | null | undefined)?.type;
  return typeof type === 'string' ? type : 'inline';
};

const namesOf = (actions: readonly unknown[]): readonly string[] => actions.map(nameOf);

const kindOf = (event: string): ChartTransition['kind'] => {
  if (event === '') return 'always';
  if (event.startsWith('xstate.after.')) return 'after';
  if (event.startsWith('xstate.done.')) return 'done';
  if (event.startsWith('xstate.error.')) return 'error';
  return event.startsWith('xstate.snapshot.') ? 'snapshot' : 'event';
};

const showDelay = (delay: number | string): string => {
  if (typeof delay === 'string') return delay;
  return delay % 1_000 === 0 ? `${delay / 1_000} s` : `${delay} ms`;
};

const labelOf = (
  kind: ChartTransition['kind'],
  event: string,
  delay: number | string | undefined,
): string => {
  if (kind === 'after') return `after ${delay === undefined ? '?' : showDelay(delay)}`;
  if (kind === 'always') return 'always';
  if (kind === 'event') return event;
  const about = event.split('.').slice(3).join('.');
  return about === '' ? kind : `${kind}: ${about}`;
};

const delayOf = (node: MachineNode, event: string): number | string | undefined => {
  const { delay } = node.after.find(({ eventType }) => eventType === event) ?? {};
  return typeof delay === 'number' || typeof delay === 'string'
    ? delay
    : delay === undefined
      ? undefined
      : nameOf(delay);
};

const hashOf = (text: string): string => {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
};

class Reader {
  readonly ids = new Map<unknown, string>();
  readonly states = new Map<string, ChartState>();

  state(node: MachineNode): ChartState {
    const transitions: ChartTransition[] = [];
    const groups = [...node.transitions.values(), ...(node.always === undefined ? [] : [node.always])];
    for (const group of groups)
      for (const [i, one] of group.entries()) transitions.push(this.#transition(node, one, i));
    const state: ChartState = {
      id: node.id,
      key: node.key,
      type: node.type,
      ...(node.type === 'history' ? { history: node.history === 'deep' ? 'deep' : 'shallow' } : {}),
      ...(node.type === 'compound' ? { initial: (node.initial?.target ?? []).map(({ id }) => id) } : {}),
      ...(node.description === undefined ? {} : { description: node.description }),
      tags: [...node.tags],
      entry: namesOf(node.entry),
      exit: namesOf(node.exit),
      invokes: node.invoke.map(({ id, src }) => ({ id, src: nameOf(src) })),
      transitions,
      states: Object.values(node.states).map((child) => this.state(child)),
    };
    this.states.set(node.id, state);
    return state;
  }

  #transition(node: MachineNode, one: MachineTransition, index: number): ChartTransition {
    const { eventType, guard, actions, target, reenter, description } = one;
    const id = `${node.id}:${eventType}:${index}`;
    this.ids.set(one, id);
    const kind = kindOf(eventType);
    const delay = kind === 'after' ? delayOf(node, eventType) : undefined;
    return {
      id,
      event: eventType,
      kind,
      label: labelOf(kind, eventType, delay),
      ...(delay === undefined ? {} : { delay }),
      ...(guard === undefined ? {} : { guard: nameOf(guard) }),
      actions: namesOf(actions),
      targets: (target ?? []).map((state) => state.id),
      reenter: reenter === true,
      ...(description === undefined ? {} : { description }),
    };
  }
}

const eventsOf = (root: MachineNode): Readonly<Record<string, string>> => {
  const { events } = (root.meta ?? {}) as { readonly events?: unknown };
  if (typeof events !== 'object' || events === null) return {};
  return Object.fromEntries(Object.entries(events).map(([type, words]) => [type, String(words)]));
};

/** What of a config is data of the observed program, which no redaction has seen. */
const DATA: readonly string[] = ['context', 'input', 'schemas', 'types'];

const withoutData = (config: Json): Json => {
  if (typeof config !== 'object' || config === null) return config;
  if (Array.isArray(config)) return config.map(withoutData);
  const kept = Object.entries(config).filter(([key]) => !DATA.includes(key));
  return Object.fromEntries(
    kept.map(([key, value]) => [key, isNames(key) ? withoutNames(value) : withoutData(value)]),
  );
};

/** Below these a key is a name that the program gave: a state may be called `context`. */
const isNames = (key: string): boolean => key === 'states' || key === 'on' || key === 'after';

const withoutNames = (named: Json): Json =>
  typeof named === 'object' && named !== null && !Array.isArray(named)
    ? Object.fromEntries(Object.entries(named).map(([name, value]) => [name, withoutData(value)]))
    : named;

const read = (machine: Machine, origin: ChartDefinition['origin']): KnownChart => {
  const reader = new Reader();
  const root = reader.state(machine.root);
  const config: Json = withoutData(showValue(machine.config));
  const { description } = machine.root;
  const definition: ChartDefinition = {
    machine: `${machine.id}-${hashOf(JSON.stringify(root))}`,
    id: machine.id,
    origin,
    ...(description === undefined ? {} : { description }),
    root,
    events: eventsOf(machine.root),
    config,
  };
  return { definition, idOf: (transition) => reader.ids.get(transition), states: reader.states };
};

/** The charts seen so far, each read once. It holds on to machines for as long as it lives: they are definitions. */
export class Charts {
  readonly #known = new Map<object, KnownChart>();
  readonly #byName = new Map<string, ChartDefinition>();

  of(machine: object, origin: ChartDefinition['origin']): KnownChart {
    const known = this.#known.get(machine);
    if (known !== undefined) return known;
    const chart = read(machine as Machine, origin);
    this.#known.set(machine, chart);
    this.#byName.set(chart.definition.machine, chart.definition);
    return chart;
  }

  /** One that came from elsewhere: of a recording. */
  add(definition: ChartDefinition): void {
    this.#byName.set(definition.machine, definition);
  }

  named(machine: string): ChartDefinition | undefined {
    return this.#byName.get(machine);
  }

  get all(): readonly ChartDefinition[] {
    return [...this.#byName.values()];
  }
}
