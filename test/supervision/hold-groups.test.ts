/** A group is held whole: one_for_all and rest_for_one with a breaker that one of their members depends on. */
import { describe, expect, it } from 'vitest';
import type { Strategy } from '../../src/supervision/static-supervisor.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { watch } from '../kernel/rig.ts';
import { createHoldRig, OPEN_MS } from './hold-rig.ts';
import type { WorkerOptions } from './rig.ts';

/** a, b and c below `crew`; b depends on a breaker that stands before `crew`. */
const group = async (strategy: Strategy, ofB: WorkerOptions = {}, ofCrew: Record<string, unknown> = {}) => {
  const rig = createHoldRig();
  const upstream = rig.breaker('upstream');
  const [a, b, c] = [rig.worker('a'), rig.worker('b', { dependsOn: upstream, ...ofB }), rig.worker('c')];
  const crew = supervisor('crew', { children: [a, b, c], strategy, backoff: false, ...ofCrew });
  const root = await rig.start(rig.supervise([upstream, crew]));
  rig.news();
  return { ...rig, upstream, a, b, c, crew: rig.system.get(crew), root };
};

describe('a group with a breaker that a member depends on', () => {
  it('is held whole by one_for_all', async () => {
    const { host, fell, trip, news, statuses, releases, upstream, b } = await group('one_for_all');
    trip(upstream);
    expect(await fell(b, 'crash')).toEqual(['-b1', '-c1', '-a1']);
    expect(statuses()).toMatchObject({ a: 'held', b: 'held', c: 'held' });
    await host.advance(OPEN_MS - 1);
    expect(news()).toEqual([]);
    await host.advance(1);
    expect(news()).toEqual(['+a2', '+b2', '+c2']);
    expect(releases()).toEqual(['a half_opened', 'b half_opened', 'c half_opened']);
  });

  it('is held from the failed one on by rest_for_one', async () => {
    const { host, fell, trip, news, statuses, upstream, b } = await group('rest_for_one');
    trip(upstream);
    expect(await fell(b, 'crash')).toEqual(['-b1', '-c1']);
    expect(statuses()).toMatchObject({ a: 'running', b: 'held', c: 'held' });
    await host.advance(OPEN_MS);
    expect(news()).toEqual(['+b2', '+c2']);
  });

  it('is held whole also when another member failed, whose failure counts', async () => {
    const { fell, trip, statuses, told, upstream, a } = await group('rest_for_one', {}, { intensity: 0 });
    trip(upstream);
    await fell(a, 'crash');
    expect(told('supervisor.gave_up')).toMatchObject([{ child: 'a' }]);
    const other = await group('rest_for_one');
    other.trip(other.upstream);
    expect(await other.fell(other.a, 'crash')).toEqual(['-a1', '-c1', '-b1']);
    expect(other.statuses()).toMatchObject({ a: 'held', b: 'held', c: 'held' });
    expect(statuses()).not.toHaveProperty('a', 'held');
  });

  it('is not held for a breaker that only an earlier one depends on', async () => {
    const { fell, trip, upstream, c } = await group('rest_for_one');
    trip(upstream);
    expect(await fell(c, 'crash')).toEqual(['-c1', '+c2']);
  });

  it('is held at most as long as the one who depends on it may be', async () => {
    const { host, fell, trip, news, releases, upstream, b } = await group('one_for_all', { holdMaxMs: 200 });
    trip(upstream);
    await fell(b, 'crash');
    await host.advance(200);
    expect(news()).toEqual(['+a2', '+b2', '+c2']);
    expect(releases()).toEqual(['a expired', 'b expired', 'c expired']);
  });

  it('goes on without it when the one who depends on it is terminated', async () => {
    const { host, fell, trip, news, statuses, upstream, b, crew } = await group('one_for_all');
    trip(upstream);
    await fell(b, 'crash');
    await host.runUntil(crew.terminateChild('b'));
    await host.settle();
    expect(news()).toEqual(['+a2', '+c2']);
    expect(statuses()).toMatchObject({ b: 'stopped' });
    expect(host.pendingTimers().map(({ label }) => label)).toEqual(['breaker wait']);
  });

  it('goes on being held, without it, when another member is terminated', async () => {
    const { host, fell, trip, news, statuses, upstream, b, crew } = await group('one_for_all');
    trip(upstream);
    await fell(b, 'crash');
    for (const id of ['a', 'c']) await host.runUntil(crew.terminateChild(id));
    expect([news(), statuses()]).toMatchObject([[], { a: 'stopped', b: 'held', c: 'stopped' }]);
    await host.advance(OPEN_MS);
    expect(news()).toEqual(['+b2']);
  });

  it('is taken into the group of an earlier member that fails meanwhile, and held as one', async () => {
    const { host, fell, trip, news, statuses, upstream, a, b } = await group('rest_for_one');
    trip(upstream);
    await fell(b, 'crash');
    expect(await fell(a, 'crash')).toEqual(['-a1']);
    expect(statuses()).toMatchObject({ a: 'held', b: 'held', c: 'held' });
    await host.advance(OPEN_MS);
    expect(news()).toEqual(['+a2', '+b2', '+c2']);
  });

  it('waits out its backoff first, then the breaker', async () => {
    const { host, fell, trip, news, statuses, upstream, a } = await group(
      'one_for_all',
      {},
      { backoff: { jitter: 'none', baseMs: 400, delayFirst: true }, giveUp: 'never' },
    );
    trip(upstream);
    await fell(a, 'crash');
    expect(statuses()).toMatchObject({ a: 'backing_off', b: 'restarting' });
    await host.advance(400);
    expect(statuses()).toMatchObject({ a: 'held', b: 'held', c: 'held' });
    await host.advance(OPEN_MS - 400);
    expect(news()).toEqual(['+a2', '+b2', '+c2']);
  });

  it('is held again, and the rest not started, when the breaker opens while it starts', async () => {
    const rig = await group('one_for_all', {
      starts: ['ok', () => Promise.reject(new Error('no')), 'ok'],
    });
    const { host, fell, trip, news, told, statuses, upstream, b, system } = rig;
    trip(upstream);
    await fell(b, 'crash');
    // The start of b finds the upstream down, as a probe would.
    system.events.on('actor.started', ({ path }) => {
      if (path.endsWith('/a') && system.get(upstream).inspect().state === 'half_open') trip(upstream);
    });
    await host.advance(OPEN_MS);
    expect([news(), statuses()]).toMatchObject([['+a2'], { a: 'running', b: 'held', c: 'held' }]);
    expect(told('supervisor.gave_up')).toEqual([]);
  });

  it('holds the breaker itself where that restarts with it, and still half-opens by timer', async () => {
    const rig = createHoldRig();
    const upstream = rig.breaker('upstream');
    const w = rig.worker('w', { dependsOn: upstream });
    await rig.start(rig.supervise([upstream, w], { strategy: 'one_for_all' }));
    rig.trip(upstream);
    await rig.fell(w, 'crash');
    expect(rig.statuses()).toMatchObject({ upstream: 'held', w: 'held' });
    await rig.host.advance(OPEN_MS);
    expect([rig.news(), rig.statuses()]).toMatchObject([['+w2'], { upstream: 'running', w: 'running' }]);
  });

  it('is cancelled whole by the stop of its supervisor', async () => {
    const { host, system, fell, trip, news, releases, upstream, b } = await group('one_for_all');
    trip(upstream);
    await fell(b, 'crash');
    await host.runUntil(system.shutdown());
    await host.advance(100_000);
    expect([news(), host.pendingTimers()]).toEqual([[], []]);
    expect(releases()).toEqual(['c cancelled', 'b cancelled', 'a cancelled']);
  });

  it('takes in one whose start is asked for, who is answered when all have started', async () => {
    const { host, worker, crew, fell, trip, news, statuses, upstream, b } = await group('one_for_all');
    trip(upstream);
    const request = watch(crew.startChild(worker('y', { dependsOn: upstream })));
    await host.settle();
    await fell(b, 'crash');
    expect([request.now, statuses()]).toMatchObject([
      'pending',
      { a: 'held', b: 'held', c: 'held', y: 'held' },
    ]);
    await host.advance(OPEN_MS);
    expect([news(), request.now]).toMatchObject([['+a2', '+b2', '+c2', '+y1'], { path: 'root/crew/y' }]);
  });

  it('holds nobody longer than it may be, also where one who started is recycled and waits with the rest', async () => {
    const rig = createHoldRig();
    const upstream = rig.breaker('upstream');
    const options = { dependsOn: upstream, holdMaxMs: 5_000 };
    const [a, b] = [rig.worker('a', options), rig.worker('b', options)];
    const crew = supervisor('crew', { children: [a, b], strategy: 'one_for_all', backoff: false });
    await rig.start(rig.supervise([upstream, crew]));
    const breaker = rig.system.get(upstream);
    rig.trip(upstream);
    await rig.fell(b, 'crash');
    const stop = rig.system.events.on('actor.started', () => {
      stop();
      breaker.isolate();
    });
    await rig.host.advance(OPEN_MS);
    expect([rig.news(), rig.statuses()['b']]).toEqual([['+a2'], 'held']);
    const recycled = watch(rig.system.get(crew).recycleChild('a'));
    await rig.host.advance(3_999);
    expect([rig.news(), rig.statuses()]).toMatchObject([['-a2'], { a: 'held', b: 'held' }]);
    // b has been held since the crash, a for less.
    await rig.host.advance(1);
    expect([rig.news(), recycled.now]).toEqual([['+a3', '+b2'], 'restarted']);
    const told = (type: 'held' | 'released') => rig.told(`supervisor.child.${type}`).length;
    expect(told('released')).toBe(told('held'));
  });

  it('keeps nobody else from the breaker while it waits for a straggler of its own', async () => {
    const rig = createHoldRig();
    const upstream = rig.breaker('upstream');
    const b = rig.worker('b', { dependsOn: upstream });
    const c = rig.worker('c', { overlap: 'forbid', shutdownMs: 0 });
    const crew = supervisor('crew', { children: [b, c], strategy: 'one_for_all', backoff: false });
    const other = rig.worker('other', { dependsOn: upstream });
    await rig.start(rig.supervise([upstream, crew, other]));
    rig.system
      .get(c)
      .call('hang')
      .catch(() => undefined);
    rig.trip(upstream);
    await rig.fell(b, 'crash');
    await rig.host.advance(1);
    await rig.fell(other, 'crash');
    await rig.host.advance(OPEN_MS);
    expect(rig.news()).toEqual(['+b2', '+other2']);
  });
});

