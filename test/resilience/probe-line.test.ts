/** The line in front of a half-open breaker: first come, first served, bounded, and left at once by who gives up. */
import { describe, expect, it } from 'vitest';
import { createCircuitBreaker, type StandaloneBreakerOptions } from '../../src/resilience/circuit-breaker.ts';
import { createNoop } from '../../src/resilience/policy.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { type Deferred, deferred, down, hang, ok, outcomeOf } from './deferred.ts';

/** A half-open breaker whose one probe is out. */
const probing = async (options: StandaloneBreakerOptions = {}) => {
  const host = new SimulatedHost();
  const breaker = createCircuitBreaker({
    host,
    window: { kind: 'consecutive', failures: 1 },
    openMs: 1_000,
    halfOpenQueueLimit: 3,
    ...options,
  });
  breaker.fail();
  await host.advance(1_000);
  const probe = deferred<string>();
  const first = outcomeOf(breaker.execute(() => probe.promise));
  const began: string[] = [];
  const outs = new Map<string, Deferred<string>>();
  const call = (name: string, bounds?: object): Promise<unknown> =>
    outcomeOf(
      breaker.execute(() => {
        began.push(name);
        const out = deferred<string>();
        outs.set(name, out);
        return out.promise;
      }, bounds),
    );
  const end = async (name: string, how: 'resolve' | 'reject' = 'resolve') => {
    const out = outs.get(name);
    if (how === 'resolve') out?.resolve(name);
    else out?.reject(new Error(name));
    await host.settle();
  };
  return { host, breaker, probe, first, began, call, end };
};

describe('who comes while all probes are out', () => {
  it('waits, and is refused at once beyond the limit of the line', async () => {
    const { breaker, call, host } = await probing({ halfOpenQueueLimit: 2 });
    const limits: unknown[] = [];
    breaker.on('limit.exhausted', ({ limit, used, allowed, periodMs }) =>
      limits.push([limit, used, allowed, periodMs]),
    );
    void call('a');
    void call('b');
    expect(await call('c')).toBe('ERR_BREAKER_PROBING');
    expect(breaker.inspect()).toMatchObject({ waiting: 2, probes: 1, rejected: 1 });
    expect(limits).toEqual([['probe_queue', 2, 2, 0]]);
    breaker.dispose();
    expect(host.pendingTimers()).toEqual([]);
  });

  it('is not let in by admit, which never waits and never overtakes', async () => {
    const { breaker, call } = await probing({ halfOpenPermits: 2, successThreshold: 9 });
    void call('a');
    void call('b');
    expect(breaker.admit()).toMatchObject({ admitted: false, error: { code: 'ERR_BREAKER_PROBING' } });
    expect(breaker.inspect()).toMatchObject({ waiting: 1, probes: 2 });
  });

  it('takes the permit of the probe before it, in order, one at a time', async () => {
    const { host, breaker, probe, began, call, end } = await probing({ successThreshold: 4 });
    const [a, b, c] = [call('a'), call('b'), call('c')];
    probe.resolve('ok');
    await host.settle();
    expect(began).toEqual(['a']);
    await end('a');
    expect(began).toEqual(['a', 'b']);
    expect(breaker.inspect()).toMatchObject({ state: 'half_open', probes: 1, waiting: 1 });
    await end('b');
    await end('c');
    expect(await Promise.all([a, b, c])).toEqual(['a', 'b', 'c']);
    expect(breaker.inspect()).toMatchObject({ state: 'closed', waiting: 0 });
  });

  it('takes a permit that comes back neutral', async () => {
    const controller = new AbortController();
    const { host, breaker, began, call } = await probing({ halfOpenPermits: 2 });
    const cancelled = outcomeOf(breaker.execute(hang, { signal: controller.signal }));
    void call('a');
    expect(breaker.inspect().waiting).toBe(1);
    controller.abort('cancelled');
    expect(await cancelled).toBe('cancelled');
    await host.settle();
    expect(began).toEqual(['a']);
  });

  it('begins when it closes: those in line, and so never more than the line is long', async () => {
    const { host, breaker, probe, began, call } = await probing();
    const refused = [];
    for (let i = 0; i < 1_000; i++) {
      const running = call(String(i));
      if (i >= 3) refused.push(running);
    }
    expect(new Set(await Promise.all(refused))).toEqual(new Set(['ERR_BREAKER_PROBING']));
    probe.resolve('ok');
    await host.settle();
    expect(began).toEqual(['0', '1', '2']);
    expect(breaker.inspect()).toMatchObject({ state: 'closed', waiting: 0 });
  });

  it('is refused in the turn in which it opens again, and has not started', async () => {
    const { breaker, probe, first, began, call } = await probing();
    const waiting = [call('a'), call('b')];
    probe.reject(new Error('still down'));
    expect(await first).toBe('still down');
    expect(await Promise.all(waiting)).toEqual(['ERR_BREAKER_OPEN', 'ERR_BREAKER_OPEN']);
    expect(began).toEqual([]);
    expect(breaker.inspect()).toMatchObject({ waiting: 0, rejected: 2 });
  });

  it('is refused where one before it in line trips the breaker at once', async () => {
    const { breaker, probe } = await probing();
    const results = [down, down, ok].map((work) => outcomeOf(breaker.execute(() => work())));
    const sync = outcomeOf(breaker.execute(ok));
    probe.resolve('ok');
    expect(await Promise.all(results)).toEqual(['down', 'down', 'ok']);
    expect(await sync).toBe('ERR_BREAKER_PROBING');
    const thrower = await probing();
    const throwing = outcomeOf(
      thrower.breaker.execute(() => {
        throw new Error('at once');
      }),
    );
    const behind = outcomeOf(thrower.breaker.execute(ok));
    thrower.probe.resolve('ok');
    expect(await throwing).toBe('at once');
    expect(await behind).toBe('ERR_BREAKER_OPEN');
  });

  it.each([
    ['isolated', 'ERR_BREAKER_ISOLATED'],
    ['disposed', 'ERR_BREAKER_DISPOSED'],
  ])('is refused when it is %s', async (how, code) => {
    const { breaker, call, began } = await probing();
    const waiting = call('a');
    if (how === 'isolated') breaker.isolate();
    else breaker.dispose();
    expect(await waiting).toBe(code);
    expect(began).toEqual([]);
  });

  it.each(['disable', 'observe', 'reset'] as const)('begins after %s', async (how) => {
    const { host, breaker, call, began } = await probing();
    void call('a');
    breaker[how]();
    await host.settle();
    expect(began).toEqual(['a']);
  });
});

