import { describe, expect, it, vi } from 'vitest';
import { createError } from '../../src/base/errors.ts';
import { defaultClassifier } from '../../src/recovery/classification.ts';
import { createCircuitBreaker } from '../../src/resilience/circuit-breaker.ts';
import {
  createRetry,
  type RetryAdvice,
  type RetryOptions,
  retry,
  retryAfterMsOf,
} from '../../src/resilience/retry.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { deferred, down, hang, outcomeOf } from './deferred.ts';

const plain = { backoff: { baseMs: 100, jitter: 'none' } } as const satisfies RetryOptions;

/** Fails so many times, then succeeds; notes when it was tried. */
const flaky = (host: SimulatedHost, failures: number, error: unknown = new Error('down')) => {
  const triedAt: number[] = [];
  const work = async (): Promise<string> => {
    triedAt.push(host.monotonic());
    if (triedAt.length <= failures) throw error;
    return 'ok';
  };
  return { work, triedAt };
};

describe('retry', () => {
  it('tries three times by default, waiting in between, and gives the first success', async () => {
    const host = new SimulatedHost();
    const { work, triedAt } = flaky(host, 2);
    expect(await host.runUntil(retry(work, { host, ...plain }))).toBe('ok');
    expect(triedAt).toEqual([0, 100, 300]);
  });

  it('rejects with the last error as it was thrown', async () => {
    const host = new SimulatedHost();
    const error = new Error('still down');
    const { work, triedAt } = flaky(host, 9, error);
    const failed = retry(work, { host, ...plain }).catch((thrown: unknown) => thrown);
    expect(await host.runUntil(failed)).toBe(error);
    expect(triedAt).toHaveLength(3);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('a maximum of 0 still tries once', async () => {
    const host = new SimulatedHost();
    const { work, triedAt } = flaky(host, 9);
    await host.runUntil(outcomeOf(retry(work, { host, ...plain, maxAttempts: 0 })));
    expect(triedAt).toHaveLength(1);
  });

  it('takes a raw value for a success and a throw for a failure', async () => {
    const host = new SimulatedHost();
    expect(await host.runUntil(retry(() => 7, { host }))).toBe(7);
    const thrower = vi.fn(() => {
      throw new Error('at once');
    });
    expect(await host.runUntil(outcomeOf(retry(thrower, { host, ...plain })))).toBe('at once');
    expect(thrower).toHaveBeenCalledTimes(3);
  });

  it('tells each attempt its number and the one deadline', async () => {
    const host = new SimulatedHost();
    const seen: unknown[] = [];
    const work = (context: { attempt: number; deadline: number }) => {
      seen.push([context.attempt, context.deadline]);
      return down();
    };
    await host.runUntil(outcomeOf(retry(work, { host, ...plain, timeoutMs: 1_000 })));
    expect(seen).toEqual([
      [1, 1_000],
      [2, 1_000],
      [3, 1_000],
    ]);
  });
});

describe('the deadline', () => {
  it('is not waited past: an attempt that could not begin before it ends the operation at once', async () => {
    const host = new SimulatedHost();
    const { work, triedAt } = flaky(host, 9);
    const failed = outcomeOf(retry(work, { host, ...plain, maxAttempts: 9, timeoutMs: 300 }));
    expect(await host.runUntil(failed)).toBe('down');
    expect(triedAt).toEqual([0, 100]);
    expect(host.monotonic()).toBe(100);
  });

  it('cuts an attempt that hangs, tells its signal, and does not try again', async () => {
    const host = new SimulatedHost();
    let signal: AbortSignal | undefined;
    const work = vi.fn((context: { signal: AbortSignal }) => {
      signal = context.signal;
      return hang();
    });
    const failed = outcomeOf(retry(work, { host, ...plain, idempotent: true, timeoutMs: 500 }));
    expect(await host.runUntil(failed)).toBe('ERR_DEADLINE_PASSED');
    expect(host.monotonic()).toBe(500);
    expect(signal?.aborted).toBe(true);
    expect(work).toHaveBeenCalledTimes(1);
  });

  it('that has passed already starts nothing', async () => {
    const host = new SimulatedHost();
    const work = vi.fn(down);
    const failed = retry(work, { host, deadline: 0 }).catch((error: unknown) => error);
    expect(await host.runUntil(failed)).toMatchObject({
      code: 'ERR_DEADLINE_PASSED',
      outcome: 'not_started',
    });
    expect(work).not.toHaveBeenCalled();
  });
});

describe('an abort', () => {
  it('ends the wait at once, with its reason, and leaves no timer', async () => {
    const host = new SimulatedHost();
    const controller = new AbortController();
    const failed = outcomeOf(retry(down, { host, ...plain, signal: controller.signal }));
    await host.advance(50);
    controller.abort('enough');
    expect(await host.runUntil(failed)).toBe('enough');
    expect(host.monotonic()).toBe(50);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('during an attempt is not retried', async () => {
    const host = new SimulatedHost();
    const controller = new AbortController();
    const work = vi.fn(hang);
    const failed = outcomeOf(retry(work, { host, ...plain, signal: controller.signal }));
    await host.settle();
    controller.abort('enough');
    expect(await host.runUntil(failed)).toBe('enough');
    expect(work).toHaveBeenCalledTimes(1);
  });
});

describe('what is worth another attempt', () => {
  it('asks shouldRetry with the error and the attempt', async () => {
    const host = new SimulatedHost();
    const shouldRetry = vi.fn((_error: unknown, attempt: number) => attempt < 2);
    const { work, triedAt } = flaky(host, 9);
    await host.runUntil(outcomeOf(retry(work, { host, ...plain, maxAttempts: 9, shouldRetry })));
    expect(triedAt).toHaveLength(2);
    expect(shouldRetry).toHaveBeenLastCalledWith(expect.objectContaining({ message: 'down' }), 2);
  });

  it('a shouldRetry that throws ends the operation with the error of the work, untouched', async () => {
    const host = new SimulatedHost();
    const error = new Error('down');
    const { work, triedAt } = flaky(host, 9, error);
    const shouldRetry = () => {
      throw new Error('bad judge');
    };
    const thrown = retry(work, { host, ...plain, shouldRetry }).catch((cause: unknown) => cause);
    expect(await host.runUntil(thrown)).toBe(error);
    expect(triedAt).toHaveLength(1);
  });

  it('an error whose properties throw when they are read comes out as it was thrown', async () => {
    const host = new SimulatedHost();
    const error = Object.defineProperty(new Error('down'), 'retryAfterMs', {
      get: () => {
        throw new Error('not to be read');
      },
    });
    const { work } = flaky(host, 9, error);
    expect(await host.runUntil(retry(work, { host, ...plain }).catch((cause: unknown) => cause))).toBe(error);
  });

  it('an unknown outcome is tried again only where that is declared harmless', async () => {
    const unknown = createError('ERR_CALL_TIMEOUT', { message: 'm', target: 't', timeoutMs: 1 });
    for (const [idempotent, attempts] of [
      [false, 1],
      [true, 3],
    ] as const) {
      const host = new SimulatedHost();
      const { work, triedAt } = flaky(host, 9, unknown);
      await host.runUntil(outcomeOf(retry(work, { host, ...plain, idempotent })));
      expect(triedAt).toHaveLength(attempts);
    }
  });

  it('waits as long as the error asks, if that is longer than the backoff', async () => {
    const host = new SimulatedHost();
    const { work, triedAt } = flaky(host, 1, Object.assign(new Error('busy'), { retryAfterMs: 5_000 }));
    await host.runUntil(retry(work, { host, ...plain }));
    expect(triedAt).toEqual([0, 5_000]);
  });

  it('gives up at once where the error asks for longer than anybody waits', async () => {
    const host = new SimulatedHost();
    const { work, triedAt } = flaky(
      host,
      1,
      Object.assign(new Error('tomorrow'), { retryAfterMs: 86_400_000 }),
    );
    expect(await host.runUntil(outcomeOf(retry(work, { host, ...plain })))).toBe('tomorrow');
    expect(triedAt).toEqual([0]);
  });

  it('reads retryAfterMs from the error or its data, and takes nonsense for 0', () => {
    expect(retryAfterMsOf({ retryAfterMs: 5 })).toBe(5);
    expect(retryAfterMsOf({ data: { retryAfterMs: 6 } })).toBe(6);
    for (const nonsense of [undefined, null, 'x', {}, { retryAfterMs: -1 }, { retryAfterMs: 'soon' }])
      expect(retryAfterMsOf(nonsense)).toBe(0);
  });

  it('defect: retries never outlast an open circuit – they wait for what is left of it', async () => {
    const host = new SimulatedHost();
    const breaker = createCircuitBreaker({
      host,
      window: { kind: 'consecutive', failures: 1 },
      openMs: 2_000,
    });
    const { work, triedAt } = flaky(host, 1);
    const done = retry(() => breaker.execute(work), { host, ...plain });
    expect(await host.runUntil(done)).toBe('ok');
    expect(triedAt).toEqual([0, 2_000]);
  });
});

describe('events', () => {
  it('tell each wait and why it was given up', async () => {
    const host = new SimulatedHost();
    const policy = createRetry({ host, name: 'prices', maxAttempts: 2, ...plain });
    const seen: unknown[] = [];
    policy.events.listen(({ type, ...data }) => seen.push([type, data]));
    await host.runUntil(outcomeOf(policy.execute(down)));
    expect(seen).toMatchObject([
      ['retry.scheduled', { path: 'prices', attempt: 1, delayMs: 100 }],
      ['retry.exhausted', { path: 'prices', attempts: 2, why: 'attempts' }],
    ]);
  });
});

describe('options', () => {
  it.each([{ maxAttempts: -1 }, { attempts: 3 }, { backoff: { kind: 'cubic' } }, { shouldRetry: 1 }])(
    'refuses %o',
    (options) => {
      expect(() => createRetry(options as never)).toThrow(/ERR_OPTION_/);
    },
  );

  it('refuses wrong bounds of a call by rejecting', async () => {
    const host = new SimulatedHost();
    const policy = createRetry({ host });
    for (const bounds of [{ timeoutMs: -1 }, { deadline: Number.NaN }, { signal: {} }, { timeout: 5 }])
      expect(await outcomeOf(policy.execute(down, bounds as never))).toMatch(/ERR_OPTION_/);
  });
});

describe('per category', () => {
  const advise = (advice: Partial<RetryAdvice>) => ({ classify: () => ({ retryable: true, ...advice }) });

  it('is not tried again where the table says that it does not help', async () => {
    const host = new SimulatedHost();
    const { work, triedAt } = flaky(host, 9);
    const classifier = advise({ retryable: false });
    expect(await host.runUntil(outcomeOf(retry(work, { host, ...plain, classifier })))).toBe('down');
    expect(triedAt).toEqual([0]);
  });

  it.each([
    ['linear', [0, 100, 300]],
    ['exponential', [0, 100, 300]],
    ['constant', [0, 100, 200]],
    ['none', [0, 0, 0]],
  ])('waits as the %s backoff of its remedy', async (backoff, instants) => {
    const host = new SimulatedHost();
    const { work, triedAt } = flaky(host, 9);
    const classifier = advise({ remedy: { kind: 'retry', backoff } });
    await host.runUntil(outcomeOf(retry(work, { host, ...plain, classifier })));
    expect(triedAt).toEqual(instants);
  });

  it("a kind in the policy's own options comes first, and a remedy of another kind has no backoff", async () => {
    for (const options of [
      { backoff: { ...plain.backoff, kind: 'constant' }, remedy: { kind: 'retry', backoff: 'linear' } },
      { backoff: { ...plain.backoff, factor: 1 }, remedy: { kind: 'failover', backoff: 'linear' } },
    ] as const) {
      const host = new SimulatedHost();
      const { work, triedAt } = flaky(host, 9);
      const { backoff, remedy } = options;
      await host.runUntil(outcomeOf(retry(work, { host, backoff, classifier: advise({ remedy }) })));
      expect(triedAt).toEqual([0, 100, 200]);
    }
  });

  it('honours what the classifier read in the response', async () => {
    const host = new SimulatedHost();
    const { work, triedAt } = flaky(host, 9);
    await host.runUntil(
      outcomeOf(retry(work, { host, ...plain, classifier: advise({ retryAfterMs: 700 }) })),
    );
    expect(triedAt).toEqual([0, 700, 1_400]);
  });

  it.each([Number.NaN, -700, '700'])(
    'waits as ever where the classifier says %o, which is no time',
    async (odd) => {
      const host = new SimulatedHost();
      const { work, triedAt } = flaky(host, 9);
      const classifier = advise({ retryAfterMs: odd as number });
      await host.runUntil(outcomeOf(retry(work, { host, ...plain, classifier })));
      expect(triedAt).toEqual([0, 100, 300]);
    },
  );

  it('the table of troupe fits: a connection is retried, a mistake is not, an unknown outcome only if idempotent', async () => {
    const host = new SimulatedHost();
    const classifier = defaultClassifier;
    const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
    const lost = createError('ERR_CALL_TIMEOUT', { message: 'm', target: 't', timeoutMs: 1 });
    const counts = [];
    for (const [error, idempotent] of [
      [reset, false],
      [new TypeError('mistake'), false],
      [lost, false],
      [lost, true],
    ] as const) {
      const { work, triedAt } = flaky(host, 9, error);
      await host.runUntil(outcomeOf(retry(work, { host, ...plain, classifier, idempotent, maxAttempts: 9 })));
      counts.push(triedAt.length);
    }
    expect(counts[0]).toBeGreaterThan(2);
    expect(counts.slice(1, 3)).toEqual([1, 1]);
    expect(counts[3]).toBeGreaterThan(1);
  });
});

describe('the end of a retry', () => {
  it('gives up what waits, with what it failed with, and refuses the rest', async () => {
    const host = new SimulatedHost();
    const policy = createRetry({ host, ...plain });
    const whys: unknown[] = [];
    policy.events.on('retry.exhausted', ({ why }) => whys.push(why));
    const { signal } = new AbortController();
    const waiting = outcomeOf(policy.execute(down, { signal }));
    await host.settle();
    expect(policy.inspect()).toMatchObject({ operations: 1, waiting: 1 });
    policy.dispose();
    expect(await waiting).toBe('down');
    expect(whys).toEqual(['disposed']);
    expect(await outcomeOf(policy.execute(down))).toBe('ERR_POLICY_DISPOSED');
    expect(host.pendingTimers()).toEqual([]);
  });

  it('an attempt that is out may end as it will, and is not repeated', async () => {
    const host = new SimulatedHost();
    const policy = createRetry({ host, ...plain });
    const out = deferred<string>();
    const running = outcomeOf(policy.execute(() => out.promise));
    policy.dispose();
    out.reject(new Error('late'));
    expect(await running).toBe('late');
    expect(policy.inspect()).toMatchObject({ exhausted: 1, retries: 0, waiting: 0 });
  });
});
