/**
 * What actors cost: beside nact and, where there is one, Erlang. All of it through the public API, with defaults; plain
 * actors are `server`s, Erlang's are `gen_server`s under a `supervisor`, except that `tell`, `ping-pong` and `relay`
 * are bare processes there.
 */
import * as nact from 'nact';
import { actor, createSystem, dynamicSupervisor, server, supervisor } from '../dist/index.js';
import { logTo } from '../dist/pino.js';
import { silentLogger } from './silent-logger.mjs';

/** Half a mailbox: none of the tells is refused. */
const BATCH = 5_000;
const ADD = { type: 'add' };
const GET = { type: 'get' };
const CRASH = { type: 'crash' };
const PING = { type: 'ping' };
/** Made once: what an error costs is not what a restart costs. */
const BOOM = new Error('boom');

const counting = server({
  init: () => ({ n: 0 }),
  call: { get: (state) => state.n },
  cast: {
    add: (state) => {
      state.n += 1;
    },
  },
});
const counter = (id) => actor(id, counting);

/** nact's plain actor. */
const nactCounter = (state = { n: 0 }, message, context) => {
  if (message.type === 'get') nact.dispatch(message.from, state.n, context.self);
  else state.n += 1;
  return state;
};
const askNact = (ref) => nact.query(ref, (from) => ({ type: 'get', from }), 5_000);

const inBatches = (send, done) => async (count) => {
  for (let left = count; left > 0; left -= BATCH) {
    for (let i = Math.min(left, BATCH); i > 0; i--) send();
    await done();
  }
};

const withCounters = async (work) => {
  const system = createSystem();
  const handle = await system.start(counter('counter'));
  const other = nact.start();
  const ref = nact.spawn(other, nactCounter, 'counter');
  return {
    contestants: work(handle, ref),
    close: async () => {
      nact.stop(other);
      await system.shutdown();
    },
  };
};

const tell = ({ erlang }) =>
  withCounters((handle, ref) => ({
    troupe: inBatches(
      () => handle.tell(ADD),
      () => handle.call(GET),
    ),
    nact: inBatches(
      () => nact.dispatch(ref, ADD),
      () => askNact(ref),
    ),
    erlang: erlang('tell'),
  }));

const call = ({ erlang }) =>
  withCounters((handle, ref) => ({
    troupe: async (count) => {
      for (let i = 0; i < count; i++) await handle.call(GET);
    },
    nact: async (count) => {
      for (let i = 0; i < count; i++) await askNact(ref);
    },
    erlang: erlang('call'),
  }));

/** A round trip between two actors; `serve` begins one with so many and resolves after the last. */
const pingPong = async ({ erlang }) => {
  const system = createSystem();
  let over;
  let left = 0;
  const ping = actor(
    'ping',
    server({
      init: () => undefined,
      cast: {
        serve: (_state, _message, context) => void context.tell(pong, { type: 'ping', from: context.self }),
        pong: (_state, _message, context) => {
          left -= 1;
          if (left === 0) over();
          else context.tell(pong, { type: 'ping', from: context.self });
        },
      },
    }),
  );
  const pong = actor(
    'pong',
    server({
      init: () => undefined,
      cast: { ping: (_state, { from }, context) => void context.tell(from, { type: 'pong' }) },
    }),
  );
  await system.start(pong);
  const handle = await system.start(ping);

  const other = nact.start();
  const otherPong = nact.spawnStateless(
    other,
    ({ from }, context) => nact.dispatch(from, { type: 'pong' }, context.self),
    'pong',
  );
  const otherPing = nact.spawnStateless(
    other,
    ({ type }, context) => {
      if (type === 'pong') left -= 1;
      if (left === 0) over();
      else nact.dispatch(otherPong, { type: 'ping', from: context.self });
    },
    'ping',
  );

  const trips = (begin) => (count) =>
    new Promise((resolve) => {
      left = count;
      over = () => resolve(undefined);
      begin();
    });
  return {
    contestants: {
      troupe: trips(() => handle.tell({ type: 'serve' })),
      nact: trips(() => nact.dispatch(otherPing, { type: 'serve' })),
      erlang: erlang('ping-pong'),
    },
    close: async () => {
      nact.stop(other);
      await system.shutdown();
    },
  };
};

const namesOf = (count) => Array.from({ length: count }, (_, i) => `a${i}`);

/** Elapsed nanoseconds of `work`, without what comes before and after it. */
const elapsed = async (work) => {
  const began = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - began);
};

/** A supervisor with so many children: timed from the first `startChild` to the last one's init. */
const spawned = async (count, measure) => {
  const system = createSystem();
  const room = await system.start(dynamicSupervisor('room', { template: counter('child') }));
  const names = namesOf(count);
  const figure = await measure(async () => {
    for (let i = 0; i < count; i++) await room.startChild(names[i]);
  }, system);
  await system.shutdown();
  return figure;
};

/** A parent with so many children; nact begins them in the spawner's own turn, and awaits nothing. */
const nactSpawned = async (count, measure) => {
  const system = nact.start();
  const room = nact.spawnStateless(system, () => {}, 'room');
  const names = namesOf(count);
  const figure = await measure(async () => {
    for (let i = 0; i < count; i++) nact.spawn(room, nactCounter, names[i]);
  });
  nact.stop(system);
  return figure;
};

