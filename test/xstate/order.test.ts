import { describe, expect, it } from 'vitest';
import {
  type AnyActorRef,
  assign,
  createActor,
  createMachine,
  forwardTo,
  fromCallback,
  fromPromise,
  fromTransition,
  raise,
  sendParent,
  sendTo,
  setup,
  stopChild,
} from 'xstate';
import { actor } from '../../src/kernel/actor.ts';
import { server } from '../../src/kernel/server.ts';
import { target } from '../../src/xstate/target.ts';
import { fromLogic, fromMachine } from '../../src/xstate/xstate.ts';
import { createRig, play } from './rig.ts';

const collector = (heard: unknown[]) =>
  actor(
    'collector',
    server({ init: () => ({}), cast: { note: (_, message: object) => void heard.push(message) } }),
  );

describe('relays inside a logic', () => {
  it('take a chain of 10,000 actors, which ends XState', async () => {
    const length = 10_000;
    let reached = 0;
    const link = fromTransition(
      (next: AnyActorRef | undefined, event: { type: string }) => {
        reached += 1;
        next?.send(event);
        return next;
      },
      ({ input }: { input: AnyActorRef | undefined }) => input,
    );
    const chain = createMachine({
      context: ({ spawn }) => {
        let next: AnyActorRef | undefined;
        for (let i = 0; i < length; i++) next = spawn(link, { input: next }) as AnyActorRef;
        return { first: next };
      },
      on: { GO: { actions: sendTo(({ context }) => context.first as AnyActorRef, { type: 'GO' }) } },
    });
    const { host, handle, told } = await play(fromMachine(chain));
    handle.send({ type: 'GO' });
    await host.settle();
    expect(reached).toBe(length);
    expect(told('actor.ended')).toEqual([]);
  });

  it('that never end starve nobody else, and end with the actor', async () => {
    const ball = createMachine({ on: { PING: { actions: sendParent({ type: 'PONG' }) } } });
    const endless = createMachine({
      invoke: { src: ball, id: 'ball' },
      on: {
        START: { actions: sendTo('ball', { type: 'PING' }) },
        PONG: { actions: sendTo('ball', { type: 'PING' }) },
      },
    });
    const { host, system, handle } = await play(fromMachine(endless));
    const heard: unknown[] = [];
    const other = await host.runUntil(system.start(collector(heard)));
    handle.send({ type: 'START' } as never);
    other.tell({ type: 'note' });
    const stopped = system.stop(handle);
    expect(await host.runUntil(stopped)).toBe('normal');
    expect(heard).toHaveLength(1);
  });

  it('come in the order of XState', async () => {
    const build = (log: string[]) => {
      const child = (name: string, forward: string) =>
        createMachine({
          types: {} as { events: { type: string } },
          on: {
            '*': {
              actions: [({ event }) => void log.push(`${name} ${event.type}`), sendParent({ type: forward })],
            },
          },
        });
      return createMachine({
        invoke: [
          { src: child('one', 'FROM_ONE'), id: 'one' },
          { src: child('two', 'FROM_TWO'), id: 'two' },
        ],
        on: {
          GO: {
            actions: [
              ({ event }) => void log.push(`root ${event.type}`),
              sendTo('one', { type: 'A' }),
              sendTo('two', { type: 'B' }),
              raise({ type: 'RAISED' }),
              sendTo('one', { type: 'C' }),
            ],
          },
          RAISED: { actions: [() => void log.push('root RAISED'), sendTo('two', { type: 'D' })] },
          '*': { actions: ({ event }) => void log.push(`root ${event.type}`) },
        },
      });
    };
    const bare: string[] = [];
    const root = createActor(build(bare)).start();
    root.send({ type: 'GO' });
    const ours: string[] = [];
    const { host, handle } = await play(fromMachine(build(ours)));
    handle.send({ type: 'GO' });
    await host.settle();
    expect(ours).toEqual(bare);
    expect(ours).toHaveLength(10);
  });

  it('reach a child before the stop that was ordered after them, and its successor starts after that', async () => {
    const log: string[] = [];
    let n = 0;
    const resource = fromCallback(({ receive }) => {
      const name = `r${++n}`;
      log.push(`open ${name}`);
      receive((event) => log.push(`${name} ${event.type}`));
      return () => log.push(`close ${name}`);
    });
    const machine = createMachine({
      initial: 'a',
      states: {
        a: {
          invoke: { src: resource, id: 'resource' },
          exit: sendTo('resource', { type: 'LAST' }),
          on: { AGAIN: { target: 'a', reenter: true } },
        },
      },
    });
    const { host, handle } = await play(fromMachine(machine));
    handle.send({ type: 'AGAIN' });
    await host.settle();
    expect(log).toEqual(['open r1', 'r1 LAST', 'close r1', 'open r2']);
  });
});

