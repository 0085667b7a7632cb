import { describe, expect, it } from 'vitest';
import { toRef } from '../../src/kernel/ref.ts';
import { createSystem } from '../../src/kernel/system.ts';
import { drawTree } from '../../src/kernel/tree.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { createRig, gate, part, watch } from './rig.ts';

describe('dead letters', () => {
  it('are counted and told, with path, kind of message and sender, never with the message', async () => {
    const rig = createRig();
    const spec = part('a', (context) => ({
      tell: () => void context.tell('nobody', { type: 'secret', password: 'hunter2' }),
    }));
    const handle = await rig.start(spec);
    handle.tell('go');
    await rig.host.settle();
    rig.system.tell('nobody', 42);
    expect(rig.told('mail.dead_lettered')).toMatchObject([
      { path: 'nobody', message: 'secret', from: 'a' },
      { path: 'nobody', message: '42', from: undefined },
    ]);
    expect(JSON.stringify(rig.events)).not.toContain('hunter2');
    expect(rig.system.counters.deadLetters).toBe(2);
  });

  it('are what is told to an incarnation that has ended', async () => {
    const rig = createRig();
    const spec = part('a', () => ({}));
    const handle = await rig.start(spec);
    const ref = handle.ref() as NonNullable<ReturnType<typeof handle.ref>>;
    rig.system.exit(handle, 'kill');
    await rig.host.settle();
    await rig.start(spec);
    expect(rig.system.tell(ref, 'x')).toBe('dropped');
    expect(rig.system.tell(toRef({ ...ref, incarnation: 999 }) ?? 'none', 'x')).toBe('dropped');
    expect(rig.system.counters.deadLetters).toBe(2);
  });
});

describe('suspend', () => {
  it('holds back mail until resume; control, inspection and the tree go on', async () => {
    const rig = createRig();
    const got: unknown[] = [];
    const spec = part('a', () => ({
      tell: (m) => void got.push(m),
      inspect: () => ({ state: 'here', facts: { got: got.length } }),
    }));
    const handle = await rig.start(spec);
    rig.system.suspend(handle);
    await rig.host.settle();
    for (const m of [1, 2]) handle.tell(m);
    await rig.host.advance(1_000);
    expect(got).toEqual([]);
    expect(rig.system.tree()).toMatchObject([{ status: 'suspended', mailbox: 2, state: 'here' }]);
    rig.system.resume(handle);
    await rig.host.settle();
    expect(got).toEqual([1, 2]);
    rig.system.suspend(handle);
    rig.system.exit(handle, 'kill');
    await rig.host.settle();
    expect(rig.ends('a')).toEqual(['killed']);
  });

  it('lets a handler that runs settle first', async () => {
    const rig = createRig();
    const hold = gate();
    const log: unknown[] = [];
    const spec = part('a', () => ({
      tell: async (m) => {
        if (m === 1) await hold.passed;
        log.push(m);
      },
    }));
    const handle = await rig.start(spec);
    for (const m of [1, 2]) handle.tell(m);
    await rig.host.settle();
    rig.system.suspend(handle);
    await rig.host.settle();
    hold.open();
    await rig.host.settle();
    expect(log).toEqual([1]);
    rig.system.resume(handle);
    await rig.host.settle();
    expect(log).toEqual([1, 2]);
  });
});

