import { describe, expect, it } from 'vitest';
import type { ExitReason } from '../../src/kernel/reason.ts';
import { createRig, gate, part, watch } from './rig.ts';

describe('stop as a latch', () => {
  it('stops once, however often and however concurrently it is asked to; all hear the one result', async () => {
    const rig = createRig();
    const log: string[] = [];
    const hold = gate();
    const spec = part('a', () => ({
      terminate: () => {
        log.push('terminate');
        return hold.passed;
      },
      reap: () => void log.push('reap'),
    }));
    const handle = await rig.start(spec);
    const stops = [{ reason: 'shutdown' }, { reason: { error: 'other' } }, {}].map((options) =>
      watch(rig.system.stop(handle, options as { reason?: ExitReason })),
    );
    await rig.host.settle();
    stops.push(watch(rig.system.stop(handle)));
    hold.open();
    await rig.host.settle();
    expect(stops.map((stop) => stop.now)).toEqual(['shutdown', 'shutdown', 'shutdown', 'shutdown']);
    expect(log).toEqual(['terminate', 'reap']);
    expect(rig.ends('a')).toEqual(['shutdown']);
    expect(await rig.system.stop(handle)).toBe('noproc');
  });

  it('keeps the reason that came first, also while a handler still runs', async () => {
    const rig = createRig();
    const hold = gate();
    const handle = await rig.start(part('a', () => ({ tell: () => hold.passed })));
    handle.tell('work');
    await rig.host.settle();
    const stops = ['shutdown', 'normal'].map((reason) =>
      watch(rig.system.stop(handle, { reason: reason as ExitReason })),
    );
    await rig.host.settle();
    hold.open();
    await rig.host.settle();
    expect(stops.map((stop) => stop.now)).toEqual(['shutdown', 'shutdown']);
  });

  it('takes the sooner deadline of two, never the later', async () => {
    for (const timeouts of [
      [5_000, 100],
      [100, 5_000],
    ]) {
      const rig = createRig();
      const spec = part('a', () => ({ terminate: () => new Promise(() => undefined) }));
      const handle = await rig.start(spec);
      const stops = timeouts.map((timeoutMs) => watch(rig.system.stop(handle, { timeoutMs })));
      await rig.host.advance(100);
      expect(stops.map((stop) => stop.now)).toEqual(['killed', 'killed']);
    }
  });

  it('asked for from inside, while it is asked for from outside, ends once with its own reason', async () => {
    const rig = createRig();
    const hold = gate();
    const ended: ExitReason[] = [];
    const spec = part('a', (context) => ({
      tell: async () => {
        context.stop({ shutdown: 'own' });
        await hold.passed;
      },
      terminate: (reason) => void ended.push(reason),
    }));
    const handle = await rig.start(spec);
    handle.tell('go');
    await rig.host.settle();
    const stopped = watch(rig.system.stop(handle, { reason: 'shutdown' }));
    await rig.host.settle();
    hold.open();
    await rig.host.settle();
    expect(stopped.now).toEqual({ shutdown: 'own' });
    expect(ended).toEqual([{ shutdown: 'own' }]);
  });

  it('outside a handler is noticed all the same', async () => {
    const rig = createRig();
    let stop!: () => void;
    await rig.start(
      part('a', (context) => {
        stop = () => context.stop('shutdown');
        return {};
      }),
    );
    stop();
    await rig.host.settle();
    expect(rig.ends('a')).toEqual(['shutdown']);
  });

  it('cannot be held by suspending: neither before the stop nor after', async () => {
    for (const first of ['suspend', 'stop']) {
      const rig = createRig();
      const hold = gate();
      const spec = part('a', () => ({ shutdown: () => hold.passed }));
      const handle = await rig.start(spec);
      if (first === 'suspend') rig.system.suspend(handle);
      const stopped = watch(rig.system.stop(handle));
      if (first === 'stop') rig.system.suspend(handle);
      await rig.host.settle();
      hold.open();
      await rig.host.settle();
      expect(stopped.now).toBe('normal');
    }
  });

  it('during init ends the start; what init acquires later is closed, once', async () => {
    const rig = createRig();
    const log: string[] = [];
    const hold = gate();
    const spec = part('a', async () => {
      await hold.passed;
      return { terminate: (r) => void log.push(`terminate ${r}`), reap: () => void log.push('reap') };
    });
    const started = watch(rig.system.start(spec));
    await rig.host.settle();
    await rig.host.runUntil(rig.system.shutdown());
    expect(started.now).toBe('ERR_INIT_FAILED');
    hold.open();
    await rig.host.settle();
    expect(log).toEqual(['terminate shutdown', 'reap']);
    expect(rig.system.stragglers()).toEqual([]);
  });
});

