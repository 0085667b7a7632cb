import { describe, expect, it } from 'vitest';
import { eventBus } from '../../src/coordination/bus-spec.ts';
import { keyedLocks } from '../../src/coordination/locks-spec.ts';
import { taskScope } from '../../src/coordination/scope-spec.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { createRig, part, watch } from '../kernel/rig.ts';
import { deaf, obedient } from './scope-rig.ts';

const rootOf = (...children: Parameters<typeof supervisor>[1]['children']) =>
  supervisor('root', { children, backoff: false });

describe('keyed locks in a tree', () => {
  it('are one for all who have the spec, keep what is held over restarts, and refuse all when the tree is gone', async () => {
    const locks = keyedLocks('locks', { maxWaitMs: 60_000 });
    const rig = createRig();
    const user = part('user', (context) => ({
      tell: () => void context.get(locks).as(context).acquire('doc'),
    }));
    await rig.start(rootOf(locks, user));
    const handle = rig.system.get(locks);
    const lease = await handle.acquire('doc');
    const next = watch(handle.as('next').acquire('doc'));
    rig.system.exit(handle, 'kill');
    await rig.host.settle();
    expect(handle.ref()).toBeDefined();
    expect(lease.held).toBe(true);
    expect(handle.inspect().keys).toMatchObject([{ key: 'doc', waiting: [{ owner: 'next' }] }]);
    lease.release();
    await rig.host.settle();
    expect(next.now).toMatchObject({ held: true });
    const waiting = watch(handle.acquire('doc'));
    await rig.host.runUntil(rig.system.shutdown());
    expect(waiting.now).toBe('ERR_LOCKS_DISPOSED');
    await expect(handle.acquire('other')).rejects.toMatchObject({ code: 'ERR_LOCKS_DISPOSED' });
  });

  it('are let go of by an actor that ends', async () => {
    const locks = keyedLocks('locks');
    const rig = createRig();
    const user = part('user', (context) => ({
      tell: () => void context.get(locks).as(context).acquire('doc'),
    }));
    await rig.start(rootOf(locks, user));
    rig.system.get(user).tell('go');
    await rig.host.settle();
    expect(rig.system.get(locks).tryAcquire('doc')).toBeUndefined();
    rig.system.exit(rig.system.get(user), 'kill');
    await rig.host.settle();
    expect(rig.system.get(locks).tryAcquire('doc')).toMatchObject({ held: true });
    await rig.host.runUntil(rig.system.shutdown());
  });

  it('refuse options that they do not know, among them what the tree says', () => {
    expect(() => keyedLocks('locks', { permit: 2 } as never)).toThrow('permit');
    expect(() => keyedLocks('locks', { host: {} } as never)).toThrow('host');
  });
});

describe('a bus in a tree', () => {
  it('keeps its subscriptions over restarts, delivers what waits when it stops, and closes with the tree', async () => {
    const news = eventBus<{ 'order.paid': number }>('news');
    const rig = createRig();
    await rig.start(rootOf(news));
    const bus = rig.system.get(news);
    const seen: number[] = [];
    bus.subscribe('order.paid', async (cents) => {
      await new Promise<void>((resolve) => rig.host.timer(10, 'slow', resolve));
      seen.push(cents);
    });
    rig.system.exit(bus, 'kill');
    await rig.host.settle();
    for (const cents of [1, 2, 3]) bus.publish('order.paid', cents);
    await rig.host.runUntil(rig.system.shutdown());
    expect(seen).toEqual([1, 2, 3]);
    expect(() => bus.publish('order.paid', 4)).toThrowError(
      expect.objectContaining({ code: 'ERR_BUS_CLOSED' }),
    );
  });

  it('is not held up by a handler that hangs for longer than it may be', async () => {
    const news = eventBus('news', { drainMs: 300, timeoutMs: 60_000 });
    const rig = createRig();
    await rig.start(rootOf(news));
    rig.system.get(news).subscribe('a', deaf);
    rig.system.get(news).publish('a', 1);
    await rig.host.runUntil(rig.system.shutdown());
    expect(rig.host.monotonic()).toBe(300);
  });

  it('ends the subscriptions of an actor with it', async () => {
    const news = eventBus('news');
    const rig = createRig();
    const user = part('user', (context) => {
      context.get(news).subscribe('a', () => {}, { owner: context });
      return {};
    });
    await rig.start(rootOf(news, user));
    expect(rig.system.get(news).inspect().subscriptions).toHaveLength(1);
    rig.system.exit(rig.system.get(user), 'kill');
    await rig.host.settle();
    expect(rig.system.get(news).inspect().subscriptions).toHaveLength(1);
    expect(rig.system.get(news).inspect().churn).toEqual({ subscribed: 2, unsubscribed: 1 });
    await rig.host.runUntil(rig.system.shutdown());
  });
});

describe('a scope in a tree', () => {
  it('closes with the tree, and starts nothing any more', async () => {
    const jobs = taskScope('jobs');
    const rig = createRig();
    await rig.start(rootOf(jobs));
    const scope = rig.system.get(jobs);
    const task = scope.start('mail', obedient);
    expect(scope.tasks()).toHaveLength(1);
    await rig.host.runUntil(rig.system.shutdown());
    expect(task.state).toBe('cancelled');
    expect(() => scope.start('late', obedient)).toThrowError(
      expect.objectContaining({ code: 'ERR_SCOPE_CLOSED', outcome: 'not_started' }),
    );
  });

  it('is restarted with a new scope when a task fails; with collect it goes on', async () => {
    const jobs = taskScope('jobs');
    const all = taskScope('all', { onFailure: 'collect' });
    const rig = createRig();
    await rig.start(rootOf(jobs, all));
    const [scope, collecting] = [rig.system.get(jobs), rig.system.get(all)];
    const before = [scope.ref(), collecting.ref()];
    for (const each of [scope, collecting]) each.start('broken', () => Promise.reject(new Error('broken')));
    await rig.host.settle();
    expect([scope.ref() === before[0], collecting.ref() === before[1]].map(Boolean)).toEqual([false, true]);
    expect(rig.ends('root/jobs')).toMatchObject([{ error: { message: 'broken' } }]);
    expect(scope.start('again', () => 1).state).toBe('completed');
    expect(collecting.report()).toMatchObject({ failed: 1 });
    await rig.host.runUntil(rig.system.shutdown());
  });
});
