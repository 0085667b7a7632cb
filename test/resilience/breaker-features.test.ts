/** What a breaker can do beyond its table of states: windows, durations, probes by rate, and what operators ask of it. */
import { describe, expect, it } from 'vitest';
import { createCircuitBreaker, type StandaloneBreakerOptions } from '../../src/resilience/circuit-breaker.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { down, ok, outcomeOf } from './deferred.ts';

const setUp = (options: StandaloneBreakerOptions = {}) => {
  const host = new SimulatedHost();
  const breaker = createCircuitBreaker({ host, openMs: 1_000, ...options });
  const takes = (ms: number) => () => new Promise((resolve) => host.timer(ms, 'work', () => resolve('ok')));
  return { host, breaker, takes };
};

const ONE_FAILURE = { kind: 'consecutive', failures: 1 } as const;

describe('a window by time', () => {
  it('opens by the rate of failures in the last period, once there are enough calls', async () => {
    const { host, breaker } = setUp({
      window: { kind: 'time', windowMs: 1_000, minimumCalls: 4, failureRate: 0.5 },
    });
    for (let i = 0; i < 3; i++) await outcomeOf(breaker.execute(down));
    expect(breaker.inspect()).toMatchObject({ state: 'closed', calls: 3, failures: 3 });
    await host.advance(1_000);
    expect(breaker.inspect()).toMatchObject({ calls: 0, failures: 0 });
    for (let i = 0; i < 2; i++) await breaker.execute(ok);
    await outcomeOf(breaker.execute(down));
    expect(breaker.inspect().state).toBe('closed');
    await host.advance(500);
    await outcomeOf(breaker.execute(down));
    expect(breaker.inspect()).toMatchObject({ state: 'open', calls: 4, failures: 2 });
  });

  it('forgets a tenth at a time, also after a long silence', async () => {
    const { host, breaker } = setUp({ window: { kind: 'time', windowMs: 1_000, minimumCalls: 100 } });
    for (let i = 0; i < 10; i++) {
      await breaker.execute(ok);
      await host.advance(100);
    }
    expect(breaker.inspect().calls).toBe(9);
    await host.advance(400);
    expect(breaker.inspect().calls).toBe(5);
    await host.advance(100_000);
    expect(breaker.inspect().calls).toBe(0);
  });
});

describe('slow calls', () => {
  const SLOW = { minimumCalls: 4, slowMs: 100, slowRate: 0.5 } as const;

  it.each([{ kind: 'count' }, { kind: 'time' }] as const)(
    'open a window of %o at their rate',
    async (window) => {
      const { host, breaker, takes } = setUp({ window: { ...window, ...SLOW } });
      await host.runUntil(Promise.all([100, 100, 101].map((ms) => breaker.execute(takes(ms)))));
      expect(breaker.inspect()).toMatchObject({ state: 'closed', calls: 3, slow: 1, failures: 0 });
      await host.runUntil(breaker.execute(takes(300)));
      expect(breaker.inspect()).toMatchObject({ state: 'open', slow: 2 });
    },
  );

  it('a failure is a failure, however long it took, and is not counted twice', async () => {
    const { host, breaker } = setUp({ window: { kind: 'count', ...SLOW, failureRate: 1 } });
    const late = () => new Promise((_, reject) => host.timer(500, 'work', () => reject('late')));
    await host.runUntil(outcomeOf(breaker.execute(late)));
    expect(breaker.inspect()).toMatchObject({ calls: 1, failures: 1, slow: 0 });
  });

  it('a slow probe opens it again', async () => {
    const { host, breaker, takes } = setUp({ window: { kind: 'count', ...SLOW } });
    for (let i = 0; i < 4; i++) breaker.fail();
    await host.advance(1_000);
    await host.runUntil(breaker.execute(takes(300)));
    expect(breaker.inspect()).toMatchObject({ state: 'open', openings: 2 });
  });

  it('may also be said by whoever settles a token; a window of consecutive failures takes it for a success', () => {
    const { breaker } = setUp({ window: { kind: 'consecutive', failures: 2 } });
    breaker.fail();
    const token = breaker.admit();
    if (token.admitted) token.settle('slow');
    breaker.fail();
    expect(breaker.inspect().state).toBe('closed');
  });
});

