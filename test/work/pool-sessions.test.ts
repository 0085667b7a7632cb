import { describe, expect, it } from 'vitest';
import { codeOf, fateOf, type Stage, stage } from './pool-stage.ts';

/** Which worker ran each job, by the job's name. */
const placed = ({ kind }: Stage): Readonly<Record<string, string>> =>
  Object.fromEntries(
    kind.ports.flatMap(({ id, jobs }) => jobs.map(({ name }) => [name, id.replace('pool/', '')])),
  );

const ms = (afterMs: number) => ({ do: 'succeed', afterMs }) as const;

describe('a session', () => {
  it('is consulted for routing: its jobs go to its worker although others are idle', async () => {
    const on = await stage({ size: 4 });
    const { host, pool } = on;
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      expect(await codeOf(host, pool.run(name, 1, { session: 'ann' }))).toBe(1);
      // Another job makes another worker the one that was used last.
      const others = [pool.run('x', ms(5)), pool.run('x', ms(3)), pool.run('x', ms(9))];
      await host.advance(10);
      await Promise.all(others);
    }
    const at = placed(on);
    expect(new Set([at['a'], at['b'], at['c'], at['d'], at['e']]).size).toBe(1);
    expect(pool.sessions.get('ann')).toBe(at['a']);
    expect(pool.sessions.stats()).toMatchObject({ total: 1, hits: 4, misses: 0 });
  });

  it('goes to the worker with the fewest sessions at first', async () => {
    const { host, pool } = await stage({ size: 3 });
    for (const session of ['a', 'b', 'c', 'd', 'e', 'f']) await codeOf(host, pool.run('x', 1, { session }));
    expect(Object.values(pool.sessions.stats().perWorker)).toEqual([2, 2, 2]);
  });

  it('as a hint runs elsewhere while its worker is busy, and stays bound', async () => {
    const on = await stage({ size: 2 });
    const { host, pool } = on;
    const first = fateOf(pool.run('a', ms(50), { session: 's' }));
    const second = fateOf(pool.run('b', ms(10), { session: 's' }));
    await host.advance(50);
    expect([first.status, second.status]).toEqual(['fulfilled', 'fulfilled']);
    await codeOf(host, pool.run('c', 1, { session: 's' }));
    const at = placed(on);
    expect(at['b']).not.toBe(at['a']);
    expect(at['c']).toBe(at['a']);
    expect(pool.sessions.stats()).toMatchObject({ hits: 1, misses: 1, rebound: 0 });
  });

  it('that is strict waits for its worker in the order it came, while others pass it by', async () => {
    const on = await stage({ size: 2, affinity: { mode: 'strict_queue' } });
    const { host, pool, kind } = on;
    const jobs = ['a', 'b', 'c'].map((name) => fateOf(pool.run(name, ms(50), { session: 's' })));
    const other = fateOf(pool.run('o', ms(10)));
    await host.advance(10);
    expect(other.status).toBe('fulfilled');
    expect(pool.inspect()).toMatchObject({ idle: 1, waiting: 2 });
    await host.advance(140);
    expect(jobs.map(({ status }) => status)).toEqual(Array(3).fill('fulfilled'));
    const at = placed(on);
    expect([at['b'], at['c']]).toEqual([at['a'], at['a']]);
    const own = kind.ports.find(({ id }) => id === `pool/${at['a']}`);
    expect(own?.jobs.map(({ name }) => name).filter((name) => name !== 'o')).toEqual(['a', 'b', 'c']);
  });

  it('that is strict and came while all were busy is bound to whoever comes free, all its jobs alike', async () => {
    const on = await stage({ size: 2, affinity: { mode: 'strict_queue' } });
    const { host, pool } = on;
    const busy = [fateOf(pool.run('x', ms(20))), fateOf(pool.run('y', ms(30)))];
    const jobs = ['a', 'b', 'c'].map((name) => fateOf(pool.run(name, ms(20), { session: 's' })));
    await host.advance(100);
    expect([...busy, ...jobs].map(({ status }) => status)).toEqual(Array(5).fill('fulfilled'));
    const at = placed(on);
    expect([at['a'], at['b'], at['c']]).toEqual(Array(3).fill(at['x']));
  });

  it('that must not wait is refused while its worker is busy', async () => {
    const { host, pool } = await stage({ size: 2, affinity: { mode: 'strict_fail_fast' } });
    const first = fateOf(pool.run('a', ms(50), { session: 's' }));
    const refused = fateOf(pool.run('b', ms(50), { session: 's' }));
    const other = fateOf(pool.run('c', ms(50), { session: 't' }));
    await host.advance(50);
    expect(refused.error).toMatchObject({ code: 'ERR_POOL_SESSION_BUSY', outcome: 'not_started' });
    expect([first.status, other.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(await codeOf(host, pool.run('b', 1, { session: 's' }))).toBe(1);
  });

  it('is with another worker after its own was lost, told by an event, and its waiting jobs go there together', async () => {
    const on = await stage({ size: 2, affinity: { mode: 'strict_queue' } });
    const { host, pool, kind, of } = on;
    const lost = fateOf(pool.run('a', { do: 'crash', afterMs: 20, signal: 'SIGKILL' }, { session: 's' }));
    const jobs = ['b', 'c'].map((name) => fateOf(pool.run(name, ms(10), { session: 's' })));
    await host.advance(19);
    const from = pool.sessions.get('s');
    expect(from).toBeDefined();
    await host.advance(100);
    expect(lost.error?.code).toBe('ERR_WORKER_EXITED');
    expect(jobs.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    const at = placed(on);
    expect(at['b']).toBe(at['c']);
    expect(at['b']).not.toBe(at['a']);
    expect(of('pool.session.rebound')).toMatchObject([{ session: 's', from, to: at['b'] }]);
    expect(kind.live.length).toBe(2);
    expect(pool.sessions.stats()).toMatchObject({ total: 1, rebound: 1 });
  });

  it('is forgotten ttlMs after its last use, not after its first', async () => {
    const { host, pool, of } = await stage({ size: 2, affinity: { ttlMs: 1_000 } });
    await codeOf(host, pool.run('x', 1, { session: 's' }));
    await host.advance(900);
    await codeOf(host, pool.run('x', 1, { session: 's' }));
    await host.advance(999);
    expect(pool.sessions.get('s')).toBeDefined();
    await host.advance(1);
    expect(pool.sessions.get('s')).toBeUndefined();
    expect(pool.sessions.stats()).toMatchObject({ total: 0, expired: 1 });
    expect(of('pool.session.forgotten')).toMatchObject([{ session: 's', why: 'expired' }]);
  });

  it('is in use while its job runs, however long that takes', async () => {
    const { host, pool } = await stage({ size: 2, affinity: { ttlMs: 1_000 } });
    const fate = fateOf(pool.run('x', ms(900), { session: 's' }));
    await host.advance(900);
    expect(fate.status).toBe('fulfilled');
    await host.advance(999);
    expect(pool.sessions.get('s')).toBeDefined();
  });

  it('makes room for another when there are too many: the one not used for longest goes', async () => {
    const { host, pool } = await stage({ size: 1, affinity: { limit: 2 } });
    for (const session of ['a', 'b', 'a', 'c']) {
      await codeOf(host, pool.run('x', 1, { session }));
      await host.advance(1);
    }
    expect([...pool.sessions.getAll(['a', 'b', 'c']).keys()]).toEqual(['a', 'c']);
    expect(pool.sessions.stats()).toMatchObject({ total: 2, evicted: 1 });
  });

  it('can be bound by hand, one or a thousand, and forgotten again', async () => {
    const { host, pool } = await stage({ size: 2 });
    const [, second] = pool.inspect().workers;
    expect(pool.sessions.bind('s', second?.id)).toBe(second?.id);
    await codeOf(host, pool.run('x', 1, { session: 's' }));
    expect(pool.inspect().workers[1]).toMatchObject({ jobsDone: 1, sessions: 1 });
    expect(() => pool.sessions.bind('s', 'worker-99')).toThrow(
      expect.objectContaining({ code: 'ERR_POOL_NO_WORKER' }),
    );
    const many = Array.from({ length: 1_000 }, (_, n) => `user-${n}`);
    expect(pool.sessions.bindAll(many).size).toBe(1_000);
    expect(pool.sessions.getAll([...many, 'nobody']).size).toBe(1_000);
    const { perWorker } = pool.sessions.stats();
    expect(Math.abs((perWorker['worker-1'] ?? 0) - (perWorker['worker-2'] ?? 0))).toBeLessThanOrEqual(1);
    expect(pool.sessions.unbind('nobody')).toBe(false);
    expect(pool.sessions.unbindWorker('worker-1')).toBe(perWorker['worker-1']);
    expect(pool.sessions.unbindAll()).toBe(perWorker['worker-2']);
    expect(pool.sessions.stats().total).toBe(0);
  });

  it('works for leases as well', async () => {
    const { host, pool } = await stage({ size: 3 });
    const first = await host.runUntil(pool.lease({ session: 's' }));
    const { id } = first.worker;
    first.release();
    (await host.runUntil(pool.lease())).release();
    expect((await host.runUntil(pool.lease({ session: 's' }))).worker.id).toBe(id);
  });
});
