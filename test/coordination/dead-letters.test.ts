import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type DeadLetters,
  type DeadLettersOptions,
  openDeadLetters,
} from '../../src/coordination/dead-letters.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { gate } from '../kernel/rig.ts';

const folders: string[] = [];

const newFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'troupe-letters-'));
  folders.push(folder);
  return folder;
};

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

const openNew = async (options: Partial<DeadLettersOptions> = {}): Promise<[DeadLetters, string]> => {
  const directory = options.directory ?? (await newFolder());
  return [
    await openDeadLetters({ fsync: 'never', host: new SimulatedHost(), ...options, directory }),
    directory,
  ];
};

const letter = (n: number) => ({ topic: 'order.paid', payload: { n }, error: new Error(`no. ${n}`) });
const numbers = (store: DeadLetters) => store.list().map(({ payload }) => (payload as { n: number }).n);

const addAll = async (store: DeadLetters, count: number, from = 1): Promise<void> => {
  for (let n = from; n < from + count; n++) await store.add(letter(n));
};

describe('dead letters', () => {
  it('are kept with all that is known of them, over restarts, in order', async () => {
    const [store, directory] = await openNew();
    await store.add({ ...letter(1), attempts: 3, headers: { trace: 'abc' } });
    await addAll(store, 2, 2);
    await store.close();
    const [again] = await openNew({ directory });
    expect(numbers(again)).toEqual([1, 2, 3]);
    expect(again.list({ limit: 1 })).toMatchObject([
      { id: 1, topic: 'order.paid', attempts: 3, headers: { trace: 'abc' }, error: 'Error: no. 1' },
    ]);
    expect(again.list({ after: 2 })).toHaveLength(1);
    await again.close();
  });

  it('never come back once deleted, and their ids are never given again', async () => {
    const [store, directory] = await openNew();
    await addAll(store, 3);
    expect([await store.delete(2), await store.delete(2), await store.delete(99)]).toEqual([
      true,
      false,
      false,
    ]);
    await store.delete(1);
    await store.delete(3);
    await store.close();
    const [again] = await openNew({ directory });
    expect(again.list()).toEqual([]);
    expect(await again.add(letter(4))).toBeGreaterThan(3);
    await again.close();
  });

  it('go file by file when nothing in a file is left', async () => {
    const [store, directory] = await openNew({ segmentBytes: 1_024 });
    await addAll(store, 40);
    expect(store.inspect().segments).toBeGreaterThan(3);
    for (const { id } of store.list()) await store.delete(id);
    expect(store.inspect().segments).toBe(1);
    await store.close();
    expect(await readdir(directory)).toHaveLength(1);
  });

  it('expire by age', async () => {
    const host = new SimulatedHost();
    const [store, directory] = await openNew({ host, maxAgeMs: 1_000 });
    await store.add(letter(1));
    await host.advance(900);
    await store.add(letter(2));
    await host.advance(200);
    expect(await store.expire()).toBe(1);
    expect(numbers(store)).toEqual([2]);
    await host.advance(1_000);
    await store.close();
    const [again] = await openNew({ host, directory, maxAgeMs: 1_000 });
    expect(numbers(again)).toEqual([]);
    await again.close();
  });

  it('make room for new ones by the oldest file, counted; or refuse', async () => {
    const limits = { segmentBytes: 1_024, maxBytes: 4_096 };
    const [store] = await openNew(limits);
    await addAll(store, 60);
    const { bytes, dropped } = store.inspect();
    expect(bytes).toBeLessThanOrEqual(4_096);
    expect(dropped).toBe(60 - store.list().length);
    expect(numbers(store).at(-1)).toBe(60);
    await store.close();
    const [strict] = await openNew({ ...limits, overflow: 'refuse' });
    await expect(addAll(strict, 60)).rejects.toMatchObject({ code: 'ERR_DEAD_LETTERS_FULL' });
    expect(numbers(strict)[0]).toBe(1);
    await strict.close();
  });

  it('refuse what cannot be kept, and what comes after the close', async () => {
    const [store] = await openNew({ maxBytes: 2_048 });
    await expect(store.add({ ...letter(1), payload: 'x'.repeat(3_000) })).rejects.toMatchObject({
      code: 'ERR_DEAD_LETTERS_FULL',
    });
    await store.close();
    await store.close();
    await expect(store.add(letter(1))).rejects.toMatchObject({ code: 'ERR_DEAD_LETTERS_CLOSED' });
    await expect(openDeadLetters({} as never)).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' });
  });
});

