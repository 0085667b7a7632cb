import { describe, expect, it } from 'vitest';
import { assign, createMachine, emit, fromPromise, fromTransition, setup } from 'xstate';
import { reply } from '../../src/xstate/reply.ts';
import { fromLogic, fromMachine } from '../../src/xstate/xstate.ts';
import { play } from './rig.ts';

const counter = setup({
  types: {
    context: {} as { count: number },
    input: {} as { start: number } | undefined,
    events: {} as
      | { type: 'ADD'; by: number }
      | { type: 'GET' }
      | { type: 'END' }
      | { type: 'BOOM' }
      | { type: 'SHOUT' },
    emitted: {} as { type: 'shouted'; count: number },
  },
}).createMachine({
  context: ({ input }) => ({ count: input?.start ?? 0 }),
  initial: 'counting',
  states: {
    counting: {
      on: {
        ADD: { actions: assign({ count: ({ context, event }) => context.count + event.by }) },
        GET: { actions: reply(({ context }) => context.count) },
        END: 'ended',
        BOOM: {
          actions: () => {
            throw new Error('boom');
          },
        },
        SHOUT: { actions: emit(({ context }) => ({ type: 'shouted' as const, count: context.count })) },
      },
    },
    ended: { type: 'final' },
  },
});

describe('a machine as an actor', () => {
  it('takes events in order, shows its snapshot, and is inspected', async () => {
    const { host, handle, system } = await play(fromMachine(counter), { input: { start: 40 } });
    expect(handle.send({ type: 'ADD', by: 1 })).toBe('sent');
    expect(handle.send({ type: 'ADD', by: 1 })).toBe('sent');
    expect(handle.snapshot()?.context.count).toBe(40);
    await host.settle();
    expect(handle.snapshot()?.context.count).toBe(42);
    expect(JSON.stringify(system.tree())).toContain('counting');
  });

  it('answers calls by reply, in the order of sending', async () => {
    const { host, handle } = await play(fromMachine(counter));
    handle.send({ type: 'ADD', by: 2 });
    const first = handle.call<number>({ type: 'GET' });
    handle.send({ type: 'ADD', by: 3 });
    const second = handle.call<number>({ type: 'GET' });
    expect(await host.runUntil(first)).toBe(2);
    expect(await host.runUntil(second)).toBe(5);
  });

  it('ends normal when it is done, and keeps its last snapshot as a tombstone', async () => {
    const { host, handle, told } = await play(fromMachine(counter), { input: { start: 7 } });
    handle.send({ type: 'END' });
    await host.settle();
    expect(told('actor.ended')).toMatchObject([{ reason: 'normal' }]);
    expect(handle.ref()).toBeUndefined();
    expect(handle.snapshot()).toMatchObject({ status: 'done', value: 'ended', context: { count: 7 } });
  });

  it('ends with what an action threw, and a call that caused it hears so', async () => {
    const { host, handle, told } = await play(fromMachine(counter));
    await expect(host.runUntil(handle.call({ type: 'BOOM' }))).rejects.toMatchObject({
      code: 'ERR_CALLEE_ENDED',
    });
    expect(told('actor.ended')).toMatchObject([{ reason: { error: new Error('boom') } }]);
    expect(handle.snapshot()).toMatchObject({ status: 'error', error: new Error('boom') });
  });

  it('starts afresh: a snapshot outlives a restart only as a tombstone', async () => {
    const { host, handle, restart } = await play(fromMachine(counter), { input: { start: 1 } });
    handle.send({ type: 'ADD', by: 9 });
    handle.send({ type: 'BOOM' });
    await host.settle();
    expect(handle.snapshot()?.context.count).toBe(10);
    await restart();
    expect(handle.snapshot()).toMatchObject({ status: 'active', context: { count: 1 } });
  });

  it('fails to start with what its initial state throws', async () => {
    const broken = createMachine({
      entry: () => {
        throw new Error('no entry');
      },
    });
    await expect(play(fromMachine(broken))).rejects.toMatchObject({
      code: 'ERR_INIT_FAILED',
      cause: new Error('no entry'),
    });
    const guess = createMachine({
      context: () => {
        throw new Error('no context');
      },
    });
    await expect(play(fromMachine(guess))).rejects.toMatchObject({ cause: new Error('no context') });
  });

  it('starts, and then ends normal, when its initial state is final', async () => {
    const { told } = await play(
      fromMachine(createMachine({ initial: 'a', states: { a: { type: 'final' } } })),
    );
    expect(told('actor.started')).toHaveLength(1);
    expect(told('actor.ended')).toMatchObject([{ reason: 'normal' }]);
  });
});

