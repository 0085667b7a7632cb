import { describe, expect, it } from 'vitest';
import type { LockLease } from '../../src/coordination/lock-lease.ts';
import { createLocks } from '../../src/coordination/locks.ts';
import { createSystem } from '../../src/kernel/system.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { part } from '../kernel/rig.ts';
import { expectEmpty } from './locks-rig.ts';

describe('10,000 cycles', () => {
  it('under random kills of the actors that lock leave nothing, and no two were in at once', async () => {
    const host = new SimulatedHost({ seed: 7 });
    const system = createSystem({ host });
    const locks = createLocks({ host });
    const inside = new Map<string, number>();
    let cycles = 0;
    let overlaps = 0;
    const work = async (key: string, lease: LockLease): Promise<void> => {
      const since = lease.token;
      if (inside.has(key)) overlaps += 1;
      inside.set(key, since);
      const leave = (): void => {
        if (inside.get(key) === since) inside.delete(key);
      };
      lease.signal.addEventListener('abort', leave);
      await new Promise<void>((resolve) => host.timer(host.random.below(3), 'work', resolve));
      leave();
      cycles += 1;
    };
    const workers = Array.from({ length: 8 }, (_, number) =>
      part(`worker-${number}`, (context) => {
        const mine = locks.as(context);
        const again = (): void => {
          const key = `doc ${host.random.below(3)}`;
          mine.use(key, (lease) => work(key, lease)).then(again, () => {});
        };
        host.timer(0, 'start', () => {
          try {
            again();
          } catch {
            // It was killed before it began.
          }
        });
        return {};
      }),
    );
    await host.runUntil(
      system.start(supervisor('root', { children: workers, giveUp: 'never', backoff: false })),
    );
    let kills = 0;
    while (cycles < 10_000) {
      const victim = workers[host.random.below(workers.length)];
      if (victim !== undefined && host.random.below(4) === 0) {
        system.exit(system.get(victim), 'kill');
        kills += 1;
      }
      await host.advance(20);
    }
    await host.runUntil(system.shutdown());
    await host.advance(10);
    expect(overlaps).toBe(0);
    expect(kills).toBeGreaterThan(50);
    expectEmpty(locks);
    const { granted, released, lost } = locks.inspect();
    expect(released + lost).toBe(granted);
    expect(host.pendingTimers()).toEqual([]);
  }, 60_000);
});
