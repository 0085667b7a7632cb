/**
 * Lays a statechart out: from the innermost states outwards, each finished one a leaf of the one above it; regions side by side.
 *
 * Invariants: pure, given how wide text is; made once for a definition and never again for a change of state. No two states of one
 * parent overlap, every state lies within its parent, and every label has a place of its own.
 */
import dagre from '@dagrejs/dagre';
import type { ChartDefinition, ChartState } from '../protocol.ts';
import { type Arrow, type EdgeLine, type InnerLine, type Wiring, wire } from './chart-edges.ts';

export type Font = 'state' | 'label' | 'small';
export type Measure = (text: string, font: Font) => number;

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Box extends Point {
  readonly id: string;
  readonly state: ChartState;
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly isRegion: boolean;
  readonly words: readonly string[];
  readonly inner: readonly InnerLine[];
  readonly notes: readonly string[];
}

export interface Drawn {
  readonly key: string;
  readonly from: string;
  readonly to: string;
  readonly points: readonly Point[];
  readonly lines: readonly EdgeLine[];
  /** The middle of its label. */
  readonly label: Point;
  readonly labelWidth: number;
  readonly labelHeight: number;
  /** It leaves from the door of its source: the label is the door. */
  readonly isDoor: boolean;
}

export interface Beginning {
  readonly key: string;
  readonly at: Point;
  readonly points: readonly Point[];
}

export interface ChartLayout {
  readonly width: number;
  readonly height: number;
  /** Outer ones first. */
  readonly boxes: readonly Box[];
  readonly arrows: readonly Drawn[];
  readonly beginnings: readonly Beginning[];
}

export const SIZES = Object.freeze({
  header: 26,
  line: 16,
  padding: 16,
  labelLine: 17,
  labelPadding: 5,
  dot: 10,
  leafWidth: 84,
  widestWords: 200,
});

/** What a laid-out state is to the one above it: its size, and what lies in it from its own corner. */
interface Block {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly Box[];
  readonly arrows: readonly Drawn[];
  readonly beginnings: readonly Beginning[];
}

interface Ground {
  readonly wiring: Wiring;
  readonly measure: Measure;
}

const wrapped = (text: string, { measure }: Ground): readonly string[] => {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && measure(longer, 'small') > SIZES.widestWords) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  if (line !== '') lines.push(line);
  return lines.length > 2 ? [lines[0] ?? '', `${lines[1]}…`] : lines;
};

/** XState begins and ends its delays with actions of its own: the arrow says it already. */
const OWN_ACTIONS: ReadonlySet<string> = new Set(['raise', 'cancel', 'xstate.raise', 'xstate.cancel']);

const notesOf = ({ invokes, entry, exit, transitions }: ChartState): readonly string[] => {
  const waits = transitions.some(({ kind }) => kind === 'after');
  const named = (word: string, actions: readonly string[]): readonly string[] => {
    const told = waits ? actions.filter((action) => !OWN_ACTIONS.has(action)) : actions;
    return told.length === 0 ? [] : [`${word} / ${told.join(', ')}`];
  };
  return [...invokes.map(({ src }) => `⟳ ${src}`), ...named('entry', entry), ...named('exit', exit)];
};

const innerWords = ({ sign, words, guard, goal }: InnerLine): string =>
  [sign, words, guard, goal === '' ? '' : `→ ${goal}`].filter((part) => part !== '').join(' ');

const lineWidth = ({ words, guard }: EdgeLine, measure: Measure): number =>
  measure(guard === '' ? words : `${words} ${guard}`, 'label');

/** Cut in the middle of nowhere no words help; lists do not grow beyond what a box can bear. */
const NOTE_CHARACTERS = 44;
const cut = (text: string): string =>
  text.length > NOTE_CHARACTERS ? `${text.slice(0, NOTE_CHARACTERS - 1)}…` : text;

/** A box as it is without its children, and how high that is. */
const headOf = (state: ChartState, depth: number, isRegion: boolean, ground: Ground) => {
  const { wiring, measure } = ground;
  const words = depth === 0 || state.description === undefined ? [] : wrapped(state.description, ground);
  const inner = wiring.inner.get(state.id) ?? [];
  const notes = notesOf(state).map(cut);
  const rows = words.length + inner.length + notes.length;
  const height = SIZES.header + rows * SIZES.line + (rows === 0 ? 0 : 6);
  const width = Math.max(
    SIZES.leafWidth,
    measure(state.key, 'state') + 58,
    ...words.map((line) => measure(line, 'small') + 24),
    ...inner.map((line) => measure(cut(innerWords(line)), 'small') + 28),
    ...notes.map((line) => measure(line, 'small') + 28),
  );
  const box: Box = { id: state.id, state, x: 0, y: 0, width, height, depth, isRegion, words, inner, notes };
  return { box, width, height };
};