const spawn = ({ erlang }) => ({
  contestants: {
    troupe: (count) => spawned(count, elapsed),
    nact: (count) => nactSpawned(count, elapsed),
    erlang: erlang('spawn'),
  },
});

/** What so many idle actors hold, their names, which the caller made, left out. */
const held = async (work) => {
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  await work();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed - before;
};

const bytes = ({ erlang }) => ({
  contestants: {
    troupe: (count) => spawned(count, held),
    nact: (count) => nactSpawned(count, held),
    erlang: erlang('bytes'),
  },
});

/** From the crash to the init of the next incarnation, one after the other. */
const fragile = async (watch) => {
  let up;
  const system = createSystem();
  const child = actor(
    'fragile',
    server({
      init: () => {
        up?.();
        return {};
      },
      cast: {
        crash: () => {
          throw BOOM;
        },
      },
    }),
  );
  const forgiving = { children: [child], backoff: false, intensity: 1_000_000_000, periodMs: 1 };
  await system.start(supervisor('root', forgiving));
  const unwatch = watch?.(system.events);
  const handle = system.get(child);
  const crash = () =>
    new Promise((resolve) => {
      up = resolve;
      handle.tell(CRASH);
    });
  return {
    crash: async (count) => {
      for (let i = 0; i < count; i++) await crash();
    },
    close: () => {
      unwatch?.();
      return system.shutdown();
    },
  };
};

/** nact's `reset`: the same actor with a new state, its mailbox kept. */
const nactFragile = () => {
  let up;
  const system = nact.start();
  const ref = nact.spawn(
    system,
    () => {
      throw BOOM;
    },
    'fragile',
    {
      initialStateFunc: () => {
        up?.();
        return {};
      },
      onCrash: (_message, _error, context) => context.reset,
    },
  );
  const crash = () =>
    new Promise((resolve) => {
      up = resolve;
      nact.dispatch(ref, CRASH);
    });
  return {
    crash: async (count) => {
      for (let i = 0; i < count; i++) await crash();
    },
    close: () => nact.stop(system),
  };
};

const restart = async ({ erlang }) => {
  const ours = await fragile();
  const theirs = nactFragile();
  return {
    contestants: { troupe: ours.crash, nact: theirs.crash, erlang: erlang('restart') },
    close: async () => {
      theirs.close();
      await ours.close();
    },
  };
};

/** The same with every fact of it written as a line of JSON, to nowhere. */
const restartLogged = async () => {
  const { crash, close } = await fragile((events) => logTo(events, { logger: silentLogger() }));
  return { contestants: { troupe: crash }, close };
};

const TREE = 10_000;

const stop = ({ erlang }) => ({
  contestants: {
    troupe: async (count) => {
      let ns = 0;
      for (let i = 0; i < count; i++) {
        const system = createSystem();
        const room = await system.start(dynamicSupervisor('room', { template: counter('child') }));
        for (const name of namesOf(TREE)) await room.startChild(name);
        ns += await elapsed(() => system.shutdown());
      }
      return ns;
    },
    erlang: erlang('stop'),
  },
});

/** One message handed on by each of 10,000 actors to the next. */
const relay = async ({ erlang }) => {
  const system = createSystem();
  let over;
  const room = await system.start(dynamicSupervisor('room'));
  const last = server({ init: () => undefined, cast: { ping: () => over() } });
  const between = server({
    init: (next) => next,
    cast: { ping: (next, _message, context) => void context.tell(next, PING) },
  });
  let first = await room.startChild(actor('last', last));
  for (let i = 2; i <= TREE; i++)
    first = await room.startChild(actor(`hop${i}`, between, { input: first.ref() }));

  const other = nact.start();
  let next = nact.spawnStateless(other, () => over(), 'last');
  for (let i = 2; i <= TREE; i++) {
    const to = next;
    next = nact.spawnStateless(other, (_message, { self }) => nact.dispatch(to, PING, self), `hop${i}`);
  }
  const otherFirst = next;

  const passes = (begin) => async (count) => {
    for (let i = 0; i < count; i++)
      await new Promise((resolve) => {
        over = () => resolve(undefined);
        begin();
      });
  };
  return {
    contestants: {
      troupe: passes(() => first.tell(PING)),
      nact: passes(() => nact.dispatch(otherFirst, PING)),
      erlang: erlang('relay'),
    },
    close: async () => {
      nact.stop(other);
      await system.shutdown();
    },
  };
};

export const suite = [
  { case: 'tell', per: 'message', open: tell, aims: { erlang: 1, nact: 0.1 } },
  { case: 'ping-pong', per: 'round trip', open: pingPong },
  { case: 'call', per: 'call', open: call, aims: { erlang: 0.5, nact: 0.3 } },
  { case: 'spawn 1000', per: 'actor', open: spawn, count: 1_000, rounds: 21 },
  { case: 'spawn 100000', per: 'actor', open: spawn, count: 100_000, rounds: 3 },
  { case: 'restart', per: 'restart', open: restart, limit: 10_000 },
  { case: 'restart, logged', per: 'restart', open: restartLogged },
  { case: 'stop 10000', per: 'tree', open: stop, count: 1, rounds: 7, limit: 100_000_000 },
  { case: 'relay 10000', per: 'relay', open: relay, count: 1, rounds: 21 },
  // Last, for it collects all garbage, and with that V8 forgets what it has optimised.
  { case: 'bytes', per: 'actor', unit: 'bytes', open: bytes, count: 20_000, rounds: 3, limit: 1_024 },
];
