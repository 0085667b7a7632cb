/**
 * What recovery hears of components by itself: those that have exhausted their own means, and those that work again.
 *
 * Invariant: it hears nothing that is still somebody else's to mend: a dead actor is its supervisor's, a dead worker its
 * pool's, a failed call its policies'. It decides nothing.
 */
import { NO_DEADLINE } from '../base/deadline.ts';
import { createError } from '../base/errors.ts';
import type { EventType } from '../base/telemetry.ts';
import type { Orchestrator } from './orchestrator.ts';
import { matchesSubject } from './subject-pattern.ts';

/** What an event says of its subject's failure. */
interface Alarm {
  readonly error: unknown;
  readonly heals: readonly EventType[];
  readonly ownWaitMs?: number;
}

const BREAKER_HEALS: readonly EventType[] = ['breaker.closed'];
const POOL_HEALS: readonly EventType[] = ['pool.restored'];
const LEAK_HEALS: readonly EventType[] = ['leak.threshold_cleared'];
const CHILD_HEALS: readonly EventType[] = ['supervisor.child.started'];

/** Lets an orchestrator hear the events of its system. Returns the function that ends it. */
export const hear = (orchestrator: Orchestrator): (() => void) => {
  const { events, options } = orchestrator;
  const alarm = (subject: string, { error, heals, ownWaitMs = 0 }: Alarm): void => {
    if (!options.subjects.some((pattern) => matchesSubject(pattern, subject))) return;
    const component = { component: subject };
    const known = orchestrator.classify(error, component);
    // It tells because it has contained its failure: whatever the cause, nothing is critical any more.
    const context = known.severity === 'critical' ? { ...component, severity: 'major' as const } : component;
    const classification = orchestrator.classify(error, context);
    const operation = undefined;
    const deadline = NO_DEADLINE;
    orchestrator.admit({ subject, error, classification, context, operation, heals, ownWaitMs, deadline });
  };
  const stops = [
    events.on('breaker.opened', ({ path, cause, openMs }) =>
      alarm(path, { error: cause, heals: BREAKER_HEALS, ownWaitMs: openMs }),
    ),
    events.on('breaker.closed', ({ path, type }) => orchestrator.heal(path, type)),
    events.on('pool.degraded', ({ path, ...facts }) => {
      const error = createError('ERR_POOL_DEGRADED', { pool: path, ...facts });
      alarm(path, { error, heals: POOL_HEALS, ownWaitMs: facts.retryAfterMs });
    }),
    events.on('pool.restored', ({ path, type }) => orchestrator.heal(path, type)),
    events.on('leak.threshold_passed', ({ path, ...facts }) =>
      alarm(path, { error: createError('ERR_LEAK_THRESHOLD', { where: path, ...facts }), heals: LEAK_HEALS }),
    ),
    events.on('leak.threshold_cleared', ({ path, type }) => orchestrator.heal(path, type)),
    events.on('supervisor.gave_up', ({ path, child, restarts, periodMs, last }) =>
      alarm(path, {
        error: { gaveUp: { supervisor: path, child, restarts, periodMs, last } },
        heals: CHILD_HEALS,
      }),
    ),
    events.on('supervisor.child.started', ({ path, child, type }) =>
      orchestrator.heal(`${path}/${child}`, type),
    ),
  ];
  return () => {
    for (const stop of stops) stop();
  };
};
