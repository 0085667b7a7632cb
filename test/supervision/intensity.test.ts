import { describe, expect, it } from 'vitest';
import { RestartLimit } from '../../src/supervision/restart-limit.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { gate, watch } from '../kernel/rig.ts';
import { createCompany } from './rig.ts';

/** Crashes of one child at these instants; says whether its supervisor still lives. */
const survives = async (options: { intensity?: number; periodMs?: number }, instants: readonly number[]) => {
  const company = createCompany();
  const a = company.worker('a');
  await company.start(company.supervise([a], options));
  for (const at of instants) {
    await company.host.advance(at - company.host.monotonic());
    company.end(a, 'crash');
    await company.host.settle();
  }
  return company.ends('root').length === 0;
};

describe('restart intensity', () => {
  it('is 3 in 5,000 ms unless told otherwise', async () => {
    expect(await survives({}, [0, 1, 2])).toBe(true);
    expect(await survives({}, [0, 1, 2, 3])).toBe(false);
    expect(await survives({}, [0, 1, 2, 5_000])).toBe(false);
    expect(await survives({}, [0, 1, 2, 5_001])).toBe(true);
  });

  it('includes the old edge of its window: a restart counts while t ≥ now − periodMs', async () => {
    expect(await survives({ intensity: 1, periodMs: 5_000 }, [0, 5_000])).toBe(false);
    expect(await survives({ intensity: 1, periodMs: 5_000 }, [0, 5_001])).toBe(true);
    expect(await survives({ intensity: 2, periodMs: 100 }, [0, 50, 100])).toBe(false);
    expect(await survives({ intensity: 2, periodMs: 100 }, [0, 50, 101, 151, 202])).toBe(true);
  });

  it('of zero gives up at the first crash', async () => {
    expect(await survives({ intensity: 0 }, [0])).toBe(false);
  });

  it('allows any number that are spread beyond the period', async () => {
    const instants = Array.from({ length: 30 }, (_, i) => i * 1_001);
    expect(await survives({ intensity: 1, periodMs: 1_000 }, instants)).toBe(true);
  });

  it('is shared by all children of a supervisor', async () => {
    const company = createCompany();
    const [a, b] = [company.worker('a'), company.worker('b')];
    await company.start(company.supervise([a, b], { intensity: 1 }));
    await company.fell(a, 'crash');
    expect(company.ends('root')).toEqual([]);
    expect(await company.fell(b, 'crash')).toEqual(['-b1', '-a2']);
    expect(company.ends('root')).toHaveLength(1);
  });

  it('counts the normal ends of permanent children, too', async () => {
    const company = createCompany();
    const a = company.worker('a');
    await company.start(company.supervise([a], { intensity: 1 }));
    await company.fell(a, 'normal');
    await company.fell(a, 'normal');
    expect(company.ends('root')).toHaveLength(1);
  });

  it('says how much of it is used', async () => {
    const company = createCompany();
    const a = company.worker('a');
    await company.start(company.supervise([a], { intensity: 3, periodMs: 700 }));
    await company.fell(a, 'crash');
    await company.fell(a, 'crash');
    expect(company.told('supervisor.child.restarted')).toMatchObject([
      { path: 'root', child: 'a', restarts: 1, used: 1, intensity: 3, periodMs: 700 },
      { restarts: 2, used: 2 },
    ]);
    expect(company.system.drawTree()).toContain('restarts 2 of 3 in 700 ms');
  });

  it('costs the same however many restarts it holds', () => {
    const limit = new RestartLimit(1_000_000, 1_000);
    let allowed = 0;
    for (let i = 0; i < 200_000; i++) allowed += limit.allows(i / 100) ? 1 : 0;
    expect(allowed).toBe(200_000);
    expect(limit.used(2_000)).toBeLessThanOrEqual(100_001);
  });
});

