/**
 * The picture of `troupe top`: what is sick first, then the tree, then what happened last.
 *
 * Invariant: pure, and exactly as many lines as the screen has rows, where it is told how many there are. What colour says, a sign
 * says too.
 */
import type { Incident } from '../page/incidents.ts';
import {
  plain,
  plural,
  showBytes,
  showCount,
  showIn,
  showMs,
  showRate,
  showState,
  showTime,
  withoutName,
} from '../page/words.ts';
import type { Fact, TreeRow } from '../protocol.ts';
import { harmless, type Line, padded, type Span, type Tone, widthOf } from './styled-text.ts';
import type { TopModel } from './top-model.ts';

export interface TopView {
  readonly model: TopModel;
  readonly columns: number;
  /** `undefined`: as many as it takes. */
  readonly rows: number | undefined;
  /** The clock of the observed process, ms. */
  readonly now: number;
  /** The state of the line, in words; empty while it is well. */
  readonly trouble: string;
  readonly query: string;
  /** What is being typed for a filter. */
  readonly typing: string | undefined;
}

const NARROW = 90;
const MOST_NAME = 44;
const FEWEST_TREE_ROWS = 4;
/** Parts of the screen that what is sick and what happened may take. */
const SICK_SHARE = 0.4;
const RECENT_SHARE = 0.25;
/** Lines of what happened where there is no screen. */
const RECENT_PRINTED = 21;

// ── the head ─────────────────────────────────────────────────────────────────────────────────────────────

const between = (parts: readonly (Span | undefined)[], by: string): Line =>
  parts
    .filter((part): part is Span => part !== undefined && part.text !== '')
    .flatMap((part, i) => (i === 0 ? [part] : [{ text: by, tone: 'faint' }, part]));

const faint = (text: string): Span => ({ text, tone: 'faint' });

const readiness = ({ application }: TopModel): Span | undefined => {
  if (application?.phase === undefined) return undefined;
  const { phase, ready, notReady } = application;
  if (ready) return { text: plain(phase), tone: 'good' };
  const names = notReady.slice(0, 3).map(harmless).join(', ');
  return { text: `${plain(phase)}, not ready${names === '' ? '' : `: ${names}`}`, tone: 'wait' };
};

const titleLine = ({ model, now, trouble }: TopView): Line => {
  const { hello, tree } = model;
  if (hello === undefined) return [{ text: trouble === '' ? 'connecting…' : trouble, tone: 'wait' }];
  const age = hello.source === 'recording' ? 'a recording' : `up ${showMs(now - hello.startedAt)}`;
  return between(
    [
      { text: harmless(hello.name), tone: 'strong' },
      hello.pid === undefined ? undefined : { text: `pid ${hello.pid}` },
      { text: age },
      { text: plural(tree?.actors ?? 0, 'actor') },
      readiness(model),
      trouble === '' ? undefined : { text: trouble, tone: 'bad' },
    ],
    ' · ',
  );
};

const figure = (name: string, value: string, tone: Tone = 'plain'): Line => [
  faint(`${name} `),
  { text: value, tone },
];

const perSecond = (rate: number | undefined): string => (rate === undefined ? '–' : `${showRate(rate)}/s`);

const figuresLines = ({ model, columns }: TopView): readonly Line[] => {
  const { metrics } = model;
  if (metrics === undefined) return [];
  const { counters, loopLagMs, heapBytes, mailboxes, deepestMailbox } = metrics;
  const total = (name: string): number => counters[name] ?? 0;
  const grown = (name: string): string => {
    const rate = model.rate(name);
    return rate === undefined || rate === 0
      ? showCount(total(name))
      : `${showCount(total(name))} (${perSecond(rate)})`;
  };
  const alarming = (name: string): Tone => ((model.rate(name) ?? 0) > 0 ? 'bad' : 'plain');
  const waits =
    deepestMailbox === undefined || deepestMailbox.depth === 0
      ? ''
      : ` (${harmless(deepestMailbox.path)} ${showCount(deepestMailbox.depth)})`;
  const figures: readonly Line[] = [
    figure('messages', perSecond(model.messageRate)),
    figure('started', grown('started')),
    figure('crashed', grown('crashed'), alarming('crashed')),
    figure('restarted', grown('restarted'), alarming('restarted')),
    figure('dropped', grown('dropped'), alarming('dropped')),
    figure('mail waits', `${showCount(mailboxes)}${waits}`),
    figure('loop late', showMs(loopLagMs), loopLagMs > 200 ? 'bad' : 'plain'),
    ...(heapBytes === 0 ? [] : [figure('heap', showBytes(heapBytes))]),
  ];
  return flowed(figures, columns);
};

