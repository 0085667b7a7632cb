import { describe, expect, it } from 'vitest';
import { assign, createMachine, fromCallback, setup } from 'xstate';
import { actor } from '../../src/kernel/actor.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { reply } from '../../src/xstate/reply.ts';
import { fromMachine } from '../../src/xstate/xstate.ts';
import { createRig } from './rig.ts';

const log: string[] = [];
const door = setup({
  types: {
    context: {} as { opened: number },
    events: {} as { type: 'OPEN' } | { type: 'CLOSE' } | { type: 'COUNT' } | { type: 'BREAK' },
  },
  actors: {
    hinge: fromCallback(() => {
      log.push('hinge on');
      return () => log.push('hinge off');
    }),
  },
}).createMachine({
  context: { opened: 0 },
  initial: 'closed',
  invoke: { src: 'hinge', systemId: 'hinge' },
  states: {
    closed: {
      on: { OPEN: { target: 'open', actions: assign({ opened: ({ context }) => context.opened + 1 }) } },
    },
    open: { on: { CLOSE: 'closed' }, after: { 1000: 'closed' } },
  },
  on: {
    COUNT: { actions: reply(({ context }) => context.opened) },
    BREAK: {
      actions: () => {
        throw new Error('broken');
      },
    },
  },
});

describe('a supervised machine', () => {
  it('is restarted afresh; its handle, observers and waiting calls follow', async () => {
    log.length = 0;
    const { host, system, events } = createRig();
    const spec = actor('door', fromMachine(door));
    await host.runUntil(system.start(supervisor('house', { children: [spec] })));
    const handle = system.get(spec);
    const seen: unknown[] = [];
    handle.subscribe((snapshot) => seen.push(snapshot.value));
    handle.send({ type: 'OPEN' });
    await host.settle();
    const first = handle.ref();
    handle.send({ type: 'BREAK' });
    const counted = handle.call<number>({ type: 'COUNT' }, { whenDown: 'wait' });
    expect(await host.runUntil(counted)).toBe(0);
    await host.settle();
    expect(handle.ref()).not.toEqual(first);
    expect(await host.runUntil(handle.call<number>({ type: 'COUNT' }))).toBe(0);
    expect(log).toEqual(['hinge on', 'hinge off', 'hinge on']);
    await host.advance(5_000);
    expect(seen).toEqual(['open', 'closed', 'closed', 'closed']);
    expect(events.filter(({ type }) => type === 'supervisor.child.restarted')).toHaveLength(1);
    await host.runUntil(system.shutdown());
    expect(log.at(-1)).toBe('hinge off');
    expect(host.pendingTimers()).toEqual([]);
  });

  it('that is done is not restarted when it is transient', async () => {
    const { host, system, events } = createRig();
    const once = createMachine({ initial: 'a', states: { a: { on: { GO: 'b' } }, b: { type: 'final' } } });
    const spec = actor('once', fromMachine(once), { restart: 'transient' });
    await host.runUntil(system.start(supervisor('house', { children: [spec] })));
    system.get(spec).send({ type: 'GO' } as never);
    await host.settle();
    expect(events.filter(({ type }) => type === 'supervisor.child.restarted')).toEqual([]);
    expect(system.get(spec).snapshot()?.status).toBe('done');
  });
});

describe('its types', () => {
  it('refuse what the machine does not have', () => {
    const refusals = () => {
      const { system } = createRig();
      const handle = system.get(actor('door', fromMachine(door)));
      // @ts-expect-error an event that the machine does not have
      handle.send({ type: 'KNOCK' });
      // @ts-expect-error the same for a call
      void handle.call({ type: 'KNOCK' });
      // @ts-expect-error a state's context has no such key
      handle.subscribe((snapshot) => snapshot.context.closed);
      // @ts-expect-error an event for shutdown that the machine does not have
      fromMachine(door, { onShutdown: { type: 'KNOCK' } });
      const opened: number | undefined = handle.snapshot()?.context.opened;
      void opened;
    };
    expect(refusals).toBeTypeOf('function');
  });
});
