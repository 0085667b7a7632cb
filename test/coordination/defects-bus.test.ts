/** What went wrong with event buses and message paths elsewhere, and here before: each cannot happen, by name. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { TroupeEvent } from '../../src/base/telemetry.ts';
import { createBus } from '../../src/coordination/bus.ts';
import type { BusOptions } from '../../src/coordination/bus-options.ts';
import { type DeadLetters, openDeadLetters } from '../../src/coordination/dead-letters.ts';
import { createOutbox } from '../../src/coordination/outbox.ts';
import { createNoop } from '../../src/resilience/policy.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { watch } from '../kernel/rig.ts';

const createRig = (options: BusOptions = {}) => {
  const host = new SimulatedHost();
  const bus = createBus({ host, ...options });
  const events: TroupeEvent[] = [];
  bus.events.listen((event) => events.push(event));
  return { host, bus, events };
};

const hang = (): Promise<never> => new Promise(() => {});

describe('defects of event buses', () => {
  it('one handler that hangs stops nobody else, nor its own subscription for ever', async () => {
    const { bus, host } = createRig({ timeoutMs: 100 });
    const [seen, own]: [unknown[], unknown[]] = [[], []];
    bus.subscribe('a', (payload) => seen.push(payload));
    bus.subscribe('a', (payload) => {
      own.push(payload);
      return payload === 1 ? hang() : undefined;
    });
    for (const payload of [1, 2, 3]) bus.publish('a', payload);
    await host.settle();
    expect(seen).toEqual([1, 2, 3]);
    await host.advance(100);
    expect(own).toEqual([1, 2, 3]);
  });

  it('publishing after the close fails, and nothing lies in a queue that nobody reads', async () => {
    const { bus, host } = createRig();
    bus.subscribe('a', () => {});
    const closed = host.runUntil(bus.close());
    expect(() => bus.publish('a', 1)).toThrowError(expect.objectContaining({ code: 'ERR_BUS_CLOSED' }));
    await closed;
    expect(() => bus.inject('a', 1)).toThrowError(expect.objectContaining({ code: 'ERR_BUS_CLOSED' }));
    expect(bus.inspect()).toMatchObject({ published: 0, subscriptions: [] });
  });

  it('whatever can be awaited is awaited: an object with then, a function with then', async () => {
    const { bus, host } = createRig();
    const order: string[] = [];
    const slow = (word: unknown) => {
      const thenable = Object.assign(() => undefined, {
        then: (done: (value: unknown) => void) => {
          host.timer(10, 'slow', () => {
            order.push(`${String(word)} over`);
            done(undefined);
          });
        },
      });
      return word === 1 ? thenable : { then: thenable.then };
    };
    bus.subscribe('a', (payload) => {
      order.push(`${String(payload)} begins`);
      return slow(payload);
    });
    bus.publish('a', 1);
    bus.publish('a', 2);
    await host.advance(20);
    expect(order).toEqual(['1 begins', '1 over', '2 begins', '2 over']);
  });

  it('what cannot even be looked at is a failure of its handler, and the next event comes', async () => {
    const { bus, host } = createRig();
    const seen: unknown[] = [];
    const hostile = (): never => {
      throw new Error('as told');
    };
    bus.subscribe('a', (payload) => {
      seen.push(payload);
      return Object.defineProperty({}, 'then', { get: hostile }) as unknown as Promise<void>;
    });
    bus.publish('a', 1);
    bus.publish('a', 2);
    await host.settle();
    expect(seen).toEqual([1, 2]);
    expect(bus.inspect().subscriptions[0]).toMatchObject({ delivered: 2, failed: 2 });
  });

  it('the queue is bounded: what is too much is dropped, counted and told of', async () => {
    const { bus, events } = createRig({ capacity: 10 });
    const slow = bus.subscribe('a', hang);
    for (let n = 0; n < 1_000; n++) bus.publish('a', n);
    expect(slow.report()).toMatchObject({ depth: 10, dropped: 990, published: 1_000 });
    expect(events.filter(({ type }) => type === 'bus.event.dropped')).toHaveLength(990);
  });

  it('a cancelled handler is not counted as a success', async () => {
    const { bus, host } = createRig({ timeoutMs: 50 });
    const subscription = bus.subscribe(
      'a',
      (_payload, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    );
    bus.publish('a', 1);
    await host.advance(50);
    expect(subscription.report()).toMatchObject({ overdue: 1, failed: 1, hanging: 0 });
  });

  it('a second close, and one at the same time, tell what the first tells', async () => {
    const { bus, host } = createRig();
    const [first, second] = await host.runUntil(Promise.all([bus.close(), bus.close()]));
    expect(second).toBe(first);
  });

  it('clearing up after one service leaves the subscriptions of others', async () => {
    const { bus, host } = createRig();
    const seen: unknown[] = [];
    bus.subscribe('a', () => seen.push('gone'), { owner: 'service 1' });
    bus.subscribe('a', () => seen.push('there'), { owner: 'service 2' });
    expect(bus.unsubscribeAll('service 1')).toBe(1);
    bus.publish('a', 1);
    await host.settle();
    expect(seen).toEqual(['there']);
  });

  it('fifty handlers at once run beside each other, and each event of each is counted', async () => {
    const { bus, host } = createRig();
    let running = 0;
    let most = 0;
    const slow = async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => host.timer(10, 'slow', resolve));
      running -= 1;
    };
    for (let count = 0; count < 50; count++) bus.subscribe('a', () => slow());
    bus.publish('a', 1);
    bus.publish('a', 2);
    await host.advance(20);
    expect([most, running]).toEqual([50, 0]);
    expect(bus.inspect()).toMatchObject({ delivered: 100, dropped: 0 });
  });

  it('what is no topic and no function is refused', () => {
    const { bus } = createRig();
    expect(() => bus.publish('' as never, 1)).toThrow();
    expect(() => bus.publish('a b' as never, 1)).toThrow();
    expect(() => bus.subscribe('a', 'handler' as never)).toThrow();
  });

  it('a handler that ends its own subscription has its signal aborted at once, read before or after', async () => {
    const { bus, host } = createRig();
    const aborted: boolean[] = [];
    const early = bus.subscribe('a', async (_payload, { signal }) => {
      aborted.push(signal.aborted);
      early.unsubscribe();
      aborted.push(signal.aborted);
    });
    const late = bus.subscribe('a', async (_payload, delivery) => {
      late.unsubscribe();
      await Promise.resolve();
      aborted.push(delivery.signal.aborted);
    });
    bus.publish('a', 1);
    await host.settle();
    expect(aborted).toEqual([false, true, true]);
  });

  it('what is told of drops may throw: it is counted as a failure, and the publisher hears nothing', () => {
    const { bus } = createRig({ capacity: 1 });
    const subscription = bus.subscribe('a', hang, {
      onDrop: () => {
        throw new Error('full too');
      },
    });
    bus.publish('a', 1);
    bus.publish('a', 2);
    expect(subscription.report()).toMatchObject({ dropped: 1, failed: 1 });
  });
});

describe('defects of message paths', () => {
  const folders: string[] = [];
  const stores: DeadLetters[] = [];

  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
  });

  const open = async () => {
    const directory = await mkdtemp(join(tmpdir(), 'troupe-path-'));
    folders.push(directory);
    const store = await openDeadLetters({ directory, fsync: 'never' });
    stores.push(store);
    return store;
  };

  it('a broker that is away at the close costs no event: what waits, and what is being sent, is kept', async () => {
    const deadLetters = await open();
    const bus = createBus();
    const outbox = createOutbox(bus, 'order.*', { deadLetters, policy: createNoop(), send: hang });
    for (const n of [1, 2, 3]) bus.publish('order.paid', { n });
    await bus.close({ timeoutMs: 1 });
    await outbox.close();
    const kept = deadLetters.list().map(({ payload, attempts }) => [(payload as { n: number }).n, attempts]);
    expect(kept.sort()).toEqual([
      [1, 1],
      [2, 0],
      [3, 0],
    ]);
    expect(outbox.inspect()).toMatchObject({ sent: 0, deadLettered: 3 });
  });

  it('a broker that is away at the start keeps nobody from starting: what is published is kept, and sent when it is there', async () => {
    const deadLetters = await open();
    const bus = createBus();
    let away = true;
    const sent: unknown[] = [];
    const outbox = createOutbox(bus, 'order.*', {
      deadLetters,
      policy: createNoop(),
      send: async ({ payload }) => {
        if (away) throw new Error('connect ECONNREFUSED');
        sent.push(payload);
      },
    });
    bus.publish('order.paid', 1);
    bus.publish('order.paid', 2);
    await bus.idle();
    await expect.poll(() => deadLetters.list()).toHaveLength(2);
    away = false;
    bus.publish('order.paid', 3);
    await bus.idle();
    await outbox.replay();
    expect(sent).toEqual([3, 1, 2]);
    expect(deadLetters.list()).toEqual([]);
    await bus.close();
  });

  it('an event for which there is no room any more is kept as well', async () => {
    const deadLetters = await open();
    const bus = createBus({ maxBlocked: 0 });
    const policy = createNoop();
    const outbox = createOutbox(bus, 'a', { deadLetters, policy, capacity: 1, send: hang });
    for (const n of [1, 2, 3, 4]) void bus.publish('a', n);
    await outbox.close();
    expect(deadLetters.list().map(({ payload }) => payload)).toHaveLength(4);
  });

  it('a store that fails at the close is told of', async () => {
    const deadLetters = await open();
    const bus = createBus();
    const outbox = createOutbox(bus, 'a', { deadLetters, policy: createNoop(), send: hang });
    const failed: unknown[] = [];
    bus.events.on('bus.handler.failed', ({ error }) => failed.push(error));
    bus.publish('a', 1);
    bus.publish('a', 2);
    await deadLetters.close();
    await bus.close({ timeoutMs: 1 });
    await outbox.close();
    await new Promise((resolve) => setImmediate(resolve));
    expect(failed).toMatchObject([{ code: 'ERR_DEAD_LETTERS_CLOSED' }, { code: 'ERR_DEAD_LETTERS_CLOSED' }]);
  });

  it('a sending that hangs does not stop the path, with no policy of its own', async () => {
    const deadLetters = await open();
    const bus = createBus();
    const outbox = createOutbox(bus, 'a', { deadLetters, send: hang });
    bus.publish('a', 1);
    const closed = watch(outbox.close());
    await expect.poll(() => closed.settled).toBe(true);
    expect(deadLetters.list()).toHaveLength(1);
  });

  it('a letter is kept as it was handed over, whatever becomes of the object', async () => {
    const deadLetters = await open();
    const payload = { cents: 100 };
    const added = deadLetters.add({ topic: 'a', payload, error: 'down' });
    payload.cents = 0;
    await added;
    expect(deadLetters.list()).toMatchObject([{ payload: { cents: 100 } }]);
  });
});
