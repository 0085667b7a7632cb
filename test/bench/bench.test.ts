import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { faultOf } from '../../bench/check-lines.mjs';
import { contest, linesOf, median } from '../../bench/contest.mjs';
import { bar, drawSuite, figure, markdown, verdict } from '../../bench/report.mjs';

const RUN = fileURLToPath(new URL('../../bench/run.mjs', import.meta.url));
const SUITES = fileURLToPath(new URL('./suites', import.meta.url));
const QUICK = { roundMs: 0.1, warmMs: 0 };

const run = (...words: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [RUN, '--folder', SUITES, ...words], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, stdout, stderr };
};

const FAKE_LINES = [
  {
    suite: 'fake',
    case: 'beside two',
    ns: 50,
    peer: 'nact',
    peerNs: 100,
    ratio: 0.5,
    per: 'thing',
    unit: 'ns',
    aim: 0.4,
  },
  {
    suite: 'fake',
    case: 'beside two',
    ns: 50,
    peer: 'erlang',
    peerNs: 25,
    ratio: 2,
    per: 'thing',
    unit: 'ns',
    aim: 3,
  },
  {
    suite: 'fake',
    case: 'alone',
    ns: 7,
    peer: null,
    peerNs: null,
    ratio: null,
    per: 'call',
    unit: 'bytes',
    limit: 10,
  },
];

describe('the command', () => {
  test('--json prints one object a line and nothing else', () => {
    const { status, stdout } = run('--json', 'fake');
    expect(status).toBe(0);
    expect(stdout.endsWith('\n')).toBe(true);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(FAKE_LINES);
  });

  test('without --json a table is printed', () => {
    const { status, stdout } = run('fake');
    expect(status).toBe(0);
    expect(stdout).toContain('── fake');
    expect(stdout).toMatch(/nact +100 ns +█{20} +× 0\.50 {2}✘ aim 0\.4/);
    expect(stdout).toMatch(/erlang +25 ns +█{5} +× 2\.00 {2}✔ aim 3/);
    expect(stdout).toMatch(/troupe +7 bytes +█{20} +✔ aim 10 bytes/);
  });

  test('an unknown suite is refused with the known ones named, before any runs', () => {
    const { status, stdout, stderr } = run('--json', 'fake', 'nope');
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain('no such suite: nope; there are broken, fake');
  });

  test('an unknown option is refused', () => {
    const { status, stderr } = run('--jsn');
    expect(status).toBe(2);
    expect(stderr).toContain('no such option: --jsn');
  });

  test('a suite that fails fails the run, and the others still run', () => {
    const { status, stdout, stderr } = run('--json', 'broken', 'fake');
    expect(status).toBe(1);
    expect(stderr).toContain('it cannot be opened');
    expect(stdout.trimEnd().split('\n')).toHaveLength(FAKE_LINES.length);
  });
});

describe('the check of lines', () => {
  const [beside, , alone] = FAKE_LINES;
  test.each([
    ['a line with a peer', beside, undefined],
    ['a line without', alone, undefined],
    ['a figure of nobody', { ...alone, peerNs: 3 }, 'has no peer, and yet a figure of one'],
    ['no figure', { ...beside, ns: null }, 'has no figure'],
    ['no figure of the peer', { ...beside, peerNs: 0 }, 'has no figure of its peer'],
    ['another ratio', { ...beside, ratio: 0.51 }, 'has a ratio of other figures'],
    ['no case', { ...beside, case: undefined }, 'does not say which suite and case'],
    ['something else', 7, 'is no object'],
  ])('%s', (_what, line, fault) => {
    expect(faultOf(JSON.stringify(line))).toBe(fault);
  });

  test('text that is no JSON', () => {
    expect(faultOf('ESM build success')).toBe('is not JSON');
  });
});

describe('a contest', () => {
  test('each contestant runs in each round, in an order that rotates, after all are warm', async () => {
    const order: string[] = [];
    const noting = (name: string) => async () => {
      order.push(name);
      return 1;
    };
    const contestants = { troupe: noting('t'), nact: noting('n'), erlang: noting('e') };
    await contest({ case: 'order', count: 1, rounds: 3, open: () => ({ contestants }) }, {}, QUICK);
    expect(order.join('')).toBe('tne tne net etn'.replaceAll(' ', ''));
  });

  test('a figure is the median of the rounds, by the piece', async () => {
    const figures = [1_000, 10, 90, 20];
    const contestants = { troupe: async () => figures.shift() };
    const medians = await contest(
      { case: 'odd', count: 10, rounds: 3, open: () => ({ contestants }) },
      {},
      QUICK,
    );
    expect(medians).toEqual({ troupe: 2 });
  });

  test('what a contestant does not say is timed', async () => {
    const contestants = { troupe: async (count: number) => void Array.from({ length: count }, Math.sqrt) };
    const { troupe } = await contest({ case: 'timed', rounds: 3, open: () => ({ contestants }) }, {}, QUICK);
    expect(troupe).toBeGreaterThan(0);
  });

  test('what a case has opened is closed, also when a contestant fails', async () => {
    let closed = 0;
    const open = () => ({
      contestants: { troupe: () => Promise.reject(new Error('no')) },
      close: () => {
        closed += 1;
      },
    });
    await expect(contest({ case: 'failing', open }, {}, QUICK)).rejects.toThrow('no');
    expect(closed).toBe(1);
  });

  test('a median is the middle one, or the mean of both', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  test('a ratio is of the figures beside it', () => {
    const [line] = linesOf('s', { case: 'c' }, { troupe: 12.345678, nact: 49.99999 });
    expect(line).toEqual({
      suite: 's',
      case: 'c',
      ns: 12.35,
      peer: 'nact',
      peerNs: 50,
      ratio: 0.247,
      per: 'call',
      unit: 'ns',
    });
  });
});

describe('a report', () => {
  test('figures have the unit that suits them', () => {
    expect([12.34, 9_876, 12_345, 45_600_000].map((ns) => figure(ns, 'ns'))).toEqual([
      '12.3 ns',
      '9,880 ns',
      '12.3 µs',
      '45.6 ms',
    ]);
    expect(figure(1_160.4, 'bytes')).toBe('1,160 bytes');
  });

  test('a bar is never longer than the longest, and never nothing', () => {
    expect(bar(1)).toBe('█'.repeat(20));
    expect(bar(7)).toBe('█'.repeat(20));
    expect(bar(0)).toBe('▏');
  });

  test('an aim that is just met is met', () => {
    const LINE = { ns: 1, ratio: 1, aim: undefined, limit: undefined, unit: 'bytes' };
    expect(verdict({ ...LINE, ratio: 0.5, aim: 0.5 })).toBe('✔ aim 0.5');
    expect(verdict({ ...LINE, ns: 11, limit: 10 })).toBe('✘ aim 10 bytes');
  });

  test('the page has a table for each suite, and a row for each line', () => {
    const page = markdown(FAKE_LINES);
    expect(page).toContain('### fake');
    expect(page).toContain('| beside two | thing | 50 ns | nact | 100 ns | 0.50 ██████████ | ✘ aim 0.4 |');
    expect(page).toContain('| alone | call | 7 bytes |  |  |  | ✔ aim 10 bytes |');
    expect(drawSuite(FAKE_LINES)).toContain('beside two, per thing');
  });
});
