import { describe, expect, it } from 'vitest';
import { createMachine, fromCallback, fromObservable, fromPromise, fromTransition, setup } from 'xstate';
import { fromLogic, fromMachine } from '../../src/xstate/xstate.ts';
import { play } from './rig.ts';

const event = (type: string) => ({ type }) as never;
const END = { type: 'END' } as never;

/** Busy until it is told otherwise; only when idle does it take END. */
const worker = setup({ types: { events: {} as { type: 'WORK' | 'DONE' | 'END' | 'NOISE' } } }).createMachine({
  initial: 'idle',
  states: {
    idle: { on: { WORK: 'busy', END: 'closing' } },
    busy: { on: { DONE: 'idle', NOISE: {} } },
    closing: { after: { 100: 'closed' } },
    closed: { type: 'final' },
  },
});

describe('the shutdown of a machine', () => {
  it('without onShutdown stops it at once', async () => {
    const { host, handle, system, told } = await play(fromMachine(worker));
    expect(await host.runUntil(system.stop(handle, { reason: 'shutdown' }))).toBe('shutdown');
    expect(host.monotonic()).toBe(0);
    expect(handle.snapshot()?.status).toBe('stopped');
    expect(told('actor.ended')).toMatchObject([{ reason: 'shutdown' }]);
  });

  it('with it ends with the reason of the shutdown when the machine has come to its final state', async () => {
    const { host, handle, system } = await play(fromMachine(worker, { onShutdown: { type: 'END' } }));
    const reason = { shutdown: 'deploy' };
    expect(await host.runUntil(system.stop(handle, { reason }))).toEqual(reason);
    expect(host.monotonic()).toBe(100);
    expect(handle.snapshot()).toMatchObject({ status: 'done', value: 'closed' });
  });

  it('offers the event again after each macrostep until it is taken', async () => {
    const { host, handle, system } = await play(fromMachine(worker, { onShutdown: { type: 'END' } }));
    handle.send({ type: 'WORK' });
    await host.settle();
    const stopped = system.stop(handle);
    await host.advance(1_000);
    handle.send({ type: 'NOISE' });
    await host.advance(1_000);
    expect(handle.snapshot()?.value).toBe('busy');
    handle.send({ type: 'DONE' });
    expect(await host.runUntil(stopped)).toBe('normal');
    expect(host.monotonic()).toBe(2_100);
  });

  it('kills when the allowance is over, and cleans up all the same', async () => {
    let cleaned = false;
    const stubborn = createMachine({
      invoke: {
        src: fromCallback(() => () => {
          cleaned = true;
        }),
      },
      on: { OTHER: {} },
      initial: 'a',
      states: { a: {}, b: { on: { END: {} } } },
    });
    const { host, handle, system } = await play(fromMachine(stubborn, { onShutdown: END }));
    expect(await host.runUntil(system.stop(handle, { timeoutMs: 700 }))).toBe('killed');
    expect(host.monotonic()).toBe(700);
    expect(cleaned).toBe(true);
  });

  it('makes the event from the reason', async () => {
    const seen: unknown[] = [];
    const machine = createMachine({
      initial: 'a',
      states: {
        a: { on: { END: { target: 'b', actions: ({ event }) => void seen.push(event) } } },
        b: { type: 'final' },
      },
    });
    const onShutdown = (reason: unknown) => ({ type: 'END', reason }) as never;
    const { host, handle, system } = await play(fromMachine(machine, { onShutdown }));
    expect(await host.runUntil(system.stop(handle, { reason: 'shutdown' }))).toBe('shutdown');
    expect(seen).toEqual([{ type: 'END', reason: 'shutdown' }]);
  });

  it('is not answered by a wildcard that only acts, nor by one that does nothing, but by one that goes somewhere', async () => {
    const seen: string[] = [];
    const machine = createMachine({
      initial: 'a',
      states: {
        a: { on: { GO: 'b' } },
        b: { on: { '*': 'c' } },
        c: { type: 'final' },
      },
      on: { '*': { actions: ({ event }) => void seen.push(event.type) } },
    });
    const { host, handle, system } = await play(fromMachine(machine, { onShutdown: END }));
    const stopped = system.stop(handle);
    await host.settle();
    expect(handle.snapshot()?.value).toBe('a');
    handle.send(event('GO'));
    expect(await host.runUntil(stopped)).toBe('normal');
    expect(host.monotonic()).toBe(0);
    expect(seen).toEqual(['END']);
  });

  it('waits for every region of a parallel root', async () => {
    const region = (ms: number) => ({
      initial: 'on',
      states: {
        on: { on: { END: 'closing' } },
        closing: { after: { [ms]: 'off' } },
        off: { type: 'final' as const },
      },
    });
    const machine = createMachine({ type: 'parallel', states: { a: region(50), b: region(300) } });
    const { host, handle, system } = await play(fromMachine(machine, { onShutdown: END }));
    expect(await host.runUntil(system.stop(handle, { reason: 'shutdown' }))).toBe('shutdown');
    expect(host.monotonic()).toBe(300);
  });

  it('ends with the error when the answer to it fails', async () => {
    const machine = createMachine({
      on: {
        END: {
          actions: () => {
            throw new Error('cannot end');
          },
        },
      },
    });
    const { host, handle, system } = await play(fromMachine(machine, { onShutdown: END }));
    expect(await host.runUntil(system.stop(handle))).toEqual({ error: new Error('cannot end') });
    const later = createMachine({
      initial: 'a',
      states: {
        a: { on: { END: 'b' } },
        b: { invoke: { src: fromPromise(async () => Promise.reject(new Error('late'))) } },
      },
    });
    const second = await play(fromMachine(later, { onShutdown: END }));
    expect(await second.host.runUntil(second.system.stop(second.handle))).toEqual({
      error: new Error('late'),
    });
  });

  it('goes on answering calls meanwhile', async () => {
    const { host, handle, system } = await play(fromMachine(worker, { onShutdown: { type: 'END' } }));
    const stopped = system.stop(handle);
    await host.advance(50);
    expect(handle.send({ type: 'NOISE' })).toBe('sent');
    await host.runUntil(stopped);
    expect(handle.send({ type: 'NOISE' })).toBe('dropped');
  });

  it('refuses an event that the machine does not declare, when it is made', () => {
    expect(() => fromMachine(worker, { onShutdown: event('NOT_DECLARED') })).toThrow('ERR_EVENT_UNDECLARED');
    expect(() => fromMachine(worker, { onshutdown: { type: 'END' } } as never)).toThrow('ERR_OPTION_UNKNOWN');
    expect(() => fromMachine({} as never)).toThrow('ERR_OPTION_INVALID');
    expect(() => fromLogic(undefined as never)).toThrow('ERR_OPTION_INVALID');
  });
});

