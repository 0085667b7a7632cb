import { describe, expect, it } from 'vitest';
import { scriptedWorkers } from '../../src/testing/scripted-worker.ts';
import { codeOf, fateOf, stage } from './pool-stage.ts';

const ms = (afterMs: number) => ({ do: 'succeed', afterMs }) as const;
const slowly = { start: () => ({ do: 'ready', afterMs: 100 }) as const };

describe('the start of a pool', () => {
  it('is parallel, a batch at a time: sixteen take the time of two', async () => {
    const { host, pool, kind } = await stage({ size: 16, startsAtOnce: 8, script: slowly });
    expect(kind.ports.length).toBe(8);
    await host.advance(100);
    expect(pool.inspect().idle).toBe(8);
    expect(kind.ports.length).toBe(16);
    await host.advance(100);
    expect(pool.inspect().idle).toBe(16);
  });

  it('goes on where one of a batch cannot start', async () => {
    const start = (number: number) =>
      number === 1 ? ({ do: 'exit', afterMs: 50 } as const) : ({ do: 'ready', afterMs: 100 } as const);
    const { host, pool } = await stage({ size: 4, startsAtOnce: 1, script: { start } });
    await host.advance(1_000);
    expect(pool.inspect().idle).toBe(4);
  });

  it('is waited for by nobody once the pool drains: what begins to wait then is told at once', async () => {
    const { host, pool } = await stage({
      size: { min: 0, max: 4 },
      script: { start: () => ({ do: 'ready', afterMs: 500 }) },
    });
    const [running, early] = [fateOf(pool.run('x', ms(700))), fateOf(pool.ready({ workers: 4 }))];
    const drained = fateOf(pool.drain({ timeoutMs: 5_000 }));
    const meanwhile = fateOf(pool.ready({ workers: 4 }));
    await host.settle();
    expect([meanwhile.error?.code, meanwhile.error?.outcome]).toEqual(['ERR_POOL_DRAINING', 'not_started']);
    await host.advance(2_000);
    expect([running.status, drained.status, early.settled]).toEqual(['fulfilled', 'fulfilled', 1]);
    const late = fateOf(pool.ready());
    await host.settle();
    expect([late.error?.code, pool.inspect().workers.length]).toEqual(['ERR_POOL_DRAINING', 0]);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('can be waited for, with a deadline', async () => {
    const { host, pool } = await stage({ size: 3, script: slowly });
    const ready = fateOf(pool.ready());
    const late = fateOf(pool.ready({ timeoutMs: 99 }));
    const one = fateOf(pool.ready({ workers: 1 }));
    await host.advance(99);
    expect(late.error).toMatchObject({ code: 'ERR_POOL_NOT_READY', data: { there: 0, wanted: 3 } });
    await host.advance(1);
    expect([ready.status, one.status]).toEqual(['fulfilled', 'fulfilled']);
  });

  it('that is lazy starts nobody before a job needs one, and no more than need one', async () => {
    const { host, pool, kind } = await stage({ size: 4, start: 'lazy', script: slowly });
    await host.advance(10_000);
    expect(kind.ports.length).toBe(0);
    expect(pool.inspect()).toMatchObject({ wanted: 0, workers: [] });
    const first = fateOf(pool.run('a', ms(1)));
    await host.advance(50);
    expect(kind.ports.length).toBe(1);
    const second = fateOf(pool.run('b', ms(1)));
    await host.settle();
    expect(kind.ports.length).toBe(2);
    await host.advance(200);
    expect([first.status, second.status]).toEqual(['fulfilled', 'fulfilled']);
    const third = fateOf(pool.run('c', ms(1)));
    await host.advance(1);
    expect(third.status).toBe('fulfilled');
    expect(kind.ports.length).toBe(2);
  });

  it('that is lazy can be warmed up', async () => {
    const { host, pool } = await stage({ size: 4, start: 'lazy', script: slowly });
    const ready = fateOf(pool.ready({ workers: 3 }));
    await host.advance(100);
    expect(ready.status).toBe('fulfilled');
    expect(pool.inspect().idle).toBe(3);
  });
});

describe('a pool between two sizes', () => {
  const size = { min: 1, max: 4 };

  it('grows when somebody has waited for growAfterMs, by no more than wait, and not for a burst that is over sooner', async () => {
    const { host, pool, kind, of } = await stage({ size, scaling: { growAfterMs: 50 } });
    const burst = Array.from({ length: 5 }, () => fateOf(pool.run('x', ms(10))));
    await host.advance(60);
    expect(burst.every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(kind.ports.length).toBe(1);
    const slow = Array.from({ length: 3 }, () => fateOf(pool.run('x', ms(500))));
    await host.advance(49);
    expect(kind.ports.length).toBe(1);
    await host.advance(2);
    expect(kind.ports.length).toBe(3);
    expect(of('pool.grown')).toMatchObject([{ workers: 3, waiting: 2 }]);
    await host.advance(500);
    expect(slow.every(({ status }) => status === 'fulfilled')).toBe(true);
  });

  it('never has more than max, however many wait', async () => {
    const { host, pool, kind } = await stage({ size, scaling: { growAfterMs: 10 } });
    const all = Array.from({ length: 50 }, () => fateOf(pool.run('x', ms(100))));
    await host.advance(2_000);
    expect(all.every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(kind.ports.length).toBe(4);
  });

  it('shrinks one at a time, to min, when they were idle for long enough', async () => {
    const scaling = { growAfterMs: 0, idleMs: 1_000, shrinkEveryMs: 300 };
    const { host, pool, of, kind } = await stage({ size, scaling });
    const all = Array.from({ length: 4 }, () => fateOf(pool.run('x', ms(50))));
    await host.advance(60);
    expect(all.every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(pool.inspect().idle).toBe(4);
    await host.advance(900);
    expect(pool.inspect().idle).toBe(4);
    await host.advance(300);
    expect(pool.inspect()).toMatchObject({ idle: 3, wanted: 3 });
    await host.advance(5_000);
    expect(pool.inspect()).toMatchObject({ idle: 1, wanted: 1 });
    expect(of('pool.shrunk').length).toBe(3);
    expect(kind.live.length).toBe(1);
    expect(of('pool.degraded')).toEqual([]);
  });

  it('does not swing: work in between puts the shrinking off', async () => {
    const scaling = { growAfterMs: 0, idleMs: 1_000, shrinkEveryMs: 300 };
    const { host, pool, kind } = await stage({ size, scaling });
    for (let round = 0; round < 10; round++) {
      const all = Array.from({ length: 4 }, () => fateOf(pool.run('x', ms(50))));
      await host.advance(800);
      expect(all.every(({ status }) => status === 'fulfilled')).toBe(true);
    }
    expect(kind.ports.length).toBe(4);
  });

  it('from none starts one at once for the first job', async () => {
    const { host, pool, kind } = await stage({ size: { min: 0, max: 2 }, scaling: { growAfterMs: 60_000 } });
    expect(kind.ports.length).toBe(0);
    expect(await codeOf(host, pool.run('x', 1))).toBe(1);
    expect(kind.ports.length).toBe(1);
  });

  it('replaces what crashes only as far as it is wanted', async () => {
    const scaling = { growAfterMs: 0, idleMs: 100, shrinkEveryMs: 100 };
    const { host, pool, kind } = await stage({ size, scaling });
    const all = Array.from({ length: 4 }, () => fateOf(pool.run('x', ms(50))));
    await host.advance(60);
    expect(all.length).toBe(4);
    for (const port of kind.live) port.exit();
    await host.advance(60);
    expect(pool.inspect().workers.length).toBeGreaterThan(1);
    await host.advance(10_000);
    expect(pool.inspect()).toMatchObject({ wanted: 1, idle: 1 });
  });
});

describe('resize', () => {
  it('starts more at once, and lets go of the idle before the busy, of these none before it is free', async () => {
    const { host, pool, kind, of } = await stage({ size: 2 });
    pool.resize(5);
    await host.settle();
    expect(pool.inspect()).toMatchObject({ idle: 5, size: { min: 5, max: 5 } });
    const jobs = Array.from({ length: 3 }, () => fateOf(pool.run('x', ms(100))));
    pool.resize(1);
    await host.advance(50);
    expect(kind.live.length).toBe(3);
    expect(jobs.map(({ status }) => status)).toEqual(Array(3).fill('pending'));
    await host.advance(60);
    expect(jobs.map(({ status }) => status)).toEqual(Array(3).fill('fulfilled'));
    expect(kind.live.length).toBe(1);
    expect(pool.inspect()).toMatchObject({ idle: 1, wanted: 1 });
    expect(of('pool.resized').map(({ max }) => max)).toEqual([5, 1]);
    expect(kind.ports.some(({ killed }) => killed)).toBe(false);
  });

  it('starts nobody while crashes loop but the probe, and has as many as are wanted afterwards', async () => {
    const starts = (number: number) =>
      number <= 2 ? ({ do: 'exit', afterMs: 5 } as const) : ({ do: 'ready', afterMs: 50 } as const);
    const { host, pool, kind, of } = await stage({
      size: { min: 0, max: 4 },
      start: 'lazy',
      script: { start: starts },
      crashLoop: { crashes: 2 },
      replaceBackoff: { baseMs: 100, jitter: 'none' },
      scaling: { idleMs: 300, shrinkEveryMs: 100 },
    });
    const fate = fateOf(pool.run('x'));
    await host.advance(20);
    expect(fate.error?.code).toBe('ERR_POOL_DEGRADED');
    pool.resize({ min: 3, max: 4 });
    await host.settle();
    expect(kind.ports.length).toBe(2);
    pool.resize({ min: 0, max: 4 });
    await host.advance(120);
    expect(kind.live.length).toBe(1);
    await host.advance(50);
    expect(of('pool.restored').length).toBe(1);
    await host.advance(2_000);
    expect(pool.inspect()).toMatchObject({ wanted: 0, workers: [] });
  });

  it('refuses what is no size', async () => {
    const { pool } = await stage();
    for (const size of [0, -1, 1.5, { min: 3, max: 2 }, { min: 0, max: 0 }, { min: 1 } as never])
      expect(() => pool.resize(size)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }));
  });
});

describe('a pause', () => {
  it('lets what runs go on and keeps waiting what waits, until it is resumed', async () => {
    const { host, pool, of } = await stage({ size: 2 });
    const running = fateOf(pool.run('a', ms(50)));
    pool.pause();
    pool.pause();
    const waiting = fateOf(pool.run('b', ms(1)));
    const lease = fateOf(pool.lease());
    await host.advance(1_000);
    expect([running.status, waiting.status, lease.status]).toEqual(['fulfilled', 'pending', 'pending']);
    expect(pool.inspect()).toMatchObject({ paused: true, idle: 2, waiting: 2 });
    pool.resume();
    await host.advance(1);
    expect([waiting.status, lease.status]).toEqual(['fulfilled', 'fulfilled']);
    expect([of('pool.paused').length, of('pool.resumed').length]).toEqual([1, 1]);
  });

  it('stops no deadline', async () => {
    const { host, pool } = await stage({ size: 1, checkoutMs: 100 });
    pool.pause();
    const fate = fateOf(pool.run('a'));
    await host.advance(100);
    expect(fate.error?.code).toBe('ERR_POOL_CHECKOUT_TIMEOUT');
  });

  it('ends with a drain, and every drain ends', async () => {
    const { host, pool, kind } = await stage({ size: 1, checkoutMs: Infinity });
    pool.pause();
    const fate = fateOf(pool.run('a', ms(10)));
    const drained = fateOf(pool.drain({ timeoutMs: Infinity }));
    pool.pause();
    await host.advance(100);
    expect([fate.status, drained.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(kind.live).toEqual([]);
  });
});

describe('replaceWorkers', () => {
  it('runs new code without dropping a job, one place at a time', async () => {
    const { host, pool, kind, of } = await stage({ size: 3, checkoutMs: Infinity });
    const fresh = scriptedWorkers({ name: 'fresh', start: () => ({ do: 'ready', afterMs: 20 }) });
    const jobs = Array.from({ length: 40 }, () => fateOf(pool.run('x', ms(15))));
    const replaced = fateOf(pool.replaceWorkers({ worker: fresh }));
    let fewest = 3;
    for (let n = 0; n < 400; n++) {
      await host.advance(1);
      fewest = Math.min(
        fewest,
        pool.inspect().workers.filter(({ state }) => /ready|busy/.test(state)).length,
      );
    }
    expect(replaced.status).toBe('fulfilled');
    expect(jobs.map(({ status }) => status)).toEqual(Array(40).fill('fulfilled'));
    expect(fewest).toBe(2);
    expect([kind.live.length, fresh.live.length]).toEqual([0, 3]);
    expect(kind.ports.some(({ killed }) => killed)).toBe(false);
    expect(of('pool.replacement.ended')).toMatchObject([{ replaced: 3 }]);
  });

  it('is called off where the new kind cannot start: the old one is back in use', async () => {
    const { host, pool, kind } = await stage({ size: 2 });
    const broken = scriptedWorkers({ start: () => ({ do: 'exit', code: 1 }) });
    const replaced = fateOf(pool.replaceWorkers({ worker: broken }));
    await host.advance(1_000);
    expect(replaced.error).toMatchObject({ code: 'ERR_POOL_REPLACE_FAILED' });
    expect(broken.ports.length).toBe(1);
    expect(kind.live.length).toBe(2);
    expect(await codeOf(host, pool.run('x', 1))).toBe(1);
  });

  it('waits for leases, and says when that took too long', async () => {
    const { host, pool } = await stage({ size: 1 });
    const lease = await host.runUntil(pool.lease());
    const late = fateOf(pool.replaceWorkers({ timeoutMs: 500 }));
    await host.advance(500);
    expect(late.error?.code).toBe('ERR_POOL_REPLACE_FAILED');
    expect(lease.active).toBe(true);
    const again = fateOf(pool.replaceWorkers());
    expect(await codeOf(host, pool.replaceWorkers())).toBe('ERR_POOL_REPLACE_FAILED');
    lease.release();
    await host.advance(100);
    expect(again.status).toBe('fulfilled');
    expect(pool.inspect().workers).toMatchObject([{ id: 'worker-2', state: 'ready' }]);
  });
});

describe('runOnEach', () => {
  it('runs a job once on every worker, on the busy ones as soon as they are free', async () => {
    const { host, pool, kind } = await stage({ size: 3 });
    const busy = fateOf(pool.run('busy', ms(50)));
    const each = fateOf(pool.runOnEach('each', 7));
    await host.advance(49);
    expect(each.status).toBe('pending');
    await host.advance(1);
    await host.settle();
    expect(busy.status).toBe('fulfilled');
    expect(each.value).toEqual(
      ['worker-1', 'worker-2', 'worker-3'].map((worker) => ({ worker, status: 'fulfilled', value: 7 })),
    );
    expect(kind.ports.map(({ jobs }) => jobs.filter(({ name }) => name === 'each').length)).toEqual([
      1, 1, 1,
    ]);
  });

  it('tells of those that ended before, and tries nothing elsewhere', async () => {
    const { host, pool, kind } = await stage({ size: 2 });
    const lost = fateOf(pool.run('lost', { do: 'crash', afterMs: 20 }));
    const each = fateOf(pool.runOnEach('each', 7, { idempotent: true }));
    await host.advance(500);
    expect(lost.status).toBe('rejected');
    const outcomes = each.value as { status: string; reason?: { code: string } }[];
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(outcomes.find(({ reason }) => reason !== undefined)?.reason?.code).toBe('ERR_POOL_NO_WORKER');
    expect(kind.ports.flatMap(({ jobs }) => jobs).filter(({ name }) => name === 'each').length).toBe(1);
  });
});
