import { describe, expect, it } from 'vitest';
import { codeOf, fateOf, stage } from './pool-stage.ts';

const ms = (afterMs: number) => ({ do: 'succeed', afterMs }) as const;

describe('a worker that is well', () => {
  it('is replaced after maxUses, each use counted once and none of its successor', async () => {
    const { host, pool, kind, of } = await stage({ size: 1, recycle: { maxUses: 3 } });
    for (let n = 0; n < 7; n++) expect(await codeOf(host, pool.run('x', n))).toBe(n);
    expect(kind.ports.map(({ jobs }) => jobs.length)).toEqual([3, 3, 1]);
    expect(kind.ports[0]).toMatchObject({ closed: true, killed: false });
    const ends = of('pool.worker.transitioned').filter(({ reason }) => reason === 'max_uses');
    expect(ends.map(({ metadata }) => metadata)).toEqual([{ uses: 3 }, { uses: 3 }]);
    expect(of('pool.degraded')).toEqual([]);
    expect(pool.inspect().crashesInRow).toBe(0);
  });

  it('goes when it is too old and free, and those who started together do not go together', async () => {
    const { host, pool, of } = await stage({ size: 8, recycle: { maxAgeMs: 10_000, ageJitter: 0.5 } });
    await host.advance(4_999);
    expect(of('pool.worker.ended')).toEqual([]);
    await host.advance(5_002);
    const ends = of('pool.worker.ended').filter(({ worker }) => Number(worker.split('-')[1]) <= 8);
    expect(ends.length).toBe(8);
    expect(new Set(ends.map(({ at }) => Math.round(at / 100))).size).toBeGreaterThan(5);
    expect(pool.inspect().idle).toBe(8);
  });

  it('that is too old finishes what it does, and takes nothing more', async () => {
    const { host, pool, kind } = await stage({ size: 1, recycle: { maxAgeMs: 1_000, ageJitter: 0 } });
    await host.advance(900);
    const [long, next] = [fateOf(pool.run('long', ms(500))), fateOf(pool.run('next', 1))];
    await host.advance(510);
    expect([long.status, next.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(kind.ports.map(({ jobs }) => jobs.map(({ name }) => name))).toEqual([['long'], ['next']]);
  });

  it('goes when it is free once it has outgrown its memory', async () => {
    const { host, pool, kind } = await stage({ size: 1 });
    expect(await codeOf(host, pool.run('x', { do: 'outgrow', then: { do: 'succeed', value: 1 } }))).toBe(1);
    expect(await codeOf(host, pool.run('y', 2))).toBe(2);
    expect(kind.ports.map(({ jobs }) => jobs.length)).toEqual([1, 1]);
  });

  it('but never idle is asked for a sign of life all the same, when it is given back', async () => {
    const { host, pool, kind, of } = await stage({
      size: 1,
      pingEveryMs: 60_000,
      checkEveryMs: 1_000,
      checkoutMs: Infinity,
    });
    const all = Array.from({ length: 25 }, () => fateOf(pool.run('x', ms(100))));
    await host.advance(990);
    expect(kind.ports[0]?.pings).toBe(0);
    await host.advance(1_600);
    expect(kind.ports[0]?.pings).toBe(2);
    expect(all.every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(of('pool.worker.transitioned').filter(({ reason }) => reason === 'check_due').length).toBe(2);
  });

  it('and does not answer that gets no more work, and is killed', async () => {
    const options = { pingEveryMs: 60_000, checkEveryMs: 500, pingTimeoutMs: 100, pingMisses: 2 };
    const { host, pool, kind } = await stage({ size: 1, ...options });
    const first = fateOf(pool.run('x', ms(600)));
    await host.advance(599);
    const [port] = kind.ports;
    // It answers its job, and nothing else any more.
    if (port !== undefined) port.ping = () => undefined;
    await host.advance(1);
    expect(first.status).toBe('fulfilled');
    const second = fateOf(pool.run('y', 1));
    await host.advance(199);
    expect(second.status).toBe('pending');
    await host.advance(2);
    expect(port?.killed).toBe(true);
    await host.advance(200);
    expect(second.status).toBe('fulfilled');
    expect(port?.jobs.length).toBe(1);
  });
});

describe('a worker that died of something poisonous', () => {
  const recycle = { taintMs: 5_000 };

  it.each([
    ['SIGSEGV', { signal: 'SIGSEGV' }],
    ['SIGABRT as a code', { code: 134 }],
    ['a SIGKILL that is not ours', { signal: 'SIGKILL' }],
  ])('leaves its place empty for a while: %s', async (_, how) => {
    const { host, pool, kind, of } = await stage({ size: 2, recycle });
    kind.ports[0]?.exit(how);
    await host.advance(4_999);
    expect(kind.live.length).toBe(1);
    expect(of('pool.place.tainted')).toMatchObject([{ worker: 'worker-1', taintMs: 5_000 }]);
    expect(await codeOf(host, pool.run('x', 1))).toBe(1);
    await host.advance(1);
    expect(kind.live.length).toBe(2);
  });

  it('is replaced like any other if it was the last one', async () => {
    const { host, kind, of } = await stage({ size: 1, recycle });
    kind.ports[0]?.exit({ signal: 'SIGSEGV' });
    await host.advance(100);
    expect(kind.live.length).toBe(1);
    expect(of('pool.place.tainted')).toEqual([]);
  });

  it.each([
    ['an exit code of its own', { code: 1 }],
    ['SIGTERM', { signal: 'SIGTERM' }],
  ])('is not one that died of %s', async (_, how) => {
    const { host, kind } = await stage({ size: 2, recycle });
    kind.ports[0]?.exit(how);
    await host.advance(100);
    expect(kind.live.length).toBe(2);
  });

  it('is not one that we killed', async () => {
    const { host, pool, kind } = await stage({ size: 2, recycle, cancelGraceMs: 10 });
    const fate = fateOf(pool.run('x', { do: 'hang', ignoresCancel: true }, { timeoutMs: 10 }));
    await host.advance(200);
    expect(fate.error?.code).toBe('ERR_JOB_TIMEOUT');
    expect(kind.live.length).toBe(2);
  });
});
