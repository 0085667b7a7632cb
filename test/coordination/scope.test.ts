import { describe, expect, it } from 'vitest';
import type { ScopeReport } from '../../src/coordination/scope-report.ts';
import type { TaskContext } from '../../src/coordination/task.ts';
import { gate, watch } from '../kernel/rig.ts';
import { createScopeRig, deaf, obedient } from './scope-rig.ts';

describe('a task', () => {
  it('runs in its starter, under its name and kind, and its result is its own', async () => {
    const { scope, host } = createScopeRig();
    const seen: TaskContext[] = [];
    const task = scope.start('sum', (context) => {
      seen.push(context);
      return 3;
    });
    expect(seen).toMatchObject([
      { name: 'sum', kind: 'background', deadline: Number.POSITIVE_INFINITY, scope },
    ]);
    expect(await host.runUntil(task.result)).toBe(3);
    expect(task.state).toBe('completed');
    expect(scope.tasks()).toEqual([]);
  });

  it('shares its name with none that runs', () => {
    const { scope } = createScopeRig();
    const names = [1, 2, 3].map(() => scope.start('mail', obedient).name);
    expect(names).toEqual(['mail', 'mail#2', 'mail#3']);
  });

  it('that fails unheard reaches the scope, and never the process', async () => {
    const { scope, host } = createScopeRig({ onFailure: 'collect' });
    const error = new Error('as told');
    scope.start('bad', () => Promise.reject(error));
    scope.start('worse', () => {
      throw error;
    });
    await host.settle();
    expect(scope.report()).toMatchObject({
      failed: 2,
      failures: [
        { task: 'worse', error },
        { task: 'bad', error },
      ],
    });
  });

  it('is let go of at its deadline, counted as failed, and still owned until it ends', async () => {
    const { scope, host } = createScopeRig({ onFailure: 'collect' });
    const work = gate();
    let signal!: AbortSignal;
    const task = scope.start(
      'slow',
      (context) => {
        signal = context.signal;
        return work.passed;
      },
      { timeoutMs: 50 },
    );
    const result = watch(task.result);
    await host.advance(50);
    expect(result).toMatchObject({ now: 'ERR_TASK_TIMEOUT', outcome: 'unknown' });
    expect(signal.reason).toMatchObject({ code: 'ERR_TASK_TIMEOUT' });
    expect(scope.tasks()).toMatchObject([{ name: 'slow', state: 'timed_out' }]);
    work.open();
    await host.settle();
    expect(scope.tasks()).toEqual([]);
    expect(scope.report()).toMatchObject({ failed: 1, completed: 0 });
  });

  it('that is cancelled ends when it heeds that, and is no failure', async () => {
    const { scope, host } = createScopeRig();
    const task = scope.start('job', obedient);
    const result = watch(task.result);
    task.cancel();
    task.cancel(new Error('ignored'));
    await host.settle();
    expect(result.now).toBe('ERR_TASK_CANCELLED');
    expect([task.state, scope.closing]).toEqual(['cancelled', false]);
  });

  it('that fails in its clean-up is a failure, cancelled or not', async () => {
    const { scope, host } = createScopeRig();
    const task = scope.start('job', async (context) => {
      await obedient(context).catch(() => {});
      throw new Error('clean-up');
    });
    task.cancel();
    await host.settle();
    expect(scope.report().failures).toMatchObject([{ task: 'job', error: new Error('clean-up') }]);
  });

  it('says where it was started', () => {
    const { scope } = createScopeRig({ origins: 'all' });
    scope.start('here', obedient);
    expect(scope.tasks()[0]?.origin).toContain('scope.test.ts');
  });
});

