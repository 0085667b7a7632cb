/** The service under fire as the explorer's page shows it, in a real browser: its workers die and come back, its breaker goes round. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { seenSoFar, stateOfBreaker, watchFaults } from '../explorer/in-page.ts';
import { requires } from '../requirements.ts';

const LAUNCHER = fileURLToPath(new URL('../../examples/service-under-fire/launcher.mjs', import.meta.url));
const PATIENCE = { timeout: 30_000 };

/** Enough for one round, wherever in the next it stands. */
const STEPS_BACK = 8;

const chromiumIs = requires('chromium');

describe.skipIf(chromiumIs.skip)(`in a browser (${chromiumIs.reason})`, () => {
  it('a worker’s death flashes, another is there, and the breaker is seen to go from closed round to closed', async () => {
    const browser = await chromium.launch({
      executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      args: ['--no-sandbox'],
    });
    const run = spawn(process.execPath, [LAUNCHER, '--seconds', '12', '--seed', '7', '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    try {
      const ended = once(run, 'exit');
      run.stdout.resume();
      let url: string | undefined;
      for await (const line of createInterface({ input: run.stderr })) {
        url = /^explorer (http\S+)/.exec(line)?.[1];
        if (url !== undefined) break;
      }
      run.stderr.resume();
      const page = await browser.newPage({ viewport: { width: 1280, height: 720 } });
      await page.goto(url as string);
      await page.locator('.row[data-path="under-fire/prices"]').click(PATIENCE);
      await page.locator('.state.active').first().waitFor(PATIENCE);
      await page.evaluate(watchFaults, 'under-fire/documents/');
      const states = async () => (await page.evaluate(seenSoFar)).states.join(' ');
      await expect.poll(states, PATIENCE).toContain('closed open closed');
      // Half-open for one call, it may close sooner than the page draws: its past has every step.
      await page.getByRole('tab', { name: 'Past' }).click(PATIENCE);
      const earlier = page.getByRole('button', { name: 'One step back' });
      await earlier.waitFor(PATIENCE);
      const passed: string[] = [];
      for (let back = 0; back < STEPS_BACK; back++) {
        passed.unshift((await page.evaluate(stateOfBreaker)) ?? '');
        if (await earlier.isDisabled()) break;
        await earlier.click(PATIENCE);
      }
      expect(passed.join(' ')).toContain('open half_open closed');
      expect(await ended).toEqual([0, null]);
      const { flashes, tombstones } = await page.evaluate(seenSoFar);
      expect({ flashed: flashes > 0, remembered: tombstones > 0 }).toEqual({
        flashed: true,
        remembered: true,
      });
    } finally {
      run.kill('SIGKILL');
      await browser.close();
    }
  }, 90_000);
});
