import { describe, expect, it } from 'vitest';
import {
  type AnyActorLogic,
  assign,
  createMachine,
  fromCallback,
  fromEventObservable,
  fromObservable,
  fromPromise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
} from 'xstate';
import { fromLogic, fromMachine } from '../../src/xstate/xstate.ts';
import { play } from './rig.ts';

/** One of each kind of thing that holds on to the outside, and a log of how each was let go. */
const holders = () => {
  const log: string[] = [];
  const promise = fromPromise(
    ({ signal }) =>
      new Promise<void>(() => signal.addEventListener('abort', () => log.push('promise aborted'))),
  );
  const callback = fromCallback(() => () => log.push('callback cleaned up'));
  const observable = fromObservable(() => ({
    subscribe: () => ({ unsubscribe: () => log.push('observable unsubscribed') }),
  }));
  const events = fromEventObservable(() => ({
    subscribe: () => ({ unsubscribe: () => log.push('event observable unsubscribed') }),
  }));
  const ticking = createMachine({
    initial: 'a',
    invoke: { src: callback, systemId: 'inner' },
    states: { a: { after: { 10: { target: 'a', reenter: true, actions: () => void log.push('tick') } } } },
  });
  return { log, invoke: [promise, callback, observable, events, ticking].map((src) => ({ src })) };
};

const ALL = [
  'callback cleaned up',
  'callback cleaned up',
  'event observable unsubscribed',
  'observable unsubscribed',
  'promise aborted',
];

const fail = () => {
  throw new Error('boom');
};

describe('a crash leaves nothing behind', () => {
  const crashes: Record<string, { on?: object; child?: AnyActorLogic; send: string }> = {
    'a throwing action': { on: { GO: { actions: fail } }, send: 'GO' },
    'a throwing guard': { on: { GO: { guard: fail, actions: () => undefined } }, send: 'GO' },
    'a throwing assign': { on: { GO: { actions: assign(fail) } }, send: 'GO' },
    'a throwing delay': {
      on: { GO: { actions: sendTo('none', { type: 'X' }, { delay: fail }) } },
      send: 'GO',
    },
    'an asynchronous action that rejects': { on: { GO: { actions: async () => fail() } }, send: 'GO' },
    "a callback's throwing receiver": {
      child: fromCallback(({ receive }) => receive(fail)),
      on: { GO: { actions: sendTo('child', { type: 'X' }) } },
      send: 'GO',
    },
    "a child's unhandled error": {
      child: createMachine({ on: { X: { actions: fail } } }),
      on: { GO: { actions: sendTo('child', { type: 'X' }) } },
      send: 'GO',
    },
    'a missing child that is sent to': {
      on: { GO: { actions: sendTo('nobody', { type: 'X' }) } },
      send: 'GO',
    },
  };
  for (const [name, { on, child, send }] of Object.entries(crashes)) {
    it(`of ${name}`, async () => {
      const { log, invoke } = holders();
      const machine = createMachine({
        context: {},
        invoke: [...invoke, ...(child === undefined ? [] : [{ src: child, id: 'child' }])],
        on: { GO: {}, ...on },
      } as never);
      const { host, handle, system, told } = await play(fromMachine(machine));
      let atEnd: string[] = [];
      system.events.on('actor.ended', () => {
        atEnd = [...log].sort();
      });
      handle.send({ type: send } as never);
      await host.settle();
      expect(told('actor.ended')).toMatchObject([{ reason: { error: expect.any(Error) } }]);
      expect(atEnd).toEqual(ALL);
      await host.advance(1_000);
      expect(log).toHaveLength(ALL.length);
      expect(host.pendingTimers()).toEqual([]);
    });
  }

  it('nor does a kill, a stop, or being done', async () => {
    for (const end of ['kill', 'stop', 'done']) {
      const { log, invoke } = holders();
      const machine = createMachine({
        invoke,
        initial: 'a',
        states: { a: { on: { END: 'b' } }, b: { type: 'final' } },
      } as never);
      const { host, handle, system } = await play(fromMachine(machine));
      if (end === 'kill') system.exit(handle, 'kill');
      else if (end === 'stop') void system.stop(handle);
      else handle.send({ type: 'END' } as never);
      await host.settle();
      expect([...log].sort(), end).toEqual(ALL);
      expect(host.pendingTimers(), end).toEqual([]);
    }
  });

  it('nor does an initial state that throws after it has started things', async () => {
    const { log, invoke } = holders();
    const machine = createMachine({ invoke, entry: () => undefined } as never);
    const broken = createMachine({
      invoke: [{ src: machine }, { src: fromCallback(fail) }],
    });
    await expect(play(fromMachine(broken))).rejects.toMatchObject({ cause: new Error('boom') });
    expect([...log].sort()).toEqual(ALL);
  });
});

