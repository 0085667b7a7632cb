import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { realHost } from '../../../src/base/real-host.ts';
import type { Terminal } from '../../../src/explorer/cli/subcommand.ts';
import { readTarget } from '../../../src/explorer/cli/target.ts';
import { top } from '../../../src/explorer/cli/top.ts';
import { explorer } from '../../../src/explorer/index.ts';
import { TopScreen } from '../../../src/explorer/top/top-screen.ts';
import { actor, createSystem, server, supervisor } from '../../../src/index.ts';
import { FakeScreen } from '../top/screen.ts';

const TOKEN = 'a token of sixteen characters'.replaceAll(' ', '-');
const view = explorer({ token: TOKEN, refreshMs: 50 });
const clerks = Array.from({ length: 60 }, (_, i) => actor(`clerk-${i}`, server({ init: () => ({}) })));
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
const system = createSystem();
let address = '';

beforeAll(async () => {
  await system.start(
    supervisor('shop', { intensity: 100, backoff: false, children: [view, till, ...clerks] }),
  );
  address = system.get(view).address as string;
});
afterAll(() => system.shutdown());

const run = async (args: readonly string[], more: Partial<Terminal> = {}) => {
  const [printed, complained]: [string[], string[]] = [[], []];
  const code = await top.run(args, {
    print: (line) => printed.push(line),
    complain: (line) => complained.push(line),
    interrupted: new Promise(() => undefined),
    ...more,
  });
  return { code, printed, complained: complained.join('\n') };
};

const open = (query = '') => {
  const screen = new FakeScreen();
  const target = { base: address, token: TOKEN };
  const shown = new TopScreen({ host: realHost(), target, screen, query });
  shown.start();
  return { screen, shown };
};

describe('troupe top where there is no terminal', () => {
  it('prints once what there is to see, without a colour', async () => {
    const { code, printed } = await run([address], { environment: { TROUPE_TOKEN: TOKEN } });
    expect(code).toBe(0);
    expect(printed[0]).toMatch(/^shop · pid \d+ · up .* · 63 actors/);
    expect(printed).toEqual(expect.arrayContaining([expect.stringMatching(/● clerk-59 +server/)]));
    expect(printed.join('')).not.toContain('\u001b');
  });

  it('takes the token from the fragment of the address as well, and from who is asked for it', async () => {
    expect((await run([`${address}#token=${TOKEN}`, '--filter', 'path:till'])).code).toBe(0);
    const ask = async () => ` ${TOKEN}\n`;
    expect((await run([address, '--token'], { ask })).code).toBe(0);
  });

  it.each([
    ['none', {}, /a token is needed/],
    ['a wrong one', { TROUPE_TOKEN: 'wrong-and-long-enough' }, /a token is needed/],
  ])('with %s says how to give one, and not which it was', async (_, environment, message) => {
    const { code, complained } = await run([address], { environment });
    expect(code).toBe(1);
    expect(complained).toMatch(message);
    expect(complained).not.toContain('wrong-and');
  });

  it('an address where nobody answers is said to be one', async () => {
    const { code, complained } = await run(['http://127.0.0.1:1/']);
    expect([code, complained]).toEqual([
      1,
      expect.stringMatching(/127\.0\.0\.1:1\/: (ECONNREFUSED|bad port)/),
    ]);
  });

  it.each([[[]], [['a', 'b']], [['ftp://x/']], [['http://x/', '--what']]])(
    'called as %j it says how it is called',
    async (args) => {
      const { code, complained } = await run(args);
      expect([code, complained]).toEqual([2, expect.stringContaining('usage: troupe top <url>')]);
    },
  );
});

describe('troupe top on a screen', () => {
  it('follows what happens, and gives the terminal back once at q', async () => {
    const { screen, shown } = open();
    await screen.until(([first]) => first?.startsWith('shop · pid') === true);
    system.get(till).tell({ type: 'crash' });
    const lines = await screen.until((all) => all.some((line) => line.includes('the drawer jams')));
    expect(lines).toHaveLength(30);
    await screen.until((all) => all.some((line) => /● till +server.* ↻ 1/.test(line)));
    await screen.until((all) => all.some((line) => line.includes('restarted 1')));
    screen.press('q');
    expect(await shown.ended).toBeUndefined();
    shown.end();
    expect([screen.entered, screen.left, screen.isHeard]).toEqual([1, 1, false]);
  });

  it('asks for the rows that are seen: scrolled, resized, filtered', async () => {
    const { screen, shown } = open();
    const shows = (id: string) => (lines: readonly string[]) => lines.some((line) => line.includes(`${id} `));
    await screen.until(shows('clerk-0'));
    screen.press('\u001b[F');
    await screen.until(shows('clerk-59'));
    screen.press('\u001b[H');
    await screen.until(shows('clerk-0'));
    // With room to spare: on a busy machine a late event loop is shown above the tree.
    screen.resize(60, 140);
    await screen.until(
      (lines) => lines.length === 140 && shows('clerk-0')(lines) && shows('clerk-59')(lines),
    );
    screen.press('/path:clerk-7x\u007f\r');
    const lines = await screen.until((all) => shows('clerk-7')(all) && !shows('clerk-8')(all));
    expect(lines.find((line) => line.startsWith('TREE'))).toContain('match path:clerk-7');
    screen.press('\u001b');
    await screen.until(shows('clerk-8'));
    screen.press('\u0003');
    expect(await shown.ended).toBeUndefined();
    expect(screen.left).toBe(1);
  });

  it('a refusal ends it with the reason, the terminal given back', async () => {
    const screen = new FakeScreen();
    const { code, complained } = await run([address], { screen });
    expect([code, complained]).toEqual([1, expect.stringMatching(/a token is needed/)]);
    expect([screen.entered, screen.left]).toEqual([1, 1]);
  });

  it('a signal ends it as q does', async () => {
    const screen = new FakeScreen();
    let interrupt = (): void => undefined;
    const interrupted = new Promise<void>((resolve) => {
      interrupt = resolve;
    });
    const environment = { TROUPE_TOKEN: TOKEN };
    const running = run([address], { screen, interrupted, environment });
    await screen.until(([first]) => first?.startsWith('shop · pid') === true);
    interrupt();
    expect((await running).code).toBe(0);
    expect(screen.left).toBe(1);
  });

  it('a service that ends is said to be lost, and is found again', async () => {
    const screen = new FakeScreen();
    const other = createSystem();
    const otherView = explorer({ refreshMs: 50 });
    await other.start(supervisor('brief', { children: [otherView] }));
    const target = { base: other.get(otherView).address as string, token: undefined };
    const shown = new TopScreen({ host: realHost(), target, screen, query: '' });
    shown.start();
    await screen.until(([first]) => first?.startsWith('brief ·') === true);
    await other.shutdown();
    await screen.until(([first]) => /connection lost \(.*\), tried again in/.test(first ?? ''));
    shown.end();
    await shown.ended;
  });
});

it.each([
  ['127.0.0.1:4100', { base: 'http://127.0.0.1:4100/', token: undefined }],
  ['https://a.example/ops/explorer#token=t', { base: 'https://a.example/ops/explorer/', token: 't' }],
  ['ftp://a', 'an address begins with http:// or https://'],
  ['http://#token=secret', 'http:// is no address'],
])('%s is read as an address', (given, expected) => {
  expect(readTarget(given, {})).toEqual(expected);
});
