/** A bus alone: publishers, and subscribers that are well, slow, throw, hang and leave, with every policy for a full queue. */
import { type Bus, createBus } from '../../../src/coordination/bus.ts';
import type { BusOverflow } from '../../../src/coordination/subscription.ts';
import type { Subscription } from '../../../src/coordination/subscription-handle.ts';
import { faultsAt } from '../../../src/testing/faults.ts';
import type { Draw, Scenario, Stage } from '../../../src/testing/simulation.ts';
import { follow, type Outcome } from './ledger.ts';

interface News {
  readonly by: number;
  readonly number: number;
}

interface Listener {
  readonly name: string;
  readonly subscription: Subscription;
  readonly bound: number;
  /** The last number it got of each publisher. */
  readonly last: Map<number, number>;
  got: number;
  left: boolean;
}

interface Loop {
  readonly iterator: AsyncIterator<unknown>;
  readonly asks: Outcome[];
}

interface World {
  readonly bus: Bus<Record<'news', News>>;
  readonly listeners: Listener[];
  readonly loops: Loop[];
  readonly publishes: Outcome[];
  readonly counts: number[];
  closing: Outcome | undefined;
  closingAt: number;
}

const HANDLER_MS = 100;
const CLOSE_MS = 500;
const POLICIES: readonly BusOverflow[] = ['drop_oldest', 'block', 'drop_newest', 'latest'];

const take = (listener: Listener, { by, number }: News, stage: Stage): void => {
  const { name, last } = listener;
  if (listener.left) stage.violated('nothing comes after leaving', `${name} got ${by}/${number}`);
  if (number <= (last.get(by) ?? -1))
    stage.violated('in the order of each publisher', `${name}: ${by}/${number} after ${last.get(by)}`);
  last.set(by, number);
  listener.got += 1;
};

const behave = (stage: Stage): unknown => {
  const { host } = stage;
  switch (stage.choose(5, 'handler')) {
    case 1:
      return new Promise<void>((resolve) => host.timer(20, 'handler', resolve));
    case 2:
      throw new Error('broken handler');
    case 3:
      stage.reached('a handler hung');
      return new Promise(() => {});
    case 4:
      return Promise.reject(new Error('broken handler'));
    default:
      return undefined;
  }
};

const subscribe = (world: World, draw: Draw, stage: Stage, sound: boolean): void => {
  const { bus, listeners } = world;
  if (world.closing !== undefined) return;
  const name = `${sound ? 'sound' : 'odd'} ${listeners.length}`;
  const bound = sound ? 10_000 : 1 + draw(3);
  const overflow = sound ? 'drop_oldest' : (POLICIES[draw(POLICIES.length)] as BusOverflow);
  const subscription = bus.subscribe(
    'news',
    (news) => {
      take(listener, news, stage);
      return sound ? undefined : behave(stage);
    },
    { name, capacity: bound, overflow, maxHanging: 2 },
  );
  const listener: Listener = { name, subscription, bound, last: new Map(), got: 0, left: false };
  listeners.push(listener);
};

const setUp = (stage: Stage): World => {
  const bus = createBus<Record<'news', News>>({ host: stage.host, timeoutMs: HANDLER_MS, maxBlocked: 3 });
  bus.events.listen((event) => {
    stage.note(event.type);
    if (event.type === 'bus.event.dropped') stage.reached(`dropped: ${event.why}`);
    if (event.type === 'bus.subscription.ended') stage.reached(`ended: ${event.why}`);
  });
  const world: World = {
    bus,
    listeners: [],
    loops: [],
    publishes: [],
    counts: [0, 0, 0],
    closing: undefined,
    closingAt: 0,
  };
  subscribe(world, () => 0, stage, true);
  return world;
};

