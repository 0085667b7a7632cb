import { describe, expect, it } from 'vitest';
import type { SpecOptions } from '../../src/kernel/spec.ts';
import { createRig, gate, type Part, part, watch } from './rig.ts';

const never = () => new Promise<void>(() => undefined);

/** An actor that logs its last steps. */
const mortal = async (
  behaviour: Part = {},
  options: SpecOptions = {},
): Promise<ReturnType<typeof createRig> & { log: string[]; handle: Awaited<ReturnType<typeof start>> }> => {
  const rig = createRig();
  const log: string[] = [];
  const spec = part(
    'a',
    (context) => ({
      tell: (m) => {
        log.push(`tell ${m}`);
        if (m === 'crash') throw new Error('boom');
        if (m === 'stop') context.stop({ shutdown: 'own' });
        return undefined;
      },
      call: (m) => m,
      terminate: (reason) => void log.push(`terminate ${JSON.stringify(reason)}`),
      reap: (reason) => void log.push(`reap ${JSON.stringify(reason)}`),
      ...behaviour,
    }),
    options,
  );
  const start = () => rig.start(spec);
  return { ...rig, log, handle: await start() };
};

describe('an orderly stop', () => {
  it('runs terminate, then reap, and resolves with the reason', async () => {
    const { host, system, log, handle, ends } = await mortal();
    expect(await host.runUntil(system.stop(handle))).toBe('normal');
    expect(log).toEqual(['terminate "normal"', 'reap "normal"']);
    expect(ends('a')).toEqual(['normal']);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('runs terminate whether the actor traps or not', async () => {
    for (const trap of [true, false]) {
      const rig = createRig();
      const log: string[] = [];
      const spec = part('a', (context) => {
        context.trapExit = trap;
        return { terminate: (reason) => void log.push(String(reason)) };
      });
      await rig.start(spec);
      await rig.host.runUntil(rig.system.shutdown());
      expect(log).toEqual(['shutdown']);
    }
  });

  it('aborts ctx.signal first, and lets the handler settle', async () => {
    const rig = createRig();
    const log: string[] = [];
    const spec = part('a', (context) => ({
      tell: async () => {
        await new Promise<void>((resolve) => context.signal.addEventListener('abort', () => resolve()));
        log.push('handler saw it');
        await Promise.resolve();
        log.push('handler settled');
      },
      terminate: () => void log.push('terminate'),
    }));
    const handle = await rig.start(spec);
    handle.tell('work');
    await rig.host.settle();
    await rig.host.runUntil(rig.system.stop(handle));
    expect(log).toEqual(['handler saw it', 'handler settled', 'terminate']);
    expect(rig.ends('a')).toEqual(['normal']);
  });

  it('kills what has not ended by its deadline, in the handler as in terminate', async () => {
    for (const where of ['tell', 'terminate', 'shutdown'] as const) {
      const { host, system, handle, ends, log } = await mortal({ [where]: never });
      handle.tell('work');
      await host.settle();
      const stopped = watch(system.stop(handle, { reason: 'shutdown', timeoutMs: 300 }));
      await host.advance(299);
      expect(stopped.settled).toBe(false);
      await host.advance(1);
      expect(stopped.now).toBe('killed');
      expect(ends('a')).toEqual(['killed']);
      expect(log.at(-1)).toBe('reap "killed"');
      expect(log.filter((line) => line.startsWith('terminate'))).toEqual([]);
    }
  });

  it("keeps the actor's own reason when terminate throws or stops with another", async () => {
    const thrown = await mortal({
      terminate: () => {
        throw new Error('late');
      },
    });
    await thrown.host.runUntil(thrown.system.stop(thrown.handle));
    expect(thrown.ends('a')).toMatchObject([{ error: { message: 'late' } }]);
    const rejected = await mortal({ terminate: () => Promise.reject(new Error('later')) });
    await rejected.host.runUntil(rejected.system.stop(rejected.handle));
    expect(rejected.ends('a')).toMatchObject([{ error: { message: 'later' } }]);
  });

  it('that a handler asked for happens after it, with its reason', async () => {
    const { host, handle, log, ends } = await mortal();
    for (const m of ['stop', 'never']) handle.tell(m);
    await host.settle();
    expect(log).toEqual(['tell stop', 'terminate {"shutdown":"own"}', 'reap {"shutdown":"own"}']);
    expect(ends('a')).toEqual([{ shutdown: 'own' }]);
  });

  it('lets go on with mail while `shutdown` is pending, then terminates', async () => {
    const hold = gate();
    const { host, system, handle, log } = await mortal({ shutdown: () => hold.passed });
    const stopped = watch(system.stop(handle));
    await host.settle();
    expect(handle.tell('while closing')).toBe('sent');
    expect(await host.runUntil(handle.call('asked'))).toBe('asked');
    expect(stopped.settled).toBe(false);
    hold.open();
    await host.settle();
    expect(stopped.now).toBe('normal');
    expect(log.slice(0, 2)).toEqual(['tell while closing', 'terminate "normal"']);
  });

  it('becomes a crash where `shutdown` throws or rejects', async () => {
    const boom = new Error('no');
    for (const shutdown of [
      () => {
        throw boom;
      },
      () => Promise.reject(boom),
    ]) {
      const { host, system, handle, ends, log } = await mortal({ shutdown });
      expect(await host.runUntil(system.stop(handle))).toEqual({ error: boom });
      expect(ends('a')).toEqual([{ error: boom }]);
      expect(log.filter((line) => line.startsWith('terminate'))).toHaveLength(1);
    }
  });
});

describe('queued mail at a stop', () => {
  it('is not handled: calls reject not_started, tells become dead letters', async () => {
    const { host, system, handle, log, told } = await mortal();
    system.suspend(handle);
    await host.settle();
    handle.tell({ type: 'lost' });
    const call = watch(handle.call('lost too'));
    await host.runUntil(system.stop(handle));
    await host.settle();
    expect(call).toMatchObject({ now: 'ERR_STOPPING', outcome: 'not_started' });
    expect(log[0]).toMatch(/^terminate/);
    expect(told('mail.dead_lettered').map((event) => event.message)).toEqual(['lost']);
  });

  it("is handled first where the spec says 'drain', and new mail is refused meanwhile", async () => {
    const hold = gate();
    const got: unknown[] = [];
    const { host, system, handle } = await mortal(
      {
        tell: async (m) => {
          if (m === 1) await hold.passed;
          got.push(m);
        },
        terminate: () => void got.push('terminate'),
      },
      { onShutdown: 'drain' },
    );
    for (const m of [1, 2]) handle.tell(m);
    const queued = watch(handle.call('call'));
    await host.settle();
    const stopped = watch(system.stop(handle));
    await host.settle();
    expect(handle.tell('too late')).toBe('dropped');
    const refused = watch(handle.call('too late'));
    hold.open();
    await host.settle();
    expect(got).toEqual([1, 2, 'terminate']);
    expect(queued.now).toBe('call');
    expect(refused).toMatchObject({ now: 'ERR_STOPPING', outcome: 'not_started' });
    expect(stopped.now).toBe('normal');
  });

  it('that drains too slowly is killed at the deadline', async () => {
    const { host, system, handle, ends } = await mortal({ tell: never }, { onShutdown: 'drain' });
    for (const m of [1, 2]) handle.tell(m);
    await host.settle();
    const stopped = watch(system.stop(handle, { timeoutMs: 100 }));
    await host.advance(100);
    expect(stopped.now).toBe('killed');
    expect(ends('a')).toEqual(['killed']);
  });
});

describe('a crash', () => {
  it('runs terminate with the error, within the allowance of the spec', async () => {
    const { host, handle, log, ends } = await mortal({}, { shutdownMs: 50 });
    handle.tell('crash');
    await host.settle();
    expect(log).toEqual(['tell crash', 'terminate {"error":{}}', 'reap {"error":{}}']);
    expect(ends('a')).toMatchObject([{ error: { message: 'boom' } }]);
    const hanging = await mortal({ terminate: never }, { shutdownMs: 50 });
    hanging.handle.tell('crash');
    await hanging.host.advance(49);
    expect(hanging.ends('a')).toEqual([]);
    await hanging.host.advance(1);
    expect(hanging.ends('a')).toEqual(['killed']);
  });

  it('comes of a rejection as well as of a throw, in calls and infos too', async () => {
    const boom = new Error('boom');
    const kinds: Part[] = [
      { tell: () => Promise.reject(boom) },
      { call: () => Promise.reject(boom) },
      {
        call: () => {
          throw boom;
        },
      },
    ];
    for (const kind of kinds) {
      const { host, handle, ends } = await mortal(kind);
      if (kind.tell !== undefined) handle.tell(1);
      else void handle.call(1).catch(() => undefined);
      await host.settle();
      expect(ends('a')).toEqual([{ error: boom }]);
    }
  });

  it('of a thenable that calls back twice, or throws, is one crash or none', async () => {
    const thenable = (then: unknown) => ({ then }) as never;
    const twice = await mortal({
      tell: () =>
        thenable((resolve: () => void) => {
          resolve();
          resolve();
        }),
    });
    for (const m of [1, 2, 3]) twice.handle.tell(m);
    await twice.host.settle();
    expect(twice.ends('a')).toEqual([]);
    const throws = await mortal({
      tell: () =>
        thenable(() => {
          throw new Error('then threw');
        }),
    });
    throws.handle.tell(1);
    await throws.host.settle();
    expect(throws.ends('a')).toMatchObject([{ error: { message: 'then threw' } }]);
    const trap = {
      get then(): unknown {
        throw new Error('then is a trap');
      },
    };
    const trapped = await mortal({ call: () => trap, tell: () => trap as never });
    trapped.handle.tell(1);
    const call = watch(trapped.handle.call(1));
    await trapped.host.settle();
    expect(call.error).toMatchObject({ message: 'then is a trap' });
    expect(trapped.ends('a')).toEqual([]);
  });
});
