import { describe, expect, it, vi } from 'vitest';
import { actor } from '../../src/kernel/actor.ts';
import { server } from '../../src/kernel/server.ts';
import { createSystem } from '../../src/kernel/system.ts';
import { type BreakerSpecOptions, circuitBreaker } from '../../src/resilience/circuit-breaker-spec.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { deferred, ok, outcomeOf } from './deferred.ts';

const setUp = async (options: BreakerSpecOptions = {}) => {
  const host = new SimulatedHost();
  const system = createSystem({ host });
  const spec = circuitBreaker('prices', {
    window: { kind: 'consecutive', failures: 1 },
    openMs: 1_000,
    ...options,
  });
  const breaker = await host.runUntil(system.start(spec));
  return { host, system, spec, breaker };
};

describe('a breaker in a tree', () => {
  it('guards calls through its handle, in the caller', async () => {
    const { system, spec, breaker } = await setUp();
    expect(system.get(spec)).toBe(breaker);
    expect(breaker.path).toBe('prices');
    expect(await breaker.execute(ok)).toBe('ok');
    breaker.fail();
    expect(await outcomeOf(breaker.execute(ok))).toBe('ERR_BREAKER_OPEN');
  });

  it('half-opens by the timer of its actor, without traffic and without a listener', async () => {
    const { host, breaker } = await setUp();
    breaker.fail();
    expect(host.pendingTimers()).toMatchObject([{ dueMs: 1_000, unref: true }]);
    await host.advance(1_000);
    expect(breaker.inspect().state).toBe('half_open');
  });

  it('keeps state, generation and the end of its wait over a restart; only reset clears them', async () => {
    const { host, system, spec, breaker } = await setUp();
    breaker.fail();
    await host.advance(400);
    const before = breaker.inspect();
    system.exit(breaker, 'kill');
    await host.settle();
    expect(breaker.ref()).toBeUndefined();
    expect(await outcomeOf(breaker.execute(ok))).toBe('ERR_BREAKER_OPEN');
    expect(await host.runUntil(system.start(spec))).toBe(breaker);
    expect(breaker.inspect()).toEqual({ ...before, rejected: 1 });
    expect(host.pendingTimers()).toMatchObject([{ dueMs: 1_000 }]);
    await host.advance(600);
    expect(breaker.inspect()).toMatchObject({ state: 'half_open', generation: 3 });
    breaker.reset();
    expect(breaker.inspect()).toMatchObject({ state: 'closed', generation: 4 });
  });

  it('a result from before the restart still counts: the generation is the same', async () => {
    const { host, system, spec, breaker } = await setUp();
    const slow = deferred();
    const running = outcomeOf(breaker.execute(() => slow.promise));
    system.exit(breaker, 'kill');
    await host.settle();
    await host.runUntil(system.start(spec));
    slow.reject(new Error('down'));
    await running;
    expect(breaker.inspect().state).toBe('open');
  });

  it('admits while its actor is down, and the wait then ends by admission', async () => {
    const { host, system, breaker } = await setUp();
    system.exit(breaker, 'kill');
    await host.settle();
    breaker.fail();
    expect(host.pendingTimers()).toEqual([]);
    await host.advance(1_000);
    expect(await breaker.execute(ok)).toBe('ok');
  });

  it('takes commands by message, and shows itself', async () => {
    const { host, system, breaker } = await setUp({ critical: true });
    system.tell(breaker, { type: 'fail', cause: new Error('seen elsewhere') });
    await host.settle();
    expect(await host.runUntil(system.call(breaker, { type: 'inspect' }))).toMatchObject({ state: 'open' });
    expect(system.tree()).toMatchObject([
      {
        path: 'prices',
        kind: 'breaker',
        state: 'open',
        facts: { failures: 1, openings: 1, rejected: 0, critical: true, retryAfterMs: 1_000 },
      },
    ]);
    expect(await host.runUntil(system.call(breaker, { type: 'reset' }))).toMatchObject({ state: 'closed' });
    system.tell(breaker, { type: 'succeed' });
    const refused = outcomeOf(system.call(breaker, { type: 'nope' }));
    expect(await host.runUntil(refused)).toBe('ERR_NO_HANDLER');
    system.tell(breaker, 'nonsense');
    await host.settle();
    expect(system.counters.deadLetters).toBe(1);
    expect(breaker.ref()).toBeDefined();
  });

  it("emits on its system's stream, under its path; on() hears only its own", async () => {
    const { host, system, breaker } = await setUp();
    const other = await host.runUntil(system.start(circuitBreaker('other')));
    const [mine, all, changes] = [vi.fn(), vi.fn(), vi.fn()];
    breaker.on('breaker.opened', mine);
    system.events.on('breaker.opened', all);
    const unwatch = breaker.onChange(changes);
    for (let i = 0; i < 5; i++) other.fail();
    breaker.fail();
    expect(mine).toHaveBeenCalledTimes(1);
    expect(mine).toHaveBeenCalledWith(expect.objectContaining({ path: 'prices' }));
    expect(all).toHaveBeenCalledTimes(2);
    expect(changes).toHaveBeenCalledWith(
      expect.objectContaining({ state: 'open', verdict: 'refuse', retryAfterMs: 1_000 }),
    );
    unwatch();
    breaker.reset();
    expect(changes).toHaveBeenCalledTimes(1);
  });

  it('leaves no timer when its system stops', async () => {
    const { host, system, breaker } = await setUp();
    breaker.fail();
    await host.runUntil(system.shutdown());
    expect(host.pendingTimers()).toEqual([]);
  });

  it('two specs, or one under another id, are two breakers', async () => {
    const { host, system, spec, breaker } = await setUp();
    const other = await host.runUntil(system.start(spec.as('prices-eu')));
    breaker.fail();
    expect(other.inspect()).toMatchObject({ state: 'closed', name: 'prices-eu' });
  });
});

