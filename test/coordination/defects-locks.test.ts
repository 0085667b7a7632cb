/** What went wrong with locks elsewhere, and here before: each cannot happen, by name. */
import { describe, expect, it } from 'vitest';
import { LocalLockStore } from '../../src/coordination/local-lock-store.ts';
import type { LockStore, LockTicket } from '../../src/coordination/lock-store.ts';
import { createLocks } from '../../src/coordination/locks.ts';
import { createScope } from '../../src/coordination/scope.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { gate, watch } from '../kernel/rig.ts';
import { createRig, expectEmpty } from './locks-rig.ts';

describe('defects of lock managers', () => {
  it('a watchdog that finds a dead holder locks nobody else out: other keys, and the same one, go on at once', async () => {
    const { locks, host } = createRig();
    let alive = true;
    await locks.acquire('user:a.py', { ttlMs: 30_000, isAlive: () => alive });
    const next = watch(locks.acquire('user:a.py', { maxWaitMs: 60_000 }));
    alive = false;
    await host.advance(10_000);
    expect(next.now).toMatchObject({ held: true });
    expect(locks.tryAcquire('user:b.py')).toMatchObject({ held: true });
  });

  it('a watchdog may itself claim and release while it is asked', async () => {
    const { locks, host } = createRig();
    await locks.acquire('doc', {
      ttlMs: 3_000,
      isAlive: () => {
        locks.tryAcquire('other')?.release();
        return false;
      },
    });
    await host.advance(1_000);
    expectEmpty(locks);
  });

  it('the release of a wrong owner frees nothing', async () => {
    const { locks, told } = createRig();
    const [mine, theirs] = [locks.as('anna'), locks.as('ben')];
    const lease = await mine.acquire('doc');
    await lease.release();
    const now = await theirs.acquire('doc');
    expect(await lease.release()).toBe(false);
    expect(locks.releaseAll('anna')).toBe(0);
    expect(now.held).toBe(true);
    expect(told('lock.release_ignored')).toHaveLength(1);
  });

  it('three ways of stopping at once are one release', async () => {
    const { locks, host, told } = createRig();
    const stop = new AbortController();
    const working = gate();
    const run = watch(
      locks.as('client').use(
        'doc',
        async (lease) => {
          await working.passed;
          await lease.release();
        },
        { signal: stop.signal },
      ),
    );
    await host.settle();
    stop.abort(new Error('stopped'));
    locks.releaseAll('client');
    working.open();
    await host.settle();
    expect(run.now).not.toBe('pending');
    expect([...told('lock.released'), ...told('lock.lost')]).toHaveLength(1);
    expect(locks.inspect()).toMatchObject({ keys: [], granted: 1, released: 0, lost: 1 });
  });

  it('a set-up that fails after the lock was taken leaves it free', async () => {
    const { locks } = createRig();
    for (const fail of [
      () => {
        throw new Error('no such file');
      },
      () => Promise.reject(new Error('no such file')),
    ])
      await expect(locks.use('doc', fail)).rejects.toThrow('no such file');
    expectEmpty(locks);
  });

  it('whatever throws between the asking and the work leaves it free, for everyone', async () => {
    const fault = new Error('as told');
    const hostile = (): never => {
      throw fault;
    };
    const stages: Record<string, (locks: ReturnType<typeof createRig>['locks']) => unknown> = {
      'an option': (locks) => locks.use('doc', () => 1, { ttlMs: 0 }),
      'an owner': (locks) => locks.use('doc', () => 1, { owner: { onEnd: hostile } }),
      'a deadline': (locks) =>
        locks.as(Object.defineProperty({}, 'deadline', { get: hostile })).use('doc', () => 1),
      'a name': (locks) =>
        locks.use('doc', () => 1, { owner: Object.defineProperty({}, 'path', { get: hostile }) }),
      'the question whether it lives': (locks) =>
        locks.use('doc', () => new Promise(() => {}), { ttlMs: 30, isAlive: hostile }),
      'the work': (locks) => locks.use('doc', hostile),
      'what the work gives': (locks) =>
        locks.use('doc', () => Object.defineProperty({}, 'then', { get: hostile }) as Promise<void>),
      'the then of that': (locks) => locks.use('doc', () => ({ then: hostile }) as unknown as Promise<void>),
    };
    for (const [stage, use] of Object.entries(stages)) {
      for (const waits of [false, true]) {
        const { locks, host, events } = createRig();
        const before = waits ? await locks.acquire('doc') : undefined;
        const outcome = watch(Promise.resolve().then(() => use(locks)));
        await host.settle();
        before?.release();
        await host.advance(30);
        const after = watch(locks.use('doc', () => 'served'));
        await host.settle();
        expect([stage, waits, after.now]).toEqual([stage, waits, 'served']);
        expect(locks.inspect().keys).toEqual([]);
        expect(events.length).toBeGreaterThan(0);
        expect(outcome.settled || stage.startsWith('the question')).toBe(true);
      }
    }
  });

  it('a listener that throws as it hears of a grant keeps nobody from the lock', async () => {
    const { locks, host } = createRig();
    locks.events.on('lock.granted', () => {
      throw new Error('as told');
    });
    const uses = [1, 2, 3].map((number) => watch(locks.use('doc', async () => number)));
    await host.settle();
    expect(uses.map(({ now }) => now)).toEqual([1, 2, 3]);
    expectEmpty(locks);
  });

  it('twelve scripts that write into one file never write into each other’s lines', async () => {
    const { locks, host } = createRig();
    const file: string[] = [];
    const script = async (name: string): Promise<void> => {
      for (let page = 0; page < 5; page++) {
        await locks.as(name).use('file', async () => {
          for (let line = 0; line < 3; line++) {
            await new Promise<void>((resolve) => host.timer(host.random.below(4), 'disk', resolve));
            file.push(`${name} ${page}.${line}`);
          }
        });
      }
    };
    await host.runUntil(Promise.all(Array.from({ length: 12 }, (_, number) => script(`script ${number}`))));
    expect(file).toHaveLength(12 * 15);
    for (let at = 0; at < file.length; at += 3) {
      const page = file[at]?.slice(0, -2);
      expect(file.slice(at, at + 3)).toEqual([0, 1, 2].map((line) => `${page}.${line}`));
    }
  });

  it('a sweep by age frees no living owner: however long it works, it holds', async () => {
    const { locks, host } = createRig();
    const watched = await locks.acquire('doc', { ttlMs: 30_000, isAlive: () => true });
    const plain = await locks.acquire('other');
    await host.advance(3_600_000);
    expect([watched.held, plain.held]).toEqual([true, true]);
  });

  it('keys are pruned, and a claim costs no thread and no timer that stays', async () => {
    const { locks, host } = createRig();
    for (let round = 0; round < 1_000; round++) await locks.use(`user:${round}`, () => round);
    expectEmpty(locks);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('the limits are exact: the attempt ends at its own time, not at a poll', async () => {
    const { locks, host } = createRig();
    await locks.acquire('doc');
    const second = watch(locks.acquire('doc', { maxWaitMs: 1_000 }));
    await host.advance(999);
    expect(second.now).toBe('pending');
    await host.advance(1);
    expect(second.now).toBe('ERR_LOCK_TIMEOUT');
  });
});

describe('a release that fails is a bug that surfaces', () => {
  const failing = (host: SimulatedHost, release: () => boolean | Promise<boolean>): LockStore => {
    const local = new LocalLockStore({ host, permits: 1 });
    return {
      claim: (claim, holder) => {
        const ticket = local.claim(claim, holder);
        return {
          withdraw: () => ticket.withdraw(),
          renew: () => ticket.renew(),
          release: () => {
            const answer = release();
            if (answer === true) return ticket.release();
            return answer;
          },
        } satisfies LockTicket;
      },
      waiting: (key) => local.waiting(key),
      keys: (only) => local.keys(only),
    };
  };

  it('it is never taken for done, whatever the work came to, and can be tried again', async () => {
    const host = new SimulatedHost();
    let down = true;
    const store = failing(host, () => (down ? Promise.reject(new Error('no route')) : true));
    const locks = createLocks({ host, store });
    const told: unknown[] = [];
    locks.events.on('lock.release_failed', (event) => told.push(event.error));
    await expect(locks.use('a', () => 1)).rejects.toMatchObject({ code: 'ERR_LOCK_RELEASE_FAILED' });
    const lease = await locks.as('client').acquire('b');
    await expect(lease.release()).rejects.toMatchObject({ code: 'ERR_LOCK_RELEASE_FAILED' });
    expect(lease.held).toBe(true);
    down = false;
    expect(await lease.release()).toBe(true);
    expect(lease.held).toBe(false);
    expect(told).toHaveLength(2);
    expect((await locks.as('client').acquire('b')).held).toBe(true);
  });

  it('work whose lock the store knows no more does not pass for done, nor does its owner keep the key', async () => {
    const host = new SimulatedHost();
    const locks = createLocks({ host, store: failing(host, async () => false) });
    await expect(locks.as('client').use('a', () => 1)).rejects.toMatchObject({ code: 'ERR_LOCK_LOST' });
    expect(locks.inspect()).toMatchObject({ lost: 1 });
    expect(locks.releaseAll('client')).toBe(0);
  });
});

describe('between two holders', () => {
  it('the release is told before the grant that it made room for, and no two leases are held', async () => {
    const { locks, host, events } = createRig();
    const first = await locks.acquire('doc');
    const second = locks.acquire('doc');
    let both = false;
    locks.events.on('lock.granted', () => {
      both ||= first.held;
    });
    await host.settle();
    first.release();
    expect((await second).held).toBe(true);
    expect(both).toBe(false);
    expect(events.map(({ type }) => type)).toEqual(['lock.granted', 'lock.released', 'lock.granted']);
  });

  it('whose lease expires hears of it before the next is granted', async () => {
    const { locks, host, events } = createRig({ ttlMs: 1_000 });
    await locks.acquire('doc');
    const second = watch(locks.acquire('doc', { maxWaitMs: 5_000 }));
    await host.advance(1_000);
    expect(second.now).toMatchObject({ held: true });
    expect(events.map(({ type }) => type)).toEqual(['lock.granted', 'lock.lost', 'lock.granted']);
  });

  it('the work of the next runs in its own turn, not in that of whoever released', async () => {
    const { locks, host } = createRig();
    const first = await locks.acquire('doc');
    const seen: string[] = [];
    const next = locks.use('doc', () => seen.push('next'));
    await host.settle();
    first.release();
    seen.push('released');
    await next;
    expect(seen).toEqual(['released', 'next']);
  });

  it('work whose caller left between its grant and its turn is not started, and the lock is free', async () => {
    const { locks, host } = createRig();
    const first = await locks.acquire('doc');
    const leave = new AbortController();
    let ran = false;
    const next = watch(
      locks.use(
        'doc',
        () => {
          ran = true;
        },
        { signal: leave.signal },
      ),
    );
    await host.settle();
    first.release();
    leave.abort(new Error('left'));
    await host.settle();
    expect(next.error).toMatchObject({ message: 'left' });
    expect(ran).toBe(false);
    expectEmpty(locks);
  });

  it('work whose lease was taken between its grant and its turn is not started', async () => {
    const { locks, host } = createRig();
    const first = await locks.acquire('doc');
    let ran = false;
    const next = watch(
      locks.as('client').use('doc', () => {
        ran = true;
      }),
    );
    await host.settle();
    first.release();
    locks.releaseAll('client');
    await host.settle();
    expect(next.now).toBe('ERR_LOCK_LOST');
    expect(next.error).toMatchObject({ outcome: 'not_started' });
    expect(ran).toBe(false);
    expectEmpty(locks);
  });
});

describe('an owner that has ended', () => {
  it('gets no lock that nobody would free: a scope', async () => {
    const { locks, host } = createRig();
    const scope = createScope({ host });
    const held = await locks.as(scope).acquire('a');
    await scope.close();
    expect(held.held).toBe(false);
    await expect(locks.as(scope).acquire('a')).rejects.toMatchObject({ code: 'ERR_LOCK_OWNER_ENDED' });
    expectEmpty(locks);
  });

  it('ended by a listener of its own grant holds nothing', async () => {
    const { locks, host } = createRig();
    locks.events.on('lock.granted', ({ owner }) => {
      if (owner === 'client') locks.releaseAll('client');
    });
    const claim = watch(locks.as('client').acquire('doc'));
    await host.settle();
    expect(claim.now).toBe('ERR_LOCK_LOST');
    expectEmpty(locks);
  });

  it('that is a dead holder on top of its own lease does not keep the key for ever', async () => {
    const { locks, host } = createRig({ reentrant: true });
    const mine = locks.as('editor');
    const outer = await mine.acquire('doc');
    let alive = true;
    await mine.acquire('doc', { ttlMs: 3_000, isAlive: () => alive });
    alive = false;
    await host.advance(1_000);
    await outer.release();
    expectEmpty(locks);
  });
});
