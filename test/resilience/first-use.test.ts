import { describe, expect, it } from 'vitest';
import { application } from '../../src/application/application.ts';
import { resource } from '../../src/application/resource.ts';
import { EventStream, type TroupeEvent } from '../../src/base/telemetry.ts';
import { createCircuitBreaker } from '../../src/resilience/circuit-breaker.ts';
import { circuitBreaker } from '../../src/resilience/circuit-breaker-spec.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

const failing = (words: string) => () => {
  throw new Error(words);
};

describe('a breaker that is open', () => {
  it('gives the failure that opened it as the cause of its refusals, one error a period', async () => {
    const host = new SimulatedHost();
    const breaker = createCircuitBreaker({ host, window: { kind: 'consecutive', failures: 2 }, openMs: 100 });
    const codeOf = (work: () => unknown) => breaker.execute(work).catch((error: unknown) => error as Error);
    await codeOf(failing('first'));
    await codeOf(failing('second'));
    const refused = await codeOf(() => 1);
    expect(refused).toMatchObject({ code: 'ERR_BREAKER_OPEN', cause: { message: 'second' } });
    expect(await codeOf(() => 1)).toBe(refused);
    await host.advance(100);
    await codeOf(failing('third'));
    expect(await codeOf(() => 1)).toMatchObject({ code: 'ERR_BREAKER_OPEN', cause: { message: 'third' } });
  });
});

describe('work that is no function', () => {
  it('is refused by name and counts as nothing', async () => {
    const breaker = createCircuitBreaker({ host: new SimulatedHost() });
    for (const options of [undefined, { timeoutMs: 5 }])
      await expect(breaker.execute(5 as never, options)).rejects.toMatchObject({
        code: 'ERR_OPTION_INVALID',
        data: { field: 'work', got: '5' },
      });
    expect(breaker.inspect()).toMatchObject({ calls: 0, failures: 0 });
  });
});

describe('a judge that is broken', () => {
  const judged = (judge: () => never) => {
    const host = new SimulatedHost();
    const events = new EventStream(() => host.wall());
    const told: TroupeEvent[] = [];
    events.on('policy.option_failed', (event) => told.push(event));
    return { told, breaker: createCircuitBreaker({ name: 'b', host, events, judge }) };
  };

  it('is overruled, and told of once', async () => {
    const { told, breaker } = judged(() => {
      throw new Error('no judgement');
    });
    expect(await breaker.execute(() => 1)).toBe(1);
    expect(await breaker.execute(() => 2)).toBe(2);
    expect(told).toMatchObject([{ path: 'b', error: { message: 'no judgement' } }]);
    breaker.reset();
    await breaker.execute(() => 3);
    expect(breaker.inspect().failures).toBe(0);
  });

  it('is told of as well when it answers with something else', async () => {
    const { told, breaker } = judged(() => 'bad' as never);
    await breaker.execute(() => 1);
    expect(told).toMatchObject([{ path: 'b', error: { code: 'ERR_OPTION_INVALID' } }]);
  });
});

describe('a breaker in a tree', () => {
  it('works while the application drains, and is disposed of once that has stopped', async () => {
    const host = new SimulatedHost();
    const spec = circuitBreaker('b');
    const unused = circuitBreaker('unused');
    const seen: unknown[] = [];
    const intake = resource('intake', {
      open: ({ app }) => app,
      drain: async (app) => seen.push(await app.get(spec).execute(() => 'drained')),
      close: async (app) =>
        seen.push(
          await app
            .get(spec)
            .execute(() => 'closed')
            .catch((e) => e.code),
        ),
      dependsOn: [spec],
    });
    const tree = supervisor('s', { children: [spec, unused] });
    const app = await host.runUntil(application(tree, { host, resources: [intake] }).start());
    await host.runUntil(app.stop());
    expect(seen).toEqual(['drained', 'ERR_BREAKER_DISPOSED']);
    for (const each of [spec, unused])
      await expect(app.get(each).execute(() => 1)).rejects.toMatchObject({ code: 'ERR_BREAKER_DISPOSED' });
  });
});
