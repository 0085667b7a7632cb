/** What every store of locks must do, whether it answers in the same turn or after a while. */
import { describe, expect, it } from 'vitest';
import type { LockClaim, LockHolder, LockStore } from '../../src/coordination/lock-store.ts';
import { createLocks } from '../../src/coordination/locks.ts';
import { recordHistory } from '../../src/testing/history.ts';
import { checkLinearizable } from '../../src/testing/linearizability.ts';
import { type LockInput, type LockOutput, lockModel } from '../../src/testing/linearizable-models.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

export interface StoreUnderTest {
  readonly name: string;
  /** How long it may take until it has answered, ms. */
  readonly latencyMs: number;
  readonly open: (host: SimulatedHost, permits: number) => LockStore;
}

/** A holder that writes down what it is told, and whether it was told too much. */
class Told implements LockHolder {
  readonly heard: string[] = [];
  token = 0;

  get held(): boolean {
    return this.heard.at(-1) === 'granted';
  }

  granted(token: number): void {
    this.heard.push('granted');
    this.token = token;
  }

  refused(): void {
    this.heard.push('refused');
  }

  lost(why: string): void {
    this.heard.push(why);
  }
}

const CLAIM: LockClaim = { key: 'k', mode: 'exclusive', units: 1, ttlMs: Number.POSITIVE_INFINITY };

const rigOf =
  ({ latencyMs, open }: StoreUnderTest) =>
  (permits = 1) => {
    const host = new SimulatedHost({ seed: 5 });
    const store = open(host, permits);
    const rest = () => host.advance(latencyMs + 1);
    const claim = async (changes: Partial<LockClaim> = {}) => {
      const holder = new Told();
      const ticket = store.claim({ ...CLAIM, ...changes }, holder);
      await rest();
      return { holder, ticket };
    };
    return { host, store, rest, claim };
  };

type Rigs = ReturnType<typeof rigOf>;

/** Who is served, and when. */
const queueCases = (rig: Rigs): void => {
  it('grants a key to one at a time, in the order of the claims, with tokens that grow', async () => {
    const { claim, rest } = rig();
    const claims = [await claim(), await claim(), await claim()];
    const tokens: number[] = [];
    for (const { holder, ticket } of claims) {
      expect(claims.map(({ holder: each }) => each.held).filter(Boolean)).toHaveLength(1);
      expect(holder.held).toBe(true);
      tokens.push(holder.token);
      const released = Promise.resolve(ticket.release());
      await rest();
      expect(await released).toBe(true);
      holder.heard.push('released');
    }
    expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
    expect(new Set(tokens).size).toBe(3);
  });

  it('frees a key once, however often and however much at once it is asked to', async () => {
    const { claim, rest, store } = rig();
    const first = await claim();
    const second = await claim();
    const answers = Promise.all([first.ticket.release(), first.ticket.release(), first.ticket.release()]);
    await rest();
    expect((await answers).filter(Boolean)).toHaveLength(1);
    const late = Promise.resolve(first.ticket.release());
    await rest();
    expect(await late).toBe(false);
    expect(second.holder.held).toBe(true);
    void second.ticket.release();
    await rest();
    expect([...store.keys()]).toEqual([]);
  });

  it('leaves no ghost of who withdrew', async () => {
    const { claim, rest, store } = rig();
    const first = await claim();
    const gone = await claim();
    const third = await claim();
    gone.ticket.withdraw();
    gone.ticket.withdraw();
    await rest();
    expect(store.waiting('k')).toBe(1);
    void first.ticket.release();
    await rest();
    expect([gone.holder.heard, third.holder.heard]).toEqual([[], ['granted']]);
    void third.ticket.release();
    await rest();
    expect([...store.keys()]).toEqual([]);
  });
};

