import { describe, expect, it } from 'vitest';
import type { ActorContext } from '../../src/kernel/logic.ts';
import { createRig, type Gate, gate, part, type Rig, watch } from './rig.ts';

const named = async (rig: Rig, id: string): Promise<ActorContext> => {
  let own!: ActorContext;
  const spec = part(id, (context) => {
    own = context;
    return { call: (m) => `${id} ${m}`, terminate: () => hold?.passed };
  });
  await rig.start(spec);
  return own;
};
let hold: Gate | undefined;

describe('a name', () => {
  it('is found by whoever tells, calls or asks for it', async () => {
    const rig = createRig();
    const a = await named(rig, 'a');
    a.register('it');
    expect(rig.system.whereis('it')).toEqual(a.self);
    expect(await rig.host.runUntil(rig.system.call('it', 'x'))).toBe('a x');
    expect(rig.system.tell('it', 'x')).toBe('sent');
    expect(rig.system.tell('nobody', 'x')).toBe('dropped');
  });

  it('belongs to one at a time; the refusal says to whom', async () => {
    const rig = createRig();
    const [a, b] = [await named(rig, 'a'), await named(rig, 'b')];
    a.register('it');
    a.register('it');
    expect(() => b.register('it')).toThrow(
      expect.objectContaining({ code: 'ERR_NAME_TAKEN', data: { name: 'it', target: 'a' } }),
    );
    b.unregister('it');
    expect(rig.system.whereis('it')).toEqual(a.self);
    a.unregister('it');
    b.register('it');
    expect(rig.system.whereis('it')).toEqual(b.self);
  });

  it('is free in the very turn in which its holder ends, by whatever end', async () => {
    for (const how of ['kill', 'stop', 'crash'] as const) {
      const rig = createRig();
      const [a, b] = [await named(rig, 'a'), await named(rig, 'b')];
      a.register('one');
      a.register('two');
      if (how === 'kill') rig.system.exit(a.self, 'kill');
      else a.stop(how === 'stop' ? 'normal' : { error: 'boom' });
      await rig.host.settle();
      b.register('one');
      b.register('two');
      expect(rig.system.whereis('two')).toEqual(b.self);
    }
  });

  it('is held while its holder still terminates', async () => {
    const rig = createRig();
    const [a, b] = [await named(rig, 'a'), await named(rig, 'b')];
    a.register('it');
    hold = gate();
    const stopped = watch(rig.system.stop(a.self));
    await rig.host.settle();
    expect(() => b.register('it')).toThrow(/ERR_NAME_TAKEN/);
    hold.open();
    hold = undefined;
    await rig.host.settle();
    expect(stopped.settled).toBe(true);
    b.register('it');
  });

  it('is a text', async () => {
    const rig = createRig();
    const a = await named(rig, 'a');
    for (const name of ['', 7, undefined]) expect(() => a.register(name as never)).toThrow(/OPTION_INVALID/);
  });
});

describe('a ref', () => {
  it('is data, and reaches only the incarnation that it names', async () => {
    const rig = createRig();
    const spec = part('a', () => ({ call: () => 'alive' }));
    const handle = await rig.start(spec);
    const ref = JSON.parse(JSON.stringify(handle.ref())) as { path: string; incarnation: number };
    expect(Object.keys(ref)).toEqual(['path', 'incarnation']);
    expect(rig.system.isAlive(handle.ref() as never)).toBe(true);
    rig.system.exit(handle, 'kill');
    await rig.host.settle();
    await rig.start(spec);
    const old = rig.events.find((event) => event.type === 'actor.ended') as unknown as {
      incarnation: number;
    };
    expect(ref.incarnation).toBe(old.incarnation);
    expect(rig.system.isAlive(ref)).toBe(false);
    expect(handle.ref()?.incarnation).toBeGreaterThan(ref.incarnation);
  });
});
