import { describe, expect, it } from 'vitest';
import { misordersIn, SENSIBLE_ORDER } from '../../src/resilience/order.ts';

describe('orders', () => {
  it('the sensible order has nothing wrong with it', () => {
    expect(misordersIn(SENSIBLE_ORDER)).toEqual([]);
  });

  it.each([
    ['retry', 'fallback'],
    ['breaker', 'fallback'],
    ['breaker', 'retry'],
    ['bulkhead', 'retry'],
    ['rate_limit', 'retry'],
    ['bulkhead', 'hedge'],
    ['hedge', 'retry'],
    ['bulkhead', 'load_shedding'],
    ['chaos', 'breaker'],
  ])('%s outside of %s is wrong, and the other way round is not', (outer, inner) => {
    expect(misordersIn([outer, inner])).toMatchObject([{ outer, inner, why: expect.any(String) }]);
    expect(misordersIn([inner, outer])).toEqual([]);
  });

  it('a timeout may stand outside, inside, or both', () => {
    expect(misordersIn(['timeout', 'retry', 'timeout'])).toEqual([]);
  });
});
