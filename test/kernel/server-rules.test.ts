import { describe, expect, it } from 'vitest';
import { actor } from '../../src/kernel/actor.ts';
import { IGNORE, type Info, type Request } from '../../src/kernel/logic.ts';
import type { ExitReason } from '../../src/kernel/reason.ts';
import { server } from '../../src/kernel/server.ts';
import { createRig, watch } from './rig.ts';

describe('a server', () => {
  it('lives on when it is told what nobody handles: that is a dead letter', async () => {
    const { start, host, system, ends } = createRig();
    const handle = await start(actor('a', server({ init: () => ({}), cast: { known: () => undefined } })));
    for (const message of [{ type: 'unknown' }, { type: 'toString' }, { type: '__proto__' }, undefined, 7])
      system.tell(handle, message);
    await host.settle();
    expect(system.counters.deadLetters).toBe(5);
    expect(ends('a')).toEqual([]);
  });

  it('refuses a call that nobody handles, naming what it knows', async () => {
    const { start, host, system, ends } = createRig();
    const handle = await start(
      actor('a', server({ init: () => ({}), call: { get: () => 1, put: () => 2 } })),
    );
    for (const message of [{ type: 'got' }, { type: 'constructor' }, null]) {
      const call = watch(system.call(handle, message));
      await host.settle();
      expect(call).toMatchObject({ now: 'ERR_NO_HANDLER', outcome: 'not_started' });
      expect((call.error as Error).message).toContain('get, put');
    }
    expect(ends('a')).toEqual([]);
  });

  it('ignores notices that it has no handler for, and hands over those it has', async () => {
    const { start, host, ends } = createRig();
    const seen: Info[] = [];
    const init = (_input: unknown, context: { monitor(to: string): number }) => {
      context.monitor('nobody');
      return { n: 1 };
    };
    await start(actor('deaf', server({ init })));
    await start(
      actor(
        'hearing',
        server({
          init,
          info: (state, info) => {
            seen.push(info);
            state.n += 1;
          },
          inspect: (state) => ({ facts: { n: state.n } }),
        }),
      ),
    );
    await host.settle();
    expect(ends('deaf')).toEqual([]);
    expect(seen).toMatchObject([{ type: 'down', reason: 'noproc' }]);
  });

  it('may start late, ignore, or refuse to start', async () => {
    const { host, system, start } = createRig();
    const late = await start(
      actor('late', server({ init: async () => ({ n: 7 }), call: { n: (s) => s.n } })),
    );
    expect(await host.runUntil(late.call({ type: 'n' }))).toBe(7);
    const ignoring = watch(system.start(actor('ignoring', server({ init: async () => IGNORE }))));
    const refusing = watch(
      system.start(
        actor(
          'refusing',
          server({
            init: (_input, context) => {
              context.stop({ shutdown: 'not today' });
              return {};
            },
          }),
        ),
      ),
    );
    await host.settle();
    expect([ignoring.now, refusing.now]).toEqual(['ERR_NOPROC', 'ERR_INIT_FAILED']);
  });

  it('hands its state, the reason and its context to terminate', async () => {
    const { start, host, system } = createRig();
    const last: unknown[] = [];
    const spec = actor(
      'a',
      server({
        init: () => ({ n: 3 }),
        terminate: (state, reason: ExitReason, context) => void last.push(state.n, reason, context.path),
      }),
    );
    const handle = await start(spec);
    await host.runUntil(system.stop(handle, { reason: 'shutdown' }));
    expect(last).toEqual([3, 'shutdown', 'a']);
  });

  it('answers later through what later() gave', async () => {
    const { start, host } = createRig();
    let request: Request<string> | undefined;
    const handle = await start(
      actor(
        'a',
        server({
          init: () => ({}),
          call: {
            slow: (_state, _message, context) => {
              request = context.later<string>();
            },
          },
        }),
      ),
    );
    const call = watch(handle.call({ type: 'slow' }));
    await host.settle();
    request?.reply('at last');
    await host.settle();
    expect(call.now).toBe('at last');
  });

  it('is refused before it starts when it is no server', () => {
    for (const wrong of [
      {},
      { init: 7 },
      { init: () => ({}), call: { x: 1 } },
      { init: () => ({}), cast: [] },
      { init: () => ({}), calls: {} },
      { init: () => ({}), info: {} },
      undefined,
    ])
      expect(() => server(wrong as never)).toThrow(/ERR_OPTION_/);
  });

  it('is data: frozen, reusable, each start with a state of its own', async () => {
    const { start, host } = createRig();
    const logic = server({ init: () => ({ n: 0 }), call: { up: (state) => ++state.n } });
    expect(Object.isFrozen(logic)).toBe(true);
    const [a, b] = [await start(actor('a', logic)), await start(actor('b', logic))];
    await host.runUntil(a.call({ type: 'up' }));
    expect(await host.runUntil(a.call({ type: 'up' }))).toBe(2);
    expect(await host.runUntil(b.call({ type: 'up' }))).toBe(1);
  });
});