describe('closing a scope', () => {
  it('cancels lifecycle, then system, then background tasks, each when those before have ended', async () => {
    const { scope, host } = createScopeRig();
    const order: string[] = [];
    const ending = gate();
    for (const kind of ['background', 'system', 'lifecycle'] as const) {
      scope.start(
        kind,
        async (context) => {
          await obedient(context).catch(() => {});
          order.push(`${kind} told`);
          if (kind === 'lifecycle') await ending.passed;
          order.push(`${kind} over`);
        },
        { kind },
      );
    }
    const closed = scope.close();
    await host.settle();
    expect(order).toEqual(['lifecycle told']);
    ending.open();
    await host.runUntil(closed);
    expect(order).toEqual([
      'lifecycle told',
      'lifecycle over',
      'system told',
      'system over',
      'background told',
      'background over',
    ]);
  });

  it('is a latch: many callers, one sequence, one report', async () => {
    const { scope, host, events } = createScopeRig();
    scope.start('job', obedient);
    const closes = [scope.close('first'), scope.close('second')];
    const reports = await host.runUntil(Promise.all(closes));
    expect(reports[0]).toBe(reports[1]);
    expect(await scope.close()).toBe(reports[0]);
    expect(scope.signal.reason).toBe('first');
    expect(events.filter(({ type }) => type === 'scope.closed')).toHaveLength(1);
  });

  it('refuses what would start from its beginning on, without calling it', async () => {
    const { scope, host } = createScopeRig();
    scope.start('job', deaf);
    void scope.close();
    let called = false;
    expect(() => scope.start('late', () => (called = true))).toThrow(
      expect.objectContaining({ code: 'ERR_SCOPE_CLOSED', outcome: 'not_started' }),
    );
    await host.advance(5_000);
    expect(() => scope.start('later', () => (called = true))).toThrow();
    expect(called).toBe(false);
    expect(scope.report().refused).toBe(2);
  });

  it('ends within its deadline whatever its tasks do, and names who did not; no kind eats the time of another', async () => {
    const { scope, host, events } = createScopeRig({ closeMs: 900 });
    scope.start('deaf one', deaf, { kind: 'lifecycle' });
    const told: number[] = [];
    const began = host.monotonic();
    for (const kind of ['system', 'background'] as const) {
      scope.start(kind, (context) => obedient(context).catch(() => told.push(host.monotonic() - began)), {
        kind,
      });
    }
    const closed = watch(scope.close());
    await host.advance(299);
    expect(closed.settled).toBe(false);
    await host.advance(601);
    const report = closed.now as ScopeReport;
    expect(report.stragglers).toMatchObject([
      { name: 'deaf one', kind: 'lifecycle', state: 'straggling', runningMs: 300 },
    ]);
    expect(report).toMatchObject({ completed: 2, durationMs: 300 });
    expect(told).toEqual([300, 300]);
    expect(events.find(({ type }) => type === 'scope.closed')).toMatchObject({ stragglers: ['deaf one'] });
  });

  it('counts a straggler as one also when it ends after all, and says so', async () => {
    const { scope, host, events } = createScopeRig({ closeMs: 10 });
    const work = gate();
    const task = scope.start('slow', () => work.passed);
    const result = watch(task.result);
    const closed = scope.close();
    await host.advance(10);
    expect((await host.runUntil(closed)).stragglers).toHaveLength(1);
    expect(result.now).toBe('ERR_TASK_STRAGGLED');
    work.open();
    await host.settle();
    expect(events.at(-1)).toMatchObject({ type: 'task.straggler_ended', task: 'slow' });
    expect(task.state).toBe('straggling');
  });

  it('takes as little as its tasks need', async () => {
    const { scope, host } = createScopeRig();
    scope.start('job', obedient);
    const report = await host.runUntil(scope.close());
    expect([report.durationMs, host.pendingTimers()]).toEqual([0, []]);
  });

  it('comes by the first failure, by its signal, by its owner, by its deadline', async () => {
    const controller = new AbortController();
    const owners: (() => void)[] = [];
    const owner = {
      onEnd: (end: () => void) => {
        owners.push(end);
        return () => {};
      },
    };
    const rigs = {
      failure: createScopeRig(),
      signal: createScopeRig({ signal: controller.signal }),
      owner: createScopeRig({ owner }),
      deadline: createScopeRig({ deadline: 6_000 }),
    };
    for (const { scope } of Object.values(rigs)) scope.start('job', obedient);
    rigs.failure.scope.start('bad', () => Promise.reject(new Error('as told')));
    controller.abort(new Error('by signal'));
    for (const end of owners) end();
    for (const { host } of Object.values(rigs)) await host.settle();
    await rigs.deadline.host.advance(1_000);
    expect(Object.values(rigs).map(({ scope }) => scope.closing)).toEqual([true, true, true, true]);
    expect(rigs.failure.scope.signal.reason).toEqual(new Error('as told'));
    expect(rigs.signal.scope.signal.reason).toEqual(new Error('by signal'));
    expect(rigs.deadline.scope.signal.reason).toMatchObject({ code: 'ERR_DEADLINE_PASSED' });
  });

  it('does not touch the tasks of another scope', async () => {
    const { scope, host } = createScopeRig();
    const other = createScopeRig();
    const task = other.scope.start('job', obedient);
    await host.runUntil(scope.close());
    await other.host.settle();
    expect(task.state).toBe('running');
  });
});
