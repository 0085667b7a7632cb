/** The defects of DSPex's retry logic, classification, recovery and of capsule's rate limiter, and what ours does instead. */
import { describe, expect, it } from 'vitest';
import {
  classificationOf,
  createClassifier,
  defaultClassifier,
  isClassification,
} from '../../src/recovery/classification.ts';
import { REMEDIES } from '../../src/recovery/remedy.ts';
import { createBackoff } from '../../src/resilience/backoff.ts';
import { createCircuitBreaker } from '../../src/resilience/circuit-breaker.ts';
import { createRateLimit } from '../../src/resilience/rate-limit.ts';
import { createRetry, retry } from '../../src/resilience/retry.ts';
import { wrap } from '../../src/resilience/wrap.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { coded, held, setUp } from '../recovery/setup.ts';
import { down, hang, ok, outcomeOf } from './deferred.ts';

const PLAIN = { baseMs: 100, jitter: 'none' } as const;
const SUBJECT = { subject: 'app/prices' };

describe("defects of DSPex's retry", () => {
  it('jitter can exceed the cap – no delay of any kind ever does', () => {
    const { random } = new SimulatedHost();
    for (const kind of ['constant', 'linear', 'exponential', 'fibonacci', 'decorrelated'] as const)
      for (const jitter of ['full', 'equal'] as const) {
        const backoff = createBackoff({ kind, jitter, jitterRatio: 1, baseMs: 90, maxMs: 100 });
        for (let attempt = 1; attempt < 200; attempt++)
          expect(backoff.delayMs(attempt, 100, random)).toBeLessThanOrEqual(100);
      }
  });

  it('delays under 4 crash in jitter – they are spread like any other', async () => {
    for (const baseMs of [0, 1, 2, 3]) {
      const host = new SimulatedHost();
      expect(await host.runUntil(outcomeOf(retry(down, { host, backoff: { baseMs } })))).toBe('down');
      expect(host.monotonic()).toBeLessThanOrEqual(Math.ceil(1.25 * baseMs) + Math.ceil(2.5 * baseMs));
    }
  });

  it("the last decorrelated delay leaks across operations – each operation's first is below three times the base", async () => {
    const host = new SimulatedHost();
    const policy = createRetry({
      host,
      maxAttempts: 6,
      backoff: { kind: 'decorrelated', baseMs: 100, maxMs: 30_000 },
    });
    const firsts: number[] = [];
    policy.events.on('retry.scheduled', ({ attempt, delayMs }) => {
      if (attempt === 1) firsts.push(delayMs);
    });
    for (let i = 0; i < 40; i++) await host.runUntil(outcomeOf(policy.execute(down)));
    expect(firsts).toHaveLength(40);
    for (const delayMs of firsts) expect(delayMs).toBeLessThanOrEqual(300);
  });

  it("the classification's own delays are never used – the backoff that its remedy names is", async () => {
    const waits = async (error: unknown) => {
      const host = new SimulatedHost();
      const policy = createRetry({ host, classifier: defaultClassifier, maxAttempts: 3, backoff: PLAIN });
      const delays: number[] = [];
      policy.events.on('retry.scheduled', ({ delayMs }) => delays.push(delayMs));
      await host.runUntil(outcomeOf(policy.execute(() => Promise.reject(error))));
      return delays;
    };
    // connection, major: exponential; session, minor: linear.
    expect(await waits(coded('ECONNRESET'))).toEqual([100, 200]);
    expect(await waits('session_expired')).toEqual([100, 200]);
    expect(REMEDIES.session.minor.backoff).toBe('linear');
    expect(await waits(new TypeError('mistake'))).toEqual([]);
  });

  it('with a circuit, raw returns match no clause – they are values, with and without one', async () => {
    const host = new SimulatedHost();
    const stack = wrap(createRetry({ host }), createCircuitBreaker({ host }));
    for (const raw of [0, '', null, undefined, false, { ok: false }, [undefined]])
      expect(await stack.execute(() => raw)).toBe(raw);
  });

  it('an open circuit is abandoned at once, so that no retry outlasts it – it waits for what is left', async () => {
    const host = new SimulatedHost();
    const breaker = createCircuitBreaker({
      host,
      window: { kind: 'consecutive', failures: 1 },
      openMs: 5_000,
    });
    breaker.fail(new Error('earlier'));
    for (const classifier of [undefined, defaultClassifier]) {
      const policy = createRetry({
        host,
        backoff: PLAIN,
        ...(classifier === undefined ? {} : { classifier }),
      });
      const began = host.monotonic();
      expect(await host.runUntil(wrap(policy, breaker).execute(ok))).toBe('ok');
      expect(host.monotonic() - began).toBe(5_000);
      breaker.fail(new Error('again'));
    }
  });

  it('a maximum of 0 still attempts once', async () => {
    const host = new SimulatedHost();
    let attempts = 0;
    const count = () => {
      attempts += 1;
      return down();
    };
    await host.runUntil(outcomeOf(retry(count, { host, maxAttempts: 0 })));
    expect(attempts).toBe(1);
  });
});

