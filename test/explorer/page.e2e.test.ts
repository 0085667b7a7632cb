import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { assign, setup } from 'xstate';
import { type ExplorerHandle, explorer } from '../../src/explorer/index.ts';
import {
  type Application,
  actor,
  application,
  circuitBreaker,
  dynamicSupervisor,
  fromMachine,
  server,
  supervisor,
} from '../../src/index.ts';
import { requires } from '../requirements.ts';
import { namelessControls, paleWords, scrollTo, searchFor } from './in-page.ts';

const KIB = 1_024;
const BUILT = new URL('../../dist/explorer-page/', import.meta.url);
const EVIL = '<img src=x onerror="document.title=1">';
const PATIENCE = { timeout: 15_000 };

it('the page is one script, one sheet and one document: less than 100 KiB on the wire, and nothing from elsewhere', () => {
  expect(existsSync(BUILT), 'npm run build:js makes it').toBe(true);
  const names = readdirSync(BUILT).filter((name) => !name.endsWith('.map'));
  expect(names.sort()).toEqual(['icon.svg', 'index.html', 'page.css', 'page.js']);
  const bytes = names.reduce((sum, name) => sum + gzipSync(readFileSync(new URL(name, BUILT))).length, 0);
  expect(bytes).toBeLessThan(100 * KIB);
  const html = readFileSync(new URL('index.html', BUILT), 'utf8');
  expect(html).not.toMatch(/https?:|<style|<script(?![^>]*src=)|\son\w+=|style=/);
});

const door = setup({
  types: { context: {} as { opened: number }, events: {} as { type: 'open' | 'close' } },
}).createMachine({
  id: 'door',
  context: { opened: 0 },
  initial: 'shut',
  states: {
    shut: {
      on: { open: { target: 'ajar', actions: assign({ opened: ({ context }) => context.opened + 1 }) } },
    },
    ajar: { on: { close: 'shut' } },
  },
});

const till = () =>
  server({
    init: () => ({ n: 0 }),
    cast: {
      crash: () => {
        throw new Error('the drawer jams');
      },
    },
    call: { total: (state: { n: number }) => state.n },
  });

const chromiumIs = requires('chromium');

describe.skipIf(chromiumIs.skip)(`in a browser (${chromiumIs.reason} where this is skipped)`, () => {
  let browser: Browser;
  let app: Application;
  let page: Page;
  let url: string;
  const wrong: string[] = [];
  const prices = circuitBreaker('prices', { window: { kind: 'consecutive', failures: 2 }, openMs: 60_000 });
  const drawer = actor('till', till());
  const shown = explorer({ commands: true, refreshMs: 50 });

  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      args: ['--no-sandbox'],
    });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
  });

  beforeEach(async () => {
    const children = [shown, prices, drawer, actor('door', fromMachine(door)), actor(EVIL, till())];
    const root = supervisor('shop', { children, intensity: 20, backoff: false });
    app = await application(root).start();
    url = (app.get(shown) as ExplorerHandle).url as string;
    page = await browser.newPage({ viewport: { width: 1280, height: 720 } });
    wrong.length = 0;
    page.on('pageerror', (error) => wrong.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') wrong.push(message.text());
    });
    await page.goto(url);
    await page.locator('.row[data-path="shop/till"]').waitFor(PATIENCE);
  }, 60_000);
  afterEach(async () => {
    await page?.close();
    await app?.stop();
    // A breach of the content security policy is told on the console.
    expect(wrong).toEqual([]);
  }, 60_000);

  const row = (path: string) => page.locator(`.row.actor[data-path="${path}"]`);

  it('shows the tree, forgets the token in the address, and a name that is markup is a name', async () => {
    expect(page.url()).not.toContain('token');
    await page.reload();
    await row('shop/till').waitFor(PATIENCE);
    await page.getByText(EVIL, { exact: true }).first().waitFor(PATIENCE);
    expect(await page.locator('.row img').count()).toBe(0);
    expect(await page.title()).toBe('troupe explorer');
  });

  it('a crash flashes, its replacement appears, and the cause and the supervisor are named', async () => {
    app.get(drawer).tell({ type: 'crash' });
    await row('shop/till')
      .locator('.flash')
      .waitFor({ ...PATIENCE, state: 'attached' });
    await page.locator('.row.tombstone[data-path="shop/till"]').waitFor(PATIENCE);
    const card = page.locator('.incident', { hasText: 'the drawer jams' });
    await card.waitFor(PATIENCE);
    expect(await card.innerText()).toContain('shop started it again');
  });

  it('an event sent from a chip changes the state, and the past shows what it changed', async () => {
    await row('shop/door').click();
    await page.locator('.events [data-event="open"]').click(PATIENCE);
    await page.locator('.state.active[data-state="door.ajar"]').waitFor(PATIENCE);
    await page.getByRole('button', { name: 'send close' }).click(PATIENCE);
    await page.locator('.state.active[data-state="door.shut"]').waitFor(PATIENCE);
    await page.getByRole('tab', { name: 'Past' }).click();
    await page.getByText('2 of 2').waitFor(PATIENCE);
    await page.getByRole('button', { name: 'One step back' }).click();
    await page.locator('.state.active[data-state="door.ajar"]').waitFor(PATIENCE);
    expect(await page.locator('.changes').innerText()).toContain('opened');
    expect(page.url()).toContain('step=');
  });

  it('a breaker that trips is the first thing said, and is reset from its buttons', async () => {
    const call = () =>
      app
        .get(prices)
        .execute(async () => {
          throw new Error('the mint is shut');
        })
        .catch(() => undefined);
    await call();
    await call();
    const card = page.locator('.incident.degraded', { hasText: 'the mint is shut' });
    await card.waitFor(PATIENCE);
    await row('shop/prices').click();
    await page.locator('.state.active[data-state$=".open"]').waitFor(PATIENCE);
    await page.getByRole('button', { name: 'Reset' }).click();
    await page.locator('.state.active[data-state$=".closed"]').waitFor(PATIENCE);
  });

  it('a kill is asked about first, and then restarts', async () => {
    const before = app.get(drawer).ref()?.incarnation;
    await row('shop/till').click();
    await page.getByRole('button', { name: 'Kill' }).click(PATIENCE);
    expect(app.get(drawer).ref()?.incarnation).toBe(before);
    await page.getByRole('dialog').getByRole('button', { name: 'Kill' }).click();
    await page.locator('.outcomes .good', { hasText: 'killed' }).waitFor(PATIENCE);
    await expect.poll(() => app.get(drawer).ref()?.incarnation, { timeout: 15_000 }).not.toBe(before);
  });

  it('a search keeps what matches, and every view draws itself without a fault', async () => {
    await page.keyboard.press('/');
    await page.keyboard.type('kind:breaker');
    await page.getByText('1 of 6 actors match').waitFor(PATIENCE);
    for (const [key, words] of Object.entries({
      t: 'Hold still',
      s: 'one for one',
      b: 'in a row',
      p: 'no pool',
      r: 'no recovery',
      m: 'messages a second',
      d: 'running',
      n: 'Breakers',
    })) {
      await page.keyboard.press('Escape');
      await page.keyboard.press('g');
      await page.keyboard.press(key);
      await page.locator('.view', { hasText: words }).waitFor(PATIENCE);
    }
  });

  it('is worked by the keyboard alone, and every control and picture has a name', async () => {
    await page.getByRole('tree', { name: 'Supervision tree' }).focus();
    await page.keyboard.press('Home');
    for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowDown');
    await page.locator('.state.active[data-state="door.shut"]').waitFor(PATIENCE);
    expect(await page.locator('[role="treeitem"][aria-selected="true"]').getAttribute('data-path')).toBe(
      'shop/door',
    );
    await page.locator('.events [data-event="open"]').focus();
    await page.keyboard.press('Enter');
    await page.locator('.state.active[data-state="door.ajar"]').waitFor(PATIENCE);
    // So is an arrow of the chart.
    await page.getByRole('button', { name: 'send close' }).focus();
    await page.keyboard.press('Enter');
    await page.locator('.state.active[data-state="door.shut"]').waitFor(PATIENCE);
    expect(await page.evaluate(namelessControls)).toEqual([]);
  });

  it.each(['light', 'dark'] as const)('in the %s theme no words are too pale to be read', async (theme) => {
    await page.emulateMedia({ colorScheme: theme });
    expect(await page.evaluate(paleWords)).toEqual([]);
  });

  it('says so when the connection is lost', async () => {
    await app.stop();
    await page.getByText('The connection is lost.').waitFor(PATIENCE);
    // What a browser says of a refused connection is no fault of the page.
    wrong.length = 0;
  });
});

