/** The guide says what the code has. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { defaultClassifier } from '../../src/index.ts';
import * as kit from '../../src/resilience/index.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { ok } from './deferred.ts';

const guide = readFileSync(new URL('../../docs/guides/resilience.md', import.meta.url), 'utf8');

describe('docs/guides/resilience.md', () => {
  it('names only what is exported', () => {
    // The left columns of the tables name what the others have.
    const ours = guide.replace(/^\| `?new CircuitBreaker.*?\|/gm, '');
    const named = new Set(
      [...ours.matchAll(/\b(create[A-Z]\w+|SENSIBLE_ORDER|wrap)\b/g)].map(([name]) => name),
    );
    expect(named.size).toBeGreaterThan(10);
    for (const name of named) expect(kit, name).toHaveProperty(name);
  });

  it('tells the sensible order', () => {
    const [, told = ''] = /Outermost first: ([^.]+)\./.exec(guide) ?? [];
    const kinds = told
      .replace(/\s*\([^)]*\)/g, '')
      .split(',')
      .map((word) => word.trim().replace('single-flight', 'single_flight').replaceAll(/\s+/g, '_'));
    expect(kinds).toEqual(kit.SENSIBLE_ORDER);
  });

  it('every threshold that it recommends is an option', () => {
    const host = new SimulatedHost();
    for (const options of [
      { window: { kind: 'consecutive', failures: 5 } },
      { window: { kind: 'count', size: 100, failureRate: 0.5 } },
      { window: { kind: 'time', windowMs: 10_000, minimumCalls: 20, slowMs: 200, slowRate: 0.5 } },
      { openMs: { baseMs: 1_000, maxMs: 60_000, jitter: 'equal' } },
      { successThreshold: 3, probeCalls: 5 },
    ] as const)
      expect(kit.createCircuitBreaker({ host, ...options }).inspect().state).toBe('closed');
  });

  it('its example runs, and warns of nothing', async () => {
    const host = new SimulatedHost();
    const prices = kit.wrap(
      kit.createTimeout({ host, timeoutMs: 2_000 }),
      kit.createRetry({ host, maxAttempts: 3, backoff: { baseMs: 50 }, classifier: defaultClassifier }),
      kit.createBulkhead({ host, limit: 20 }),
      kit.createCircuitBreaker({ host, name: 'prices', window: { kind: 'time', minimumCalls: 20 } }),
    );
    expect(prices.misorders).toEqual([]);
    expect(await prices.execute(ok)).toBe('ok');
    expect(host.pendingTimers()).toEqual([]);
  });
});
