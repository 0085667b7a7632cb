import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allows, resolveCapabilities } from '../../src/execution/capability-policy.ts';
import { codeExecutor, type ExecutorHandle } from '../../src/execution/executor.ts';
import { createSystem, type System } from '../../src/kernel/system.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { script, scriptedKernel } from '../../src/testing/index.ts';
import { createRig, part, watch } from '../kernel/rig.ts';
import { read, sessionRig } from './session-rig.ts';

/** What the systems before this one got wrong, each by what it led to. */
describe('the defects of those before us', () => {
  it('a cancellation says at once whether there was anything to cancel', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const execution = session.execute(script(['hang', 'interrupt']), { id: 'e' });
    await rig.host.settle();
    expect([session.cancel('none'), session.cancel('e'), rig.executor.cancel('none')]).toEqual([
      false,
      true,
      false,
    ]);
    expect(rig.host.monotonic()).toBe(0);
    await rig.host.runUntil(execution.result.catch(() => undefined));
    expect(session.cancel('e')).toBe(false);
  });

  it('messages are read while a cancellation waits', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const execution = session.execute(script(['hang', 'cancel']));
    await rig.host.settle();
    execution.cancel();
    await rig.host.advance(100);
    expect(await rig.host.runUntil(session.stats())).toMatchObject({ namespaceSize: 0 });
    expect(session.inspect().stage).toBe('cancelling');
  });

  it('code that is held back loses nothing, however long the reader takes', async () => {
    const rig = await sessionRig({ floods: false, output: { limit: 4 } });
    const session = await rig.open();
    const execution = session.execute(script(['repeat', 60, 'x'], ['value', 1]), { timeoutMs: 600_000 });
    const reader = execution[Symbol.asyncIterator]();
    let taken = 0;
    for (let next = await rig.host.runUntil(reader.next()); next.done !== true; taken += 1) {
      if (taken < 25) await rig.host.advance(10_000);
      next = await rig.host.runUntil(reader.next());
    }
    expect(taken).toBe(61);
    expect(execution.dropped).toBe(0);
  });

  it('the end finds its way through a full queue', async () => {
    const rig = await sessionRig({ floods: false, output: { limit: 2 } });
    const session = await rig.open();
    const execution = session.execute(script(['print', 'a'], ['print', 'b'], ['value', 1]));
    const reader = execution[Symbol.asyncIterator]();
    await rig.host.settle();
    const kinds: string[] = [];
    for (let next = await reader.next(); next.done !== true; next = await reader.next())
      kinds.push(next.value.kind);
    expect(kinds).toEqual(['output', 'output', 'result']);
  });

  it('what was configured counts, and a start that fails blocks no other', async () => {
    const rig = await sessionRig(
      { readyTimeoutMs: 700, executeTimeoutMs: 50, closeGraceMs: 90 },
      { start: (number) => (number === 1 ? 'hang' : {}), closeMs: Number.POSITIVE_INFINITY },
    );
    const failed = watch(rig.executor.session({ language: 'scripted' }));
    const session = await rig.open();
    await rig.host.advance(700);
    expect(failed.now).toBe('ERR_WORKER_START');
    const late = watch(session.execute(script(['hang'])).result);
    await rig.host.advance(50);
    expect(late.now).toBe('ERR_EXECUTION_TIMEOUT');
    const closed = watch(session.close());
    await rig.host.advance(90);
    expect(closed.settled).toBe(true);
  });

  it('a session that is over does not come back with the end of what it ran', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const execution = session.execute(script(['wait', 50], ['value', 1]));
    await rig.host.settle();
    const closing = session.close();
    await rig.host.runUntil(Promise.all([closing, execution.result.catch(() => undefined)]));
    await rig.host.advance(1_000);
    expect(session.inspect()).toMatchObject({ over: true, state: 'absent', free: false });
    const states = rig.of('session.transitioned').map(({ to }) => to);
    expect(states.indexOf('terminated')).toBe(states.length - 1);
  });

  it('what cannot be sent leaves nothing awaited, and the session free', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const [port] = rig.kernel.ports;
    if (port !== undefined)
      port.run = () => {
        throw Object.assign(new Error('too large'), { code: 'EBIG' });
      };
    const { result } = session.execute(script(['value', 1]));
    await expect(rig.host.runUntil(result)).rejects.toMatchObject({ code: 'ERR_WORKER_PROTOCOL' });
    expect(rig.executor.inspect().promises.pending).toBe(0);
    expect(session.inspect().execution).toBeUndefined();
  });

  it('blocked wins over unrestricted, that over allowed, and what is not named is denied', () => {
    const policy = (options: object) => resolveCapabilities('test', options, '/cwd');
    expect(allows(policy({ level: 'unrestricted', block: ['fetch'] }), 'fetch')).toBe(false);
    expect(allows(policy({ level: 'unrestricted' }), 'anything')).toBe(true);
    expect(allows(policy({ level: 'sandbox', allow: ['fetch'] }), 'fetch')).toBe(true);
    expect(allows(policy({ level: 'sandbox', allow: ['fetch'], block: ['fetch'] }), 'fetch')).toBe(false);
    expect(allows(policy({ level: 'trusted' }), 'constructor')).toBe(false);
    expect(policy({ level: 'sandbox' }).input).toBe(false);
    expect(policy({}).roots).toEqual([{ path: '/cwd', write: true }]);
  });

  it('a session that an actor started ends with that actor, and one of nobody goes on', async () => {
    const kernel = scriptedKernel();
    const code = codeExecutor('code', { kernels: [kernel] });
    const rig = createRig();
    const user = part('user', (context) => ({
      tell: () => void context.get(code).session({ language: 'scripted', id: 'theirs' }),
    }));
    await rig.start(supervisor('root', { children: [code, user], backoff: false }));
    const executor = rig.system.get(code);
    await rig.host.runUntil(executor.session({ language: 'scripted', id: 'ours' }));
    rig.system.get(user).tell('go');
    await rig.host.settle();
    expect(executor.sessions().map(({ id }) => id)).toEqual(['ours', 'theirs']);
    rig.system.exit(rig.system.get(user), 'kill');
    await rig.host.advance(100);
    expect(executor.sessions().map(({ id }) => id)).toEqual(['ours']);
    await rig.host.runUntil(rig.system.shutdown());
    expect(kernel.live).toEqual([]);
  });
});

