/** A retried operation never exceeds its budget, whatever its attempts do. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { retry } from '../../src/resilience/retry.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

/** What one attempt does: ends well or badly after a while, or never ends. */
const attempts = fc.array(
  fc.record({
    how: fc.constantFrom('value', 'thrown', 'thrown', 'thrown', 'hangs'),
    afterMs: fc.nat(200),
    retryAfterMs: fc.option(fc.nat(500), { nil: undefined }),
  }),
  { minLength: 1, maxLength: 10 },
);

describe('a retried operation', () => {
  it('never exceeds its attempts, its deadline or its abort, and leaves nothing behind', async () => {
    const reached = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        attempts,
        fc.integer({ min: 0, max: 6 }),
        fc.integer({ min: 1, max: 2_000 }),
        fc.option(fc.nat(2_000), { nil: undefined }),
        async (script, maxAttempts, timeoutMs, abortAtMs) => {
          const host = new SimulatedHost();
          const controller = new AbortController();
          if (abortAtMs !== undefined) host.timer(abortAtMs, 'abort', () => controller.abort('aborted'));
          let begun = 0;
          const work = (context: { attempt: number; deadline: number }): Promise<string> => {
            const step = script[begun % script.length];
            begun += 1;
            expect(context).toMatchObject({ attempt: begun, deadline: timeoutMs });
            expect(host.monotonic()).toBeLessThan(timeoutMs);
            return new Promise((resolve, reject) => {
              if (step === undefined || step.how === 'hangs') return;
              const { how, afterMs, retryAfterMs } = step;
              const error = Object.assign(new Error('thrown'), { retryAfterMs });
              host.timer(afterMs, 'work', () => (how === 'value' ? resolve('value') : reject(error)));
            });
          };
          const options = { host, maxAttempts, timeoutMs, signal: controller.signal, idempotent: true };
          const outcome = retry(work, { ...options, backoff: { baseMs: 50 } }).catch(
            (error: unknown) => error,
          );
          const result = await host.runUntil(outcome);
          const endedAt = host.monotonic();
          reached.add(
            result instanceof Error ? ((result as { code?: string }).code ?? 'thrown') : String(result),
          );
          expect(begun).toBeLessThanOrEqual(Math.max(1, maxAttempts));
          expect(endedAt).toBeLessThanOrEqual(Math.min(timeoutMs, abortAtMs ?? timeoutMs));
          const left = host.pendingTimers().filter(({ label }) => label.startsWith('retry'));
          expect(left).toEqual([]);
          const before = begun;
          await host.advance(5_000);
          expect(begun).toBe(before);
        },
      ),
      { numRuns: 300 },
    );
    expect(reached).toEqual(new Set(['value', 'thrown', 'aborted', 'ERR_DEADLINE_PASSED']));
  });
});
