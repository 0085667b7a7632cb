import { describe, expect, it } from 'vitest';
import { createLoadShedding, type Priority } from '../../src/resilience/load-shedding.ts';
import { wrap } from '../../src/resilience/wrap.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { deferred, hang, ok, outcomeOf } from './deferred.ts';

const PRIORITIES: readonly Priority[] = ['critical', 'high', 'normal', 'low'];

describe('load shedding', () => {
  it('refuses what matters least first', async () => {
    for (const [load, passing] of [
      [0, 4],
      [0.5, 3],
      [0.75, 2],
      [0.9, 1],
      [1, 0],
    ] as const) {
      const shedding = createLoadShedding({ load: () => load });
      const results = await Promise.all(
        PRIORITIES.map((priority) => outcomeOf(shedding.execute(ok, { priority }))),
      );
      expect(results).toEqual(PRIORITIES.map((_, i) => (i < passing ? 'ok' : 'ERR_LOAD_SHED')));
    }
  });

  it('the load is the calls whose work is not over', async () => {
    const host = new SimulatedHost();
    const shedding = createLoadShedding({ host, capacity: 4 });
    const work = deferred<string>();
    const cut = outcomeOf(shedding.execute(() => work.promise, { timeoutMs: 10 }));
    for (let i = 0; i < 2; i++) void shedding.execute(hang);
    expect(await host.runUntil(cut)).toBe('ERR_DEADLINE_PASSED');
    const refusal = await shedding.execute(ok).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ outcome: 'not_started', data: { priority: 'normal', load: 0.75 } });
    work.resolve('late');
    await host.settle();
    expect(await shedding.execute(ok)).toBe('ok');
    expect(shedding.inspect()).toMatchObject({ load: 0.5, running: 2, shed: { normal: 1, low: 0 } });
  });

  it('tells each refusal with what is used and what is allowed', async () => {
    const shedding = createLoadShedding({ load: () => 0.6 });
    const seen: unknown[] = [];
    shedding.events.on('limit.exhausted', ({ type, at, ...facts }) => seen.push(facts));
    await outcomeOf(shedding.execute(ok, { priority: 'low' }));
    expect(seen).toEqual([
      { path: 'load_shedding', limit: 'load_shedding', used: 60, allowed: 50, periodMs: 0 },
    ]);
  });

  it('shares may be others, and a measure that is broken sheds nothing', async () => {
    const strict = createLoadShedding({ load: () => 0.2, shares: { low: 0.1 } });
    expect(await outcomeOf(strict.execute(ok, { priority: 'low' }))).toBe('ERR_LOAD_SHED');
    expect(await strict.execute(ok)).toBe('ok');
    for (const load of [() => Number.NaN, () => JSON.parse('{') as number])
      expect(await createLoadShedding({ load }).execute(ok, { priority: 'low' })).toBe('ok');
  });

  it('for one priority stands in a wrap', async () => {
    const shedding = createLoadShedding({ load: () => 0.6 });
    expect(await outcomeOf(wrap(shedding.prioritized('low')).execute(ok))).toBe('ERR_LOAD_SHED');
    expect(await wrap(shedding.prioritized('critical')).execute(ok)).toBe('ok');
  });

  it('refuses a priority that is none', async () => {
    const shedding = createLoadShedding();
    expect(await outcomeOf(shedding.execute(ok, { priority: 'urgent' as never }))).toBe('ERR_OPTION_INVALID');
    expect(() => shedding.prioritized('urgent' as never)).toThrow('ERR_OPTION_INVALID');
    expect(() => createLoadShedding({ shares: { urgent: 1 } as never })).toThrow('ERR_OPTION_UNKNOWN');
  });
});
