/** The events of the circuit breaker's chart, in every variant that its guards tell apart. */
import type { BreakerEvent } from '../../actors/circuit-breaker.machine.ts';

export const events: readonly BreakerEvent[] = [
  { type: 'window.tripped' },
  { type: 'wait.elapsed', nowMs: 99, openUntilMs: 100 },
  { type: 'wait.elapsed', nowMs: 100, openUntilMs: 100 },
  { type: 'check.succeeded' },
  { type: 'probe.succeeded', successes: 1, successThreshold: 2 },
  { type: 'probe.succeeded', successes: 2, successThreshold: 2 },
  { type: 'probe.failed', failures: 1, failuresAllowed: 1 },
  { type: 'probe.failed', failures: 1, failuresAllowed: 0 },
  { type: 'restore' },
  { type: 'isolate' },
  { type: 'disable' },
  { type: 'observe' },
  { type: 'resume' },
  { type: 'reset' },
  { type: 'dispose' },
];
