/** Wherever one operation's code is run in the turn of another: it sees its own context, or none, never the other's. */
import { describe, expect, it } from 'vitest';
import { createBus } from '../../src/coordination/bus.ts';
import { contextKey, currentContext, withContext } from '../../src/coordination/context.ts';
import { createLocks } from '../../src/coordination/locks.ts';
import { createBulkhead } from '../../src/resilience/bulkhead.ts';
import { createHedge } from '../../src/resilience/hedge.ts';
import { createRateLimit } from '../../src/resilience/rate-limit.ts';
import { createRetry } from '../../src/resilience/retry.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { inProcess } from '../../src/work/in-process.ts';
import { pool } from '../../src/work/pool.ts';
import { createRig, gate, part } from '../kernel/rig.ts';

const who = contextKey<string>('who', { default: 'nobody' });
const here = (): string => currentContext().get(who);

/** Runs `call` for three operations at once; what each saw where it ran. */
const cross = async <T>(host: SimulatedHost, call: (name: string) => Promise<T>): Promise<readonly T[]> => {
  const calls = ['a', 'b', 'c'].map((name) => withContext(who.of(name), () => call(name)));
  const all = Promise.all(calls);
  return host.runUntil(all);
};

const later = async (): Promise<string> => {
  const first = here();
  await null;
  await null;
  return `${first}${here()}`;
};

describe('work that waits', () => {
  it('for a slot of a bulkhead', async () => {
    const host = new SimulatedHost();
    const bulkhead = createBulkhead({ host, limit: 1, queueLimit: 5 });
    expect(await cross(host, () => bulkhead.execute(later))).toEqual(['aa', 'bb', 'cc']);
  });

  it('for a permit of a rate limit', async () => {
    const host = new SimulatedHost();
    const limit = createRateLimit({ host, rate: 1, periodMs: 10, burst: 1 });
    expect(await cross(host, () => limit.execute(later))).toEqual(['aa', 'bb', 'cc']);
  });

  it('for its next attempt', async () => {
    const host = new SimulatedHost();
    const retry = createRetry({ host, backoff: { baseMs: 10, jitter: 'none' } });
    const failed = new Set<string>();
    const work = async (name: string): Promise<string> => {
      const seen = await later();
      if (failed.has(name)) return seen;
      failed.add(name);
      throw new Error('once');
    };
    expect(await cross(host, (name) => retry.execute(() => work(name)))).toEqual(['aa', 'bb', 'cc']);
  });

  it('for its hedge', async () => {
    const host = new SimulatedHost();
    const hedge = createHedge({ host, delayMs: 10, maxHedges: 1 });
    const begun = new Set<string>();
    const work = (name: string): Promise<string> => {
      if (begun.has(name)) return later();
      begun.add(name);
      return new Promise(() => {});
    };
    expect(await cross(host, (name) => hedge.execute(() => work(name)))).toEqual(['aa', 'bb', 'cc']);
  });

  it('for a lock', async () => {
    const host = new SimulatedHost();
    const locks = createLocks({ host });
    expect(await cross(host, () => locks.use('key', later))).toEqual(['aa', 'bb', 'cc']);
  });

  it('for a worker in this process, whoever made the worker', async () => {
    const rig = createRig();
    const handlers = { see: later };
    const spec = pool('p', { size: 1, start: 'lazy', worker: inProcess({ handlers }) });
    const handle = await rig.start(spec);
    expect(await cross(rig.host, () => handle.run('see'))).toEqual(['aa', 'bb', 'cc']);
  });
});

describe('what lives longer than the operation that caused it', () => {
  it('a resource of a worker is made in the context of nobody', async () => {
    const rig = createRig();
    const create = (): string => here();
    const handlers = { made: (_args: unknown, { resource }: { readonly resource: string }) => resource };
    const spec = pool('p', { size: 1, start: 'lazy', worker: inProcess({ create, handlers }) });
    const handle = await rig.start(spec);
    expect(await cross(rig.host, () => handle.run('made'))).toEqual(['nobody', 'nobody', 'nobody']);
  });
});

describe('mail', () => {
  it('of an actor is handled in the context of nobody', async () => {
    const rig = createRig();
    const handle = await rig.start(part('seer', () => ({ call: later })));
    expect(await cross(rig.host, () => handle.call('see'))).toEqual(Array(3).fill('nobodynobody'));
  });

  it("of an actor is handled in its sender's where the system carries it", async () => {
    const rig = createRig({ context: 'async' });
    const handle = await rig.start(part('seer', () => ({ call: later })));
    expect(await cross(rig.host, () => handle.call('see'))).toEqual(['aa', 'bb', 'cc']);
  });

  it("of a bus is handled in its publisher's, also where it had to wait", async () => {
    const host = new SimulatedHost();
    const bus = createBus<{ seen: string }>({ host });
    const seen: string[] = [];
    const held = gate();
    bus.subscribe('seen', async (name) => {
      await held.passed;
      seen.push(`${name}: ${await later()}`);
    });
    for (const name of ['a', 'b', 'c'])
      withContext(who.of(name), () => {
        void bus.publish('seen', name);
      });
    held.open();
    await host.settle();
    expect(seen).toEqual(['a: aa', 'b: bb', 'c: cc']);
  });
});
