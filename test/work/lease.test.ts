import { describe, expect, it } from 'vitest';
import { codeOf, fateOf, stage } from './pool-stage.ts';

describe('a lease', () => {
  it('has a worker to itself: jobs of others do not come between', async () => {
    const { host, pool, kind } = await stage({ size: 1 });
    const lease = await host.runUntil(pool.lease());
    const other = fateOf(pool.run('other'));
    expect(await host.runUntil(lease.run('a', 1))).toBe(1);
    expect(await host.runUntil(lease.run('b', 2))).toBe(2);
    expect(other.status).toBe('pending');
    lease.release();
    await host.settle();
    expect(other.status).toBe('fulfilled');
    expect(kind.ports[0]?.jobs.map(({ name }) => name)).toEqual(['a', 'b', 'other']);
  });

  it('tells which worker it has', async () => {
    const { host, pool } = await stage({ size: 1 });
    const lease = await host.runUntil(pool.lease());
    expect(lease.worker).toEqual({ id: 'worker-1', kind: 'scripted', pid: 10_001 });
    expect(lease.active).toBe(true);
  });

  it('is given back exactly once', async () => {
    const { host, pool } = await stage({ size: 1 });
    const lease = await host.runUntil(pool.lease());
    lease.release();
    const next = await host.runUntil(pool.lease());
    lease.release();
    await host.runUntil(lease[Symbol.asyncDispose]());
    expect(pool.inspect()).toMatchObject({ idle: 0, leases: 1 });
    expect(next.active).toBe(true);
    expect(await codeOf(host, lease.run('x'))).toBe('ERR_LEASE_OVER');
  });

  it('is given back at the end of its block', async () => {
    const { host, pool } = await stage({ size: 1 });
    const work = async (): Promise<unknown> => {
      await using lease = await pool.lease();
      return await lease.run('x', 1);
    };
    expect(await host.runUntil(work())).toBe(1);
    expect(pool.inspect()).toMatchObject({ idle: 1, leases: 0 });
  });

  it('of use() is given back however the work ends', async () => {
    const { host, pool } = await stage({ size: 1 });
    expect(await host.runUntil(pool.use((lease) => lease.run('x', 1)))).toBe(1);
    const thrown = pool.use(() => {
      throw new Error('no');
    });
    await expect(host.runUntil(thrown)).rejects.toThrow('no');
    expect(pool.inspect()).toMatchObject({ idle: 1, leases: 0 });
  });

  it('says whether its worker is still at a job, or was asked to give it up and has not yet', async () => {
    const { host, pool, kind } = await stage({ size: 1, cancelGraceMs: 1_000 });
    const lease = await host.runUntil(pool.lease());
    const slow = fateOf(lease.run('slow', { do: 'hang', ignoresCancel: true }, { timeoutMs: 50 }));
    const during = fateOf(lease.run('b'));
    await host.advance(50);
    const after = fateOf(lease.run('c'));
    await host.settle();
    expect([slow.error?.code, after.error?.code]).toEqual(['ERR_JOB_TIMEOUT', 'ERR_JOB_INVALID']);
    expect(during.error?.data['why']).toContain('still runs the one before');
    expect(after.error?.data['why']).toContain('was asked to give up the one before, and has not yet');
    kind.ports[0]?.answer({ do: 'fail' });
    await host.settle();
    expect([lease.active, await codeOf(host, lease.run('d', 4))]).toEqual([true, 4]);
  });

  it('runs one job at a time', async () => {
    const { host, pool } = await stage({ size: 1 });
    const lease = await host.runUntil(pool.lease());
    const first = fateOf(lease.run('a', { do: 'succeed', afterMs: 10 }));
    expect(await codeOf(host, lease.run('b'))).toBe('ERR_JOB_INVALID');
    await host.advance(10);
    expect(first.status).toBe('fulfilled');
  });

  it('that is released under a job cancels it, and the worker goes to nobody before it gave that up', async () => {
    const { host, pool, kind } = await stage({ size: 1, cancelGraceMs: 100 });
    const lease = await host.runUntil(pool.lease());
    const fate = fateOf(lease.run('a', { do: 'hang', ignoresCancel: true }));
    await host.settle();
    lease.release();
    const next = fateOf(pool.run('b', 2));
    await host.advance(99);
    expect(fate.error).toMatchObject({ code: 'ERR_JOB_ABORTED', outcome: 'unknown' });
    expect(kind.ports[0]?.cancels.length).toBe(1);
    expect(next.status).toBe('pending');
    await host.advance(10);
    expect(kind.ports[0]?.killed).toBe(true);
    expect(next.status).toBe('fulfilled');
  });

  it('stays when a job of it passes its deadline and is given up; the worker is looked at before others get it', async () => {
    const { host, pool, kind } = await stage({ size: 1 });
    const lease = await host.runUntil(pool.lease());
    expect(await codeOf(host, lease.run('slow', { do: 'hang' }, { timeoutMs: 50 }))).toBe('ERR_JOB_TIMEOUT');
    await host.settle();
    expect(await host.runUntil(lease.run('quick', 1))).toBe(1);
    lease.release();
    await host.settle();
    expect(kind.ports[0]?.pings).toBe(1);
    expect(pool.inspect()).toMatchObject({ idle: 1 });
  });

  it('is over when its worker ends, and its job is not tried elsewhere', async () => {
    const { host, pool, kind } = await stage({ size: 2 });
    const lease = await host.runUntil(pool.lease());
    const fate = fateOf(lease.run('a', { do: 'hang' }, { idempotent: true }));
    await host.settle();
    kind.ports.find((port) => port.running !== undefined)?.exit();
    await host.advance(100);
    expect(fate.error).toMatchObject({ code: 'ERR_WORKER_EXITED', outcome: 'unknown' });
    expect(lease.active).toBe(false);
    expect(pool.inspect()).toMatchObject({ leases: 0, idle: 2 });
    lease.release();
    expect(pool.inspect()).toMatchObject({ leases: 0, idle: 2 });
  });

  it('waits in the same line, under the same bounds', async () => {
    const { host, pool } = await stage({ size: 1, checkoutMs: 100, queueLimit: 2 });
    const first = await host.runUntil(pool.lease());
    const aborting = new AbortController();
    const second = fateOf(pool.lease());
    const third = fateOf(pool.lease({ signal: aborting.signal }));
    expect(await codeOf(host, pool.lease())).toBe('ERR_POOL_QUEUE_FULL');
    aborting.abort();
    await host.settle();
    expect(third.error?.code).toBe('ERR_POOL_ABORTED');
    await host.advance(100);
    expect(second.error?.code).toBe('ERR_POOL_CHECKOUT_TIMEOUT');
    first.release();
    expect(pool.inspect()).toMatchObject({ idle: 1, waiting: 0 });
  });

  it('is no success of a worker', async () => {
    const { host, pool, kind } = await stage({ size: 1, crashLoop: { crashes: 2 } });
    for (let n = 0; n < 2; n++) {
      await host.runUntil(pool.lease());
      kind.ports.at(-1)?.exit();
      await host.advance(50);
    }
    expect(pool.inspect().state).toBe('degraded');
  });
});
