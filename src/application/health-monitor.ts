/**
 * `healthMonitor(id, …)`: a monitor of checks as an actor: the application's readiness, liveness and `/health` hear of what it sees, and
 * recovery of what is ill.
 *
 * Invariant: it mends nothing itself. A remedy is a step that recovery runs, one at a time for a check, within a budget, and again no sooner
 * than the check's reminder. When its actor ends no check runs on.
 */
import { createError } from '../base/errors.ts';
import { check, fits, fn, object, oneOf, refuse, resolveOptions, text } from '../base/options.ts';
import {
  type HealthMonitorOptions,
  type HealthView,
  MONITOR_DEFAULTS,
  MONITOR_FIELDS,
  RunningMonitor,
} from '../coordination/health-monitor.ts';
import type { ActorContext, Behaviour, Handle, Inspection, Logic, Place } from '../kernel/logic.ts';
import type { Ref } from '../kernel/ref.ts';
import { createSpec, isSpec, SPEC_FIELDS, type Spec, type SpecOptions } from '../kernel/spec.ts';
import type { Step } from '../recovery/playbook.ts';
import type { RecoveryHandle } from '../recovery/recovery.ts';
import type { SupervisorHandle } from '../supervision/supervisor-handle.ts';
import type { PoolHandle } from '../work/pool.ts';

/**
 * What recovery does about a check that is unhealthy: a step of yours, or `'exit'`, which ends the application in phases, with exit code 1,
 * for whoever runs it to start it anew.
 */
export type HealthRemedy = Step | 'exit';

export interface HealthMonitorSpecOptions
  extends Pick<HealthMonitorOptions, 'checks' | 'remindMs'>,
    Omit<SpecOptions, 'input'> {
  /** Who runs the remedies; it is told of every check that becomes unhealthy, and of none without. */
  readonly recovery?: Spec<RecoveryHandle>;
  /** By the names of checks. A playbook entry for `<path of the monitor>/<check>` wins. */
  readonly remedies?: Readonly<Record<string, HealthRemedy>>;
}

/** The handle of a monitor. */
export interface HealthHandle extends Handle {
  /** What was last seen. Without a running monitor: nothing, and not ready. */
  view(): HealthView;
  /** What load shedding is to think: `createLoadShedding({ load: () => app.get(health).load() })`. */
  load(): number;
}

const KIND = 'health_monitor';

const { input: _none, ...PLACED_FIELDS } = SPEC_FIELDS;

const remedy = fits<HealthRemedy>(
  "a step, or 'exit'",
  (value) => fn().accepts(value) || oneOf('exit').accepts(value),
);

const FIELDS = {
  ...PLACED_FIELDS,
  checks: MONITOR_FIELDS.checks,
  remindMs: MONITOR_FIELDS.remindMs,
  recovery: fits<Spec<RecoveryHandle>>('the spec of a recovery', isSpec),
  remedies: object<Readonly<Record<string, HealthRemedy>>>('remedies by check'),
} as const;

const DARK: HealthView = Object.freeze({ live: true, ready: false, load: 0, checks: [] });

type Plan = Required<Pick<HealthMonitorSpecOptions, 'checks' | 'remindMs' | 'remedies'>> &
  Pick<HealthMonitorSpecOptions, 'recovery'>;

/** What a place keeps over restarts. */
class Shared {
  monitor: RunningMonitor | undefined;
  exit: ((error: Error) => void) | undefined;
}

class MonitorBehaviour implements Behaviour {
  readonly #context: ActorContext;
  readonly #monitor: RunningMonitor;
  readonly #plan: Plan;
  readonly #shared: Shared;

