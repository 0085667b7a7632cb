/**
 * `recovery(id, …)`: the orchestrator as its users see it. Report what your own policies could not mend; it classifies it,
 * chooses the remedy, runs your steps for it within a budget, and tells how it came out.
 *
 * How it works is `orchestrator.ts` (who is admitted) and `recovery-run.ts` (the life of one recovery).
 */
import { NO_DEADLINE } from '../base/deadline.ts';
import { either, fits, flag, fn, integer, object, oneOf, resolveOptions, text } from '../base/options.ts';
import type { ActorContext, Behaviour, Handle, Inspection, Logic, Place } from '../kernel/logic.ts';
import { type ExitReason, isClean } from '../kernel/reason.ts';
import type { Ref } from '../kernel/ref.ts';
import { createSpec, type Spec } from '../kernel/spec.ts';
import type { FailureContext } from './classification.ts';
import { hear } from './component-events.ts';
import { Orchestrator, type RecoveryMetrics, type Reported } from './orchestrator.ts';
import type { RecoveryOutcome, RecoveryStatus } from './outcome.ts';
import type { Step } from './playbook.ts';
import { type RecoveryOptions, type ResolvedRecoveryOptions, resolveRecovery } from './recovery-options.ts';
import type { StepRunner } from './recovery-run.ts';
import { SEVERITIES } from './remedy.ts';

/** What is known of a failure that is reported. */
export interface Report<T = unknown> extends FailureContext {
  /** What failed: a component's path or handle, never a request. There is one recovery a subject at a time. */
  readonly subject: string | Handle;
  /** What failed, to be run again by `retry`: giving it says that it may run more than once, always with the same key. */
  readonly operation?: Step<T>;
  /** An instant of `host.monotonic()` after which nobody cares; the budget ends then, if not before. */
  readonly deadline?: number;
}

/** The handle of an orchestrator. Works while its actor restarts: what is reported then is taken up when it is back. */
export interface RecoveryHandle extends Handle {
  /**
   * Reports a failure and returns at once. `done` never rejects: what was refused is an outcome too.
   * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN for a wrong report
   */
  report<T = unknown>(error: unknown, report: Report<T>): Reported<T>;
  /** {@link report}, for whoever waits for the outcome. */
  handle<T = unknown>(error: unknown, report: Report<T>): Promise<RecoveryOutcome<T>>;
  /** Of a recovery that is under way or not long over. @throws ERR_RECOVERY_UNKNOWN */
  status(recovery: string): RecoveryStatus;
  /**
   * Cancels a recovery, and with it all that is reported of its subject so far; its step is told to stop and has 100 ms to
   * obey. `false` when it is over, or unknown.
   */
  cancel(recovery: string): boolean;
  metrics(): RecoveryMetrics;
  inspect(): RecoveryInspection;
}

export interface RecoveryInspection {
  readonly active: readonly RecoveryStatus[];
  /** The latest last. */
  readonly recent: readonly RecoveryStatus[];
  /** Steps that ran on after their recovery let them go: `recovery/step`. */
  readonly stragglers: readonly string[];
  readonly metrics: RecoveryMetrics;
}

const REPORT_FIELDS = {
  subject: either(
    text,
    fits<Handle>('a handle', (v) => object().accepts(v) && text.accepts((v as { path?: unknown }).path)),
  ),
  operation: fn<Step>(),
  deadline: fits<number>('an instant', (v) => typeof v === 'number' && !Number.isNaN(v)),
  attempt: integer(1),
  severity: oneOf(...SEVERITIES),
  affectingAll: flag,
  userFacing: flag,
  component: text,
  worker: text,
  session: text,
} as const;

/** What its actor does: lends turns to steps, and holds its ear to the system's events. */
class RecoveryBehaviour implements Behaviour, StepRunner {
  /** Whether the orchestrator took it: one that ended while it started leaves its successor alone. */
  attached = false;
  readonly #context: ActorContext;
  readonly #shared: Shared;

  constructor(context: ActorContext, shared: Shared) {
    this.#context = context;
    this.#shared = shared;
  }

  tell(message: unknown): void {
    this.#context.system.deadLetter(this.#context.path, message);
  }

  perform<T>(execute: () => Promise<T>, settled: (result: T) => void): void {
    this.#context.post(() => this.#context.pipe(execute(), settled));
  }

