/** A breaker against its model, under any sequence of commands, on virtual time. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Admission } from '../../src/resilience/admission.ts';
import { createCircuitBreaker, type StandaloneBreaker } from '../../src/resilience/circuit-breaker.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { untilReached } from '../until-reached.ts';
import { BreakerModel, type Out, REQUIREMENTS, type Requirement, type Setting } from './breaker-model.ts';

/** One thing that was let through, as the real breaker knows it. */
interface RealOut {
  resolve: (value: string) => void;
  reject: (error: unknown) => void;
  /** Whether its work has begun; of a token, whether it was let through. */
  entered: boolean;
  /** Absent where no signal was handed in. */
  readonly controller: AbortController | undefined;
  readonly admission: Admission | undefined;
  result: unknown;
}

const INERT = { resolve: () => {}, reject: () => {}, controller: undefined, entered: true };

interface Real {
  readonly host: SimulatedHost;
  readonly breaker: StandaloneBreaker;
  readonly outs: RealOut[];
  readonly releases: (() => void)[];
}

type Command = fc.AsyncCommand<BreakerModel, Real>;

/** Everything that can be seen of the real breaker is what the model says. */
const compare = async (model: BreakerModel, { host, breaker, outs }: Real): Promise<void> => {
  await host.settle();
  const report = breaker.inspect();
  const { state, generation, probes, stale, rejected, openings, failures } = report;
  const { retryAfterMs, successes, calls, waiting } = report;
  expect({ state, generation, probes, stale, rejected, openings, failures, calls }).toEqual({
    state: model.state,
    generation: model.generation,
    probes: model.probes,
    stale: model.stale,
    rejected: model.rejected,
    openings: model.openings,
    failures: model.failures,
    calls: model.live.length,
  });
  if (state === 'half_open') expect(successes).toBe(model.successes);
  expect(retryAfterMs).toBe(
    model.state === 'open' ? Math.max(0, model.openUntilMs - model.nowMs) : undefined,
  );
  expect(outs.map(({ result }) => result)).toEqual(model.outs.map(({ result }) => result));
  expect(outs.map(({ entered }) => entered)).toEqual(model.outs.map(({ kind }) => kind !== 'waiting'));
  expect(waiting).toBe(model.line.length);
  expect(waiting).toBeLessThanOrEqual(model.setting.halfOpenQueueLimit);
  expect(probes).toBeLessThanOrEqual(model.setting.halfOpenPermits);
};

const resultOf = (error: unknown): unknown => {
  if (error === 'aborted' || error === 'thrown') return error;
  return (error as { code?: string }).code ?? error;
};

const command = (name: string, run: (model: BreakerModel, real: Real) => void | Promise<void>): Command => ({
  check: () => true,
  run: async (model, real) => {
    await run(model, real);
    await compare(model, real);
  },
  toString: () => name,
});

/** Picks the latest but `back` of those that were let through; `back` beyond them means any, however old. */
const pick = (
  model: BreakerModel,
  real: Real,
  back: number,
  kind: Out['kind'],
): [Out, RealOut] | undefined => {
  const indexes = model.outs.flatMap((out, index) => (out.kind === kind ? [index] : [])).reverse();
  const index = indexes[back % Math.max(1, indexes.length)];
  return index === undefined ? undefined : [model.outs[index] as Out, real.outs[index] as RealOut];
};

const execute = (timeoutMs: number | undefined, signalled: boolean): Command =>
  command(`execute(timeoutMs: ${timeoutMs}, signal: ${signalled})`, async (model, real) => {
    const controller = signalled ? new AbortController() : undefined;
    const out: RealOut = { ...INERT, entered: false, controller, admission: undefined, result: 'pending' };
    const work = (): Promise<string> => {
      out.entered = true;
      return new Promise((onValue, onError) => {
        out.resolve = onValue;
        out.reject = onError;
      });
    };
    const bounds = controller === undefined ? { timeoutMs } : { timeoutMs, signal: controller.signal };
    const bounded = timeoutMs !== undefined || signalled;
    const running = bounded ? real.breaker.execute(work, bounds) : real.breaker.execute(work);
    const expected = model.admit('call', timeoutMs);
    if (typeof expected === 'string') {
      expect(await running.catch(resultOf)).toBe(expected);
      expect(out.entered).toBe(false);
      return;
    }
    real.outs.push(out);
    running.then(
      () => {
        out.result = 'value';
      },
      (error: unknown) => {
        out.result = resultOf(error);
      },
    );
  });

