/** The events of the worker's chart, in every variant that its guards tell apart. */
import type { PoolWorkerEvent } from '../../actors/pool-worker.machine.ts';

export const events: readonly PoolWorkerEvent[] = [
  { type: 'port.ready' },
  { type: 'lease.taken' },
  { type: 'lease.returned' },
  { type: 'work.doubted' },
  { type: 'check.missed', misses: 1, limit: 3 },
  { type: 'check.missed', misses: 3, limit: 3 },
  { type: 'check.passed' },
  { type: 'close.wanted' },
  { type: 'kill.wanted' },
  { type: 'port.broke' },
  { type: 'port.lost' },
  { type: 'port.ended' },
];
