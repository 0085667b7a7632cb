/** What the real host reads of this very process: numbers that can be true. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { realHost } from '../../src/base/real-host.ts';

const { vitals } = realHost();
const isLinux = process.platform === 'linux';

it('memory is used, and has limits', () => {
  const { heapUsedBytes, heapLimitBytes, residentBytes, residentLimitBytes } = vitals.memory();
  expect(heapUsedBytes).toBeGreaterThan(1_000_000);
  expect(heapLimitBytes).toBeGreaterThan(heapUsedBytes);
  expect(residentBytes).toBeGreaterThan(heapUsedBytes / 2);
  expect(residentLimitBytes ?? Number.POSITIVE_INFINITY).toBeGreaterThan(0);
});

it('a disk has more in all than is free, and one that is not there is an error', async () => {
  const { totalBytes, freeBytes } = await vitals.disk(tmpdir());
  expect(totalBytes).toBeGreaterThan(freeBytes);
  expect(freeBytes).toBeGreaterThanOrEqual(0);
  await expect(vitals.disk('/no such folder')).rejects.toMatchObject({ code: 'ENOENT' });
});

it.runIf(isLinux)('a file that is opened is one descriptor more', async () => {
  const before = await vitals.descriptors();
  const files = await Promise.all(Array.from({ length: 10 }, () => open('/dev/null')));
  const during = await vitals.descriptors();
  await Promise.all(files.map((file) => file.close()));
  expect(before?.limit).toBeGreaterThan(100);
  expect((during?.open ?? 0) - (before?.open ?? 0)).toBeGreaterThanOrEqual(9);
});

it.runIf(isLinux)('a process that is started is one child more, until it has ended', async () => {
  const before = (await vitals.children())?.living ?? 0;
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  expect((await vitals.children())?.living).toBe(before + 1);
  child.kill();
  await once(child, 'exit');
  expect(await vitals.children()).toEqual({ living: before, zombies: 0 });
});