/** How a grant ends. */
const leaseCases = (rig: Rigs): void => {
  it('gives on what is granted while it is being withdrawn', async () => {
    for (const order of ['release first', 'withdraw first', 'withdraw at once'] as const) {
      const { claim, rest, store } = rig();
      const first = await claim();
      const holder = new Told();
      const crossing = store.claim(CLAIM, holder);
      if (order !== 'withdraw at once') await rest();
      if (order === 'release first') void first.ticket.release();
      const before = holder.heard.length;
      crossing.withdraw();
      if (order !== 'release first') void first.ticket.release();
      if (before > 0) void crossing.release();
      await rest();
      const third = await claim();
      expect(third.holder.held, order).toBe(true);
      expect(holder.heard.length, order).toBe(before);
    }
  });

  it('ends a lease that is not renewed, tells its holder once, and frees the key', async () => {
    const { claim, rest, host } = rig();
    const ttlMs = 60_000;
    const first = await claim({ ttlMs });
    const second = await claim();
    for (let round = 0; round < 3; round++) {
      await host.advance(ttlMs / 2);
      const renewed = Promise.resolve(first.ticket.renew());
      await rest();
      expect(await renewed).toBe(true);
    }
    await host.advance(ttlMs + 1);
    await rest();
    expect(first.holder.heard).toEqual(['granted', 'expired']);
    expect(second.holder.heard).toEqual(['granted']);
    const late = Promise.all([first.ticket.renew(), first.ticket.release()]);
    await rest();
    expect(await late).toEqual([false, false]);
  });
};

/** Who holds a key together, and all of it at once. */
const sharingCases = (rig: Rigs, { latencyMs, open }: StoreUnderTest): void => {
  it('lets readers in together, writers alone, and as many units as there are', async () => {
    const { claim, rest } = rig(3);
    const readers = [await claim({ mode: 'shared' }), await claim({ mode: 'shared' })];
    const writer = await claim({ units: 2 });
    const late = await claim({ mode: 'shared' });
    expect([...readers, writer, late].map(({ holder }) => holder.held)).toEqual([true, true, false, false]);
    for (const { ticket } of readers) void ticket.release();
    await rest();
    expect([writer.holder.held, late.holder.held]).toEqual([true, false]);
    void writer.ticket.release();
    await rest();
    expect(late.holder.held).toBe(true);
    const other = [await claim({ key: 'o', units: 2 }), await claim({ key: 'o' }), await claim({ key: 'o' })];
    expect(other.map(({ holder }) => holder.held)).toEqual([true, true, false]);
  });

  it('is linearizable under locks whose claims come, go, time out and are aborted; nothing is left', async () => {
    const host = new SimulatedHost({ seed: 3 });
    const locks = createLocks({ host, store: open(host, 1), maxWaitMs: 40 * (latencyMs + 1) });
    const history = recordHistory<LockInput, LockOutput>();
    const { random } = host;
    const worker = async (client: string): Promise<void> => {
      for (let round = 0; round < 12; round++) {
        const key = `k${random.below(2)}`;
        const abort = new AbortController();
        if (random.below(3) === 0)
          host.timer(random.below(latencyMs * 2 + 5), 'abort', () => abort.abort(new Error('left')));
        const call = history.call(client, key, { do: 'acquire' });
        try {
          const lease = await locks.acquire(key, { signal: abort.signal });
          call.returned(lease.token);
          await new Promise<void>((resolve) => host.timer(random.below(5), 'work', resolve));
          const release = history.call(client, key, { do: 'release', token: lease.token });
          release.returned(await lease.release());
        } catch {
          call.returned('refused');
        }
      }
    };
    await host.runUntil(Promise.all(['a', 'b', 'c', 'd'].map(worker)), 10_000_000);
    await host.advance(latencyMs * 4 + 1);
    const report = checkLinearizable(lockModel(), history.operations);
    expect(report.verdict, report.diagram).toBe('linearizable');
    const { keys, granted, released } = locks.inspect();
    expect(keys).toEqual([]);
    expect(released).toBe(granted);
    expect(granted).toBeGreaterThan(10);
  });
};

export const describeLockStore = (store: StoreUnderTest): void => {
  describe(`${store.name}, as a store of locks`, () => {
    const rig = rigOf(store);
    queueCases(rig);
    leaseCases(rig);
    sharingCases(rig, store);
  });
};
