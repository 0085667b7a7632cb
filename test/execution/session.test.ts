import { describe, expect, it } from 'vitest';
import { script } from '../../src/testing/kernel-script.ts';
import { watch } from '../kernel/rig.ts';
import { read, sessionRig } from './session-rig.ts';

describe('a session', () => {
  it('runs code: what it prints comes in order, then its result, as an event and as a promise', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const code = script(
      ['print', 'a'],
      ['print', 'b', 'stderr'],
      ['progress', 1],
      ['set', 'x', 7],
      ['read', 'x'],
    );
    const execution = session.execute(code);
    const reading = read(execution);
    const result = await rig.host.runUntil(execution.result);
    await rig.host.settle();
    expect(reading.words).toEqual(['a', 'b', 'progress', 'result']);
    expect(reading.events[1]).toMatchObject({ kind: 'output', stream: 'stderr' });
    expect(result).toMatchObject({ hasValue: true, value: 7, changed: ['x'], mode: 'simple_sync' });
    expect(reading).toMatchObject({ done: true });
    expect(session.inspect()).toMatchObject({ state: 'idle', stage: 'none', executions: 1, free: true });
    await rig.host.runUntil(rig.system.shutdown());
    expect(rig.kernel.live).toEqual([]);
    expect(rig.host.pendingTimers()).toEqual([]);
  });

  it('gives its result to whoever reads nothing', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const { result } = session.execute(script(['print', 'unread'], ['value', 1]));
    expect(await rig.host.runUntil(result)).toMatchObject({ value: 1 });
  });

  it('tells of code that throws, and goes on', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const execution = session.execute(script(['print', 'x'], ['throw', 'ValueError', 'no']));
    const reading = read(execution);
    await expect(rig.host.runUntil(execution.result)).rejects.toMatchObject({
      code: 'ERR_EXECUTION_FAILED',
      outcome: 'completed',
      data: { type: 'ValueError', text: 'no', traceback: 'at ValueError' },
    });
    await rig.host.settle();
    expect(reading.words).toEqual(['x', 'error']);
    expect(await rig.host.runUntil(session.execute(script(['value', 2])).result)).toMatchObject({ value: 2 });
  });

  it('takes one execution at a time; a second is refused and does not touch the first', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const first = session.execute(script(['wait', 10], ['value', 1]));
    const second = session.execute(script(['value', 2]));
    await expect(rig.host.runUntil(second.result)).rejects.toMatchObject({
      code: 'ERR_SESSION_BUSY',
      outcome: 'not_started',
    });
    expect(second.cancel()).toBe(false);
    expect(await rig.host.runUntil(first.result)).toMatchObject({ value: 1 });
    expect(rig.kernel.ports[0]?.mostAtOnce).toBe(1);
  });

  it('is asked for its namespace also before its first code, and refuses what it does not know', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    expect(await rig.host.runUntil(session.namespace.merge({ a: 1 }))).toEqual(['a']);
    expect(await rig.host.runUntil(session.namespace.list())).toMatchObject([{ name: 'a', repr: '1' }]);
    await rig.host.runUntil(session.namespace.clear());
    expect(await rig.host.runUntil(session.namespace.list())).toEqual([]);
    expect(() => session.execute('[]', { timeout: 1 } as never)).toThrow('timeoutMs');
    await expect(rig.executor.session({ language: 'cobol' })).rejects.toMatchObject({
      code: 'ERR_OPTION_INVALID',
    });
    await expect(rig.executor.session({ language: 'scripted', id: '..' })).rejects.toMatchObject({
      code: 'ERR_OPTION_INVALID',
    });
  });

  it('answers that it is busy where the kernel does', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    session.execute(script(['wait', 10]));
    await expect(rig.host.runUntil(session.namespace.list())).rejects.toMatchObject({
      code: 'ERR_SESSION_BUSY',
    });
  });
});

