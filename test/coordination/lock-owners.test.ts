import { describe, expect, it } from 'vitest';
import type { LockLease } from '../../src/coordination/lock-lease.ts';
import { createLocks } from '../../src/coordination/locks.ts';
import type { ActorContext } from '../../src/kernel/logic.ts';
import { createRig as createSystemRig, part, watch } from '../kernel/rig.ts';
import { createRig, expectEmpty } from './locks-rig.ts';

describe('an owner', () => {
  it('that holds a key is refused it again', async () => {
    const { locks } = createRig();
    const mine = locks.as('editor');
    await mine.use('doc', async () => {
      await expect(mine.use('doc', () => 1)).rejects.toMatchObject({
        code: 'ERR_LOCK_REENTRANT',
        message: expect.stringContaining('editor holds doc already'),
      });
    });
    expectEmpty(locks);
  });

  it('may take it again where that was asked for; the key is free after the last release', async () => {
    const { locks } = createRig({ reentrant: true });
    const mine = locks.as('editor');
    const outer = await mine.acquire('doc');
    const inner = await mine.acquire('doc');
    expect(inner.token).toBe(outer.token);
    expect(await outer.release()).toBe(true);
    expect(locks.tryAcquire('doc')).toBeUndefined();
    expect(await inner.release()).toBe(true);
    expectEmpty(locks);
  });

  it('cannot become the writer while it reads, whatever was asked for', async () => {
    const { locks } = createRig({ reentrant: true });
    const mine = locks.as('editor');
    await mine.acquire('doc', { mode: 'shared' });
    await expect(mine.acquire('doc')).rejects.toMatchObject({ code: 'ERR_LOCK_REENTRANT' });
  });

  it('is told of a cycle when the wait that closes it begins, with the whole cycle in words', async () => {
    const { locks, host } = createRig();
    const [a, b, c] = [locks.as('anna'), locks.as('ben'), locks.as('carl')];
    await Promise.all([a.acquire('x'), b.acquire('y'), c.acquire('z')]);
    const waits = [watch(a.acquire('y')), watch(b.acquire('z'))];
    const closing = watch(c.acquire('x'));
    await host.settle();
    expect(closing.now).toBe('ERR_LOCK_CYCLE');
    expect(String(closing.error)).toContain(
      'carl waits for x, held by anna waits for y, held by ben waits for z, held by carl',
    );
    expect(waits.map(({ now }) => now)).toEqual(['pending', 'pending']);
    expect(locks.releaseAll('carl')).toBe(1);
    await host.settle();
    expect(waits[1]?.now).toMatchObject({ held: true });
  });

  it('is what nested work is, though nobody named one', async () => {
    const { locks } = createRig();
    await locks.use('doc', async (lease) => {
      await expect(lease.use('doc', () => 1)).rejects.toMatchObject({ code: 'ERR_LOCK_REENTRANT' });
      expect(await lease.use('other', () => 'fine')).toBe('fine');
    });
    expectEmpty(locks);
  });

  it('frees everything at once, and leaves every line', async () => {
    const { locks, host, told } = createRig();
    const mine = locks.as('client 7');
    const held = [await mine.acquire('a'), await mine.acquire('b')];
    await locks.acquire('c');
    const waiting = watch(mine.acquire('c'));
    await host.settle();
    expect(locks.releaseAll('client 7')).toBe(3);
    await host.settle();
    expect(waiting.now).toBe('ERR_LOCK_OWNER_ENDED');
    expect(held.map((lease) => lease.held)).toEqual([false, false]);
    expect(told('lock.lost')).toMatchObject([{ why: 'owner_ended' }, { why: 'owner_ended' }]);
    expect(locks.releaseAll('client 7')).toBe(0);
  });

  it.each(['kill', 'throw', 'stop'])('that is an actor takes its locks along: %s', async (how) => {
    const rig = createSystemRig();
    const locks = createLocks({ host: rig.host });
    let context!: ActorContext;
    const handle = await rig.start(
      part('holder', (own) => {
        context = own;
        return {
          tell: () => {
            throw new Error('as told');
          },
        };
      }),
    );
    const lease = await locks.as(context).acquire('doc');
    const next = watch(locks.acquire('doc'));
    if (how === 'kill') rig.system.exit(handle, 'kill');
    else if (how === 'stop') context.stop();
    else handle.tell('now');
    await rig.host.settle();
    expect(lease.held).toBe(false);
    expect((next.now as LockLease).held).toBe(true);
  });

  it('has its claims bounded by the deadline of the call that an actor handles', async () => {
    const rig = createSystemRig();
    const locks = createLocks({ host: rig.host });
    await locks.acquire('doc');
    const seen: unknown[] = [];
    const handle = await rig.start(
      part('caller', (context) => ({
        call: async () => {
          await locks
            .as(context)
            .use('doc', () => 1)
            .catch((error: { code: string }) => seen.push(error.code));
        },
      })),
    );
    const call = watch(handle.call('go', { timeoutMs: 200 }));
    await rig.host.advance(200);
    expect(call.settled).toBe(true);
    expect(seen).toEqual(['ERR_LOCK_TIMEOUT']);
  });
});

describe('readers and permits', () => {
  it('readers hold a key together; a writer waits for them and is not overtaken by later readers', async () => {
    const { locks, host } = createRig();
    const shared = { mode: 'shared' } as const;
    const readers = [await locks.acquire('doc', shared), await locks.acquire('doc', shared)];
    const writer = watch(locks.acquire('doc'));
    const late = watch(locks.acquire('doc', shared));
    await host.settle();
    for (const reader of readers) await reader.release();
    await host.settle();
    expect((writer.now as LockLease).held).toBe(true);
    expect(late.now).toBe('pending');
    await (writer.now as LockLease).release();
    await host.settle();
    expect((late.now as LockLease).mode).toBe('shared');
  });

  it('a counting lock is held by as many as it has permits, by weight', async () => {
    const { locks, host } = createRig({ permits: 3 });
    const two = await locks.acquire('gpu', { units: 2 });
    const one = await locks.acquire('gpu');
    const big = watch(locks.acquire('gpu', { units: 3 }));
    await one.release();
    await host.settle();
    expect(big.now).toBe('pending');
    await two.release();
    await host.settle();
    expect((big.now as LockLease).held).toBe(true);
    await expect(locks.acquire('gpu', { units: 4 })).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' });
  });
});
