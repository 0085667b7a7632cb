import { describe, expect, expectTypeOf, it } from 'vitest';
import type { TroupeEvent } from '../../src/base/telemetry.ts';
import { type Bus, type BusReport, createBus } from '../../src/coordination/bus.ts';
import type { BusOptions } from '../../src/coordination/bus-options.ts';
import type { ActorContext } from '../../src/kernel/logic.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { createRig as createSystemRig, gate, part, watch } from '../kernel/rig.ts';

interface Shop {
  'order.placed': { readonly id: number };
  'order.paid': { readonly id: number; readonly cents: number };
  'order.item.added': string;
  'user.left': string;
}

const createRig = (options: BusOptions = {}) => {
  const host = new SimulatedHost();
  const bus: Bus<Shop> = createBus<Shop>({ host, ...options });
  const events: TroupeEvent[] = [];
  bus.events.listen((event) => events.push(event));
  const told = (type: TroupeEvent['type']) => events.filter((event) => event.type === type);
  return { host, bus, events, told };
};

/** Every event went somewhere. */
const expectConserved = ({ subscriptions }: BusReport): void => {
  for (const { published, delivered, dropped, depth, blocked } of subscriptions)
    expect(delivered + dropped + depth + blocked).toBe(published);
};

describe('publishing', () => {
  it('reaches every subscriber of the topic, in order, never in the turn of the publisher', async () => {
    const { bus, host } = createRig();
    const seen: string[] = [];
    bus.subscribe('user.left', (name) => seen.push(`a ${name}`));
    bus.subscribe('user.left', (name) => seen.push(`b ${name}`));
    for (const name of ['x', 'y', 'z']) expect(bus.publish('user.left', name)).toBeUndefined();
    expect(seen).toEqual([]);
    await host.settle();
    expect(seen.filter((each) => each.startsWith('a'))).toEqual(['a x', 'a y', 'a z']);
    expect(seen.filter((each) => each.startsWith('b'))).toEqual(['b x', 'b y', 'b z']);
  });

  it.each([
    ['order.placed', ['order.placed']],
    ['order.*', ['order.placed', 'order.paid']],
    ['order.**', ['order.placed', 'order.paid', 'order.item.added']],
    ['*.left', ['user.left']],
    ['**', ['order.placed', 'order.paid', 'order.item.added', 'user.left']],
    ['order.*.added', ['order.item.added']],
  ] as const)('%s stands for %j', async (pattern, topics) => {
    const { bus, host } = createRig();
    const seen: string[] = [];
    bus.subscribe(pattern, (_payload, { topic }) => seen.push(topic));
    bus.publish('order.placed', { id: 1 });
    bus.publish('order.paid', { id: 1, cents: 5 });
    bus.publish('order.item.added', 'tea');
    bus.publish('user.left', 'x');
    await host.settle();
    expect(seen).toEqual(topics);
  });

  it('types payloads by topic and by pattern', () => {
    const { bus } = createRig();
    bus.subscribe('order.paid', (payload) => expectTypeOf(payload).toEqualTypeOf<Shop['order.paid']>());
    bus.subscribe('order.*', (payload) =>
      expectTypeOf(payload).toEqualTypeOf<Shop['order.paid'] | Shop['order.placed']>(),
    );
    bus.subscribe('*.left', (payload) => expectTypeOf(payload).toEqualTypeOf<string>());
    // @ts-expect-error an order has an id
    bus.publish('order.placed', { number: 1 });
    // @ts-expect-error no such topic
    bus.publish('order.lost', 1);
  });

  it.each(['', 'a..b', 'a b', 'a.*', '**', 'x'.repeat(600)])('refuses the topic %j', (topic) => {
    const { bus } = createRig();
    expect(() => bus.publish(topic as never, 1 as never)).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION_INVALID' }),
    );
  });

  it.each(['', 'a..b', 'a.**.b', 'a*'])('refuses the pattern %j', (pattern) => {
    const { bus } = createRig();
    expect(() => bus.subscribe(pattern, () => {})).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION_INVALID' }),
    );
  });

  it('counts what nobody hears', () => {
    const { bus } = createRig();
    bus.publish('user.left', 'x');
    expect(bus.inspect()).toMatchObject({ published: 1, unheard: 1 });
  });

  it('to bridges leaves out what came from elsewhere', async () => {
    const { bus, host } = createRig();
    const [all, local]: string[][] = [[], []];
    bus.subscribe('user.left', (name, { origin }) => all?.push(`${name} ${origin}`));
    bus.subscribe('user.left', (name) => local?.push(name), { origin: 'local' });
    bus.publish('user.left', 'here');
    bus.inject('user.left', 'there');
    await host.settle();
    expect([all, local]).toEqual([['here local', 'there remote'], ['here']]);
  });
});

