/** Starts while a breaker is open: at boot, and asked for. */
import { describe, expect, it } from 'vitest';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { watch } from '../kernel/rig.ts';
import { createHoldRig, needyOne, OPEN_MS } from './hold-rig.ts';
import type { WorkerOptions } from './rig.ts';

describe('a boot with an open breaker', () => {
  it('goes on: the child is held, its siblings start, and it follows without having been restarted', async () => {
    const rig = createHoldRig();
    const upstream = rig.breaker('upstream');
    const w = rig.worker('w', { dependsOn: upstream });
    const inner = supervisor('inner', { children: [w, rig.worker('x')] });
    const root = await rig.start(rig.supervise([upstream, inner]));
    rig.trip(upstream);
    rig.news();
    await rig.host.runUntil(root.terminateChild('inner'));
    await rig.host.runUntil(root.restartChild('inner'));
    await rig.host.settle();
    expect(rig.news()).toEqual(['-x1', '-w1', '+x2']);
    expect(rig.statuses()).toMatchObject({ inner: 'running', w: 'held', x: 'running' });
    await rig.host.advance(OPEN_MS);
    expect(rig.news()).toEqual(['+w2']);
    expect(rig.told('supervisor.child.restarted')).toEqual([]);
    expect(rig.told('supervisor.child.started').at(-1)).toMatchObject({ path: 'root/inner', child: 'w' });
  });

  it('does not fail when the held child fails later: that is a failed restart, counted', async () => {
    const rig = createHoldRig();
    const upstream = rig.breaker('upstream');
    const w = rig.worker('w', { dependsOn: upstream, starts: ['ok', 'fail', 'ok'] });
    const inner = supervisor('inner', { children: [w], backoff: false });
    const root = await rig.start(rig.supervise([upstream, inner]));
    rig.trip(upstream);
    await rig.host.runUntil(root.terminateChild('inner'));
    await rig.host.runUntil(root.restartChild('inner'));
    rig.news();
    await rig.host.advance(OPEN_MS);
    expect(rig.news()).toEqual(['!w2', '+w3']);
    expect(rig.told('supervisor.child.restarted')).toMatchObject([{ child: 'w', used: 1 }]);
  });

  it('keeps a temporary child, which is forgotten only when it has run', async () => {
    const rig = createHoldRig();
    const upstream = rig.breaker('upstream');
    const w = rig.worker('w', { dependsOn: upstream, restart: 'temporary' });
    const inner = supervisor('inner', { children: [w] });
    const root = await rig.start(rig.supervise([upstream, inner]));
    rig.trip(upstream);
    await rig.host.runUntil(root.terminateChild('inner'));
    await rig.host.runUntil(root.restartChild('inner'));
    expect(rig.statuses()).toMatchObject({ w: 'held' });
    await rig.host.advance(OPEN_MS);
    expect(rig.statuses()).toMatchObject({ w: 'running' });
  });
});

describe('a start that is asked for while the breaker is open', () => {
  const asked = async (options: WorkerOptions = {}) => {
    const rig = await needyOne();
    rig.trip(rig.upstream);
    const y = rig.worker('y', { dependsOn: rig.upstream, ...options });
    const request = watch(rig.handle.startChild(y));
    await rig.host.settle();
    return { ...rig, y, request };
  };

  it('waits with the child and is answered when that has started, delaying nobody', async () => {
    const { host, request, news, fell, x, statuses } = await asked();
    expect(statuses()).toMatchObject({ y: 'held' });
    expect(await fell(x, 'crash')).toEqual(['-x1', '+x2']);
    await host.advance(OPEN_MS);
    expect(news()).toEqual(['+y1']);
    expect(request.now).toMatchObject({ path: 'root/y' });
  });

  it('is refused when the start fails then, and the child is not kept', async () => {
    const { host, handle, request } = await asked({ starts: ['fail'] });
    await host.advance(OPEN_MS);
    expect(request.now).toBe('ERR_CHILD_START_FAILED');
    await expect(host.runUntil(handle.whichChild('y'))).rejects.toMatchObject({
      code: 'ERR_CHILD_NOT_FOUND',
    });
  });

  it('is refused when the child is terminated before that', async () => {
    const { host, handle, request, news } = await asked();
    await host.runUntil(handle.terminateChild('y'));
    await host.advance(OPEN_MS);
    expect(request).toMatchObject({
      now: 'ERR_CHILD_START_FAILED',
      error: { data: { failure: 'shutdown' } },
    });
    expect(news()).toEqual([]);
  });

  it('is refused when the supervisor stops before that', async () => {
    const { host, system, request } = await asked();
    await host.runUntil(system.shutdown());
    expect(request.now).toBe('ERR_STOPPING');
  });

  it('restartChild waits likewise', async () => {
    const { host, handle, news, trip, upstream } = await needyOne();
    await host.runUntil(handle.terminateChild('w'));
    trip(upstream);
    const request = watch(handle.restartChild('w'));
    await host.advance(OPEN_MS - 1);
    expect(request.now).toBe('pending');
    await host.advance(1);
    expect([news(), request.settled]).toEqual([['-w1', '+w2'], true]);
  });

  it('recycleChild stops the child and starts it again when the breaker allows', async () => {
    const { host, handle, news, trip, upstream, statuses } = await needyOne();
    trip(upstream);
    const request = watch(handle.recycleChild('w'));
    await host.settle();
    expect([news(), statuses()['w'], request.now]).toEqual([['-w1'], 'held', 'pending']);
    await host.advance(OPEN_MS);
    expect([news(), request.now]).toEqual([['+w2'], 'restarted']);
    trip(upstream);
    const second = watch(handle.recycleChild('w'));
    await host.settle();
    await host.runUntil(handle.terminateChild('w'));
    await host.settle();
    expect(second.now).toBe('failed');
  });
});