describe('cancelling', () => {
  it('is cooperative first, and keeps the session and its namespace', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const execution = session.execute(script(['set', 'x', 1], ['hang']), { id: 'mine' });
    const reading = read(execution);
    await rig.host.settle();
    expect(session.cancel('other')).toBe(false);
    expect(session.cancel('mine', 'enough')).toBe(true);
    expect(execution.cancel()).toBe(true);
    await expect(rig.host.runUntil(execution.result)).rejects.toMatchObject({
      code: 'ERR_EXECUTION_CANCELLED',
      data: { why: 'enough', stage: 'cooperative' },
    });
    await rig.host.settle();
    expect(reading.words).toEqual(['error']);
    expect(session.cancel('mine')).toBe(false);
    expect(rig.kernel.ports[0]?.told).toEqual(['cancel']);
    expect(await rig.host.runUntil(session.execute(script(['read', 'x'])).result)).toMatchObject({
      value: 1,
    });
    expect(rig.kernel.ports).toHaveLength(1);
  });

  it('breaks into code that does not listen, after the grace, and keeps the session', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const execution = session.execute(script(['set', 'x', 1], ['hang', 'cancel']));
    const fate = watch(execution.result);
    await rig.host.settle();
    execution.cancel();
    await rig.host.advance(499);
    expect(rig.kernel.ports[0]?.told).toEqual(['cancel']);
    expect(session.inspect().stage).toBe('cancelling');
    await rig.host.advance(1);
    expect(rig.kernel.ports[0]?.told).toEqual(['cancel', 'interrupt']);
    await rig.host.settle();
    expect(fate.error).toMatchObject({ code: 'ERR_EXECUTION_CANCELLED', data: { stage: 'interrupted' } });
    expect(await rig.host.runUntil(session.execute(script(['read', 'x'])).result)).toMatchObject({
      value: 1,
    });
  });

  it('kills what ignores both, and another process takes its place, never the same one again', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const execution = session.execute(script(['set', 'x', 1], ['hang', 'interrupt']));
    const fate = watch(execution.result);
    await rig.host.settle();
    execution.cancel();
    await rig.host.advance(999);
    expect(rig.kernel.ports[0]?.killed).toBe(false);
    expect(fate.settled).toBe(false);
    await rig.host.advance(1);
    expect(rig.kernel.ports[0]?.killed).toBe(true);
    expect(fate.error).toMatchObject({ code: 'ERR_EXECUTION_CANCELLED', data: { stage: 'killed' } });
    expect(await rig.host.runUntil(session.execute(script(['read', 'x'])).result)).toMatchObject({
      value: null,
    });
    expect(rig.kernel.ports).toHaveLength(2);
    const ways = rig.of('session.transitioned').map(({ from, to }) => `${from} → ${to}`);
    expect(ways.slice(3)).toEqual([
      'busy → error',
      'error → terminated',
      'creating → warming',
      'warming → ready',
      'ready → busy',
      'busy → idle',
    ]);
  });

  it('follows a deadline, and a signal', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const late = session.execute(script(['hang']), { timeoutMs: 100 });
    const fate = watch(late.result);
    await rig.host.advance(99);
    expect(fate.settled).toBe(false);
    await rig.host.advance(1);
    expect(fate.error).toMatchObject({
      code: 'ERR_EXECUTION_TIMEOUT',
      data: { timeoutMs: 100, stage: 'cooperative' },
    });
    const controller = new AbortController();
    const aborted = watch(session.execute(script(['hang']), { signal: controller.signal }).result);
    await rig.host.settle();
    controller.abort(new Error('gone'));
    await rig.host.settle();
    expect(aborted.error).toMatchObject({ code: 'ERR_EXECUTION_CANCELLED', cause: { message: 'gone' } });
    const before = watch(session.execute(script(['value', 1]), { signal: controller.signal }).result);
    await rig.host.settle();
    expect(before.now).toBe('ERR_EXECUTION_CANCELLED');
  });

  it('never takes a process for free whose code ignored its deadline', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const late = watch(session.execute(script(['hang', 'interrupt']), { timeoutMs: 100 }).result);
    await rig.host.advance(100);
    expect(session.inspect().free).toBe(false);
    const next = session.execute(script(['value', 2]));
    await expect(rig.host.runUntil(next.result)).rejects.toMatchObject({ code: 'ERR_SESSION_BUSY' });
    await rig.host.advance(1_000);
    expect(late.error).toMatchObject({ code: 'ERR_EXECUTION_TIMEOUT', data: { stage: 'killed' } });
    expect(await rig.host.runUntil(session.execute(script(['value', 3])).result)).toMatchObject({ value: 3 });
  });

  it('kills a process at once that the system holds stopped', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const execution = session.execute(script(['hang']));
    const fate = watch(execution.result);
    await rig.host.settle();
    rig.kernel.ports[0]?.stop();
    execution.cancel();
    await rig.host.settle();
    expect(rig.kernel.ports[0]?.killed).toBe(true);
    expect(fate.now).toBe('ERR_EXECUTION_CANCELLED');
  });
});

