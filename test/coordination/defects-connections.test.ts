/**
 * A pool of database connections, as the united systems had it: 5 to 20 of them leaked at each exit, since a close existed that nobody
 * called. Here connections are the resources of workers in this process: whatever ends the service ends them, once each.
 */
import { describe, expect, it } from 'vitest';
import { createLeakAudit } from '../../src/coordination/leak-audit.ts';
import { createSystem } from '../../src/kernel/system.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { inProcess } from '../../src/work/in-process.ts';
import { type PoolHandle, pool } from '../../src/work/pool.ts';
import { part } from '../kernel/rig.ts';

/** A database of which every connection is known. */
const createDatabase = () => {
  const state = { opened: 0, closed: 0, twice: 0, broken: false };
  class Connection {
    #open = true;
    constructor() {
      state.opened += 1;
    }
    query(text: string): string {
      if (state.broken) throw new Error('connection reset');
      return `rows of ${text}`;
    }
    close(): void {
      if (!this.#open) state.twice += 1;
      this.#open = false;
      state.closed += 1;
    }
  }
  return { state, connect: () => new Connection(), open: () => state.opened - state.closed };
};

const createService = async (size = 20) => {
  const host = new SimulatedHost();
  const audit = createLeakAudit({ host });
  const database = createDatabase();
  const connections = pool('database', {
    size,
    checkEveryMs: 1,
    worker: inProcess({
      create: async () => database.connect(),
      check: (connection) => connection.query('1') !== '',
      destroy: (connection) => connection.close(),
      handlers: {
        ask: (text: unknown, { resource }) => resource.query(String(text)),
        never: () => new Promise(() => {}),
      },
    }),
  });
  const crasher = part('crasher', () => ({
    tell: () => {
      throw new Error('as told');
    },
  }));
  const system = createSystem({ host: audit.host });
  const root = supervisor('service', { strategy: 'one_for_all', children: [connections, crasher] });
  await host.runUntil(system.start(root));
  await host.settle();
  return { host, audit, database, system, root, crasher, handle: system.get(connections) as PoolHandle };
};

const expectNothingLeft = ({ audit, database }: Awaited<ReturnType<typeof createService>>): void => {
  expect(database.state).toMatchObject({ closed: database.state.opened, twice: 0 });
  expect(audit.look().leaks).toEqual([]);
};

describe('regressions: connections that leaked at exit', () => {
  it('all are closed, once, when the service stops', async () => {
    const service = await createService();
    expect(service.database.open()).toBe(20);
    await service.host.runUntil(service.system.shutdown());
    expectNothingLeft(service);
  });

  it('all are closed when the service is stopped in the middle of its work, and for good', async () => {
    const service = await createService();
    const asked = Array.from({ length: 60 }, () => service.handle.run('never').catch(() => 'cut off'));
    await service.host.settle();
    await service.host.runUntil(service.system.shutdown());
    expect(await service.host.runUntil(Promise.all(asked))).toEqual(Array(60).fill('cut off'));
    expectNothingLeft(service);
  });

  it('all are closed, once, when whoever keeps the service has given up', async () => {
    const service = await createService();
    const asked = Array.from({ length: 60 }, () => service.handle.run('never').catch(() => 'cut off'));
    for (let crash = 0; crash < 40 && service.system.tree().length > 0; crash++) {
      service.system.get(service.crasher).tell('crash');
      await service.host.advance(500);
    }
    expect(service.system.tree()).toEqual([]);
    expect(await service.host.runUntil(Promise.all(asked))).toEqual(Array(60).fill('cut off'));
    expect(service.database.state.opened).toBeGreaterThan(40);
    expectNothingLeft(service);
  });

  it('all are closed, once, though 60 users hold one or wait for one, and give back only afterwards', async () => {
    const service = await createService();
    const { host, handle, system } = service;
    const users = Array.from({ length: 60 }, () =>
      handle.lease({ timeoutMs: 60_000 }).catch(() => undefined),
    );
    await host.settle();
    await host.runUntil(system.shutdown());
    const leases = await host.runUntil(Promise.all(users));
    expect(leases.filter((lease) => lease !== undefined)).toHaveLength(20);
    for (const lease of leases) lease?.release();
    await host.settle();
    expectNothingLeft(service);
  });

  it('all are closed before new ones are opened when a sibling crashes', async () => {
    const service = await createService();
    service.system.get(service.crasher).tell('crash');
    await service.host.advance(100);
    expect(service.database.state.opened).toBe(40);
    expect(service.database.open()).toBe(20);
    await service.host.runUntil(service.system.shutdown());
    expectNothingLeft(service);
  });

  it('one that is broken when it is given back is closed and replaced', async () => {
    const service = await createService(1);
    const { host, database, handle } = service;
    expect(await host.runUntil(handle.run('ask', 'users'))).toBe('rows of users');
    database.state.broken = true;
    await host.runUntil(handle.run('ask', 'users').catch(() => {}));
    await host.advance(10_000);
    database.state.broken = false;
    await host.advance(30_000);
    expect(database.open()).toBe(1);
    expect(database.state.opened).toBeGreaterThan(1);
    expect(await host.runUntil(handle.run('ask', 'users'))).toBe('rows of users');
    await host.runUntil(service.system.shutdown());
    expectNothingLeft(service);
  });

  it('a day of 60 users at a time leaks none', async () => {
    const service = await createService(10);
    const { host, handle, database } = service;
    for (let hour = 0; hour < 24; hour++) {
      await host.runUntil(Promise.all(Array.from({ length: 60 }, () => handle.run('ask', 'users'))));
      await host.advance(60_000);
    }
    expect(database.open()).toBe(10);
    expect(service.audit.look().leaks).toEqual([]);
    await host.runUntil(service.system.shutdown());
    expectNothingLeft(service);
  });
});
