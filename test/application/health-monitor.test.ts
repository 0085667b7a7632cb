import { describe, expect, it } from 'vitest';
import { application } from '../../src/application/application.ts';
import { healthMonitor, recycleWorkers, restartChild } from '../../src/application/health-monitor.ts';
import { heapUse, measured, probe } from '../../src/coordination/health-check.ts';
import { actor } from '../../src/kernel/actor.ts';
import { server } from '../../src/kernel/server.ts';
import { recovery } from '../../src/recovery/recovery.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { inProcess } from '../../src/work/in-process.ts';
import { pool } from '../../src/work/pool.ts';

const OFTEN = { intervalMs: 1_000, enterAfter: 2, leaveAfter: 2 };

/** A reading that a test sets. */
const dial = () => {
  const now = { reading: 0 };
  return { now, read: () => now.reading };
};

const LIMITS = { enter: 10, leave: 5, ...OFTEN };

describe('an application with a health monitor', () => {
  it('is not ready while a check is ill that readiness depends on, and says which; liveness stays', async () => {
    const host = new SimulatedHost();
    const { now, read } = dial();
    const health = healthMonitor('health', {
      checks: { database: measured(read, { ...LIMITS, affects: 'readiness' }), heap: heapUse(OFTEN) },
    });
    const app = await host.runUntil(
      application(supervisor('shop', { children: [health] }), { host }).start(),
    );
    await host.settle();
    expect(app.health()).toMatchObject({ live: true, ready: true, notReady: [] });
    now.reading = 12;
    await host.advance(2_000);
    expect(app.health()).toMatchObject({
      live: true,
      ready: false,
      notReady: ['shop/health'],
      checks: [
        { check: 'database', verdict: 'unhealthy', reading: 12 },
        { check: 'heap', verdict: 'healthy' },
      ],
    });
    expect(app.drawTree()).toMatch(/health {2}health_monitor · ill.*database.*unhealthy/);
    now.reading = 0;
    await host.advance(2_000);
    expect(app.health()).toMatchObject({ ready: true });
    await host.runUntil(app.stop());
    expect(host.pendingTimers()).toEqual([]);
  });

  it('is not alive while a check is ill that liveness depends on', async () => {
    const host = new SimulatedHost();
    const { now, read } = dial();
    const health = healthMonitor('health', {
      checks: { loop: measured(read, { ...LIMITS, affects: 'liveness' }) },
    });
    const app = await host.runUntil(
      application(supervisor('shop', { children: [health] }), { host }).start(),
    );
    await host.settle();
    expect(app.health().live).toBe(true);
    now.reading = 12;
    await host.advance(2_000);
    expect(app.health()).toMatchObject({ live: false, ready: false });
    await host.runUntil(app.stop());
  });

  it('begins to look anew when the monitor is restarted, and leaves nothing of the one before', async () => {
    const host = new SimulatedHost();
    const health = healthMonitor('health', { checks: { ping: probe(() => 1, OFTEN) }, restart: 'permanent' });
    const root = supervisor('shop', { children: [health] });
    const app = await host.runUntil(application(root, { host }).start());
    await host.settle();
    const timers = host.pendingTimers().length;
    await host.runUntil(app.get(root).recycleChild('health'));
    await host.settle();
    expect(app.health()).toMatchObject({ ready: true, checks: [{ verdict: 'healthy' }] });
    expect(host.pendingTimers()).toHaveLength(timers);
    await host.runUntil(app.stop());
  });

  it('tells load shedding what to think', async () => {
    const host = new SimulatedHost();
    const { now, read } = dial();
    const health = healthMonitor('health', { checks: { heap: measured(read, { ...LIMITS, sheds: 0.8 }) } });
    const app = await host.runUntil(
      application(supervisor('shop', { children: [health] }), { host }).start(),
    );
    now.reading = 12;
    await host.advance(2_000);
    expect(app.get(health).load()).toBe(0.8);
    await host.runUntil(app.stop());
  });
});

