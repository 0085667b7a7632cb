/**
 * What of a module's exports can be drawn: machines of XState's, recognised by their shape, and trees of troupe's, by their brand;
 * whatever copies of both libraries made them.
 *
 * Invariant: it reads the module's exports and starts nothing; each thing is told once, however many names it is exported by.
 */
import { type DrawnMachine, toMermaid } from '../../chart/mermaid.ts';
import type { ChartDefinition } from '../actor-view.ts';
import { Charts } from '../chart-definition.ts';
import { specIn, type TreeNode, treeOfSpec } from './tree-node.ts';

/** Something to draw, as data: it crosses from the OS process in which the user's file was loaded. */
export type Subject =
  | {
      readonly kind: 'chart';
      readonly name: string;
      readonly definition: ChartDefinition;
      readonly mermaid: string;
    }
  | { readonly kind: 'tree'; readonly name: string; readonly tree: TreeNode };

/** Whether a value has what is read of a machine. */
const isMachine = (value: unknown): value is DrawnMachine & { readonly id: string } => {
  if (typeof value !== 'object' || value === null) return false;
  const { id, root, config } = value as { id?: unknown; root?: unknown; config?: unknown };
  const { states, transitions } = (root ?? {}) as { states?: unknown; transitions?: unknown };
  return (
    typeof id === 'string' &&
    typeof config === 'object' &&
    typeof states === 'object' &&
    transitions instanceof Map
  );
};

const subjectOf = (name: string, value: unknown): Subject | undefined => {
  const spec = specIn(value);
  if (spec !== undefined) return { kind: 'tree', name, tree: treeOfSpec(spec) };
  if (!isMachine(value)) return undefined;
  const { definition } = new Charts().of(value, 'user');
  return { kind: 'chart', name, definition, mermaid: toMermaid(value) };
};

/** All that can be drawn of a module, in the order of its names. */
export const subjectsIn = (exported: Readonly<Record<string, unknown>>): readonly Subject[] => {
  const seen = new Set<unknown>();
  const subjects: Subject[] = [];
  // What has a name of its own is known by that.
  const names = Object.keys(exported).sort((a, b) => Number(a === 'default') - Number(b === 'default'));
  for (const name of names) {
    const value = exported[name];
    if (seen.has(value)) continue;
    seen.add(value);
    const subject = subjectOf(name, value);
    if (subject !== undefined) subjects.push(subject);
  }
  return subjects;
};