describe('the duration of an opening', () => {
  const openings = async (openMs: StandaloneBreakerOptions['openMs'], times: number) => {
    const { host, breaker } = setUp({ window: ONE_FAILURE, openMs: openMs as number });
    const durations: (number | undefined)[] = [];
    for (let i = 0; i < times; i++) {
      await outcomeOf(breaker.execute(down));
      const { retryAfterMs } = breaker.inspect();
      durations.push(retryAfterMs);
      await host.advance(retryAfterMs ?? 0);
    }
    return { host, breaker, durations };
  };

  it('grows as a backoff over the openings in a row, and starts again after a closing', async () => {
    const backoff = { baseMs: 100, maxMs: 500, jitter: 'none' } as const;
    const { breaker, durations } = await openings(backoff, 4);
    expect(durations).toEqual([100, 200, 400, 500]);
    expect(await breaker.execute(ok)).toBe('ok');
    await outcomeOf(breaker.execute(down));
    expect(breaker.inspect().retryAfterMs).toBe(100);
  });

  it('has jitter where that is asked for', async () => {
    const { durations } = await openings({ kind: 'constant', baseMs: 1_000, jitter: 'equal' }, 6);
    expect(new Set(durations).size).toBeGreaterThan(3);
    for (const ms of durations) expect(Math.abs((ms as number) - 1_000)).toBeLessThanOrEqual(250);
  });

  it('is what a function says, and the default where it says nothing sensible', async () => {
    expect((await openings((n) => n * 10, 3)).durations).toEqual([10, 20, 30]);
    for (const wrong of [() => Number.NaN, () => -1, () => JSON.parse('{') as number])
      expect((await openings(wrong, 1)).durations).toEqual([30_000]);
  });

  it('is in the error and in the event', async () => {
    const { host, breaker } = setUp({ window: ONE_FAILURE, openMs: (n) => n * 10 });
    const opened: unknown[] = [];
    breaker.on('breaker.opened', ({ openMs, retryAtMs }) => opened.push([openMs, retryAtMs - host.wall()]));
    breaker.fail();
    expect(opened).toEqual([[10, 10]]);
    expect(breaker.admit()).toMatchObject({ error: { data: { openMs: 10, retryAfterMs: 10 } } });
  });
});

describe('probes by rate', () => {
  it('three of five: it closes at the third success, whatever two others did', async () => {
    const { host, breaker } = setUp({ window: ONE_FAILURE, successThreshold: 3, probeCalls: 5 });
    breaker.fail();
    await host.advance(1_000);
    for (const work of [down, ok, down, ok]) await outcomeOf(breaker.execute<unknown>(work));
    expect(breaker.inspect().state).toBe('half_open');
    await breaker.execute(ok);
    expect(breaker.inspect().state).toBe('closed');
  });

  it('three of five: it opens at the third failure', async () => {
    const { host, breaker } = setUp({ window: ONE_FAILURE, successThreshold: 3, probeCalls: 5 });
    breaker.fail();
    await host.advance(1_000);
    for (const work of [ok, down, down, ok]) await outcomeOf(breaker.execute<unknown>(work));
    expect(breaker.inspect().state).toBe('half_open');
    await outcomeOf(breaker.execute(down));
    expect(breaker.inspect()).toMatchObject({ state: 'open', openings: 2 });
  });

  it('fewer calls than successes are refused', () => {
    expect(() => createCircuitBreaker({ successThreshold: 3, probeCalls: 2 })).toThrow('ERR_OPTION_INVALID');
  });
});

