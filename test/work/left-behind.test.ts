/** What a service leaves behind that dies by `kill -9`, and who ends it. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { createRealHost } from '../../src/base/real-host.ts';
import { childProcess } from '../../src/work/child-process.ts';
import { requires } from '../requirements.ts';
import { gone, runs, WatchedWorker } from './watched-worker.ts';

const folder = mkdtempSync(join(tmpdir(), 'troupe-registry-'));
afterAll(() => rmSync(folder, { recursive: true }));

const fixture = (file: string): string => fileURLToPath(new URL(`./fixtures/${file}`, import.meta.url));
const python = requires('python3');
const hasSetpriv = (process.env['PATH'] ?? '').split(':').some((path) => existsSync(join(path, 'setpriv')));

/** Starts a service with one worker, stops the worker so that it notices nothing, and kills the service. */
const killedService = async (options: object): Promise<readonly [worker: number, grandchild: number]> => {
  const service = spawn(process.execPath, [fixture('service.mjs'), JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise((resolve) => service.on('exit', resolve));
  for await (const line of createInterface({ input: service.stdout })) {
    const [worker = 0, grandchild = 0] = line.split(' ').map(Number);
    process.kill(worker, 'SIGSTOP');
    service.kill('SIGKILL');
    await exited;
    return [worker, grandchild];
  }
  throw new Error('the service did not start');
};

describe('a service that was killed', () => {
  it('leaves a stopped worker, which the next start ends with all that it had started', async () => {
    const registry = join(folder, 'swept');
    const [worker, grandchild] = await killedService({ module: fixture('worker.mjs'), registry });
    expect([worker, grandchild].map(runs)).toEqual([true, true]);
    expect(readdirSync(registry)).toHaveLength(1);
    writeFileSync(join(registry, '1-2.json'), '{"half wri');
    writeFileSync(join(registry, 'README'), 'not ours');
    const next = new WatchedWorker(
      childProcess({ module: fixture('worker.mjs'), registry }),
      createRealHost(),
    );
    await next.until('ready');
    await gone(worker);
    await gone(grandchild);
    await next.until('stderr', ([, line]) => line.startsWith(`warn: ended what a service before`));
    // Its own is written down while it lives, and no longer.
    expect(readdirSync(registry)).toContain(`${process.pid}-${next.port.pid}.json`);
    next.port.kill();
    await next.end();
    expect(readdirSync(registry).sort()).toEqual(['1-2.json', 'README']);
  });

  it('is not swept away while it lives', async () => {
    const registry = join(folder, 'shared');
    const service = spawn(
      process.execPath,
      [fixture('service.mjs'), JSON.stringify({ module: fixture('worker.mjs'), registry })],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    for await (const line of createInterface({ input: service.stdout })) {
      const pids = line.split(' ').map(Number);
      const other = new WatchedWorker(childProcess({ command: 'true', registry }), createRealHost());
      await other.end();
      expect(pids.map(runs)).toEqual([true, true]);
      service.kill('SIGKILL');
      for (const pid of pids) await gone(pid);
    }
  });

  it.skipIf(!hasSetpriv)('takes a stopped worker along where the kernel was asked to', async () => {
    const [worker, grandchild] = await killedService({
      module: fixture('worker.mjs'),
      parentDeathSignal: true,
    });
    await gone(worker);
    // The kernel's promise is for the worker alone.
    expect(runs(grandchild)).toBe(true);
    process.kill(grandchild, 'SIGKILL');
  });

  it.skipIf(python.skip)('takes a worker in Python along without setpriv', async () => {
    const path = process.env['PATH'];
    const interpreter = ['/usr/bin/python3', '/usr/local/bin/python3'].find((file) => existsSync(file));
    process.env['PATH'] = folder;
    try {
      const module = fixture('worker.py');
      const kind = childProcess({ module, command: interpreter ?? 'python3', parentDeathSignal: true });
      const worker = new WatchedWorker(kind, createRealHost());
      await worker.until('ready');
      expect(await worker.answer(worker.start('echo', 1))).toBe(1);
      worker.port.kill();
      await worker.end();
      expect(() => childProcess({ command: 'true', parentDeathSignal: true }).verify?.()).toThrow('setpriv');
    } finally {
      process.env['PATH'] = path;
    }
  });
});
