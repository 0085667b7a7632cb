/** The events of the session's chart, in every variant that its guards tell apart. */
import type { SessionEvent } from '../../actors/session.machine.ts';

export const events: readonly SessionEvent[] = [
  { type: 'port.ready' },
  { type: 'session.opened' },
  { type: 'execution.begun' },
  { type: 'execution.answered', keep: false },
  { type: 'execution.answered', keep: true },
  { type: 'checkpoint.done' },
  { type: 'cancel.wanted' },
  { type: 'cancel.ignored' },
  { type: 'close.wanted' },
  { type: 'session.failed' },
  { type: 'port.ended' },
];