describe('tree', () => {
  const house = async () => {
    const rig = createRig();
    const hold = gate();
    const leaf = part('leaf', () => ({
      inspect: () => ({ state: { lamp: 'on', door: { lock: 'shut' } }, facts: { visits: 3 }, ready: false }),
    }));
    const slow = part('slow', () => hold.passed.then(() => ({})));
    const done = part('done', (context) => ({ tell: () => context.stop() }), { restart: 'transient' });
    const tree = supervisor('root', { children: [leaf, done, supervisor('inner', { children: [slow] })] });
    void rig.system.start(tree).catch(() => undefined);
    await rig.host.settle();
    rig.system.get(done).tell('stop');
    await rig.host.settle();
    return { ...rig, hold };
  };

  it('tells who lives where, in which state, and who should live and does not', async () => {
    const { system, hold, host } = await house();
    expect(system.tree()).toMatchObject([{ id: 'root', status: 'starting' }]);
    hold.open();
    await host.settle();
    const [root] = system.tree();
    expect(root).toMatchObject({ kind: 'supervisor', status: 'running', restart: 'permanent' });
    expect(root?.children).toMatchObject([
      { path: 'root/leaf', kind: 'raw', ready: false, facts: { visits: 3 }, children: [] },
      { path: 'root/inner', children: [{ path: 'root/inner/slow', status: 'running' }] },
      { path: 'root/done', status: 'stopped' },
    ]);
    expect(root?.children[2]).not.toHaveProperty('incarnation');
  });

  it('is drawn one line each', async () => {
    const { system, hold, host } = await house();
    hold.open();
    await host.settle();
    expect(system.drawTree()).toBe(
      [
        '● root  supervisor · strategy one_for_one',
        '├─ ● leaf  raw · lamp:on door:lock:shut · visits 3',
        '├─ ● inner  supervisor · strategy one_for_one',
        '│  └─ ● slow  raw',
        '└─ ○ done  raw · stopped',
      ].join('\n'),
    );
    const coloured = drawTree(system.tree(), { colour: true });
    expect(coloured).toContain('\u001b[32m●\u001b[0m');
  });
});

describe('a system', () => {
  it('refuses options that it does not know', () => {
    expect(() => createSystem({ hots: 1 } as never)).toThrow(/did you mean host/);
    expect(() => createSystem({ context: 'sync' as never })).toThrow(/context/);
  });

  it('is a world of its own: names, refs and places of another are not seen', async () => {
    const [one, two] = [createRig(), createRig()];
    const spec = part('a', (context) => {
      context.register('it');
      return {};
    });
    await one.start(spec);
    expect(two.system.whereis('it')).toBeUndefined();
    expect(() => two.system.get(spec)).toThrow(/ERR_SPEC_UNKNOWN/);
    await two.start(spec);
    expect(two.system.whereis('it')).toMatchObject({ path: 'a' });
  });

  it('counts as many starts as ends once it is down, and leaves no timer', async () => {
    const rig = createRig();
    const leaf = (id: string) =>
      part(id, (context) => {
        context.after(1_000, 'later');
        return { tell: () => context.stop({ error: 'x' }) };
      });
    const [a, b] = [leaf('a'), leaf('b')];
    await rig.start(supervisor('root', { children: [a, b] }));
    rig.system.get(a).tell('die');
    await rig.host.settle();
    await rig.host.runUntil(rig.system.shutdown());
    const { started, ended } = rig.system.counters;
    expect([started, ended]).toEqual([4, 4]);
    expect(rig.host.pendingTimers()).toEqual([]);
  });

  it('ends an actor at once, trapping or not, without its terminate, when told to', async () => {
    const rig = createRig();
    const log: string[] = [];
    const spec = part('a', (context) => {
      context.trapExit = true;
      return { terminate: () => void log.push('terminate'), reap: () => void log.push('reap') };
    });
    const handle = await rig.start(spec);
    rig.system.end(handle, { error: 'stray' });
    await rig.host.settle();
    expect(rig.ends('a')).toEqual([{ error: 'stray' }]);
    expect(log).toEqual(['reap']);
  });

  it('reports what reap throws, and goes on', async () => {
    const rig = createRig();
    const spec = part('a', () => ({
      reap: () => {
        throw new Error('reap');
      },
    }));
    const handle = await rig.start(spec);
    const stopped = watch(rig.system.stop(handle));
    await rig.host.settle();
    expect(stopped.now).toBe('normal');
    expect(rig.told('actor.threw')).toMatchObject([{ path: 'a', error: { message: 'reap' } }]);
    expect(rig.system.counters.threw).toBe(1);
  });
});
