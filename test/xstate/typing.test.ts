import { describe, expect, expectTypeOf, it } from 'vitest';
import { fromPromise, setup } from 'xstate';
import { actor } from '../../src/kernel/actor.ts';
import type { Spec } from '../../src/kernel/spec.ts';
import { fromLogic, fromMachine, type MachineHandle } from '../../src/xstate/xstate.ts';

const machine = setup({
  types: {
    context: {} as { n: number },
    events: {} as { type: 'add'; by: number } | { type: 'close' },
    emitted: {} as { type: 'added'; n: number },
  },
}).createMachine({
  id: 'm',
  context: { n: 0 },
  initial: 'open',
  states: { open: { on: { close: 'closed', add: {} } }, closed: {} },
});

const spec = actor('machine', fromMachine(machine, { onShutdown: { type: 'close' } }));
type Machine = typeof spec extends Spec<infer H> ? H : never;

/** What the compiler must accept, and what it must refuse: never run, only compiled. */
const compiles = {
  machines: async (handle: Machine) => {
    expectTypeOf(handle).toEqualTypeOf<MachineHandle<typeof machine>>();
    handle.send({ type: 'add', by: 1 });
    // @ts-expect-error no such event
    handle.send({ type: 'subtract', by: 1 });
    // @ts-expect-error its payload is missing
    handle.send({ type: 'add' });
    // @ts-expect-error its payload is of another type
    handle.send({ type: 'add', by: '1' });
    // @ts-expect-error no such event
    void handle.call({ type: 'nope' });
    expectTypeOf(handle.snapshot()?.context.n).toEqualTypeOf<number | undefined>();
    const snapshot = await handle.waitFor((now) => now.matches('closed'));
    expectTypeOf(snapshot.value).toEqualTypeOf<'open' | 'closed'>();
    // @ts-expect-error no such state
    void handle.waitFor((now) => now.matches('ajar'));
    handle.on('added', (event) => expectTypeOf(event.n).toEqualTypeOf<number>());
  },

  options: () => {
    // @ts-expect-error the machine does not take this event
    fromMachine(machine, { onShutdown: { type: 'end' } });
    fromMachine(machine, { onShutdown: (_reason) => ({ type: 'close' }) });
    // @ts-expect-error no such option
    fromMachine(machine, { onStop: { type: 'close' } });
    // @ts-expect-error a machine is made by XState
    fromMachine({});
  },

  logics: () => {
    const promise = fromPromise(async () => 7);
    expectTypeOf(actor('promise', fromLogic(promise))).toExtend<Spec<unknown>>();
    const handle = fromLogic(promise).handle({} as never);
    // @ts-expect-error only machines are called
    void handle.call({ type: 'x' });
  },
};

describe('the types of XState logic', () => {
  it('accept what is meant and refuse what is not: the compiler has checked this file', () => {
    expect(Object.keys(compiles)).not.toHaveLength(0);
  });
});
