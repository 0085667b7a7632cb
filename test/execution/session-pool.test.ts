import { describe, expect, it } from 'vitest';
import { codeExecutor } from '../../src/execution/executor.ts';
import {
  type SessionPoolHandle,
  type SessionPoolOptions,
  sessionPool,
} from '../../src/execution/session-pool.ts';
import { actor } from '../../src/kernel/actor.ts';
import { server } from '../../src/kernel/server.ts';
import { createSystem } from '../../src/kernel/system.ts';
import { script } from '../../src/testing/kernel-script.ts';
import { type ScriptedKernelOptions, scriptedKernel } from '../../src/testing/scripted-kernel.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

const ONE = script(['value', 1]);

const rig = async (options: Partial<SessionPoolOptions> = {}, kernelOptions: ScriptedKernelOptions = {}) => {
  const host = new SimulatedHost();
  const system = createSystem({ host });
  const kernel = scriptedKernel(kernelOptions);
  const executor = codeExecutor('code', { kernels: [kernel], readyTimeoutMs: 1_000 });
  await host.runUntil(system.start(executor));
  const spec = sessionPool('warm', { executor, session: { language: 'scripted' }, ...options });
  const pool: SessionPoolHandle = await host.runUntil(system.start(spec));
  await host.settle();
  return {
    host,
    kernel,
    pool,
    spec,
    system,
    sessions: () => system.get(executor).sessions(),
    acquire: (user?: string) => host.runUntil(pool.acquire(user === undefined ? {} : { user })),
    run: (code = ONE, user?: string) =>
      host.runUntil(pool.use((session) => session.execute(code).result, user === undefined ? {} : { user })),
    end: async () => {
      await host.runUntil(system.shutdown());
      expect(kernel.live).toEqual([]);
      expect(host.pendingTimers()).toEqual([]);
    },
  };
};

const live = (kernel: { readonly live: readonly unknown[] }): number => kernel.live.length;

