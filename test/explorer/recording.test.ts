import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FILES_KEPT, writeRecording } from '../../src/application/recording-file.ts';
import { explore } from '../../src/explorer/cli/explore.ts';
import { RecordingSource, readRecording } from '../../src/explorer/recording-source.ts';
import {
  actor,
  circuitBreaker,
  createSystem,
  inProcess,
  pool,
  recovery,
  server,
  supervisor,
} from '../../src/index.ts';
import { Page } from './served.ts';

const till = actor(
  'till',
  server({
    init: () => ({}),
    cast: {
      crash: () => {
        throw new Error('the drawer jams');
      },
    },
  }),
);

const crashed = async () => {
  const system = createSystem();
  await system.start(supervisor('shop', { children: [till], backoff: false }));
  const restarted = new Promise((resolve) => system.events.on('supervisor.child.restarted', resolve));
  system.get(till).tell({ type: 'crash' });
  await restarted;
  return system;
};

it('a recording is written for its owner alone, and opened in the same views', async () => {
  const system = await crashed();
  const folder = mkdtempSync(join(tmpdir(), 'troupe-test-'));
  const file = writeRecording(folder, system, { name: 'shop', why: 'gave_up' }) as string;
  await system.shutdown();
  expect(statSync(file).mode & 0o077).toBe(0);

  let stop = (): void => undefined;
  const interrupted = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const lines: string[] = [];
  const printed = new Promise<string>((resolve) => {
    const print = (line: string) => {
      lines.push(line);
      resolve(line);
    };
    void explore.run([file], { print, complain: print, interrupted });
  });
  const address = (await printed).replace('explorer ', '');
  const page = new Page(address);
  await page.open();
  expect(await page.until('hello')).toMatchObject({ source: 'recording', commands: [], name: 'shop' });
  const tree = await page.until('tree');
  expect(tree.window).toMatchObject([{ path: 'shop' }, { path: 'shop/till', restarts: 1 }]);
  const { facts } = await page.until('facts');
  expect(facts.map(({ type }) => type)).toEqual(['actor.ended', 'supervisor.child.restarted']);
  expect(JSON.stringify(facts)).toContain('the drawer jams');
  await page.watch({ supervision: true });
  expect((await page.until('supervision')).supervisors[0]?.history).toMatchObject([{ child: 'till' }]);
  stop();
  await page.until('bye');
  rmSync(folder, { recursive: true });
});

it('a folder keeps the newest recordings', async () => {
  const system = await crashed();
  const folder = mkdtempSync(join(tmpdir(), 'troupe-test-'));
  for (let i = 0; i < FILES_KEPT + 3; i++)
    writeFileSync(join(folder, `troupe-a-${i}-10000000000${10 + i}.json`), '');
  const file = writeRecording(folder, system, { name: 'a/b', why: 'forced_exit' }) as string;
  await system.shutdown();
  expect(readdirSync(folder)).toHaveLength(FILES_KEPT);
  expect(readRecording(readFileSync(file, 'utf8'), file)).toMatchObject({
    why: 'forced_exit',
    pid: process.pid,
  });
  rmSync(folder, { recursive: true });
});

it.each([
  ['no JSON', '{'],
  ['another JSON', '{"a":1}'],
  [
    'no facts',
    '{"troupeRecording":1,"name":"x","node":"20","startedAt":1,"writtenAt":1,"facts":[{}],"tree":[]}',
  ],
  [
    'no tree',
    '{"troupeRecording":1,"name":"x","node":"20","startedAt":1,"writtenAt":1,"facts":[],"tree":[1]}',
  ],
])('%s is refused by name', async (_, content) => {
  expect(() => readRecording(content, 'black-box.json')).toThrow(/black-box.json is no recording/);
});

it('a folder that cannot be written loses the recording, and nothing else', async () => {
  const system = createSystem();
  expect(writeRecording('/proc/nowhere', system, { name: 'x', why: 'gave_up' })).toBeUndefined();
  await system.shutdown();
});

const FAILURE = {
  kit: 1,
  node: '20.20.2',
  scenario: 'prices',
  property: 'nobody waits for ever',
  error: 'Error: 1 of 2 still waits\n    at here',
  hash: 'abcd',
  commandNames: ['fail'],
  trace: [
    'run turn 0',
    'note actor.started shop/prices 0',
    'note actor.started shop 0',
    'command fail 3',
    'choose link.cut 1',
    'note breaker.opened shop/prices 250',
    'note actor.ended shop/prices 300',
    'a line of another kit',
  ],
};

