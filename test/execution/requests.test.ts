import { describe, expect, it } from 'vitest';
import { script } from '../../src/testing/kernel-script.ts';
import { watch } from '../kernel/rig.ts';
import { read, sessionRig } from './session-rig.ts';

const ASKS = script(['input', 'name? '], ['read', 'input']);

describe('input', () => {
  it('is an event with a request, answered once, and by nobody else', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const execution = session.execute(ASKS);
    const reading = read(execution);
    await rig.host.settle();
    expect(reading.events).toMatchObject([{ kind: 'input', prompt: 'name? ', request: 'r1' }]);
    expect(session.inspect().input).toBe('r1');
    expect(session.input('r2', 'no')).toBe(false);
    expect(session.input('r1', 'bob')).toBe(true);
    expect(session.input('r1', 'eve')).toBe(false);
    expect(await rig.host.runUntil(execution.result)).toMatchObject({ value: 'bob' });
    expect(rig.executor.inspect().promises).toMatchObject({ pending: 0, highWater: 2, unmatched: 2 });
  });

  it('is answered by the caller who said how, and ends where he throws', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const asked = session.execute(ASKS, { onInput: async ({ prompt }) => `${prompt}bob` });
    expect(await rig.host.runUntil(asked.result)).toMatchObject({ value: 'name? bob' });
    const refused = session.execute(ASKS, {
      onInput: () => {
        throw new Error('no terminal');
      },
    });
    expect(await rig.host.runUntil(refused.result)).toMatchObject({ value: null });
  });

  it('that nobody gives ends after 300 s, and until then no timeout of the execution counts', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const fate = watch(session.execute(ASKS).result);
    await rig.host.advance(299_999);
    expect(fate.settled).toBe(false);
    await rig.host.advance(1);
    expect(fate.now).toMatchObject({ value: null });
  });

  it('does not stop the clock of what comes before and after it, nor a deadline', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const code = script(['wait', 60], ['input', '?'], ['wait', 60]);
    const fate = watch(session.execute(code, { timeoutMs: 100 }).result);
    await rig.host.advance(5_000);
    expect(session.input('r1', 'x')).toBe(true);
    await rig.host.advance(39);
    expect(fate.settled).toBe(false);
    await rig.host.advance(1);
    expect(fate.now).toBe('ERR_EXECUTION_TIMEOUT');
    const dead = watch(session.execute(ASKS, { deadline: rig.host.monotonic() + 100 }).result);
    await rig.host.advance(100);
    expect(dead.now).toBe('ERR_EXECUTION_TIMEOUT');
    expect(rig.executor.inspect().promises.pending).toBe(0);
  });

  it('is woken by a cancellation', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const execution = session.execute(ASKS);
    const fate = watch(execution.result);
    await rig.host.settle();
    execution.cancel();
    await rig.host.settle();
    expect(fate.now).toBe('ERR_EXECUTION_CANCELLED');
    expect(session.input('r1', 'late')).toBe(false);
    expect(rig.host.monotonic()).toBe(0);
  });
});

describe('a request for a provider', () => {
  it('is answered with what the provider returns, and told to the audit', async () => {
    const seen: unknown[] = [];
    const query = (
      args: unknown,
      { session, user, execution }: { session: string; user: string | undefined; execution: string },
    ) => {
      seen.push({ args, session, user, execution });
      return { rows: [1] };
    };
    const rig = await sessionRig({ providers: { query } });
    const session = await rig.open({ id: 's', user: 'ann' });
    const { result } = session.execute(script(['request', 'query', { sql: 'x' }], ['read', 'answer']), {
      id: 'e',
    });
    expect(await rig.host.runUntil(result)).toMatchObject({ value: { rows: [1] } });
    expect(seen).toEqual([{ args: { sql: 'x' }, session: 's', user: 'ann', execution: 'e' }]);
    expect(rig.of('session.capability.checked')).toMatchObject([{ capability: 'query', allowed: true }]);
  });

  it('for what the policy does not allow never reaches the provider', async () => {
    let calls = 0;
    const rig = await sessionRig({
      providers: {
        approve: () => {
          calls += 1;
        },
      },
      capabilities: 'standard',
    });
    const session = await rig.open();
    await rig.host.runUntil(session.execute(script(['request', 'approve', {}])).result);
    expect(calls).toBe(0);
    expect(rig.of('session.capability.checked')).toMatchObject([{ capability: 'approve', allowed: false }]);
  });

  it('that is not answered in time is refused, and the provider hears of it', async () => {
    let reason: unknown;
    const approve = (_: unknown, { signal }: { signal: AbortSignal }) =>
      new Promise(() =>
        signal.addEventListener('abort', () => {
          reason = signal.reason;
        }),
      );
    const rig = await sessionRig({
      providers: { approve },
      capabilities: 'trusted',
      executeTimeoutMs: 120_000,
    });
    const session = await rig.open();
    const fate = watch(session.execute(script(['request', 'approve', {}], ['value', 1])).result);
    await rig.host.advance(59_999);
    expect(fate.settled).toBe(false);
    await rig.host.advance(1);
    expect(fate.now).toMatchObject({ value: 1 });
    expect(reason).toMatchObject({
      code: 'ERR_CAPABILITY_TIMEOUT',
      data: { capability: 'approve', request: 'r1', timeoutMs: 60_000 },
    });
  });

  it('is given up when the execution ends', async () => {
    let aborted = false;
    const query = (_: unknown, { signal }: { signal: AbortSignal }) =>
      new Promise(() =>
        signal.addEventListener('abort', () => {
          aborted = true;
        }),
      );
    const rig = await sessionRig({ providers: { query } });
    const session = await rig.open();
    const execution = session.execute(script(['request', 'query', {}]));
    await rig.host.settle();
    execution.cancel();
    await rig.host.runUntil(execution.result.catch(() => undefined));
    expect(aborted).toBe(true);
    expect(rig.executor.inspect().promises.pending).toBe(0);
  });
});