describe('the end of a process', () => {
  it('is told to its execution with exit code and last words, and followed by another process', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const execution = session.execute(script(['print', 'x'], ['crash', { code: 3 }]));
    const reading = read(execution);
    await expect(rig.host.runUntil(execution.result)).rejects.toMatchObject({
      code: 'ERR_WORKER_EXITED',
      data: { code: 3, signal: null, lastStderr: ['the last line'] },
    });
    await rig.host.settle();
    expect(reading.words).toEqual(['x', 'error']);
    expect(await rig.host.runUntil(session.execute(script(['value', 1])).result)).toMatchObject({ value: 1 });
    expect(session.inspect()).toMatchObject({ processes: 2, executions: 2 });
    expect(rig.kernel.released.launches).toBe(1);
  });

  it('by a breach of the protocol is told as one', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    await expect(rig.host.runUntil(session.execute(script(['garbage'])).result)).rejects.toMatchObject({
      code: 'ERR_WORKER_PROTOCOL',
    });
  });

  it('of one session leaves the others alone, however often it comes', async () => {
    const rig = await sessionRig({ replacements: { intensity: 3, periodMs: 60_000 } });
    const [bad, good] = [await rig.open({ id: 'bad' }), await rig.open({ id: 'good' })];
    await rig.host.runUntil(good.execute(script(['set', 'x', 1])).result);
    for (let crash = 0; crash < 4; crash++) {
      const { result } = bad.execute(script(['crash', { signal: 'SIGSEGV' }]));
      await expect(rig.host.runUntil(result)).rejects.toMatchObject({ code: 'ERR_WORKER_EXITED' });
    }
    await rig.host.advance(10_000);
    await expect(rig.host.runUntil(bad.execute(script()).result)).rejects.toMatchObject({
      code: 'ERR_SESSION_ENDED',
      cause: { code: 'ERR_WORKER_EXITED' },
    });
    expect(bad.inspect()).toMatchObject({ over: true, state: 'absent' });
    expect(rig.executor.sessions().map(({ id }) => id)).toEqual(['good']);
    expect(await rig.host.runUntil(good.execute(script(['read', 'x'])).result)).toMatchObject({ value: 1 });
  });

  it('comes for one that is idle and gives no sign of life, and not for one that is busy', async () => {
    const rig = await sessionRig();
    const [idle, busy] = [await rig.open(), await rig.open()];
    const running = watch(busy.execute(script(['freeze']), { timeoutMs: Number.POSITIVE_INFINITY }).result);
    await rig.host.settle();
    const [one, two] = rig.kernel.ports;
    if (one !== undefined) one.frozen = true;
    await rig.host.advance(20_000);
    expect([one?.killed, two?.killed]).toEqual([true, false]);
    expect(await rig.host.runUntil(idle.execute(script(['value', 1])).result)).toMatchObject({ value: 1 });
    await rig.host.advance(70_000);
    expect(two?.killed).toBe(true);
    expect(running.error).toMatchObject({ code: 'ERR_WORKER_EXITED' });
  });
});