/** Groups of spans on as few lines as they fit on. */
const flowed = (groups: readonly Line[], columns: number): readonly Line[] => {
  const lines: Span[][] = [[]];
  let width = 0;
  for (const group of groups) {
    const own = group.reduce((sum, { text }) => sum + widthOf(text), 0);
    if (width > 0 && width + 3 + own > columns) {
      lines.push([]);
      width = 0;
    }
    const line = lines.at(-1) as Span[];
    if (width > 0) line.push({ text: '   ' });
    line.push(...group);
    width += own + (width > 0 ? 3 : 0);
  }
  return lines;
};

// ── what is sick ─────────────────────────────────────────────────────────────────────────────────────────

const WEIGHTS: Readonly<Record<Incident['weight'], Span>> = {
  down: { text: '✖ ', tone: 'bad' },
  degraded: { text: '▲ ', tone: 'wait' },
  mending: { text: '↻ ', tone: 'accent' },
  past: { text: '✓ ', tone: 'faint' },
};

const incidentLines = ({ weight, path, what, why, owner }: Incident): readonly Line[] => {
  const sign = WEIGHTS[weight];
  const because = why === undefined || why === '' ? '' : harmless(why);
  const other = owner.path === '' || owner.path === path ? '' : `${harmless(owner.path)} `;
  const deals = `${other}${harmless(owner.does)}`;
  return [
    [sign, { text: harmless(path) || 'the process', tone: 'strong' }, { text: ` ${harmless(what)}` }],
    [{ text: '  ' }, ...between([{ text: because }, faint(deals)], ' — ')],
  ];
};

const heading = (text: string, about = ''): Line => [
  { text, tone: 'accent' },
  faint(about === '' ? '' : `  ${about}`),
];

const sickLines = (incidents: readonly Incident[], most: number): readonly Line[] => {
  const now = incidents.filter(({ weight }) => weight !== 'past');
  if (incidents.length === 0) return [[{ text: '✓ ', tone: 'good' }, { text: 'nothing is wrong' }]];
  const title = heading(
    'SICK',
    now.length === 0 ? 'nothing now; put right a moment ago:' : plural(now.length, 'part'),
  );
  const lines: Line[] = [title];
  for (const [i, incident] of incidents.entries()) {
    const own = incidentLines(incident);
    const isLast = i === incidents.length - 1;
    if (lines.length + own.length + (isLast ? 0 : 1) > most) {
      lines.push([faint(`  … and ${incidents.length - i} more`)]);
      break;
    }
    lines.push(...own);
  }
  return lines;
};

// ── the tree ─────────────────────────────────────────────────────────────────────────────────────────────

interface Mark {
  readonly sign: string;
  readonly tone: Tone;
}
const GOOD: Mark = { sign: '●', tone: 'good' };
const MARKS: Readonly<Record<string, Mark>> = {
  running: GOOD,
  starting: { sign: '◌', tone: 'wait' },
  restarting: { sign: '◌', tone: 'wait' },
  backing_off: { sign: '◔', tone: 'wait' },
  held: { sign: '◔', tone: 'wait' },
  suspended: { sign: '‖', tone: 'wait' },
  stopping: { sign: '◒', tone: 'ending' },
  straggling: { sign: '✖', tone: 'bad' },
  parked: { sign: '✖', tone: 'bad' },
  start_failed: { sign: '✖', tone: 'bad' },
  ended: { sign: '○', tone: 'faint' },
};
const ABSENT: Mark = { sign: '○', tone: 'faint' };
/** States in which a part runs and yet does not do its work. */
const SICK_STATES: ReadonlySet<string> = new Set(['open', 'degraded', 'unhealthy', 'half_open', 'isolated']);

