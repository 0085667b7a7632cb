import { describe, expect, it } from 'vitest';
import type { Frame } from '../../../src/explorer/index.ts';
import { cropped, harmless, widthOf, written } from '../../../src/explorer/top/styled-text.ts';
import { type TopView, topLines } from '../../../src/explorer/top/top-lines.ts';
import { TopModel } from '../../../src/explorer/top/top-model.ts';

const HOSTILE = 'till\u001b[2J\u0007\u202e';

const row = (id: string, more: object = {}) => ({
  key: id,
  type: 'actor',
  path: `shop/${id}`,
  id,
  depth: 1,
  matched: true,
  kind: 'server',
  status: 'running',
  facts: {},
  ...more,
});

const metrics = (at: number, crashed: number) => ({
  at,
  actors: 3,
  mailboxes: 0,
  counters: { started: 3, crashed, restarted: 0, dropped: 0 },
  messages: { handled: at / 10 },
  loopLagMs: 0,
  heapBytes: 1,
  residentBytes: 1,
});

const FRAMES = [
  ['hello', { name: 'shop', pid: 7, startedAt: 0, at: 60_000, source: 'live' }],
  [
    'tree',
    {
      query: { query: '', from: 0, count: 10 },
      rows: 3,
      matches: 3,
      actors: 3,
      window: [
        row('prices', { kind: 'breaker', state: 'open' }),
        row(HOSTILE, { mailbox: 1_200, restarts: 4 }),
        row('ledger', { type: 'absent', status: 'backing_off', nextStartAt: 62_000 }),
      ],
    },
  ],
  ['metrics', metrics(59_000, 2)],
  ['metrics', metrics(60_000, 5)],
  [
    'application',
    { name: 'shop', phase: 'running', live: true, ready: true, notReady: [], phases: [], holdingUp: [] },
  ],
  [
    'supervision',
    {
      supervisors: [
        {
          path: 'shop',
          kind: 'supervisor',
          strategy: 'one_for_one',
          used: 2,
          intensity: 3,
          periodMs: 5_000,
          window: [],
          children: [
            {
              id: 'ledger',
              kind: 'server',
              status: 'backing_off',
              restart: 'permanent',
              restarts: 2,
              failures: 2,
              nextStartAt: 62_000,
            },
          ],
          more: 0,
          history: [
            {
              n: 1,
              at: 59_000,
              child: 'ledger',
              outcome: 'waiting',
              reason: {
                kind: 'error',
                clean: false,
                text: 'error: disk full',
                error: { name: 'Error', message: 'disk full' },
              },
            },
          ],
        },
      ],
    },
  ],
  ['breakers', { breakers: [] }],
  ['pools', { pools: [] }],
  ['recoveries', { recoveries: [] }],
  [
    'facts',
    {
      facts: [
        {
          n: 1,
          at: 59_000,
          type: 'actor.ended',
          path: `shop/${HOSTILE}`,
          weight: 'trouble',
          text: 'crashed: disk\u001bfull',
          data: {},
        },
      ],
    },
  ],
] as const;

const viewOf = (more: Partial<TopView> = {}): TopView => {
  const model = new TopModel();
  FRAMES.forEach(([type, body], seq) => {
    model.take({ type, seq, body } as unknown as Frame);
  });
  expect(model.isWhole).toBe(true);
  return {
    model,
    columns: 100,
    rows: undefined,
    now: 60_000,
    trouble: '',
    query: '',
    typing: undefined,
    ...more,
  };
};

const textOf = (view: TopView, hasColour = false): readonly string[] =>
  topLines(view).map((line) => written(line, view.columns, hasColour));

describe('the picture of top', () => {
  it('names what is sick, why, and who does what about it, before all else', () => {
    const lines = textOf(viewOf());
    const sick = lines.indexOf('SICK  1 part');
    expect(lines[sick + 1]).toBe('✖ shop/ledger is down, waits to be started again');
    expect(lines[sick + 2]).toBe(
      '  disk full — shop starts it in 2 s, 2 failures in a row; 2 of 3 restarts in 5 s',
    );
    expect(sick).toBeLessThan(lines.findIndex((line) => line.startsWith('TREE')));
  });

  it('says by a sign what it says by colour', () => {
    const lines = textOf(viewOf());
    expect(lines.find((line) => line.includes(' prices'))).toMatch(/▲ prices +breaker +open/);
    expect(lines.find((line) => line.includes(' ledger '))).toMatch(
      /◔ ledger +server +backing off, starts in 2 s/,
    );
    expect(lines.find((line) => line.includes('✉'))).toMatch(/✉ 1,200 ↻ 4/);
    expect(lines.join('')).not.toContain('\u001b');
    expect(textOf(viewOf(), true).join('')).toContain('\u001b[31;1m✖ \u001b[0m');
  });

  it('gives rates of what grows', () => {
    expect(textOf(viewOf())[1]).toMatch(/messages 100\/s {3}started 3 {3}crashed 5 \(3\.0\/s\)/);
  });

  it.each([
    [100, 40],
    [80, 24],
    [40, 12],
    [20, 6],
    [10, 3],
    [1, 1],
  ])('fills %i × %i and no more', (columns, rows) => {
    const lines = textOf(viewOf({ columns, rows }));
    expect(lines).toHaveLength(rows);
    for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(columns);
  });

  it('what the program calls its parts does not reach the terminal as commands', () => {
    const text = textOf(viewOf()).join('\n');
    expect(text).toContain('till·[2J··');
    expect(text).toContain('crashed: disk·full');
    expect([...text].filter((sign) => sign !== '\n' && /\p{C}/u.test(sign))).toEqual([]);
  });
});

describe('text of a terminal', () => {
  it('is cut by columns, not by characters', () => {
    expect(cropped('演员们', 5)).toBe('演员…');
    expect(cropped('plain', 5)).toBe('plain');
    expect(cropped('plain', 4)).toBe('pla…');
    expect(widthOf('e\u0301')).toBe(1);
    expect(harmless('a\nb\u200bc')).toBe('a·b·c');
  });

  it('a line that is cut says so, in whatever span that falls', () => {
    const line = [{ text: 'abc' }, { text: 'def', tone: 'bad' as const }];
    expect(written(line, 6, false)).toBe('abcdef');
    expect(written(line, 5, false)).toBe('abcd…');
    expect(written(line, 3, false)).toBe('ab…');
    expect(written(line, 4, true)).toBe('abc\u001b[31;1m…\u001b[0m');
  });
});