describe('a child that crashes', () => {
  it('takes its own children with it, before its parent hears of it', async () => {
    const { log, invoke } = holders();
    const child = createMachine({ invoke, on: { X: { actions: fail } } } as never);
    const parent = createMachine({
      invoke: { src: child, id: 'child', onError: { actions: () => void log.push('heard') } },
      on: { GO: { actions: sendTo('child', { type: 'X' }) } },
    } as never);
    const { host, handle } = await play(fromMachine(parent));
    handle.send({ type: 'GO' } as never);
    await host.settle();
    expect(log.slice(0, -1).sort()).toEqual(ALL);
    expect(log.at(-1)).toBe('heard');
    expect(handle.ref()).toBeDefined();
    await host.advance(1_000);
    expect(log).toHaveLength(ALL.length + 1);
  });

  it('whose error a wildcard swallows is reported, and no dead child stays behind', async () => {
    const seen: string[] = [];
    const machine = createMachine({
      initial: 'on',
      states: { on: {} },
      invoke: { src: fromPromise(async () => fail()), id: 'child' },
      on: { '*': { actions: ({ event }) => void seen.push(event.type) } },
    });
    const { handle, told } = await play(fromMachine(machine));
    expect(seen).toEqual(['xstate.error.actor.child']);
    expect(handle.snapshot()?.children).toEqual({});
    expect(handle.snapshot()?.matches('on' as never)).toBe(true);
    expect(told('actor.threw')).toMatchObject([{ path: 'it', error: new Error('boom') }]);
  });

  it('frees its systemId, also when it never started', async () => {
    const named = (id: string) =>
      spawnChild(
        fromCallback(() => undefined),
        { id, systemId: 'name' },
      );
    const child = createMachine({
      on: { X: { actions: [named('inner'), fail] } },
    });
    const machine = createMachine({
      invoke: { src: child, id: 'child', onError: { actions: [named('again')] } },
      on: { GO: { actions: sendTo('child', { type: 'X' }) } },
    });
    const { host, handle, told } = await play(fromMachine(machine));
    handle.send({ type: 'GO' } as never);
    await host.settle();
    expect(told('actor.ended')).toEqual([]);
    expect(Object.keys(handle.snapshot()?.children ?? {})).toEqual(['again']);
  });

  it('may have used a systemId that is there again after a restart', async () => {
    const machine = createMachine({
      invoke: { src: createMachine({}), id: 'child', systemId: 'the one' },
      on: {
        BOOM: { actions: fail },
        ASK: { actions: ({ system }) => void seen.push(system.get('the one')?.id) },
      },
    });
    const seen: unknown[] = [];
    const { host, handle, restart } = await play(fromMachine(machine));
    for (let i = 0; i < 3; i++) {
      handle.send({ type: 'ASK' } as never);
      handle.send({ type: 'BOOM' } as never);
      await host.settle();
      await restart();
    }
    expect(seen).toEqual(['child', 'child', 'child']);
  });

  it('whose systemId is taken fails its parent, as in XState', async () => {
    const named = (id: string) => spawnChild(createMachine({}), { id, systemId: 'name' });
    const { host, handle, told } = await play(
      fromMachine(createMachine({ entry: named('a'), on: { GO: { actions: named('b') } } })),
    );
    handle.send({ type: 'GO' } as never);
    await host.settle();
    expect(told('actor.ended')).toMatchObject([{ reason: { error: { code: 'ERR_NAME_TAKEN' } } }]);
  });
});

