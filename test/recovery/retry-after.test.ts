import { describe, expect, it } from 'vitest';
import { createClassifier, defaultClassifier } from '../../src/recovery/classification.ts';

describe('Retry-After', () => {
  const at = Date.UTC(2026, 0, 2, 3, 4, 5);
  const classifier = createClassifier({ wall: () => at });
  const delayOf = (headers: unknown, by = classifier): number | undefined =>
    by.classify({ status: 503, headers }).retryAfterMs;

  it.each([
    ['120', 120_000],
    [' 0 ', 0],
    ['Fri, 02 Jan 2026 03:05:05 GMT', 60_000],
    ['Friday, 02-Jan-26 03:05:05 GMT', 60_000],
    ['Fri Jan  2 03:05:05 2026', 60_000],
    ['Fri, 02 Jan 2026 03:00:00 GMT', 0],
    ['-1', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['', undefined],
    ['9'.repeat(100_000), undefined],
    ['Fri, 02 Foo 2026 03:05:05 GMT', undefined],
    ['Fri, 02 Jan 2026 24:05:05 GMT', undefined],
  ])('%j is %s ms', (field, expected) => {
    expect(delayOf({ 'Retry-After': field })).toBe(expected);
  });
  it('is read from Headers, Maps, plain objects of any case, arrays and numbers', () => {
    expect(delayOf(new Headers({ 'Retry-After': '2' }))).toBe(2_000);
    expect(delayOf(new Map([['retry-after', '2']]))).toBe(2_000);
    expect(delayOf({ 'RETRY-AFTER': ['2', '3'] })).toBe(2_000);
    expect(delayOf({ 'retry-after': 2 })).toBe(2_000);
  });
  it('without a clock a date counts from the response’s own Date', () => {
    const headers = { date: 'Fri, 02 Jan 2026 03:04:00 GMT', 'retry-after': 'Fri, 02 Jan 2026 03:05:00 GMT' };
    expect(delayOf(headers, defaultClassifier)).toBe(60_000);
    expect(delayOf({ 'retry-after': headers['retry-after'] }, defaultClassifier)).toBeUndefined();
  });
  it('headers that throw when read say nothing', () => {
    const get = () => {
      throw new Error('trap');
    };
    expect(delayOf({ get })).toBeUndefined();
  });
});
