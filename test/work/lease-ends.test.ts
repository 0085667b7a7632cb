import { describe, expect, it } from 'vitest';
import { server } from '../../src/kernel/server.ts';
import { createSpec } from '../../src/kernel/spec.ts';
import { createSystem } from '../../src/kernel/system.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { scriptedWorkers } from '../../src/testing/scripted-worker.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import type { Lease } from '../../src/work/lease.ts';
import { type PoolHandle, pool } from '../../src/work/pool.ts';
import { type Fate, fateOf, stage } from './pool-stage.ts';

describe('a lease ends', () => {
  it('when its time is over, as if it had been given back', async () => {
    const { host, pool, of } = await stage({ size: 1 });
    const lease = await host.runUntil(pool.lease({ holdMs: 100 }));
    const running = fateOf(lease.run('x', { do: 'hang' }));
    await host.advance(99);
    expect(lease.active).toBe(true);
    await host.advance(1);
    expect(lease.active).toBe(false);
    expect(running.error?.code).toBe('ERR_JOB_ABORTED');
    expect(of('pool.lease.revoked')).toMatchObject([{ worker: 'worker-1', heldMs: 100 }]);
    await host.settle();
    expect(pool.inspect()).toMatchObject({ idle: 1, leases: 0 });
  });

  it('when the signal aborts that it was taken with, waiting or held', async () => {
    const { host, pool } = await stage({ size: 1 });
    const [first, second] = [new AbortController(), new AbortController()];
    const lease = await host.runUntil(pool.lease({ signal: first.signal }));
    const waiting = fateOf(pool.lease({ signal: second.signal }));
    second.abort();
    await host.settle();
    expect(waiting.error?.code).toBe('ERR_POOL_ABORTED');
    expect(lease.active).toBe(true);
    first.abort();
    expect(lease.active).toBe(false);
    await host.settle();
    expect(pool.inspect()).toMatchObject({ idle: 1, leases: 0 });
  });

  it('and holds neither timer nor listener from then on', async () => {
    const { host, pool, system } = await stage({ size: 1, leaseLeakMs: 1_000 });
    const lease = await host.runUntil(pool.lease({ holdMs: 5_000, signal: new AbortController().signal }));
    lease.release();
    await host.runUntil(system.stop(pool));
    expect(host.pendingTimers()).toEqual([]);
  });
});

/** An actor that leases a worker through its context when told. */
const holding = async () => {
  const host = new SimulatedHost();
  const system = createSystem({ host });
  const kind = scriptedWorkers();
  const workers = pool('workers', { worker: kind, size: 1, leaseLeakMs: 500 });
  const leases: Lease[] = [];
  const fates: { code?: string }[] = [];
  /** The pool as the actor sees it, and what waits for the actor's end. */
  const handles: PoolHandle[] = [];
  const onEnds: ((release: () => void) => unknown)[] = [];
  const holder = createSpec(
    'holder',
    server({
      init: () => 0,
      cast: {
        take: (_, __, ctx) => {
          const fate: { code?: string } = {};
          fates.push(fate);
          const handle = ctx.get(workers);
          handles.push(handle);
          onEnds.push((release) => ctx.onEnd(release));
          handle.lease().then(
            (lease) => leases.push(lease),
            (error: { code: string }) => Object.assign(fate, { code: error.code }),
          );
        },
      },
    }),
  );
  await host.runUntil(system.start(supervisor('root', { children: [workers, holder] })));
  await host.settle();
  return {
    host,
    system,
    pool: system.get(workers),
    holder: system.get(holder),
    leases,
    fates,
    handles,
    onEnds,
  };
};

