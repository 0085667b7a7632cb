/** The workers that docs/PROTOCOL.md shows do what it says: each one is run. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createRealHost } from '../../src/base/real-host.ts';
import { childProcess } from '../../src/work/child-process.ts';
import { requires } from '../requirements.ts';
import { WatchedWorker } from './watched-worker.ts';

const page = readFileSync(new URL('../../docs/PROTOCOL.md', import.meta.url), 'utf8');
const blocks = [...page.matchAll(/```(js|python)\n([\s\S]*?)```/g)].map(([, language, code]) => ({
  language,
  code: code as string,
}));
// Beside the tests, so that the package is found by its own name.
const folder = mkdtempSync(new URL('./fixtures/page-', import.meta.url).pathname);
afterAll(() => rmSync(folder, { recursive: true }));

const opened = async (index: number): Promise<WatchedWorker> => {
  const { language, code } = blocks[index] as (typeof blocks)[number];
  const file = join(folder, `worker-${index}.${language === 'js' ? 'mjs' : 'py'}`);
  writeFileSync(file, code);
  const worker = new WatchedWorker(childProcess({ module: file }), createRealHost());
  await worker.until('ready');
  return worker;
};

describe('the page of the protocol', () => {
  it('shows a whole worker without an SDK', async () => {
    const worker = await opened(0);
    expect(await worker.answer(worker.start('shout', { text: 'hello' }))).toBe('HELLO');
    expect(await worker.answer(worker.start('shout', {}))).toMatchObject({ type: 'TypeError' });
    worker.port.ping(1);
    await worker.until('pong');
    worker.port.close();
    expect(await worker.end()).toMatchObject({ code: 0 });
  });

  it('shows a worker in Node', async () => {
    const worker = await opened(1);
    expect(await worker.answer(worker.start('count', { text: 'a b c' }, 60_000))).toEqual({ words: 3 });
    expect(worker.lines.join()).toMatch(/info: counting, \d+\.?\d* ms left/);
    worker.port.close();
    await worker.end();
  });

  it.skipIf(requires('python3').skip)('shows a worker in Python', async () => {
    const worker = await opened(2);
    expect(await worker.answer(worker.start('count', { text: 'a b\nc' }))).toEqual({ words: 3 });
    worker.port.close();
    await worker.end();
  });
});

describe('workers that come and go', () => {
  it('leave no descriptor open in the service', async () => {
    const { readdirSync } = await import('node:fs');
    const module = new URL('./fixtures/worker.mjs', import.meta.url);
    const host = createRealHost();
    const cycle = async (): Promise<void> => {
      const worker = new WatchedWorker(childProcess({ module }), host);
      await worker.until('ready');
      worker.port.kill();
      await worker.end();
    };
    await cycle();
    const before = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 10; i++) await cycle();
    await new Promise(setImmediate);
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
  });
});
