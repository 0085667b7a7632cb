import { describe, expect, it } from 'vitest';
import type { TroupeEvent } from '../../src/base/telemetry.ts';
import {
  type CheckOptions,
  childProcesses,
  diskUse,
  fileDescriptors,
  type HealthCheck,
  heapUse,
  loopLag,
  measured,
  probe,
  residentMemory,
} from '../../src/coordination/health-check.ts';
import { createHealthMonitor, type HealthMonitorOptions } from '../../src/coordination/health-monitor.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

const create = (checks: Record<string, HealthCheck>, options: Partial<HealthMonitorOptions> = {}) => {
  const host = new SimulatedHost();
  const alarms: string[] = [];
  const monitor = createHealthMonitor({
    host,
    checks,
    onAlarm: ({ check, error }) => alarms.push(`${check}: ${error.message}`),
    ...options,
  });
  const told: TroupeEvent[] = [];
  monitor.events.listen((event) => told.push(event));
  const report = (name: string) => {
    const found = monitor.view().checks.find(({ check }) => check === name);
    if (found === undefined) throw new Error(name);
    return found;
  };
  const changes = () =>
    told.flatMap((event) => (event.type === 'health.check_changed' ? [`${event.from} → ${event.to}`] : []));
  return { host, monitor, alarms, told, report, changes, verdict: (name: string) => report(name).verdict };
};

/** A check whose readings a test gives. */
const scripted = (readings: readonly (number | undefined)[], options: CheckOptions = {}) => {
  const left = [...readings];
  let asked = 0;
  const check = measured(
    () => {
      asked += 1;
      return left.length > 1 ? left.shift() : left[0];
    },
    { enter: 10, leave: 5, intervalMs: 1_000, ...options },
  );
  return { check, asked: () => asked };
};

describe('hysteresis', () => {
  it.each<[string, number[], string[]]>([
    [
      'one bad reading is not enough',
      [1, 12, 1, 12, 1],
      ['healthy', 'degraded', 'healthy', 'degraded', 'healthy'],
    ],
    ['three in a row are', [1, 12, 12, 12], ['healthy', 'degraded', 'degraded', 'unhealthy']],
    [
      'one between begins anew',
      [1, 12, 12, 7, 12, 12],
      ['healthy', 'degraded', 'degraded', 'healthy', 'degraded', 'degraded'],
    ],
    [
      'ill, it stays so between the limits',
      [12, 12, 12, 7, 7, 7],
      ['degraded', 'degraded', 'unhealthy', 'unhealthy', 'unhealthy', 'unhealthy'],
    ],
    [
      'one good reading does not make it well',
      [12, 12, 12, 1, 12, 1],
      ['degraded', 'degraded', 'unhealthy', 'unhealthy', 'unhealthy', 'unhealthy'],
    ],
    ['two in a row do', [12, 12, 12, 1, 1], ['degraded', 'degraded', 'unhealthy', 'unhealthy', 'healthy']],
    [
      'the limits belong to the side that they name',
      [10, 10, 10, 5, 5, 4.9, 4.9],
      ['degraded', 'degraded', 'unhealthy', 'unhealthy', 'unhealthy', 'unhealthy', 'healthy'],
    ],
  ])('%s', async (_, readings, verdicts) => {
    const { host, verdict } = create({ it: scripted(readings).check });
    await host.settle();
    const seen = [verdict('it')];
    for (let each = 1; each < readings.length; each++) {
      await host.advance(1_000);
      seen.push(verdict('it'));
    }
    expect(seen).toEqual(verdicts);
  });

  it('counts as many as were asked for', async () => {
    const { check } = scripted([12], { enterAfter: 5 });
    const { host, verdict, report } = create({ it: check });
    await host.advance(3_000);
    expect(verdict('it')).toBe('degraded');
    await host.advance(1_000);
    expect(report('it')).toMatchObject({ verdict: 'unhealthy', bad: 5, reading: 12, sinceMs: 0 });
  });

  it('leaves what cannot be known as it was', async () => {
    const { check } = scripted([12, undefined, 12, undefined, 12, undefined]);
    const { host, verdict, report } = create({ it: check });
    await host.advance(4_000);
    expect(verdict('it')).toBe('unhealthy');
    await host.advance(10_000);
    expect(report('it')).toMatchObject({ verdict: 'unhealthy', reading: undefined, error: undefined });
  });
});