  /** What runs may still settle, and be told of, until the allowance ends. */
  shutdown(): Promise<void> {
    this.#shared.stopHearing();
    return this.#shared.orchestrator.close();
  }

  reap(reason: ExitReason): void {
    if (!this.attached) return;
    this.#shared.orchestrator.detach();
    // After a crash it goes on listening: what heals meanwhile has healed.
    if (isClean(reason)) this.#shared.stopHearing();
  }

  inspect(): Inspection {
    const { initiated, active, recovered, gaveUp, cancelled, refused } = this.#shared.orchestrator.metrics();
    return { facts: { active, initiated, recovered, gaveUp, cancelled, refused } };
  }
}

/** What a place keeps over restarts. */
class Shared {
  readonly orchestrator: Orchestrator;
  #stopHearing: (() => void) | undefined;

  constructor(place: Place, options: ResolvedRecoveryOptions) {
    const { system, path } = place;
    const { host, events } = system;
    this.orchestrator = new Orchestrator({ host, events, path, get: (spec) => system.get(spec) }, options);
    // Nobody is to come who could run a step: whoever waits hears so now, not when the budget is spent.
    place.onGone(() => void this.orchestrator.close());
  }

  hear(): void {
    if (this.orchestrator.options.listen) this.#stopHearing ??= hear(this.orchestrator);
  }

  stopHearing(): void {
    this.#stopHearing?.();
    this.#stopHearing = undefined;
  }
}

class HandleOfRecovery implements RecoveryHandle {
  readonly #place: Place;

  constructor(place: Place) {
    this.#place = place;
  }

  get #orchestrator(): Orchestrator {
    return (this.#place.shared as Shared).orchestrator;
  }

  get path(): string {
    return this.#place.path;
  }

  ref(): Ref | undefined {
    return this.#place.ref();
  }

  report<T>(error: unknown, report: Report<T>): Reported<T> {
    const where = `report to ${this.path}`;
    const { subject, operation, deadline, ...known } = resolveOptions(where, report, REPORT_FIELDS, {});
    if (subject === undefined) resolveOptions(where, { subject: null }, REPORT_FIELDS, {});
    const path = typeof subject === 'string' ? subject : (subject as Handle).path;
    const context = { component: path, ...known } as FailureContext;
    const orchestrator = this.#orchestrator;
    return orchestrator.admit({
      subject: path,
      error,
      classification: orchestrator.classify(error, context),
      context,
      operation,
      heals: [],
      ownWaitMs: 0,
      deadline: deadline ?? NO_DEADLINE,
    }) as Reported<T>;
  }

  handle<T>(error: unknown, report: Report<T>): Promise<RecoveryOutcome<T>> {
    return this.report(error, report).done;
  }

  status(recovery: string): RecoveryStatus {
    return this.#orchestrator.status(recovery);
  }

  cancel(recovery: string): boolean {
    return this.#orchestrator.cancel(recovery);
  }

  metrics(): RecoveryMetrics {
    return this.#orchestrator.metrics();
  }

  inspect(): RecoveryInspection {
    const orchestrator = this.#orchestrator;
    return Object.freeze({
      active: orchestrator.active(),
      recent: orchestrator.recent(),
      stragglers: [...orchestrator.stragglers].map(({ recovery, name }) => `${recovery}/${name}`),
      metrics: orchestrator.metrics(),
    });
  }
}

/**
 * The recovery orchestrator as a child of a supervisor.
 *
 * @example
 * const recover = recovery('recovery', {
 *   playbook: [{ subjects: 'app/prices', failover: { replica: () => prices.useReplica(), cache: () => prices.useCache() } }],
 * });
 * const outcome = await app.get(recover).handle(error, { subject: 'app/prices', operation: ({ signal }) => load(signal) });
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const recovery = (id: string, options: RecoveryOptions = {}): Spec<RecoveryHandle> => {
  const resolved = resolveRecovery(`recovery ${String(id)}`, options);
  const logic: Logic<RecoveryHandle> = {
    kind: 'recovery',
    share: (place) => new Shared(place, resolved),
    start: async (context) => {
      const shared = context.place.shared as Shared;
      const behaviour = new RecoveryBehaviour(context, shared);
      behaviour.attached = await shared.orchestrator.attach(behaviour, context.signal);
      if (behaviour.attached) shared.hear();
      return behaviour;
    },
    handle: (place) => new HandleOfRecovery(place),
  };
  return createSpec(id, Object.freeze(logic), resolved.spec);
};
