import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { createMachine } from 'xstate';
import { stately } from '../../../src/explorer/cli/stately.ts';
import { explorer } from '../../../src/explorer/index.ts';
import { actor, circuitBreaker, createSystem, fromMachine, supervisor } from '../../../src/index.ts';

const lamp = actor(
  'lamp',
  fromMachine(
    createMachine({
      id: 'lamp',
      context: { code: 'secret-1234' },
      initial: 'off',
      states: { off: { on: { press: 'on' } }, on: { on: { press: 'off' } } },
    }),
  ),
);

/** What is used of the package `ws`, which has no types of its own. */
interface Socket {
  on(event: 'message' | 'open' | 'error', listener: (data: unknown) => void): void;
  terminate(): void;
}
const { WebSocket } = createRequire(import.meta.url)('ws') as {
  readonly WebSocket: new (address: string, options: object) => Socket;
};

interface Told {
  readonly type: string;
  readonly name?: string;
  readonly sessionId: string;
  readonly definition?: string;
  readonly event?: { readonly type: string };
  readonly snapshot: { readonly value: unknown; readonly status: string };
}

/** An inspector that waits for what it is told. */
const inspector = (address: string, origin?: string) => {
  const told: Told[] = [];
  let look = (): void => undefined;
  const socket = new WebSocket(address, origin === undefined ? {} : { origin });
  socket.on('message', (data) => {
    told.push(JSON.parse(String(data)) as Told);
    look();
  });
  const until = (fits: (one: Told) => boolean): Promise<Told> =>
    new Promise((resolve) => {
      look = () => {
        const found = told.find(fits);
        if (found !== undefined) resolve(found);
      };
      look();
    });
  const refused = new Promise<boolean>((resolve) => {
    socket.on('open', () => resolve(false));
    socket.on('error', () => resolve(true));
  });
  return { told, until, refused, close: () => socket.terminate() };
};

const bridged = async () => {
  const view = explorer({ refreshMs: 50 });
  const prices = circuitBreaker('prices', { window: { kind: 'consecutive', failures: 1 }, openMs: 60_000 });
  const system = createSystem();
  const shop = supervisor('shop', { children: [view, lamp, prices] });
  await system.start(shop);
  let stop = (): void => undefined;
  const interrupted = new Promise<void>((resolve) => {
    stop = resolve;
  });
  let code: Promise<number> = Promise.resolve(-1);
  const printed = await new Promise<string>((print) => {
    const address = system.get(view).address as string;
    code = stately.run([address, '--port', '0'], { print, complain: print, interrupted });
  });
  const address = new URL(printed.replace(/^stately /, '')).searchParams.get('ws') as string;
  return { system, shop, prices, printed, address, code, stop };
};

it("Stately's inspector is told of machines, their steps and their ends, and of no context", async () => {
  const { system, shop, prices, printed, address, code, stop } = await bridged();
  expect(printed).toMatch(/^stately https:\/\/stately\.ai\/inspect\?ws=ws%3A%2F%2Flocalhost%3A\d+$/);
  const first = inspector(address, 'https://stately.ai');
  const met = await first.until(({ name }) => name === 'shop/lamp');
  expect(met).toMatchObject({ type: '@xstate.actor', rootId: 'shop', parentId: 'shop', id: null });
  expect(met.snapshot).toMatchObject({ value: 'off', status: 'active' });
  expect(JSON.parse(met.definition as string)).toMatchObject({ id: 'lamp', initial: 'off' });

  system.get(lamp).send({ type: 'press' });
  const pressed = await first.until(
    ({ sessionId, snapshot }) => sessionId === met.sessionId && snapshot.value === 'on',
  );
  expect(pressed).toMatchObject({ type: '@xstate.snapshot', event: { type: 'press' } });
  await system
    .get(prices)
    .execute(() => Promise.reject(new Error('no')))
    .catch(() => undefined);
  expect(await first.until(({ snapshot }) => snapshot.value === 'open')).toMatchObject({
    event: { type: 'window.tripped' },
  });

  // Who comes later is told where all stand.
  const second = inspector(address);
  await second.until(({ snapshot }) => snapshot.value === 'open');
  await second.until(({ snapshot }) => snapshot.value === 'on');
  await system.get(shop).terminateChild('lamp');
  await second.until((one) => one.sessionId === met.sessionId && one.snapshot.status === 'stopped');
  expect(JSON.stringify([first.told, second.told])).not.toContain('secret-1234');
  first.close();
  second.close();
  stop();
  expect(await code).toBe(0);
  await system.shutdown();
});

it.each(['https://evil.example', 'https://stately.ai.evil.example', 'http://stately.ai', 'null'])(
  'a page of %s does not get in',
  async (origin) => {
    const { system, address, code, stop } = await bridged();
    expect(await inspector(address, origin).refused).toBe(true);
    stop();
    await code;
    await system.shutdown();
  },
);

it('the built command finds ws as the project has it', async () => {
  const cli = fileURLToPath(new URL('../../../dist/cli.js', import.meta.url));
  expect(existsSync(cli), 'npm run build:js makes it').toBe(true);
  const child = spawn(execPath, [cli, 'stately', 'http://127.0.0.1:9', '--port', '0']);
  const said = await new Promise<string>((resolve) => {
    child.stdout.once('data', (chunk) => resolve(String(chunk)));
    child.once('close', (code) => resolve(`exit ${code}`));
  });
  child.kill();
  expect(said).toContain('stately https://stately.ai/inspect?ws=');
});

it('what it cannot read it says, with how it is called', async () => {
  const said: string[] = [];
  const terminal = {
    print: () => undefined,
    complain: (line: string) => void said.push(line),
    interrupted: Promise.resolve(),
  };
  expect(await stately.run([], terminal)).toBe(2);
  expect(await stately.run(['http://127.0.0.1:1', '--port', '70000'], terminal)).toBe(2);
  expect(said[0]).toContain('usage: troupe stately <url>');
  expect(said[1]).toContain('--port is a number up to 65535');
});
