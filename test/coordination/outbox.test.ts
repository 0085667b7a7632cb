import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { TroupeEvent } from '../../src/base/telemetry.ts';
import { createBus } from '../../src/coordination/bus.ts';
import { type DeadLetters, openDeadLetters } from '../../src/coordination/dead-letters.ts';
import { createOutbox } from '../../src/coordination/outbox.ts';
import { createNoop } from '../../src/resilience/policy.ts';
import { createRetry } from '../../src/resilience/retry.ts';

interface Shop {
  'order.paid': { readonly n: number };
  'user.left': string;
}

const opened: { readonly store: DeadLetters; readonly directory: string }[] = [];

afterEach(async () => {
  for (const { store, directory } of opened.splice(0)) {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  }
});

const createRig = async () => {
  const directory = await mkdtemp(join(tmpdir(), 'troupe-outbox-'));
  const deadLetters = await openDeadLetters({ directory, fsync: 'never' });
  opened.push({ store: deadLetters, directory });
  const bus = createBus<Shop>();
  const events: TroupeEvent[] = [];
  bus.events.listen((event) => events.push(event));
  return { deadLetters, bus, events };
};

describe('an outbox', () => {
  it('sends what is published, in order, one at a time, and leaves what was injected', async () => {
    const { deadLetters, bus } = await createRig();
    const sent: string[] = [];
    const outbox = createOutbox(bus, 'order.*', {
      deadLetters,
      policy: createNoop(),
      send: async ({ topic, payload: { n } }) => {
        sent.push(`${topic} ${n} begins`);
        await Promise.resolve();
        sent.push(`${n} ends`);
      },
    });
    bus.publish('order.paid', { n: 1 });
    bus.inject('order.paid', { n: 9 });
    bus.publish('order.paid', { n: 2 });
    await bus.close();
    expect(sent).toEqual(['order.paid 1 begins', '1 ends', 'order.paid 2 begins', '2 ends']);
    expect(outbox.inspect()).toMatchObject({ sent: 2, deadLettered: 0, letters: 0 });
  });

  it('keeps what its policy could not deliver, with its attempts, and goes on; replay sends it again in order', async () => {
    const { deadLetters, bus, events } = await createRig();
    let down = true;
    const sent: number[] = [];
    const outbox = createOutbox(bus, 'order.*', {
      deadLetters,
      policy: createRetry({ maxAttempts: 2, backoff: { kind: 'constant', baseMs: 0, jitter: 'none' } }),
      headers: ({ n }) => ({ key: `k${n}` }),
      send: ({ payload: { n } }) => {
        if (down && n < 3) throw new Error('down');
        sent.push(n);
      },
    });
    for (const n of [1, 2, 3]) bus.publish('order.paid', { n });
    await bus.close();
    expect(sent).toEqual([3]);
    expect(deadLetters.list()).toMatchObject([
      { topic: 'order.paid', payload: { n: 1 }, attempts: 2, headers: { key: 'k1' }, error: 'Error: down' },
      { payload: { n: 2 } },
    ]);
    expect(events.filter(({ type }) => type === 'outbox.dead_lettered')).toHaveLength(2);
    expect(await outbox.replay()).toMatchObject({ delivered: 0, left: 2, error: new Error('down') });
    down = false;
    expect(await outbox.replay()).toEqual({ delivered: 2, left: 0, error: undefined });
    expect(sent).toEqual([3, 1, 2]);
  });

  it('says so when an event can neither be sent nor kept', async () => {
    const { deadLetters, bus, events } = await createRig();
    createOutbox(bus, 'user.*', {
      deadLetters,
      policy: createNoop(),
      send: () => Promise.reject(new Error('down')),
    });
    await deadLetters.close();
    bus.publish('user.left', 'x');
    await bus.close();
    expect(events.filter(({ type }) => type === 'bus.handler.failed')).toMatchObject([
      { topic: 'user.left', error: { code: 'ERR_DEAD_LETTERS_CLOSED' } },
    ]);
  });

  it('refuses options that it does not know, and to do without a store', async () => {
    const { bus } = await createRig();
    expect(() => createOutbox(bus, 'user.*', { send: () => 1 } as never)).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION_INVALID' }),
    );
  });
});