describe('a pool of sessions', () => {
  it('has the least number warm before anybody asks, and hands one out without starting any', async () => {
    const { host, kernel, pool, acquire, end } = await rig();
    expect([live(kernel), pool.inspect().idle]).toEqual([2, 2]);
    const before = host.monotonic();
    const held = await acquire();
    expect(host.monotonic() - before).toBeLessThan(1);
    expect([live(kernel), pool.inspect().held]).toEqual([2, 1]);
    await host.runUntil(held.release());
    await host.runUntil(held.release());
    expect(pool.inspect()).toMatchObject({ idle: 2, held: 0, recycled: 0 });
    await end();
  });

  it('never has more sessions than the most, starting ones included: 20 tasks in 10 places all end', async () => {
    const most = { now: 0, ever: 0 };
    const start = () => ({ afterMs: 40 });
    const { host, kernel, pool, end } = await rig({}, { start });
    const tasks = Array.from({ length: 20 }, async () => {
      await pool.use(async (session) => {
        most.now += 1;
        most.ever = Math.max(most.ever, most.now);
        await session.execute(script(['wait', 200], ['value', 1])).result;
        most.now -= 1;
      });
    });
    let processes = 0;
    const all = Promise.all(tasks);
    for (let over = false; !over; ) {
      void all.then(() => {
        over = true;
      });
      processes = Math.max(processes, live(kernel));
      await host.advance(10);
    }
    expect([most.ever, processes]).toEqual([10, 10]);
    await end();
  });

  it('a third acquirer of two places waits for one and gets it; without one it is told in time, and nothing hangs', async () => {
    const { host, pool, acquire, end } = await rig({ size: { min: 2, max: 2 }, acquireMs: 300 });
    const [first, second] = [await acquire(), await acquire()];
    await expect(host.runUntil(pool.acquire())).rejects.toMatchObject({ code: 'ERR_POOL_CHECKOUT_TIMEOUT' });
    const third = pool.acquire();
    await host.advance(100);
    await host.runUntil(first.release());
    const held = await host.runUntil(third);
    expect(held.session.id).toBe(first.session.id);
    await host.runUntil(Promise.all([second.release(), held.release()]));
    await end();
  });

  it('whoever gives up waiting takes no place from anybody', async () => {
    const { host, pool, acquire, end } = await rig({ size: { min: 1, max: 1 } });
    const held = await acquire();
    const giveUp = new AbortController();
    const waiting = pool.acquire({ signal: giveUp.signal });
    giveUp.abort();
    await expect(host.runUntil(waiting)).rejects.toMatchObject({ code: 'ERR_POOL_ABORTED' });
    await host.runUntil(held.release());
    expect(pool.inspect()).toMatchObject({ idle: 1, waiting: 0 });
    await end();
  });

  it('goes back to the least when nobody has come for long', async () => {
    const { host, kernel, pool, end } = await rig({ idleMs: 1_000 });
    const helds = await host.runUntil(Promise.all(Array.from({ length: 6 }, () => pool.acquire())));
    expect(live(kernel)).toBe(6);
    await host.runUntil(Promise.all(helds.map((held) => held.release())));
    await host.advance(60_000);
    expect([live(kernel), pool.inspect().sessions]).toEqual([2, 2]);
    await end();
  });

  it('a process goes after so many executions, once: the count begins anew with the next', async () => {
    const { kernel, pool, run, end } = await rig({
      size: { min: 1, max: 1 },
      recycle: { executions: 3 },
    });
    const pids: number[] = [];
    for (let i = 0; i < 9; i++) {
      await run();
      pids.push(kernel.ports.length);
    }
    expect(pids).toEqual([1, 1, 2, 2, 2, 3, 3, 3, 4]);
    expect(pool.inspect().recycled).toBe(3);
    await end();
  });

  it('a process that has grown too large goes when it is given back, and the small one stays', async () => {
    const { kernel, pool, run, end } = await rig({
      size: { min: 1, max: 1 },
      recycle: { memoryBytes: 1_000 },
    });
    await run(script(['set', 'residentBytes', 999]));
    expect(kernel.ports.length).toBe(1);
    await run(script(['set', 'residentBytes', 1_000]));
    expect([kernel.ports.length, pool.inspect().recycled]).toEqual([2, 1]);
    await run();
    expect(kernel.ports.length).toBe(2);
    await end();
  });

  it('a session goes when it is old, and another stands in its place', async () => {
    const { host, kernel, sessions, end } = await rig({
      size: { min: 1, max: 1 },
      recycle: { ageMs: 10_000 },
    });
    const [before] = sessions().map(({ id }) => id);
    await host.advance(15_000);
    const after = sessions().map(({ id }) => id);
    expect(after).toHaveLength(1);
    expect(after).not.toContain(before);
    expect(live(kernel)).toBe(1);
    await end();
  });

  it('a user gets his own session back with what he left there; no other user ever does', async () => {
    const { kernel, pool, run, end } = await rig({ size: { min: 2, max: 2 } });
    await run(script(['set', 'secret', 'ann']), 'ann');
    await run(script(['set', 'secret', 'bob']), 'bob');
    expect(await run(script(['read', 'secret']), 'ann')).toMatchObject({ value: 'ann' });
    expect(await run(script(['read', 'secret']), 'bob')).toMatchObject({ value: 'bob' });
    expect(pool.inspect().recycled).toBe(0);
    const before = kernel.ports.length;
    expect(await run(script(['read', 'secret']), 'eve')).not.toMatchObject({
      value: expect.stringMatching(''),
    });
    expect([kernel.ports.length, pool.inspect().recycled]).toEqual([before + 1, 1]);
    await end();
  });

  it('between users it clears, or keeps, where it was told to', async () => {
    for (const between of ['clear', 'keep'] as const) {
      const { kernel, run, end } = await rig({ size: { min: 1, max: 1 }, between });
      await run(script(['set', 'x', 'ann']), 'ann');
      const { value } = await run(script(['read', 'x']), 'bob');
      expect([kernel.ports.length, value === 'ann']).toEqual([1, between === 'keep']);
      await end();
    }
  });

  it('what is given back while it runs is another process for the next: never ready but busy', async () => {
    const { host, kernel, acquire, run, end } = await rig({ size: { min: 1, max: 1 } });
    const held = await acquire();
    const { result } = held.session.execute(script(['hang', 'interrupt']));
    result.catch(() => undefined);
    await host.runUntil(held.release());
    await expect(result).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_/) });
    expect(await run()).toMatchObject({ value: 1 });
    expect([kernel.ports.length, live(kernel)]).toEqual([2, 1]);
    await end();
  });

  it('what an actor holds is given back when the actor ends, and is made anew for another user', async () => {
    const { host, pool, spec, system, run, end } = await rig({ size: { min: 1, max: 1 } });
    const worker = actor(
      'worker',
      server({
        init: async (_, ctx) => {
          const { session } = await ctx.get(spec).acquire({ user: 'ann' });
          session.execute(script(['set', 'secret', 'ann'], ['hang']));
          return {};
        },
      }),
    );
    await host.runUntil(system.start(worker));
    expect(pool.inspect()).toMatchObject({ held: 1, idle: 0 });
    await host.runUntil(system.stop(system.get(worker)));
    expect(pool.inspect()).toMatchObject({ held: 0 });
    expect(await run(script(['read', 'secret']), 'bob')).not.toMatchObject({ value: 'ann' });
    expect(pool.inspect().recycled).toBe(1);
    await end();
  });

  it('a session that was closed by its holder, or that crashed, is another one for the next', async () => {
    const { host, kernel, acquire, run, end } = await rig({ size: { min: 1, max: 1 } });
    const held = await acquire();
    await host.runUntil(held.session.close());
    await host.runUntil(held.release());
    expect(await run()).toMatchObject({ value: 1 });
    await expect(run(script(['crash', { code: 9 }]))).rejects.toMatchObject({ code: 'ERR_WORKER_EXITED' });
    expect(await run()).toMatchObject({ value: 1 });
    expect(live(kernel)).toBe(1);
    await end();
  });

  it('starts that fail are tried again, slower and slower, and nobody waits for them for ever', async () => {
    let failing = true;
    const { host, kernel, pool, run, end } = await rig(
      { size: { min: 1, max: 2 } },
      { start: () => (failing ? 'fail' : {}) },
    );
    await expect(host.runUntil(pool.acquire())).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_POOL_(DEGRADED|CHECKOUT_TIMEOUT)$/),
    });
    await host.advance(60_000);
    const tried = kernel.ports.length;
    expect(tried).toBeGreaterThan(2);
    // Backed off: a busy loop would have tried thousands of times.
    expect(tried).toBeLessThan(60);
    failing = false;
    await host.advance(60_000);
    expect(await run()).toMatchObject({ value: 1 });
    await end();
  });

  it('a start that never becomes ready holds up neither the pool nor its end', async () => {
    const { host, kernel, pool, run, end } = await rig(
      { size: { min: 2, max: 2 } },
      { start: (number) => (number === 1 ? 'hang' : {}) },
    );
    expect(await run()).toMatchObject({ value: 1 });
    await host.advance(10_000);
    expect([live(kernel), pool.inspect().idle]).toEqual([2, 2]);
    await end();
  });

  it('refuses options that it does not know, by name', () => {
    const executor = codeExecutor('code');
    const session = { language: 'python' };
    expect(() => sessionPool('p', { executor, session, warm: 3 } as never)).toThrow(/warm/);
    expect(() => sessionPool('p', { session } as never)).toThrow(/executor must be/);
    expect(() => sessionPool('p', { executor, session, recycle: { executions: 0 } })).toThrow(/executions/);
  });
});
