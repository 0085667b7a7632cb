/**
 * A statechart as a standalone picture, laid out as the explorer's page lays it out.
 *
 * Invariant: it depends on the definition alone, so that the same machine gives the same bytes.
 */
import type { ChartDefinition, ChartState } from '../actor-view.ts';
import {
  type Beginning,
  type Box,
  cutNote,
  type Drawn,
  type Font,
  innerWords,
  layOut,
  type Point,
  SIZES,
} from '../page/chart-layout.ts';
import { element, escapeXml, svgDocument, textElement } from './svg.ts';
import { textWidth } from './text-width.ts';

const FONT_SIZES: Readonly<Record<Font, number>> = { state: 13, label: 12, small: 11 };
const measure = (text: string, font: Font): number => textWidth(text, FONT_SIZES[font], font === 'state');

const place = ({ x, y }: Point): string => `${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10}`;

/** A way through points, its corners rounded. */
const wayOf = (points: readonly Point[]): string => {
  const [first, ...rest] = points;
  if (first === undefined) return '';
  const parts = [`M${place(first)}`];
  rest.forEach((point, i) => {
    const next = rest[i + 1];
    if (next === undefined) parts.push(`L${place(point)}`);
    else parts.push(`Q${place(point)} ${place({ x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 })}`);
  });
  return parts.join('');
};

const drawWay = (points: readonly Point[]): string =>
  element('path', { class: 'way', d: wayOf(points), 'marker-end': 'url(#tip)' });

const keyOf = ({ type, history, key }: ChartState): string =>
  type === 'history' ? `H${history === 'deep' ? '*' : ''} ${key}` : key;

const drawState = ({ state, x, y, width, height, depth, isRegion, words, inner, notes }: Box): string => {
  const isRoot = depth === 0;
  const isOuter = state.states.length > 0 && !isRegion;
  const rows = [
    ...words.map((text) => ({ text, look: 'words' })),
    ...notes.map((text) => ({ text, look: 'note' })),
    ...inner.map((line) => ({ text: cutNote(innerWords(line)), look: 'words' })),
  ];
  const look = ['body', isOuter ? 'outer' : '', isRegion ? 'region' : ''].filter(Boolean).join(' ');
  return element(
    'g',
    { transform: `translate(${place({ x, y })})` },
    isRoot ? '' : element('rect', { class: look, width, height, rx: isOuter ? 10 : 8 }),
    state.type === 'final'
      ? element('rect', { class: 'rim', x: 3, y: 3, width: width - 6, height: height - 6, rx: 6 })
      : '',
    textElement('text', { class: isRoot ? 'note title' : 'key', x: isRoot ? 0 : 11, y: 18 }, keyOf(state)),
    ...rows.map(({ text, look: kind }, i) =>
      textElement('text', { class: kind, x: isRoot ? 0 : 12, y: SIZES.header + 11 + i * SIZES.line }, text),
    ),
  );
};

const drawLabel = ({ label, labelWidth, labelHeight, lines, isDoor }: Drawn): string =>
  element(
    'g',
    { transform: `translate(${place({ x: label.x - labelWidth / 2, y: label.y - labelHeight / 2 })})` },
    element('rect', { class: isDoor ? 'door' : 'plate', width: labelWidth, height: labelHeight, rx: 8 }),
    ...lines.map(({ words, guard }, i) =>
      element(
        'text',
        { class: 'label', x: labelWidth / 2, y: i * SIZES.labelLine + 14.5 },
        escapeXml(words),
        guard === '' ? '' : textElement('tspan', { class: 'guard' }, ` ${guard}`),
      ),
    ),
  );

const drawBeginning = ({ at, points }: Beginning): string =>
  element('circle', { class: 'dot', cx: at.x, cy: at.y, r: 4.5 }) + drawWay(points);

const TIP = element(
  'defs',
  {},
  element(
    'marker',
    {
      id: 'tip',
      viewBox: '0 0 10 10',
      refX: 9,
      refY: 5,
      markerWidth: 9,
      markerHeight: 9,
      orient: 'auto-start-reverse',
      markerUnits: 'userSpaceOnUse',
    },
    element('path', { class: 'tip', d: 'M0 .8 10 5 0 9.2Z' }),
  ),
);

/** A transition that stays, in words that need no sign. */
const goalsOf = (targets: readonly string[]): string =>
  targets.length === 0 ? 'stays' : `goes to ${targets.map((id) => id.split('.').at(-1)).join(', ')}`;

/** The chart in words, for who cannot see it. */
const told = (state: ChartState): string =>
  [
    `${state.key}: ${state.type}${state.description === undefined ? '' : `, ${state.description}`}.`,
    ...state.transitions.map(({ label, guard, targets }) =>
      [label, guard === undefined ? '' : `if ${guard}`, goalsOf(targets)]
        .filter(Boolean)
        .join(' ')
        .concat('.'),
    ),
    ...state.states.map(told),
  ].join(' ');

/** A chart as the text of an SVG file. */
export const chartPicture = (definition: ChartDefinition): string => {
  const { width, height, boxes, arrows, beginnings } = layOut(definition, measure);
  return svgDocument({
    width,
    height,
    title: `Statechart ${definition.id}`,
    description: told(definition.root),
    inside: [
      TIP,
      ...boxes.map(drawState),
      ...beginnings.map(drawBeginning),
      ...arrows.map(({ points }) => drawWay(points)),
      ...arrows.map(drawLabel),
    ],
  });
};