describe('what a logic sends out', () => {
  const sender = setup({
    types: {
      context: {} as { to: never },
      input: {} as { to: unknown },
      events: {} as { type: 'GO' } | { type: 'LATER' },
    },
  }).createMachine({
    context: ({ input }) => ({ to: input.to as never }),
    on: {
      GO: { actions: sendTo(({ context }) => context.to, { type: 'note' } as never) },
      LATER: { actions: sendTo(({ context }) => context.to, { type: 'note' } as never, { delay: 50 }) },
    },
  });

  it('reaches a ref, a handle, a ref from a wire, a name, at once and delayed', async () => {
    const heard: unknown[] = [];
    const { host, system } = createRig();
    const other = await host.runUntil(system.start(collector(heard)));
    const ref = other.ref();
    const targets = [ref, other, JSON.parse(JSON.stringify(ref)), target(other), target('collector name')];
    const named = actor('named', {
      kind: 'test',
      start: (ctx) => {
        ctx.register('collector name');
        return { tell: (message) => void heard.push(message) };
      },
      handle: (place) => place,
    });
    await host.runUntil(system.start(named));
    for (const [i, to] of targets.entries()) {
      const handle = await host.runUntil(
        system.start(actor(`sender${i}`, fromMachine(sender), { input: { to } })),
      );
      handle.send({ type: 'GO' });
      handle.send({ type: 'LATER' });
    }
    await host.settle();
    expect(heard).toHaveLength(5);
    await host.advance(50);
    expect(heard).toHaveLength(10);
  });

  it('is a dead letter where nobody lives, never a throw', async () => {
    const { host, system, events } = createRig();
    const gone = await host.runUntil(system.start(collector([])));
    const ref = gone.ref();
    await host.runUntil(system.stop(gone));
    for (const [i, to] of [ref, gone, target('no such name'), 'nonsense' as never].entries()) {
      if (i === 3) continue;
      const handle = await host.runUntil(
        system.start(actor(`sender${i}`, fromMachine(sender), { input: { to } })),
      );
      handle.send({ type: 'GO' });
    }
    await host.settle();
    expect(events.filter(({ type }) => type === 'mail.dead_lettered')).toHaveLength(3);
    expect(events.filter(({ type }) => type === 'actor.threw' || type === 'actor.ended')).toHaveLength(1);
  });

  it('to its parent reaches those who listen on its handle, else the parent it was given, else nobody', async () => {
    const machine = createMachine({ on: { GO: { actions: sendParent({ type: 'note' }) } } });
    const { host, handle, told, system } = await play(fromMachine(machine));
    handle.send({ type: 'GO' });
    await host.settle();
    expect(told('mail.dead_lettered')).toMatchObject([{ path: 'it#parent', message: 'note' }]);
    const heard: unknown[] = [];
    handle.on('note', (event) => heard.push(event));
    handle.send({ type: 'GO' });
    await host.settle();
    expect(heard).toEqual([{ type: 'note' }]);
    const spec = collector(heard);
    await host.runUntil(system.start(spec));
    const child = await host.runUntil(system.start(actor('child', fromMachine(machine, { parent: spec }))));
    child.send({ type: 'GO' });
    await host.settle();
    expect(heard).toHaveLength(2);
  });

  it('goes to the mailbox of another logic, whose undeclared types make dead letters', async () => {
    const { host, system, handle, told } = await play(fromMachine(createMachine({ on: { known: {} } })));
    const other = await host.runUntil(
      system.start(actor('other', fromMachine(sender), { input: { to: handle } })),
    );
    other.send({ type: 'GO' });
    await host.settle();
    expect(told('mail.dead_lettered')).toMatchObject([{ path: 'it', message: 'note' }]);
  });

  it('to an inner actor that has stopped is a dead letter', async () => {
    let inner: AnyActorRef | undefined;
    const machine = createMachine({
      invoke: { src: createMachine({ on: { HI: {} } }), id: 'child' },
      entry: ({ self }) => {
        inner = self.getSnapshot().children['child'];
      },
      on: { DROP: { actions: stopChild('child') }, SEND: { actions: () => inner?.send({ type: 'HI' }) } },
    });
    const { host, handle, told } = await play(fromMachine(machine));
    handle.send({ type: 'SEND' });
    await host.settle();
    handle.send({ type: 'DROP' });
    handle.send({ type: 'SEND' });
    await host.settle();
    expect(told('mail.dead_lettered')).toMatchObject([{ path: 'it#child', message: 'HI', from: 'it' }]);
  });

  it('is a dead letter after the end of its actor, never a throw', async () => {
    let self: AnyActorRef | undefined;
    const machine = createMachine({
      entry: (args) => {
        self = args.self;
      },
      on: { HI: {} },
    });
    const { host, handle, system, told } = await play(fromMachine(machine));
    await host.runUntil(system.stop(handle));
    self?.send({ type: 'HI' });
    expect(told('mail.dead_lettered')).toMatchObject([{ path: 'it', message: 'HI' }]);
  });
});

