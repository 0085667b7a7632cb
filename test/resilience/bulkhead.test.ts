import { describe, expect, it, vi } from 'vitest';
import { type BulkheadOptions, createBulkhead } from '../../src/resilience/bulkhead.ts';
import { createCircuitBreaker } from '../../src/resilience/circuit-breaker.ts';
import { createTimeout } from '../../src/resilience/timeout.ts';
import { wrap } from '../../src/resilience/wrap.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { type Deferred, deferred, hang, ok, outcomeOf } from './deferred.ts';

const setUp = (options: BulkheadOptions = {}) => {
  const host = new SimulatedHost();
  const bulkhead = createBulkhead({ host, limit: 1, ...options });
  const order: string[] = [];
  const jobs: Record<string, Deferred<string>> = {};
  const enter = (name: string, bounds = {}): Promise<unknown> => {
    jobs[name] = deferred<string>();
    const work = () => {
      order.push(name);
      return (jobs[name] as Deferred<string>).promise;
    };
    return outcomeOf(bulkhead.execute(work, bounds));
  };
  const finish = async (name: string): Promise<void> => {
    jobs[name]?.resolve(name);
    await host.settle();
  };
  return { host, bulkhead, order, jobs, enter, finish };
};

describe('a bulkhead', () => {
  it('lets so many run at once, and refuses the rest with one shared error', async () => {
    const { bulkhead, enter, finish } = setUp({ limit: 2 });
    const exhausted: unknown[] = [];
    bulkhead.events.on('limit.exhausted', ({ type, at, ...facts }) => exhausted.push(facts));
    const [one, two] = [enter('one'), enter('two')];
    const refusal = await bulkhead.execute(ok).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'ERR_BULKHEAD_FULL', outcome: 'not_started' });
    expect(await bulkhead.execute(ok).catch((error: unknown) => error)).toBe(refusal);
    expect(exhausted[0]).toEqual({ path: 'bulkhead', limit: 'bulkhead', used: 2, allowed: 2, periodMs: 0 });
    await finish('one');
    expect(await one).toBe('one');
    expect(await bulkhead.execute(ok)).toBe('ok');
    await finish('two');
    expect(await two).toBe('two');
    expect(bulkhead.inspect()).toMatchObject({ used: 0, waiting: 0, refused: 2 });
  });

  it('gives its slot back whichever way the work ends', async () => {
    const { bulkhead } = setUp();
    const thrower = () => {
      throw new Error('at once');
    };
    const foreign = { then: (give: (value: string) => void) => give('foreign') } as PromiseLike<string>;
    for (const bounds of [undefined, { timeoutMs: 50 }]) {
      expect(await bulkhead.execute(() => 7, bounds)).toBe(7);
      expect(await outcomeOf(bulkhead.execute(thrower, bounds))).toBe('at once');
      expect(await outcomeOf(bulkhead.execute(() => Promise.reject('later'), bounds))).toBe('later');
      expect(await bulkhead.execute(() => foreign, bounds)).toBe('foreign');
    }
    expect(bulkhead.inspect().used).toBe(0);
  });

  it('a thousand in line that are over at once do not nest', async () => {
    const { bulkhead, enter, finish } = setUp({ queueLimit: 20_000 });
    void enter('first');
    const rest = Array.from({ length: 20_000 }, (_, i) => bulkhead.execute(() => i));
    await finish('first');
    expect((await Promise.all(rest)).at(-1)).toBe(19_999);
  });

  it('4 (opossum): a slot is released though the work goes on – it is taken until the work is over', async () => {
    const { host, bulkhead, enter, finish } = setUp();
    const cut = enter('cut', { timeoutMs: 10 });
    expect(await host.runUntil(cut)).toBe('ERR_DEADLINE_PASSED');
    expect(await outcomeOf(bulkhead.execute(ok))).toBe('ERR_BULKHEAD_FULL');
    expect(bulkhead.inspect().used).toBe(1);
    await finish('cut');
    expect(await bulkhead.execute(ok)).toBe('ok');
  });

  it('4 (opossum): nor is it when a timeout around it passes', async () => {
    const { host, bulkhead } = setUp();
    const wrapped = wrap(createTimeout({ host, timeoutMs: 10 }), bulkhead);
    expect(await host.runUntil(outcomeOf(wrapped.execute(hang)))).toBe('ERR_DEADLINE_PASSED');
    expect(bulkhead.inspect().used).toBe(1);
    expect(await outcomeOf(wrapped.execute(ok))).toBe('ERR_BULKHEAD_FULL');
  });

  it('5 (opossum): its rejections open the breaker – they count for nothing', async () => {
    const { host, bulkhead, enter } = setUp();
    const breaker = createCircuitBreaker({ host, window: { kind: 'consecutive', failures: 1 } });
    void enter('holds');
    expect(await outcomeOf(wrap(breaker, bulkhead).execute(ok))).toBe('ERR_BULKHEAD_FULL');
    expect(breaker.inspect().state).toBe('closed');
  });

  it('11 (cockatiel): events that it declares never fire – the one that is declared fires at each refusal', async () => {
    const { bulkhead, enter } = setUp();
    const exhausted = vi.fn();
    bulkhead.events.on('limit.exhausted', exhausted);
    void enter('holds');
    for (let i = 0; i < 3; i++) await outcomeOf(bulkhead.execute(ok));
    expect(exhausted).toHaveBeenCalledTimes(3);
    expect(bulkhead.inspect()).toMatchObject({ used: 1, refused: 3 });
  });
});