it('the file of a failed simulation is gone through step by step in the same views', () => {
  const recording = readRecording(JSON.stringify(FAILURE), 'prices-abcd.json');
  expect(recording).toMatchObject({ why: 'simulation', name: 'prices', startedAt: 0, writtenAt: 300 });
  expect(recording.facts.map(({ n, at, text }) => [n, at, text])).toEqual([
    [0, 0, 'turn'],
    [1, 0, 'actor started'],
    [2, 0, 'actor started'],
    [3, 0, 'command fail (3)'],
    [4, 0, 'link.cut: not the usual, choice 1'],
    [5, 250, 'breaker opened'],
    [6, 300, 'actor ended'],
    [7, 300, 'nobody waits for ever: Error: 1 of 2 still waits'],
  ]);
  const source = new RecordingSource(recording);
  expect(source.tree({ query: '', from: 0, count: 10 }).window).toMatchObject([
    { path: 'shop', status: 'running' },
    { path: 'shop/prices', kind: 'breaker', state: 'open', status: 'ended' },
  ]);
  expect(source.history('shop/prices')?.steps).toMatchObject([
    { from: 'closed', to: 'open', at: 250, event: 'window.tripped' },
  ]);
  // What a player goes through: each step behind the fact that tells of it.
  expect(source.recording().steps).toMatchObject([{ path: 'shop/prices', to: 'open', fact: 5 }]);
});

it('a simulated pool stands with the workers that were left, its chart as far as it was told of', () => {
  const trace = [
    'note actor.started shop/documents 0',
    'note actor.started shop/documents/worker-1 0',
    'note pool.worker.started shop/documents 5',
    'note actor.ended shop/documents/worker-1 9',
    'note pool.degraded shop/documents 9',
    'note actor.started shop/documents/worker-2 400',
    'note pool.restored shop/documents 400',
  ];
  const source = new RecordingSource(readRecording(JSON.stringify({ ...FAILURE, trace }), 'a.json'));
  expect(source.pools()).toMatchObject([
    { path: 'shop/documents', state: 'ready', size: 1, workers: [{ id: 'worker-2' }], vacant: [] },
  ]);
  expect(source.history('shop/documents')?.steps.map(({ event, to }) => [event, to])).toEqual([
    ['worker.started', { admission: 'ready', service: 'serving' }],
    ['worker.lost', { admission: 'degraded', service: 'serving' }],
    ['?', { admission: 'ready', service: 'serving' }],
  ]);
});

it('a recording shows breakers, pools and recoveries as far as its tree and its facts tell of them', async () => {
  const prices = circuitBreaker('prices', { window: { kind: 'consecutive', failures: 1 }, openMs: 60_000 });
  const documents = pool('documents', { size: 1, worker: inProcess({ handlers: { count: () => 1 } }) });
  const mending = recovery('mending');
  const system = createSystem();
  await system.start(supervisor('shop', { children: [prices, documents, mending] }));
  await system.get(documents).ready({});
  const begun = new Promise((resolve) => system.events.on('recovery.started', resolve));
  await system
    .get(prices)
    .execute(() => Promise.reject(new Error('upstream is down')))
    .catch(() => undefined);
  await begun;
  const folder = mkdtempSync(join(tmpdir(), 'troupe-test-'));
  const file = writeRecording(folder, system, { name: 'shop', why: 'gave_up' }) as string;
  await system.shutdown();
  const source = new RecordingSource(readRecording(readFileSync(file, 'utf8'), file));
  rmSync(folder, { recursive: true });
  expect(source.breakers()).toMatchObject([
    {
      path: 'shop/prices',
      state: 'open',
      verdict: 'refuse',
      openMs: 60_000,
      cause: { message: 'upstream is down' },
      counts: { openings: 1 },
      history: [{ to: 'opened' }],
      chart: { last: { from: 'closed', to: 'open' } },
    },
  ]);
  expect(source.pools()).toMatchObject([
    {
      path: 'shop/documents',
      state: 'ready',
      workers: [{ id: 'worker-1', state: 'ready', health: 'healthy' }],
    },
  ]);
  expect(source.recoveries()).toMatchObject([
    {
      path: 'shop/mending',
      active: [{ subject: 'shop/prices', category: 'system', remedy: 'observe', steps: [] }],
      recent: [],
    },
  ]);
  expect(source.actor('shop/prices')).toMatchObject({ breaker: { state: 'open' }, chart: { value: 'open' } });
});
