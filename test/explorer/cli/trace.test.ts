import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createMachine } from 'xstate';
import { explore } from '../../../src/explorer/cli/explore.ts';
import { explorer } from '../../../src/explorer/index.ts';
import { actor, createSystem, fromMachine, server, supervisor } from '../../../src/index.ts';

type Entry = Readonly<Record<string, unknown>>;

const lamp = actor(
  'lamp',
  fromMachine(
    createMachine({
      id: 'lamp',
      initial: 'off',
      states: { off: { on: { press: 'on' } }, on: { on: { press: 'off' } } },
    }),
  ),
);
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

const started = async () => {
  const view = explorer({ refreshMs: 50 });
  const system = createSystem();
  await system.start(supervisor('shop', { backoff: false, children: [view, lamp, till] }));
  return { system, address: system.get(view).address as string };
};

it('what happens in a running system is printed as JSON lines: facts, messages, steps of the actors asked for', async () => {
  const { system, address } = await started();
  const entries: Entry[] = [];
  let look = (): void => undefined;
  let interrupt = (): void => undefined;
  const interrupted = new Promise<void>((resolve) => {
    interrupt = resolve;
  });
  const until = (fits: (entry: Entry) => boolean) =>
    new Promise<void>((resolve) => {
      look = () => {
        if (entries.some(fits)) resolve();
      };
      look();
    });
  const print = (line: string): void => {
    entries.push(JSON.parse(line) as Entry);
    look();
  };
  const running = explore.run([address, '--trace', '--actor', 'shop/lamp'], {
    print,
    complain: print,
    interrupted,
  });
  system.get(till).tell({ type: 'crash' });
  await until(({ entry, type }) => entry === 'fact' && type === 'supervisor.child.restarted');
  // The watch has been answered by then or is about to be: a step is known only from then on.
  const pressing = setInterval(() => system.get(lamp).send({ type: 'press' }), 20);
  await until(({ entry, path }) => entry === 'step' && path === 'shop/lamp');
  await until(({ entry, name }) => entry === 'message' && name === 'press');
  clearInterval(pressing);
  interrupt();
  expect(await running).toBe(0);
  const crash = entries.find(({ type }) => type === 'actor.ended');
  expect(crash).toMatchObject({ entry: 'fact', path: 'shop/till', weight: 'trouble' });
  await system.shutdown();
});

it('a recording is printed the same way, in the order in which it happened', async () => {
  const { system, address } = await started();
  const ended = new Promise((resolve) => system.events.on('supervisor.child.restarted', resolve));
  system.get(till).tell({ type: 'crash' });
  await ended;
  const folder = mkdtempSync(join(tmpdir(), 'troupe-test-'));
  const file = join(folder, 'recording.json');
  const headers = { 'sec-fetch-site': 'none' };
  writeFileSync(file, await (await fetch(`${address}api/v1/recording`, { headers })).text());
  await system.shutdown();
  const lines: string[] = [];
  const print = (line: string) => void lines.push(line);
  const never = new Promise<void>(() => undefined);
  expect(await explore.run([file, '--trace'], { print, complain: print, interrupted: never })).toBe(0);
  expect(readFileSync(file, 'utf8')).toContain('troupeRecording');
  const types = lines.map((line) => (JSON.parse(line) as Entry)['type']);
  expect(types).toEqual(['actor.ended', 'supervisor.child.restarted']);
  rmSync(folder, { recursive: true });
});
