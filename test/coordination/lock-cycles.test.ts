/** Circles of waits, one by one; `property-tests/coordination/lock-cycles.prop.ts` has any, beside an oracle. */
import { describe, expect, it } from 'vitest';
import type { LockLease } from '../../src/coordination/lock-lease.ts';
import { watch } from '../kernel/rig.ts';
import { createRig, expectEmpty } from './locks-rig.ts';

describe('a circle of waits', () => {
  it('is no deadlock where another permit may come free', async () => {
    const { locks, host } = createRig({ permits: 2 });
    const [a, b, c] = [locks.as('anna'), locks.as('ben'), locks.as('carl')];
    await a.acquire('connection');
    const free = await b.acquire('connection');
    await c.acquire('document', { units: 2 });
    const waits = [watch(c.acquire('connection')), watch(a.acquire('document'))];
    await host.settle();
    expect(waits.map(({ now }) => now)).toEqual(['pending', 'pending']);
    free.release();
    await host.settle();
    expect(waits[0]?.now).toMatchObject({ held: true });
  });

  it('is one where all permits are held by those in it', async () => {
    const { locks, host } = createRig({ permits: 2 });
    const [a, b, c] = [locks.as('anna'), locks.as('ben'), locks.as('carl')];
    await a.acquire('connection');
    await b.acquire('connection');
    await c.acquire('document', { units: 2 });
    const waits = [c.acquire('connection'), b.acquire('document')].map((claim) => watch(claim));
    await host.settle();
    expect(waits.map(({ now }) => now)).toEqual(['pending', 'pending']);
    const last = watch(a.acquire('document'));
    await host.settle();
    expect(last.now).toBe('ERR_LOCK_CYCLE');
  });

  it('is not seen in an owner that stands in line behind itself where there is room for both', async () => {
    const { locks, host } = createRig({ permits: 3 });
    const all = await locks.as('anna').acquire('x', { units: 3 });
    const waits = [locks.as('ben').acquire('x'), locks.as('ben').acquire('x')].map((claim) => watch(claim));
    await host.settle();
    expect(waits.map(({ now }) => now)).toEqual(['pending', 'pending']);
    all.release();
    await host.settle();
    expect(waits.map(({ now }) => now)).toMatchObject([{ held: true }, { held: true }]);
  });

  it('is seen past somebody without a name who stands between, and could not be served either', async () => {
    const { locks, host } = createRig({ permits: 2 });
    const [anna, ben] = [locks.as('anna'), locks.as('ben')];
    await anna.acquire('x');
    await ben.acquire('y', { units: 2 });
    const between = watch(locks.acquire('x', { units: 2 }));
    const behind = watch(ben.acquire('x'));
    const last = watch(anna.acquire('y'));
    await host.settle();
    expect([between.now, behind.now, last.now]).toEqual(['pending', 'pending', 'ERR_LOCK_CYCLE']);
    expect(String(last.error)).toContain('anna waits for y, held by ben waits for x, held by anna');
  });

  it('names who is only ahead in the line as such', async () => {
    const { locks, host } = createRig();
    const [anna, ben, carl] = [locks.as('anna'), locks.as('ben'), locks.as('carl')];
    await anna.acquire('x', { mode: 'shared' });
    await ben.acquire('y');
    const waits = [watch(carl.acquire('x')), watch(ben.acquire('x', { mode: 'shared' }))];
    await host.settle();
    const last = watch(carl.acquire('y'));
    await host.settle();
    expect(waits.map(({ now }) => now)).toEqual(['pending', 'pending']);
    expect(String(last.error)).toContain(
      'carl waits for y, held by ben waits for x, asked for before by carl',
    );
  });

  it('is not seen in owners that take one lock after the other', async () => {
    const { locks, host } = createRig();
    const claims: LockLease[] = [];
    for (const owner of ['anna', 'ben', 'anna', 'ben'])
      for (const key of ['x', 'y']) {
        const lease = await locks.as(owner).acquire(key);
        claims.push(lease);
        lease.release();
      }
    await host.settle();
    expect(claims).toHaveLength(8);
    expectEmpty(locks);
  });
});
