import { describe, expect, it } from 'vitest';
import { createSystem } from '../../src/kernel/system.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { scriptedWorkers } from '../../src/testing/scripted-worker.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { pool as poolOf } from '../../src/work/pool.ts';
import { codeOf, fateOf, stage } from './pool-stage.ts';

describe('a pool that drains', () => {
  it('lets nothing in, finishes what it had let in, then closes its workers', async () => {
    const { host, pool, kind } = await stage({ size: 1 });
    const running = fateOf(pool.run('a', { do: 'succeed', afterMs: 100 }));
    const waiting = fateOf(pool.run('b', { do: 'succeed', afterMs: 100 }));
    const drained = fateOf(pool.drain());
    expect(await codeOf(host, pool.run('c'))).toBe('ERR_POOL_DRAINING');
    expect(pool.canAccept()).toBe(false);
    await host.advance(199);
    expect(drained.status).toBe('pending');
    await host.advance(1);
    expect([running.status, waiting.status, drained.status]).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    expect(kind.ports[0]).toMatchObject({ closed: true, killed: false });
    expect(kind.live).toEqual([]);
    expect(await codeOf(host, pool.run('d'))).toBe('ERR_POOL_DRAINING');
  });

  it('drains once, however often it is asked', async () => {
    const { host, pool, kind } = await stage();
    await host.runUntil(Promise.all([pool.drain(), pool.drain()]));
    await host.runUntil(pool.drain());
    expect(kind.ports.length).toBe(2);
    expect(pool.inspect().state).toBe('closed');
  });

  it('waits for leases', async () => {
    const { host, pool } = await stage();
    const lease = await host.runUntil(pool.lease());
    const drained = fateOf(pool.drain());
    await host.advance(500);
    expect(drained.status).toBe('pending');
    expect(await host.runUntil(lease.run('x', 1))).toBe(1);
    lease.release();
    await host.settle();
    expect(drained.status).toBe('fulfilled');
  });

  it('replaces a lost worker only for the sake of those who wait', async () => {
    const { host, pool, kind } = await stage({ size: 1 });
    const running = fateOf(pool.run('a', { do: 'hang' }));
    const waiting = fateOf(pool.run('b', 2));
    const drained = fateOf(pool.drain());
    kind.ports[0]?.exit();
    await host.advance(200);
    expect([running.status, waiting.status, drained.status]).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(kind.ports.length).toBe(2);
  });

  it('does not wait for workers that are still starting', async () => {
    const { host, pool, kind } = await stage({ script: { start: () => ({ do: 'hang' }) } });
    await host.runUntil(pool.drain(), 2_000);
    expect(kind.live).toEqual([]);
  });
});

