/**
 * What a run says to people: a table with bars for a terminal, and the same as Markdown for `docs/BENCHMARKS.md`. It measures
 * nothing: lines in, text out.
 */

const BAR = 20;
const BLOCKS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

const TIMES = [
  { from: 1e9, by: 1e9, word: 's' },
  { from: 1e6, by: 1e6, word: 'ms' },
  { from: 1e4, by: 1e3, word: 'µs' },
  { from: 0, by: 1, word: 'ns' },
];

export const figure = (value, unit) => {
  if (unit !== 'ns') return `${Math.round(value).toLocaleString('en')} ${unit}`;
  const { by, word } = TIMES.find(({ from }) => value >= from);
  return `${(value / by).toLocaleString('en', { maximumSignificantDigits: 3 })} ${word}`;
};

const share = (ratio) => (ratio < 0.01 ? ratio.toFixed(4) : ratio.toFixed(2));

/** As long as `part` of the longest. */
export const bar = (part) => {
  const eighths = Math.max(1, Math.round(Math.min(1, part) * BAR * 8));
  return '█'.repeat(eighths >> 3) + BLOCKS[eighths & 7];
};

/** What was aimed at, and whether it was met. */
export const verdict = ({ ns, ratio, aim, limit, unit }) => {
  if (aim !== undefined) return `${ratio <= aim ? '✔' : '✘'} aim ${aim}`;
  if (limit !== undefined) return `${ns <= limit ? '✔' : '✘'} aim ${figure(limit, unit)}`;
  return '';
};

const grouped = (lines) => {
  const groups = new Map();
  for (const line of lines) {
    const key = `${line.suite} ${line.case}`;
    groups.set(key, [...(groups.get(key) ?? []), line]);
  }
  return [...groups.values()];
};

/** One case: ours, then each peer, the slowest with the longest bar. */
const drawCase = (lines) => {
  const [first] = lines;
  const peers = lines.filter(({ peer }) => peer !== null);
  const longest = Math.max(first.ns, ...peers.map(({ peerNs }) => peerNs));
  const row = (name, value, rest) =>
    `    ${name.padEnd(13)} ${figure(value, first.unit).padStart(12)}  ${bar(value / longest).padEnd(BAR)}  ${rest}`;
  return [
    `  ${first.case}, per ${first.per}`,
    row(
      'troupe',
      first.ns,
      peers.length === 0 || first.limit !== undefined ? verdict({ ...first, aim: undefined }) : '',
    ),
    ...peers.map((line) =>
      row(line.peer, line.peerNs, `× ${share(line.ratio)}  ${verdict({ ...line, limit: undefined })}`),
    ),
  ].map((text) => text.trimEnd());
};

/** The table of one suite. */
export const drawSuite = (lines) => grouped(lines).flatMap(drawCase).join('\n');

const markdownRow = (line) => {
  const { case: name, per, ns, unit, peer, peerNs, ratio } = line;
  const cells =
    peer === null ? ['', '', ''] : [peer, figure(peerNs, unit), `${share(ratio)} ${bar(ratio)}`.trim()];
  return `| ${name} | ${per} | ${figure(ns, unit)} | ${cells.join(' | ')} | ${verdict(line)} |`;
};

const HEAD = ['| case | per | troupe | beside | its figure | ratio | |', '|---|---|--:|---|--:|---|---|'];

/** The tables of all suites, as Markdown. */
export const markdown = (lines) => {
  const suites = [...new Set(lines.map(({ suite }) => suite))];
  return suites
    .map((suite) => {
      const rows = lines.filter((line) => line.suite === suite).map(markdownRow);
      return `### ${suite}\n\n${[...HEAD, ...rows].join('\n')}\n`;
    })
    .join('\n');
};
