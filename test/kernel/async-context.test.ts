import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from 'vitest';
import { currentOwner } from '../../src/kernel/async-context.ts';
import type { ActorContext } from '../../src/kernel/logic.ts';
import { createRig, gate, part, type Rig } from './rig.ts';

const store = new AsyncLocalStorage<string>();

/** An actor that notes in whose context it runs. */
const noting = async (rig: Rig, id: string) => {
  const seen: [string, string | undefined, string | undefined][] = [];
  let own!: ActorContext;
  const note = (what: string) => void seen.push([what, store.getStore(), currentOwner()?.path]);
  const spec = part(id, (context) => {
    own = context;
    note('init');
    return {
      tell: async (m) => {
        note(String(m));
        await Promise.resolve();
        note(`${m} later`);
      },
      call: (m) => note(String(m)),
      info: (info) => note(info.type),
      terminate: () => note('terminate'),
    };
  });
  const handle = await rig.start(spec);
  return { seen, handle, context: own, note };
};

describe("context: 'async'", () => {
  it('carries the store of whoever sent a message to its handler, message by message', async () => {
    const rig = createRig({ context: 'async' });
    const { handle, seen } = await noting(rig, 'a');
    store.run('request 1', () => handle.tell('one'));
    store.run('request 2', () => void handle.call('two'));
    handle.tell('three');
    await rig.host.settle();
    expect(seen.slice(1)).toEqual([
      ['one', 'request 1', 'a'],
      ['one later', 'request 1', 'a'],
      ['two', 'request 2', 'a'],
      ['three', undefined, 'a'],
      ['three later', undefined, 'a'],
    ]);
  });

  it('names the actor as owner in all of its code, whoever set it in motion', async () => {
    const rig = createRig({ context: 'async' });
    const { handle, context, seen, note } = await noting(rig, 'a');
    const other = await noting(rig, 'b');
    const piped = gate();
    // Set from within another's turn, on the one wheel of all.
    other.context.post(() => {
      context.after(1, 'after');
      context.post(() => note('post'));
      context.next(() => note('next'));
      context.pipe(piped.passed, () => 'piped');
      context.monitor('nobody');
      piped.open();
    });
    await rig.host.advance(1);
    context.idle(1);
    await rig.host.advance(1);
    await rig.host.runUntil(rig.system.stop(handle));
    const owners = Object.fromEntries(seen.map(([what, , owner]) => [what, owner]));
    expect(Object.keys(owners).sort()).toEqual(
      [
        'after',
        'after later',
        'down',
        'init',
        'next',
        'piped',
        'piped later',
        'post',
        'terminate',
        'timeout',
      ].sort(),
    );
    expect(new Set(Object.values(owners))).toEqual(new Set(['a']));
  });

  it('keeps the store of who set a timer or a pipe, and lends nobody that of whoever began the turn', async () => {
    const rig = createRig({ context: 'async' });
    const { context, seen, handle } = await noting(rig, 'a');
    const other = await noting(rig, 'b');
    store.run('setter', () => {
      context.after(1, 'after');
      context.pipe(Promise.resolve(), () => 'piped');
    });
    await rig.host.settle();
    store.run('stranger', () => {
      // Begins the turn in which all that follows is handled.
      other.handle.tell('x');
      context.monitor('nobody');
    });
    await rig.host.advance(1);
    store.run('stopper', () => void rig.system.stop(handle));
    await rig.host.settle();
    const stores = Object.fromEntries(seen.map(([what, kept]) => [what, kept]));
    expect(stores).toMatchObject({ init: undefined, after: 'setter', piped: 'setter' });
    expect([stores['down'], stores['terminate']]).toEqual([undefined, undefined]);
  });
});

describe("context: 'none'", () => {
  it('enters no store, and names no owner', async () => {
    const rig = createRig();
    const { handle, seen } = await noting(rig, 'a');
    handle.tell('one');
    await rig.host.settle();
    expect(seen.map(([, , owner]) => owner)).toEqual([undefined, undefined, undefined]);
  });
});
