/**
 * Photographs the explorer for the README: `npm run docs:screenshot` writes docs/pictures/explorer.png. A shop whose prices cannot be
 * had any more, as an engineer finds it: the breaker open, its cause and its chart, what waits for it held back.
 *
 * It needs Chromium and the built page (`npm run build:js`). A picture of pixels differs from machine to machine: nothing checks it
 * for drift, as the drawings beside it are checked.
 */
import { statSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { setup } from 'xstate';
import { type ExplorerHandle, explorer } from '../src/explorer/index.ts';
import {
  actor,
  application,
  circuitBreaker,
  dynamicSupervisor,
  fromMachine,
  inProcess,
  pool,
  recovery,
  server,
  supervisor,
} from '../src/index.ts';

const PICTURE = fileURLToPath(new URL('../docs/pictures/explorer.png', import.meta.url));
const MOST_BYTES = 250 * 1_024;
const SIZE = { width: 1280, height: 720 };

const order = setup({ types: { events: {} as { type: 'paid' | 'sent' | 'lost' } } }).createMachine({
  id: 'order',
  initial: 'placed',
  states: {
    placed: { on: { paid: 'packing' } },
    packing: { on: { sent: 'gone', lost: 'placed' } },
    gone: {},
  },
});

const clerk = server({
  init: () => ({}),
  cast: {
    crash: () => {
      throw new Error('the drawer jams');
    },
  },
});

const view = explorer({ commands: true, refreshMs: 50 });
const prices = circuitBreaker('prices', {
  window: { kind: 'count', size: 20, minimumCalls: 5, failureRate: 0.5 },
  openMs: 45_000,
});
const documents = pool('documents', { size: 4, worker: inProcess({ handlers: { count: () => 1 } }) });
const till = actor('till', clerk);
const first = actor('order-1', fromMachine(order));
const second = actor('order-2', fromMachine(order));
const shop = supervisor('shop', {
  backoff: false,
  children: [
    view,
    prices,
    documents,
    recovery('mending'),
    supervisor('back office', { strategy: 'rest_for_one', children: [till, actor('ledger', clerk)] }),
    supervisor('orders', { children: [first, second] }),
    dynamicSupervisor('carts'),
  ],
});

const app = await application(shop).start();
const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
const page = await browser.newPage({ viewport: SIZE, colorScheme: 'light' });
await page.goto((app.get(view) as ExplorerHandle).url as string);
await page.locator('.row[data-path="shop/prices"]').click();
await page.locator('.state.active[data-state$=".closed"]').waitFor();
await app.get(documents).ready({});

const call = (ends: boolean): Promise<unknown> =>
  app
    .get(prices)
    .execute(() =>
      ends ? Promise.resolve(1) : Promise.reject(new Error('connect ECONNREFUSED 10.0.4.17:443')),
    )
    .catch(() => undefined);
for (const ends of [true, true, false, true, false, false, false, false]) await call(ends);
app.get(first).send({ type: 'paid' });
app.get(till).tell({ type: 'crash' });
await page.locator('.state.active[data-state$=".open"]').waitFor();
for (let i = 0; i < 12; i++) await call(true);
await page.locator('.row.tombstone[data-path="shop/back office/till"]').waitFor();
await page.locator('.strip', { hasText: '14 calls refused' }).waitFor();
await page.getByRole('button', { name: 'Whole' }).click();
await page.mouse.move(SIZE.width - 2, SIZE.height - 2);
await page.screenshot({ path: PICTURE, animations: 'disabled' });
await browser.close();
await app.stop();
const { size } = statSync(PICTURE);
if (size > MOST_BYTES) throw new RangeError(`${PICTURE} has ${size} bytes, of at most ${MOST_BYTES}`);
console.log(`${PICTURE}: ${Math.round(size / 1_024)} KiB`);
