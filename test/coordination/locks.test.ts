import { describe, expect, it } from 'vitest';
import type { LockLease } from '../../src/coordination/lock-lease.ts';
import { createLocks } from '../../src/coordination/locks.ts';
import { gate, watch } from '../kernel/rig.ts';
import { createRig, expectEmpty } from './locks-rig.ts';

describe('a lock', () => {
  it('is held by one at a time, served in the order of asking', async () => {
    const { locks, host } = createRig();
    const order: string[] = [];
    const first = gate();
    const uses = ['a', 'b', 'c'].map((name) =>
      locks.use('doc', async () => {
        order.push(`${name} in`);
        if (name === 'a') await first.passed;
        order.push(`${name} out`);
        return name;
      }),
    );
    await host.settle();
    expect(order).toEqual(['a in']);
    first.open();
    expect(await host.runUntil(Promise.all(uses))).toEqual(['a', 'b', 'c']);
    expect(order).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
    expectEmpty(locks);
  });

  it('keeps other keys free', async () => {
    const { locks } = createRig();
    await locks.acquire('a');
    expect(locks.tryAcquire('b')?.held).toBe(true);
    expect(locks.tryAcquire('a')).toBeUndefined();
  });

  it.each([
    ['throws at once', () => Promise.reject(new Error('set-up')) as Promise<never>],
    [
      'throws synchronously',
      () => {
        throw new Error('set-up');
      },
    ],
    [
      'gives what cannot be awaited',
      () => ({
        get then(): never {
          throw new Error('set-up');
        },
      }),
    ],
  ])('is free after work that %s, whose error comes through', async (_how, work) => {
    const { locks } = createRig();
    await expect(locks.use('doc', work)).rejects.toThrow('set-up');
    expectEmpty(locks);
    expect(locks.tryAcquire('doc')?.held).toBe(true);
  });

  it('is released exactly once, whoever asks and however often; what comes later is reported', async () => {
    const { locks, told } = createRig();
    const lease = await locks.acquire('doc');
    const next = await Promise.all([lease.release(), lease.release(), lease.release()]);
    expect(next).toEqual([true, false, false]);
    expect(told('lock.released')).toHaveLength(1);
    expect(told('lock.release_ignored')).toMatchObject([{ why: 'released' }, { why: 'released' }]);
  });

  it('is not freed under its new holder by the old one', async () => {
    const { locks } = createRig();
    const old = await locks.acquire('doc');
    await old.release();
    const now = await locks.acquire('doc');
    expect(await old.release()).toBe(false);
    expect(now.held).toBe(true);
    expect(locks.tryAcquire('doc')).toBeUndefined();
  });

  it('gives tokens that grow from grant to grant, also in a later start of the service', async () => {
    const { locks, host } = createRig();
    const tokens: number[] = [];
    for (let i = 0; i < 3; i++) await locks.use('doc', ({ token }) => tokens.push(token));
    await host.advance(1);
    const later = createLocks({ host });
    await later.use('doc', ({ token }) => tokens.push(token));
    expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
    expect(new Set(tokens).size).toBe(4);
  });

  it('is let go of by await using', async () => {
    const { locks } = createRig();
    {
      await using lease = await locks.acquire('doc');
      expect(lease.held).toBe(true);
    }
    expectEmpty(locks);
  });
});

