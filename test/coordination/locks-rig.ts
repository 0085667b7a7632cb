/** Keyed locks on a simulated host, and all that they tell. */
import { expect } from 'vitest';
import type { TroupeEvent } from '../../src/base/telemetry.ts';
import type { LocksOptions } from '../../src/coordination/lock-options.ts';
import { createLocks, type Locks } from '../../src/coordination/locks.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

export const createRig = (options: LocksOptions = {}) => {
  const host = new SimulatedHost();
  const locks = createLocks({ host, ...options });
  const events: TroupeEvent[] = [];
  locks.events.listen((event) => events.push(event));
  const told = (type: TroupeEvent['type']) => events.filter((event) => event.type === type);
  return { host, locks, events, told };
};

/** Nobody holds or waits for anything any more. */
export const expectEmpty = (locks: Locks): void => expect(locks.inspect().keys).toEqual([]);
