/**
 * What the terminal shows while a run goes on: a pure function from what is known to lines. It decides on words and
 * layout alone; `screen.mjs` puts the lines on the terminal.
 */
import { CALM_MS } from './schedule.mjs';

/** The block that is drawn never needs more than this, however wide the terminal is. */
const COLUMNS_MAX = 100;
const BARS = '▁▂▃▄▅▆▇█';
/** On a lower terminal blank rows are left out. */
const AIRY_ROWS = 30;

/** Escape sequences take no room. */
const SEQUENCE = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');

/** The width on the terminal. Everything drawn here is one cell a character. */
export const widthOf = (line) => [...line.replace(SEQUENCE, '')].length;

/** Cuts a line to a width; sequences are kept, so that colour always ends. */
export const crop = (line, columns) => {
  if (widthOf(line) <= columns) return line;
  let used = 0;
  let cut = '';
  for (let index = 0; index < line.length; ) {
    SEQUENCE.lastIndex = index;
    const sequence = SEQUENCE.exec(line);
    if (sequence?.index === index) {
      cut += sequence[0];
      index += sequence[0].length;
      continue;
    }
    const character = String.fromCodePoint(/** @type {number} */ (line.codePointAt(index)));
    if (used < columns) cut += used === columns - 1 ? '…' : character;
    used += 1;
    index += character.length;
  }
  return cut;
};

const padTo = (line, columns) => line + ' '.repeat(Math.max(0, columns - widthOf(line)));
const bothEnds = (left, right, columns) =>
  widthOf(left) + widthOf(right) + 1 > columns
    ? crop(left, columns)
    : padTo(left, columns - widthOf(right)) + right;
const number = (value) => value.toLocaleString('en-US');
const seconds = (ms) => (ms / 1_000).toFixed(1);

/** A row of bars, the latest at the right. */
export const sparkline = (values, length) => {
  const shown = values.slice(-length);
  const most = Math.max(1, ...shown);
  return shown
    .map((value) => BARS[Math.min(BARS.length - 1, Math.floor((value / most) * BARS.length))])
    .join('');
};

const progress = ({ elapsedMs, totalMs, paint }, columns) => {
  const clock = ` ${seconds(Math.min(elapsedMs, totalMs))} / ${totalMs / 1_000} s`;
  const length = Math.max(10, columns - clock.length - 2);
  const done = Math.min(length, Math.floor((elapsedMs / totalMs) * length));
  const calmFrom = Math.floor(((totalMs - CALM_MS) / totalMs) * length);
  const cell = (index) => {
    if (index < done) return index < calmFrom ? paint.red('━') : paint.green('━');
    return paint.dim(index < calmFrom ? '─' : '┄');
  };
  return ` ${Array.from({ length }, (_, index) => cell(index)).join('')}${paint.dim(clock)}`;
};

const lamp = (paint, health) =>
  ({ well: paint.green('●'), ailing: paint.yellow('●'), down: paint.red('●'), none: paint.dim('○') })[health];

const workerCell = ({ pid, language, state, fit: isFit }, paint) => {
  const health = isFit ? 'well' : pid === undefined || pid === null ? 'down' : 'ailing';
  return `${lamp(paint, health)} ${paint.dim(String(pid ?? '–').padStart(7))} ${language.padEnd(6)} ${state}`;
};

const BREAKER_HEALTH = { closed: 'well', half_open: 'ailing', open: 'down' };

const treeLines = ({ status, paint }, columns) => {
  if (status === undefined) return [` ${lamp(paint, 'none')} starting`, '', '', '', ''];
  const { workers, size, queued, restarts, breaker, recoveries } = status;
  const fitCount = workers.filter((worker) => worker.fit).length;
  const pool = fitCount >= size ? 'well' : fitCount > 0 ? 'ailing' : 'down';
  const branch = (mark, name, kind, text) =>
    ` ${paint.dim(mark)} ${name.padEnd(11)}${paint.dim(kind.padEnd(10))}${text}`;
  const half = Math.floor((columns - 4) / 2);
  const cells = workers.map((worker) => padTo(crop(workerCell(worker, paint), half), half));
  return [
    ` ${lamp(paint, status.phase === 'running' ? 'well' : 'ailing')} ${paint.bold('under-fire')} ${paint.dim(status.phase)}`,
    branch(
      '├',
      'documents',
      'pool',
      `${lamp(paint, pool)} ${fitCount} of ${size} fit, ${queued} queued, ${restarts} replaced`,
    ),
    ...[0, 2].map((index) => ` ${paint.dim('│')}  ${cells.slice(index, index + 2).join('')}`),
    branch(
      '├',
      'prices',
      'breaker',
      `${lamp(paint, BREAKER_HEALTH[breaker.state] ?? 'none')} ${breaker.state.replace('_', '-')}, opened ${breaker.opened}, closed ${breaker.closed}`,
    ),
    branch(
      '└',
      'recovery',
      'recovery',
      `${lamp(paint, recoveries.gaveUp > 0 ? 'down' : recoveries.active > 0 ? 'ailing' : 'well')} ` +
        `${recoveries.active} active, ${recoveries.recovered} recovered, ${recoveries.gaveUp} gave up`,
    ),
  ];
};