  constructor(context: ActorContext, plan: Plan, shared: Shared) {
    const { host, events } = context.system;
    this.#context = context;
    this.#plan = plan;
    this.#shared = shared;
    this.#monitor = new RunningMonitor(context.path, {
      checks: plan.checks,
      remindMs: plan.remindMs,
      name: context.path,
      host,
      events,
      onAlarm: (alarm) => context.post(() => this.#report(alarm.check, alarm.error)),
    });
    shared.monitor = this.#monitor;
  }

  tell(message: unknown): void {
    this.#context.system.deadLetter(this.#context.path, message);
  }

  reap(): void {
    this.#monitor.dispose();
    if (this.#shared.monitor === this.#monitor) this.#shared.monitor = undefined;
  }

  inspect(): Inspection {
    const { ready, live, checks } = this.#monitor.view();
    const facts = Object.fromEntries(checks.map(({ check: name, verdict }) => [name, verdict]));
    return { state: live && ready ? 'well' : 'ill', ready, facts };
  }

  #report(name: string, error: Error): void {
    const { recovery, remedies } = this.#plan;
    if (recovery === undefined) return;
    const chosen = remedies[name];
    const operation = chosen === 'exit' ? () => this.#exit(error) : chosen;
    this.#context.get(recovery).report(error, {
      subject: `${this.#context.path}/${name}`,
      ...(operation === undefined ? {} : { operation }),
    });
  }

  #exit(error: Error): void {
    const { exit } = this.#shared;
    if (exit === undefined) throw createError('ERR_HEALTH_NO_APPLICATION', { path: this.#context.path });
    exit(error);
  }
}

class HandleOfMonitor implements HealthHandle {
  readonly #place: Place;

  constructor(place: Place) {
    this.#place = place;
  }

  get path(): string {
    return this.#place.path;
  }

  ref(): Ref | undefined {
    return this.#place.ref();
  }

  view(): HealthView {
    return (this.#place.shared as Shared).monitor?.view() ?? DARK;
  }

  load(): number {
    return this.view().load;
  }

  /** For the application alone: what `'exit'` does. */
  onExit(exit: (error: Error) => void): void {
    (this.#place.shared as Shared).exit = exit;
  }
}

/** Whether a spec is a health monitor's. */
export const isHealthMonitor = (spec: Spec<unknown>): boolean => spec.logic.kind === KIND;

/** What an application has of a monitor in its tree. */
export type MonitorInApplication = Pick<HandleOfMonitor, 'view' | 'onExit'>;

/**
 * A health monitor as a child of a supervisor.
 *
 * @example
 * const health = healthMonitor('health', {
 *   checks: { loop: loopLag({ affects: 'liveness' }), heap: heapUse({ sheds: 0.8 }), database: probe(ping, { affects: 'readiness' }) },
 *   recovery: recover,
 *   remedies: { heap: recycleWorkers(documents), database: restartChild(root, 'database') },
 * });
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const healthMonitor = (id: string, options: HealthMonitorSpecOptions): Spec<HealthHandle> => {
  const where = `healthMonitor ${String(id)}`;
  const { checks, remindMs, recovery, remedies, ...spec } = resolveOptions(where, options, FIELDS, {
    remindMs: MONITOR_DEFAULTS.remindMs,
    remedies: {},
  });
  if (checks === undefined) return refuse(where, 'checks', FIELDS.checks.expected, undefined);
  for (const [name, each] of Object.entries(remedies)) {
    if (!Object.hasOwn(checks, name)) refuse(where, 'remedies', 'remedies of checks', name);
    if (recovery === undefined) refuse(where, 'recovery', 'given where there are remedies', undefined);
    check(`${where}.remedies`, name, remedy, each);
  }
  const plan: Plan = { checks, remindMs, remedies, ...(recovery === undefined ? {} : { recovery }) };
  const logic: Logic<HealthHandle> = {
    kind: KIND,
    share: () => new Shared(),
    start: (context) => new MonitorBehaviour(context, plan, context.place.shared as Shared),
    handle: (place) => new HandleOfMonitor(place),
  };
  return createSpec(id, Object.freeze(logic), spec as SpecOptions);
};

/** A remedy: new workers in the place of all of a pool's, each when its job is done. */
export const recycleWorkers =
  (pool: Spec<PoolHandle>): Step =>
  ({ get }) =>
    get(pool).replaceWorkers();

/**
 * A remedy: asks a supervisor to start a child, and with it all below it, anew.
 *
 * @throws ERR_OPTION_INVALID
 */
export const restartChild = (supervisor: Spec<SupervisorHandle>, child: string): Step => {
  check('restartChild', 'child', text, child);
  return async ({ get }) => {
    const owner = get(supervisor);
    const answer = await owner.recycleChild(child);
    if (answer !== 'failed') return answer;
    const reason = 'it did not come back when it was recycled';
    throw createError('ERR_CHILD_START_FAILED', { supervisor: owner.path, child, reason });
  };
};