describe('a boot of a group with an open breaker', () => {
  const boot = async (strategy: Strategy) => {
    const rig = await group(strategy);
    rig.trip(rig.upstream);
    await rig.host.runUntil(rig.root.terminateChild('crew'));
    rig.news();
    await rig.host.runUntil(rig.root.restartChild('crew'));
    await rig.host.settle();
    return rig;
  };

  it('holds all with one_for_all', async () => {
    const { host, news, statuses } = await boot('one_for_all');
    expect([news(), statuses()]).toMatchObject([[], { crew: 'running', a: 'held', b: 'held', c: 'held' }]);
    await host.advance(OPEN_MS);
    expect(news()).toEqual(['+a2', '+b2', '+c2']);
  });

  it('holds the one who depends on it and those after it with rest_for_one', async () => {
    const { host, news, statuses } = await boot('rest_for_one');
    expect([news(), statuses()]).toMatchObject([['+a2'], { a: 'running', b: 'held', c: 'held' }]);
    await host.advance(OPEN_MS);
    expect(news()).toEqual(['+b2', '+c2']);
  });

  it('holds that one alone with one_for_one', async () => {
    const { host, news, statuses } = await boot('one_for_one');
    expect([news(), statuses()]).toMatchObject([['+a2', '+c2'], { b: 'held' }]);
    await host.advance(OPEN_MS);
    expect(news()).toEqual(['+b2']);
  });
});