describe("defects of DSPex's classification", () => {
  it('re-wrapping a wrapped error yields system, critical – whatever wraps it, it is what it was', () => {
    const first = defaultClassifier.classify('checkout_failed');
    expect([first.category, first.severity]).toEqual(['resource', 'critical']);
    let wrapped: unknown = first;
    for (let i = 0; i < 5; i++) {
      wrapped = { error: wrapped };
      expect(defaultClassifier.classify(wrapped)).toBe(first);
      expect(classificationOf(wrapped)).toBe(first);
    }
    expect(defaultClassifier.classify(new Error('outer', { cause: first }))).toBe(first);
    expect(isClassification(defaultClassifier.classify(first, { attempt: 9 }))).toBe(true);
  });

  it('two tables disagree (a critical timeout: back off, or abandon) – there is one, which retry and recovery both ask', async () => {
    const { remedy } = defaultClassifier.classify('timeout', { severity: 'critical' });
    expect(remedy.kind).toBe('abandon');
    const { host, handle } = await setUp();
    const outcome = await host.runUntil(handle.handle('timeout', { ...SUBJECT, severity: 'critical' }));
    expect(outcome).toMatchObject({ outcome: 'gave_up', remedy: 'abandon' });
    const severe = createClassifier({ severities: { timeout: 'critical' } });
    const clock = new SimulatedHost();
    const policy = createRetry({ host: clock, classifier: severe });
    expect(await clock.runUntil(outcomeOf(policy.execute(() => Promise.reject('timeout'))))).toBe('timeout');
    expect(policy.inspect()).toMatchObject({ retries: 0, exhausted: 1 });
  });
});

