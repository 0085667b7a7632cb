/** The hold: a child that depends on a breaker is held while that is open, and every hold ends. */
import { describe, expect, it } from 'vitest';
import { watch } from '../kernel/rig.ts';
import { createHoldRig, needyOne, OPEN_MS } from './hold-rig.ts';
import type { WorkerOptions } from './rig.ts';

describe('a child that depends on a breaker', () => {
  it('is restarted at once while the breaker is closed, and the restart counts', async () => {
    const { fell, w, told } = await needyOne();
    expect(await fell(w, 'crash')).toEqual(['-w1', '+w2']);
    expect(told('supervisor.child.held')).toEqual([]);
    expect(told('supervisor.child.restarted')).toMatchObject([{ child: 'w', used: 1 }]);
  });

  it('is held instead of restarted while the breaker is open, until that half-opens, which comes by timer', async () => {
    const { host, fell, trip, news, told, releases, upstream, w } = await needyOne();
    trip(upstream);
    expect(await fell(w, 'crash')).toEqual(['-w1']);
    expect(told('supervisor.child.held')).toMatchObject([
      { path: 'root', child: 'w', breakers: ['root/upstream'], maxMs: 60_000 },
    ]);
    await host.advance(OPEN_MS - 1);
    expect([news(), releases()]).toEqual([[], []]);
    await host.advance(1);
    expect([news(), releases()]).toEqual([['+w2'], ['w half_opened']]);
    expect(told('supervisor.child.released')).toMatchObject([{ heldMs: OPEN_MS }]);
  });

  it('runs on when the breaker opens: only starts are held', async () => {
    const { host, trip, news, upstream, statuses } = await needyOne();
    trip(upstream);
    await host.settle();
    expect([news(), statuses()]).toMatchObject([[], { w: 'running' }]);
  });

  it('delays nobody else', async () => {
    const { fell, trip, upstream, w, x } = await needyOne();
    trip(upstream);
    await fell(w, 'crash');
    expect(await fell(x, 'crash')).toEqual(['-x1', '+x2']);
  });

  it('spends no intensity while the breaker is open, however often it crashes', async () => {
    const { host, fell, trip, told, statuses, upstream, w } = await needyOne(
      { holdMaxMs: 10 },
      { intensity: 0 },
    );
    trip(upstream);
    for (let crash = 0; crash < 5; crash++) {
      await fell(w, 'crash');
      await host.advance(10);
    }
    expect(told('supervisor.gave_up')).toEqual([]);
    expect(statuses()).toMatchObject({ w: 'running' });
    await host.advance(OPEN_MS);
    await fell(w, 'crash');
    expect(told('supervisor.gave_up')).toMatchObject([{ child: 'w' }]);
  });

  it('spends no intensity when the start that follows a hold fails because the breaker opens again', async () => {
    const rig = createHoldRig();
    const upstream = rig.breaker('upstream');
    let up = false;
    const ask = async () => {
      if (!up) throw new Error('still down');
    };
    const w = rig.worker('w', {
      dependsOn: upstream,
      starts: ['ok', ...Array.from({ length: 9 }, () => () => rig.system.get(upstream).execute(ask))],
    });
    await rig.start(rig.supervise([upstream, w], { intensity: 0 }));
    rig.trip(upstream);
    await rig.fell(w, 'crash');
    await rig.host.advance(3 * OPEN_MS);
    expect(rig.told('supervisor.gave_up')).toEqual([]);
    expect(rig.told('supervisor.child.start_failed')).toHaveLength(3);
    up = true;
    await rig.host.advance(OPEN_MS);
    expect(rig.statuses()).toMatchObject({ w: 'running' });
    expect(rig.system.get(upstream).inspect().state).toBe('closed');
  });

  it('takes no probe permit by being started', async () => {
    const { host, fell, trip, upstream, w, breaker } = await needyOne();
    trip(upstream);
    await fell(w, 'crash');
    await host.advance(OPEN_MS);
    expect(breaker.inspect()).toMatchObject({ state: 'half_open', probes: 0 });
    await expect(host.runUntil(breaker.execute(async () => 'in'))).resolves.toBe('in');
  });

  it('counts its failures again once the breaker lets calls through to try', async () => {
    const { host, fell, trip, told, upstream, w } = await needyOne({}, { intensity: 0 });
    trip(upstream);
    await host.advance(OPEN_MS);
    await fell(w, 'crash');
    expect(told('supervisor.gave_up')).toMatchObject([{ child: 'w' }]);
  });

  it('is held by an isolated breaker too, and released when that is resumed', async () => {
    const { host, fell, news, releases, w, breaker } = await needyOne();
    const release = breaker.isolate();
    await fell(w, 'crash');
    await host.advance(10_000);
    expect(news()).toEqual([]);
    release();
    await host.settle();
    expect([news(), releases()]).toEqual([['+w2'], ['w closed']]);
  });

  it('is released when the breaker is reset', async () => {
    const { host, fell, trip, releases, upstream, w, breaker } = await needyOne();
    trip(upstream);
    await fell(w, 'crash');
    breaker.reset();
    await host.settle();
    expect(releases()).toEqual(['w closed']);
  });

  it('is started after holdMaxMs whatever the breaker says', async () => {
    const { host, fell, trip, news, releases, upstream, w } = await needyOne({ holdMaxMs: 300 });
    trip(upstream);
    await fell(w, 'crash');
    await host.advance(299);
    expect(news()).toEqual([]);
    await host.advance(1);
    expect([news(), releases()]).toEqual([['+w2'], ['w expired']]);
    expect(await fell(w, 'crash')).toEqual(['-w2']);
    expect(releases()).toHaveLength(1);
  });

  it('is held after its backoff when the breaker opened meanwhile', async () => {
    const { host, fell, trip, news, told, releases, upstream, w } = await needyOne(
      {},
      { backoff: { jitter: 'none', baseMs: 400, delayFirst: true }, giveUp: 'never' },
    );
    await fell(w, 'crash');
    trip(upstream);
    await host.advance(400);
    expect(news()).toEqual([]);
    expect(told('supervisor.child.held')).toHaveLength(1);
    await host.advance(OPEN_MS - 400);
    expect([news(), releases()]).toEqual([['+w2'], ['w half_opened']]);
  });

  it('waits for all breakers it depends on', async () => {
    const rig = createHoldRig();
    const [a, b] = [rig.breaker('a'), rig.breaker('b', { openMs: 3_000 })];
    const w = rig.worker('w', { dependsOn: [a, b, a] });
    await rig.start(rig.supervise([a, b, w]));
    rig.trip(a);
    rig.trip(b);
    await rig.fell(w, 'crash');
    expect(rig.told('supervisor.child.held')).toMatchObject([{ breakers: ['root/a', 'root/b'] }]);
    await rig.host.advance(2_999);
    expect(rig.news()).toEqual([]);
    await rig.host.advance(1);
    expect(rig.news()).toEqual(['+w2']);
  });

  it('waits for a straggler that forbids its next incarnation, and then for the breaker', async () => {
    const { host, system, end, trip, news, upstream, w } = await needyOne({
      overlap: 'forbid',
      shutdownMs: 0,
    });
    const hanging = watch(system.get(w).call('hang', { timeoutMs: 5_000 }));
    await host.settle();
    trip(upstream);
    system.exit(system.get(w), 'kill');
    end(w, 'normal');
    await host.advance(2 * OPEN_MS);
    expect([news(), hanging.now]).toEqual([[], 'ERR_CALLEE_ENDED']);
  });
});