describe("XState's own events", () => {
  const log: string[] = [];
  let settle: (() => void) | undefined;
  const machine = createMachine({
    initial: 'on',
    invoke: {
      src: fromPromise(
        () =>
          new Promise<void>((resolve) => {
            settle = resolve;
          }),
      ),
      id: 'promised',
    },
    states: { on: { after: { 100: { actions: () => void log.push('after') } } } },
    on: {
      'xstate.done.actor.promised': { actions: () => void log.push('done') },
      MAIL: { actions: ({ event }) => void log.push(`mail ${(event as unknown as { n: number }).n}`) },
    },
  });

  it('keep their place among the mail, and no full mailbox refuses them', async () => {
    log.length = 0;
    const { host, handle, told } = await play(fromMachine(machine), { mailboxCapacity: 3 });
    for (const n of [1, 2, 3]) handle.send({ type: 'MAIL', n } as never);
    settle?.();
    await Promise.resolve();
    await Promise.resolve();
    expect(handle.send({ type: 'MAIL', n: 4 } as never)).toBe('dropped');
    await host.settle();
    expect(log).toEqual(['mail 1', 'mail 2', 'mail 3', 'done']);
    expect(told('mail.dropped')).toHaveLength(1);
    await host.advance(99);
    expect(log).toHaveLength(4);
    await host.advance(1);
    expect(log.at(-1)).toBe('after');
  });

  it('from a callback that sends back later come as mail, in order', async () => {
    const heard: string[] = [];
    let sendBack: ((event: { type: string }) => void) | undefined;
    const logic = createMachine({
      invoke: {
        src: fromCallback((args) => {
          sendBack = args.sendBack;
          args.sendBack({ type: 'AT_ONCE' });
        }),
      },
      on: { '*': { actions: ({ event }) => void heard.push(event.type) } },
    });
    const { host, handle } = await play(fromMachine(logic));
    handle.send({ type: 'FIRST' } as never);
    sendBack?.({ type: 'SECOND' });
    handle.send({ type: 'THIRD' } as never);
    expect(heard).toEqual(['AT_ONCE']);
    await host.settle();
    expect(heard).toEqual(['AT_ONCE', 'FIRST', 'SECOND', 'THIRD']);
  });
});

describe('sendBack and sendParent of logic that is no machine', () => {
  it('reach those who listen, in a turn of the actor', async () => {
    let sendBack: ((event: { type: string }) => void) | undefined;
    const logic = fromCallback((args) => {
      sendBack = args.sendBack;
      args.receive((event) => args.sendBack({ type: `echo ${event.type}` }));
    });
    const { host, handle } = await play(fromLogic(logic));
    const heard: string[] = [];
    handle.on('*', (event: { type: string }) => heard.push(event.type));
    sendBack?.({ type: 'later' });
    expect(heard).toEqual([]);
    handle.send({ type: 'hi' });
    await host.settle();
    expect(heard).toEqual(['later', 'echo hi']);
  });

  it('forwardTo and assign with spawn work as ever', async () => {
    const seen: string[] = [];
    const machine = createMachine({
      context: {} as { child?: AnyActorRef },
      on: {
        SPAWN: {
          actions: assign({
            child: ({ spawn }) =>
              spawn(
                fromCallback(({ receive }) => receive((event) => void seen.push(event.type))),
                { id: 'c' },
              ) as AnyActorRef,
          }),
        },
        TELL: { actions: forwardTo('c') },
      },
    });
    const { host, handle } = await play(fromMachine(machine));
    handle.send({ type: 'SPAWN' });
    handle.send({ type: 'TELL' });
    await host.settle();
    expect(seen).toEqual(['TELL']);
  });
});