describe('a subscriber that', () => {
  it('throws is told of, and misses nothing that follows; others notice nothing', async () => {
    const { bus, host, told } = createRig();
    const seen: string[] = [];
    bus.subscribe('user.left', (name) => {
      if (name === 'x') throw new Error('as told');
      seen.push(name);
    });
    bus.subscribe('user.left', async () => Promise.reject(new Error('async')));
    bus.subscribe('user.left', (name) => seen.push(`other ${name}`));
    bus.publish('user.left', 'x');
    bus.publish('user.left', 'y');
    await host.settle();
    expect(seen.sort()).toEqual(['other x', 'other y', 'y']);
    expect(told('bus.handler.failed')).toHaveLength(3);
    expectConserved(bus.inspect());
  });

  it('is slow gets its events one after the other, in order', async () => {
    const { bus, host } = createRig();
    const seen: string[] = [];
    const gates = [gate(), gate()];
    bus.subscribe('user.left', async (name) => {
      seen.push(`${name} in`);
      await gates.shift()?.passed;
      seen.push(`${name} out`);
    });
    const first = gates[0];
    bus.publish('user.left', 'x');
    bus.publish('user.left', 'y');
    await host.settle();
    expect(seen).toEqual(['x in']);
    first?.open();
    await host.settle();
    expect(seen).toEqual(['x in', 'x out', 'y in']);
  });

  it('hangs has its signal aborted at its deadline, and keeps the next event waiting no longer', async () => {
    const { bus, host, told } = createRig({ timeoutMs: 100 });
    const signals: AbortSignal[] = [];
    const seen: string[] = [];
    bus.subscribe('user.left', (name, { signal }) => {
      seen.push(name);
      signals.push(signal);
      return name === 'x' ? new Promise(() => {}) : undefined;
    });
    bus.publish('user.left', 'x');
    bus.publish('user.left', 'y');
    await host.advance(99);
    expect(seen).toEqual(['x']);
    await host.advance(1);
    expect(seen).toEqual(['x', 'y']);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(told('bus.handler.overdue')).toHaveLength(1);
    expect(bus.inspect().subscriptions).toMatchObject([{ overdue: 1, hanging: 1 }]);
  });

  it('hangs for ever with too many loses its place', async () => {
    const { bus, host, told } = createRig({ timeoutMs: 100, maxHanging: 2 });
    const subscription = bus.subscribe('user.left', () => new Promise(() => {}));
    for (const name of ['x', 'y', 'z']) bus.publish('user.left', name);
    await host.advance(200);
    expect(subscription.active).toBe(false);
    expect(told('bus.subscription.ended')).toMatchObject([{ why: 'hung' }]);
    expect(subscription.report()).toMatchObject({ delivered: 2, dropped: 1 });
  });

  it('unsubscribes gets nothing any more, also of what was published before', async () => {
    const { bus, host } = createRig();
    const seen: string[] = [];
    const subscription = bus.subscribe('user.left', (name) => seen.push(name));
    bus.publish('user.left', 'x');
    expect(subscription.unsubscribe()).toBe(true);
    expect(subscription.unsubscribe()).toBe(false);
    await host.settle();
    expect(seen).toEqual([]);
    expect(subscription.report()).toMatchObject({ published: 1, dropped: 1 });
  });

  it('unsubscribes in its handler has its signal aborted', async () => {
    const { bus, host } = createRig();
    let aborted = false;
    const subscription = bus.subscribe('user.left', async (_name, { signal }) => {
      subscription.unsubscribe();
      aborted = signal.aborted;
      await Promise.resolve();
    });
    bus.publish('user.left', 'x');
    await host.settle();
    expect(aborted).toBe(true);
    expect(subscription.active).toBe(false);
  });
});