describe('a remedy', () => {
  it('restarts a subtree through recovery: the supervisor that owns it is asked, and nothing else is touched', async () => {
    const host = new SimulatedHost();
    const { now, read } = dial();
    const started: string[] = [];
    const part = (id: string) =>
      actor(
        id,
        server({
          init: () => {
            started.push(id);
            return {};
          },
        }),
      );
    const storage = supervisor('storage', { children: [part('database'), part('cache')] });
    const data = supervisor('data', { children: [storage, part('other')] });
    const recover = recovery('recovery');
    const health = healthMonitor('health', {
      checks: { database: measured(read, LIMITS) },
      recovery: recover,
      remedies: { database: restartChild(data, 'storage') },
    });
    const app = await host.runUntil(
      application(supervisor('shop', { children: [data, recover, health] }), { host }).start(),
    );
    await host.settle();
    expect(started).toEqual(['database', 'cache', 'other']);
    now.reading = 12;
    await host.advance(2_000);
    await host.runUntil(() => app.get(recover).metrics().recovered === 1);
    expect(started).toEqual(['database', 'cache', 'other', 'database', 'cache']);
    expect(app.get(recover).inspect().recent[0]).toMatchObject({ subject: 'shop/health/database' });
    await host.runUntil(app.stop());
  });

  it('runs once while a check is ill, and again no sooner than remindMs', async () => {
    const host = new SimulatedHost();
    const { now, read } = dial();
    let runs = 0;
    const recover = recovery('recovery');
    const health = healthMonitor('health', {
      checks: { heap: measured(read, LIMITS) },
      recovery: recover,
      remindMs: 30_000,
      remedies: {
        heap: () => {
          runs += 1;
        },
      },
    });
    const app = await host.runUntil(
      application(supervisor('shop', { children: [recover, health] }), { host }).start(),
    );
    now.reading = 12;
    await host.advance(25_000);
    expect(runs).toBe(1);
    await host.advance(30_000);
    expect(runs).toBe(2);
    now.reading = 0;
    await host.advance(300_000);
    expect(runs).toBe(2);
    await host.runUntil(app.stop());
  });

  it('recycles the workers of a pool, each when its job is done', async () => {
    const host = new SimulatedHost();
    const { now, read } = dial();
    let opened = 0;
    const documents = pool('documents', {
      size: 2,
      worker: inProcess({
        create: async () => {
          opened += 1;
          return {};
        },
        handlers: { count: () => 1 },
      }),
    });
    const recover = recovery('recovery');
    const health = healthMonitor('health', {
      checks: { heap: measured(read, LIMITS) },
      recovery: recover,
      remedies: { heap: recycleWorkers(documents) },
    });
    const app = await host.runUntil(
      application(supervisor('shop', { children: [documents, recover, health] }), { host }).start(),
    );
    await host.settle();
    const before = opened;
    now.reading = 12;
    await host.advance(2_000);
    await host.runUntil(() => app.get(recover).metrics().recovered === 1);
    expect(opened - before).toBe(2);
    await host.runUntil(app.stop());
  });

  it("'exit' ends the application in phases, with the reason, for whoever runs it to start it anew", async () => {
    const host = new SimulatedHost();
    const { now, read } = dial();
    const recover = recovery('recovery');
    const health = healthMonitor('health', {
      checks: { memory: measured(read, LIMITS) },
      recovery: recover,
      remedies: { memory: 'exit' },
    });
    const app = await host.runUntil(
      application(supervisor('shop', { children: [recover, health] }), { host }).start(),
    );
    now.reading = 12;
    await host.advance(1_000);
    const report = await host.runUntil(app.stopped);
    expect(report.reason).toMatchObject({ error: { code: 'ERR_UNHEALTHY', data: { check: 'memory' } } });
    expect(report.survivors).toEqual([]);
  });

  it('of a check that nobody knows, without a recovery, or of no known kind is refused', () => {
    const checks = { memory: measured(() => 0, LIMITS) };
    const recover = recovery('recovery');
    const refused = expect.objectContaining({ code: 'ERR_OPTION_INVALID' });
    expect(() => healthMonitor('h', { checks, recovery: recover, remedies: { memmory: 'exit' } })).toThrow(
      refused,
    );
    expect(() => healthMonitor('h', { checks, remedies: { memory: 'exit' } })).toThrow(refused);
    expect(() =>
      healthMonitor('h', { checks, recovery: recover, remedies: { memory: 'explode' as never } }),
    ).toThrow(refused);
    expect(() => healthMonitor('h', {} as never)).toThrow(refused);
  });
});