describe('the defects of those before us, in processes', () => {
  let system: System;
  let executor: ExecutorHandle;

  beforeAll(async () => {
    process.env['TROUPE_TEST_SECRET'] = 'secret';
    system = createSystem();
    const options = { capabilities: 'unrestricted', readyTimeoutMs: 60_000, env: { GIVEN: 'yes' } } as const;
    executor = await system.start(codeExecutor('code', options));
  });

  afterAll(async () => {
    delete process.env['TROUPE_TEST_SECRET'];
    await system.shutdown();
  });

  it('sessions have folders of their own, and nobody moves the service; no variable goes along unasked', async () => {
    const before = process.cwd();
    const sessions = await Promise.all([1, 2].map(() => executor.session({ language: 'javascript' })));
    const look =
      'process.chdir("/"); [process.env.TROUPE_TEST_SECRET ?? null, process.env.GIVEN, process.env.TMPDIR]';
    const looks = await Promise.all(
      sessions.map(async (session) => (await session.execute(look).result).value),
    );
    const own = [null, 'yes', expect.stringContaining('troupe-tmp-')];
    expect(looks).toEqual([own, own]);
    const [one, two] = looks as string[][];
    expect(one?.[2]).not.toBe(two?.[2]);
    expect(process.cwd()).toBe(before);
    await Promise.all(sessions.map((session) => session.close()));
  });

  it('much on stderr wedges nothing, and hundreds of executions go through one process', async () => {
    await using session = await executor.session({ language: 'javascript', floods: false });
    for (let i = 0; i < 200; i++) {
      const reading = read(session.execute(`console.error("x".repeat(2_000)); ${i}`));
      await expect.poll(() => reading.done, { interval: 1, timeout: 20_000 }).toBe(true);
      expect(reading.words.at(-1)).toBe('result');
    }
    expect(session.inspect()).toMatchObject({ executions: 200, processes: 1 });
  });
});
