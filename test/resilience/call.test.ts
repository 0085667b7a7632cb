import { describe, expect, it, vi } from 'vitest';
import { NO_DEADLINE } from '../../src/base/deadline.ts';
import { BoundedCall, type Bounds, boundsOf, type Ending, rejectLater } from '../../src/resilience/call.ts';
import {
  createBulkhead,
  createCircuitBreaker,
  createLoadShedding,
  createRetry,
  wrap,
} from '../../src/resilience/index.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { deferred, outcomeOf } from './deferred.ts';

const setUp = (bounds: Partial<Bounds> = {}) => {
  const host = new SimulatedHost();
  const endings: Ending[] = [];
  const all = { deadline: NO_DEADLINE, budgetMs: NO_DEADLINE, signal: undefined, ...bounds };
  const call = new BoundedCall<string>({ host, where: 'test' }, all, (ending) => endings.push(ending));
  return { host, call, endings };
};

describe('a bounded call', () => {
  it('ends once, whatever comes later', async () => {
    const controller = new AbortController();
    const { host, call, endings } = setUp({ deadline: 100, budgetMs: 100, signal: controller.signal });
    const work = deferred<string>();
    const result = outcomeOf(call.run(() => work.promise));
    await host.advance(100);
    controller.abort('too late');
    work.resolve('too late as well');
    expect(await result).toBe('ERR_DEADLINE_PASSED');
    await host.settle();
    expect(endings.map(({ kind }) => kind)).toEqual(['timed_out']);
  });

  it('is concluded before its caller hears of it', async () => {
    const { call, endings } = setUp();
    await call.run(async () => 'ok');
    expect(endings).toEqual([{ kind: 'returned', value: 'ok' }]);
  });

  it('a rejection that comes after its end reaches nobody', async () => {
    const { host, call } = setUp({ deadline: 10, budgetMs: 10 });
    const work = deferred<string>();
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const result = outcomeOf(call.run(() => work.promise));
    await host.advance(10);
    work.reject(new Error('late'));
    await result;
    await host.settle();
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });

  it('a signal first read after the end has aborted if the call was cut, and not if it was done', async () => {
    const cut = setUp({ deadline: 10, budgetMs: 10 });
    const result = outcomeOf(cut.call.run(() => new Promise(() => {})));
    await cut.host.advance(10);
    await result;
    expect(cut.call.signal.aborted).toBe(true);
    const done = setUp({ deadline: 10, budgetMs: 10 });
    await done.call.run(() => 'ok');
    expect(done.call.signal.aborted).toBe(false);
  });

  it('an abort reaches the work with its reason, also where a deadline is set', async () => {
    const controller = new AbortController();
    const { call, endings } = setUp({ deadline: 10, budgetMs: 10, signal: controller.signal });
    let seen: AbortSignal | undefined;
    const result = outcomeOf(
      call.run(({ signal }) => {
        seen = signal;
        return new Promise(() => {});
      }),
    );
    controller.abort('stop');
    expect(await result).toBe('stop');
    expect(seen?.reason).toBe('stop');
    expect(endings).toEqual([{ kind: 'aborted', error: 'stop' }]);
  });

  it('work that aborts its own caller in its first turn ends aborted', async () => {
    const controller = new AbortController();
    const { call, endings } = setUp({ signal: controller.signal });
    const result = outcomeOf(
      call.run(() => {
        controller.abort('self');
        return 'ok';
      }),
    );
    expect(await result).toBe('self');
    expect(endings).toHaveLength(1);
  });
});

describe('bounds', () => {
  it('the sooner of deadline and timeout counts', async () => {
    const host = new SimulatedHost();
    await host.advance(1_000);
    const scope = { host, where: 'test' };
    expect(boundsOf(scope, { timeoutMs: 50, deadline: 2_000 })).toMatchObject({
      deadline: 1_050,
      budgetMs: 50,
    });
    expect(boundsOf(scope, { timeoutMs: 5_000, deadline: 2_000 })).toMatchObject({
      deadline: 2_000,
      budgetMs: 1_000,
    });
    expect(boundsOf(scope, { deadline: 500 }).budgetMs).toBe(0);
    expect(boundsOf(scope, {})).toMatchObject({ deadline: NO_DEADLINE, budgetMs: NO_DEADLINE });
  });
});

describe('rejectLater', () => {
  it('rejects with the very value', async () => {
    const error = new Error('mine');
    expect(await rejectLater(error).catch((thrown: unknown) => thrown)).toBe(error);
  });
});

describe('what cannot be called', () => {
  const host = new SimulatedHost();
  const retry = createRetry({ host });
  const breaker = createCircuitBreaker({ host, name: 'one', window: { kind: 'consecutive', failures: 1 } });
  const all = [
    retry,
    breaker,
    createBulkhead({ host }),
    createLoadShedding({ host }).prioritized('low'),
    wrap(createRetry({ host }), createBulkhead({ host })),
  ];

  it.each(all)('work that is no function is refused at once: $kind', async (policy) => {
    for (const work of [undefined, null, 'work', {}] as never[]) {
      await expect(policy.execute(work)).rejects.toThrow(/work must be a function/);
      await expect(policy.execute(work, { timeoutMs: 10 })).rejects.toThrow(/work must be a function/);
    }
    expect([retry.inspect().retries, breaker.inspect().failures]).toEqual([0, 0]);
  });

  it.each([...all.slice(0, 3), createLoadShedding({ host })])(
    'options that are no object are refused: $kind',
    async (policy) => {
      for (const options of [null, 5, true] as never[])
        await expect(policy.execute(() => 1, options)).rejects.toThrow(/must be an object|OPTION_UNKNOWN/);
    },
  );
});