const loadLines = ({ counts, requests, throughput, latencyMs, paint }, columns) => {
  // Two buckets of half a second.
  const perSecond = throughput.slice(-2).reduce((sum, value) => sum + value, 0);
  const left = ` ${paint.bold(String(perSecond).padStart(4))} documents/s  `;
  const right = `  p50 ${latencyMs.p50 ?? '–'} ms  p99 ${latencyMs.p99 ?? '–'} ms `;
  const room = Math.max(8, columns - widthOf(left) - right.length);
  return [
    left + padTo(sparkline(throughput, room), room) + paint.dim(right),
    paint.dim(
      [
        ` ${number(counts.accepted)} accepted`,
        `${number(counts.succeeded)} succeeded`,
        `${counts.failed} failed`,
        `${counts.cancelled} cancelled`,
        `${number(requests.rejected)} refused`,
      ].join('  '),
    ),
  ];
};

const strikeLine = ({ kind, atMs, struckMs, state, recoveryMs, detail }, paint) => {
  const at = seconds(struckMs ?? atMs).padStart(6);
  const words = {
    due: paint.dim('· due       '),
    striking: paint.yellow('● striking  '),
    struck: paint.red('● struck    '),
    recovered: `${paint.green('✓')} ${`${Math.round(recoveryMs ?? 0)} ms`.padStart(8)}  `,
    unrecovered: paint.red('✗ unrecovered '),
    dropped: paint.dim('– dropped   '),
  };
  const line = `${paint.dim(at)}  ${kind.padEnd(18)} ${words[state]} ${paint.dim(detail)}`;
  return ` ${state === 'due' ? paint.dim(line) : line}`;
};

/** The strikes that matter now: those behind, then one or two ahead, as many as there is room for. */
const fireLines = ({ strikes, paint }, room) => {
  const begun = strikes.filter(({ state }) => state !== 'due');
  const due = strikes.filter(({ state }) => state === 'due').slice(0, 2);
  return [...begun.slice(-Math.max(1, room - due.length)), ...due]
    .slice(0, room)
    .map((strike) => strikeLine(strike, paint));
};

const paintOfPhase = (paint, phase) =>
  phase === 'under fire' ? paint.red : phase === 'calm' ? paint.green : paint.yellow;

/**
 * The picture of a run.
 *
 * @param {object} model
 * @param {{ columns: number, rows: number }} terminal
 * @returns {string[]} at most `rows` lines of at most `columns` cells
 */
export const dashboardLines = (model, terminal) => {
  const columns = Math.min(terminal.columns, COLUMNS_MAX);
  const { paint, seed, phase, workers } = model;
  const title = (text) => paint.dim(` ${text}`);
  const lines = [
    '',
    bothEnds(
      ` ${paint.bold('troupe')}  service under fire`,
      paint.dim(`seed ${seed}  ${workers} workers `),
      columns,
    ),
    progress(model, columns),
    bothEnds(
      ` ${paintOfPhase(paint, phase)(phase)}`,
      paint.dim(`calm from ${(model.totalMs - CALM_MS) / 1_000} s `),
      columns,
    ),
    '',
    title('TREE'),
    ...treeLines(model, columns),
    '',
    title('LOAD'),
    ...loadLines(model, columns),
    '',
    title('FIRE'),
  ];
  const frame = terminal.rows < AIRY_ROWS ? lines.filter((line) => line !== '') : lines;
  return [...frame, ...fireLines(model, Math.max(0, terminal.rows - frame.length))]
    .slice(0, terminal.rows)
    .map((line) => crop(line, columns));
};
