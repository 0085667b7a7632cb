/**
 * A tree to draw, as plain data: of specs that nobody has started, or of a running system.
 *
 * Invariant: read by shape, from whatever copy of troupe made the specs; reading starts nothing.
 */

import type { Json } from '../../kernel/fact.ts';
import { isSpec, type Spec } from '../../kernel/spec.ts';

export interface TreeNode {
  readonly id: string;
  readonly kind: string;
  /** Short words beside the kind: the strategy, the restart type where it is not the usual one, the state. */
  readonly words: readonly string[];
  readonly description?: string;
  /** Ids of breakers that it depends on. */
  readonly dependsOn: readonly string[];
  /** How it does, where it runs. */
  readonly tone?: Tone;
  readonly children: readonly TreeNode[];
}

export type Tone = 'good' | 'bad' | 'wait' | 'ending' | 'faint';

/** Deeper trees are no trees of people: a spec that holds itself. */
const DEEPEST = 100;

const wordsOf = ({ restart, significant, logic }: Spec<unknown>): readonly string[] => [
  ...Object.values(logic.traits ?? {}).map(String),
  ...(restart === 'permanent' ? [] : [restart]),
  ...(significant ? ['significant'] : []),
];

export const treeOfSpec = (spec: Spec<unknown>, depth = 0): TreeNode => ({
  id: spec.id,
  kind: spec.logic.kind,
  words: wordsOf(spec),
  ...(spec.description === undefined ? {} : { description: spec.description }),
  dependsOn: spec.dependsOn.map(({ id }) => id),
  children: depth >= DEEPEST ? [] : spec.children.map((child) => treeOfSpec(child, depth + 1)),
});

/** The spec in a value, where it is one, or an application of one. */
export const specIn = (value: unknown): Spec<unknown> | undefined => {
  if (isSpec(value)) return value;
  const tree = (value as { readonly tree?: unknown } | null | undefined)?.tree;
  return isSpec(tree) ? tree : undefined;
};

/** What is told of a tree as JSON. */
export const treeJson = (node: TreeNode): Json => node as unknown as Json;

const quoted = (text: string): string => text.replace(/[#"<>\\`]/g, (sign) => `#${sign.charCodeAt(0)};`);

/** A tree as a Mermaid flowchart. */
export const treeMermaid = (root: TreeNode): string => {
  const lines = ['flowchart TD'];
  const ids = new Map<string, string>();
  const walk = (node: TreeNode, parent: string | undefined): void => {
    const name = `n${lines.length}`;
    const words = [node.kind, ...node.words].join(' · ');
    lines.push(`  ${name}["<b>${quoted(node.id)}</b><br/>${quoted(words)}"]`);
    if (parent !== undefined) lines.push(`  ${parent} --> ${name}`);
    for (const id of node.dependsOn) {
      const on = ids.get(id);
      if (on !== undefined) lines.push(`  ${name} -. depends on .-> ${on}`);
    }
    ids.set(node.id, name);
    for (const child of node.children) walk(child, name);
  };
  walk(root, undefined);
  return `${lines.join('\n')}\n`;
};
