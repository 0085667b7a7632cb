/**
 * The view of the application: its phases, its health, and while it ends what is holding it up.
 *
 * Invariant: read from the flight recorder and the tree alone, so that it also tells of what was before the first viewer.
 */
import { applicationMachine } from '../../actors/application.machine.ts';
import type { Health } from '../application/health.ts';
import type { EventType } from '../base/telemetry.ts';
import { type Fact, type Reason, showReason } from '../kernel/fact.ts';
import type { ApplicationView } from './component-view.ts';
import { LIMITS } from './protocol.ts';
import type { Standing } from './tree-window.ts';
import type { Ground } from './views.ts';

const notReadyIn = (roots: readonly Standing[]): readonly string[] => {
  const found: string[] = [];
  const walk = ({ path, ready, children }: Standing): void => {
    if (ready === false && found.length < LIMITS.groupOver) found.push(path);
    children.forEach(walk);
  };
  roots.forEach(walk);
  return found;
};

/** Who is told to stop and has not stopped yet. */
const holdingUp = (roots: readonly Standing[], since: number): ApplicationView['holdingUp'] => {
  const found: { what: string; path: string; since: number }[] = [];
  const walk = ({ status, kind, path, children }: Standing): void => {
    // Whoever waits for what is below it is not what holds up.
    const waits = children.some((child) => child.status === 'stopping' || child.status === 'straggling');
    if (status === 'stopping' && !waits) found.push({ what: `${kind} still stops`, path, since });
    if (status === 'straggling') found.push({ what: `${kind} has a handler that runs on`, path, since });
    children.forEach(walk);
  };
  roots.forEach(walk);
  return found.slice(0, LIMITS.groupOver);
};

const stoppedIn = ({ at, data }: Fact): NonNullable<ApplicationView['stopped']> => ({
  at,
  reason: (data['reason'] as unknown as Reason | undefined) ?? showReason('shutdown'),
  survivors: (data['survivors'] as readonly string[] | undefined) ?? [],
});

export const applicationView = (
  { system, charts, steps }: Ground,
  roots: readonly Standing[],
  { name, health }: { readonly name: string; readonly health: Health | undefined },
): ApplicationView => {
  const facts = system.recorder.facts();
  const of = (type: EventType) => facts.filter((fact) => fact.type === type);
  const entered = of('app.phase_entered');
  const ending = entered.find(({ data }) => typeof data['leftMs'] === 'number');
  const phases = entered.map(({ at, data }) => ({ phase: String(data['phase']), at }));
  const phase = health?.phase ?? phases.at(-1)?.phase;
  const notReady = health?.notReady ?? notReadyIn(roots);
  const stopped = of('app.stopped').at(-1);
  const view = {
    name,
    live: health?.live ?? roots.length > 0,
    ready: health?.ready ?? notReady.length === 0,
    notReady,
    phases,
    ...(ending === undefined
      ? {}
      : { endBeganAt: ending.at, deadlineAt: Math.round(ending.at + Number(ending.data['leftMs'])) }),
    holdingUp: holdingUp(roots, phases.at(-1)?.at ?? system.startedAt),
    ...(stopped === undefined ? {} : { stopped: stoppedIn(stopped) }),
  };
  if (phase === undefined) return view;
  const about = {
    path: `application ${name}`,
    value: phase,
    status: 'active' as const,
    sendable: () => false,
  };
  const chart = steps.standing(charts.of(applicationMachine, 'troupe'), { ...about, now: system.startedAt });
  return { ...view, phase, chart };
};
