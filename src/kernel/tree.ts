/** The live tree, as data and as text: who runs where, in which state, with how much mail. */
import type { Cell } from './cell.ts';

/** One living actor, or a child that should live and does not now. */
export interface TreeNode {
  readonly id: string;
  readonly path: string;
  readonly kind: string;
  readonly status: string;
  /** Absent where nothing lives. */
  readonly incarnation?: number;
  readonly restart?: string;
  /** A chart's state value, or the logic's own word. */
  readonly state?: unknown;
  /** `false` where the actor says that it is not ready for work. */
  readonly ready?: boolean;
  readonly facts: Readonly<Record<string, string | number | boolean>>;
  readonly mailbox: number;
  readonly children: readonly TreeNode[];
}

const nodeOf = (cell: Cell): TreeNode => {
  const { place, behaviour, ref } = cell;
  const seen = behaviour?.inspect?.() ?? {};
  const children = cell.children === undefined ? [] : [...cell.children].filter((c) => !c.fenced).map(nodeOf);
  const absent = (seen.absent ?? []).map((child) => ({
    ...child,
    path: `${place.path}/${child.id}`,
    facts: {},
    mailbox: 0,
    children: [],
  }));
  return {
    id: place.spec.id,
    path: place.path,
    kind: place.spec.logic.kind,
    status: cell.status,
    incarnation: ref.incarnation,
    restart: place.spec.restart,
    ...(seen.state === undefined ? {} : { state: seen.state }),
    ...(seen.ready === undefined ? {} : { ready: seen.ready }),
    facts: seen.facts ?? {},
    mailbox: cell.mailboxSize,
    children: [...children, ...absent],
  };
};

export const treeOf = (roots: Iterable<Cell>): readonly TreeNode[] =>
  [...roots].filter((c) => !c.fenced).map(nodeOf);

const showState = (state: unknown): string =>
  typeof state === 'string'
    ? state
    : typeof state === 'object' && state !== null
      ? Object.entries(state)
          .map(([region, value]) => `${region}:${showState(value)}`)
          .join(' ')
      : String(state);

const MARKS: Readonly<Record<string, string>> = {
  running: '●',
  starting: '◌',
  stopping: '◍',
  suspended: '◫',
};
const COLOURS: Readonly<Record<string, number>> = { running: 32, starting: 33, stopping: 33, suspended: 35 };

/** Draws nodes as an indented tree, one line each. */
export const drawTree = (nodes: readonly TreeNode[], options: { readonly colour?: boolean } = {}): string => {
  const lines: string[] = [];
  const paint = (text: string, code: number) =>
    options.colour === true ? `\u001b[${code}m${text}\u001b[0m` : text;
  const draw = (node: TreeNode, lead: string, branch: string, below: string) => {
    const mark = paint(MARKS[node.status] ?? '○', COLOURS[node.status] ?? 31);
    const words = [node.kind];
    if (node.status !== 'running') words.push(node.status);
    if (node.state !== undefined) words.push(showState(node.state));
    for (const [name, value] of Object.entries(node.facts)) words.push(`${name} ${value}`);
    if (node.mailbox > 0) words.push(`mail ${node.mailbox}`);
    lines.push(`${lead}${branch}${mark} ${node.id}  ${paint(words.join(' · '), 2)}`);
    node.children.forEach((child, i) => {
      const last = i === node.children.length - 1;
      draw(child, lead + below, last ? '└─ ' : '├─ ', last ? '   ' : '│  ');
    });
  };
  for (const node of nodes) draw(node, '', '', '');
  return lines.join('\n');
};
