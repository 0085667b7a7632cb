import { afterEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import {
  type AnyActorRef,
  cancel,
  createMachine,
  fromCallback,
  fromPromise,
  raise,
  sendTo,
  setup,
  spawnChild,
  stopChild,
} from 'xstate';
import { actor } from '../../src/kernel/actor.ts';
import { WILDCARD_TYPES_MAX } from '../../src/xstate/vocabulary.ts';
import { fromLogic, fromMachine } from '../../src/xstate/xstate.ts';
import { createRig, play } from './rig.ts';

const event = (type: string) => ({ type }) as never;

describe('event types from outside', () => {
  const machine = createMachine({
    initial: 'a',
    states: { a: { on: { KNOWN: 'b' } }, b: { on: { NESTED: {}, 'family.*': {} } } },
  });

  it('that no state declares are refused to send and call', async () => {
    const { host, handle } = await play(fromMachine(machine));
    expect(() => handle.send(event('UNKNOWN'))).toThrow(
      expect.objectContaining({
        code: 'ERR_EVENT_UNDECLARED',
        message: expect.stringContaining('KNOWN, NESTED, family.*'),
      }),
    );
    await expect(host.runUntil(handle.call(event('UNKNOWN')))).rejects.toMatchObject({
      code: 'ERR_EVENT_UNDECLARED',
      outcome: 'not_started',
    });
    for (const wrong of [undefined, null, 'KNOWN', { type: 7 }, {}])
      expect(() => handle.send(wrong as never)).toThrow('ERR_EVENT_UNDECLARED');
    expect(handle.send(event('NESTED'))).toBe('sent');
    expect(handle.send(event('family.any'))).toBe('sent');
  });

  it("that are XState's own are refused, except the one that is meant for users", async () => {
    const routed = createMachine({
      initial: 'a',
      states: { a: {}, b: { id: 'there', route: {} } },
      on: { '*': {} },
    });
    const { host, handle } = await play(fromMachine(routed));
    for (const type of ['xstate.stop', 'xstate.init', 'xstate.done.actor.x', 'xstate.error.actor.x'])
      expect(() => handle.send(event(type))).toThrow('ERR_EVENT_UNDECLARED');
    handle.send({ type: 'xstate.route', to: '#there' } as never);
    await host.settle();
    expect(handle.snapshot()?.value).toBe('b');
    const promise = await play(fromLogic(fromPromise(() => new Promise<string>(() => undefined))));
    expect(() => promise.handle.send(event('xstate.promise.resolve'))).toThrow('ERR_EVENT_UNDECLARED');
  });

  it('that come by a bare ref are dead letters, and calls are refused', async () => {
    const { host, handle, system, told } = await play(fromMachine(machine));
    expect(system.tell(handle.ref() as never, { type: 'UNKNOWN' })).toBe('sent');
    system.tell(handle.ref() as never, 'nonsense');
    await host.settle();
    expect(told('mail.dead_lettered')).toMatchObject([{ path: 'it', message: 'UNKNOWN' }, { path: 'it' }]);
    await expect(
      host.runUntil(system.call(handle.ref() as never, { type: 'UNKNOWN' })),
    ).rejects.toMatchObject({
      code: 'ERR_EVENT_UNDECLARED',
    });
  });

  it('through a wildcard are bounded in number, for each machine', async () => {
    const wild = () => createMachine({ on: { '*': {}, EXACT: {} } });
    const { host, handle } = await play(fromMachine(wild()), { mailboxCapacity: 10_000 });
    for (let i = 0; i < WILDCARD_TYPES_MAX; i++) handle.send(event(`t${i}`));
    await host.settle();
    expect(() => handle.send(event('one too many'))).toThrow('ERR_EVENT_UNDECLARED');
    expect(handle.send(event('t0'))).toBe('sent');
    expect(handle.send(event('EXACT'))).toBe('sent');
    const other = await play(fromMachine(wild()));
    expect(other.handle.send(event('one too many'))).toBe('sent');
  });
});

describe('delayed events', () => {
  it('of one id both fire, as in XState, and a cancel reaches both', async () => {
    const heard: string[] = [];
    const machine = setup({ types: { events: {} as { type: 'GO' | 'CANCEL' | 'A' | 'B' } } }).createMachine({
      on: {
        GO: {
          actions: [
            raise({ type: 'A' }, { id: 'same', delay: 10 }),
            raise({ type: 'B' }, { id: 'same', delay: 20 }),
          ],
        },
        CANCEL: { actions: cancel('same') },
        A: { actions: () => void heard.push('A') },
        B: { actions: () => void heard.push('B') },
      },
    });
    const { host, handle, system } = await play(fromMachine(machine));
    handle.send({ type: 'GO' });
    await host.advance(20);
    expect(heard).toEqual(['A', 'B']);
    handle.send({ type: 'GO' });
    handle.send({ type: 'CANCEL' });
    await host.advance(100);
    expect(heard).toEqual(['A', 'B']);
    handle.send({ type: 'GO' });
    await host.settle();
    expect(host.pendingTimers().filter(({ label }) => label === 'xstate')).toHaveLength(2);
    await host.runUntil(system.stop(handle));
    expect(host.pendingTimers()).toEqual([]);
  });

  it('that were cancelled after they came due, but before they were heard, are not heard', async () => {
    const heard: string[] = [];
    const machine = createMachine({
      initial: 'a',
      states: {
        a: { after: { 10: { actions: () => void heard.push('late') } }, on: { LEAVE: 'b' } },
        b: {},
      },
    });
    const { host, handle, system } = await play(fromMachine(machine));
    system.suspend(handle);
    handle.send(event('LEAVE'));
    await host.advance(20);
    system.resume(handle);
    await host.settle();
    expect(heard).toEqual([]);
  });

  it('beyond 2^31 ms do not fire at once', async () => {
    const long = 2 ** 31 + 5;
    const heard: string[] = [];
    const machine = setup({ delays: { never: Number.POSITIVE_INFINITY } }).createMachine({
      initial: 'a',
      states: {
        a: {
          after: {
            [long]: { actions: () => void heard.push('long') },
            never: { actions: () => void heard.push('never') },
          },
        },
      },
    });
    const { host } = await play(fromMachine(machine));
    await host.advance(long - 1);
    expect(heard).toEqual([]);
    await host.advance(1);
    expect(heard).toEqual(['long']);
    await host.advance(long);
    expect(heard).toEqual(['long']);
  });

  it('with odd delays fire at the next turn of the clock', async () => {
    const heard: number[] = [];
    const raised = (delay: number, n: number) =>
      raise({ type: 'A', n } as never, { delay, id: `d${n}` }) as never;
    const machine = createMachine({
      entry: [-5, 0, Number.NaN].map(raised),
      on: { A: { actions: ({ event }) => void heard.push((event as unknown as { n: number }).n) } },
    });
    const { host } = await play(fromMachine(machine));
    await host.advance(1);
    expect(heard).toEqual([0, 1, 2]);
  });

  it('of 4,000 children cost what they are, however their machine ends', async () => {
    const child = createMachine({ initial: 'a', states: { a: { after: { 60000: 'a' } } } });
    const fragile = fromCallback(({ receive }) =>
      receive(() => {
        throw new Error('boom');
      }),
    );
    const parent = createMachine({
      context: ({ spawn }) => {
        spawn(fragile, { id: 'fragile' });
        for (let i = 0; i < 4_000; i++) spawn(child);
        return {};
      },
      initial: 'on',
      states: {
        on: { on: { DONE: 'off', FAIL: { actions: sendTo('fragile', { type: 'X' }) } } },
        off: { type: 'final' },
      },
    });
    for (const end of ['stop', 'DONE', 'FAIL']) {
      const { host, handle, system, told } = await play(fromMachine(parent));
      expect(host.pendingTimers()).toHaveLength(4_000);
      expect(JSON.stringify(system.tree())).toContain('"actors":4002');
      const began = process.cpuUsage();
      if (end === 'stop') void system.stop(handle);
      else handle.send(event(end));
      await host.settle();
      // XState alone takes 1,500 to 3,500 ms for each.
      expect(process.cpuUsage(began).user / 1_000, end).toBeLessThan(700);
      expect(told('actor.ended'), end).toHaveLength(1);
      expect(host.pendingTimers(), end).toEqual([]);
    }
  });
});

describe('a macrostep that does not end', () => {
  const looping = (options?: { maxIterations: number }) =>
    createMachine({
      ...(options === undefined ? {} : { options }),
      context: {},
      initial: 'a',
      states: { a: { on: { GO: 'b' } }, b: { always: 'c' }, c: { always: 'b' } },
    });

  it('fails after 10,000 microsteps', async () => {
    const { host, handle, told } = await play(fromMachine(looping()));
    handle.send(event('GO'));
    await host.settle();
    expect(told('actor.ended')).toMatchObject([
      { reason: { error: { code: 'ERR_CHART_LOOP', data: { limit: 10_000 } } } },
    ]);
  });

  it('fails in a child and in an initial state too, and counts raised events', async () => {
    const raising = createMachine({
      entry: raise({ type: 'A' }),
      on: { A: { actions: raise({ type: 'A' }) } },
    });
    await expect(play(fromMachine(raising))).rejects.toMatchObject({ cause: { code: 'ERR_CHART_LOOP' } });
    const parent = createMachine({ on: { GO: { actions: spawnChild(raising, { id: 'child' }) } } });
    const { host, handle, told } = await play(fromMachine(parent));
    handle.send(event('GO'));
    await host.settle();
    expect(told('actor.ended')).toMatchObject([{ reason: { error: { code: 'ERR_CHART_LOOP' } } }]);
  });

  it('counts each macrostep for itself, and leaves a limit of the machine alone', async () => {
    const ten = createMachine({
      types: {} as { context: { n: number } },
      context: { n: 0 },
      on: {
        GO: {
          actions: Array.from({ length: 400 }, () => raise({ type: 'R' } as never)),
        },
        R: {},
      },
    });
    const { host, handle, told } = await play(fromMachine(ten));
    for (let i = 0; i < 100; i++) handle.send(event('GO'));
    await host.settle();
    expect(told('actor.ended')).toEqual([]);
    const own = await play(fromMachine(looping({ maxIterations: 20 })));
    own.handle.send(event('GO'));
    await own.host.settle();
    expect(String((own.handle.snapshot() as { error?: unknown }).error)).toContain('more than 20 microsteps');
  });
});

describe('the global clock, chance and ids', () => {
  afterEach(() => vi.restoreAllMocks());

  it('are never touched', async () => {
    const { host, system } = createRig();
    const forbidden: string[] = [];
    const forbid = (holder: object, name: string) =>
      (vi.spyOn(holder as never, name as never) as MockInstance).mockImplementation(() => {
        forbidden.push(name);
      });
    forbid(Math, 'random');
    forbid(Date, 'now');
    forbid(globalThis, 'setTimeout');
    forbid(globalThis, 'setInterval');
    forbid(globalThis, 'queueMicrotask');
    const machine = createMachine({
      initial: 'a',
      invoke: [{ src: fromPromise(async () => 1) }, { src: fromCallback(() => undefined) }],
      states: {
        a: {
          entry: raise({ type: 'X' } as never, { delay: 5 }),
          after: { 10: 'b' },
          on: { X: { actions: spawnChild(createMachine({}), { id: 'c' }) } },
        },
        b: { entry: stopChild('c') },
      },
      on: { '*': {} },
    });
    const handle = await host.runUntil(system.start(actor('it', fromMachine(machine))));
    handle.subscribe(() => {
      throw new Error('observer');
    });
    await host.advance(50);
    expect(handle.snapshot()?.value).toBe('b');
    await expect(host.runUntil(handle.waitFor(() => false, { timeoutMs: 10 }))).rejects.toMatchObject({
      code: 'ERR_CALL_TIMEOUT',
    });
    await host.runUntil(system.stop(handle));
    expect(forbidden).toEqual([]);
  });

  it('are the same in every run: session ids follow from the incarnation', async () => {
    const ids: string[] = [];
    const child = createMachine({ entry: ({ self }) => void ids.push(self.sessionId) });
    const machine = createMachine({
      entry: ({ self }) => void ids.push(self.sessionId),
      invoke: { src: child },
    });
    await play(fromMachine(machine));
    await play(fromMachine(machine));
    expect(ids).toHaveLength(4);
    expect(ids.slice(0, 2)).toEqual(ids.slice(2));
  });
});

describe('observers inside a logic', () => {
  it('that throw, or that have no error handler, harm nobody and are reported', async () => {
    const child = createMachine({
      on: {
        BOOM: {
          actions: () => {
            throw new Error('child');
          },
        },
        OK: {},
      },
    });
    const seen: unknown[] = [];
    const machine = createMachine({
      invoke: { src: child, id: 'child', onError: { actions: () => void seen.push('handled') } },
      entry: ({ self }) => {
        const ref = self.getSnapshot().children['child'] as AnyActorRef;
        ref.subscribe(() => {
          throw new Error('observer');
        });
        ref.subscribe({
          complete: () => {
            throw new Error('complete');
          },
        });
        ref.on('*', () => {
          throw new Error('listener');
        });
      },
      on: { '*': { actions: ({ self, event }) => self.getSnapshot().children['child']?.send(event) } },
    });
    const { host, handle, system, told } = await play(fromMachine(machine));
    handle.send(event('OK'));
    await host.settle();
    await host.runUntil(system.stop(handle));
    const messages = () => told('actor.threw').map(({ error }) => (error as Error).message);
    expect(messages()).toEqual(['observer', 'complete']);
    const again = await play(fromMachine(machine));
    again.handle.send(event('BOOM'));
    await again.host.settle();
    expect(seen).toEqual(['handled']);
    expect(again.told('actor.threw')).toEqual([]);
  });

  it('and inspectors see everything, and cannot throw either', async () => {
    const seen: string[] = [];
    const machine = createMachine({
      entry: ({ system }) => {
        system.inspect((inspected) => {
          seen.push(inspected.type);
          throw new Error('inspector');
        });
      },
      on: { A: {} },
    });
    const { host, handle } = await play(fromMachine(machine));
    seen.length = 0;
    handle.send(event('A'));
    await host.settle();
    expect(seen).toEqual(['@xstate.microstep', '@xstate.snapshot']);
    expect(handle.ref()).toBeDefined();
  });
});
