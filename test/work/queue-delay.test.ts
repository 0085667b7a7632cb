import { describe, expect, it } from 'vitest';
import { QueueDelay } from '../../src/work/queue-delay.ts';

/** The instants at which one is shed, where somebody comes through every `everyMs` with a delay as told. */
const shedAt = (delay: QueueDelay, from: number, to: number, everyMs: number, delayMs: number): number[] => {
  const instants: number[] = [];
  for (let now = from; now < to; now += everyMs) while (delay.sheds(delayMs, now)) instants.push(now);
  return instants;
};

describe('the delay of a queue', () => {
  it('sheds nothing of a burst that is over within the interval', () => {
    const delay = new QueueDelay({ targetMs: 20, intervalMs: 100 });
    expect(shedAt(delay, 0, 100, 10, 90)).toEqual([]);
    expect(delay.sheds(19, 100)).toBe(false);
    expect(shedAt(delay, 110, 210, 10, 90)).toEqual([]);
  });

  it('sheds one after the interval, and then sooner and sooner while it does not help', () => {
    const delay = new QueueDelay({ targetMs: 20, intervalMs: 100 });
    const instants = shedAt(delay, 0, 1_000, 1, 90);
    expect(instants.slice(0, 4)).toEqual([100, 200, 271, 329]);
    const gaps = instants.slice(1).map((at, index) => at - (instants[index] as number));
    expect(gaps).toEqual([...gaps].sort((a, b) => b - a));
  });

  it('stops at once when somebody comes through in good time', () => {
    const delay = new QueueDelay({ targetMs: 20, intervalMs: 100 });
    expect(shedAt(delay, 0, 300, 10, 90).length).toBeGreaterThan(1);
    expect(delay.sheds(5, 300)).toBe(false);
    expect(shedAt(delay, 310, 410, 10, 90)).toEqual([]);
  });

  it('takes up about the pace of before where it has just stopped', () => {
    const delay = new QueueDelay({ targetMs: 20, intervalMs: 100 });
    const before = shedAt(delay, 0, 1_000, 1, 90).length;
    delay.sheds(5, 1_000);
    const again = shedAt(delay, 1_001, 2_001, 1, 90);
    expect(again.length).toBeGreaterThan(before);
  });

  it('never sheds where the target is Infinity', () => {
    expect(shedAt(new QueueDelay({ targetMs: Infinity, intervalMs: 1 }), 0, 100, 1, 1e9)).toEqual([]);
  });
});