describe('a checkpoint', () => {
  it('is taken after each success and put back where a process was killed', async () => {
    const rig = await sessionRig();
    const session = await rig.open({ checkpoint: 'on_kill' });
    await rig.host.runUntil(session.execute(script(['set', 'x', 1])).result);
    const stuck = session.execute(script(['set', 'x', 2], ['hang', 'interrupt']), { timeoutMs: 10 });
    await rig.host.runUntil(stuck.result.catch(() => undefined));
    expect(await rig.host.runUntil(session.execute(script(['read', 'x'])).result)).toMatchObject({
      value: 1,
    });
    expect(rig.kernel.ports).toHaveLength(2);
    expect(rig.of('session.restored')).toMatchObject([{ restored: 1, lost: 0 }]);
  });

  it('that is too large is told of and not kept, nor the one before it', async () => {
    const rig = await sessionRig({ checkpointBytes: 10, checkpoint: 'on_kill' });
    const session = await rig.open();
    await rig.host.runUntil(session.execute(script(['set', 'x', 1])).result);
    await rig.host.runUntil(session.execute(script(['set', 'y', 'long enough'])).result);
    await rig.host.settle();
    expect(rig.of('session.checkpoint.failed')).toMatchObject([
      { error: { code: 'ERR_CHECKPOINT_TOO_LARGE' } },
    ]);
    await rig.host.runUntil(session.execute(script(['crash', { code: 1 }])).result.catch(() => undefined));
    expect(await rig.host.runUntil(session.execute(script(['read', 'x'])).result)).toMatchObject({
      value: null,
    });
  });

  it('of a user is his to keep and to put back elsewhere', async () => {
    const rig = await sessionRig();
    const [from, to] = [await rig.open(), await rig.open()];
    await rig.host.runUntil(from.execute(script(['set', 'x', 1])).result);
    const checkpoint = await rig.host.runUntil(from.checkpoint());
    expect(checkpoint).toMatchObject({ kept: ['x'], lost: [] });
    expect(await rig.host.runUntil(to.restore(checkpoint))).toEqual({ restored: ['x'], lost: [] });
  });
});

describe('a limit', () => {
  it('of the time that a session lives stops what runs, ends the session and is named by both', async () => {
    const rig = await sessionRig({ limits: { sessionMs: 1_000 } });
    const session = await rig.open();
    await rig.host.advance(500);
    const fate = watch(session.execute(script(['hang'])).result);
    await rig.host.advance(499);
    expect(fate.settled).toBe(false);
    await rig.host.advance(1);
    const named = { code: 'ERR_EXECUTION_LIMIT', data: { limit: 'sessionMs', figure: 1_000 } };
    expect(fate.error).toMatchObject(named);
    await expect(rig.host.runUntil(session.execute(script()).result)).rejects.toMatchObject({
      code: 'ERR_SESSION_ENDED',
      cause: named,
    });
    await rig.host.settle();
    expect(rig.kernel.live).toEqual([]);
    expect(rig.host.pendingTimers()).toEqual([]);
  });

  it.each([
    ['memoryBytes', { outOfMemory: true, signal: 'SIGKILL' }],
    ['cpuS', { signal: 'SIGXCPU' }],
    ['fileBytes', { signal: 'SIGXFSZ' }],
  ] as const)('of %s by which a process ended is named with its figure', async (limit, how) => {
    const rig = await sessionRig({ limits: { [limit]: 7 } });
    const session = await rig.open();
    await expect(rig.host.runUntil(session.execute(script(['crash', how])).result)).rejects.toMatchObject({
      code: 'ERR_EXECUTION_LIMIT',
      data: { limit, figure: 7, lastStderr: ['the last line'] },
      cause: { code: 'ERR_WORKER_EXITED' },
    });
  });

  it.each([
    ['memoryBytes', 'MemoryError', ''],
    ['openFiles', 'OSError', '[Errno 24] Too many open files'],
    ['processes', 'RuntimeError', "can't start new thread"],
    ['fileBytes', 'OSError', '[Errno 27] File too large'],
  ] as const)(
    'of %s that code ran into is named; where none was set, the error stays what it is',
    async (limit, type, text) => {
      for (const set of [true, false]) {
        const rig = await sessionRig(set ? { limits: { [limit]: 9 } } : {});
        const session = await rig.open();
        const fate = watch(session.execute(script(['throw', type, text])).result);
        await rig.host.settle();
        expect(fate.now).toBe(set ? 'ERR_EXECUTION_LIMIT' : 'ERR_EXECUTION_FAILED');
        if (set) expect(fate.error).toMatchObject({ data: { limit, figure: 9 } });
      }
    },
  );
});
