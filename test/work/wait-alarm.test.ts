import { describe, expect, it } from 'vitest';
import type { Timer } from '../../src/base/host.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { type Timed, WaitAlarm } from '../../src/work/wait-alarm.ts';

class Wait implements Timed<Wait> {
  sooner: Wait | undefined = undefined;
  later: Wait | undefined = undefined;
  isTimed = false;
  ownTimer: Timer | undefined = undefined;
  readonly waitsUntil: number;
  readonly #over: (wait: Wait) => void;

  constructor(waitsUntil: number, over: (wait: Wait) => void) {
    this.waitsUntil = waitsUntil;
    this.#over = over;
  }

  waitIsOver(): void {
    this.#over(this);
  }
}

const stage = () => {
  const host = new SimulatedHost();
  const alarm = new WaitAlarm<Wait>(host, 'checkout');
  const over: (readonly [number, number])[] = [];
  const add = (waitMs: number, then?: () => void) => {
    const wait = new Wait(host.monotonic() + waitMs, ({ waitsUntil }) => {
      over.push([waitsUntil, host.monotonic()]);
      then?.();
    });
    alarm.add(wait, host.monotonic());
    return wait;
  };
  return { host, alarm, over, add };
};

describe('the alarm of those who wait', () => {
  it('tells each at the end of its wait, whatever the order in which they came', async () => {
    const { host, over, add } = stage();
    const start = host.monotonic();
    for (const waitMs of [50, 80, 20, 80, 10, 95, 60]) add(waitMs);
    await host.advance(200);
    const ends = [10, 20, 50, 60, 80, 80, 95].map((ms) => start + ms);
    expect(over).toEqual(ends.map((end) => [end, end]));
  });

  it('tells nobody who has left, be it first, last, in the midst or out of the order', async () => {
    const { host, alarm, over, add } = stage();
    const waits = [10, 20, 30, 40, 5].map((waitMs) => add(waitMs));
    for (const left of [0, 2, 3, 4]) alarm.remove(waits[left] as Wait);
    alarm.remove(waits[0] as Wait);
    await host.advance(100);
    expect(over.map(([until]) => until)).toEqual([waits[1]?.waitsUntil]);
  });

  it('has one timer for a thousand who came in order, and none once the last has left', () => {
    const { host, alarm, add } = stage();
    const before = host.pendingTimers().length;
    const waits = Array.from({ length: 1_000 }, () => add(30));
    expect(host.pendingTimers().length).toBe(before + 1);
    for (const wait of waits) alarm.remove(wait);
    expect(host.pendingTimers().length).toBe(before);
  });

  it('goes on for those whom somebody brings in being told, and sets no timer twice', async () => {
    const { host, over, add } = stage();
    const start = host.monotonic();
    add(10, () => void add(10, () => void add(10)));
    add(25);
    await host.advance(100);
    expect(over.map(([, at]) => at - start)).toEqual([10, 20, 25, 30]);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('never tells whoever waits without end', async () => {
    const { host, over, add } = stage();
    add(Number.POSITIVE_INFINITY);
    expect(host.pendingTimers()).toEqual([]);
    await host.advance(1_000_000);
    expect(over).toEqual([]);
  });
});
