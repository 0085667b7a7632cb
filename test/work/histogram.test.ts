import { describe, expect, it } from 'vitest';
import { Histogram } from '../../src/work/histogram.ts';

describe('a histogram', () => {
  it('knows nothing while it is empty', () => {
    expect(new Histogram().report()).toEqual({
      count: 0,
      meanMs: 0,
      p50Ms: 0,
      p90Ms: 0,
      p99Ms: 0,
      p999Ms: 0,
      maxMs: 0,
    });
  });

  it('gives each quantile within 7 % of the exact one, from microseconds to a day', () => {
    for (const scale of [0.01, 1, 50, 3_000, 4_000_000]) {
      const histogram = new Histogram();
      for (let n = 1; n <= 1_000; n++) histogram.record((n / 1_000) * scale);
      for (const part of [0.1, 0.5, 0.9, 0.99, 1]) {
        const [exact, told] = [part * scale, histogram.quantile(part)];
        expect(Math.abs(told - exact), `${part} of ${scale}`).toBeLessThanOrEqual(exact * 0.07 + 0.001);
      }
    }
  });

  it('keeps count, mean and maximum exactly, and takes what is not a duration for none', () => {
    const histogram = new Histogram();
    for (const ms of [1, 2, 6, -5, Number.NaN]) histogram.record(ms);
    expect(histogram.report()).toMatchObject({ count: 5, meanMs: 1.8, maxMs: 6 });
  });

  it('takes what is longer than all its buckets for the longest', () => {
    const histogram = new Histogram();
    histogram.record(1e15);
    expect(histogram.report()).toMatchObject({ count: 1, maxMs: 1e15 });
    expect(histogram.quantile(0.5)).toBeGreaterThan(86_400_000);
  });
});
