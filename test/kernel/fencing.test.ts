import { describe, expect, it } from 'vitest';
import type { ActorContext } from '../../src/kernel/logic.ts';
import { createRig, gate, part, watch } from './rig.ts';

const other = part('other', () => ({ call: (m) => m }));
const child = part('child', () => ({}));

/** Every way in which an actor acts. */
const VERBS: Readonly<Record<string, (context: ActorContext) => unknown>> = {
  tell: (context) => context.tell('other', 'x'),
  call: (context) => context.call('other', 'x'),
  after: (context) => context.after(1, 'x'),
  post: (context) => context.post(() => undefined),
  postAfter: (context) => context.postAfter(1, 'x', () => undefined),
  pipe: (context) => context.pipe(Promise.resolve(1), () => undefined),
  later: (context) => context.later(),
  next: (context) => context.next(() => undefined),
  idle: (context) => context.idle(1),
  spawn: (context) => context.spawn(child),
  get: (context) => context.get(other),
  register: (context) => context.register('x'),
  unregister: (context) => context.unregister('x'),
  link: (context) => context.link('other'),
  unlink: (context) => context.unlink('other'),
  monitor: (context) => context.monitor('other'),
  demonitor: (context) => context.demonitor(1),
  onEnd: (context) => context.onEnd(() => undefined),
  exit: (context) => context.exit('other', 'kill'),
  stop: (context) => context.stop(),
};

/** An actor that was killed in its handler, which still runs. */
const straggling = async (body: (context: ActorContext) => Promise<unknown> | unknown = () => undefined) => {
  const rig = createRig();
  await rig.start(other);
  const hold = gate();
  const seen: unknown[] = [];
  let own!: ActorContext;
  const spec = part('a', (context) => {
    own = context;
    return {
      tell: async () => {
        const before = await body(context);
        await hold.passed;
        seen.push(before);
      },
    };
  });
  const handle = await rig.start(spec);
  handle.tell('go');
  await rig.host.settle();
  rig.system.exit(handle, 'kill');
  await rig.host.settle();
  return { ...rig, context: own, hold, handle, seen };
};

describe('the end of an incarnation fences', () => {
  it.each(Object.keys(VERBS))('ctx.%s', async (verb) => {
    const { context, system, host, told } = await straggling();
    expect(() => VERBS[verb]?.(context)).toThrow(expect.objectContaining({ code: 'ERR_FENCED' }));
    await host.advance(10);
    expect(system.counters.fenced).toBe(1);
    expect(told('actor.fenced')).toMatchObject([{ path: 'a', incarnation: context.self.incarnation }]);
    expect(system.whereis('x')).toBeUndefined();
    expect(host.pendingTimers()).toEqual([]);
  });

  it('the handles that ctx.get and ctx.spawn gave', async () => {
    const { seen, hold, host } = await straggling(async (context) => [
      context.get(other),
      await context.spawn(child),
    ]);
    hold.open();
    await host.settle();
    const [got, spawned] = seen[0] as { tell(m: unknown): unknown; call(m: unknown): unknown }[];
    for (const handle of [got, spawned]) {
      expect(() => handle?.tell('x')).toThrow(expect.objectContaining({ code: 'ERR_FENCED' }));
      expect(() => handle?.call('x')).toThrow(expect.objectContaining({ code: 'ERR_FENCED' }));
    }
  });

  it('nothing that only looks', async () => {
    const { context, host } = await straggling();
    expect(context.self.path).toBe('a');
    expect(context.signal.aborted).toBe(true);
    expect(context.now()).toBe(host.monotonic());
  });

  it('its timers, its pipes and its idle time', async () => {
    const got: unknown[] = [];
    const piped = gate();
    const { host } = await straggling((context) => {
      context.after(5, 'timer');
      context.idle(5);
      context.pipe(piped.passed, () => got.push('mapped'));
      context.pipe(Promise.reject(new Error('swallowed')), () => undefined);
    });
    expect(host.pendingTimers()).toEqual([]);
    piped.open();
    await host.advance(10);
    expect(got).toEqual([]);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('its replies: what a straggler answers is heard by nobody', async () => {
    const rig = createRig();
    const hold = gate<string>();
    const spec = part('a', () => ({ call: () => hold.passed }));
    const handle = await rig.start(spec);
    const call = watch(handle.call('x'));
    await rig.host.settle();
    rig.system.exit(handle, 'kill');
    await rig.host.settle();
    expect(call).toMatchObject({ now: 'ERR_CALLEE_ENDED', outcome: 'unknown' });
    hold.open('too late');
    await rig.host.settle();
    expect(call.now).toBe('ERR_CALLEE_ENDED');
  });

  it('its errors: a straggler that throws ends nothing, and reaches nobody', async () => {
    const { hold, host, ends, system } = await straggling();
    hold.fail(new Error('late'));
    await host.settle();
    expect(ends('a')).toEqual(['killed']);
    expect(system.stragglers()).toEqual([]);
  });
});

describe('a straggler', () => {
  it('is gauged and listed until its handler settles', async () => {
    const { context, hold, host, system, told } = await straggling();
    expect(system.stragglers()).toEqual([context.self]);
    expect(system.counters.stragglers).toBe(1);
    expect(told('actor.straggled')).toMatchObject([{ path: 'a' }]);
    hold.open();
    await host.settle();
    expect(system.stragglers()).toEqual([]);
    expect(system.counters.stragglers).toBe(0);
  });

  it('stands in tree() below the parent that it had', async () => {
    const rig = createRig();
    const working = part('working', () => ({ tell: () => new Promise(() => undefined) }));
    const parent = part('parent', async (context) => {
      const handle = await context.spawn(working);
      handle.tell('go');
      return { tell: () => context.exit(handle, 'kill') };
    });
    const handle = await rig.start(parent);
    handle.tell('kill it');
    await rig.host.settle();
    expect(rig.system.tree()).toMatchObject([
      { id: 'parent', children: [{ id: 'working', status: 'straggling', kind: 'raw', children: [] }] },
    ]);
    expect(rig.system.drawTree()).toContain('working  raw · straggling');
  });

  it('that waits for a child which ended with its actor is let go', async () => {
    const rig = createRig();
    const slow = part('slow', () => new Promise(() => undefined));
    const spec = part('a', (context) => ({ tell: async () => void (await context.spawn(slow)) }));
    const handle = await rig.start(spec);
    handle.tell('go');
    await rig.host.settle();
    rig.system.exit(handle, 'kill');
    await rig.host.settle();
    expect(rig.system.stragglers().map((ref) => ref.path)).toEqual(['a/slow']);
    // Its place is free again: the same spec can stand elsewhere.
    await expect(rig.host.runUntil(rig.system.start(slow), 20_000)).rejects.toMatchObject({
      code: 'ERR_INIT_FAILED',
    });
  });
});