describe('a handle', () => {
  it('watches snapshots and ends over restarts', async () => {
    const { host, handle, restart } = await play(fromMachine(counter));
    const seen: unknown[] = [];
    const subscription = handle.subscribe({
      next: (snapshot) => seen.push(snapshot.context.count),
      ended: (reason) => seen.push(reason),
    });
    handle.send({ type: 'ADD', by: 1 });
    handle.send({ type: 'BOOM' });
    await host.settle();
    await restart();
    handle.send({ type: 'ADD', by: 5 });
    await host.settle();
    subscription.unsubscribe();
    handle.send({ type: 'ADD', by: 5 });
    await host.settle();
    expect(seen).toEqual([1, { error: new Error('boom') }, 0, 5]);
  });

  it('listens to what is emitted, by type and for all, over restarts', async () => {
    const { host, handle, restart } = await play(fromMachine(counter));
    const heard: unknown[] = [];
    const listening = handle.on('shouted', (event) => heard.push(event.count));
    handle.on('*', (event) => heard.push(event.type));
    handle.send({ type: 'SHOUT' });
    handle.send({ type: 'BOOM' });
    await host.settle();
    await restart();
    handle.send({ type: 'ADD', by: 3 });
    handle.send({ type: 'SHOUT' });
    await host.settle();
    listening.unsubscribe();
    handle.send({ type: 'SHOUT' });
    await host.settle();
    expect(heard).toEqual([0, 'shouted', 3, 'shouted', 'shouted']);
  });

  it('isolates observers that throw, also asynchronously, and reports what they threw', async () => {
    const { host, handle, told } = await play(fromMachine(counter));
    const seen: number[] = [];
    handle.subscribe(() => {
      throw new Error('observer');
    });
    handle.subscribe(async () => {
      throw new Error('async observer');
    });
    handle.on('shouted', () => {
      throw new Error('listener');
    });
    handle.subscribe((snapshot) => seen.push(snapshot.context.count));
    handle.send({ type: 'ADD', by: 1 });
    handle.send({ type: 'SHOUT' });
    await host.settle();
    expect(seen).toEqual([1, 1]);
    expect(
      told('actor.threw')
        .map(({ error }) => (error as Error).message)
        .sort(),
    ).toEqual(['async observer', 'async observer', 'listener', 'observer', 'observer']);
    expect(handle.ref()).toBeDefined();
  });

  it('waits for a snapshot that fits, with a deadline on the clock of the host', async () => {
    const { host, handle } = await play(fromMachine(counter));
    expect((await host.runUntil(handle.waitFor((s) => s.context.count === 0))).value).toBe('counting');
    const waiting = handle.waitFor((s) => s.context.count >= 3);
    handle.send({ type: 'ADD', by: 2 });
    handle.send({ type: 'ADD', by: 2 });
    expect((await host.runUntil(waiting)).context.count).toBe(4);
    const started = host.monotonic();
    await expect(
      host.runUntil(handle.waitFor((s) => s.context.count > 99, { timeoutMs: 250 })),
    ).rejects.toMatchObject({ code: 'ERR_CALL_TIMEOUT' });
    expect(host.monotonic() - started).toBe(250);
    await expect(
      host.runUntil(handle.waitFor(() => false, { deadline: host.monotonic() + 70 })),
    ).rejects.toMatchObject({ code: 'ERR_CALL_TIMEOUT' });
    expect(host.monotonic() - started).toBe(320);
  });

  it('waits over restarts, does not take a crashed snapshot for an answer, and hears an abort', async () => {
    const { host, handle, restart } = await play(fromMachine(counter));
    handle.send({ type: 'ADD', by: 5 });
    handle.send({ type: 'BOOM' });
    await host.settle();
    let count: number | undefined;
    void handle
      .waitFor((s) => s.value === 'counting')
      .then((s) => {
        count = s.context.count;
      });
    await host.settle();
    expect(count).toBeUndefined();
    await restart();
    expect(count).toBe(0);
    const controller = new AbortController();
    const aborted = handle.waitFor(() => false, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(host.runUntil(aborted)).rejects.toMatchObject({
      code: 'ERR_CALL_ABORTED',
      cause: new Error('enough'),
    });
    await expect(
      host.runUntil(
        handle.waitFor(() => {
          throw new Error('predicate');
        }),
      ),
    ).rejects.toThrow('predicate');
  });

  it('makes a dead letter of what is sent while nothing lives there', async () => {
    const { host, handle, told } = await play(fromMachine(counter));
    handle.send({ type: 'END' });
    await host.settle();
    expect(handle.send({ type: 'ADD', by: 1 })).toBe('dropped');
    expect(told('mail.dead_lettered')).toMatchObject([{ path: 'it', message: 'ADD' }]);
  });
});

describe('calls', () => {
  const desk = setup({
    types: {
      context: {} as { answer: string | undefined },
      events: {} as
        | { type: 'ASK'; n: number }
        | { type: 'ACQUIRE' }
        | { type: 'RELEASE' }
        | { type: 'QUIET' },
    },
    actors: { slow: fromPromise(async ({ input }: { input: number }) => input * 2) },
  }).createMachine({
    context: { answer: undefined },
    initial: 'idle',
    states: {
      idle: { on: { ASK: 'asking', QUIET: {} } },
      asking: {
        invoke: {
          src: 'slow',
          input: ({ event }) => (event.type === 'ASK' ? event.n : 0),
          onDone: {
            target: 'idle',
            actions: reply(({ event }) => (event as unknown as { output: number }).output),
          },
        },
      },
    },
    on: {
      ACQUIRE: { actions: () => undefined },
      RELEASE: { actions: reply(() => 'yours', { to: 'ACQUIRE' }) },
    },
  });

  it('may be answered later: by something inside, or by another event that names them', async () => {
    const { host, handle } = await play(fromMachine(desk));
    expect(await host.runUntil(handle.call({ type: 'ASK', n: 21 }))).toBe(42);
    const first = handle.call({ type: 'ACQUIRE' });
    const second = handle.call({ type: 'ACQUIRE' });
    await host.settle();
    const order: string[] = [];
    void first.then(() => order.push('first'));
    void second.then(() => order.push('second'));
    handle.send({ type: 'RELEASE' });
    await host.settle();
    expect(order).toEqual(['first']);
    handle.send({ type: 'RELEASE' });
    await host.settle();
    expect(order).toEqual(['first', 'second']);
  });

  it('are refused at once when no transition of the present state takes them', async () => {
    const { host, handle } = await play(fromMachine(desk));
    await expect(host.runUntil(handle.call({ type: 'QUIET' }))).rejects.toMatchObject({
      code: 'ERR_NO_HANDLER',
      outcome: 'not_started',
    });
    void handle.call({ type: 'ASK', n: 1 });
    const again = handle.call({ type: 'ASK', n: 2 });
    await expect(host.runUntil(again)).rejects.toMatchObject({ code: 'ERR_NO_HANDLER' });
    expect(host.monotonic()).toBe(0);
  });

  it('that were forgotten by their caller wait no longer', async () => {
    const { host, handle, system } = await play(fromMachine(desk));
    await expect(host.runUntil(handle.call({ type: 'ACQUIRE' }, { timeoutMs: 10 }))).rejects.toMatchObject({
      code: 'ERR_CALL_TIMEOUT',
    });
    const next = handle.call({ type: 'ACQUIRE' });
    handle.send({ type: 'RELEASE' });
    expect(await host.runUntil(next)).toBe('yours');
    expect(JSON.stringify(system.tree())).toContain('"waitingCalls":0');
  });

  it('of a plain send answer nobody: a reply reaches only the call at hand', async () => {
    const both = createMachine({
      on: { WAIT: { actions: () => undefined }, GET: { actions: reply(() => 'got') } },
    });
    const { host, handle } = await play(fromMachine(both));
    let answered = false;
    void handle.call({ type: 'WAIT' }).then(
      () => {
        answered = true;
      },
      () => undefined,
    );
    handle.send({ type: 'GET' });
    await host.settle();
    expect(answered).toBe(false);
  });

  it('still waiting are rejected when the machine ends', async () => {
    const { host, handle, system } = await play(fromMachine(desk));
    const waiting = handle.call({ type: 'ACQUIRE' });
    await host.settle();
    void system.stop(handle);
    await expect(host.runUntil(waiting)).rejects.toMatchObject({ code: 'ERR_CALLEE_ENDED' });
  });

  it('are for machines: other logic has nothing to answer with', async () => {
    const { host, system, handle } = await play(fromLogic(fromTransition((n: number) => n + 1, 0)));
    await expect(host.runUntil(system.call(handle, { type: 'GET' }))).rejects.toMatchObject({
      code: 'ERR_NO_HANDLER',
    });
  });
});