describe('a lease that an actor holds', () => {
  it('ends with the actor, and so does what it waited for: the dead hold nothing', async () => {
    const { host, system, pool, holder, leases } = await holding();
    holder.tell({ type: 'take' });
    holder.tell({ type: 'take' });
    await host.settle();
    expect([leases.length, pool.inspect().leases, pool.inspect().waiting]).toEqual([1, 1, 1]);
    system.exit(holder, 'kill');
    await host.settle();
    expect(leases.some(({ active }) => active)).toBe(false);
    expect(pool.inspect()).toMatchObject({ leases: 0, waiting: 0, idle: 1, heldLeases: [] });
  });

  it('is not even waited for after the end of the actor', async () => {
    const { host, system, pool, holder, leases, fates } = await holding();
    const others = await host.runUntil(pool.lease());
    holder.tell({ type: 'take' });
    await host.settle();
    expect(pool.inspect().waiting).toBe(1);
    system.exit(holder, 'kill');
    await host.settle();
    expect([fates[0]?.code, leases.length, pool.inspect().waiting]).toEqual(['ERR_POOL_ABORTED', 0, 0]);
    others.release();
    expect(pool.inspect().idle).toBe(1);
  });

  it('is refused at once to an actor that has ended, by a handle it had before: nothing leaks and nobody waits', async () => {
    const { host, system, pool, holder, handles } = await holding();
    holder.tell({ type: 'take' });
    await host.settle();
    const [own] = handles;
    if (own === undefined) throw new Error('no handle');
    system.exit(holder, 'kill');
    await host.settle();
    const before = pool.inspect();
    const fates = [fateOf(own.lease()), fateOf(own.use(() => 'never')), fateOf(own.lease({ holdMs: 10 }))];
    await host.settle();
    expect(fates.map(({ error, settled }) => [error?.code, settled])).toEqual(
      Array(3).fill(['ERR_FENCED', 1]),
    );
    expect(pool.inspect()).toMatchObject({ leases: 0, waiting: 0, idle: 1, heldLeases: [] });
    expect(pool.inspect().counts).toEqual(before.counts);
    // Where a wait would have been needed it is the same: the line stays as it was.
    const others = await host.runUntil(pool.lease());
    const late = fateOf(own.lease());
    await host.settle();
    expect([late.error?.code, pool.inspect().waiting]).toEqual(['ERR_FENCED', 0]);
    others.release();
    expect(await host.runUntil(pool.run('x', 1))).toBe(1);
  });

  it('is refused to what an ending actor is let go by, when that asks for another', async () => {
    const { host, system, pool, holder, handles, onEnds } = await holding();
    holder.tell({ type: 'take' });
    await host.settle();
    const [own] = handles;
    const second: Fate[] = [];
    for (const onEnd of onEnds) onEnd(() => own !== undefined && second.push(fateOf(own.lease())));
    system.exit(holder, 'kill');
    await host.settle();
    expect(second.map(({ error }) => error?.code)).toEqual(['ERR_FENCED']);
    expect(pool.inspect()).toMatchObject({ leases: 0, waiting: 0, idle: 1 });
  });

  it('is held under the name of the actor', async () => {
    const { host, pool, holder } = await holding();
    holder.tell({ type: 'take' });
    await host.settle();
    expect(pool.inspect().heldLeases).toMatchObject([{ worker: 'worker-1', holder: 'root/holder' }]);
  });
});

describe('a lease that is held for too long', () => {
  const forgetful = (take: () => Promise<Lease>): Promise<Lease> => take();

  it('is told of with who took it and where, and again after as long', async () => {
    const { host, pool, of } = await stage({ size: 2, leaseLeakMs: 1_000 });
    const lease = await host.runUntil(forgetful(() => pool.lease({ holder: 'the report' })));
    (await host.runUntil(pool.lease())).release();
    await host.advance(999);
    expect(of('pool.lease.leaked')).toEqual([]);
    await host.advance(1);
    const [leaked] = of('pool.lease.leaked');
    expect(leaked).toMatchObject({ worker: lease.worker.id, heldMs: 1_000, holder: 'the report' });
    expect(leaked?.stack).toMatch(/forgetful.*lease-ends\.test|lease-ends\.test/s);
    expect(leaked?.stack).not.toMatch(/src\/work\/(?:pool|intake)\.ts/);
    await host.advance(1_000);
    expect(of('pool.lease.leaked').map(({ heldMs }) => heldMs)).toEqual([1_000, 2_000]);
    lease.release();
    await host.advance(5_000);
    expect(of('pool.lease.leaked').length).toBe(2);
  });

  it('is told of with where use() was called', async () => {
    const { host, pool, of } = await stage({ size: 1, leaseLeakMs: 100 });
    const held = fateOf(pool.use((lease) => lease.run('x', { do: 'succeed', afterMs: 150 })));
    await host.advance(100);
    expect(of('pool.lease.leaked')[0]?.stack).toMatch(/lease-ends\.test/);
    await host.advance(50);
    expect(held.status).toBe('fulfilled');
  });
});