const throwAtOnce = command('execute(throws at once)', async (model, real) => {
  // In line it would throw when its turn comes, which the model does not play.
  if (model.wouldWait) return;
  const running = real.breaker.execute(() => {
    throw 'thrown';
  });
  const expected = model.admit('call', undefined);
  expect(await running.catch(resultOf)).toBe(typeof expected === 'string' ? expected : 'thrown');
  if (typeof expected === 'string') return;
  model.end(expected, 'thrown', 'failure');
  real.outs.push({ ...INERT, admission: undefined, result: 'thrown' });
});

const settleCall = (at: number, how: 'value' | 'thrown'): Command =>
  command(`settleCall(${at}, ${how})`, (model, real) => {
    const picked = pick(model, real, at, 'call');
    if (picked === undefined) return;
    const [out, realOut] = picked;
    if (how === 'value') realOut.resolve('value');
    else realOut.reject('thrown');
    model.end(out, how, how === 'value' ? 'success' : 'failure');
  });

const abortCall = (at: number, kind: 'call' | 'waiting'): Command =>
  command(`abortCall(${at}, ${kind})`, (model, real) => {
    const picked = pick(model, real, at, kind);
    if (picked === undefined) return;
    const [out, realOut] = picked;
    if (realOut.controller === undefined) return;
    realOut.controller.abort('aborted');
    if (out.result === 'pending' && kind === 'call') model.met.add('B17');
    model.end(out, 'aborted', 'neutral');
  });

const admit = (timeoutMs: number | undefined): Command =>
  command(`admit(timeoutMs: ${timeoutMs})`, (model, real) => {
    const admission = real.breaker.admit(timeoutMs === undefined ? undefined : { timeoutMs });
    const expected = model.admit('token', timeoutMs);
    if (typeof expected === 'string') {
      expect(admission).toMatchObject({ admitted: false, error: { code: expected } });
      return;
    }
    expect(admission).toMatchObject({
      admitted: true,
      generation: expected.generation,
      probe: expected.probe,
    });
    real.outs.push({ ...INERT, admission, result: 'token' });
  });

const settleToken = (at: number, judgement: 'success' | 'failure' | 'neutral'): Command =>
  command(`settleToken(${at}, ${judgement})`, (model, real) => {
    const picked = pick(model, real, at, 'token');
    if (picked === undefined) return;
    const [out, { admission }] = picked;
    const counted = admission?.admitted === true && admission.settle(judgement);
    expect(counted).toBe(model.count(out, judgement));
  });

const record = (judgement: 'success' | 'failure'): Command =>
  command(`record(${judgement})`, (model, real) => {
    if (judgement === 'success') real.breaker.succeed();
    else real.breaker.fail('thrown');
    model.met.add(model.state === 'open' ? 'B20' : 'B19');
    model.record(judgement);
  });

const advance = (ms: number): Command =>
  command(`advance(${ms})`, async (model, real) => {
    await real.host.advance(ms);
    model.advance(ms);
  });

/** As many failures as it takes, so that what lies behind the opening is visited often. */
const trip = command('trip', (model, real) => {
  for (let i = 0; i < 6 && model.state === 'closed'; i++) {
    real.breaker.fail('thrown');
    model.record('failure');
  }
});

/** To the very end of the wait, or just before it. */
const outwait = (shortOfMs: number): Command =>
  command(`outwait(short of ${shortOfMs})`, async (model, real) => {
    const ms = model.state === 'open' ? Math.max(0, model.openUntilMs - model.nowMs - shortOfMs) : 0;
    await real.host.advance(ms);
    model.advance(ms);
  });

const reset = command('reset', (model, real) => {
  real.breaker.reset();
  model.reset();
});

const isolate = command('isolate', (model, real) => {
  real.releases.push(real.breaker.isolate());
  model.isolate();
});

const release = command('release, twice', (model, real) => {
  const end = real.releases.pop();
  end?.();
  end?.();
  model.release();
});

const disable = command('disable', (model, real) => {
  real.breaker.disable();
  model.interfere('disabled');
});

const observe = command('observe', (model, real) => {
  real.breaker.observe();
  model.interfere('observing');
});

const resume = command('resume', (model, real) => {
  real.breaker.resume();
  model.resume();
});

const overBefore = command('execute(over before it begins)', async (model, real) => {
  const work = (): never => {
    throw new Error('entered');
  };
  const over = [
    { timeoutMs: 0 },
    { deadline: real.host.monotonic() },
    { signal: AbortSignal.abort('aborted') },
  ];
  const results = await Promise.all(over.map((bounds) => real.breaker.execute(work, bounds).catch(resultOf)));
  expect(results).toEqual(['ERR_DEADLINE_PASSED', 'ERR_DEADLINE_PASSED', 'aborted']);
  model.met.add('B21');
});