/** What the tree may take to follow a scroll or a search, ms: less, and it feels at once. */
const AT_ONCE_MS = 200;
const MOST_TRIES = 60;

describe.skipIf(chromiumIs.skip)(`ten thousand actors in a browser (${chromiumIs.reason})`, () => {
  it('are scrolled and filtered within 200 ms, from the hand to what is seen', async () => {
    const shown = explorer();
    const crowd = dynamicSupervisor('crowd', { maxChildren: 20_000 });
    const app = await application(supervisor('shop', { children: [shown, crowd] })).start();
    const guests = app.get(crowd);
    for (let from = 0; from < 10_000; from += 1_000)
      await Promise.all(
        Array.from({ length: 1_000 }, (_, i) => guests.startChild(actor(`guest-${from + i}`, till()))),
      );
    const browser = await chromium.launch({
      executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      args: ['--no-sandbox'],
    });
    const page = await browser.newPage({ viewport: { width: 1280, height: 720 } });
    await page.goto(app.get(shown).url as string);
    await page.locator('.row.group').click(PATIENCE);
    await page.locator('.row[data-path="shop/crowd/guest-1"]').waitFor(PATIENCE);

    /** The best of many: that other work keeps the machine busy is not what is measured. */
    const best = async (attempt: (guest: number) => Promise<number>): Promise<number> => {
      let shortest = Number.POSITIVE_INFINITY;
      for (let i = 0; i < MOST_TRIES && shortest >= AT_ONCE_MS; i++)
        shortest = Math.min(shortest, await attempt(1_000 + ((i * 1_117) % 8_000)));
      return shortest;
    };
    // Above a guest stand the root, the explorer, the crowd and its group.
    const scrolled = await best((n) =>
      page.evaluate(scrollTo, [n + 4, `shop/crowd/guest-${n + 3}`] as const),
    );
    expect(scrolled).toBeLessThan(AT_ONCE_MS);
    const searched = await best((n) =>
      page.evaluate(searchFor, [`path:guest-${n}`, `shop/crowd/guest-${n}`] as const),
    );
    expect(searched).toBeLessThan(AT_ONCE_MS);
    await browser.close();
    await app.stop();
  }, 120_000);
});
