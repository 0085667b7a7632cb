/** The events of the pool's chart, in every variant that its guards tell apart. */
import type { PoolEvent } from '../../actors/pool.machine.ts';

const lost = (probe: boolean, crashed: boolean, crashes: number, waiting: number): PoolEvent => ({
  type: 'worker.lost',
  probe,
  crashed,
  crashes,
  limit: 5,
  waiting,
});

const BOTH = [false, true];

export const events: readonly PoolEvent[] = [
  { type: 'worker.started', probe: false },
  { type: 'worker.started', probe: true },
  ...BOTH.flatMap((probe) =>
    BOTH.flatMap((crashed) =>
      [4, 5].flatMap((crashes) => [0, 1].map((waiting) => lost(probe, crashed, crashes, waiting))),
    ),
  ),
  { type: 'job.succeeded' },
  { type: 'probe.due' },
  { type: 'drain.wanted' },
  { type: 'work.done' },
  { type: 'pause.wanted' },
  { type: 'resume.wanted' },
  { type: 'close.wanted' },
];
