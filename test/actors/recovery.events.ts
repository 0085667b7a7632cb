/** The events of the recovery chart, in every variant that its guards and params tell apart. */
import type { NextMove, RecoveryEvent } from '../../actors/recovery.machine.ts';

const moves: readonly NextMove[] = [
  'step',
  'delay',
  'healing',
  'recovered',
  'abandoned',
  'exhausted',
  'contained',
  'no_step',
  'deadline',
];

export const events: readonly RecoveryEvent[] = [
  ...moves.flatMap((next) => [{ type: 'begin', next } as const, { type: 'step.settled', next } as const]),
  { type: 'healed' },
  { type: 'cancel.wanted' },
  { type: 'budget.ending' },
  { type: 'budget.spent' },
  { type: 'interrupted' },
];