const wrongInput = command('wrong input', async (model, real) => {
  for (const bounds of [{ timeoutMs: -1 }, { deadline: 'soon' }, { signal: 1 }, { timeout: 5 }]) {
    expect(await real.breaker.execute(() => 1, bounds as never).catch(resultOf)).toMatch(/^ERR_OPTION_/);
    expect(() => real.breaker.admit(bounds as never)).toThrow(/ERR_OPTION_/);
  }
  for (const { admission } of real.outs)
    if (admission?.admitted)
      expect(() => admission.settle('sluggish' as never)).toThrow('ERR_OPTION_INVALID');
  model.met.add('B22');
});

const at = fc.constantFrom(0, 0, 0, 1, 2, 7);
const timeoutMs = fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined });
const commands: fc.Arbitrary<Command>[] = [
  fc.tuple(timeoutMs, fc.boolean()).map(([ms, signalled]) => execute(ms, signalled)),
  fc
    .tuple(at, fc.constantFrom('value' as const, 'thrown' as const, 'thrown' as const))
    .map(([n, how]) => settleCall(n, how)),
  fc
    .tuple(at, fc.constantFrom('call' as const, 'call' as const, 'waiting' as const))
    .map(([n, kind]) => abortCall(n, kind)),
  timeoutMs.map(admit),
  fc
    .tuple(at, fc.constantFrom('success' as const, 'failure' as const, 'neutral' as const))
    .map(([n, how]) => settleToken(n, how)),
  fc.constantFrom('success' as const, 'failure' as const).map(record),
  fc.integer({ min: 0, max: 60 }).map(advance),
  fc.constant(throwAtOnce),
  fc.constant(trip),
  fc.constantFrom(0, 0, 0, 1).map(outwait),
  fc.constantFrom(overBefore, wrongInput, trip, trip, reset),
  fc.constantFrom(isolate, release, release, disable, observe, resume, resume, trip, trip),
];

const plain = fc.record({
  window: fc.oneof(
    fc.record({ kind: fc.constant('consecutive' as const), failures: fc.integer({ min: 1, max: 4 }) }),
    fc
      .record({
        kind: fc.constant('count' as const),
        size: fc.integer({ min: 1, max: 6 }),
        minimumCalls: fc.integer({ min: 1, max: 6 }),
        failureRate: fc.constantFrom(0.1, 0.3, 0.5, 0.7, 1),
      })
      .map((window) => ({ ...window, minimumCalls: Math.min(window.minimumCalls, window.size) })),
    fc.record({
      kind: fc.constant('time' as const),
      windowMs: fc.constantFrom(10, 20, 70, 200),
      minimumCalls: fc.integer({ min: 1, max: 4 }),
      failureRate: fc.constantFrom(0.1, 0.5, 1),
    }),
  ),
  openMs: fc.integer({ min: 1, max: 50 }),
  halfOpenPermits: fc.integer({ min: 1, max: 3 }),
  successThreshold: fc.integer({ min: 1, max: 4 }),
  watchdogMs: fc.integer({ min: 1, max: 50 }),
  halfOpenQueueLimit: fc.constantFrom(0, 0, 1, 3),
  halfOpenMaxWaitMs: fc.constantFrom(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 10),
  watched: fc.boolean(),
});
const setting: fc.Arbitrary<Setting> = fc
  .tuple(plain, fc.constantFrom(0, 0, 1, 2))
  .map(([chosen, allowed]) => ({ ...chosen, probeCalls: chosen.successThreshold + allowed }));

describe('a breaker under any sequence of commands', () => {
  const met = new Set<Requirement>();

  it('is a sequential fold with generations, and meets every requirement along the way', async () => {
    const property = fc.asyncProperty(
      setting,
      fc.commands(commands, { maxCommands: 60, size: '+1' }),
      async (chosen, sequence) => {
        const { watched, ...options } = chosen;
        const host = new SimulatedHost();
        const breaker = createCircuitBreaker({ host, ...options });
        if (watched) breaker.onChange(() => {});
        await fc.asyncModelRun(
          () => ({ model: new BreakerModel(chosen, met), real: { host, breaker, outs: [], releases: [] } }),
          sequence,
        );
        breaker.dispose();
        await host.advance(1_000);
        expect(host.pendingTimers()).toEqual([]);
      },
    );
    const missed = () => Object.entries(REQUIREMENTS).filter(([id]) => !met.has(id as Requirement));
    await untilReached(() => fc.assert(property, { numRuns: 250 }), missed);
  });
});
