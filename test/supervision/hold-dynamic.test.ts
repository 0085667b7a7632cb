/** The hold of children that came at run time. */
import { describe, expect, it } from 'vitest';
import { dynamicSupervisor } from '../../src/supervision/dynamic-supervisor.ts';
import { watch } from '../kernel/rig.ts';
import { createHoldRig, OPEN_MS } from './hold-rig.ts';
import type { WorkerOptions } from './rig.ts';

const crew = async (options: Record<string, unknown> = {}) => {
  const rig = createHoldRig();
  const upstream = rig.breaker('upstream');
  const spec = dynamicSupervisor('crew', { backoff: false, ...options });
  await rig.start(rig.supervise([upstream, spec]));
  const handle = rig.system.get(spec);
  const add = async (id: string, ofWorker: WorkerOptions = {}) => {
    const worker = rig.worker(id, { dependsOn: upstream, ...ofWorker });
    await rig.host.runUntil(handle.startChild(worker));
    rig.news();
    return worker;
  };
  return { ...rig, upstream, handle, add };
};

describe('a dynamic child that depends on a breaker', () => {
  it('is held instead of restarted while that is open, and spends no intensity', async () => {
    const { host, add, fell, trip, news, told, releases, statuses, upstream } = await crew({ intensity: 0 });
    const w = await add('w');
    trip(upstream);
    expect(await fell(w, 'crash')).toEqual(['-w1']);
    expect(statuses()).toMatchObject({ w: 'held' });
    await host.advance(OPEN_MS);
    expect([news(), releases()]).toEqual([['+w2'], ['w half_opened']]);
    expect(told('supervisor.gave_up')).toEqual([]);
  });

  it('is not started while that is open; who asked for it is answered when it is', async () => {
    const { host, worker, handle, trip, news, upstream, statuses } = await crew();
    trip(upstream);
    const request = watch(handle.startChild(worker('w', { dependsOn: upstream })));
    await host.settle();
    expect([request.now, statuses()['w']]).toEqual(['pending', 'held']);
    await host.advance(OPEN_MS);
    expect([request.now, news()]).toMatchObject([{ path: 'root/crew/w' }, ['+w1']]);
  });

  it('holds its key and a place among maxChildren meanwhile', async () => {
    const { host, worker, handle, trip, upstream } = await crew({ maxChildren: 1 });
    trip(upstream);
    const request = watch(handle.startChild(worker('w', { dependsOn: upstream })));
    await host.settle();
    await expect(host.runUntil(handle.startChild(worker('w')))).rejects.toMatchObject({
      code: 'ERR_CHILD_ALREADY_PRESENT',
    });
    await expect(host.runUntil(handle.startChild(worker('v')))).rejects.toMatchObject({
      code: 'ERR_MAX_CHILDREN',
    });
    expect(await host.runUntil(handle.whichChildren())).toEqual([
      { id: 'w', status: 'restarting', type: 'worker' },
    ]);
    expect(request.now).toBe('pending');
  });

  it('is forgotten when it is terminated, and who asked for it is told', async () => {
    const { host, worker, handle, trip, news, releases, upstream } = await crew();
    trip(upstream);
    const request = watch(handle.startChild(worker('w', { dependsOn: upstream })));
    await host.settle();
    await host.runUntil(handle.terminateChild('w'));
    expect(request).toMatchObject({
      now: 'ERR_CHILD_START_FAILED',
      error: { data: { failure: 'shutdown' } },
    });
    await host.advance(OPEN_MS);
    expect([news(), releases(), handle.child('w')]).toEqual([[], ['w cancelled'], undefined]);
  });

  it('is let go by the stop of its supervisor, and by its death', async () => {
    for (const kill of [false, true]) {
      const { host, system, worker, handle, trip, news, releases, upstream } = await crew();
      trip(upstream);
      const request = watch(handle.startChild(worker('w', { dependsOn: upstream })));
      await host.settle();
      if (kill) system.exit(handle, 'kill');
      else await host.runUntil(system.shutdown());
      await host.advance(100_000);
      expect([request.now, news(), releases()]).toEqual([
        kill ? 'ERR_CALLEE_ENDED' : 'ERR_STOPPING',
        [],
        ['w cancelled'],
      ]);
      expect(host.pendingTimers()).toEqual([]);
    }
  });

  it('starts one at a time with all others from half-open, and lets the next go when it is terminated', async () => {
    const { host, add, fell, trip, news, handle, upstream } = await crew({ giveUp: 'never' });
    const slow = () => new Promise<void>((resolve) => host.timer(50, 'slow init', resolve));
    const specs = [];
    for (const id of ['a', 'b', 'c', 'd']) specs.push(await add(id, { starts: ['ok', slow] }));
    trip(upstream);
    for (const spec of specs) await fell(spec, 'crash');
    news();
    await host.advance(OPEN_MS + 25);
    await host.runUntil(handle.terminateChild('a'));
    await host.advance(50);
    expect(news().filter((line) => !line.includes('a'))).toEqual(['+b2']);
    await host.advance(100);
    expect(news()).toEqual(['+c2', '+d2']);
  });

  it('comes from a template with what that depends on', async () => {
    const rig = createHoldRig();
    const upstream = rig.breaker('upstream');
    const template = rig.worker('t', { dependsOn: upstream, holdMaxMs: 300 });
    const spec = dynamicSupervisor('crew', { template });
    await rig.start(rig.supervise([upstream, spec]));
    rig.trip(upstream);
    const request = watch(rig.system.get(spec).startChild('k1'));
    await rig.host.advance(299);
    expect(request.now).toBe('pending');
    await rig.host.advance(1);
    expect([request.now, rig.releases()]).toMatchObject([{ path: 'root/crew/k1' }, ['k1 expired']]);
  });
});
