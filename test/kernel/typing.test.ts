import { describe, expect, expectTypeOf, it } from 'vitest';
import { actor } from '../../src/kernel/actor.ts';
import { DEFERRED, type Handle, IGNORE, type Request } from '../../src/kernel/logic.ts';
import type { ExitReason } from '../../src/kernel/reason.ts';
import type { Ref } from '../../src/kernel/ref.ts';
import { type ServerHandle, server } from '../../src/kernel/server.ts';
import type { Spec } from '../../src/kernel/spec.ts';
import { createSystem, type System } from '../../src/kernel/system.ts';

const counter = actor(
  'counter',
  server({
    init: (input: { start: number } | undefined) => ({ n: input?.start ?? 0 }),
    call: {
      add: (state, { by }: { by: number }) => {
        state.n += by;
        return state.n;
      },
      name: async () => 'counter',
      forget: () => undefined,
      where: (_state, _message, context) => context.path,
      maybe: (_state, { text }: { text?: string }) => text?.length ?? null,
    },
    cast: {
      reset: (state) => {
        state.n = 0;
      },
      set: (state, { to }: { to: number }) => {
        state.n = to;
      },
    },
  }),
);
type Counter = typeof counter extends Spec<infer H> ? H : never;

/** What the compiler must accept, and what it must refuse: never run, only compiled. */
const compiles = {
  replies: async (handle: Counter) => {
    expectTypeOf(await handle.call({ type: 'add', by: 1 })).toEqualTypeOf<number>();
    expectTypeOf(await handle.call({ type: 'name' })).toEqualTypeOf<string>();
    expectTypeOf(await handle.call({ type: 'forget' })).toEqualTypeOf<undefined>();
    expectTypeOf(await handle.call({ type: 'maybe' })).toEqualTypeOf<number | null>();
    expectTypeOf(await handle.call({ type: 'where' })).toEqualTypeOf<string>();
    const message = { type: 'add', by: 2 } as const;
    expectTypeOf(await handle.call(message)).toEqualTypeOf<number>();
  },

  refusals: (handle: Counter) => {
    // @ts-expect-error no handler of this type
    void handle.call({ type: 'subtract', by: 1 });
    // @ts-expect-error its payload is missing
    void handle.call({ type: 'add' });
    // @ts-expect-error its payload is of another type
    void handle.call({ type: 'add', by: '1' });
    // @ts-expect-error a cast is not called
    void handle.call({ type: 'reset' });
    // @ts-expect-error a call is not told
    handle.tell({ type: 'add', by: 1 });
    // @ts-expect-error its payload is missing
    handle.tell({ type: 'set' });
    // @ts-expect-error a message has a type
    handle.tell({ to: 1 });
    // @ts-expect-error no such option
    void handle.call({ type: 'name' }, { timeout: 5 });
    // @ts-expect-error no such choice
    void handle.call({ type: 'name' }, { whenDown: 'retry' });
  },

  tells: (handle: Counter) => {
    expectTypeOf(handle.tell({ type: 'reset' })).toEqualTypeOf<'sent' | 'dropped'>();
    handle.tell({ type: 'set', to: 3 });
  },

  specs: (system: System) => {
    expectTypeOf(system.get(counter)).toEqualTypeOf<Counter>();
    expectTypeOf(system.get(counter.as('other'))).toEqualTypeOf<Counter>();
    expectTypeOf(system.start(counter)).resolves.toEqualTypeOf<Counter>();
    // @ts-expect-error an id is no key
    system.get('counter');
    // @ts-expect-error a spec is frozen data
    counter.id = 'other';
  },

  servers: () => {
    server({
      init: (_input, context) => {
        context.trapExit = true;
        return Math.random() > 2 ? IGNORE : { at: context.now() };
      },
      call: {
        slow: (state, _message, context) => {
          expectTypeOf(state).toEqualTypeOf<{ at: number }>();
          expectTypeOf(context.later<number>()).toEqualTypeOf<Request<number>>();
          return DEFERRED;
        },
      },
      info: (state, info) => {
        expectTypeOf(state.at).toEqualTypeOf<number>();
        if (info.type === 'down') expectTypeOf(info.monitor).toEqualTypeOf<number>();
        // @ts-expect-error only a DOWN has a monitor
        if (info.type === 'exit') info.monitor;
      },
      terminate: (_state, reason) => void expectTypeOf(reason).toEqualTypeOf<ExitReason>(),
    });
    // @ts-expect-error init makes the state
    server({ call: {} });
    // @ts-expect-error a handler is a function
    server({ init: () => ({}), call: { x: 1 } });
    // @ts-expect-error a cast gives no reply
    server({ init: () => ({}), cast: { x: () => 1 } });
    // @ts-expect-error no such option
    server({ init: () => ({}), calls: {} });
  },

  actors: () => {
    const logic = server({ init: () => ({}) });
    // @ts-expect-error no such restart type
    actor('a', logic, { restart: 'always' });
    // @ts-expect-error OTP's word is brutal_kill
    actor('a', logic, { shutdownMs: 'kill' });
    // @ts-expect-error no such option
    actor('a', logic, { mailbox: 7 });
    // @ts-expect-error a spec has a logic
    actor('a', { init: () => ({}) });
  },

  contexts: () =>
    server({
      init: (_input, context) => {
        expectTypeOf(context.get(counter)).toEqualTypeOf<Counter>();
        expectTypeOf(context.spawn(counter)).resolves.toEqualTypeOf<Counter>();
        context.tell(context.self, 'x');
        context.tell('a name', 'x');
        context.tell(context.get(counter), 'x');
        // @ts-expect-error neither ref, handle, spec nor name
        context.tell(7, 'x');
        context.pipe(Promise.resolve(1), (value) => expectTypeOf(value).toEqualTypeOf<number>());
        // @ts-expect-error a reason is one of the literals, or an object with one of the keys
        context.stop('because');
        context.stop({ shutdown: 'because' });
        context.exit(context.self, 'kill');
        // @ts-expect-error an actor is killed from outside; it does not end with kill
        context.stop('kill');
        return {};
      },
    }),

  reasons: (reason: ExitReason) => {
    if (typeof reason === 'object' && 'gaveUp' in reason)
      expectTypeOf(reason.gaveUp.last).toEqualTypeOf<ExitReason>();
    // @ts-expect-error nothing else ends an actor
    const wrong: ExitReason = { stopped: true };
    return wrong;
  },

  handles: (handle: ServerHandle<object, object>) => {
    expectTypeOf(handle).toExtend<Handle>();
    expectTypeOf(handle.ref()).toEqualTypeOf<Ref | undefined>();
    // @ts-expect-error a server without handlers answers nothing
    void handle.call({ type: 'x' });
  },

  systems: () => {
    // @ts-expect-error no such context
    createSystem({ context: 'sync' });
  },
};

describe('the types of the kernel', () => {
  it('accept what is meant and refuse what is not: the compiler has checked this file', () => {
    expect(Object.keys(compiles)).not.toHaveLength(0);
  });
});
