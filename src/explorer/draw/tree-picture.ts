/**
 * A tree as a standalone picture: an indented list with its branches, as it is read at any size.
 *
 * Invariant: it depends on the nodes alone; every node has a line of its own.
 */
import { element, escapeXml, svgDocument, textElement } from './svg.ts';
import { textWidth } from './text-width.ts';
import type { Tone, TreeNode } from './tree-node.ts';

const ROW = 30;
const INDENT = 26;
/** Where the text of a row begins, from its mark. */
const TEXT = 16;
const GAP = 10;

interface Line {
  readonly node: TreeNode;
  readonly depth: number;
  readonly at: number;
  /** The rows of its children, for the branches that lead to them. */
  readonly children: number[];
}

const linesOf = (root: TreeNode): readonly Line[] => {
  const lines: Line[] = [];
  const walk = (node: TreeNode, depth: number): void => {
    const line: Line = { node, depth, at: lines.length, children: [] };
    lines.push(line);
    for (const child of node.children) {
      line.children.push(lines.length);
      walk(child, depth + 1);
    }
  };
  walk(root, 0);
  return lines;
};

const restOf = ({ words, dependsOn, description }: TreeNode): string =>
  [
    ...words,
    ...(dependsOn.length === 0 ? [] : [`depends on ${dependsOn.join(', ')}`]),
    ...(description === undefined ? [] : [description]),
  ].join(' · ');

const widthOf = ({ node, depth }: Line): number =>
  depth * INDENT +
  TEXT +
  textWidth(node.id, 13, true) +
  GAP +
  textWidth(node.kind, 12) +
  GAP +
  textWidth(restOf(node), 11);

/** A full dot runs, a ring does not: what colour says, shape says too. */
const markOf = (tone: Tone | undefined, x: number, y: number): string => {
  if (tone === undefined) return element('circle', { class: 'dot', cx: x, cy: y, r: 4.5 });
  return element('circle', { class: tone === 'good' ? tone : `ring ${tone}`, cx: x, cy: y, r: 4.5 });
};

const drawLine = ({ node, depth, at, children }: Line): string => {
  const [x, y] = [depth * INDENT + 6, at * ROW + ROW / 2];
  const text = x + TEXT - 2;
  const kind = text + textWidth(node.id, 13, true) + GAP;
  const last = children.at(-1);
  const trunk = last === undefined ? '' : `M${x} ${y + 8}V${last * ROW + ROW / 2}`;
  const twigs = children.map((row) => `M${x} ${row * ROW + ROW / 2}H${x + INDENT - 8}`);
  return [
    trunk === '' ? '' : element('path', { class: 'branch', d: [trunk, ...twigs].join('') }),
    markOf(node.tone, x, y),
    textElement('text', { class: 'key', x: text, y: y + 4.5 }, node.id),
    element(
      'text',
      { class: 'kind title', x: kind, y: y + 4.5 },
      escapeXml(node.kind),
      restOf(node) === '' ? '' : textElement('tspan', { class: 'note', dx: GAP }, restOf(node)),
    ),
  ].join('');
};

const told = (node: TreeNode): string =>
  [`${node.id}: ${[node.kind, restOf(node)].filter(Boolean).join(', ')}.`, ...node.children.map(told)].join(
    ' ',
  );

/** A tree as the text of an SVG file. */
export const treePicture = (root: TreeNode): string => {
  const lines = linesOf(root);
  return svgDocument({
    width: Math.max(...lines.map(widthOf)) + GAP,
    height: lines.length * ROW,
    title: `Tree ${root.id}`,
    description: told(root),
    inside: lines.map(drawLine),
  });
};