describe('a full queue', () => {
  const fill = async (overflow: 'block' | 'drop_oldest' | 'drop_newest' | 'latest') => {
    const rig = createRig({ capacity: 2, overflow });
    const seen: string[] = [];
    const hold = gate();
    const subscription = rig.bus.subscribe('user.left', async (name) => {
      seen.push(name);
      await hold.passed;
    });
    rig.bus.publish('user.left', '1');
    await rig.host.settle();
    const outcomes = ['2', '3', '4', '5'].map((name) => rig.bus.publish('user.left', name));
    return { ...rig, seen, hold, subscription, outcomes };
  };

  it.each([
    ['drop_oldest', ['1', '4', '5'], 2],
    ['drop_newest', ['1', '2', '3'], 2],
    ['latest', ['1', '5'], 3],
  ] as const)('with %s keeps %j, and counts the others', async (overflow, kept, dropped) => {
    const { seen, hold, host, subscription, bus, told } = await fill(overflow);
    hold.open();
    await host.settle();
    expect(seen).toEqual(kept);
    expect(subscription.report()).toMatchObject({ published: 5, delivered: kept.length, dropped });
    expect(told('bus.event.dropped')).toHaveLength(dropped);
    expectConserved(bus.inspect());
  });

  it('with block makes publishers wait for room, in the order in which they came', async () => {
    const { seen, hold, host, outcomes, bus } = await fill('block');
    expect(outcomes.slice(0, 2)).toEqual([undefined, undefined]);
    const waits = outcomes.slice(2).map((outcome) => watch(outcome as Promise<void>));
    await host.settle();
    expect(waits.map(({ settled }) => settled)).toEqual([false, false]);
    expectConserved(bus.inspect());
    hold.open();
    await host.settle();
    expect(waits.map(({ settled }) => settled)).toEqual([true, true]);
    expect(seen).toEqual(['1', '2', '3', '4', '5']);
  });

  it('with block turns a publisher away at its deadline, or when it aborts, or lets it go with the subscriber', async () => {
    const { host, bus, subscription } = await fill('block');
    const controller = new AbortController();
    const late = watch(bus.publish('user.left', '6', { timeoutMs: 50 }) as Promise<void>);
    const gone = watch(bus.publish('user.left', '7', { signal: controller.signal }) as Promise<void>);
    const patient = watch(bus.publish('user.left', '8') as Promise<void>);
    await host.advance(50);
    controller.abort('away');
    await host.settle();
    expect([late.now, gone.now, patient.now]).toEqual(['ERR_BUS_FULL', 'away', 'pending']);
    expectConserved(bus.inspect());
    subscription.unsubscribe();
    await host.settle();
    expect(patient.settled).toBe(true);
    expect(subscription.report()).toMatchObject({ published: 8, delivered: 1, dropped: 7 });
  });
});

