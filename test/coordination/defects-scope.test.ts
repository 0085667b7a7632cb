/** What went wrong with task registries elsewhere, and with scopes here before: each cannot happen, by name. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { createBus } from '../../src/coordination/bus.ts';
import { createScope } from '../../src/coordination/scope.ts';
import { type TaskHome, TaskRun } from '../../src/coordination/task.ts';
import { TaskRoll } from '../../src/coordination/task-roll.ts';
import { withScope } from '../../src/coordination/with-scope.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { gate, watch } from '../kernel/rig.ts';
import { createScopeRig, deaf, obedient } from './scope-rig.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

describe('defects of task registries', () => {
  it('a close that left somebody behind does not report that all went well', async () => {
    const { scope, host } = createScopeRig({ closeMs: 2_000 });
    scope.start('deaf', deaf);
    const report = await host.runUntil(scope.close());
    expect(report.stragglers.map(({ name }) => name)).toEqual(['deaf']);
    expect(report).toMatchObject({ started: 1, completed: 0, cancelled: 0 });
  });

  it('a task that ignores its cancellation does not hold the close back beyond its deadline', async () => {
    const { scope, host } = createScopeRig({ closeMs: 200 });
    for (const kind of ['lifecycle', 'system', 'background'] as const) scope.start(kind, deaf, { kind });
    const closed = watch(scope.close());
    await host.advance(199);
    expect(closed.now).toBe('pending');
    await host.advance(1);
    expect(closed.now).toMatchObject({ durationMs: 200 });
  });

  it('a slow clean-up that outlasts the deadline is no success, and is named', async () => {
    const { scope, host } = createScopeRig({ closeMs: 300 });
    scope.start('tidy', async ({ signal }) => {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      await new Promise<void>((resolve) => host.timer(10_000, 'slow', resolve));
    });
    const report = await host.runUntil(scope.close());
    expect(report.stragglers).toMatchObject([{ name: 'tidy', state: 'straggling' }]);
  });

  it('it does not open again: what starts after the close is refused, for ever', async () => {
    const { scope, host } = createScopeRig();
    await host.runUntil(scope.close());
    await host.advance(60_000);
    let called = false;
    const start = () =>
      scope.start('late', () => {
        called = true;
      });
    expect(start).toThrowError(expect.objectContaining({ code: 'ERR_SCOPE_CLOSED', outcome: 'not_started' }));
    expect(called).toBe(false);
  });

  it('the second close tells the same as the first', async () => {
    const { scope, host } = createScopeRig();
    scope.start('deaf', deaf);
    const [first, second] = await host.runUntil(Promise.all([scope.close(), scope.close()]));
    expect(second).toBe(first);
    expect(await scope.close()).toBe(first);
  });

  it('kinds wait for each other', async () => {
    const { scope, host } = createScopeRig();
    const order: string[] = [];
    const slow = (name: string, kind: 'lifecycle' | 'system' | 'background') =>
      scope.start(
        name,
        async ({ signal }) => {
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
          order.push(`${name} told`);
          await new Promise<void>((resolve) => host.timer(10, 'clean-up', resolve));
          order.push(`${name} over`);
        },
        { kind },
      );
    slow('c', 'background');
    slow('b', 'system');
    slow('a', 'lifecycle');
    await host.runUntil(scope.close());
    expect(order).toEqual(['a told', 'a over', 'b told', 'b over', 'c told', 'c over']);
  });

  it('work is called once, whoever watches it', async () => {
    const { scope, host } = createScopeRig();
    let calls = 0;
    const task = scope.start('once', async () => {
      calls += 1;
      return calls;
    });
    scope.tasks();
    await Promise.all([task.result, task.result, scope.idle(), host.settle()]);
    expect(calls).toBe(1);
  });

  it('an audit, or the close of another scope, cancels nothing that is rightly owned', async () => {
    const { scope, host } = createScopeRig();
    const other = createScope({ host });
    const owned = scope.start('owned', obedient);
    other.start('theirs', deaf);
    scope.tasks();
    await host.runUntil(other.close());
    expect(owned.state).toBe('running');
  });

  it('a task that times out or fails is not turned into nothing: who awaits it hears of it', async () => {
    const { scope, host } = createScopeRig({ onFailure: 'collect' });
    const late = watch(scope.start('late', deaf, { timeoutMs: 30_000 }).result);
    const failed = watch(scope.start('failed', () => Promise.reject(new Error('no'))).result);
    await host.advance(30_000);
    expect(late.now).toBe('ERR_TASK_TIMEOUT');
    expect(failed.error).toMatchObject({ message: 'no' });
    expect(scope.report().failures).toHaveLength(2);
  });

  it('a step of the close that throws stops none of the later ones', async () => {
    const { scope, host } = createScopeRig();
    const ended: string[] = [];
    scope.start(
      'first',
      async ({ signal }) => {
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        throw new Error('broken clean-up');
      },
      { kind: 'lifecycle' },
    );
    scope.start('second', (task) => obedient(task).finally(() => ended.push('second')), { kind: 'system' });
    const report = await host.runUntil(scope.close());
    expect(ended).toEqual(['second']);
    expect(report.failures).toMatchObject([{ task: 'first', error: { message: 'broken clean-up' } }]);
  });
});

describe('what throws where nobody expects it', () => {
  const hostile = (): never => {
    throw new Error('as told');
  };

  it('a release stops neither the others nor the close, and its error is in the report', async () => {
    const { scope, host } = createScopeRig();
    const order: string[] = [];
    scope.onEnd(() => order.push('first'));
    scope.onEnd(hostile);
    scope.onEnd(() => order.push('last'));
    scope.start('task', () => 1);
    const report = await host.runUntil(scope.close());
    expect(order).toEqual(['first', 'last']);
    expect(report).toMatchObject({ completed: 1, failed: 1 });
    expect(report.failures).toMatchObject([{ task: 'a release of onEnd', error: { message: 'as told' } }]);
    await expect(host.runUntil(withScope((own) => void own.onEnd(hostile), { host }))).rejects.toThrow(
      'as told',
    );
  });

  it('what a task gives is looked at within the task: one that cannot be is a failure, and the task is over', async () => {
    const { scope, host } = createScopeRig({ onFailure: 'collect' });
    scope.start('cannot be looked at', () => Object.defineProperty({}, 'then', { get: hostile }));
    scope.start('cannot be awaited', () => ({ then: hostile }) as unknown as Promise<void>);
    class Strange extends Promise<void> {}
    Object.defineProperty(Strange.prototype, 'then', { get: hostile });
    scope.start('a promise that cannot', () => new Strange(() => {}));
    await host.settle();
    expect(scope.tasks()).toEqual([]);
    expect(scope.report()).toMatchObject({ started: 3, failed: 3 });
  });
});

describe('whoever ties itself to a scope that has closed', () => {
  it('hears of it at once', async () => {
    const { scope, host } = createScopeRig();
    await host.runUntil(scope.close());
    let released = 0;
    scope.onEnd(() => {
      released += 1;
    })();
    expect(released).toBe(1);
  });

  it('a scope below it is closed', async () => {
    const { scope, host } = createScopeRig();
    await host.runUntil(scope.close());
    const below = createScope({ host, owner: scope });
    expect(below.closing).toBe(true);
    expect(() => below.start('late', deaf)).toThrow();
  });

  it('a subscription has ended, and takes no place', async () => {
    const { scope, host } = createScopeRig();
    const bus = createBus({ host, maxSubscriptions: 1 });
    await host.runUntil(scope.close());
    const seen: unknown[] = [];
    const subscription = bus.subscribe('a', (payload) => seen.push(payload), { owner: scope });
    bus.publish('a', 1);
    await host.settle();
    expect([subscription.active, seen, bus.inspect().subscriptions]).toEqual([false, [], []]);
    const loop = bus.iterate('a', { owner: scope });
    expect(await loop.next()).toMatchObject({ done: true });
  });
});

describe('many tasks', () => {
  it('of one name start in time that grows with their number, not with its square', async () => {
    const { scope, host } = createScopeRig({ origins: 'none' });
    const all = gate();
    const names = new Set<string>();
    for (let count = 0; count < 20_000; count++) names.add(scope.start('mail', () => all.passed).name);
    expect(names.size).toBe(20_000);
    all.open();
    await host.settle();
    expect(scope.start('mail', () => 1).name).toBe('mail');
  }, 5_000);

  it('that nobody knows any more are not kept by one that somebody keeps', async () => {
    const { scope, host } = createScopeRig({ origins: 'none' });
    const all = gate();
    const kept = scope.start('kept', () => all.passed);
    const next = new WeakRef(scope.start('next', () => all.passed));
    all.open();
    await host.settle();
    for (let round = 0; round < 10 && next.deref() !== undefined; round++) {
      await new Promise((resolve) => setImmediate(resolve));
      collect();
    }
    expect([kept.state, next.deref()]).toEqual(['completed', undefined]);
  });

  it('under names of their own leave no more of them than a thousand behind, and never share one', async () => {
    const roll = new TaskRoll('none');
    const home = { where: 'test', host: new SimulatedHost() } as unknown as TaskHome;
    const plan = { kind: 'background', deadline: Number.POSITIVE_INFINITY, timed: false } as const;
    const begin = (name: string): TaskRun => {
      const task = new TaskRun(home, roll.seat(name, begin), plan);
      roll.join(task);
      return task;
    };
    const loop = begin('loop');
    for (let number = 0; number < 10_000; number++) roll.leave(begin(`request ${number}`));
    expect(roll.seats).toBeLessThan(1_100);
    const shared = [begin('loop'), begin('loop#2'), begin('loop')];
    expect(shared.map(({ name }) => name)).toEqual(['loop#2', 'loop#2#2', 'loop#3']);
    expect(roll.list()).toEqual([loop, ...shared]);
    for (const task of [...shared, loop]) roll.leave(task);
    expect([roll.size, roll.of('background'), roll.list(), roll.seats]).toEqual([0, 0, [], 0]);
  });
});

describe('scope after scope', () => {
  it('of one long-lived owner and one signal leaves no timer', async () => {
    const host = new SimulatedHost();
    const owner = createScope({ host });
    const { signal } = new AbortController();
    for (let round = 0; round < 1_000; round++) {
      const scope = createScope({ host, owner, signal });
      scope.start('task', () => 1);
      void scope.close();
    }
    await host.settle();
    expect(host.pendingTimers()).toEqual([]);
  });
});