describe('giving up', () => {
  it('stops the children in reverse and ends with a reason that parents take for abnormal', async () => {
    const company = createCompany();
    const [a, b, c] = [company.worker('a'), company.worker('b'), company.worker('c')];
    const inner = supervisor('inner', {
      children: [a, b, c],
      intensity: 0,
      periodMs: 1_000,
      restart: 'transient',
      backoff: false,
    });
    await company.start(company.supervise([inner]));
    expect(await company.fell(b, 'crash')).toEqual(['-b1', '-c1', '-a1', '+a2', '+b2', '+c2']);
    const gaveUp = { supervisor: 'root/inner', child: 'b', restarts: 0, periodMs: 1_000 };
    expect(company.ends('root/inner')).toMatchObject([
      { gaveUp: { ...gaveUp, last: { error: { message: 'crash of b' } } } },
    ]);
    expect(company.told('supervisor.gave_up')).toMatchObject([
      { path: 'root/inner', child: 'b', restarts: 0 },
    ]);
    expect(company.told('supervisor.child.ended').at(-1)).toMatchObject({ path: 'root', child: 'inner' });
  });

  it("is OTP's silent one with onGiveUp: 'shutdown': a transient supervisor is then not started again", async () => {
    const company = createCompany();
    const a = company.worker('a');
    const inner = supervisor('inner', {
      children: [a],
      intensity: 0,
      restart: 'transient',
      backoff: false,
      onGiveUp: 'shutdown',
    });
    await company.start(company.supervise([inner]));
    expect(await company.fell(a, 'crash')).toEqual(['-a1']);
    expect(company.ends('root/inner')).toEqual(['shutdown']);
    expect(company.told('supervisor.gave_up')).toHaveLength(1);
  });

  it('escalates level by level, each with its own count', async () => {
    const company = createCompany();
    const a = company.worker('a');
    const inner = supervisor('inner', { children: [a], intensity: 1, backoff: false });
    await company.start(company.supervise([inner], { intensity: 1 }));
    for (let crash = 0; crash < 3; crash++) await company.fell(a, 'crash');
    expect(company.ends('root')).toEqual([]);
    await company.fell(a, 'crash');
    expect(company.ends('root')).toMatchObject([
      { gaveUp: { child: 'inner', last: { gaveUp: { supervisor: 'root/inner', child: 'a' } } } },
    ]);
  });

  it('begins nothing new: what was asked for behind the last crash is refused, not started', async () => {
    const company = createCompany();
    const ready = gate();
    const stopping = gate();
    const a = company.worker('a', { onStop: () => stopping.passed });
    const [b, slow] = [company.worker('b'), company.worker('slow', { starts: [ready.passed] })];
    const handle = await company.start(company.supervise([a, b], { intensity: 0 }));
    company.news();
    const started = watch(handle.startChild(slow));
    await company.host.settle();
    company.end(b, 'crash');
    await company.host.settle();
    const queued = watch(handle.startChild(company.worker('queued')));
    await company.host.settle();
    ready.open();
    await company.host.settle();
    const late = watch(handle.startChild(company.worker('late')));
    await company.host.settle();
    stopping.open();
    await company.host.settle();
    expect(company.news()).toEqual(['-b1', '+slow1', '-slow1', '-a1']);
    expect(started.now).toMatchObject({ path: 'root/slow' });
    expect([queued, late]).toMatchObject([{ outcome: 'not_started' }, { outcome: 'not_started' }]);
  });

  it('at the n-th failure in a row of one child with giveUp: { afterFailures }, whatever the window', async () => {
    const company = createCompany();
    const [a, b] = [company.worker('a'), company.worker('b')];
    const options = { giveUp: { afterFailures: 2 }, intensity: 0, periodMs: 1 };
    await company.start(company.supervise([a, b], options));
    for (const spec of [a, b, a, b]) await company.fell(spec, 'crash');
    expect(company.ends('root')).toEqual([]);
    await company.fell(a, 'crash');
    expect(company.ends('root')).toMatchObject([{ gaveUp: { child: 'a', restarts: 2 } }]);
  });

  it('forgets failures in a row after 10,000 ms of running, also where nothing backs off', async () => {
    const company = createCompany();
    const a = company.worker('a');
    await company.start(company.supervise([a], { giveUp: { afterFailures: 1 } }));
    for (let crash = 0; crash < 5; crash++) {
      await company.host.advance(10_000);
      await company.fell(a, 'crash');
    }
    expect(company.ends('root')).toEqual([]);
    await company.fell(a, 'crash');
    expect(company.ends('root')).toHaveLength(1);
  });

  it("never comes with giveUp: 'never'", async () => {
    const company = createCompany();
    const a = company.worker('a');
    await company.start(company.supervise([a], { giveUp: 'never' }));
    for (let crash = 0; crash < 50; crash++) await company.fell(a, 'crash');
    expect(company.ends('root')).toEqual([]);
  });
});
