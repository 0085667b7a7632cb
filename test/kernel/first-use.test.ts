import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Spec, SpecOptions } from '../../src/kernel/spec.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { createRig, gate, part, type RawHandle, type Rig, watch } from './rig.ts';

describe('an inspect that throws', () => {
  it('is told in the place of its state, and hides nobody else', async () => {
    const rig = createRig();
    const broken = part('broken', () => ({
      inspect: () => {
        throw new Error('no view');
      },
    }));
    const sound = part('sound', () => ({ inspect: () => ({ state: 'fine', ready: true }) }));
    await rig.start(supervisor('top', { children: [broken, sound] }));
    const [top] = rig.system.tree();
    expect(top?.children.map(({ id, state }) => [id, state])).toEqual([
      ['broken', 'inspect failed'],
      ['sound', 'fine'],
    ]);
    expect(rig.system.drawTree()).toContain('broken  raw · inspect failed');
    expect(rig.told('actor.threw')[0]).toMatchObject({ path: 'top/broken', error: { message: 'no view' } });
    expect(rig.system.counters.threw).toBe(2);
  });

  it('is as good as one that answers with no object', async () => {
    const rig = createRig();
    await rig.start(part('odd', () => ({ inspect: () => 'fine' as never })));
    expect(rig.system.tree()[0]?.state).toBe('inspect failed');
  });
});

/** A supervised actor that fails when it is told to, numbering its incarnations. */
const mortal = async (rig: Rig, options: SpecOptions & { readonly terminate?: () => Promise<void> } = {}) => {
  const { terminate, ...ofSpec } = options;
  let incarnation = 0;
  const spec: Spec<RawHandle> = part(
    'mortal',
    (context) => {
      incarnation += 1;
      const own = incarnation;
      return {
        tell: async (m) => {
          await Promise.resolve();
          if (m === 'crash') throw new Error('as told');
          context.stop('normal');
        },
        call: () => `answered by ${own}`,
        ...(terminate === undefined ? {} : { terminate }),
      };
    },
    ofSpec,
  );
  await rig.start(supervisor('top', { children: [spec], backoff: false }));
  return { spec, handle: rig.system.get(spec) };
};

describe('a call that meets a crash before it has begun', () => {
  it("waits for the next incarnation with whenDown: 'wait', also behind the handler that fails", async () => {
    const rig = createRig();
    const { handle } = await mortal(rig);
    handle.tell('crash');
    const first = watch(handle.call('x', { whenDown: 'wait' }));
    const second = watch(handle.call('x', { whenDown: 'wait' }));
    await rig.host.settle();
    expect([first.now, second.now]).toEqual(['answered by 2', 'answered by 2']);
  });

  it('waits as well when it is made while the failed one cleans up', async () => {
    const rig = createRig();
    const cleaned = gate();
    const { handle } = await mortal(rig, { terminate: () => cleaned.passed });
    handle.tell('crash');
    await rig.host.settle();
    const call = watch(handle.call('x', { whenDown: 'wait' }));
    const impatient = watch(handle.call('x'));
    await rig.host.settle();
    expect(impatient).toMatchObject({ now: 'ERR_RESTARTING', outcome: 'not_started' });
    expect(call.now).toBe('pending');
    cleaned.open();
    await rig.host.settle();
    expect(call.now).toBe('answered by 2');
  });

  it('waits when it is killed, or ends of its own and is permanent', async () => {
    const rig = createRig();
    const { handle } = await mortal(rig);
    handle.tell('end');
    const ended = watch(handle.call('x', { whenDown: 'wait' }));
    await rig.host.settle();
    expect(ended.now).toBe('answered by 2');
    rig.system.suspend(handle);
    await rig.host.settle();
    const killed = watch(handle.call('x', { whenDown: 'wait' }));
    await rig.host.settle();
    rig.system.exit(handle, 'kill');
    await rig.host.settle();
    expect(killed.now).toBe('answered by 3');
  });

  it('is refused as restarting without it, not started', async () => {
    const rig = createRig();
    const { handle } = await mortal(rig);
    handle.tell('crash');
    const call = watch(handle.call('x'));
    await rig.host.settle();
    expect(call).toMatchObject({ now: 'ERR_RESTARTING', outcome: 'not_started' });
  });

  it('is refused where nobody comes again: a temporary child, a clean end of a transient one, a stop', async () => {
    const rig = createRig();
    const { handle } = await mortal(rig, { restart: 'temporary' });
    handle.tell('crash');
    const temporary = watch(handle.call('x', { whenDown: 'wait' }));
    await rig.host.settle();
    expect(temporary).toMatchObject({ now: 'ERR_STOPPING', outcome: 'not_started' });

    const other = createRig();
    const { handle: transient } = await mortal(other, { restart: 'transient' });
    transient.tell('end');
    const clean = watch(transient.call('x', { whenDown: 'wait' }));
    await other.host.settle();
    expect(clean).toMatchObject({ now: 'ERR_STOPPING', outcome: 'not_started' });

    const third = createRig();
    const { handle: stopped } = await mortal(third);
    stopped.tell('crash');
    const planned = watch(stopped.call('x', { whenDown: 'wait' }));
    await third.host.runUntil(third.system.shutdown());
    expect(planned.settled).toBe(true);
  });

  it('hears that nobody is alive when its supervisor gives up instead', async () => {
    const rig = createRig();
    const spec = part('mortal', () => ({
      tell: async () => {
        await Promise.resolve();
        throw new Error('as told');
      },
    }));
    await rig.start(supervisor('top', { children: [spec], intensity: 0, backoff: false }));
    const handle = rig.system.get(spec);
    handle.tell('crash');
    const call = watch(handle.call('x', { whenDown: 'wait', timeoutMs: Number.POSITIVE_INFINITY }));
    await rig.host.settle();
    expect(call).toMatchObject({ now: 'ERR_NOPROC', outcome: 'not_started' });
  });
});

describe('one signal for many calls', () => {
  it('carries one listener while any of them waits, none after, and ends them all', async () => {
    const rig = createRig();
    const answer = gate();
    const handle = await rig.start(part('slow', () => ({ call: (m) => (m === 'hang' ? answer.passed : m) })));
    const controller = new AbortController();
    const { signal } = controller;
    const calls = Array.from({ length: 20 }, () => watch(handle.call('hang', { signal })));
    await rig.host.settle();
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    answer.open();
    await rig.host.settle();
    expect(calls.every(({ settled }) => settled)).toBe(true);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    rig.system.suspend(handle);
    await rig.host.settle();
    const held = [watch(handle.call('x', { signal })), watch(handle.call('x', { signal }))];
    controller.abort('enough');
    await rig.host.settle();
    for (const call of held)
      expect(call).toMatchObject({
        now: 'ERR_CALL_ABORTED',
        outcome: 'not_started',
        error: { cause: 'enough' },
      });
  });
});