const shifted = <T extends Block>({ boxes, arrows, beginnings }: T, { x, y }: Point) => {
  const move = (point: Point): Point => ({ x: point.x + x, y: point.y + y });
  return {
    boxes: boxes.map((box) => ({ ...box, ...move(box) })),
    arrows: arrows.map((one) => ({ ...one, points: one.points.map(move), label: move(one.label) })),
    beginnings: beginnings.map((one) => ({ ...one, at: move(one.at), points: one.points.map(move) })),
  };
};

interface Inside {
  readonly width: number;
  readonly height: number;
  readonly at: ReadonlyMap<string, Point>;
  readonly arrows: readonly Drawn[];
  readonly beginnings: readonly Beginning[];
}

interface Child {
  readonly id: string;
  readonly block: Block;
}

const START = 'start ';

/** Lays the children of one state out among each other, with their arrows. */
const arrange = (
  state: ChartState,
  children: readonly Child[],
  rankdir: 'LR' | 'TB',
  { wiring, measure }: Ground,
): Inside => {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir, nodesep: 26, ranksep: 34, edgesep: 14, marginx: 0, marginy: 0 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id, block } of children) graph.setNode(id, { width: block.width, height: block.height });
  const ids = new Set(children.map(({ id }) => id));
  const initial = (state.initial ?? []).filter((id) => ids.has(id));
  for (const id of initial) {
    graph.setNode(START + id, { width: SIZES.dot, height: SIZES.dot });
    graph.setEdge(START + id, id, { weight: 3, minlen: 1 }, 'start');
  }
  const arrows = wiring.arrows.get(state.id) ?? [];
  const sized = arrows.map((arrow, i) => ({ arrow, name: `${i}`, ...labelSize(arrow, measure) }));
  for (const { arrow, name, width, height } of sized) {
    if (arrow.fromChild === undefined) {
      graph.setNode(`door ${name}`, { width, height });
      graph.setEdge(`door ${name}`, arrow.toChild, { minlen: 1 }, name);
    } else
      graph.setEdge(
        arrow.fromChild,
        arrow.toChild,
        { width, height, labelpos: 'c', minlen: 1, weight: initial.includes(arrow.fromChild) ? 2 : 1 },
        name,
      );
  }
  dagre.layout(graph);
  const { width = 0, height = 0 } = graph.graph();
  const at = new Map(
    children.map(({ id, block }) => {
      const { x, y } = graph.node(id);
      return [id, { x: x - block.width / 2, y: y - block.height / 2 }];
    }),
  );
  const drawn = sized.map(({ arrow, name, width: labelWidth, height: labelHeight }): Drawn => {
    const isDoor = arrow.fromChild === undefined;
    const source = arrow.fromChild ?? `door ${name}`;
    const edge = graph.edge({ v: source, w: arrow.toChild, name });
    const label = isDoor ? graph.node(source) : edge;
    const points = (edge.points ?? []).map(({ x, y }: Point) => ({ x, y }));
    return {
      key: `${state.id} ${name}`,
      from: arrow.from,
      to: arrow.to,
      points,
      lines: arrow.lines,
      label: { x: label.x ?? 0, y: label.y ?? 0 },
      labelWidth,
      labelHeight,
      isDoor,
    };
  });
  const beginnings = initial.map((id): Beginning => {
    const { x, y } = graph.node(START + id);
    const edge = graph.edge({ v: START + id, w: id, name: 'start' });
    return {
      key: START + id,
      at: { x, y },
      points: (edge.points ?? []).map((p: Point) => ({ x: p.x, y: p.y })),
    };
  });
  return { width, height, at, arrows: drawn, beginnings };
};

const labelSize = ({ lines }: Arrow, measure: Measure) => ({
  width: Math.max(...lines.map((line) => lineWidth(line, measure))) + 2 * SIZES.labelPadding + 8,
  height: lines.length * SIZES.labelLine + 4,
});

/** How far from a good shape for a screen, weighed with the size: the smaller the better. */
const badness = ({ width, height }: { readonly width: number; readonly height: number }): number => {
  const ratio = (width + 1) / (height + 1);
  return Math.sqrt(width * height) * (1 + Math.abs(Math.log(ratio / 1.5)));
};

/** Regions in as many rows as make the best shape; side by side where that does no harm. */
const sideBySide = (children: readonly Child[]): Inside => {
  const tries = [1, 2, 3].filter((rows) => rows === 1 || children.length >= rows * 2);
  const arranged = tries.map((rows) => inRows(children, Math.ceil(children.length / rows)));
  return arranged.reduce((best, one) => (badness(one) * 1.25 < badness(best) ? one : best));
};