describe('a subscription ends', () => {
  it('with its signal, with its owner, and all of an owner at once', async () => {
    const { bus, host } = createRig();
    const controller = new AbortController();
    const subscriptions = [
      bus.subscribe('user.left', () => {}, { signal: controller.signal }),
      bus.subscribe('user.left', () => {}, { owner: 'session 1' }),
      bus.subscribe('**', () => {}, { owner: 'session 1' }),
      bus.subscribe('**', () => {}, { owner: 'session 2' }),
    ];
    controller.abort();
    expect(bus.unsubscribeAll('session 1')).toBe(2);
    expect(bus.unsubscribeAll('session 1')).toBe(0);
    await host.settle();
    expect(subscriptions.map(({ active }) => active)).toEqual([false, false, false, true]);
    expect(bus.inspect().churn).toEqual({ subscribed: 4, unsubscribed: 3 });
  });

  it('with the actor that has it; its events come as mail', async () => {
    const rig = createSystemRig();
    const bus = createBus<Shop>({ host: rig.host });
    const seen: unknown[] = [];
    let context!: ActorContext;
    const handle = await rig.start(
      part('listener', (own) => {
        context = own;
        return { tell: (message) => void seen.push(message) };
      }),
    );
    bus.forward('user.left', handle, { owner: context });
    bus.forward('order.paid', handle, { owner: context, as: ({ cents }) => cents });
    bus.publish('user.left', 'x');
    bus.publish('order.paid', { id: 1, cents: 5 });
    await rig.host.settle();
    expect(seen).toEqual([{ type: 'user.left', payload: 'x' }, 5]);
    context.stop();
    await rig.host.settle();
    expect(bus.inspect().subscriptions).toEqual([]);
  });
});

describe('a loop over events', () => {
  it('gets them in order, one when it asks for one, and frees its place when it is left', async () => {
    const { bus, host } = createRig({ capacity: 2 });
    const seen: unknown[] = [];
    const loop = (async () => {
      for await (const { payload } of bus.iterate('user.left')) {
        seen.push(payload);
        if (seen.length === 3) break;
      }
    })();
    for (const name of ['x', 'y', 'z', 'ignored']) {
      bus.publish('user.left', name);
      await host.settle();
    }
    await host.runUntil(loop);
    expect(seen).toEqual(['x', 'y', 'z']);
    expect(bus.inspect().subscriptions).toEqual([]);
  });

  it('keeps no more than its queue holds while it does something else', async () => {
    const { bus, host } = createRig({ capacity: 2 });
    const events = bus.iterate('user.left');
    for (const name of ['1', '2', '3', '4']) bus.publish('user.left', name);
    await host.settle();
    expect(await host.runUntil(events.next())).toMatchObject({ value: { payload: '3' } });
    expect(bus.inspect().subscriptions).toMatchObject([{ delivered: 1, dropped: 2, depth: 1 }]);
  });

  it('ends with the bus', async () => {
    const { bus, host } = createRig();
    const next = watch(bus.iterate('user.left').next());
    await host.runUntil(bus.close());
    await host.settle();
    expect(next.now).toMatchObject({ done: true });
  });
});

describe('closing', () => {
  it('delivers what waits, refuses what comes, and tells all callers the same', async () => {
    const { bus, host } = createRig();
    const seen: string[] = [];
    bus.subscribe('user.left', (name) => seen.push(name));
    bus.publish('user.left', 'x');
    const closes = [bus.close(), bus.close()];
    expect(() => bus.publish('user.left', 'late')).toThrow(
      expect.objectContaining({ code: 'ERR_BUS_CLOSED' }),
    );
    expect(() => bus.subscribe('user.left', () => {})).toThrow(
      expect.objectContaining({ code: 'ERR_BUS_CLOSED' }),
    );
    const reports = await host.runUntil(Promise.all(closes));
    expect(reports[0]).toBe(reports[1]);
    expect(reports[0]).toEqual({ delivered: 1, dropped: 0, hanging: [] });
    expect(seen).toEqual(['x']);
  });

  it('is over at its deadline though a handler hangs, and names it', async () => {
    const { bus, host } = createRig({ timeoutMs: Number.POSITIVE_INFINITY });
    bus.subscribe('user.left', () => new Promise(() => {}), { name: 'stuck' });
    bus.publish('user.left', 'x');
    bus.publish('user.left', 'y');
    const closed = watch(bus.close({ timeoutMs: 500 }));
    await host.advance(500);
    expect(closed.now).toEqual({ delivered: 1, dropped: 1, hanging: ['stuck'] });
    expect(host.pendingTimers()).toEqual([]);
  });
});