describe('who gives up in line', () => {
  it('by abort leaves at once, with its reason, and its place is free', async () => {
    const { host, breaker, probe, began, call } = await probing({ halfOpenQueueLimit: 2 });
    const controller = new AbortController();
    const a = call('a', { signal: controller.signal });
    const b = call('b');
    controller.abort('gone');
    expect(await a).toBe('gone');
    expect(breaker.inspect().waiting).toBe(1);
    const c = call('c');
    expect(breaker.inspect().waiting).toBe(2);
    probe.resolve('ok');
    await host.settle();
    expect(began).toEqual(['b', 'c']);
    void b;
    void c;
  });

  it.each(['a signal', 'a call above'])(
    'with the probe, by the abort of %s that both share, never begins',
    async (shared) => {
      const { host, breaker, began, probe, first } = await probing({ halfOpenPermits: 2 });
      const controller = new AbortController();
      const run = async (bounds: object) => {
        const out = outcomeOf(breaker.execute(hang, bounds));
        const waiting = [1, 2].map(() =>
          outcomeOf(
            breaker.execute(() => {
              began.push('begun');
            }, bounds),
          ),
        );
        expect(breaker.inspect()).toMatchObject({ probes: 2, waiting: 2 });
        controller.abort('gone');
        expect(await Promise.all([out, ...waiting])).toEqual(['gone', 'gone', 'gone']);
      };
      if (shared === 'a signal') await run({ signal: controller.signal });
      else
        await createNoop({ host })
          .execute((context) => run({ within: context }), { signal: controller.signal, timeoutMs: 9_000 })
          .catch(() => {});
      await host.settle();
      expect(began).toEqual([]);
      expect(breaker.inspect()).toMatchObject({ state: 'half_open', probes: 1, waiting: 0 });
      probe.resolve('ok');
      expect(await first).toBe('ok');
    },
  );

  it('by deadline is told that nothing was started, and counts for nothing', async () => {
    const { host, breaker, began } = await probing();
    const waiting = breaker.execute(ok, { timeoutMs: 200 }).catch((error: unknown) => error);
    expect(await host.runUntil(waiting)).toMatchObject({
      code: 'ERR_DEADLINE_PASSED',
      outcome: 'not_started',
    });
    expect(host.monotonic()).toBe(1_200);
    expect(breaker.inspect()).toMatchObject({ state: 'half_open', waiting: 0, probes: 1 });
    expect(began).toEqual([]);
  });

  it('after the time it may wait is refused', async () => {
    const { host, call } = await probing({ halfOpenMaxWaitMs: 50 });
    expect(await host.runUntil(call('a'))).toBe('ERR_BREAKER_PROBING');
    expect(host.monotonic()).toBe(1_050);
  });

  it('what is left of its deadline bounds the call that it becomes', async () => {
    const { host, probe, call } = await probing();
    const waiting = call('a', { timeoutMs: 500 });
    await host.advance(300);
    probe.resolve('ok');
    expect(await host.runUntil(waiting)).toBe('ERR_DEADLINE_PASSED');
    expect(host.monotonic()).toBe(1_500);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('leaves no ghost: a thousand that give up leave no timer, no place and no listener', async () => {
    const { host, breaker } = await probing({ halfOpenQueueLimit: 1_000 });
    const controller = new AbortController();
    const waiting = Array.from({ length: 1_000 }, () =>
      outcomeOf(breaker.execute(ok, { signal: controller.signal, timeoutMs: 5_000 })),
    );
    expect(breaker.inspect().waiting).toBe(1_000);
    controller.abort('all gone');
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['all gone']));
    expect(breaker.inspect().waiting).toBe(0);
    expect(host.pendingTimers().map(({ label }) => label)).toEqual(['breaker breaker watchdog']);
  });
});