const REGION_GAP = 12;

const inRows = (children: readonly Child[], perRow: number): Inside => {
  const at = new Map<string, Point>();
  let [y, width] = [0, 0];
  for (let i = 0; i < children.length; i += perRow) {
    const row = children.slice(i, i + perRow);
    let x = 0;
    for (const { id, block } of row) {
      at.set(id, { x, y });
      x += block.width + REGION_GAP;
    }
    width = Math.max(width, x - REGION_GAP);
    y += Math.max(...row.map(({ block }) => block.height)) + REGION_GAP;
  }
  return { width, height: y - REGION_GAP, at, arrows: [], beginnings: [] };
};

const blockOf = (state: ChartState, depth: number, isRegion: boolean, ground: Ground): Block => {
  const head = headOf(state, depth, isRegion, ground);
  if (state.states.length === 0) return { ...head, boxes: [head.box], arrows: [], beginnings: [] };
  const isParallel = state.type === 'parallel';
  const children = state.states.map((child) => ({
    id: child.id,
    block: blockOf(child, depth + 1, isParallel, ground),
  }));
  const inside = isParallel
    ? sideBySide(children)
    : (['LR', 'TB'] as const)
        .map((direction) => arrange(state, children, direction, ground))
        .reduce((best, one) => (badness(one) < badness(best) ? one : best));
  const { padding } = SIZES;
  const width = Math.max(head.width, inside.width + 2 * padding);
  const height = head.height + inside.height + padding + 6;
  const offset = { x: (width - inside.width) / 2, y: head.height + 4 };
  const own = shifted({ ...inside, boxes: [] }, offset);
  const below = children.map(({ id, block }) => {
    const { x, y } = inside.at.get(id) ?? { x: 0, y: 0 };
    return shifted(block, { x: x + offset.x, y: y + offset.y });
  });
  return {
    width,
    height,
    boxes: [{ ...head.box, width, height }, ...below.flatMap(({ boxes }) => boxes)],
    arrows: [...own.arrows, ...below.flatMap(({ arrows }) => arrows)],
    beginnings: [...own.beginnings, ...below.flatMap(({ beginnings }) => beginnings)],
  };
};

/** Where the way from the middle of a box to a point leaves the box. */
const edgeToward = ({ x, y, width, height }: Box, to: Point): Point => {
  const [cx, cy] = [x + width / 2, y + height / 2];
  const [dx, dy] = [to.x - cx, to.y - cy];
  if (dx === 0 && dy === 0) return { x: cx, y };
  const scale = Math.min(
    dx === 0 ? Number.POSITIVE_INFINITY : width / 2 / Math.abs(dx),
    dy === 0 ? Number.POSITIVE_INFINITY : height / 2 / Math.abs(dy),
  );
  return { x: cx + dx * scale, y: cy + dy * scale };
};

const holds = ({ x, y, width, height }: Box, at: Point): boolean =>
  at.x > x + 1 && at.x < x + width - 1 && at.y > y + 1 && at.y < y + height - 1;

/** An arrow that was drawn from or to an outer state goes on to the inner one that it means. */
const reached = (drawn: Drawn, boxes: ReadonlyMap<string, Box>): Drawn => {
  const points = [...drawn.points];
  const [source, goal] = [boxes.get(drawn.from), boxes.get(drawn.to)];
  const [first, last] = [points[0], points.at(-1)];
  if (source !== undefined && first !== undefined && !drawn.isDoor && !touches(source, first))
    points.unshift(edgeToward(source, first));
  if (goal !== undefined && last !== undefined && !touches(goal, last)) points.push(edgeToward(goal, last));
  return { ...drawn, points };
};

const touches = (box: Box, at: Point): boolean => {
  const { x, y, width, height } = box;
  const isNear = at.x >= x - 2 && at.x <= x + width + 2 && at.y >= y - 2 && at.y <= y + height + 2;
  return isNear && !holds({ ...box, x: x + 2, y: y + 2, width: width - 4, height: height - 4 }, at);
};

/** Lays a chart out. */
export const layOut = ({ root }: Pick<ChartDefinition, 'root'>, measure: Measure): ChartLayout => {
  const { width, height, boxes, arrows, beginnings } = blockOf(root, 0, false, {
    wiring: wire(root),
    measure,
  });
  const byId = new Map(boxes.map((box) => [box.id, box]));
  return { width, height, boxes, beginnings, arrows: arrows.map((one) => reached(one, byId)) };
};

export { cut as cutNote, innerWords };