describe("defects of DSPex's recovery", () => {
  it('every critical error is wrapped again and abandoned – it gets the remedy of what it was', async () => {
    const broken: unknown[] = [];
    const { host, handle } = await setUp({ circuits: { pool_resources: () => void broken.push(1) } });
    const { classification } = await host.runUntil(handle.handle('checkout_failed', SUBJECT));
    for (const again of [classification, new Error('wrapped', { cause: classification })])
      expect(await host.runUntil(handle.handle(again, SUBJECT))).toMatchObject({ remedy: 'circuit_break' });
    expect(broken).toHaveLength(3);
  });

  it('it is never started under a supervisor – it is a child like any other, and restarted', async () => {
    const { host, handle, crash } = await setUp();
    const before = handle.ref();
    await crash();
    await host.settle();
    expect(handle.ref()).toBeDefined();
    expect(handle.ref()).not.toEqual(before);
  });

  it('its time budget is never enforced – a step that hangs is given up when it is over', async () => {
    const { host, handle } = await setUp({ playbook: [{ subjects: '**', retry: hang }] });
    const outcome = await host.runUntil(handle.handle(coded('EPIPE'), { ...SUBJECT, severity: 'major' }));
    expect(outcome).toMatchObject({ outcome: 'gave_up', durationMs: 30_000, abandoned: ['retry'] });
  });

  it('the id of a recovery is never returned, so that status and cancel cannot be reached – it is', async () => {
    const step = held();
    const { host, handle } = await setUp({ playbook: [{ subjects: '**', retry: step.step }] });
    const { recovery: id, done } = handle.report(coded('EPIPE'), SUBJECT);
    await host.settle();
    expect(handle.status(id as string)).toMatchObject({ recovery: id });
    expect(handle.cancel(id as string)).toBe(true);
    expect(await host.runUntil(done)).toMatchObject({ outcome: 'cancelled' });
  });

  it('cancel crashes it – of one under way it is true, of any other false, and it goes on', async () => {
    const step = held();
    const { host, handle } = await setUp({ playbook: [{ subjects: '**', retry: step.step }] });
    const before = handle.ref();
    const { recovery: id } = handle.report(coded('EPIPE'), SUBJECT);
    await host.settle();
    expect([handle.cancel(id as string), handle.cancel('no such')]).toEqual([true, false]);
    await host.advance(1_000);
    expect(handle.ref()).toEqual(before);
  });

  it('custom circuit and fallback names are overwritten – the names of the remedy are those that are asked', async () => {
    const asked: string[] = [];
    const { host, handle } = await setUp({
      classifier: createClassifier({
        matchers: [{ E_MINE: { category: 'resource', remedy: { kind: 'circuit_break', circuit: 'mine' } } }],
      }),
      circuits: { mine: () => void asked.push('mine'), pool_resources: () => void asked.push('theirs') },
      playbook: [{ subjects: 'app/b', failover: { 'my stand-in': () => void asked.push('my stand-in') } }],
    });
    await host.runUntil(handle.handle(coded('E_MINE'), SUBJECT));
    await host.runUntil(handle.handle('python_exception', { subject: 'app/b' }));
    expect(asked).toEqual(['mine', 'my stand-in']);
  });
});

describe("capsule's rate limiter", () => {
  it('a rate of 0 or less is refused', () => {
    for (const rate of [0, -1]) expect(() => createRateLimit({ rate })).toThrow('ERR_OPTION_INVALID');
  });

  it('it needed a running loop where it was made – it needs nothing until it is used, and then no poll', async () => {
    const host = new SimulatedHost();
    const limit = createRateLimit({ host, rate: 10, burst: 1 });
    expect(host.pendingTimers()).toEqual([]);
    const began: number[] = [];
    const calls = [0, 1, 2].map(() => limit.execute(() => began.push(host.monotonic())));
    expect(host.pendingTimers()).toHaveLength(1);
    await host.runUntil(Promise.all(calls));
    expect(began).toEqual([0, 100, 200]);
    expect(limit.inspect()).toMatchObject({ acquires: 3, waits: 2, totalWaitMs: 300, wakeups: 2 });
    expect(host.pendingTimers()).toEqual([]);
  });

  it('a try fails and succeeds after 110 ms; a waiter is woken at most once; equals are served within 100 ms of their turn', async () => {
    const host = new SimulatedHost();
    const limit = createRateLimit({ host, rate: 10, burst: 1 });
    expect([limit.tryAcquire(), limit.tryAcquire()]).toEqual([true, false]);
    await host.advance(110);
    expect(limit.tryAcquire()).toBe(true);
    const times: number[] = [];
    const waiters = Array.from({ length: 20 }, () =>
      limit.acquire().then(() => times.push(host.monotonic())),
    );
    await host.runUntil(Promise.all(waiters), 60_000);
    expect(limit.inspect().wakeups).toBeLessThanOrEqual(20);
    for (const [turn, atMs] of times.entries())
      expect(Math.abs(atMs - (110 + 100 * (turn + 1)))).toBeLessThan(100);
  });
});
