import { describe, expect, it } from 'vitest';
import type { Backoff, Spec } from '../../src/kernel/spec.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import type { RawHandle } from '../kernel/rig.ts';
import { type Company, createCompany } from './rig.ts';

const PLAIN = { jitter: 'none', baseMs: 100 } as const;

const one = async (backoff: Partial<Backoff> = PLAIN, giveUp: 'never' | undefined = 'never') => {
  const company = createCompany();
  const a = company.worker('a');
  const tree = company.supervise([a], { backoff, ...(giveUp === undefined ? {} : { giveUp }) });
  const handle = await company.start(tree);
  company.news();
  return { ...company, a, handle };
};

/** Crashes a child so many times, each as soon as it is up again; the delays before its restarts. */
const delays = async (company: Company, spec: Spec<RawHandle>, crashes: number): Promise<number[]> => {
  const waits: number[] = [];
  for (let n = 0; n < crashes; n++) {
    const at = company.host.monotonic();
    const before = company.system.get(spec).ref()?.incarnation;
    company.end(spec, 'crash');
    await company.host.settle();
    await company.host.runUntil(() => {
      const now = company.system.get(spec).ref()?.incarnation;
      return now !== undefined && now !== before;
    }, 120_000);
    waits.push(company.host.monotonic() - at);
  }
  return waits;
};

