/** The events of the supervised child, with every payload that its guard tells apart. */
import type { SupervisedChildEvent } from '../../actors/supervised-child.machine.ts';

export const events: readonly SupervisedChildEvent[] = [
  { type: 'start' },
  { type: 'started' },
  { type: 'ignored' },
  { type: 'start_failed', again: true },
  { type: 'start_failed', again: false },
  { type: 'exited', again: true },
  { type: 'exited', again: false },
  { type: 'back_off' },
  { type: 'backoff_elapsed' },
  { type: 'hold' },
  { type: 'terminate' },
  { type: 'forget' },
];