describe('while a child is held', () => {
  const held = async (options: WorkerOptions = {}) => {
    const rig = await needyOne(options);
    rig.trip(rig.upstream);
    await rig.fell(rig.w, 'crash');
    return rig;
  };

  it('it is shown as held, and listed as OTP lists one that restarts', async () => {
    const { host, handle, statuses } = await held();
    expect(statuses()).toMatchObject({ w: 'held', upstream: 'running', x: 'running' });
    expect(await host.runUntil(handle.whichChild('w'))).toEqual({
      id: 'w',
      status: 'restarting',
      type: 'worker',
    });
    expect(await host.runUntil(handle.countChildren())).toMatchObject({ specs: 3, active: 2 });
    const code = 'ERR_CHILD_RESTARTING';
    await expect(host.runUntil(handle.restartChild('w'))).rejects.toMatchObject({ code });
    await expect(host.runUntil(handle.deleteChild('w'))).rejects.toMatchObject({ code });
    expect(await host.runUntil(handle.recycleChild('w'))).toBe('already');
  });

  it('calls to it hear when the breaker means to let it start', async () => {
    const { host, system, w } = await held();
    await host.advance(400);
    const code = 'ERR_RESTARTING';
    await expect(host.runUntil(system.get(w).call('who'))).rejects.toMatchObject({
      code,
      data: { retryAfterMs: OPEN_MS - 400 },
    });
    await expect(host.runUntil(system.get(w).call('who', { whenDown: 'wait' }))).resolves.toBe('w2');
  });

  it('terminateChild cancels the hold', async () => {
    const { host, handle, news, releases, statuses } = await held();
    await host.runUntil(handle.terminateChild('w'));
    expect(releases()).toEqual(['w cancelled']);
    await host.advance(100_000);
    expect([news(), statuses()['w']]).toEqual([[], 'stopped']);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('the stop of its supervisor cancels it, and leaves nothing', async () => {
    const { host, system, news, releases } = await held();
    await host.runUntil(system.shutdown());
    await host.advance(100_000);
    expect([news(), releases()]).toEqual([['-x1'], ['w cancelled']]);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('the death of its supervisor cancels it', async () => {
    const { host, system, releases, handle } = await held();
    system.exit(handle, 'kill');
    await host.advance(100_000);
    expect(releases()).toEqual(['w cancelled']);
    expect(host.pendingTimers()).toEqual([]);
  });

  it("the breaker's end ends it", async () => {
    const { host, handle, news, releases } = await held();
    await host.runUntil(handle.terminateChild('upstream'));
    await host.settle();
    expect([news(), releases()]).toEqual([['+w2'], ['w breaker_ended']]);
  });

  it("a crash of the breaker's actor changes nothing: the wait goes on", async () => {
    const { host, system, news, releases, upstream } = await held();
    system.exit(system.get(upstream), 'kill');
    await host.advance(OPEN_MS - 1);
    expect(releases()).toEqual([]);
    await host.advance(1);
    expect([news(), releases()]).toEqual([['+w2'], ['w half_opened']]);
  });

  it('readiness goes by the breaker: only a critical one makes the service unready', async () => {
    const readiness = async (critical: boolean) => {
      const rig = createHoldRig();
      const upstream = rig.breaker('upstream', { critical });
      const w = rig.worker('w', { dependsOn: upstream });
      await rig.start(rig.supervise([upstream, w]));
      rig.trip(upstream);
      await rig.fell(w, 'crash');
      return rig.system.tree()[0]?.children.find(({ id }) => id === 'w')?.ready;
    };
    expect([await readiness(false), await readiness(true)]).toEqual([true, false]);
  });
});
