import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  openResultDirectory,
  type ResultStore,
  type StoredExecution,
} from '../../src/execution/result-store.ts';
import { script } from '../../src/testing/kernel-script.ts';
import { watch } from '../kernel/rig.ts';
import { read, sessionRig } from './session-rig.ts';

/** A store of the user's, as small as one can be; it answers when it is told to. */
const memoryStore = (
  known = new Map<string, StoredExecution>(),
): ResultStore & { readonly known: typeof known } => ({
  known,
  begin: async (id) => {
    const before = known.get(id);
    if (before === undefined) known.set(id, { status: 'begun' });
    return before;
  },
  settle: async (id, outcome) => void known.set(id, outcome),
  find: async (id) => known.get(id),
});

describe('an execution id', () => {
  it('in flight is one execution, whoever asks for it again', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const first = session.execute(script(['wait', 5], ['value', 1]), { id: 'e' });
    expect(session.execute(script(['value', 2]), { id: 'e' })).toBe(first);
    expect(rig.executor.cancel('unknown')).toBe(false);
    const awaited = rig.executor.result('e');
    expect(await rig.host.runUntil(first.result)).toMatchObject({ value: 1 });
    expect(await awaited).toMatchObject({ value: 1 });
    expect(await rig.executor.result('e')).toBeUndefined();
  });

  it('never runs twice where results are written down, and is found again after a restart of the service', async () => {
    const store = memoryStore();
    const rig = await sessionRig({ store });
    const session = await rig.open();
    await rig.host.runUntil(session.execute(script(['set', 'x', 1], ['value', 1]), { id: 'e' }).result);
    const failing = session.execute(script(['throw', 'ValueError', 'no']), { id: 'f' });
    await expect(rig.host.runUntil(failing.result)).rejects.toMatchObject({ code: 'ERR_EXECUTION_FAILED' });
    await rig.host.runUntil(rig.system.shutdown());

    const next = await sessionRig({ store });
    const other = await next.open();
    const again = other.execute(script(['set', 'x', 2], ['value', 2]), { id: 'e' });
    const reading = read(again);
    expect(await next.host.runUntil(again.result)).toMatchObject({ value: 1 });
    await next.host.settle();
    expect(reading.words).toEqual(['result']);
    expect(await next.host.runUntil(next.executor.result('e'))).toMatchObject({ value: 1 });
    await expect(next.host.runUntil(other.execute('[]', { id: 'f' }).result)).rejects.toMatchObject({
      code: 'ERR_EXECUTION_FAILED',
      data: { type: 'ValueError', text: 'no' },
    });
    expect(next.kernel.ports[0]?.asked).not.toContain('execute');
    expect(other.inspect().free).toBe(true);
  });

  it('that had begun when the service ended is known to be unknown, and not run again', async () => {
    const store = memoryStore(new Map([['e', { status: 'begun' }]]));
    const rig = await sessionRig({ store });
    const session = await rig.open();
    await expect(rig.host.runUntil(session.execute('[]', { id: 'e' }).result)).rejects.toMatchObject({
      code: 'ERR_EXECUTION_UNKNOWN',
      outcome: 'unknown',
    });
    await expect(rig.executor.result('e')).rejects.toMatchObject({ code: 'ERR_EXECUTION_UNKNOWN' });
    expect(store.known.get('e')).toEqual({ status: 'begun' });
    expect(rig.kernel.ports[0]?.asked).not.toContain('execute');
  });

  it('that is cancelled before the store has spoken keeps what was known of it', async () => {
    const known = { status: 'fulfilled', result: { value: 1 } as never } as const;
    const store = memoryStore(new Map([['old', known]]));
    const rig = await sessionRig({ store });
    const session = await rig.open();
    for (const id of ['old', 'new']) {
      const execution = session.execute('[]', { id });
      expect(execution.cancel()).toBe(true);
      await expect(rig.host.runUntil(execution.result)).rejects.toMatchObject({
        code: 'ERR_EXECUTION_CANCELLED',
        outcome: 'not_started',
      });
    }
    expect(store.known.get('old')).toBe(known);
    expect(store.known.get('new')).toMatchObject({ status: 'rejected' });
    expect(rig.kernel.ports[0]?.asked).not.toContain('execute');
  });

  it('is not sent where it cannot be written down', async () => {
    const store = { ...memoryStore(), begin: () => Promise.reject(new Error('disk full')) };
    const rig = await sessionRig({ store });
    const session = await rig.open();
    await expect(rig.host.runUntil(session.execute('[]').result)).rejects.toThrow('disk full');
    expect(rig.kernel.ports[0]?.asked).not.toContain('execute');
    expect(session.inspect().free).toBe(true);
  });

  it('is released on every path, so that nothing is awaited when all has ended', async () => {
    const rig = await sessionRig({ store: memoryStore() });
    const session = await rig.open();
    const codes = [['value', 1], ['throw', 'E', ''], ['crash', { code: 1 }], ['hang']] as const;
    for (const step of codes)
      await rig.host.runUntil(session.execute(script(step), { timeoutMs: 50 }).result.catch(() => undefined));
    const waiting = watch(session.execute(script(['hang'])).result);
    await rig.host.settle();
    await rig.host.runUntil(rig.system.shutdown());
    expect(waiting.settled).toBe(true);
    expect(rig.executor.inspect().promises).toMatchObject({ pending: 0, settled: 5 });
    expect(rig.host.pendingTimers()).toEqual([]);
  });
});

describe('a directory of results', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'troupe-results-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const result = { value: 1 } as never;

  it('knows what began and what came of it when it is opened again', async () => {
    const store = await openResultDirectory({ directory, fsync: 'never' });
    const [first, second] = await Promise.all([store.begin('a'), store.begin('a')]);
    expect([first, second]).toEqual([undefined, { status: 'begun' }]);
    await store.begin('b');
    await store.settle('a', { status: 'fulfilled', result });
    await store.close?.();
    const again = await openResultDirectory({ directory, fsync: 'never' });
    expect(await again.begin('a')).toEqual({ status: 'fulfilled', result });
    expect(await again.find('b')).toEqual({ status: 'begun' });
    expect(await again.find('c')).toBeUndefined();
    await again.close?.();
  });

  it('takes nothing more when it is full, rather than forget', async () => {
    const store = await openResultDirectory({ directory, fsync: 'never', maxBytes: 1_024 });
    const begin = async (): Promise<void> => {
      for (let i = 0; i < 100; i++) await store.begin(`execution-${i}`);
    };
    await expect(begin()).rejects.toMatchObject({ code: 'ERR_DEAD_LETTERS_FULL' });
    expect(await store.find('execution-0')).toEqual({ status: 'begun' });
    await store.close?.();
  });
});