describe('a breaker under a supervisor', () => {
  it('defect: no supervisor ever started it – it is started, reached, and restarted as it was', async () => {
    const host = new SimulatedHost();
    const system = createSystem({ host });
    const spec = circuitBreaker('prices', { window: { kind: 'consecutive', failures: 1 }, openMs: 1_000 });
    await host.runUntil(system.start(supervisor('root', { children: [spec] })));
    const breaker = system.get(spec);
    expect(breaker.path).toBe('root/prices');
    breaker.fail();
    const first = breaker.ref();
    system.exit(breaker, 'kill');
    await host.settle();
    expect(breaker.ref()).not.toEqual(first);
    expect(breaker.inspect()).toMatchObject({ state: 'open', generation: 2, openings: 1 });
    await host.advance(1_000);
    expect(breaker.inspect().state).toBe('half_open');
    await host.runUntil(system.shutdown());
    expect(host.pendingTimers()).toEqual([]);
  });

  it('a restart of the whole group leaves a probe its watchdog', async () => {
    const host = new SimulatedHost();
    const system = createSystem({ host });
    const spec = circuitBreaker('prices', { window: { kind: 'consecutive', failures: 1 }, openMs: 1_000 });
    const other = circuitBreaker('other');
    const tree = supervisor('root', { strategy: 'one_for_all', children: [spec, other] });
    await host.runUntil(system.start(tree));
    const breaker = system.get(spec);
    breaker.fail();
    await host.advance(1_000);
    expect(breaker.admit().admitted).toBe(true);
    system.exit(system.get(other), 'kill');
    await host.settle();
    expect(breaker.inspect()).toMatchObject({ state: 'half_open', probes: 1 });
    await host.advance(30_000);
    expect(breaker.inspect().state).toBe('open');
  });
});

describe('its spec', () => {
  it('takes the options of every spec besides its own', () => {
    const spec = circuitBreaker('prices', { restart: 'transient', shutdownMs: 100, openMs: 5 });
    expect(spec).toMatchObject({ id: 'prices', restart: 'transient', shutdownMs: 100 });
    expect(Object.isFrozen(spec)).toBe(true);
  });

  it.each([
    { input: 1 },
    { openMS: 5 },
    { restart: 'sometimes' },
    { window: { kind: 'weekly' } },
    { name: 'x' },
  ])('refuses %o before anything starts', (options) => {
    expect(() => circuitBreaker('prices', options as never)).toThrow(/ERR_OPTION_/);
  });

  it('goes on where an exported one stood, for what is left of its wait, and holds who depends on it', async () => {
    const former = await setUp();
    former.breaker.fail();
    const state = former.breaker.exportState();
    const host = new SimulatedHost();
    host.setWall(former.host.wall() + 400);
    const prices = circuitBreaker('prices', { openMs: 1_000, state });
    const shop = actor('shop', server({ init: () => ({}) }), { dependsOn: prices });
    const system = createSystem({ host });
    await host.runUntil(system.start(supervisor('root', { children: [prices, shop] })));
    expect(system.get(prices).inspect()).toMatchObject({ state: 'open', retryAfterMs: 600 });
    await host.advance(599);
    expect(system.get(shop).ref()).toBeUndefined();
    await host.advance(1);
    expect(system.get(shop).ref()).toBeDefined();
    expect(system.get(prices).inspect().state).toBe('half_open');
  });

  it('takes up an exported state once: a restart does not bring it back', async () => {
    const former = await setUp();
    former.breaker.fail();
    const { system, host, spec, breaker } = await setUp({ state: former.breaker.exportState() });
    breaker.reset();
    system.exit(breaker, 'kill');
    await host.settle();
    expect(await host.runUntil(system.start(spec))).toBe(breaker);
    expect(breaker.inspect().state).toBe('closed');
  });

  it('refuses a state that none exported', () => {
    expect(() => circuitBreaker('prices', { state: {} as never })).toThrow(/state must be what exportState/);
  });
});
