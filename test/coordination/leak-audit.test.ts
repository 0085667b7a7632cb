import { describe, expect, it, vi } from 'vitest';
import { createRealHost } from '../../src/base/real-host.ts';
import { EventStream, type EventType, type TroupeEvent } from '../../src/base/telemetry.ts';
import { actorScope } from '../../src/coordination/actor-scope.ts';
import { createLeakAudit, type LeakAuditOptions } from '../../src/coordination/leak-audit.ts';
import { createScope } from '../../src/coordination/scope.ts';
import { createSystem } from '../../src/kernel/system.ts';
import { recovery } from '../../src/recovery/recovery.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { SimulatedProcess } from '../../src/testing/simulated-process.ts';
import { gate, part } from '../kernel/rig.ts';
import { deaf, obedient } from './scope-rig.ts';

const setUp = (options: LeakAuditOptions = {}) => {
  const host = new SimulatedHost();
  const audit = createLeakAudit({ host, timerSample: 1, ...options });
  const events: TroupeEvent[] = [];
  audit.events.listen((event) => events.push(event));
  const told = (type: EventType) => events.filter((event) => event.type === type);
  return { host, audit, told };
};

describe('a leak audit', () => {
  it('names a timer that outlives the scope it was made in, once, and where it was made', async () => {
    const { host, audit, told } = setUp();
    const scope = createScope({ host: audit.host, name: 'request' });
    const own = audit.within(scope, 'request');
    own.timer(60_000, 'forgotten', () => {});
    own.timer(60_000, 'cancelled', () => {}).cancel();
    own.timer(1, 'fired', () => {});
    await host.advance(1);
    expect(audit.look().leaks).toEqual([]);
    await host.runUntil(scope.close());
    await host.settle();
    expect(told('leak.found')).toMatchObject([
      {
        kind: 'timer',
        name: 'forgotten',
        owner: 'request',
        origin: expect.stringContaining('leak-audit.test.ts') as string,
      },
    ]);
    expect(audit.look().leaks).toMatchObject([{ name: 'forgotten' }]);
    expect(told('leak.found')).toHaveLength(1);
  });

  it('forgets what was a leak when it ends after all', async () => {
    const { host, audit } = setUp();
    const scope = createScope({ host: audit.host });
    const timer = audit.within(scope, 'request').timer(60_000, 'late', () => {});
    await host.runUntil(scope.close());
    await host.settle();
    expect(audit.look().leaks).toHaveLength(1);
    timer.cancel();
    expect(audit.look().leaks).toEqual([]);
  });

  it('takes for no leak what ends with its owner', async () => {
    const { host, audit, told } = setUp();
    const scope = createScope({ host: audit.host });
    const timer = audit.within(scope, 'request').timer(60_000, 'mine', () => {});
    scope.onEnd(() => timer.cancel());
    await host.runUntil(scope.close());
    await host.settle();
    expect(told('leak.found')).toEqual([]);
  });

  it('names OS processes, sockets and threads that outlive an actor', async () => {
    const { host, audit, told } = setUp();
    host.onSpawn = (_spec, listeners) => new SimulatedProcess(host, listeners);
    const system = createSystem({ host: audit.host });
    const handle = await host.runUntil(
      system.start(
        part('careless', (context) => {
          const own = audit.within(context, context.path);
          own.spawn(
            { command: 'sleeper', args: ['60'], env: {} },
            { stdout: () => {}, stderr: () => {}, ended: () => {} },
          );
          void own.transport.listen('sim:door', () => ({ data: () => {}, closed: () => {} }));
          own.onStall(() => {});
          return {};
        }),
      ),
    );
    await host.settle();
    await host.runUntil(system.stop(handle));
    await host.settle();
    expect(told('leak.found')).toMatchObject([
      { kind: 'child_process', name: 'sleeper 60', owner: 'careless' },
      { kind: 'listener', name: 'host stall', owner: 'careless' },
      { kind: 'server', owner: 'careless' },
    ]);
  });

  it('counts the tasks of every scope made with its host, an actor’s too', async () => {
    const { host, audit } = setUp();
    const system = createSystem({ host: audit.host });
    const work = gate();
    const handle = await host.runUntil(
      system.start(
        part('busy', (context) => {
          const scope = actorScope(context);
          for (let n = 0; n < 3; n++) scope.start('work', () => work.passed);
          return {};
        }),
      ),
    );
    expect(audit.look()).toMatchObject({ tasks: 3, scopes: 1, leaks: [] });
    work.open();
    await host.settle();
    await host.runUntil(system.stop(handle));
    expect(audit.look()).toMatchObject({ tasks: 0, scopes: 0 });
  });

  it('lists what lives by kind and name, a sample of the timers', () => {
    const { audit } = setUp({ timerSample: 10 });
    for (let n = 0; n < 100; n++) audit.host.timer(1_000, 'tick', () => {});
    expect(audit.look().resources).toEqual([{ kind: 'timer', name: 'tick', count: 10 }]);
  });

  it('looks every so often, and says once each time that a threshold is passed and cleared', async () => {
    const onAlarm = vi.fn();
    const { host, audit, told } = setUp({ everyMs: 1_000, thresholds: { tasks: 10 }, onAlarm });
    const scope = createScope({ host: audit.host });
    const gates = Array.from({ length: 11 }, () => gate());
    for (const each of gates) scope.start('work', () => each.passed);
    await host.advance(999);
    expect(told('leak.threshold_passed')).toEqual([]);
    await host.advance(3_001);
    expect(told('leak.threshold_passed')).toMatchObject([
      { path: 'leaks', what: 'tasks', value: 11, limit: 10 },
    ]);
    expect(onAlarm.mock.calls).toMatchObject([[{ code: 'ERR_LEAK_THRESHOLD' }]]);
    for (const each of gates.slice(0, 2)) each.open();
    await host.advance(1_000);
    expect(told('leak.threshold_cleared')).toEqual([]);
    gates[2]?.open();
    await host.advance(1_000);
    expect(told('leak.threshold_cleared')).toMatchObject([{ what: 'tasks', value: 8 }]);
  });

  it('judges the heap and the resident memory of its host', () => {
    const { host, audit, told } = setUp({ thresholds: { heapBytes: 1_000, rssBytes: 1_000 } });
    expect(host.vitals.memory().heapUsedBytes).toBeGreaterThan(1_000);
    expect(audit.look().passed).toEqual(['heapBytes', 'rssBytes']);
    expect(told('leak.threshold_passed')).toHaveLength(2);
  });

  it('starts a recovery where it tells the events of a system', async () => {
    const { host, audit } = setUp({ everyMs: 1_000, thresholds: { tasks: 1 } });
    const system = createSystem({ host: audit.host });
    const handle = await host.runUntil(system.start(recovery('recovery')));
    audit.tell(system.events);
    const scope = createScope({ host: audit.host });
    const work = gate();
    for (let n = 0; n < 3; n++) scope.start('work', () => work.passed);
    await host.advance(1_000);
    expect(handle.inspect().active).toMatchObject([{ subject: 'leaks', category: 'resource' }]);
    work.open();
    await host.advance(1_000);
    expect(handle.inspect().recent).toMatchObject([{ subject: 'leaks', outcome: 'recovered' }]);
  });

  it('ends with its timer, and tells nobody who has left', async () => {
    const { host, audit } = setUp();
    const events = new EventStream(() => host.wall());
    const heard = vi.fn();
    events.listen(heard);
    audit.tell(events)();
    audit.dispose();
    audit.dispose();
    expect(host.pendingTimers()).toEqual([]);
    expect(heard).not.toHaveBeenCalled();
  });

  it('passes everything on: a host that is watched is the host', async () => {
    const host = createRealHost({ seed: 1 });
    const audit = createLeakAudit({ host });
    const fired = await new Promise<string[]>((resolve) => {
      const order: string[] = [];
      audit.host.step('a', () => order.push('step'));
      audit.host.timer(1, 'b', () => resolve([...order, 'timer']));
    });
    expect(fired).toEqual(['step', 'timer']);
    expect(audit.look().rssBytes).toBeGreaterThan(1e6);
    audit.dispose();
  });
});

