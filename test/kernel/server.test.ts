/** The server: typed replies, refusals, crashes. */
import { describe, expect, it } from 'vitest';
import { actor } from '../../src/kernel/actor.ts';
import { server } from '../../src/kernel/server.ts';
import { createSystem } from '../../src/kernel/system.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

const counter = () =>
  actor(
    'counter',
    server({
      init: (input: { start: number } | undefined) => ({ n: input?.start ?? 0 }),
      call: {
        add: (state, { by }: { by: number }) => {
          state.n += by;
          return state.n;
        },
        get: (state) => state.n,
        slow: async (state, _message, ctx) => {
          await new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve()));
          return state.n;
        },
        crash: () => {
          throw new Error('boom');
        },
      },
      cast: {
        reset: (state) => {
          state.n = 0;
        },
      },
    }),
  );

describe('server', () => {
  it("infers a call's reply from its message, and answers", async () => {
    const host = new SimulatedHost();
    const system = createSystem({ host });
    const spec = counter();
    const handle = await host.runUntil(system.start(spec));
    const reply: number = await host.runUntil(handle.call({ type: 'add', by: 2 }));
    expect(reply).toBe(2);
    expect(handle.tell({ type: 'reset' })).toBe('sent');
    expect(await host.runUntil(handle.call({ type: 'get' }))).toBe(0);
    // @ts-expect-error a message that no handler takes
    const refused = handle.call({ type: 'nope' });
    await expect(host.runUntil(refused)).rejects.toMatchObject({ code: 'ERR_NO_HANDLER' });
    // @ts-expect-error a word is no message
    await expect(host.runUntil(handle.call('get'))).rejects.toThrow(/'get', which is no \{ type: 'get' \}/);
    const crashed = handle.call({ type: 'crash' });
    await expect(host.runUntil(crashed)).rejects.toMatchObject({
      code: 'ERR_CALLEE_ENDED',
      outcome: 'unknown',
    });
    await expect(host.runUntil(handle.call({ type: 'get' }))).rejects.toMatchObject({ code: 'ERR_NOPROC' });
  });
});
