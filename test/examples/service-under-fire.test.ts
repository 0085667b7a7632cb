/** The demonstration's own instruments: a checker that could not refuse, or a book that could not miss, proves nothing. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Facts, judge } from '../../examples/service-under-fire/checker.mjs';
import { crop, dashboardLines, widthOf } from '../../examples/service-under-fire/dashboard.mjs';
import { Ledger } from '../../examples/service-under-fire/ledger.mjs';
import { parseOptions } from '../../examples/service-under-fire/options.mjs';
import { createResult } from '../../examples/service-under-fire/report.mjs';
import {
  CALM_MS,
  createSchedule,
  KINDS,
  UPSTREAM_KINDS,
  WORKER_KINDS,
} from '../../examples/service-under-fire/schedule.mjs';
import { createPaint } from '../../examples/service-under-fire/screen.mjs';

const FOLDER = fileURLToPath(new URL('../../examples/service-under-fire/', import.meta.url));
const SEEDS = Array.from({ length: 200 }, (_, index) => index * 21_474_836);
const LENGTHS = Array.from({ length: 19 }, (_, index) => index + 12);

describe('the schedule', () => {
  const all = SEEDS.flatMap((seed) =>
    LENGTHS.map((seconds) => ({ seed, seconds, strikes: createSchedule(seed, seconds) })),
  );

  it('has every kind strike, whatever the seed and the length', () => {
    for (const { strikes } of all) expect(new Set(strikes.map(({ kind }) => kind))).toEqual(new Set(KINDS));
  });

  it('leaves every kind a second to recover before the calm', () => {
    for (const { seconds, strikes } of all) {
      const last = Math.max(...strikes.map(({ atMs }) => atMs));
      expect(last).toBeLessThanOrEqual(seconds * 1_000 - CALM_MS - 1_000);
    }
  });

  it('keeps a blocked loop apart from all else, and a burst apart from the faults of workers', () => {
    const gap = (strikes: { atMs: number; kind: string }[], kind: string, others: readonly string[]) =>
      Math.min(
        ...strikes
          .filter((strike) => strike.kind === kind)
          .flatMap(({ atMs }) =>
            strikes
              .filter((other) => others.includes(other.kind))
              .map((other) => Math.abs(other.atMs - atMs)),
          ),
      );
    const others = KINDS.filter((kind) => kind !== 'loop_blocked');
    for (const { strikes } of all) {
      expect(gap(strikes, 'loop_blocked', others)).toBeGreaterThanOrEqual(1_100);
      expect(gap(strikes, 'burst', WORKER_KINDS)).toBeGreaterThanOrEqual(1_200);
    }
  });

  it('gives the upstream one fault at a time', () => {
    for (const { strikes } of all) {
      const times = strikes.filter(({ kind }) => UPSTREAM_KINDS.includes(kind)).map(({ atMs }) => atMs);
      for (const [index, atMs] of times.slice(1).entries()) {
        expect(atMs - (times[index] ?? 0)).toBeGreaterThanOrEqual(1_100);
      }
    }
  });

  it('is the same for the same seed, another for another, and longer for a longer run', () => {
    expect(createSchedule(7, 20)).toEqual(createSchedule(7, 20));
    expect(createSchedule(7, 20)).not.toEqual(createSchedule(8, 20));
    expect(createSchedule(7, 20).length).toBe(2 * KINDS.length);
  });
});

describe('the command line', () => {
  it('fills in what is not given', () => {
    const options = parseOptions([]);
    expect(options).toMatchObject({
      seconds: 20,
      worker: undefined,
      input: undefined,
      json: false,
      keep: false,
    });
    expect(options.seed).toBeGreaterThanOrEqual(0);
    expect(parseOptions(['--seconds=12', '--seed', '0', '--worker', 'python', '--json'])).toMatchObject({
      seconds: 12,
      seed: 0,
      worker: 'python',
      json: true,
    });
  });

  it.each([
    [['--seconds', '11'], '--seconds must be a whole number from 12'],
    [['--seconds', '12.5'], '--seconds must be a whole number from 12'],
    [['--seconds', '-20'], '--seconds must be a whole number from 12'],
    [['--seconds', ''], '--seconds needs a value'],
    [['--seconds'], '--seconds needs a value'],
    [['--seed', '4294967296'], '--seed must be a whole number from 0'],
    [['--worker', 'ruby'], '--worker must be node or python, got "ruby"'],
    [['--json=yes'], '--json takes no value'],
    [['--seed', '1', '--seed', '2'], '--seed is given twice'],
    [['--sede', '1'], 'unknown option --sede; known are --seconds'],
    [['constructor'], 'unknown option constructor'],
    [['12'], 'unknown option 12'],
  ])('refuses %j and says why', (args, why) => {
    expect(() => parseOptions(args)).toThrow(why);
  });

  it('exits with 2 when it refuses, before it has started anything', () => {
    const run = (args: string[]) => {
      try {
        return execFileSync(process.execPath, [join(FOLDER, 'launcher.mjs'), ...args], { stdio: 'pipe' });
      } catch (error) {
        return (error as { status: number }).status;
      }
    };
    expect(run(['--seconds', '11'])).toBe(2);
    expect(run(['--input', '/nowhere/at/all'])).toBe(2);
    expect(String(run(['--help']))).toContain('Usage: npm start');
  });
});

const COUNTED = { words: 2, sentences: 1, terms: [['a', 2]] };
const good = { counted: COUNTED, reference: COUNTED, latencyMs: 3 };

describe('the ledger', () => {
  it('books what was accepted once, by its status or by its answer', () => {
    const ledger = new Ledger();
    const [byStatus, byAnswer, refused] = [ledger.open('work'), ledger.open('work'), ledger.open('work')];
    ledger.accepted(byStatus);
    ledger.accepted(byStatus);
    ledger.accepted(refused);
    ledger.succeeded(byStatus, good);
    ledger.succeeded(byAnswer, good);
    ledger.refused(refused);
    expect(ledger.counts).toEqual({ accepted: 2, settled: 2, succeeded: 2, failed: 0, cancelled: 0 });
    expect(ledger.words).toEqual({ byWorkers: 4, byDirectCount: 4 });
    expect([ledger.violations, ledger.lost]).toEqual([[], []]);
  });

  it('names a document that is settled twice', () => {
    const ledger = new Ledger();
    const entry = ledger.open('work');
    ledger.succeeded(entry, good);
    ledger.failed(entry, 'status 500');
    expect(ledger.counts.settled).toBe(1);
    expect(ledger.violations[0]).toContain('settled twice');
  });

  it('keeps an accepted document that nobody answered as lost', () => {
    const ledger = new Ledger();
    ledger.lostSightOf(ledger.open('work'), 'socket hang up');
    expect(ledger.counts).toMatchObject({ accepted: 1, settled: 0 });
    expect(ledger.lost).toHaveLength(1);
    expect(ledger.violations[0]).toContain('never answered');
  });

  it('excuses a failure only of documents meant to fail, and a cancellation only of clients meant to leave', () => {
    const ledger = new Ledger();
    for (const purpose of ['poison', 'late']) ledger.failed(ledger.open(purpose), 'status 500');
    ledger.cancelled(ledger.open('leaving'));
    expect(ledger.violations).toEqual([]);
    for (const purpose of ['work', 'witness', 'burst', 'leaving', 'farewell']) {
      ledger.failed(ledger.open(purpose), 'status 500');
    }
    ledger.cancelled(ledger.open('work'));
    expect(ledger.violations).toHaveLength(6);
  });

  it('names two counts of one document that were given one version', () => {
    const ledger = new Ledger();
    const count = (document: string, version: number) =>
      ledger.succeeded(ledger.open('work'), { ...good, counted: { ...COUNTED, document, version } });
    for (const [document, version] of [
      ['a', 1],
      ['b', 1],
      ['a', 2],
    ] as const)
      count(document, version);
    expect(ledger.violations).toEqual([]);
    count('a', 2);
    expect(ledger.violations[0]).toContain('has version 2, which another count of it has');
  });

  it.each([
    ['words', { ...COUNTED, words: 3 }],
    ['sentences', { ...COUNTED, sentences: 0 }],
    ['terms', { ...COUNTED, terms: [['a', 1]] }],
  ])('notices when %s differ', (field, counted) => {
    const ledger = new Ledger();
    ledger.succeeded(ledger.open('work'), { ...good, counted });
    expect(ledger.violations[0]).toContain(`miscounted: ${field}`);
  });
});

const strikesOfAll: Facts['strikes'] = KINDS.map((kind) => ({
  kind,
  atMs: 1_000,
  state: 'recovered',
  struckMs: 1_000,
  recoveryMs: 300,
  detail: 'pid 1',
}));
const wellShutDown = {
  code: 0,
  signal: null,
  ms: 900,
  refused: 3,
  inFlight: 4,
  inFlightSucceeded: 4,
  survivors: [],
};
const allWell: Facts = {
  seconds: 20,
  strikes: strikesOfAll,
  documents: { accepted: 1_000, settled: 1_000, succeeded: 990, failed: 6, cancelled: 4 },
  words: { byWorkers: 5, byDirectCount: 5 },
  violations: [],
  lost: 0,
  calm: [],
  gaveUp: 0,
  shutdown: wellShutDown,
  orphans: 0,
};
const withFirst = (change: Partial<Facts['strikes'][number]>): Facts['strikes'] =>
  strikesOfAll.map((strike, index) => (index === 0 ? { ...strike, ...change } : strike));

describe('the checker', () => {
  it('has nothing to say of a run that lost nothing', () => {
    expect(judge(allWell)).toEqual([]);
  });

  it.each([
    ['999 settled', { documents: { ...allWell.documents, settled: 999 } }],
    ['were lost', { documents: { ...allWell.documents, succeeded: 989 } }],
    ['only 899 of 1000', { documents: { ...allWell.documents, succeeded: 899, failed: 97 } }],
    ['a listener heard of 900', { events: { documents: 900, missed: 5, connections: 1 } }],
    [
      'only 199 documents',
      { documents: { accepted: 199, settled: 199, succeeded: 199, failed: 0, cancelled: 0 } },
    ],
    ['the workers counted 4 words', { words: { byWorkers: 4, byDirectCount: 5 } }],
    ['document 7', { violations: ['document 7 (work) failed'] }],
    ['never struck', { strikes: strikesOfAll.slice(1) }],
    ['never struck', { strikes: withFirst({ state: 'unrecovered', struckMs: undefined }) }],
    [
      'the pool did not',
      { strikes: withFirst({ state: 'unrecovered', detail: 'the pool did not get whole' }) },
    ],
    ['in the calm at the end: a fallback', { calm: ['a fallback price was served'] }],
    ['1 recoveries or supervisors gave up', { gaveUp: 1 }],
    ['never shut down', { shutdown: undefined }],
    ['exit code 3', { shutdown: { ...wellShutDown, code: 3 } }],
    ['SIGKILL', { shutdown: { ...wellShutDown, code: null, signal: 'SIGKILL' } }],
    ['took 10001 ms', { shutdown: { ...wellShutDown, ms: 10_001 } }],
    ['nothing new was refused', { shutdown: { ...wellShutDown, refused: 0 } }],
    ['only 3 of 4 documents in flight', { shutdown: { ...wellShutDown, inFlightSucceeded: 3 } }],
    ['survivors: w1', { shutdown: { ...wellShutDown, survivors: ['w1'] } }],
    ['2 OS processes', { orphans: 2 }],
  ])('says "%s" when that does not hold', (words, change) => {
    const failures = judge({ ...allWell, ...change });
    expect(failures.join('\n')).toContain(words);
  });
});

describe('the result', () => {
  const options = { ...parseOptions(['--seed', '5']), seconds: 20 };
  const result = createResult({
    failures: [],
    options,
    strikes: strikesOfAll,
    ledger: { counts: allWell.documents, words: allWell.words, latenciesMs: [5, 1, 3] },
    requests: { ok: 1, rejected: 2, failed: 3 },
    status: undefined,
    shutdown: allWell.shutdown,
    orphans: 0,
  });

  it('has the fields that machines rely on, in their order', () => {
    expect(Object.keys(result).join()).toBe(
      'ok,seed,seconds,faults,documents,words,requests,events,restarts,breaker,recoveries,recoveryMs,latencyMs,survivors,orphans',
    );
    expect(Object.keys(result.faults)).toEqual(KINDS);
    expect(result).toMatchObject({
      ok: true,
      seed: 5,
      faults: { loop_blocked: { struck: 1, recovered: 1 } },
    });
    expect([result.recoveryMs, result.latencyMs]).toEqual([
      { p50: 300, max: 300 },
      { p50: 3, p99: 5 },
    ]);
  });
});

describe('the picture', () => {
  const worker = { pid: 4_194_304, language: 'python', state: 'initializing', fit: false };
  const model = (coloured: boolean) => ({
    paint: createPaint({ coloured }),
    seed: 4_294_967_295,
    workers: 'mixed',
    phase: 'under fire',
    elapsedMs: 9_400,
    totalMs: 20_000,
    status: {
      phase: 'running',
      size: 4,
      queued: 64,
      restarts: 7,
      workers: [worker, worker, { ...worker, pid: undefined }, { ...worker, fit: true }],
      breaker: { state: 'half_open', opened: 12, closed: 11 },
      recoveries: { active: 1, recovered: 2, gaveUp: 0 },
    },
    counts: allWell.documents,
    requests: { ok: 1, rejected: 2, failed: 3 },
    throughput: Array.from({ length: 100 }, (_, index) => index),
    latencyMs: { p50: 4, p99: 1_505 },
    strikes: [...strikesOfAll, ...strikesOfAll],
  });

  it.each([
    [80, 24],
    [100, 35],
    [40, 10],
    [200, 60],
    [12, 3],
  ])('fits a terminal of %i by %i', (columns, rows) => {
    const lines = dashboardLines(model(true), { columns, rows });
    expect(lines.length).toBeLessThanOrEqual(rows);
    for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(columns);
  });

  it('has no escape sequence without colours, and draws also before the first status', () => {
    const text = dashboardLines({ ...model(false), status: undefined }, { columns: 80, rows: 24 }).join('');
    expect(text).not.toContain(String.fromCharCode(27));
  });

  it('keeps what ends a colour when it crops', () => {
    const paint = createPaint({ coloured: true });
    const cropped = crop(`${paint.red('abcdef')} tail`, 4);
    expect(cropped).toBe(paint.red('abc…'));
  });
});