describe('the shutdown of a system', () => {
  it('stops its roots in reverse, each fully gone before the next, twice as once', async () => {
    const rig = createRig();
    const log: string[] = [];
    const root = (id: string) =>
      part(id, () => ({
        terminate: async () => {
          log.push(`+${id}`);
          await Promise.resolve();
          log.push(`-${id}`);
        },
      }));
    for (const id of ['a', 'b']) await rig.start(root(id));
    const both = Promise.all([rig.system.shutdown(), rig.system.shutdown()]);
    await rig.host.runUntil(both);
    expect(log).toEqual(['+b', '-b', '+a', '-a']);
    expect(rig.system.tree()).toEqual([]);
    expect(rig.host.pendingTimers()).toEqual([]);
  });

  it('takes nothing new: a start is refused from then on', async () => {
    const rig = createRig();
    await rig.start(part('a', () => ({})));
    const down = rig.system.shutdown();
    const late = watch(rig.system.start(part('b', () => ({}))));
    await rig.host.runUntil(down);
    await rig.host.settle();
    expect(late).toMatchObject({ now: 'ERR_STOPPING', outcome: 'not_started' });
    expect(rig.system.tree()).toEqual([]);
  });

  it('bounds everything by one deadline where one is given', async () => {
    const rig = createRig();
    const hanging = (id: string) => part(id, () => ({ terminate: () => new Promise(() => undefined) }));
    for (const id of ['a', 'b', 'c']) await rig.start(hanging(id));
    const down = watch(rig.system.shutdown({ timeoutMs: 100 }));
    await rig.host.advance(100);
    expect(down.settled).toBe(true);
    expect(rig.system.tree()).toEqual([]);
  });
});

describe('an actor spawned by another', () => {
  const family = async (options: Parameters<typeof part>[2] = {}) => {
    const rig = createRig();
    const log: string[] = [];
    const child = part('child', () => ({ terminate: (r) => void log.push(`child ${r}`) }), options);
    const parent = part('parent', async (context) => {
      await context.spawn(child);
      return {
        tell: (reason) => {
          if (reason === 'crash') throw new Error('boom');
          context.stop(reason as ExitReason);
        },
        terminate: (r) => void log.push(`parent ${typeof r === 'string' ? r : 'crashed'}`),
      };
    });
    return { ...rig, log, handle: await rig.start(parent) };
  };

  it('stops in order when its parent ends cleanly, and the parent is gone only after it', async () => {
    const { host, log, handle, events } = await family();
    handle.tell('normal');
    await host.settle();
    expect(log).toEqual(['parent normal', 'child shutdown']);
    const ends = events.filter((event) => event.type === 'actor.ended').map((event) => event.path);
    expect(ends).toEqual(['parent/child', 'parent']);
  });

  it('ends with it, without terminate, when its parent crashes or is killed', async () => {
    const { host, log, handle, ends } = await family();
    handle.tell('crash');
    await host.settle();
    expect(log).toEqual(['parent crashed']);
    expect(ends('parent/child')).toMatchObject([{ error: { message: 'boom' } }]);
    const killed = await family();
    killed.system.exit(killed.handle, 'kill');
    await killed.host.settle();
    expect(killed.ends('parent/child')).toEqual(['killed']);
  });

  it('is killed at once where its spec says brutal_kill', async () => {
    const { host, log, handle, ends } = await family({ shutdownMs: 'brutal_kill' });
    handle.tell('normal');
    await host.settle();
    expect(log).toEqual(['parent normal']);
    expect(ends('parent/child')).toEqual(['killed']);
  });
});
