/** The example service as its users have it: its interface by fetch, its page in a real browser. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requires } from '../requirements.ts';

const SERVICE = fileURLToPath(new URL('../../examples/sessions-service/service.mjs', import.meta.url));
const PATIENCE = { timeout: 30_000 };
const LOOP = 'console.log("begun"); for (;;) await new Promise((r) => setTimeout(r, 5));';

let folder = '';
let service: ChildProcess;
let url = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-sessions-'));
  service = spawn(process.execPath, [SERVICE, '--port', '0', '--folder', folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: service.stdout as NodeJS.ReadableStream });
  const ended = once(service, 'exit').then(([code]) => {
    throw new Error(`the service ended with ${code}`);
  });
  ended.catch(() => undefined);
  [url] = (await Promise.race([once(lines, 'line'), ended])) as [string];
}, 60_000);

afterAll(async () => {
  if (service.exitCode !== null) return;
  const ended = once(service, 'exit');
  service.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

const ask = async (path: string, body?: unknown) => {
  const answer = await fetch(`${url}/api/${path}`, {
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    headers: { 'content-type': 'application/json' },
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
};

/** What a user is told, as it comes. */
const watching = async (user: string) => {
  const leaving = new AbortController();
  const { body } = await fetch(`${url}/api/${user}/events`, { signal: leaving.signal });
  let text = '';
  const looks = new Set<() => void>();
  void (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      text += decoder.decode(chunk, { stream: true });
      for (const look of looks) look();
    }
  })().catch(() => undefined);
  return {
    leave: () => leaving.abort(),
    count: (pattern: RegExp) => text.match(new RegExp(pattern, 'g'))?.length ?? 0,
    until: (pattern: RegExp) =>
      new Promise<RegExpExecArray>((resolve) => {
        const look = (): void => {
          const found = pattern.exec(text);
          if (found === null) return;
          looks.delete(look);
          resolve(found);
        };
        looks.add(look);
        look();
      }),
  };
};

describe('the sessions service', () => {
  it('runs a file in its user folder, and tells output before the end', async () => {
    const ann = await watching('ann');
    const code = 'await writeFile("mine.csv", "1,2"); console.log("saved");';
    const { status } = await ask('ann/files/write.js/run', { code });
    expect(status).toBe(200);
    await ann.until(/event: output\n.*saved.*event: ended\n[^\n]*"exitCode":0/s);
    expect(readFileSync(join(folder, 'ann', 'mine.csv'), 'utf8')).toBe('1,2');
    expect((await ask('ann/files')).body).toEqual({ files: ['write.js'] });
    expect((await ask('ann/files/write.js')).body).toEqual({ code });
    expect((await ask('bob/files')).body).toEqual({ files: [] });
    ann.leave();
  });

  it('three stops at once end one run once, and its file is free for the next', async () => {
    const eve = await watching('eve');
    const { body } = await ask('eve/files/loop.js/run', { code: LOOP });
    await eve.until(/begun\\n/);
    expect((await ask('eve/files/loop.js/run', { code: '1' })).status).toBe(423);
    expect((await ask('eve/files/other.js/run', { code: '1' })).status).toBe(200);
    const stops = await Promise.all([1, 2, 3].map(() => ask(`eve/runs/${body['run']}/stop`, {})));
    expect(stops.map(({ status }) => status)).toEqual([200, 200, 200]);
    await eve.until(/ERR_EXECUTION_CANCELLED/);
    expect(eve.count(/"code":"ERR_EXECUTION_CANCELLED"/)).toBe(1);
    expect((await ask(`eve/runs/${body['run']}/stop`, {})).body).toEqual({ stopped: false });
    expect((await ask('eve/files/loop.js/run', { code: 'console.log("again")' })).status).toBe(200);
    await eve.until(/again\\n/);
    eve.leave();
  });

  it('whoever goes away leaves nothing that runs for long: the file is free', async () => {
    const dan = await watching('dan');
    await ask('dan/files/loop.js/run', { code: LOOP });
    await dan.until(/begun\\n/);
    dan.leave();
    await expect
      .poll(async () => (await ask('dan/files/loop.js/run', { code: '1' })).status, PATIENCE)
      .toBe(200);
  });

  it.each([
    ['ann/files/..%2Fbob.js/run', 400],
    ['ann/files/a.sh/run', 400],
    ['a-b/files/a.js/run', 400],
    ['ann/nothing', 404],
    ['ann/files/a.js/run', 400],
  ])('%s without what it needs is refused with %i', async (path, status) => {
    const answer = await ask(path, {});
    expect([answer.status, typeof answer.body['error']]).toEqual([status, 'string']);
  });

  it('what a form of another site could send is refused', async () => {
    const answer = await fetch(`${url}/api/ann/files/a.js/run`, { method: 'POST', body: '{"code":"1"}' });
    expect(answer.status).toBe(415);
    expect(readdirSync(join(folder, 'ann'))).not.toContain('a.js');
  });
});

const chromiumIs = requires('chromium');

describe.skipIf(chromiumIs.skip)(`its page (${chromiumIs.reason} where this is skipped)`, () => {
  let browser: Browser;
  let page: Page;
  const wrong: string[] = [];

  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      args: ['--no-sandbox'],
    });
    page = await browser.newPage();
    page.on('pageerror', (error) => wrong.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') wrong.push(message.text());
    });
    await page.goto(url);
    await page.fill('#user', 'pat');
    await page.dispatchEvent('#user', 'change');
    await page.getByRole('status').getByText('ready').waitFor(PATIENCE);
  }, 60_000);
  afterAll(() => browser?.close());

  it('asks what the code asks, shows what it prints, and that it ended', async () => {
    await page.click('#run');
    await page.getByLabel('Who are you?').fill('Pat', PATIENCE);
    await page.keyboard.press('Enter');
    await page.getByText('ended with 0').waitFor(PATIENCE);
    expect(await page.locator('#output').innerText()).toContain('Hello, Pat.');
    expect(await page.locator('#stop').isDisabled()).toBe(true);
  });

  it('stops what would never end, and shows errors as text and never as markup', async () => {
    await page.fill('#code', 'console.log("<b>begun</b>"); while (true) {}');
    await page.click('#run');
    await page.getByText('<b>begun</b>').waitFor(PATIENCE);
    await page.click('#stop');
    await page.getByRole('status').getByText('ERR_EXECUTION_CANCELLED').waitFor(PATIENCE);
    expect(await page.locator('#run').isEnabled()).toBe(true);
    expect(wrong).toEqual([]);
  });
});