describe('regressions: the tracked task manager', () => {
  it('its clean-up cancelled every tracked task and left the orphans: nothing rightly owned is touched, orphans are named', async () => {
    const { host, audit, told } = setUp({ everyMs: 1_000, thresholds: { tasks: 1 } });
    const owned = createScope({ host: audit.host, name: 'owned' });
    const kept = Array.from({ length: 5 }, () => owned.start('kept', obedient));
    const closed = createScope({ host: audit.host, name: 'closed', closeMs: 10 });
    const orphan = closed.start('orphan', deaf);
    const report = closed.close();
    await host.advance(10);
    await report;
    await host.advance(10_000);
    expect(kept.map(({ state }) => state)).toEqual(Array(5).fill('running'));
    expect(orphan.state).toBe('straggling');
    expect(told('leak.found')).toMatchObject([{ kind: 'task', name: 'orphan', owner: 'closed' }]);
    expect(told('leak.threshold_passed')).toHaveLength(1);
  });

  it('a task that was registered as well ran twice: work is called once, however much is watched', async () => {
    const { host, audit } = setUp();
    const scope = createScope({ host: audit.within({ onEnd: () => {} }, 'twice') });
    const work = vi.fn(async () => 1);
    expect(await host.runUntil(scope.start('once', work).result)).toBe(1);
    expect(work).toHaveBeenCalledTimes(1);
  });

  it('a supervised task whose time passed gave null: it rejects, and its scope counts it', async () => {
    const host = new SimulatedHost();
    const scope = createScope({ host, onFailure: 'collect' });
    const task = scope.start('slow', obedient, { timeoutMs: 30_000 });
    const result = task.result.catch((error: { code: string }) => error.code);
    await host.advance(30_000);
    expect(await result).toBe('ERR_TASK_TIMEOUT');
    expect(scope.report().failed).toBe(1);
  });
});
