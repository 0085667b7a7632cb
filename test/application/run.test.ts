import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { FlightRecording } from '../../src/kernel/flight-recorder.ts';

const SERVICE = fileURLToPath(new URL('./fixtures/service.ts', import.meta.url));
/** Generous: the machine may be busy. */
const PATIENCE_MS = 60_000;

interface Service {
  /** Resolves when it has printed this word. */
  said(word: string): Promise<void>;
  signal(name: 'SIGTERM' | 'SIGINT'): void;
  readonly ended: Promise<{ code: number | null; signal: string | null; lines: string[]; stderr: string }>;
}

const running = new Set<ReturnType<typeof spawn>>();
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

const service = (...wishes: string[]): Service => {
  const child = spawn(process.execPath, ['--import', 'tsx', SERVICE, ...wishes], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let out = '';
  let err = '';
  const waiting = new Set<() => void>();
  const lines = () => out.split('\n').filter((line) => line !== '');
  child.stdout.on('data', (chunk) => {
    out += chunk;
    for (const look of waiting) look();
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const ended: Service['ended'] = new Promise((resolve) => {
    child.on('close', (code, signal) => {
      running.delete(child);
      resolve({ code, signal, lines: lines(), stderr: err });
    });
  });
  return {
    ended,
    said: (word) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!lines().includes(word)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        ended.then(() => reject(new Error(`ended without saying ${word}: ${out} ${err}`)));
        look();
      }),
    signal: (name) => void child.kill(name),
  };
};

/** In order, among whatever else was said. */
const inOrder = (lines: readonly string[], words: readonly string[]) =>
  expect(lines.filter((line) => words.includes(line))).toEqual(words);

const ENDING = ['http drains', 'worker terminates', 'http closes', 'database closes'];

describe.concurrent('run', { timeout: PATIENCE_MS }, () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('ends in phases on %s and exits 0 by itself', async (name) => {
    const shop = service();
    await shop.said('worker 1');
    shop.signal(name);
    const { code, lines } = await shop.ended;
    inOrder(lines, [...ENDING, 'report []']);
    expect([code, lines.at(-1)]).toEqual([0, 'handlers 0']);
  });

  it('breaks off its boot on a signal, undoes it, and exits 0', async () => {
    const shop = service('open-slow');
    await shop.said('database opens');
    shop.signal('SIGTERM');
    const { code, lines } = await shop.ended;
    expect(code).toBe(0);
    inOrder(lines, ['database opens', 'database closes']);
    expect(lines).not.toContain('worker 1');
  });

  it('exits 1 when it does not start, says why, and has undone what had started', async () => {
    const { code, lines, stderr } = await service('open-fails').ended;
    expect(code).toBe(1);
    expect(lines).not.toContain('worker 1');
    expect(stderr).toContain('the application did not start');
    expect(stderr).toContain('no database');
  });

  it('exits 3 with survivors at the deadline, and names them', async () => {
    const shop = service('worker-hangs', 'close-hangs');
    await shop.said('worker 1');
    shop.signal('SIGTERM');
    const { code, stderr } = await shop.ended;
    expect(code).toBe(3);
    expect(stderr).toContain('handler of shop/worker@');
    expect(stderr).toContain('resource database');
  });

  it('exits 3 when an open was still under way at its end, and names it', async () => {
    const shop = service('open-hangs');
    await shop.said('database opens');
    shop.signal('SIGTERM');
    const { code, stderr } = await shop.ended;
    expect(code).toBe(3);
    expect(stderr).toContain('resource database (still opening)');
  });

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('exits at once on a second signal: %s gives %i', async (name, expected) => {
    const shop = service('worker-hangs');
    await shop.said('worker 1');
    shop.signal('SIGTERM');
    await shop.said('worker terminates');
    shop.signal(name);
    const { code, lines, stderr } = await shop.ended;
    expect(code).toBe(expected);
    expect(lines).not.toContain('database closes');
    expect(stderr).toContain('second signal');
  });

  it('exits 1 when its root gives up, after its phases', async () => {
    const { code, lines, stderr } = await service('gives-up').ended;
    expect(code).toBe(1);
    inOrder(lines, ['http drains', 'http closes', 'database closes']);
    expect(stderr).toContain('gave up: shop on worker after 0 restarts');
  });

  it('records what happened when its root gives up, with the tree as it stood before', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'troupe-run-'));
    const { stderr } = await service('gives-up', `recordings=${folder}`).ended;
    const [name = ''] = readdirSync(folder);
    expect(stderr).toContain(`"recording":"${join(folder, name)}"`);
    const { why, tree, facts } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as FlightRecording;
    expect(why).toBe('gave_up');
    expect(tree).toMatchObject([{ path: 'shop', kind: 'supervisor' }]);
    expect(facts.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['actor.ended', 'supervisor.gave_up', 'app.stopped']),
    );
    rmSync(folder, { recursive: true });
  });

  it('records who was still there when its exit is forced, and nothing when it ends as it was told to', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'troupe-run-'));
    const orderly = service(`recordings=${folder}`);
    await orderly.said('worker 1');
    orderly.signal('SIGTERM');
    expect((await orderly.ended).code).toBe(0);
    expect(readdirSync(folder)).toEqual([]);
    const forced = service('worker-hangs', `recordings=${folder}`);
    await forced.said('worker 1');
    forced.signal('SIGTERM');
    await forced.said('worker terminates');
    forced.signal('SIGTERM');
    await forced.ended;
    const [name = ''] = readdirSync(folder);
    const { why, tree } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as FlightRecording;
    expect(why).toBe('forced_exit');
    expect(tree[0]?.children).toMatchObject([{ path: 'shop/worker', status: 'stopping' }]);
    rmSync(folder, { recursive: true });
  });

  it('says what keeps the process alive after all was closed, and ends it', async () => {
    const shop = service('stays');
    await shop.said('worker 1');
    shop.signal('SIGTERM');
    const { code, stderr } = await shop.ended;
    expect(code).toBe(3);
    expect(stderr).toContain('Timeout');
  });
});

describe.concurrent('a stray error', { timeout: PATIENCE_MS }, () => {
  it.each(['rejection', 'timer', 'emitter'])('ends the whole in phases and exits 1: %s', async (kind) => {
    const { code, lines, stderr } = await service(kind).ended;
    expect(code).toBe(1);
    inOrder(lines, ENDING);
    expect(stderr).toContain(`stray ${kind}`);
  });

  it.each(['rejection', 'timer', 'emitter'])("ends only its actor with 'end_actor': %s", async (kind) => {
    const shop = service(kind, 'end_actor');
    await shop.said('worker 2');
    shop.signal('SIGTERM');
    const { code, lines, stderr } = await shop.ended;
    expect(code).toBe(0);
    inOrder(lines, ['worker 1', 'worker 2', ...ENDING]);
    expect(stderr).toContain(`stray ${kind}`);
    expect(stderr).toContain('"owner":"shop/worker"');
  });

  it("that is nobody's ends the whole, with 'end_actor' too", async () => {
    const { code, lines } = await service('stray-of-nobody', 'end_actor').ended;
    expect(code).toBe(1);
    inOrder(lines, ENDING);
  });
});

describe.concurrent('an application that is embedded', { timeout: PATIENCE_MS }, () => {
  it('installs no handlers on the process, which ends by itself after stop', async () => {
    const { code, lines } = await service('embed').ended;
    expect(code).toBe(0);
    expect(lines).toContain('handlers 0');
    expect(lines.at(-1)).toBe('stopped');
  });
});
