import { describe, expect, it } from 'vitest';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { LazyAlarm } from '../../src/work/lazy-alarm.ts';

const setUp = () => {
  const host = new SimulatedHost();
  const rings: number[] = [];
  const alarm = new LazyAlarm(host, 'job', () => rings.push(host.monotonic()));
  return { host, rings, alarm };
};

describe('a lazy alarm', () => {
  it('rings at the deadline set last', async () => {
    const { host, rings, alarm } = setUp();
    alarm.set(100, 0);
    alarm.set(50, 0);
    alarm.set(80, 0);
    await host.advance(200);
    expect(rings).toEqual([80]);
  });

  it('does not ring once cleared, until another deadline is set', async () => {
    const { host, rings, alarm } = setUp();
    alarm.set(100, 0);
    alarm.clear();
    await host.advance(90);
    alarm.set(130, 90);
    await host.advance(100);
    expect(rings).toEqual([130]);
  });

  it('costs one timer for many deadlines', async () => {
    const { host, rings, alarm } = setUp();
    for (let n = 0; n < 50; n++) {
      alarm.set(host.monotonic() + 1_000, host.monotonic());
      expect(host.pendingTimers().length).toBe(1);
      expect(host.pendingTimers()[0]?.dueMs).toBe(1_000);
      alarm.clear();
      await host.advance(10);
    }
    await host.advance(5_000);
    expect(rings).toEqual([]);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('never rings for no deadline, and sets no timer', () => {
    const { host, alarm } = setUp();
    alarm.set(Infinity, 0);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('lets go of its timer when stopped', async () => {
    const { host, rings, alarm } = setUp();
    alarm.set(100, 0);
    alarm.stop();
    expect(host.pendingTimers()).toEqual([]);
    alarm.set(300, 0);
    await host.advance(500);
    expect(rings).toEqual([300]);
  });
});
