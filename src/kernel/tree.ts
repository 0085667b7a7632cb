/** The live tree, as data and as text: who runs where, in which state, with how much mail. */
import type { Cell } from './cell.ts';

/** One living actor, a child that should live and does not now, or a straggler of one that has ended. */
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

/** Ended incarnations with a handler that still runs, by the parent that they had. */
type Stragglers = ReadonlyMap<Cell | undefined, readonly Cell[]>;

const stragglerNode = (cell: Cell): TreeNode => ({
  id: cell.place.spec.id,
  path: cell.place.path,
  kind: cell.place.spec.logic.kind,
  status: 'straggling',
  incarnation: cell.ref.incarnation,
  facts: {},
  mailbox: 0,
  children: [],
});

const nodeOf = (cell: Cell, stragglers: Stragglers): TreeNode => {
  const { place, ref } = cell;
  const seen = cell.inspect();
  const living = cell.children === undefined ? [] : [...cell.children].filter((child) => !child.fenced);
  const children = living.map((child) => nodeOf(child, stragglers));
  const straggling = (stragglers.get(cell) ?? []).map(stragglerNode);
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
    children: [...children, ...absent, ...straggling],
  };
};

/** What lives below these roots, with the stragglers of those whose parent lives. */
export const treeOf = (roots: Iterable<Cell>, straggling: Iterable<Cell>): readonly TreeNode[] => {
  const stragglers = new Map<Cell | undefined, Cell[]>();
  for (const cell of straggling) {
    const siblings = stragglers.get(cell.parent);
    if (siblings === undefined) stragglers.set(cell.parent, [cell]);
    else siblings.push(cell);
  }
  return [...roots].filter((root) => !root.fenced).map((root) => nodeOf(root, stragglers));
};

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