describe('backoff', () => {
  it('starts again at once first, then after 100 ms, doubling', async () => {
    const company = await one();
    expect(await delays(company, company.a, 6)).toEqual([0, 100, 200, 400, 800, 1_600]);
    expect(company.told('supervisor.child.backing_off')).toMatchObject([
      { path: 'root', child: 'a', delayMs: 100, failures: 2 },
      { delayMs: 200, failures: 3 },
      { delayMs: 400 },
      { delayMs: 800 },
      { delayMs: 1_600, failures: 6 },
    ]);
  });

  it('grows by its factor to its cap, and waits before the first restart where told to', async () => {
    const company = await one({ jitter: 'none', baseMs: 10, factor: 3, maxMs: 100, delayFirst: true });
    expect(await delays(company, company.a, 5)).toEqual([10, 30, 90, 100, 100]);
  });

  it('jitters between 0 and the delay unless told otherwise', async () => {
    const company = await one({ baseMs: 1_000, factor: 1 });
    const waits = await delays(company, company.a, 30);
    expect(waits[0]).toBe(0);
    const jittered = waits.slice(1);
    expect(Math.min(...jittered)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...jittered)).toBeLessThanOrEqual(1_001);
    expect(new Set(jittered.map(Math.round)).size).toBeGreaterThan(20);
  });

  it('forgets failures in a row once a child has run for stableMs', async () => {
    const company = await one({ ...PLAIN, stableMs: 500 });
    expect(await delays(company, company.a, 3)).toEqual([0, 100, 200]);
    await company.host.advance(499);
    expect(await delays(company, company.a, 1)).toEqual([400]);
    await company.host.advance(500);
    expect(await delays(company, company.a, 2)).toEqual([0, 100]);
  });

  it('counts time from the very start of the clock, too', async () => {
    const company = await one({ ...PLAIN, stableMs: 500, delayFirst: true });
    expect(company.host.monotonic()).toBe(0);
    company.end(company.a, 'crash');
    await company.host.advance(100);
    await company.host.advance(500);
    expect(await delays(company, company.a, 1)).toEqual([100]);
  });

  it('is a state: the child is listed as restarting, and shown as backing off', async () => {
    const { host, handle, system, fell, a } = await one({ ...PLAIN, delayFirst: true });
    await fell(a, 'crash');
    expect(await host.runUntil(handle.whichChildren())).toEqual([
      { id: 'a', status: 'restarting', type: 'worker' },
    ]);
    expect(await host.runUntil(handle.countChildren())).toMatchObject({ specs: 1, active: 0 });
    expect(system.tree()[0]?.children).toMatchObject([{ id: 'a', status: 'backing_off' }]);
    expect(host.pendingTimers()).toMatchObject([{ label: 'backoff a', dueMs: 100 }]);
  });

  it('is cancelled by terminateChild, after which the child is stopped and may be deleted', async () => {
    const { host, handle, fell, news, a } = await one({ ...PLAIN, delayFirst: true });
    await fell(a, 'crash');
    await expect(host.runUntil(handle.deleteChild('a'))).rejects.toMatchObject({
      code: 'ERR_CHILD_RESTARTING',
    });
    await expect(host.runUntil(handle.restartChild('a'))).rejects.toMatchObject({
      code: 'ERR_CHILD_RESTARTING',
    });
    await host.runUntil(handle.terminateChild('a'));
    expect(host.pendingTimers()).toEqual([]);
    await host.advance(1_000);
    expect(news()).toEqual([]);
    await host.runUntil(handle.deleteChild('a'));
    expect(await host.runUntil(handle.whichChildren())).toEqual([]);
  });

  it('is cancelled by the stop of its supervisor', async () => {
    const { host, system, fell, news, a } = await one({ ...PLAIN, delayFirst: true });
    await fell(a, 'crash');
    await host.runUntil(system.shutdown());
    await host.advance(1_000);
    expect(news()).toEqual([]);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('counts a failed start as the failure that it is, once, when it is detected', async () => {
    const company = createCompany();
    const a = company.worker('a', { starts: ['ok', 'fail', 'fail'] });
    await company.start(company.supervise([a], { backoff: PLAIN, intensity: 3 }));
    company.end(a, 'crash');
    await company.host.advance(299);
    expect(company.news()).toEqual(['+a1', '-a1', '!a2', '!a3']);
    await company.host.advance(1);
    expect(company.news()).toEqual(['+a4']);
    expect(company.told('supervisor.child.restarted')).toMatchObject([{ restarts: 1, used: 3 }]);
  });

  it("of a child's own goes over its supervisor's; false restarts at once", async () => {
    const company = createCompany();
    const [a, b, c] = [
      company.worker('a', { backoff: false }),
      company.worker('b', { backoff: { delayFirst: true } }),
      company.worker('c', { backoff: { baseMs: 7, delayFirst: true } }),
    ];
    await company.start(company.supervise([a, b, c], { backoff: PLAIN, giveUp: 'never' }));
    expect(await delays(company, a, 3)).toEqual([0, 0, 0]);
    expect(await delays(company, b, 2)).toEqual([100, 200]);
    expect(await delays(company, c, 2)).toEqual([7, 14]);
  });
});

describe('options under which the limit can never be reached', () => {
  it('are refused, unless another way to give up is chosen', () => {
    const company = createCompany();
    const child = company.worker('slow');
    const make = (options: object) => () => supervisor('root', { children: [child], ...options });
    const slow = { backoff: { baseMs: 4_000, factor: 1 } };
    expect(make({ ...slow, intensity: 3 })).toThrow(
      expect.objectContaining({
        code: 'ERR_INTENSITY_UNREACHABLE',
        data: expect.objectContaining({ child: 'slow' }),
      }),
    );
    expect(make({ ...slow, intensity: 1 })).not.toThrow();
    expect(make({ ...slow, intensity: 3, periodMs: 8_000 })).not.toThrow();
    expect(make({ ...slow, intensity: 3, periodMs: 7_999 })).toThrow(/ERR_INTENSITY_UNREACHABLE/);
    expect(make({ ...slow, giveUp: 'never' })).not.toThrow();
    expect(make({ ...slow, giveUp: { afterFailures: 5 } })).not.toThrow();
    expect(make({ backoff: false, intensity: 1_000_000_000 })).not.toThrow();
    expect(make({ backoff: { baseMs: 0 }, intensity: Number.MAX_SAFE_INTEGER })).not.toThrow();
    expect(make({})).not.toThrow();
  });

  it('are refused for a child that comes later, too', async () => {
    const company = createCompany();
    const handle = await company.start(company.supervise([]));
    const late = company.worker('late', { backoff: { baseMs: 10_000, delayFirst: true } });
    await expect(company.host.runUntil(handle.startChild(late))).rejects.toMatchObject({
      code: 'ERR_INTENSITY_UNREACHABLE',
    });
    expect(() => company.system.get(late)).toThrow(/ERR_SPEC_UNKNOWN/);
  });

  it('name what is wrong with an option', () => {
    for (const wrong of [
      { giveUp: 'always' },
      { giveUp: { afterFailures: 0 } },
      { giveUp: { afterFailures: 1, more: 2 } },
      { intensity: -1 },
      { periodMs: 0 },
      { strategy: 'all' },
      { backoff: { factor: 0 } },
      { backoff: { jitter: 'some' } },
      { backoff: true },
      { children: 7 },
      { children: [{}] },
      { onGiveUp: 'cry' },
      { inputs: 1 },
      { input: 1 },
      { onShutdown: 'drain' },
    ])
      expect(() => supervisor('root', { children: [], ...wrong } as never)).toThrow(/ERR_OPTION_/);
    for (const id of ['', 'a/b', 'a@b', 7])
      expect(() => supervisor(id as never, { children: [] })).toThrow(/id/);
  });
});
