import { describe, expect, it } from 'vitest';
import { createRegistry, type PolicyConfig } from '../../src/resilience/registry.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { down, ok, outcomeOf } from './deferred.ts';

const ALL: Required<Omit<PolicyConfig, 'fallback'>> & PolicyConfig = {
  chaos: {},
  attemptTimeout: { timeoutMs: 100 },
  breaker: { window: { kind: 'consecutive', failures: 2 } },
  bulkhead: { limit: 3 },
  adaptiveConcurrency: {},
  rateLimit: {},
  hedge: {},
  retry: { maxAttempts: 2, backoff: { baseMs: 10 } },
  timeout: { timeoutMs: 1_000 },
  loadShedding: {},
  singleFlight: {},
  fallback: { value: 'cached' },
};

const setUp = () => {
  const host = new SimulatedHost();
  const registry = createRegistry({
    host,
    policies: { prices: ALL, plain: {}, users: { bulkhead: { limit: 1 } } },
  });
  return { host, registry };
};

describe('a registry', () => {
  it('makes each name once, its policies in the sensible order', () => {
    const { registry } = setUp();
    expect(registry.get('prices')).toBe(registry.get('prices'));
    expect(registry.get('prices').misorders).toEqual([]);
    expect(registry.get('prices').policies.map(({ kind }) => kind)).toEqual([
      'fallback',
      'single_flight',
      'load_shedding',
      'timeout',
      'retry',
      'hedge',
      'rate_limit',
      'adaptive_concurrency',
      'bulkhead',
      'breaker',
      'timeout',
      'chaos',
    ]);
  });

  it('runs work under them, tells of all on one stream, and reports all', async () => {
    const { host, registry } = setUp();
    const seen: string[] = [];
    registry.events.listen(({ type }) => seen.push(type));
    expect(await host.runUntil(registry.get('prices').execute(down as () => Promise<string>))).toBe('cached');
    expect(await registry.get('plain').execute(ok)).toBe('ok');
    const told = seen.filter((type) => type !== 'concurrency.limit_changed');
    expect(told).toEqual(['retry.scheduled', 'breaker.opened', 'retry.exhausted', 'fallback.used']);
    expect(registry.inspect()).toMatchObject({
      prices: { breaker: { name: 'prices', state: 'open' }, retry: { retries: 1 }, fallback: { used: 1 } },
      plain: {},
      users: { bulkhead: { limit: 1, used: 0 } },
    });
    expect(() => JSON.stringify(registry.inspect())).not.toThrow();
  });

  it('refuses names and kinds that it does not know', () => {
    const { registry } = setUp();
    expect(() => registry.get('orders' as never)).toThrow('one of prices, plain, users');
    expect(() => createRegistry({ policies: { a: { braker: {} } as never } })).toThrow(
      'did you mean breaker',
    );
    expect(() => createRegistry({ policies: { a: { retry: { tries: 1 } as never } } })).toThrow(
      'ERR_OPTION_UNKNOWN',
    );
  });

  it('ends all at once', async () => {
    const { host, registry } = setUp();
    registry.dispose();
    registry.dispose();
    expect(await outcomeOf(registry.get('prices').execute(ok))).toBe('ERR_POLICY_DISPOSED');
    expect(host.pendingTimers()).toEqual([]);
  });
});
