import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FILES_KEPT, writeRecording } from '../../src/application/recording-file.ts';
import { explore } from '../../src/explorer/cli/explore.ts';
import { readRecording } from '../../src/explorer/recording-source.ts';
import { actor, createSystem, server, supervisor } from '../../src/index.ts';
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