describe('the shutdown of other logic', () => {
  it('aborts the signal of a promise and awaits it, however it settles', async () => {
    for (const outcome of ['resolve', 'reject'] as const) {
      const log: string[] = [];
      const logic = fromPromise(
        ({ signal }) =>
          new Promise<void>((resolve, reject) => {
            signal.addEventListener('abort', () => {
              log.push('aborted');
              finish = () => (outcome === 'resolve' ? resolve() : reject(new Error('aborted')));
            });
          }),
      );
      let finish: (() => void) | undefined;
      const { host, handle, system, told } = await play(fromLogic(logic));
      const stopped = system.stop(handle, { reason: 'shutdown' });
      await host.advance(200);
      expect(log).toEqual(['aborted']);
      expect(handle.ref()).toBeDefined();
      finish?.();
      expect(await host.runUntil(stopped)).toBe('shutdown');
      expect(host.monotonic()).toBe(200);
      expect(told('actor.threw')).toEqual([]);
    }
  });

  it('kills a promise that ignores its signal when the allowance is over', async () => {
    const { host, handle, system } = await play(
      fromLogic(fromPromise(() => new Promise<void>(() => undefined))),
    );
    expect(await host.runUntil(system.stop(handle, { timeoutMs: 300 }))).toBe('killed');
    expect(host.monotonic()).toBe(300);
  });

  it('cleans up callbacks, observables and reducers at once', async () => {
    const log: string[] = [];
    const kinds = [
      fromLogic(fromCallback(() => () => log.push('callback'))),
      fromLogic(fromObservable(() => ({ subscribe: () => ({ unsubscribe: () => log.push('observable') }) }))),
      fromLogic(fromTransition((n: number) => n + 1, 0)),
    ];
    for (const logic of kinds) {
      const { host, handle, system } = await play(logic as never);
      expect(await host.runUntil(system.stop(handle as never, { reason: 'shutdown' }))).toBe('shutdown');
      expect(host.monotonic()).toBe(0);
    }
    expect(log).toEqual(['callback', 'observable']);
  });
});
