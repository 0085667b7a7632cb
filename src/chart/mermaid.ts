/**
 * Draws a machine as a Mermaid state diagram: its states, its transitions, and the guards that they depend on.
 *
 * Invariant: it only reads the machine object, so that what is drawn is what runs; the same machine gives the same text. Each
 * state is drawn once, and each transition named once; a transition of the root, which holds in every state, starts at a box that says so.
 * Actions are left out: a picture is for finding one's way.
 */

/** What is read of a state node of XState's. */
export interface DrawnNode {
  readonly key: string;
  readonly path: readonly string[];
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history';
  readonly initial?: { readonly target?: readonly DrawnNode[] | undefined } | undefined;
  readonly states: Readonly<Record<string, DrawnNode>>;
  readonly transitions: ReadonlyMap<string, readonly DrawnTransition[]>;
  readonly always?: readonly DrawnTransition[] | undefined;
}

export interface DrawnTransition {
  readonly eventType: string;
  readonly target: readonly DrawnNode[] | undefined;
  readonly guard?: unknown;
}

/** What is read of a machine: any of XState's will do. */
export interface DrawnMachine {
  readonly root: DrawnNode;
}

const INDENT = '  ';
/** Where the transitions of the root start. */
const ANYWHERE = 'any_state';

/** Signs that mean something to Mermaid, as the entities that it reads them from. */
const escaped = (text: string): string =>
  text.replace(/[:;#"{}<>%\n\\]/g, (sign) => `#${sign.charCodeAt(0)};`);

/** Words that Mermaid takes for its own. */
const RESERVED = new Set([
  'as',
  'class',
  'classDef',
  'default',
  'direction',
  'end',
  'note',
  'state',
  'style',
]);

const TIMER = /^xstate\.after\.(.+?)\.[^.]+(\..*)?$/;
const DONE = /^xstate\.(done|error)\.(state|actor)\.(.*)$/;

/** An event as its author wrote it. */
const eventName = (type: string): string => {
  const [, delay] = TIMER.exec(type) ?? [];
  if (delay !== undefined) return /^\d+$/.test(delay) ? `after ${delay} ms` : `after ${delay}`;
  const [, how, what, id] = DONE.exec(type) ?? [];
  if (how !== undefined) return what === 'state' ? 'when done' : `${how} ${id}`;
  return type === '' ? 'always' : type;
};

const guardName = (guard: unknown): string => {
  if (typeof guard === 'string') return guard;
  if (typeof guard === 'function') return guard.name || 'a guard';
  const type = (guard as { readonly type?: unknown } | null)?.type;
  return typeof type === 'string' ? type : 'a guard';
};

const labelOf = ({ eventType, guard }: DrawnTransition): string => {
  const name = eventName(eventType);
  return escaped(guard === undefined ? name : `${name} [${guardName(guard)}]`);
};

const transitionsOf = (node: DrawnNode): readonly DrawnTransition[] => [
  ...[...node.transitions.values()].flat(),
  ...(node.always ?? []),
];

class Drawing {
  readonly #lines: string[] = ['stateDiagram-v2'];
  readonly #ids = new Map<DrawnNode | string, string>();
  readonly #taken = new Set<string>(RESERVED);

  draw({ root }: DrawnMachine): string {
    // Regions side by side are drawn within a state only, and what is a target must be seen.
    if (root.type === 'parallel' || this.#isTarget(root)) this.#state(root, INDENT);
    else this.#within(root, INDENT);
    const everywhere = transitionsOf(root);
    if (everywhere.length > 0) {
      const anywhere = this.#name(ANYWHERE, ANYWHERE);
      this.#lines.push(`${INDENT}state "in any state" as ${anywhere}`);
      this.#edges(anywhere, everywhere);
    }
    for (const node of this.#below(root)) {
      this.#edges(this.#idOf(node), transitionsOf(node));
      if (node.type === 'final') this.#lines.push(`${INDENT}${this.#idOf(node)} --> [*]`);
    }
    return `${this.#lines.join('\n')}\n`;
  }

  #isTarget(node: DrawnNode): boolean {
    return [node, ...this.#below(node)].some((other) =>
      transitionsOf(other).some(({ target }) => target?.includes(node) === true),
    );
  }

  *#below(node: DrawnNode): Generator<DrawnNode> {
    for (const child of Object.values(node.states)) {
      yield child;
      yield* this.#below(child);
    }
  }

  #within(node: DrawnNode, indent: string): void {
    for (const [at, child] of Object.values(node.states).entries()) {
      if (at > 0 && node.type === 'parallel') this.#lines.push(`${indent}--`);
      this.#state(child, indent);
    }
    for (const first of node.type === 'compound' ? (node.initial?.target ?? []) : [])
      this.#lines.push(`${indent}[*] --> ${this.#idOf(first)}`);
  }

  #state(node: DrawnNode, indent: string): void {
    const declared = `${indent}state "${escaped(node.key)}" as ${this.#idOf(node)}`;
    if (Object.keys(node.states).length === 0) {
      this.#lines.push(declared);
      return;
    }
    this.#lines.push(`${declared} {`);
    this.#within(node, indent + INDENT);
    this.#lines.push(`${indent}}`);
  }

  /** One arrow for all that lead to the same state. What leads nowhere stays where it is: it is drawn to itself. */
  #edges(from: string, transitions: readonly DrawnTransition[]): void {
    const labels = new Map<string, string[]>();
    for (const transition of transitions) {
      const { target = [] } = transition;
      for (const to of target.length === 0 ? [from] : target.map((node) => this.#idOf(node)))
        labels.set(to, [...(labels.get(to) ?? []), labelOf(transition)]);
    }
    for (const [to, all] of labels) this.#lines.push(`${INDENT}${from} --> ${to} : ${all.join(', ')}`);
  }

  #idOf(node: DrawnNode): string {
    return this.#name(node, node.path.length === 0 ? node.key : node.path.join('_'));
  }

  /** Its words in letters that Mermaid takes; no two have the same. */
  #name(what: DrawnNode | string, words: string): string {
    const known = this.#ids.get(what);
    if (known !== undefined) return known;
    const plain = words.replace(/[^A-Za-z0-9_]/g, '_').replace(/^(?=\d)/, 's');
    let id = plain;
    for (let nth = 2; this.#taken.has(id); nth++) id = `${plain}_${nth}`;
    this.#taken.add(id);
    this.#ids.set(what, id);
    return id;
  }
}

/**
 * A machine as a Mermaid state diagram.
 *
 * @example toMermaid(circuitBreakerMachine)
 */
export const toMermaid = (machine: DrawnMachine): string => new Drawing().draw(machine);
