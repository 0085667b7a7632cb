/** The laws of composition, on random stacks of policies, scripts and bounds. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CallContext, ExecuteOptions } from '../../src/resilience/call.ts';
import { createCircuitBreaker } from '../../src/resilience/circuit-breaker.ts';
import { createNoop, type Policy } from '../../src/resilience/policy.ts';
import { createRetry } from '../../src/resilience/retry.ts';
import { wrap } from '../../src/resilience/wrap.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

/** Policies by name: each run makes its own, on its own host. */
const MAKERS = {
  noop: (host: SimulatedHost): Policy => createNoop({ host }),
  retry: (host: SimulatedHost): Policy => createRetry({ host, idempotent: true, backoff: { baseMs: 20 } }),
  breaker: (host: SimulatedHost): Policy =>
    createCircuitBreaker({ host, openMs: 15, window: { kind: 'consecutive', failures: 2 } }),
} as const;

const kind = fc.constantFrom(...(Object.keys(MAKERS) as (keyof typeof MAKERS)[]));
const stack = fc.array(kind, { maxLength: 5 });
const script = fc.array(
  fc.record({
    how: fc.constantFrom('value' as const, 'throws' as const, 'hangs' as const),
    afterMs: fc.nat(30),
  }),
  { minLength: 1, maxLength: 4 },
);
const bounds = fc.record({
  timeoutMs: fc.option(fc.integer({ min: 1, max: 120 }), { nil: undefined }),
  abortAtMs: fc.option(fc.nat(120), { nil: undefined }),
});

interface Trace {
  readonly outcome: unknown;
  readonly endedAtMs: number;
  /** When work began, and the deadline it was given. */
  readonly begun: readonly (readonly [number, number])[];
}

/** Runs one script under a stack, and tells all that can be seen of it. */
const observe = async (
  build: (host: SimulatedHost) => Policy,
  steps: readonly { readonly how: 'value' | 'throws' | 'hangs'; readonly afterMs: number }[],
  {
    timeoutMs,
    abortAtMs,
  }: { readonly timeoutMs: number | undefined; readonly abortAtMs: number | undefined },
): Promise<Trace> => {
  const host = new SimulatedHost();
  const begun: [number, number][] = [];
  const controller = new AbortController();
  if (abortAtMs !== undefined) host.timer(abortAtMs, 'abort', () => controller.abort('aborted'));
  host.timer(5_000, 'the end of patience', () => controller.abort('patience'));
  const work = ({ deadline }: CallContext): Promise<string> => {
    const step = steps[begun.length % steps.length];
    begun.push([host.monotonic(), deadline]);
    return new Promise((resolve, reject) => {
      if (step === undefined || step.how === 'hangs') return;
      host.timer(step.afterMs, 'work', () => (step.how === 'value' ? resolve('value') : reject('thrown')));
    });
  };
  const options: ExecuteOptions = { signal: controller.signal, timeoutMs };
  const outcome = await host.runUntil(
    // With nothing in it a wrap has no host of its own to count the time of.
    wrap(createNoop({ host }), build(host))
      .execute(work, options)
      .catch((error: { code?: string }) => error.code ?? error),
  );
  const left = host
    .pendingTimers()
    .filter(({ label }) => label.includes('deadline') || label.includes('wait'));
  expect(left).toEqual([]);
  return { outcome, endedAtMs: host.monotonic(), begun };
};

const build =
  (kinds: readonly (keyof typeof MAKERS)[]) =>
  (host: SimulatedHost): Policy =>
    wrap(...kinds.map((each) => MAKERS[each](host)));

describe('composition', () => {
  it('a wrap of no-ops is identity, wherever they stand', async () => {
    await fc.assert(
      fc.asyncProperty(stack, script, bounds, fc.nat(5), async (kinds, steps, limits, at) => {
        const padded = [...kinds.slice(0, at), 'noop' as const, ...kinds.slice(at), 'noop' as const];
        expect(await observe(build(padded), steps, limits)).toEqual(
          await observe(build(kinds), steps, limits),
        );
      }),
      { numRuns: 80 },
    );
  });

  it('is associative', async () => {
    await fc.assert(
      fc.asyncProperty(stack, stack, stack, script, bounds, async (a, b, c, steps, limits) => {
        const flat = await observe(build([...a, ...b, ...c]), steps, limits);
        const left = (host: SimulatedHost) => wrap(wrap(build(a)(host), build(b)(host)), build(c)(host));
        const right = (host: SimulatedHost) => wrap(build(a)(host), wrap(build(b)(host), build(c)(host)));
        expect(await observe(left, steps, limits)).toEqual(flat);
        expect(await observe(right, steps, limits)).toEqual(flat);
      }),
      { numRuns: 60 },
    );
  });

  it('deadlines only shrink, nothing outlives its bounds, and no timer is left', async () => {
    const reached = new Set<unknown>();
    await fc.assert(
      fc.asyncProperty(stack, script, bounds, async (kinds, steps, limits) => {
        const { outcome, endedAtMs, begun } = await observe(build(kinds), steps, limits);
        reached.add(outcome);
        const latest = limits.timeoutMs ?? Number.POSITIVE_INFINITY;
        for (const [at, deadline] of begun) {
          expect(deadline).toBeLessThanOrEqual(latest);
          expect(at).toBeLessThan(latest);
        }
        expect(endedAtMs).toBeLessThanOrEqual(Math.min(latest, limits.abortAtMs ?? latest));
      }),
      { numRuns: 150 },
    );
    for (const outcome of ['value', 'thrown', 'aborted', 'ERR_DEADLINE_PASSED'])
      expect(reached).toContain(outcome);
  });
});