describe('a clean-up that throws', () => {
  it('is reported and hinders no other', async () => {
    const log: string[] = [];
    const machine = createMachine({
      invoke: [
        { src: fromCallback(() => () => log.push('first')) },
        { src: fromCallback(() => fail) },
        { src: fromCallback(() => () => log.push('last')) },
      ],
    });
    const { host, handle, system, told } = await play(fromMachine(machine));
    expect(await host.runUntil(system.stop(handle))).toBe('normal');
    expect(log).toEqual(['first', 'last']);
    expect(told('actor.threw')).toMatchObject([{ error: new Error('boom') }]);
  });
});

describe('logic that is no machine', () => {
  it('ends normal with its output, or with its error', async () => {
    const good = await play(fromLogic(fromPromise(async ({ input }: { input: number }) => input + 1)), {
      input: 41,
    });
    expect(good.told('actor.ended')).toMatchObject([{ reason: 'normal' }]);
    expect(good.handle.snapshot()).toMatchObject({ status: 'done', output: 42 });
    const bad = await play(fromLogic(fromPromise(async () => fail())));
    expect(bad.told('actor.ended')).toMatchObject([{ reason: { error: new Error('boom') } }]);
    expect(bad.handle.snapshot()).toMatchObject({ status: 'error', error: new Error('boom') });
  });

  it('is observed: values become snapshots, completion ends it, errors end it', async () => {
    let observer: { next(value: number): void; complete(): void; error(error: unknown): void } | undefined;
    const logic = fromObservable(() => ({
      subscribe: (given: never) => {
        observer = given;
        return { unsubscribe: () => undefined };
      },
    }));
    const { host, handle, told, restart } = await play(fromLogic(logic));
    const seen: unknown[] = [];
    handle.subscribe((snapshot) => seen.push(snapshot.context));
    observer?.next(1);
    observer?.next(2);
    observer?.complete();
    await host.settle();
    expect(seen).toEqual([1, 2, 2]);
    await restart();
    observer?.error(new Error('stream'));
    await host.settle();
    expect(told('actor.ended')).toMatchObject([
      { reason: 'normal' },
      { reason: { error: new Error('stream') } },
    ]);
  });

  it('an event observable speaks to those who listen', async () => {
    let next: ((event: { type: string }) => void) | undefined;
    const logic = fromEventObservable(
      () =>
        ({
          subscribe: (given: { next(event: { type: string }): void }) => {
            next = given.next;
            return { unsubscribe: () => undefined };
          },
        }) as never,
    );
    const { host, handle } = await play(fromLogic(logic));
    const heard: string[] = [];
    handle.on('click', (event: { type: string }) => heard.push(event.type));
    next?.({ type: 'click' });
    await host.settle();
    expect(heard).toEqual(['click']);
  });

  it('a callback that throws at its start fails to start', async () => {
    await expect(play(fromLogic(fromCallback(fail)))).rejects.toMatchObject({ cause: new Error('boom') });
  });

  it('keeps the promise of setup: named logic is provided as ever', async () => {
    const machine = setup({ actors: { load: fromPromise(async () => 'live') } }).createMachine({
      initial: 'loading',
      states: {
        loading: {
          invoke: { src: 'load', onDone: { target: 'ready', actions: sendParent({ type: 'READY' }) } },
        },
        ready: {},
      },
    });
    const provided = machine.provide({ actors: { load: fromPromise(async () => 'test') } });
    const { handle } = await play(fromMachine(provided));
    expect(handle.snapshot()?.value).toBe('ready');
  });
});