describe('what an operator asks for', () => {
  it('isolated, it refuses until the last who asked for it lets go', async () => {
    const { breaker } = setUp();
    const [one, other] = [breaker.isolate(), breaker.isolate()];
    expect(await outcomeOf(breaker.execute(ok))).toBe('ERR_BREAKER_ISOLATED');
    breaker.reset();
    breaker.disable();
    breaker.resume();
    one();
    one();
    expect(await outcomeOf(breaker.execute(ok))).toBe('ERR_BREAKER_ISOLATED');
    other();
    expect(await breaker.execute(ok)).toBe('ok');
  });

  it('isolated while open, it stays so beyond the wait, and leaves no timer', async () => {
    const { host, breaker } = setUp({ window: ONE_FAILURE });
    breaker.onChange(() => {});
    breaker.fail();
    const release = breaker.isolate();
    expect(host.pendingTimers()).toEqual([]);
    await host.advance(60_000);
    expect(await outcomeOf(breaker.execute(ok))).toBe('ERR_BREAKER_ISOLATED');
    release();
    expect(breaker.inspect()).toMatchObject({ state: 'closed', failures: 0 });
  });

  it('disabled, it lets all through and counts nothing', async () => {
    const { breaker } = setUp({ window: ONE_FAILURE });
    breaker.disable();
    for (let i = 0; i < 9; i++) await outcomeOf(breaker.execute(down));
    await outcomeOf(breaker.execute(down, { timeoutMs: 50 }));
    expect(breaker.inspect()).toMatchObject({ state: 'disabled', failures: 0, openings: 0 });
    breaker.resume();
    await outcomeOf(breaker.execute(down));
    expect(breaker.inspect().state).toBe('open');
  });

  it('observing, it says when it would have opened, and refuses nothing', async () => {
    const { breaker } = setUp({ window: { kind: 'consecutive', failures: 3 } });
    const would: unknown[] = [];
    breaker.on('breaker.would_have_opened', ({ failures, cause }) => would.push([failures, cause]));
    breaker.observe();
    for (let i = 0; i < 7; i++) await outcomeOf(breaker.execute(() => Promise.reject(`down ${i}`)));
    expect(would).toEqual([
      [3, 'down 2'],
      [3, 'down 5'],
    ]);
    expect(breaker.inspect()).toMatchObject({ state: 'observing', rejected: 0, openings: 0, failures: 1 });
  });

  it('is announced', () => {
    const { breaker } = setUp();
    const seen: string[] = [];
    breaker.events.listen(({ type }) => seen.push(type));
    breaker.isolate()();
    breaker.disable();
    breaker.observe();
    breaker.resume();
    breaker.resume();
    expect(seen).toEqual([
      'breaker.isolated',
      'breaker.closed',
      'breaker.disabled',
      'breaker.observed',
      'breaker.closed',
    ]);
  });
});

describe('an exported state', () => {
  /** A breaker that opened, and one made from its state so much later, on a host of its own. */
  const resumed = async (
    laterMs: number,
    before: (host: SimulatedHost) => Promise<void> = async () => {},
  ) => {
    const { host, breaker } = setUp({ window: ONE_FAILURE, openMs: (n) => n * 1_000 });
    breaker.fail();
    await before(host);
    const state = JSON.parse(JSON.stringify(breaker.exportState()));
    const next = new SimulatedHost();
    next.setWall(host.wall() + laterMs);
    const options = { host: next, window: ONE_FAILURE, openMs: (n: number) => n * 1_000, state };
    return { host: next, breaker: createCircuitBreaker(options) };
  };

  it('goes on waiting for what is left, by the time that has passed and not by a timer', async () => {
    const { host, breaker } = await resumed(300);
    expect(breaker.inspect()).toMatchObject({ state: 'open', retryAfterMs: 700 });
    expect(host.pendingTimers()).toEqual([]);
    expect(await outcomeOf(breaker.execute(ok))).toBe('ERR_BREAKER_OPEN');
    await host.advance(700);
    expect(await breaker.execute(ok)).toBe('ok');
  });

  it('probes at once where the wait is over, and goes on counting openings', async () => {
    const { breaker } = await resumed(5_000);
    await outcomeOf(breaker.execute(down));
    expect(breaker.inspect()).toMatchObject({ state: 'open', retryAfterMs: 2_000 });
  });

  it('a clock that went back makes nobody wait longer', async () => {
    const { breaker } = await resumed(-3_600_000);
    expect(breaker.inspect().retryAfterMs).toBe(1_000);
  });

  it('of a closed one is closed, and what is no state is refused', async () => {
    const closed = setUp().breaker.exportState();
    expect(closed.retryAt).toBeNull();
    expect(createCircuitBreaker({ state: closed }).inspect().state).toBe('closed');
    for (const wrong of [
      {},
      { ...closed, version: 2 },
      { ...closed, openMs: -1 },
      { ...closed, retryAt: 'soon' },
    ])
      expect(() => createCircuitBreaker({ state: wrong as never })).toThrow('ERR_OPTION_INVALID');
  });

  it('watched, it half-opens by a timer', async () => {
    const { host, breaker } = await resumed(300);
    breaker.onChange(() => {});
    await host.advance(700);
    expect(breaker.inspect().state).toBe('half_open');
    expect(breaker.exportState().retryAt).toBe(host.wall());
    expect(host.pendingTimers()).toEqual([]);
  });
});