describe('a check', () => {
  it('that hangs is bad in time, is not asked again meanwhile, and counts each time', async () => {
    let asked = 0;
    let release = (): void => {};
    const signals: AbortSignal[] = [];
    const check = probe(
      ({ signal }) => {
        asked += 1;
        signals.push(signal);
        return new Promise<void>((resolve) => {
          release = resolve;
        });
      },
      { intervalMs: 10_000, timeoutMs: 2_000 },
    );
    const { host, verdict, report } = create({ database: check });
    await host.advance(1_999);
    expect({ verdict: verdict('database'), aborted: signals[0]?.aborted }).toEqual({
      verdict: 'unknown',
      aborted: false,
    });
    await host.advance(1);
    expect(signals[0]?.aborted).toBe(true);
    expect(report('database')).toMatchObject({ verdict: 'degraded', hangs: true });
    expect(report('database').error).toMatch(/check database of monitor health had no answer within 2000 ms/);
    await host.advance(8_000 + 10_000);
    expect({ asked, verdict: verdict('database') }).toEqual({ asked: 1, verdict: 'unhealthy' });
    release();
    await host.advance(10_000);
    expect(asked).toBe(2);
    expect(report('database').hangs).toBe(false);
  });

  it('that is slower than its interval, but in time, is read once at a time and found well', async () => {
    let running = 0;
    let most = 0;
    const { host, verdict } = create({
      slow: measured(
        () => {
          running += 1;
          most = Math.max(most, running);
          return new Promise<number>((resolve) => {
            host.timer(2_500, 'slow', () => {
              running -= 1;
              resolve(0);
            });
          });
        },
        { enter: 1, leave: 1, intervalMs: 1_000, timeoutMs: 5_000 },
      ),
    });
    await host.advance(30_000);
    expect({ most, verdict: verdict('slow') }).toEqual({ most: 1, verdict: 'healthy' });
  });

  it('delays no other, and one that throws is its own affair', async () => {
    const other = scripted([1], { intervalMs: 1_000 });
    const { host, verdict, report } = create({
      hangs: probe(() => new Promise(() => {}), { intervalMs: 1_000, timeoutMs: 60_000 }),
      throws: probe(
        () => {
          throw new Error('ECONNREFUSED');
        },
        { intervalMs: 1_000 },
      ),
      nonsense: measured(() => 'high' as never, { enter: 1, leave: 1, intervalMs: 1_000 }),
      other: other.check,
    });
    await host.advance(10_000);
    expect(other.asked()).toBe(11);
    expect(verdict('other')).toBe('healthy');
    expect(report('throws')).toMatchObject({ verdict: 'unhealthy', error: 'Error: ECONNREFUSED' });
    expect(report('nonsense').error).toMatch(/gave no number but high/);
  });

  it.each<[string, CheckOptions & { enter: number; leave: number }]>([
    ['leave', { enter: 1, leave: 2 }],
    ['enterAfter', { enter: 1, leave: 1, enterAfter: 0 }],
    ['affects', { enter: 1, leave: 1, affects: 'all' as never }],
  ])('is refused where %s makes no sense', (_, options) => {
    expect(() => measured(() => 0, options)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }));
  });
});

describe('an alarm', () => {
  it('is told once when it becomes unhealthy, and again every remindMs while it is', async () => {
    const readings = [12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 1, 1, 1];
    const { host, alarms, changes } = create({ it: scripted(readings).check }, { remindMs: 4_000 });
    await host.advance(2_999);
    expect(alarms).toHaveLength(1);
    expect(alarms[0]).toMatch(/check it of monitor health is unhealthy: 12, ill from 10 on/);
    await host.advance(9_000);
    expect(alarms).toHaveLength(3);
    await host.advance(60_000);
    expect(alarms).toHaveLength(3);
    expect(changes()).toEqual(['unknown → degraded', 'degraded → unhealthy', 'unhealthy → healthy']);
  });
});

describe('the view', () => {
  it('gives up readiness, liveness and load only for what was staked on the check', async () => {
    const ill = { intervalMs: 1_000 };
    const { host, monitor } = create({
      nothing: scripted([12], { ...ill }).check,
      shed: scripted([12, 12, 12, 12, 1], { ...ill, sheds: 0.8 }).check,
    });
    await host.advance(3_000);
    expect(monitor.view()).toMatchObject({ live: true, ready: true, load: 0.8 });
    await host.advance(10_000);
    expect(monitor.view()).toMatchObject({ load: 0 });
    const other = create({ vital: scripted([12], { ...ill, affects: 'liveness' }).check });
    await other.host.advance(3_000);
    expect(other.monitor.view()).toMatchObject({ live: false, ready: false });
  });

  it('is not ready as long as nobody has looked, but alive', async () => {
    const { host, monitor } = create({
      database: probe(() => new Promise((resolve) => host.timer(700, 'ping', () => resolve(1))), {
        affects: 'readiness',
      }),
    });
    expect(monitor.view()).toMatchObject({ live: true, ready: false });
    await host.advance(700);
    expect(monitor.view()).toMatchObject({ live: true, ready: true });
  });
});

