import { describe, expect, it } from 'vitest';
import { createRandom, type Random } from '../../src/base/random.ts';
import {
  type BackoffOptions,
  boundedMs,
  createBackoff,
  decorrelatedMs,
  exponentialMs,
} from '../../src/resilience/backoff.ts';

const random = createRandom(1);
const chance = (value: number): Random => ({ next: () => value, below: () => 0 });
const LOWEST = chance(0);
const HIGHEST = chance(1 - Number.EPSILON);

const first = (count: number, options: BackoffOptions): number[] => {
  const backoff = createBackoff({ jitter: 'none', baseMs: 100, ...options });
  return Array.from({ length: count }, (_, i) => backoff.delayMs(i + 1, 0, random));
};

describe('the vectors of the system that went before', () => {
  it('linear grows by the base', () => {
    expect(first(4, { kind: 'linear' })).toEqual([100, 200, 300, 400]);
  });

  it('exponential doubles', () => {
    expect(first(4, { kind: 'exponential' })).toEqual([100, 200, 400, 800]);
  });

  it('fibonacci adds the last two', () => {
    expect(first(5, { kind: 'fibonacci' })).toEqual([100, 100, 200, 300, 500]);
  });

  it('constant stays', () => {
    expect(first(3, { kind: 'constant' })).toEqual([100, 100, 100]);
  });

  it('a cap of 500 holds at attempt 10', () => {
    for (const kind of ['linear', 'exponential', 'fibonacci'] as const)
      expect(createBackoff({ kind, baseMs: 100, maxMs: 500, jitter: 'none' }).delayMs(10, 0, random)).toBe(
        500,
      );
  });

  it('attempt 1,000 from 1 ms gives the cap of 10,000', () => {
    expect(createBackoff({ baseMs: 1, maxMs: 10_000, jitter: 'none' }).delayMs(1_000, 0, random)).toBe(
      10_000,
    );
  });

  it('a base below zero never gives a delay below zero, and is refused as an option', () => {
    expect(boundedMs(exponentialMs(3, -100), 30_000)).toBe(0);
    expect(() => createBackoff({ baseMs: -100 })).toThrow('baseMs');
    expect(createBackoff({ kind: 'custom', delay: () => -100 }).delayMs(1, 0, random)).toBe(0);
  });

  it('a custom function that throws at attempt 2 falls back to 200', () => {
    const delay = () => {
      throw new Error('no idea');
    };
    expect(first(2, { kind: 'custom', delay })[1]).toBe(200);
  });
});

describe('chance', () => {
  it('decorrelated delays lie between the base and three times the one before, under the cap', () => {
    const backoff = createBackoff({ kind: 'decorrelated', baseMs: 100, maxMs: 1_000 });
    expect(backoff.delayMs(1, 0, LOWEST)).toBe(100);
    expect(backoff.delayMs(1, 0, HIGHEST)).toBeCloseTo(300);
    expect(backoff.delayMs(2, 200, HIGHEST)).toBeCloseTo(600);
    expect(backoff.delayMs(9, 900, HIGHEST)).toBeCloseTo(1_000);
  });

  it('equal jitter is a quarter either way, full jitter anything below', () => {
    const equal = createBackoff({ baseMs: 1_000, jitter: 'equal' });
    expect(equal.delayMs(1, 0, LOWEST)).toBe(750);
    expect(equal.delayMs(1, 0, HIGHEST)).toBeCloseTo(1_250);
    const full = createBackoff({ baseMs: 1_000, jitter: 'full' });
    expect(full.delayMs(1, 0, LOWEST)).toBe(0);
    expect(full.delayMs(1, 0, HIGHEST)).toBeCloseTo(1_000);
  });

  it('defect: jitter can exceed the cap – it never does', () => {
    const backoff = createBackoff({ baseMs: 1_000, maxMs: 1_000, jitter: 'equal' });
    expect(backoff.delayMs(5, 0, HIGHEST)).toBeLessThanOrEqual(1_000);
  });

  it('defect: delays under 4 crash in jitter – they are spread like any other', () => {
    for (const baseMs of [0, 0.5, 1, 2, 3])
      expect(createBackoff({ baseMs }).delayMs(1, 0, HIGHEST)).toBeCloseTo(baseMs * 1.25);
  });

  it('defect: the last decorrelated delay leaks across operations – a strategy holds no state', () => {
    const backoff = createBackoff({ kind: 'decorrelated', baseMs: 100, maxMs: 60_000 });
    const operation = () => {
      let last = 0;
      const next = createRandom(7);
      return Array.from({ length: 5 }, (_, i) => {
        last = backoff.delayMs(i + 1, last, next);
        return last;
      });
    };
    expect(operation()).toEqual(operation());
    expect(decorrelatedMs(0, { baseMs: 500, maxMs: 100 }, HIGHEST)).toBe(100);
  });
});

describe('what a custom function may answer', () => {
  it('falls back where it gives no number, and is cut where it gives too much', () => {
    const answers = [undefined, Number.NaN, 'soon', Number.POSITIVE_INFINITY];
    const delays = answers.map((answer) =>
      createBackoff({ kind: 'custom', baseMs: 100, jitter: 'none', delay: () => answer as never }).delayMs(
        1,
        0,
        random,
      ),
    );
    expect(delays).toEqual([100, 100, 100, 30_000]);
  });
});

describe('options', () => {
  it.each([
    { kind: 'cubic' },
    { factor: 0.5 },
    { maxMs: Number.POSITIVE_INFINITY },
    { jitterRatio: 2 },
    { kind: 'custom' },
    { delay: () => 1 },
    { maxMS: 5 },
  ])('refuses %o', (options) => {
    expect(() => createBackoff(options as never)).toThrow(/ERR_OPTION_/);
  });
});