describe('a replay', () => {
  it('delivers in order and deletes what was delivered; the first failure stops it and stays first', async () => {
    const [store] = await openNew();
    await addAll(store, 4);
    const seen: number[] = [];
    const error = new Error('still down');
    const replay = await store.replay(({ payload }) => {
      const { n } = payload as { n: number };
      seen.push(n);
      if (n === 3) throw error;
    });
    expect(replay).toEqual({ delivered: 2, left: 2, error });
    expect([seen, numbers(store)]).toEqual([
      [1, 2, 3],
      [3, 4],
    ]);
    await store.close();
  });

  it('leaves what is kept meanwhile for the next', async () => {
    const [store] = await openNew();
    await addAll(store, 1);
    const replay = await store.replay(async () => void (await store.add(letter(2))));
    expect(replay).toMatchObject({ delivered: 1, left: 1 });
    await store.close();
  });

  it('is one at a time', async () => {
    const [store] = await openNew();
    await addAll(store, 1);
    const hold = gate();
    const first = store.replay(() => hold.passed);
    await expect(store.replay(() => {})).rejects.toMatchObject({ code: 'ERR_DEAD_LETTERS_BUSY' });
    hold.open();
    expect(await first).toMatchObject({ delivered: 1 });
    await store.close();
  });
});

describe('a file that was broken off', () => {
  it('at any byte costs at most the letter being written', async () => {
    const [store, directory] = await openNew();
    const ends: number[] = [];
    const [name] = await readdir(directory);
    const path = join(directory, name as string);
    for (let n = 1; n <= 4; n++) {
      await store.add(letter(n));
      ends.push((await stat(path)).size);
    }
    await store.close();
    const content = await readFile(path);
    for (let size = 0; size <= content.length; size++) {
      await writeFile(path, content);
      await truncate(path, size);
      const [again] = await openNew({ directory });
      const whole = ends.filter((end) => end <= size).length;
      expect([size, numbers(again)]).toEqual([size, [1, 2, 3, 4].slice(0, whole)]);
      await again.close();
      for (const file of await readdir(directory)) if (file !== name) await rm(join(directory, file));
    }
  });

  it('or damaged within is read up to there, and the rest is kept aside', async () => {
    const [store, directory] = await openNew();
    await addAll(store, 3);
    await store.close();
    const [name] = await readdir(directory);
    const path = join(directory, name as string);
    const content = await readFile(path);
    content[Math.floor(content.length / 2)] = (content[Math.floor(content.length / 2)] ?? 0) ^ 0xff;
    await writeFile(path, content);
    const [again] = await openNew({ directory });
    expect(numbers(again)).toEqual([1]);
    expect(again.inspect().torn).toBe(1);
    expect(await readdir(directory)).toContain(`${name}.broken`);
    await again.add(letter(4));
    expect(numbers(again)).toEqual([1, 4]);
    await again.close();
  });
});

describe('a file that ends in zeros', () => {
  it('as one does after a loss of power, is read up to there', async () => {
    const [store, directory] = await openNew();
    await addAll(store, 2);
    await store.close();
    const [name] = await readdir(directory);
    await appendFile(join(directory, name as string), Buffer.alloc(4_096));
    const [again] = await openNew({ directory });
    expect(numbers(again)).toEqual([1, 2]);
    expect(again.inspect().torn).toBe(1);
    await again.close();
  });
});

describe('a process that is killed while it writes', () => {
  it('has lost nothing that was acknowledged', async () => {
    const directory = await newFolder();
    const writer = fileURLToPath(new URL('./fixtures/letter-writer.mjs', import.meta.url));
    for (let round = 0; round < 3; round++) {
      const child = spawn(process.execPath, [writer, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
      const exited = once(child, 'exit');
      let acknowledged = 0;
      for await (const line of createInterface({ input: child.stdout })) {
        acknowledged = Math.max(acknowledged, Number(line));
        if (acknowledged % 50 === 40) child.kill('SIGKILL');
      }
      await exited;
      const [store] = await openNew({ directory });
      const ids = store.list().map(({ id }) => id);
      expect(ids).toContain(acknowledged);
      expect(ids).toEqual([...ids].sort((a, b) => a - b));
      expect(new Set(store.list().map(({ payload }) => JSON.stringify(payload))).size).toBe(ids.length);
      await store.close();
    }
  }, 30_000);
});
