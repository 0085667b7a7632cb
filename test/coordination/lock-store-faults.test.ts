/** What a store of locks may do wrong, and what the locks make of it. */
import { describe, expect, it } from 'vitest';
import { LocalLockStore } from '../../src/coordination/local-lock-store.ts';
import type { LockHolder, LockStore } from '../../src/coordination/lock-store.ts';
import { createLocks } from '../../src/coordination/locks.ts';
import { createScope } from '../../src/coordination/scope.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { watch } from '../kernel/rig.ts';

describe('a store', () => {
  const refusing = (when: 'at once' | 'later', host: SimulatedHost): LockStore => ({
    claim: (_claim, holder: LockHolder) => {
      const refuse = () => holder.refused(new Error('no quorum'));
      if (when === 'at once') refuse();
      else host.timer(5, 'refusal', refuse);
      return { withdraw: () => {}, renew: () => false, release: () => false };
    },
    waiting: () => 0,
    keys: () => [],
  });

  it.each(['at once', 'later'] as const)('that refuses %s is heard', async (when) => {
    const host = new SimulatedHost();
    const locks = createLocks({ host, store: refusing(when, host) });
    const claim = watch(locks.as('client').acquire('doc'));
    await host.advance(5);
    expect(claim.error).toMatchObject({ message: 'no quorum' });
    expect(locks.releaseAll('client')).toBe(0);
  });

  it('that throws as one lease is freed keeps the others of its owner from nothing, and is told of', async () => {
    const host = new SimulatedHost();
    const inner = new LocalLockStore({ host, permits: 1 });
    const store: LockStore = {
      claim: (claim, holder) => {
        const ticket = inner.claim(claim, holder);
        const release = (): boolean => {
          if (claim.key === 'b') throw new Error('not connected');
          return ticket.release() === true;
        };
        return { withdraw: () => ticket.withdraw(), renew: () => ticket.renew(), release };
      },
      waiting: (key) => inner.waiting(key),
      keys: (only) => inner.keys(only),
    };
    const locks = createLocks({ host, store });
    const failed: string[] = [];
    locks.events.on('lock.release_failed', ({ key }) => failed.push(key));
    const scope = createScope({ host });
    for (const key of ['a', 'b', 'c']) await locks.as(scope).acquire(key);
    expect((await host.runUntil(scope.close())).failures).toEqual([]);
    await host.settle();
    expect(failed).toEqual(['b']);
    expect(locks.inspect().keys.map(({ key }) => key)).toEqual(['b']);
    expect((await locks.acquire('c')).release()).toBe(true);
  });

  it('that throws leaves nothing of the claim', async () => {
    const host = new SimulatedHost();
    const store = {
      ...refusing('later', host),
      claim: () => {
        throw new Error('not connected');
      },
    };
    const locks = createLocks({ host, store });
    await expect(locks.as('client').acquire('doc')).rejects.toThrow('not connected');
    expect(locks.releaseAll('client')).toBe(0);
  });
});