describe('a pool that stops', () => {
  it('finishes running and waiting jobs within its allowance', async () => {
    const { host, system, pool, kind } = await stage({ size: 1 });
    const fates = [1, 2, 3].map((n) => fateOf(pool.run('x', { do: 'succeed', value: n, afterMs: 500 })));
    await host.runUntil(system.stop(pool, { reason: 'shutdown', timeoutMs: 10_000 }));
    expect(fates.map(({ value }) => value)).toEqual([1, 2, 3]);
    expect(kind.live).toEqual([]);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('tells whoever is left when the allowance ends, and leaves no worker behind', async () => {
    const { host, system, pool, kind } = await stage({ size: 1, closeGraceMs: 200 });
    const running = fateOf(pool.run('x', { do: 'hang', ignoresCancel: true }));
    const waiting = fateOf(pool.run('y'));
    await host.runUntil(system.stop(pool, { reason: 'shutdown', timeoutMs: 2_000 }));
    expect(host.monotonic()).toBeLessThanOrEqual(2_000);
    expect(running.error).toMatchObject({ code: 'ERR_JOB_CUT_OFF', outcome: 'unknown' });
    expect(waiting.error).toMatchObject({ code: 'ERR_POOL_DRAINING', outcome: 'not_started' });
    expect(kind.live).toEqual([]);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('tells the job of a drain that was too short, and one on a lease, that they were cut off', async () => {
    const { host, pool } = await stage();
    const lease = await host.runUntil(pool.lease());
    const jobs = [lease.run('x', { do: 'hang' }), pool.run('y', { do: 'hang' })].map(fateOf);
    await host.runUntil(pool.drain({ timeoutMs: 100 }));
    for (const { error, settled } of jobs) {
      expect(error).toMatchObject({ code: 'ERR_JOB_CUT_OFF', outcome: 'unknown' });
      expect(settled).toBe(1);
    }
    expect(host.monotonic()).toBe(100);
  });

  it('kills workers that do not end when asked to', async () => {
    const { host, system, pool, kind } = await stage({
      size: 3,
      script: { closeMs: Infinity },
      closeGraceMs: 300,
    });
    await host.runUntil(system.stop(pool, { reason: 'shutdown', timeoutMs: 5_000 }));
    expect(kind.ports.every(({ closed, killed, over }) => closed && killed && over)).toBe(true);
    expect(host.monotonic()).toBe(300);
  });

  it('by a kill leaves no worker behind, and everyone is told', async () => {
    const { host, system, pool, kind } = await stage({ size: 2 });
    const running = fateOf(pool.run('x', { do: 'freeze' }));
    await host.settle();
    system.exit(pool, 'kill');
    await host.advance(1);
    expect(running.error).toMatchObject({ code: 'ERR_CALLEE_ENDED', outcome: 'unknown' });
    expect(kind.live).toEqual([]);
    expect(await codeOf(host, pool.run('y'))).toBe('ERR_NOPROC');
    expect(host.pendingTimers()).toEqual([]);
  });

  it('while its workers start leaves none behind', async () => {
    const { host, system, pool, kind } = await stage({ script: { start: () => ({ do: 'hang' }) } });
    const waiting = fateOf(pool.run('x'));
    await host.runUntil(system.stop(pool, { reason: 'shutdown', timeoutMs: 3_000 }));
    expect(waiting.status).toBe('rejected');
    expect(kind.live).toEqual([]);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('while its crashes loop ends at once', async () => {
    const { host, system, pool } = await stage({ script: { start: () => ({ do: 'exit' }) } });
    await host.advance(1_000);
    expect(pool.inspect().state).toBe('degraded');
    await host.runUntil(system.stop(pool, { reason: 'shutdown' }));
    expect(host.monotonic()).toBe(1_000);
    expect(host.pendingTimers()).toEqual([]);
  });
});

describe('a pool that is restarted', () => {
  it('tells those who waited not_started and those who ran unknown, and serves again', async () => {
    const host = new SimulatedHost();
    const system = createSystem({ host });
    const kind = scriptedWorkers();
    const spec = poolOf('pool', { worker: kind, size: 1 });
    await host.runUntil(system.start(supervisor('root', { children: [spec] })));
    const pool = system.get(spec);
    await host.settle();
    const running = fateOf(pool.run('a', { do: 'hang' }, { idempotent: true }));
    const waiting = fateOf(pool.run('b'));
    const lease = fateOf(pool.lease());
    await host.settle();
    system.exit(pool, 'kill');
    await host.settle();
    expect(running.error).toMatchObject({ code: 'ERR_CALLEE_ENDED', outcome: 'unknown' });
    expect(waiting.error).toMatchObject({ code: 'ERR_CALLEE_ENDED', outcome: 'not_started' });
    expect(lease.error).toMatchObject({ outcome: 'not_started' });
    expect(kind.ports[0]?.over).toBe(true);
    await host.advance(100);
    expect(await host.runUntil(pool.run('c', 3))).toBe(3);
    expect(kind.live.length).toBe(1);
    await host.runUntil(system.shutdown());
    expect(kind.live).toEqual([]);
  });

  it('starts its new workers only when the last of the old ones is gone', async () => {
    const host = new SimulatedHost();
    const system = createSystem({ host });
    const kind = scriptedWorkers({ killMs: 400 });
    const spec = poolOf('pool', { worker: kind, size: 2 });
    await host.runUntil(system.start(supervisor('root', { children: [spec] })));
    await host.settle();
    system.exit(system.get(spec), 'kill');
    await host.advance(399);
    expect(kind.ports.length).toBe(2);
    expect(await codeOf(host, system.get(spec).run('x'))).toBe('ERR_RESTARTING');
    await host.advance(200);
    expect(kind.ports.length).toBe(4);
    expect(kind.live.length).toBe(2);
  });
});