describe('a claim that waits', () => {
  it('is refused at its limit, exactly then, with the holder named and the work not started', async () => {
    const { locks, host } = createRig({ maxWaitMs: 100 });
    const lease = await locks.acquire('doc', { owner: 'importer' });
    let started = false;
    const waiting = watch(locks.use('doc', () => (started = true), { owner: 'editor' }));
    await host.advance(99);
    expect(waiting.now).toBe('pending');
    await host.advance(1);
    expect(waiting).toMatchObject({ now: 'ERR_LOCK_TIMEOUT', outcome: 'not_started' });
    expect(String(waiting.error)).toContain('held by importer');
    await lease.release();
    await host.settle();
    expect(started).toBe(false);
    expectEmpty(locks);
  });

  it('leaves no ghost when it is aborted: the next in line is served', async () => {
    const { locks, host, told } = createRig();
    const lease = await locks.acquire('doc');
    const controller = new AbortController();
    const gone = watch(locks.acquire('doc', { signal: controller.signal }));
    const next = watch(locks.acquire('doc'));
    await host.settle();
    controller.abort(new Error('went away'));
    await host.settle();
    expect(gone.error).toEqual(new Error('went away'));
    await lease.release();
    await host.settle();
    expect((next.now as LockLease).held).toBe(true);
    expect(told('lock.refused')).toMatchObject([{ why: 'aborted' }]);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('is refused at once where the line is full, the deadline has passed or the signal has fired', async () => {
    const { locks, host } = createRig({ maxWaiting: 1 });
    await locks.acquire('doc');
    void locks.acquire('doc').catch(() => {});
    const outcomes = [
      watch(locks.acquire('doc')),
      watch(locks.acquire('free', { deadline: host.monotonic() })),
      watch(locks.acquire('free', { signal: AbortSignal.abort('no') })),
    ];
    await host.settle();
    expect(outcomes.map(({ now }) => now)).toEqual(['ERR_LOCK_QUEUE_FULL', 'ERR_DEADLINE_PASSED', 'no']);
    expect(locks.inspect().keys).toMatchObject([{ key: 'doc', waiting: [{}] }]);
  });

  it('is refused when the locks are disposed of; what is held stays good', async () => {
    const { locks, host } = createRig();
    const lease = await locks.acquire('doc');
    const waiting = watch(locks.acquire('doc'));
    locks.dispose();
    locks.dispose();
    await host.settle();
    expect(waiting.now).toBe('ERR_LOCKS_DISPOSED');
    await expect(locks.acquire('other')).rejects.toMatchObject({ code: 'ERR_LOCKS_DISPOSED' });
    expect(lease.held).toBe(true);
    expect(await lease.release()).toBe(true);
  });
});

describe('work under a lock', () => {
  it('keeps the lock until it is over itself, though its caller was let go at the deadline', async () => {
    const { locks, host } = createRig();
    const work = gate();
    let signal!: AbortSignal;
    const call = watch(
      locks.use(
        'doc',
        (lease) => {
          signal = lease.signal;
          return work.passed;
        },
        { deadline: host.monotonic() + 50 },
      ),
    );
    await host.advance(50);
    expect(call).toMatchObject({ now: 'ERR_DEADLINE_PASSED', outcome: 'unknown' });
    expect(signal.aborted).toBe(true);
    expect(locks.tryAcquire('doc')).toBeUndefined();
    work.open();
    await host.settle();
    expect(locks.tryAcquire('doc')?.held).toBe(true);
  });

  it('hears of the abort of its caller', async () => {
    const { locks, host } = createRig();
    const controller = new AbortController();
    const reasons: unknown[] = [];
    const call = watch(
      locks.use(
        'doc',
        (lease) =>
          new Promise<void>((resolve) => {
            lease.signal.addEventListener('abort', () => {
              reasons.push(lease.signal.reason);
              resolve();
            });
          }),
        { signal: controller.signal },
      ),
    );
    controller.abort('stop');
    await host.settle();
    expect([call.now, reasons]).toEqual(['stop', ['stop']]);
    expectEmpty(locks);
  });
});

describe('a lease with a time to live', () => {
  it('expires without heartbeats: the next is served, the holder told, its late release ignored', async () => {
    const { locks, host, told } = createRig({ ttlMs: 100 });
    const lease = await locks.acquire('doc');
    const { signal } = lease;
    const next = watch(locks.acquire('doc'));
    await host.advance(100);
    expect(lease.held).toBe(false);
    expect(signal.reason).toMatchObject({
      code: 'ERR_LOCK_LOST',
      data: { why: 'expired', token: lease.token },
    });
    const after = next.now as LockLease;
    expect(after.token).toBeGreaterThan(lease.token);
    expect(await lease.release()).toBe(false);
    expect(after.held).toBe(true);
    expect(told('lock.release_ignored')).toMatchObject([{ token: lease.token, why: 'lost' }]);
    expect(await lease.heartbeat()).toBe(false);
  });

  it('lives as long as heartbeats come in time', async () => {
    const { locks, host } = createRig({ ttlMs: 100 });
    const lease = await locks.acquire('doc');
    for (let i = 0; i < 5; i++) {
      await host.advance(99);
      expect(await lease.heartbeat()).toBe(true);
    }
    await host.advance(100);
    expect(lease.held).toBe(false);
  });

  it('fails the work that ended after it had expired: it was not alone', async () => {
    const { locks, host } = createRig({ ttlMs: 100 });
    const work = gate();
    const call = watch(locks.use('doc', () => work.passed));
    await host.advance(100);
    work.open();
    await host.settle();
    expect(call).toMatchObject({ now: 'ERR_LOCK_LOST', outcome: 'unknown' });
  });

  it('is watched: renewed while its holder lives, freed as soon as that is dead, though nobody releases it', async () => {
    const { locks, host, told } = createRig({ ttlMs: 90 });
    let alive = true;
    const lease = await locks.acquire('doc', { isAlive: () => alive });
    const next = watch(locks.acquire('doc', { maxWaitMs: Number.POSITIVE_INFINITY }));
    await host.advance(1_000);
    expect(lease.held).toBe(true);
    alive = false;
    await host.advance(30);
    expect(lease.held).toBe(false);
    expect((next.now as LockLease).held).toBe(true);
    expect(told('lock.lost')).toMatchObject([{ why: 'holder_dead' }]);
  });

  it('leaves no timer behind', async () => {
    const { locks, host } = createRig({ ttlMs: 90 });
    await locks.use('doc', () => 1, { isAlive: () => true });
    expect(host.pendingTimers()).toEqual([]);
  });
});

describe('a line of thousands', () => {
  it('is served without nesting, and leaves nothing', async () => {
    const { locks, host } = createRig({ maxWaiting: 20_000 });
    let served = 0;
    const uses = Array.from({ length: 20_000 }, () => locks.use('doc', () => (served += 1)));
    await host.runUntil(Promise.all(uses));
    expect(served).toBe(20_000);
    expectEmpty(locks);
    expect(host.pendingTimers()).toEqual([]);
  });
});