const isSick = (state: TreeRow['state']): boolean => {
  if (state === undefined) return false;
  return typeof state === 'string' ? SICK_STATES.has(state) : Object.values(state).some(isSick);
};

const markOf = (row: TreeRow): Mark => {
  if (row.type === 'group') return { sign: '▤', tone: 'accent' };
  if (row.status === 'running' && isSick(row.state)) return { sign: '▲', tone: 'wait' };
  return MARKS[row.status] ?? (row.type === 'actor' ? GOOD : ABSENT);
};

const chipOf = (row: TreeRow, now: number): Span => {
  if (row.type === 'group')
    return {
      text: (row.group?.states ?? [])
        .slice(0, 4)
        .map(([state, n]) => `${harmless(plain(state))} ${showCount(n)}`)
        .join(', '),
    };
  if (row.status !== 'running') {
    const next = row.nextStartAt === undefined ? '' : `, starts ${showIn(row.nextStartAt, now)}`;
    return { text: `${harmless(plain(row.status))}${next}`, tone: markOf(row).tone };
  }
  const tone = isSick(row.state) ? 'wait' : 'plain';
  return { text: harmless(showState(row.state) || (row.strategy ?? '')), tone };
};

/** Figures that are not nought; the rest would only be read over. */
const gaugesOf = ({ facts }: TreeRow): string => {
  const told = Object.entries(facts).filter(
    ([name, value]) => name !== 'strategy' && value !== 0 && value !== false,
  );
  return told.length === 0 ? '' : `  ${harmless(told.map(([name, value]) => `${name} ${value}`).join(', '))}`;
};

const rowLine = (row: TreeRow, now: number, nameWidth: number): Line => {
  const { sign, tone } = markOf(row);
  const branch = row.open === undefined ? ' ' : row.open ? '▾' : '▸';
  const name = `${'  '.repeat(Math.min(row.depth, 12))}${branch}`;
  const text = ` ${harmless(row.id)}`;
  const chip = chipOf(row, now);
  const reason = row.reason?.error?.message ?? row.reason?.text;
  return [
    faint(name),
    { text: sign, tone },
    {
      text: `${padded(text, nameWidth - widthOf(name) - 1)} `,
      ...(row.matched ? {} : { tone: 'faint' as const }),
    },
    faint(padded(harmless(row.kind), 12)),
    { text: ' ' },
    { ...chip, text: padded(chip.text, 24) },
    ...(row.mailbox === undefined
      ? []
      : [{ text: ` ✉ ${showCount(row.mailbox)}`, tone: row.mailbox > 100 ? 'bad' : 'wait' } as const]),
    ...(row.restarts === undefined ? [] : [{ text: ` ↻ ${showCount(row.restarts)}`, tone: 'wait' } as const]),
    ...(row.meddled === undefined ? [] : [{ text: ` ${row.meddled}`, tone: 'bad' } as const]),
    ...(reason === undefined ? [] : [faint(` ${harmless(withoutName(row.path, reason))}`)]),
    faint(gaugesOf(row)),
  ];
};

const treeHeading = ({ model: { tree }, query }: TopView): Line => {
  if (tree === undefined) return heading('TREE');
  const { rows, window, query: asked, misread, matches } = tree;
  const last = asked.from + window.length;
  const about = [
    rows > window.length ? `rows ${asked.from + 1}–${last} of ${showCount(rows)}` : plural(rows, 'row'),
    query === '' ? '' : `${showCount(matches)} match ${harmless(query)}`,
    misread === undefined ? '' : harmless(misread),
  ];
  return heading('TREE', about.filter((part) => part !== '').join(', '));
};

