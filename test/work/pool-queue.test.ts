import { describe, expect, it } from 'vitest';
import { codeOf, fateOf, stage } from './pool-stage.ts';

/** Jobs by name in the order in which a single worker got them. */
const order = (kind: Awaited<ReturnType<typeof stage>>['kind']): string =>
  kind.ports.flatMap(({ jobs }) => jobs.map(({ name }) => name)).join('');

const quick = { do: 'succeed', afterMs: 10 } as const;

describe('the line of a pool', () => {
  it('serves by priority, and within a priority keys in turns', async () => {
    const { host, pool, kind } = await stage({ size: 1 });
    const all = [
      pool.run('0', quick),
      pool.run('e', quick, { priority: 'low' }),
      pool.run('b', quick, { key: 'flood' }),
      pool.run('d', quick, { key: 'flood' }),
      pool.run('c', quick, { key: 'other' }),
      pool.run('a', quick, { priority: 'critical' }),
    ];
    await host.advance(100);
    await Promise.all(all);
    expect(order(kind)).toBe('0abcde');
  });

  it('lets nobody starve: who has waited for agingMs counts as one priority more urgent', async () => {
    const { host, pool, kind } = await stage({ size: 1, agingMs: 100 });
    const first = fateOf(pool.run('0', { do: 'succeed', afterMs: 300 }));
    const low = fateOf(pool.run('l', quick, { priority: 'low' }));
    await host.advance(201);
    const normal = fateOf(pool.run('n', quick));
    const high = fateOf(pool.run('h', quick, { priority: 'high' }));
    await host.advance(200);
    expect([first, low, normal, high].map(({ status }) => status)).toEqual(Array(4).fill('fulfilled'));
    expect(order(kind)).toBe('0lhn');
  });

  it('lets leases wait by the same rules as jobs', async () => {
    const { host, pool, kind } = await stage({ size: 1 });
    const running = fateOf(pool.run('0', quick));
    const job = fateOf(pool.run('1', quick));
    const lease = fateOf(pool.lease({ priority: 'high' }));
    await host.advance(10);
    expect([running.status, lease.status, job.status]).toEqual(['fulfilled', 'fulfilled', 'pending']);
    (lease.value as { release(): void }).release();
    await host.advance(10);
    expect(job.status).toBe('fulfilled');
    expect(order(kind)).toBe('01');
  });

  it('sheds what matters least when it has been too slow for too long, and nothing of a burst', async () => {
    const shedding = { targetMs: 20, intervalMs: 100 };
    const { host, pool, of } = await stage({ size: 1, shedding, checkoutMs: Infinity });
    const burst = Array.from({ length: 8 }, () => fateOf(pool.run('x', quick)));
    await host.advance(80);
    expect(burst.map(({ status }) => status)).toEqual(Array(8).fill('fulfilled'));
    const urgent = Array.from({ length: 30 }, () => fateOf(pool.run('x', quick)));
    const idle = Array.from({ length: 10 }, () => fateOf(pool.run('x', quick, { priority: 'low' })));
    await host.advance(600);
    const shed = idle.filter(({ error }) => error?.code === 'ERR_POOL_OVERLOADED');
    expect(shed.length).toBeGreaterThan(0);
    expect(shed[0]?.error?.outcome).toBe('not_started');
    expect(urgent.every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(of('pool.job.shed').length).toBe(shed.length);
    expect(pool.inspect().counts.shed).toBe(shed.length);
  });

  it('says once that it is nearly full and once that there is room again', async () => {
    const { host, pool, of } = await stage({ size: 1, queueLimit: 10 });
    const all = Array.from({ length: 11 }, () => pool.run('x', quick));
    expect(pool.canAccept()).toBe(false);
    expect(pool.inspect()).toMatchObject({ waiting: 10, saturated: true });
    expect(await codeOf(host, pool.run('x'))).toBe('ERR_POOL_QUEUE_FULL');
    await host.advance(10);
    expect(pool.canAccept()).toBe(true);
    await host.advance(200);
    await Promise.all(all);
    expect(of('pool.saturated')).toMatchObject([{ waiting: 8, limit: 10 }]);
    expect(of('pool.relieved')).toMatchObject([{ waiting: 5, limit: 10 }]);
    expect(pool.inspect().saturated).toBe(false);
  });

  it('lets who gives up leave from the midst, at no cost to those behind', async () => {
    const { host, pool } = await stage({
      size: 1,
      queueLimit: 20_000,
      checkoutMs: Infinity,
      jobTimeoutMs: Infinity,
    });
    const controller = new AbortController();
    const running = fateOf(pool.run('0', { do: 'succeed', afterMs: 1 }));
    const gone = Array.from({ length: 10_000 }, () =>
      fateOf(pool.run('x', quick, { signal: controller.signal })),
    );
    const last = fateOf(pool.run('1', { do: 'succeed', afterMs: 1 }));
    controller.abort();
    await host.advance(2);
    expect([running.status, last.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(gone.every(({ error, settled }) => error?.code === 'ERR_POOL_ABORTED' && settled === 1)).toBe(
      true,
    );
    expect(pool.inspect().waiting).toBe(0);
  });
});

describe('what a pool tells of itself', () => {
  it('has histograms of waits and runs, and the utilisation', async () => {
    const { host, pool } = await stage({ size: 1 });
    const all = Array.from({ length: 10 }, () => pool.run('x', { do: 'succeed', afterMs: 100 }));
    await host.advance(1_000);
    await Promise.all(all);
    const { waits, runs, utilisation, workers } = pool.inspect();
    expect(runs).toMatchObject({ count: 10, meanMs: 100, maxMs: 100 });
    expect(waits).toMatchObject({ count: 10, meanMs: 450, maxMs: 900 });
    expect(Math.abs(waits.p50Ms - 400)).toBeLessThan(28);
    expect(utilisation).toBeCloseTo(1);
    await host.advance(1_000);
    expect(pool.inspect().utilisation).toBeCloseTo(0.5);
    expect(workers[0]).toMatchObject({ uses: 10, busyMs: 1_000, sessions: 0 });
  });

  it('gives each transition its reason, and what was known beside it', async () => {
    const { host, pool, kind, of } = await stage({ size: 1 });
    kind.ports[0]?.exit({ signal: 'SIGSEGV' });
    await host.settle();
    const moved = of('pool.worker.transitioned').filter(({ worker }) => worker === 'worker-1');
    expect(moved.at(-1)).toMatchObject({
      to: 'terminated',
      reason: 'signal SIGSEGV',
      metadata: { code: null, signal: 'SIGSEGV' },
    });
    await host.advance(100);
    const fate = fateOf(pool.run('x', { do: 'succeed' }));
    await host.settle();
    expect(fate.status).toBe('fulfilled');
    expect(pool.inspect().workers[0]?.history.map(({ reason }) => reason)).toEqual([
      'init_complete',
      'checkout',
      'checkin_success',
    ]);
  });
});