describe('the line of a bulkhead', () => {
  it('is served in order', async () => {
    const { order, enter, finish } = setUp({ queueLimit: 3 });
    const all = ['a', 'b', 'c', 'd'].map((name) => enter(name));
    for (const name of ['a', 'b', 'c', 'd']) await finish(name);
    expect(await Promise.all(all)).toEqual(['a', 'b', 'c', 'd']);
    expect(order).toEqual(['a', 'b', 'c', 'd']);
  });

  it('10 (cockatiel): new arrivals barge past those in line – nobody overtakes', async () => {
    const { bulkhead, order, jobs, enter, finish } = setUp({ queueLimit: 9 });
    void enter('a');
    void enter('b');
    // A newcomer in the very turn in which the slot becomes free, and one in each after it.
    const barging = jobs['a']?.promise.then(() => bulkhead.execute(() => order.push('barging')));
    for (let i = 0; i < 4; i++)
      void Promise.resolve(i).then(() => bulkhead.execute(() => order.push('late')));
    await finish('a');
    await finish('b');
    await barging;
    expect(order.slice(0, 2)).toEqual(['a', 'b']);
    expect(order).toContain('barging');
  });

  it('10 (cockatiel): an aborted one rejects late and keeps its place – it leaves at once', async () => {
    const { host, bulkhead, order, enter, finish } = setUp({ queueLimit: 1 });
    void enter('a');
    const controller = new AbortController();
    const aborted = enter('aborted', { signal: controller.signal });
    expect(await outcomeOf(bulkhead.execute(ok))).toBe('ERR_BULKHEAD_FULL');
    await host.advance(10);
    controller.abort('enough');
    const next = enter('next');
    expect(await aborted).toBe('enough');
    expect(host.monotonic()).toBe(10);
    await finish('a');
    await finish('next');
    expect(await next).toBe('next');
    expect(order).toEqual(['a', 'next']);
  });

  it('a deadline that passes in it says that nothing was started, and counts for nothing with a breaker', async () => {
    const { host, bulkhead, order, enter } = setUp({ queueLimit: 1 });
    const breaker = createCircuitBreaker({ host, window: { kind: 'consecutive', failures: 1 } });
    void enter('a');
    const work = () => bulkhead.execute(ok, { timeoutMs: 20 });
    const running = breaker.execute(work).catch((error: unknown) => error);
    expect(await host.runUntil(running)).toMatchObject({
      code: 'ERR_DEADLINE_PASSED',
      outcome: 'not_started',
    });
    expect(breaker.inspect().state).toBe('closed');
    expect(order).toEqual(['a']);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('who waits too long is refused, and the time waited comes out of the deadline', async () => {
    const { host, enter, finish } = setUp({ queueLimit: 2, maxWaitMs: 50 });
    void enter('a');
    const patient = enter('patient');
    expect(await host.runUntil(patient)).toBe('ERR_BULKHEAD_FULL');
    expect(host.monotonic()).toBe(50);
    const bounded = enter('bounded', { timeoutMs: 80 });
    await host.advance(30);
    await finish('a');
    expect(await host.runUntil(bounded)).toBe('ERR_DEADLINE_PASSED');
    expect(host.monotonic()).toBe(130);
  });

  it('is turned away when it is disposed; work that is out goes on', async () => {
    const { host, bulkhead, enter, finish } = setUp({ queueLimit: 2 });
    const [a, b] = [enter('a'), enter('b', { timeoutMs: 1_000 })];
    bulkhead.dispose();
    expect(await b).toBe('ERR_POLICY_DISPOSED');
    await finish('a');
    expect(await a).toBe('a');
    expect(host.pendingTimers()).toEqual([]);
  });

  it('40,000 calls on one signal leave nothing behind', async () => {
    const { bulkhead } = setUp({ limit: 4, queueLimit: 10 });
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, 'addEventListener');
    const removed = vi.spyOn(signal, 'removeEventListener');
    for (let i = 0; i < 4_000; i++)
      await Promise.all(Array.from({ length: 10 }, () => bulkhead.execute(ok, { signal })));
    expect(removed.mock.calls.length).toBe(added.mock.calls.length);
    expect(bulkhead.inspect()).toMatchObject({ used: 0, waiting: 0, refused: 0 });
  });
});