describe('the end', () => {
  it('leaves no timer, tells what is being read, and judges nothing any more', async () => {
    let signal: AbortSignal | undefined;
    const { host, monitor, alarms, told } = create({
      loop: loopLag(),
      hangs: probe(
        (context) => {
          signal = context.signal;
          return new Promise(() => {});
        },
        { enterAfter: 1 },
      ),
      ill: scripted([12], { enterAfter: 1 }).check,
    });
    await host.settle();
    const before = [alarms.length, told.length];
    monitor.dispose();
    monitor.dispose();
    expect(signal?.aborted).toBe(true);
    expect(host.pendingTimers()).toEqual([]);
    await host.advance(100_000);
    expect([alarms.length, told.length]).toEqual(before);
  });

  it('none of its timers keeps the process alive', async () => {
    const { host } = create({ loop: loopLag(), ill: scripted([12], { enterAfter: 1 }).check });
    await host.settle();
    expect(host.pendingTimers().every(({ unref }) => unref)).toBe(true);
  });
});

describe('readings', () => {
  const every = { intervalMs: 1_000, enterAfter: 1 };

  it('of the loop are how late it was at worst since the last', async () => {
    const { host, report, verdict } = create({ loop: loopLag({ ...every, enter: 400, leave: 100 }) });
    await host.advance(2_000);
    expect(report('loop')).toMatchObject({ verdict: 'healthy', reading: 0 });
    await host.stall(900);
    await host.advance(1_000);
    expect(verdict('loop')).toBe('unhealthy');
    expect(report('loop').reading).toBeGreaterThan(400);
    await host.advance(3_000);
    expect(report('loop')).toMatchObject({ verdict: 'healthy', reading: 0 });
  });

  it('of memory, disk, descriptors and children come through the host', async () => {
    const { host, report } = create({
      heap: heapUse(every),
      memory: residentMemory(every),
      limited: residentMemory({ ...every, limitBytes: 1_000 }),
      disk: diskUse('/data', every),
      files: fileDescriptors(every),
      children: childProcesses(every),
    });
    host.vitals.memoryNow = {
      heapUsedBytes: 95,
      heapLimitBytes: 100,
      residentBytes: 960,
      residentLimitBytes: 2_000,
    };
    host.vitals.diskNow = { totalBytes: 100, freeBytes: 2 };
    host.vitals.descriptorsNow = { open: 75, limit: 100 };
    host.vitals.childrenNow = { living: 150, zombies: 60 };
    await host.advance(1_000);
    const seen = ['heap', 'memory', 'limited', 'disk', 'files', 'children'].map((name) => {
      const { verdict, reading } = report(name);
      return [name, verdict, reading];
    });
    expect(seen).toEqual([
      ['heap', 'unhealthy', 0.95],
      ['memory', 'healthy', 0.48],
      ['limited', 'unhealthy', 0.96],
      ['disk', 'unhealthy', 0.98],
      ['files', 'healthy', 0.75],
      ['children', 'unhealthy', 210],
    ]);
  });

  it('that the OS does not give are unknown, and no reason for anything', async () => {
    const { host, monitor, report } = create({
      files: fileDescriptors({ ...every, affects: 'nothing' }),
      children: childProcesses(every),
      memory: residentMemory(every),
    });
    host.vitals.descriptorsNow = undefined;
    host.vitals.childrenNow = undefined;
    host.vitals.memoryNow = { ...host.vitals.memoryNow, residentLimitBytes: undefined };
    await host.advance(100_000);
    expect(monitor.view()).toMatchObject({ live: true, ready: true });
    expect(report('children').reading).toBeUndefined();
  });
});

describe('defects of a health monitor that came before', () => {
  it('D3: a blocking sample of the CPU for a second – nothing here blocks: a file system that hangs holds up its own check alone', async () => {
    const { host, verdict } = create({
      disk: diskUse('/nfs', { intervalMs: 1_000, timeoutMs: 500, enterAfter: 2 }),
      heap: heapUse({ intervalMs: 1_000 }),
    });
    host.vitals.diskNow = () => new Promise(() => {});
    await host.advance(5_000);
    expect([verdict('disk'), verdict('heap')]).toEqual(['unhealthy', 'healthy']);
  });

  it('D3: the database check "recovered" by rebuilding the pool under its users – a probe that fails changes nothing but the view', async () => {
    let users = 3;
    const { host, monitor } = create({
      database: probe(
        () => {
          throw new Error('too many connections');
        },
        { affects: 'readiness', enterAfter: 10, intervalMs: 1_000 },
      ),
    });
    await host.advance(8_999);
    expect(monitor.view().checks[0]?.verdict).toBe('degraded');
    await host.advance(1);
    expect(monitor.view()).toMatchObject({ live: true, ready: false });
    expect(users).toBe(3);
    users = 0;
  });

  it('D3: memory above its limit restarted a process that was about to recover – between the limits nothing changes, and a peak is no illness', async () => {
    const { host, alarms } = create({ memory: residentMemory({ intervalMs: 1_000 }) });
    const { memoryNow } = host.vitals;
    const hold = (part: number) => {
      host.vitals.memoryNow = { ...memoryNow, residentBytes: part * (memoryNow.residentLimitBytes ?? 0) };
    };
    for (const part of [0.5, 0.96, 0.97, 0.5, 0.96, 0.9, 0.96, 0.96, 0.5]) {
      hold(part);
      await host.advance(1_000);
    }
    expect(alarms).toEqual([]);
  });
});
