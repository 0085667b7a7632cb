import { describe, expect, it } from 'vitest';
import type { Overflow } from '../../src/kernel/spec.ts';
import { createRig, gate, part, watch } from './rig.ts';

/** An actor held in its first message, so that what follows waits. */
const held = async (overflow: Overflow, capacity = 2) => {
  const rig = createRig();
  const hold = gate();
  const got: unknown[] = [];
  const spec = part(
    'a',
    (context) => ({
      tell: async (m) => {
        if (m === 'hold') await hold.passed;
        else if (m === 'after') context.after(0, 'timer');
        else got.push(m);
      },
      call: (m) => {
        got.push(m);
        return m;
      },
      info: (info) => void got.push(info.type),
    }),
    { mailboxCapacity: capacity, overflow },
  );
  const handle = await rig.start(spec);
  handle.tell('hold');
  await rig.host.settle();
  return { ...rig, handle, hold, got };
};

describe('a full mailbox', () => {
  it("refuses the newcomer: a tell is 'dropped' and counted, a call rejects at once", async () => {
    const { handle, hold, got, host, system, told } = await held('reject');
    expect([handle.tell(1), handle.tell(2), handle.tell({ type: 'third' })]).toEqual([
      'sent',
      'sent',
      'dropped',
    ]);
    const call = watch(handle.call({ type: 'fourth' }));
    await Promise.resolve();
    expect(call).toMatchObject({ now: 'ERR_MAILBOX_FULL', outcome: 'not_started' });
    expect(system.counters.dropped).toBe(2);
    expect(told('mail.dropped').map(({ path, message, why }) => [path, message, why])).toEqual([
      ['a', 'third', 'reject'],
      ['a', 'fourth', 'reject'],
    ]);
    hold.open();
    await host.settle();
    expect(got).toEqual([1, 2]);
  });

  it('drops the newest where told to', async () => {
    const { handle, hold, got, host } = await held('drop_newest');
    expect([1, 2, 3].map((m) => handle.tell(m))).toEqual(['sent', 'sent', 'dropped']);
    hold.open();
    await host.settle();
    expect(got).toEqual([1, 2]);
  });

  it('drops the oldest where told to, and rejects a call that had to go', async () => {
    const { handle, hold, got, host, system } = await held('drop_oldest');
    const evicted = watch(handle.call('evicted'));
    expect([1, 2, 3].map((m) => handle.tell(m))).toEqual(['sent', 'sent', 'sent']);
    await Promise.resolve();
    expect(evicted).toMatchObject({ now: 'ERR_MAILBOX_FULL', outcome: 'not_started' });
    hold.open();
    await host.settle();
    expect(got).toEqual([2, 3]);
    expect(system.counters.dropped).toBe(2);
  });

  it('counts tells and calls only: notices and timers are never refused', async () => {
    const rig = createRig();
    const hold = gate();
    const got: unknown[] = [];
    const spec = part(
      'a',
      (context) => ({
        tell: async (m) => {
          if (m !== 'hold') return void got.push(m);
          for (const other of ['b', 'c']) context.monitor(other);
          context.after(0, 'timer 1');
          context.after(0, 'timer 2');
          await hold.passed;
        },
        info: (info) => void got.push(info.type),
      }),
      { mailboxCapacity: 1 },
    );
    const handle = await rig.start(spec);
    handle.tell('hold');
    await rig.host.advance(1);
    expect(handle.tell('fits')).toBe('sent');
    expect(handle.tell('does not')).toBe('dropped');
    hold.open();
    await rig.host.settle();
    expect(got).toEqual(['down', 'down', 'timer 1', 'timer 2', 'fits']);
  });

  it('takes mail while the actor starts, and hands it over in order', async () => {
    const rig = createRig();
    const ready = gate();
    const got: unknown[] = [];
    const spec = part('a', async () => {
      await ready.passed;
      return { tell: (m) => void got.push(m) };
    });
    const started = rig.system.start(spec);
    const handle = rig.system.get(spec);
    expect([1, 2].map((m) => handle.tell(m))).toEqual(['sent', 'sent']);
    await rig.host.settle();
    ready.open();
    await rig.host.runUntil(started);
    await rig.host.settle();
    expect(got).toEqual([1, 2]);
  });

  it('has room again when what waited has been handled', async () => {
    const { handle, hold, host, got } = await held('reject', 1);
    handle.tell(1);
    expect(handle.tell(2)).toBe('dropped');
    hold.open();
    await host.settle();
    expect(handle.tell(3)).toBe('sent');
    await host.settle();
    expect(got).toEqual([1, 3]);
  });
});
