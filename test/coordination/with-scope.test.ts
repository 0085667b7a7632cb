import { describe, expect, it } from 'vitest';
import { withScope } from '../../src/coordination/with-scope.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { gate, watch } from '../kernel/rig.ts';
import { deaf, obedient } from './scope-rig.ts';

describe('withScope', () => {
  it('resolves to what its function returns, once all tasks have ended', async () => {
    const host = new SimulatedHost();
    const work = gate();
    const call = watch(
      withScope(
        (scope) => {
          scope.start('slow', () => work.passed);
          return 'done';
        },
        { host },
      ),
    );
    await host.settle();
    expect(call.settled).toBe(false);
    work.open();
    await host.settle();
    expect(call.now).toBe('done');
  });

  it('rejects with the first failure, after the others have ended', async () => {
    const host = new SimulatedHost();
    const order: string[] = [];
    const call = watch(
      withScope(
        async (scope) => {
          scope.start('other', (task) => obedient(task).finally(() => order.push('other over')));
          scope.start('bad', () => Promise.reject(new Error('as told')));
          await obedient({ signal: scope.signal } as never).finally(() => order.push('body over'));
        },
        { host },
      ).finally(() => order.push('settled')),
    );
    await host.settle();
    expect(call.error).toEqual(new Error('as told'));
    expect(order.at(-1)).toBe('settled');
    expect(order.sort()).toEqual(['body over', 'other over', 'settled']);
  });

  it('rejects with what its function throws, after its tasks have ended', async () => {
    const host = new SimulatedHost();
    let over = false;
    const call = watch(
      withScope(
        (scope) => {
          scope.start('other', (task) => obedient(task).finally(() => (over = true)));
          throw new Error('body');
        },
        { host },
      ),
    );
    await host.settle();
    expect([call.error, over]).toEqual([new Error('body'), true]);
  });

  it('collects all failures where told, and lets the others run to their end', async () => {
    const host = new SimulatedHost();
    const work = gate();
    const call = watch(
      withScope(
        (scope) => {
          scope.start('first', () => Promise.reject(new Error('1')));
          scope.start('second', () => Promise.reject(new Error('2')));
          scope.start('good', () => work.passed);
        },
        { host, onFailure: 'collect' },
      ),
    );
    await host.settle();
    expect(call.settled).toBe(false);
    work.open();
    await host.settle();
    expect(call.now).toBe('ERR_SCOPE_FAILED');
    expect((call.error as Error).cause).toMatchObject({ errors: [new Error('1'), new Error('2')] });
  });

  it('is over within its time though nothing in it ever ends', async () => {
    const host = new SimulatedHost();
    const call = watch(
      withScope(
        (scope) => {
          scope.start('deaf', deaf);
          return deaf();
        },
        { host, deadline: host.monotonic() + 1_000, closeMs: 300 },
      ),
    );
    await host.advance(1_000);
    expect(call.now).toBe('ERR_DEADLINE_PASSED');
    expect(host.pendingTimers()).toEqual([]);
  });

  it('rejects with the reason of its signal, before and while it runs', async () => {
    const host = new SimulatedHost();
    let called = false;
    const early = watch(withScope(() => (called = true), { host, signal: AbortSignal.abort('early') }));
    const controller = new AbortController();
    const late = watch(
      withScope((scope) => obedient({ signal: scope.signal } as never), { host, signal: controller.signal }),
    );
    await host.settle();
    controller.abort('late');
    await host.settle();
    expect([early.now, called, late.now]).toEqual(['early', false, 'late']);
  });

  it('refuses options that it does not know', async () => {
    await expect(withScope(() => 1, { onFail: 'cancel' } as never)).rejects.toMatchObject({
      code: 'ERR_OPTION_UNKNOWN',
    });
  });
});