export const busAlone: Scenario<World> = {
  name: 'bus',
  setUp,
  faults: { points: faultsAt('timer.late') },
  maxCommands: 30,
  weights: { publish: 12, subscribe: 3, ask: 3 },
  leans: [
    { commands: { subscribe: 3, publish: 12 }, paces: ['settled', 'at_once', 7], faults: {} },
    { commands: { publish: 6, subscribe: 1, iterate: 2, ask: 3, leave: 2 }, paces: [1, 7], faults: {} },
  ],
  commands: {
    publish: (world, draw) => {
      if (world.closing !== undefined) return;
      const by = draw(3);
      const number = world.counts[by] ?? 0;
      world.counts[by] = number + 1;
      const timeoutMs = draw(2) === 0 ? undefined : 30;
      const room = world.bus.publish(
        'news',
        { by, number },
        timeoutMs === undefined ? undefined : { timeoutMs },
      );
      if (room !== undefined) world.publishes.push(follow(room));
    },
    subscribe: (world, draw, stage) => subscribe(world, draw, stage, false),
    unsubscribe: ({ listeners }, draw) => {
      // The first is the one that hears all.
      const listener = listeners[1 + draw(Math.max(1, listeners.length - 1))];
      if (listener === undefined) return;
      listener.subscription.unsubscribe();
      listener.left = true;
    },
    iterate: ({ bus, loops, closing }, draw) => {
      if (closing === undefined)
        loops.push({ iterator: bus.iterate('news', { capacity: 1 + draw(3) }), asks: [] });
    },
    ask: ({ loops }, draw) => {
      const loop = loops[draw(Math.max(1, loops.length))];
      loop?.asks.push(follow(loop.iterator.next()));
    },
    leave: ({ loops }, draw, stage) => {
      const [loop] = loops.splice(draw(Math.max(1, loops.length)), 1);
      if (loop === undefined) return;
      follow(Promise.resolve(loop.iterator.return?.()), () => {
        if (loop.asks.some(({ status }) => status === 'pending'))
          stage.violated('leaving a loop settles what it asked for', 'it does not');
        stage.reached('a loop was left');
      });
    },
    close: (world, draw, stage) => {
      if (draw(5) !== 0 || world.closing !== undefined) return;
      world.closingAt = stage.host.monotonic();
      world.closing = follow(world.bus.close({ timeoutMs: CLOSE_MS }));
      try {
        world.bus.publish('news', { by: 0, number: -1 });
        stage.violated('a closing bus refuses', 'it took an event');
      } catch {
        stage.reached('refused when closing');
      }
    },
  },
  always: {
    'delivered, dropped or waiting: all that was published': ({ bus, listeners }) => {
      const reports = [
        ...bus.inspect().subscriptions,
        ...listeners.map(({ subscription }) => subscription.report()),
      ];
      const wrong = reports.find(
        ({ delivered, dropped, depth, blocked, published }) =>
          delivered + dropped + depth + blocked !== published,
      );
      return wrong === undefined ? undefined : JSON.stringify(wrong);
    },
    'no queue is longer than it may be': ({ listeners }) => {
      const long = listeners.find(({ subscription, bound }) => subscription.report().depth > bound);
      return long?.name;
    },
    'a place for each subscription, and for nobody else': ({ bus, listeners, loops, closing }) => {
      const active = listeners.filter(({ subscription }) => subscription.active).length;
      const places = bus.inspect().subscriptions.length;
      return closing !== undefined || places === active + loops.length
        ? undefined
        : `${places} places, ${active} subscriptions, ${loops.length} loops`;
    },
    'a close ends in time': ({ closing, closingAt }, { host }) =>
      closing?.status === 'pending' && host.monotonic() > closingAt + CLOSE_MS + 400
        ? 'it does not'
        : undefined,
  },
  sometimes: [
    'a handler hung',
    'a loop was left',
    'refused when closing',
    'dropped: full',
    'dropped: gave_up',
    'dropped: too_many_blocked',
    'ended: hung',
    'ended: unsubscribed',
    'ended: closed',
  ],
  heal: async (world, stage) => {
    const rest = (ms: number) => new Promise<void>((resolve) => stage.host.timer(ms, 'rest', resolve));
    await rest(5_000);
    const [first] = world.listeners;
    const published = world.counts.reduce((sum, count) => sum + count, 0);
    if (world.closing === undefined && first?.got !== published)
      stage.violated('the odd do not keep from the sound', `${first?.got} of ${published}`);
    if (world.closing === undefined) {
      world.closingAt = stage.host.monotonic();
      world.closing = follow(world.bus.close({ timeoutMs: CLOSE_MS }));
    }
    await rest(1_000);
  },
  converged: {
    'closed, and nobody waits': ({ bus, closing, publishes, loops }) => {
      const open = [...publishes, ...loops.flatMap(({ asks }) => asks)].filter(
        ({ status }) => status === 'pending',
      );
      if (closing?.status !== 'fulfilled') return `the close is ${closing?.status}`;
      return open.length === 0 && bus.inspect().subscriptions.length === 0
        ? undefined
        : `${open.length} wait`;
    },
  },
};
