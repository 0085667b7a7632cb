/**
 * Standalone SVG: markup from data, and the frame and colours that all our pictures share.
 *
 * Invariants: what comes from the drawn program is text or the value of an attribute, escaped, and nothing else; no script, no
 * reference to anything outside of the file. Colours are of the page's two themes; the reader's own choice says which.
 */

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as XML holds it; what XML cannot hold at all becomes a sign that it was there. */
export const escapeXml = (text: string): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what XML forbids
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu, '\ufffd')
    .replace(/[&<>"']/g, (sign) => ENTITIES[sign] as string);

export type Attributes = Readonly<Record<string, string | number | undefined>>;

const shown = (value: string | number): string =>
  typeof value === 'number' ? String(Math.round(value * 10) / 10) : escapeXml(value);

const attributesOf = (attributes: Attributes): string =>
  Object.entries(attributes)
    .map(([name, value]) => (value === undefined ? '' : ` ${name}="${shown(value)}"`))
    .join('');

/** An element of markup that is markup already. */
export const element = (name: string, attributes: Attributes, ...inside: readonly string[]): string =>
  inside.length === 0
    ? `<${name}${attributesOf(attributes)}/>`
    : `<${name}${attributesOf(attributes)}>${inside.join('')}</${name}>`;

/** An element of text. */
export const textElement = (name: string, attributes: Attributes, text: string): string =>
  element(name, attributes, escapeXml(text));

/** The colours of one theme. */
interface Theme {
  readonly ground: string;
  readonly panel: string;
  readonly raised: string;
  readonly line: string;
  readonly strong: string;
  readonly text: string;
  readonly soft: string;
  readonly faint: string;
  readonly accent: string;
  readonly good: string;
  readonly bad: string;
  readonly wait: string;
  readonly ending: string;
}

const LIGHT: Theme = {
  ground: '#f3f5f8',
  panel: '#ffffff',
  raised: '#f8fafc',
  line: '#dfe4ec',
  strong: '#93a1b5',
  text: '#17202e',
  soft: '#465368',
  faint: '#6b788c',
  accent: '#0b5fc4',
  good: '#0a7d61',
  bad: '#c33d04',
  wait: '#956000',
  ending: '#7a4a92',
};

const DARK: Theme = {
  ground: '#0d1219',
  panel: '#141b25',
  raised: '#1a2330',
  line: '#253142',
  strong: '#5b6d86',
  text: '#e6edf6',
  soft: '#b4c1d2',
  faint: '#8694a8',
  accent: '#6fb0ff',
  good: '#3fcba4',
  bad: '#ff8f57',
  wait: '#f2bc4b',
  ending: '#cf9fe6',
};

/** Literal colours, not variables: not every reader of SVG knows those. */
const coloursOf = (theme: Theme): string =>
  [
    `.ground{fill:${theme.ground}}`,
    `.body{fill:${theme.panel};stroke:${theme.strong}}`,
    `.outer{fill:${theme.raised}}`,
    `.way,.rim,.branch{stroke:${theme.strong}}`,
    `.tip,.dot{fill:${theme.strong}}`,
    `.plate{fill:${theme.ground}}`,
    `.door{fill:${theme.panel};stroke:${theme.line}}`,
    `.key{fill:${theme.text}}`,
    `.label,.words{fill:${theme.soft}}`,
    `.note,.guard{fill:${theme.faint}}`,
    `.kind{fill:${theme.accent}}`,
    ...(['good', 'bad', 'wait', 'ending', 'faint'] as const).flatMap((tone) => [
      `.${tone}{fill:${theme[tone]}}`,
      `.ring.${tone}{fill:none;stroke:${theme[tone]}}`,
    ]),
  ].join('');

const SHAPES = [
  'text{font-family:Inter,system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}',
  '.key{font-size:13px;font-weight:600}.label{font-size:12px;text-anchor:middle}',
  '.words,.note{font-size:11px}.guard{font-style:italic}.title{font-size:12px;font-weight:400}',
  '.way,.rim,.branch{fill:none;stroke-width:1.4}.body{stroke-width:1.2}.region{stroke-dasharray:5 4;fill:none}',
  '.plate{fill-opacity:.92}.ring{stroke-width:1.6}',
].join('');

const STYLE = `${SHAPES}${coloursOf(LIGHT)}@media(prefers-color-scheme:dark){${coloursOf(DARK)}}`;

/** What surrounds a picture, px. */
const MARGIN = 16;

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** What is drawn, for people who cannot see it; the first is its title. */
  readonly title: string;
  readonly description: string;
  readonly inside: readonly string[];
}

/** A whole file. */
export const svgDocument = ({ width, height, title, description, inside }: Picture): string => {
  const [outerWidth, outerHeight] = [Math.ceil(width + 2 * MARGIN), Math.ceil(height + 2 * MARGIN)];
  const frame = {
    xmlns: 'http://www.w3.org/2000/svg',
    width: outerWidth,
    height: outerHeight,
    viewBox: `0 0 ${outerWidth} ${outerHeight}`,
    role: 'img',
    'aria-labelledby': 'title description',
  };
  const lines = [
    textElement('title', { id: 'title' }, title),
    textElement('desc', { id: 'description' }, description),
    `<style>${STYLE}</style>`,
    element('rect', { class: 'ground', width: outerWidth, height: outerHeight, rx: 10 }),
    element('g', { transform: `translate(${MARGIN} ${MARGIN})` }, '\n', inside.join('\n'), '\n'),
  ];
  return `${element('svg', frame, '\n', lines.join('\n'), '\n')}\n`;
};