describe('a start', () => {
  it.each([
    ['hang', {}, /not_ready_in_time/],
    ['exit', {}, /exit code 1/],
    ['fail', {}, /ENOENT/],
  ] as const)('that ends in "%s" is told, and leaves nothing', async (start, _none, words) => {
    const rig = await sessionRig({}, { start: () => start });
    const opening = watch(rig.executor.session({ language: 'scripted' }));
    await rig.host.advance(10_000);
    expect(opening.error).toMatchObject({
      code: 'ERR_WORKER_START',
      message: expect.stringMatching(words),
    });
    expect(rig.kernel.live).toEqual([]);
    expect(rig.executor.sessions()).toEqual([]);
    expect(rig.kernel.released).toEqual({ launches: 1, sessions: 1 });
    await rig.host.runUntil(rig.system.shutdown());
    expect(rig.host.pendingTimers()).toEqual([]);
  });

  it('whose namespace is not built within the same deadline is told', async () => {
    const rig = await sessionRig({}, { start: () => ({ afterMs: 4_000 }), open: () => 'hang' });
    const opening = watch(rig.executor.session({ language: 'scripted' }));
    await rig.host.advance(9_999);
    expect(opening.settled).toBe(false);
    await rig.host.advance(1);
    expect(opening.now).toBe('ERR_WORKER_START');
  });

  it('that is refused by the kernel says so', async () => {
    const rig = await sessionRig({}, { open: () => 'fail' });
    await expect(rig.open()).rejects.toMatchObject({ code: 'ERR_JOB_FAILED' });
  });

  it('beyond the most sessions is refused', async () => {
    const rig = await sessionRig({ maxSessions: 1 });
    const session = await rig.open();
    await expect(rig.open()).rejects.toMatchObject({ code: 'ERR_MAX_CHILDREN' });
    await rig.host.runUntil(session.close());
    await rig.open();
  });

  it('of a replacement is awaited by the next execution, within its own time', async () => {
    const rig = await sessionRig({}, { start: (number) => (number === 1 ? {} : { afterMs: 3_000 }) });
    const session = await rig.open();
    await rig.host.runUntil(session.execute(script(['crash', { code: 1 }])).result.catch(() => undefined));
    const impatient = watch(session.execute(script(['value', 1]), { timeoutMs: 100 }).result);
    await rig.host.advance(100);
    expect(impatient).toMatchObject({ now: 'ERR_EXECUTION_TIMEOUT', outcome: 'not_started' });
    expect(await rig.host.runUntil(session.execute(script(['value', 2])).result)).toMatchObject({ value: 2 });
    expect(rig.host.monotonic()).toBe(3_000);
  });
});

describe('closing', () => {
  it('cancels what runs, ends the process in order, and is once', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const running = watch(session.execute(script(['hang'])).result);
    await rig.host.settle();
    await rig.host.runUntil(Promise.all([session.close(), session.close()]));
    await session.close();
    expect(running.error).toMatchObject({ code: 'ERR_EXECUTION_CANCELLED' });
    expect(rig.kernel.ports[0]).toMatchObject({ over: true, killed: false });
    expect(rig.kernel.released).toEqual({ launches: 1, sessions: 1 });
    await expect(session.execute(script()).result).rejects.toMatchObject({ code: 'ERR_SESSION_ENDED' });
    await expect(session.namespace.list()).rejects.toMatchObject({ code: 'ERR_SESSION_ENDED' });
    expect(rig.executor.find(session.id)).toBeUndefined();
    expect(rig.executor.inspect()).toMatchObject({ sessions: [], promises: { pending: 0 } });
  });

  it('kills a process that does not comply within the grace', async () => {
    const rig = await sessionRig({}, { closeMs: Number.POSITIVE_INFINITY });
    const session = await rig.open();
    const closed = watch(session.close());
    await rig.host.advance(4_999);
    expect(closed.settled).toBe(false);
    await rig.host.advance(1);
    expect(rig.kernel.ports[0]?.killed).toBe(true);
    expect(closed.settled).toBe(true);
  });

  it('comes with the end of the executor, which leaves no process', async () => {
    const rig = await sessionRig();
    await rig.open();
    const session = await rig.open();
    const running = watch(session.execute(script(['hang', 'interrupt'])).result);
    await rig.host.settle();
    await rig.host.runUntil(rig.system.shutdown());
    expect(running.settled).toBe(true);
    expect(rig.kernel.live).toEqual([]);
    expect(rig.kernel.released).toEqual({ launches: 2, sessions: 2 });
    expect(rig.host.pendingTimers()).toEqual([]);
  });

  it('restart puts another process with an empty namespace in its place', async () => {
    const rig = await sessionRig({ checkpoint: 'on_kill' });
    const session = await rig.open();
    await rig.host.runUntil(session.execute(script(['set', 'x', 1])).result);
    await rig.host.runUntil(session.restart());
    expect(await rig.host.runUntil(session.execute(script(['read', 'x'])).result)).toMatchObject({
      value: null,
    });
    expect(session.inspect()).toMatchObject({ processes: 2 });
  });
});