const treeLines = (view: TopView, most: number): readonly Line[] => {
  const { model, now, columns } = view;
  const rows = model.tree?.window ?? [];
  const widest = Math.max(
    12,
    ...rows.map((row) => widthOf(harmless(row.id)) + 2 * Math.min(row.depth, 12) + 3),
  );
  const nameWidth = Math.min(widest, columns < NARROW ? Math.floor(columns / 3) : MOST_NAME);
  return [treeHeading(view), ...rows.slice(0, most - 1).map((row) => rowLine(row, now, nameWidth))];
};

// ── what happened ────────────────────────────────────────────────────────────────────────────────────────

const FACT_SIGNS: Readonly<Record<Fact['weight'], Span>> = {
  trouble: { text: '✖ ', tone: 'bad' },
  change: { text: '· ', tone: 'plain' },
  note: { text: '· ', tone: 'faint' },
};

const factLine = ({ at, weight, path, text }: Fact): Line => [
  faint(`${showTime(at)} `),
  FACT_SIGNS[weight],
  { text: `${harmless(path)} ` },
  { text: harmless(text), tone: weight === 'trouble' ? 'plain' : 'faint' },
];

const recentLines = ({ model }: TopView, most: number): readonly Line[] => {
  const told = model.facts.filter(({ weight }) => weight !== 'note').slice(-Math.max(0, most - 1));
  if (told.length === 0 || most < 2) return [];
  const about =
    model.missed === 0 ? 'newest first' : `newest first; ${showCount(model.missed)} older are gone`;
  return [heading('RECENT', about), ...[...told].reverse().map(factLine)];
};

const footLine = ({ typing, query }: TopView): Line =>
  typing === undefined
    ? [faint(`q quit   ↑ ↓ scroll   / filter${query === '' ? '' : '   esc no filter'}`)]
    : [
        { text: '/' },
        { text: harmless(typing) },
        { text: ' ', tone: 'inverse' },
        faint('  path: state: status: kind: mailbox>10'),
      ];

/** How many rows of the tree fit on a screen beside all else. */
export const treeRoom = (view: TopView): number => partsOf(view).room;

const NOTHING: Line = [];

const partsOf = (view: TopView) => {
  const { rows = Number.POSITIVE_INFINITY, model, now } = view;
  const head = [titleLine(view), ...figuresLines(view), NOTHING];
  const left = rows - head.length - 1;
  const sick =
    model.hello === undefined
      ? []
      : sickLines(model.incidents(now), Math.max(3, Math.floor(left * SICK_SHARE)));
  const treeRows = Math.max(FEWEST_TREE_ROWS, model.tree?.rows ?? 0);
  const beside = left - sick.length - 2;
  const recent = recentLines(
    view,
    rows === Number.POSITIVE_INFINITY
      ? RECENT_PRINTED
      : Math.min(Math.max(left * RECENT_SHARE, beside - treeRows - 1), beside - FEWEST_TREE_ROWS - 1),
  );
  const taken = sick.length + 1 + recent.length + (recent.length > 0 ? 1 : 0);
  return { head, sick, recent, room: Math.max(0, left - taken - 1) };
};

/** The lines of the picture. */
export const topLines = (view: TopView): readonly Line[] => {
  const { head, sick, recent, room } = partsOf(view);
  const tree = treeLines(view, room + 1);
  const { rows } = view;
  if (rows === undefined) {
    const { tree: known } = view.model;
    const more = known === undefined ? 0 : known.rows - known.window.length;
    return [
      ...head,
      ...sick,
      NOTHING,
      ...tree,
      ...(more > 0 ? [[faint(`  … and ${plural(more, 'row')} more`)]] : []),
      ...(recent.length > 0 ? [NOTHING, ...recent] : []),
    ];
  }
  const filling = Array.from({ length: Math.max(0, room + 1 - tree.length) }, () => NOTHING);
  const body = [
    ...head,
    ...sick,
    NOTHING,
    ...tree,
    ...filling,
    ...(recent.length > 0 ? [NOTHING, ...recent] : []),
  ];
  return [...body.slice(0, Math.max(0, rows - 1)), footLine(view)].slice(0, rows);
};
