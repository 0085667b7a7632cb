/**
 * What this OS process holds, from Node, V8 and `/proc`: part of the real host.
 *
 * Invariant: nothing blocks the loop, and what cannot be read is unknown, not an error: elsewhere than on Linux there is no `/proc`.
 */
import { readdir, readFile, statfs } from 'node:fs/promises';
import process from 'node:process';
import { getHeapStatistics } from 'node:v8';
import type { ChildrenVitals, DescriptorVitals, DiskVitals, MemoryVitals, Vitals } from './vitals.ts';

/** Limits beyond this are the OS's way to say that there is none. */
const NO_LIMIT_BYTES = 2 ** 50;

const readable = async <T>(read: () => Promise<T>): Promise<T | undefined> => {
  try {
    return await read();
  } catch {
    return undefined;
  }
};

const memory = (): MemoryVitals => {
  const { rss, heapUsed } = process.memoryUsage();
  const limit = process.constrainedMemory();
  return {
    heapUsedBytes: heapUsed,
    heapLimitBytes: getHeapStatistics().heap_size_limit,
    residentBytes: rss,
    residentLimitBytes: limit > 0 && limit < NO_LIMIT_BYTES ? limit : undefined,
  };
};

const disk = async (path: string): Promise<DiskVitals> => {
  const { bsize, blocks, bavail } = await statfs(path);
  return { totalBytes: bsize * blocks, freeBytes: bsize * bavail };
};

const descriptors = (): Promise<DescriptorVitals | undefined> =>
  readable(async () => {
    const [open, limits] = await Promise.all([
      readdir('/proc/self/fd'),
      readFile('/proc/self/limits', 'utf8'),
    ]);
    const limit = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.NaN);
    // One of them is the folder that is being read.
    return { open: open.length - 1, limit: Number.isNaN(limit) ? undefined : limit };
  });

/** What stands after the name, which may hold anything, parentheses too. */
const stateOf = (stat: string): string => stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);

const children = (): Promise<ChildrenVitals | undefined> =>
  readable(async () => {
    // Each thread has those that it started.
    const threads = await readdir('/proc/self/task');
    const lists = await Promise.all(
      threads.map((id) => readable(() => readFile(`/proc/self/task/${id}/children`, 'utf8'))),
    );
    const pids = lists.flatMap((list) => (list ?? '').split(' ').filter((pid) => /^\d+$/.test(pid)));
    const stats = await Promise.all(pids.map((pid) => readable(() => readFile(`/proc/${pid}/stat`, 'utf8'))));
    const states = stats.filter((stat) => stat !== undefined).map(stateOf);
    const zombies = states.filter((state) => state === 'Z').length;
    return { living: states.length - zombies, zombies };
  });

export const realVitals: Vitals = Object.freeze({ memory, disk, descriptors, children });
