/** Every named part of a service is under a supervisor, is reached by its handle, and is back after it was killed. */
import { afterEach, describe, expect, it } from 'vitest';
import { setup } from 'xstate';
import {
  type Application,
  actor,
  application,
  circuitBreaker,
  dynamicSupervisor,
  fromMachine,
  inProcess,
  pool,
  recovery,
  server,
  supervisor,
} from '../../src/index.ts';
import type { Ref } from '../../src/kernel/ref.ts';
import type { TreeNode } from '../../src/kernel/tree.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

const build = () => {
  const till = actor('till', server({ init: () => ({}), call: { ping: () => 'pong' } }));
  const door = actor(
    'door',
    fromMachine(
      setup({}).createMachine({ initial: 'shut', states: { shut: { on: { open: 'ajar' } }, ajar: {} } }),
    ),
  );
  const prices = circuitBreaker('prices', { window: { kind: 'consecutive', failures: 1 }, openMs: 100 });
  const sums = pool('sums', {
    size: 2,
    worker: inProcess({ handlers: { add: ([a, b]: [number, number]) => a + b } as never }),
  });
  const mend = recovery('mend');
  const room = dynamicSupervisor('room');
  const inner = supervisor('inner', { children: [till, door] });
  const tree = supervisor('root', { children: [inner, prices, sums, mend, room] });
  return { till, door, prices, sums, mend, room, inner, tree };
};

const nodes = (tree: readonly TreeNode[]): readonly TreeNode[] =>
  tree.flatMap((node) => [node, ...nodes(node.children)]);

describe('a whole service', () => {
  const host = new SimulatedHost();
  let app: Application;
  afterEach(async () => {
    await host.runUntil(app.stop());
    expect(host.pendingTimers()).toEqual([]);
  });

  it('has each part in the tree, alive, under a supervisor, and reached', async () => {
    const parts = build();
    app = await host.runUntil(application(parts.tree, { host }).start());
    const paths = nodes(app.tree()).map((node) => node.path);
    for (const path of ['inner/till', 'inner/door', 'prices', 'sums', 'mend', 'room'])
      expect(paths).toContain(`root/${path}`);
    expect(paths.filter((path) => path.startsWith('root/sums/'))).toHaveLength(2);

    expect(await host.runUntil(app.get(parts.till).call({ type: 'ping' }))).toBe('pong');
    app.get(parts.door).send({ type: 'open' });
    await host.settle();
    expect(app.get(parts.door).snapshot()?.value).toBe('ajar');
    expect(await host.runUntil(app.get(parts.prices).execute(async () => 7))).toBe(7);
    expect(await host.runUntil(app.get(parts.sums).run('add', [1, 2]))).toBe(3);
    const guest = await host.runUntil(app.get(parts.room).startChild(parts.till.as('guest')));
    expect(await host.runUntil(guest.call({ type: 'ping' }))).toBe('pong');
  });

  it('reaches recovery with what a breaker opened over, and counts it as healed when it closes', async () => {
    const parts = build();
    app = await host.runUntil(application(parts.tree, { host }).start());
    const failed = app.get(parts.prices).execute(() => Promise.reject(new Error('down')));
    await host.runUntil(failed.catch(() => undefined));
    await host.advance(150);
    await host.runUntil(app.get(parts.prices).execute(async () => 1));
    await host.settle();
    expect(app.get(parts.mend).metrics()).toMatchObject({ recovered: 1, gaveUp: 0 });
  });

  it('is not ready while a critical breaker is open, and is again by itself when that half-opens', async () => {
    const fragile = { window: { kind: 'consecutive', failures: 1 }, openMs: 100 } as const;
    const vital = circuitBreaker('vital', { ...fragile, critical: true });
    const spare = circuitBreaker('spare', fragile);
    app = await host.runUntil(
      application(supervisor('root', { children: [vital, spare] }), { host }).start(),
    );
    app.get(spare).fail();
    expect(app.health()).toMatchObject({ live: true, ready: true });
    app.get(vital).fail();
    expect(app.health()).toMatchObject({ live: true, ready: false, notReady: ['root/vital'] });
    await host.advance(100);
    expect(app.health()).toMatchObject({ ready: true, notReady: [] });
  });

  it('is not ready while a child that should run backs off', async () => {
    const crashing = actor(
      'crashing',
      server({ init: () => ({}), cast: { crash: () => Promise.reject(new Error('boom')) } }),
    );
    const tree = supervisor('root', { children: [crashing], backoff: { jitter: 'none' } });
    app = await host.runUntil(application(tree, { host }).start());
    for (let i = 0; i < 2; i++) {
      app.get(crashing).tell({ type: 'crash' });
      await host.settle();
    }
    expect(app.health()).toMatchObject({ live: true, ready: false, notReady: ['root/crashing'] });
    await host.advance(100);
    expect(app.health()).toMatchObject({ ready: true });
  });

  it('brings back each part that is killed, under the same handle', async () => {
    const parts = build();
    app = await host.runUntil(application(parts.tree, { host }).start());
    for (const key of ['till', 'door', 'prices', 'sums', 'mend', 'room', 'inner'] as const) {
      const handle = app.get<{ readonly path: string; ref(): Ref | undefined }>(parts[key]);
      const before = handle.ref();
      app.system.exit(handle, 'kill');
      await host.advance(11_000);
      expect(handle.ref()?.incarnation, key).toBeGreaterThan(before?.incarnation ?? Number.POSITIVE_INFINITY);
    }
    expect(await host.runUntil(app.get(parts.sums).run('add', [1, 2]))).toBe(3);
    expect(await host.runUntil(app.get(parts.till).call({ type: 'ping' }))).toBe('pong');
    expect(app.health()).toMatchObject({ live: true, ready: true });
  });
});
