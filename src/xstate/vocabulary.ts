/**
 * The event types that a machine takes from outside.
 *
 * XState remembers its candidate transitions per event *type* on the machine's definition, for ever: 200,000 distinct types
 * cost 46 MB. So a type that no state declares is refused where it comes in, and through wildcards only a bounded number
 * of distinct types is let in, counted for each machine definition over the life of the process.
 *
 * `xstate.*` is XState's own language: from outside only `xstate.route`, which is meant for users, is taken. It does not
 * watch what actors inside a logic send each other.
 */
import type { AnyStateMachine, AnyStateNode } from 'xstate';

/**
 * Distinct event types that one machine takes through `'*'` and `'prefix.*'`. Owner: the machine's definition; each costs
 * about 230 bytes in XState's cache for every state it meets. Beyond it, further types are refused as undeclared.
 */
export const WILDCARD_TYPES_MAX = 1_000;

const ROUTE = 'xstate.route';

/** Whether `logic` is a state machine, of this or another copy of XState. */
export const isMachine = (logic: unknown): logic is AnyStateMachine =>
  typeof logic === 'object' &&
  logic !== null &&
  'root' in logic &&
  typeof (logic as { getStateNodeById?: unknown }).getStateNodeById === 'function';

/** The type of something that may be an event; `undefined` when it is none. */
export const typeOf = (message: unknown): string | undefined => {
  const type = (message as { readonly type?: unknown } | null | undefined)?.type;
  return typeof type === 'string' ? type : undefined;
};

const isReserved = (type: string): boolean => type.startsWith('xstate.') && type !== ROUTE;

/** What of its own language XState would take from anyone: `xstate.stop` ends an actor, `xstate.init` confuses it. */
export const isReservedType = isReserved;

export class Vocabulary {
  /** Event types and wildcards as the machine writes them, for error messages. */
  readonly known: readonly string[];
  readonly #exact = new Set<string>();
  /** `''` for `'*'`, `'a.'` for `'a.*'`. */
  readonly #prefixes: readonly string[];
  readonly #admitted = new Set<string>();

  constructor(machine: AnyStateMachine) {
    const prefixes = new Set<string>();
    for (const descriptor of descriptorsOf(machine)) {
      if (descriptor === '*') prefixes.add('');
      else if (descriptor.endsWith('.*')) prefixes.add(descriptor.slice(0, -1));
      else this.#exact.add(descriptor);
    }
    this.#prefixes = [...prefixes];
    this.known = [...this.#exact, ...this.#prefixes.map((prefix) => `${prefix}*`)].sort();
  }

  /** Whether an event of this type may come in. Remembers those that came in through a wildcard. */
  admits(type: string): boolean {
    if (this.#exact.has(type) || this.#admitted.has(type)) return true;
    if (isReserved(type) || !this.#prefixes.some((prefix) => matches(type, prefix))) return false;
    if (this.#admitted.size >= WILDCARD_TYPES_MAX) return false;
    this.#admitted.add(type);
    return true;
  }
}

/** `'a.*'` takes `a.b`, `a.b.c`, and `a` itself, as XState has it. */
const matches = (type: string, prefix: string): boolean =>
  type.startsWith(prefix) || (prefix !== '' && type === prefix.slice(0, -1));

const descriptorsOf = (machine: AnyStateMachine): Set<string> => {
  const found = new Set<string>();
  const waiting: AnyStateNode[] = [machine.root];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    for (const descriptor of node.transitions.keys()) if (!isReserved(descriptor)) found.add(descriptor);
    waiting.push(...Object.values(node.states));
  }
  return found;
};

const vocabularies = new WeakMap<AnyStateMachine, Vocabulary>();

/** The vocabulary of a machine; one for each definition, since XState's cache is there too. */
export const vocabularyOf = (machine: AnyStateMachine): Vocabulary => {
  let vocabulary = vocabularies.get(machine);
  if (vocabulary === undefined) {
    vocabulary = new Vocabulary(machine);
    vocabularies.set(machine, vocabulary);
  }
  return vocabulary;
};
