/**
 * What static and dynamic supervisors share: launching children, stopping them within what is left of the time, counting
 * restarts, giving up, and reporting.
 */
import { createError } from '../base/errors.ts';
import type { EventMap, EventType } from '../base/telemetry.ts';
import type { Cell } from '../kernel/cell.ts';
import type { ActorContextOfCell } from '../kernel/context.ts';
import type { Inspection } from '../kernel/logic.ts';
import { describeReason, type ExitReason, errorIn, isClean } from '../kernel/reason.ts';
import type { Backoff } from '../kernel/spec.ts';
import type { SystemOfActors } from '../kernel/system.ts';
import { gatesOf } from './breaker-gate.ts';
import { type Child, type Fate, stoppedWell } from './child.ts';
import { Hold, type Unit } from './hold.ts';
import { type GiveUp, RestartLimit } from './restart-limit.ts';

/** The rules of one supervisor, resolved. */
export interface Rules {
  readonly intensity: number;
  readonly periodMs: number;
  readonly backoff: Backoff | false;
  readonly giveUp: GiveUp;
  readonly onGiveUp: 'gave_up' | 'shutdown';
  readonly autoShutdown: AutoShutdown;
}

/** Whether the ending of significant children ends their supervisor: of any of them, or of the last (OTP's auto_shutdown). */
export type AutoShutdown = 'never' | 'any_significant' | 'all_significant';

/** What is kept back of the time for a stop, so that killing and closing still fit (design §7). */
const RESERVE = 0.1;
/** A remainder below this is gone: the rest are killed together. ms */
const GONE_MS = 1;

/** A listing of one child, as OTP's which_children. */
export interface ChildListing {
  readonly id: string;
  readonly status: string;
  readonly type: 'supervisor' | 'worker';
}

/** OTP's count_children. */
export interface ChildCounts {
  readonly specs: number;
  readonly active: number;
  readonly supervisors: number;
  readonly workers: number;
}

const SUPERVISORS: readonly string[] = ['supervisor', 'dynamic_supervisor'];
const typeOf = (child: Child): 'supervisor' | 'worker' =>
  SUPERVISORS.includes(child.spec.logic.kind) ? 'supervisor' : 'worker';

export const listing = (child: Child): ChildListing => ({
  id: child.id,
  status: child.standing.listed,
  type: typeOf(child),
});

/**
 * How a child that does not run is shown; one whose restart is due makes the service not ready, but one that is held only
 * where the breaker itself would.
 */
export const absence = (child: Child) => ({
  id: child.id,
  kind: child.spec.logic.kind,
  status: String(child.state),
  ready: !child.standing.due || child.hold?.isExcused === true,
});

export const countChildren = (children: Iterable<Child>): ChildCounts => {
  const counts = { specs: 0, active: 0, supervisors: 0, workers: 0 };
  for (const child of children) {
    counts.specs += 1;
    if (child.cell !== undefined && !child.cell.fenced) counts.active += 1;
    counts[typeOf(child) === 'supervisor' ? 'supervisors' : 'workers'] += 1;
  }
  return counts;
};

/** Why a child is started: with its supervisor, again after a failure, or because someone asked. */
export type StartedBy = 'boot' | 'restart' | 'request';

/** The part of a supervisor that does not depend on its kind. */
export class Supervision {
  readonly context: ActorContextOfCell;
  readonly rules: Rules;
  readonly limit: RestartLimit;
  readonly #notify: (child: Child, cell: Cell, fate: Fate) => void;

  constructor(
    context: ActorContextOfCell,
    rules: Rules,
    notify: (child: Child, cell: Cell, fate: Fate) => void,
  ) {
    this.context = context;
    this.rules = rules;
    this.limit = new RestartLimit(rules.intensity, rules.periodMs);
    this.#notify = notify;
    context.trapExit = true;
  }

  get system(): SystemOfActors {
    return this.context.system;
  }

  launch(child: Child): void {
    child.send({ type: 'start' });
    child.supervision = this;
    child.cell = this.system.launch(child.place, this.context.cell, child);
    child.lastCell = child.cell;
  }

  /** While it starts itself, a supervisor has no turns yet: it hears at once. Afterwards, as mail. */
  heard(child: Child, cell: Cell, fate: Fate): void {
    const own = this.context.cell;
    if (own.fenced) {
      if (fate.kind !== 'started') this.release(child);
      return;
    }
    if (own.starting) this.#notify(child, cell, fate);
    else this.context.post(() => this.#notify(child, cell, fate));
  }

  /** Forgets a child added at run time, once nothing of it is left; for a supervisor that has ended. */
  release(child: Child): void {
    if (child.added && (child.lastCell === undefined || child.lastCell.ended))
      this.system.release(child.place);
  }

  /**
   * Whether a straggler of its last incarnation forbids a child's next one; `then` follows, in a turn, once it has settled.
   * It may never: so nothing else waits for it.
   */
  isHeldBack(child: Child, then: () => void): boolean {
    const straggler = child.lastCell;
    if (child.spec.overlap !== 'forbid' || straggler?.busy !== true) return false;
    this.system.whenSettled(straggler, () => {
      if (!this.context.cell.fenced) this.context.post(then);
    });
    return true;
  }

  /**
   * Whether children that start together have to wait for breakers that they depend on. `then` follows, in a turn, once they
   * may start, or when none of them is to start any more.
   */
  isHeld(unit: Unit, then: () => void): boolean {
    const { starting } = unit;
    if (!starting.some(({ spec }) => spec.dependsOn.length > 0)) return false;
    const hold = starting.find((child) => child.hold !== undefined)?.hold ?? new Hold(this);
    return hold.keeps(unit, then);
  }

  /** Whether a breaker that it depends on lets nothing through: what befalls it now is not its own failure. */
  isCutOff({ spec: { dependsOn } }: Child): boolean {
    return dependsOn.length > 0 && gatesOf(this.system, dependsOn).some(({ refuses }) => refuses);
  }

  /** Tells a child to stop, within its own allowance and what is left of ours. */
  tellToStop(child: Child): void {
    child.send({ type: 'terminate' });
    const { shutdownMs } = child.spec;
    if (shutdownMs === 'brutal_kill') child.cell?.kill(this.allowedUntil(Number.POSITIVE_INFINITY));
    else child.cell?.stop('shutdown', this.allowedUntil(shutdownMs));
  }

  /** Ends together, with all below them, those for whom no time is left. */
  killAll(children: readonly Child[]): void {
    for (const child of children) child.cell?.kill(this.context.now());
  }

  allowedUntil(shutdownMs: number): number {
    const now = this.context.now();
    return Math.min(now + shutdownMs, now + this.#budget(now));
  }

  /** The time for stopping children is used up: the rest are killed together. */
  get outOfTime(): boolean {
    return this.#budget(this.context.now()) < GONE_MS;
  }

  #budget(now: number): number {
    const { stopDeadline } = this.context;
    return stopDeadline === Number.POSITIVE_INFINITY ? stopDeadline : (stopDeadline - now) * (1 - RESERVE);
  }

  /** Takes note of a child that ended after it was told to; `again` when another incarnation is to follow. */
  stopped(child: Child, reason: ExitReason, again: boolean): void {
    child.cell = undefined;
    child.exit = undefined;
    child.send({ type: 'exited', again });
    if (again) child.place.markRestarting(this.context.now());
    else child.place.markGone();
    if (!stoppedWell(child.spec, reason)) this.report('supervisor.child.shutdown_failed', child, { reason });
  }

  /** Takes note of the outcome of a start. */
  started(child: Child, fate: Fate, why: StartedBy): boolean {
    const again = why === 'restart';
    if (fate.kind === 'started') {
      child.startedAt = this.context.now();
      child.send({ type: 'started' });
      this.report('supervisor.child.started', child, {});
      return true;
    }
    child.cell = undefined;
    if (fate.kind === 'ignored') {
      child.send({ type: 'ignored' });
      child.place.markGone();
      return true;
    }
    const reason = fate.kind === 'failed' ? fate.reason : 'normal';
    child.lastReason = reason;
    child.send({ type: 'start_failed', again });
    if (!again) child.place.markGone();
    // Whoever asked for the start hears of its failure; only what nobody asked for is reported (OTP).
    if (why !== 'request') this.report('supervisor.child.start_failed', child, { reason });
    return false;
  }

  /**
   * Counts a failure; says what to do where a limit is passed, otherwise the delay before the restart, ms. While a breaker
   * that the child depends on is open it counts nothing: the hold is the delay.
   */
  countFailure(child: Child, reason: ExitReason): number | 'give_up' | 'park' {
    const now = this.context.now();
    if (this.isCutOff(child)) {
      child.excuseFailure(reason, now);
      return 0;
    }
    const delay = child.countFailure(reason, now, this.context.random);
    const { restartBudget } = child.spec;
    if (restartBudget !== undefined)
      return this.#limitOf(child).allows(now) ? delay : restartBudget.onExceeded;
    const { giveUp } = this.rules;
    if (giveUp === 'never') return delay;
    if (giveUp !== undefined) return child.failures > giveUp.afterFailures ? 'give_up' : delay;
    return this.limit.allows(now) ? delay : 'give_up';
  }

  /** The window that a failure of this child spends: its own, or its supervisor's. */
  #limitOf(child: Child): RestartLimit {
    const { restartBudget } = child.spec;
    if (restartBudget === undefined) return this.limit;
    child.budget ??= new RestartLimit(restartBudget.intensity, restartBudget.periodMs);
    return child.budget;
  }

  /**
   * Whether this ending, its own and not asked for, ends the supervisor. `all_significant`: no other significant child
   * lives or is to be restarted.
   */
  isFinal(child: Child, siblings: Iterable<Child>): boolean {
    const { autoShutdown } = this.rules;
    if (autoShutdown === 'never' || !child.spec.significant) return false;
    if (autoShutdown === 'any_significant') return true;
    for (const { cell, spec, standing } of siblings)
      if (spec.significant && (cell !== undefined || standing.due)) return false;
    return true;
  }

  restarted(child: Child): void {
    child.restarts += 1;
    this.system.counters.restarted += 1;
    if (!this.system.events.lifecycle) return;
    const limit = this.#limitOf(child);
    const { intensity, periodMs } = limit;
    const used = limit.used(this.context.now());
    this.report('supervisor.child.restarted', child, { restarts: child.restarts, used, intensity, periodMs });
  }

  /** Announces that it gives up on a child; returns the reason with which the supervisor ends. */
  giveUp(child: Child): ExitReason {
    const { onGiveUp } = this.rules;
    const { restarts, periodMs, last } = this.#exceeded(child);
    this.report('supervisor.gave_up', child, { restarts, periodMs, last });
    if (onGiveUp === 'shutdown') return 'shutdown';
    return { gaveUp: { supervisor: this.context.path, child: child.id, restarts, periodMs, last } };
  }

  /** Announces that it leaves a child stopped that has used up its own budget. */
  park(child: Child): void {
    child.send({ type: 'terminate' });
    child.place.markGone();
    this.report('supervisor.child.parked', child, this.#exceeded(child));
  }

  #exceeded(child: Child): { restarts: number; periodMs: number; last: ExitReason } {
    const limit = this.#limitOf(child);
    const isCounted = limit !== this.limit || this.rules.giveUp === undefined;
    const restarts = (isCounted ? limit.used(this.context.now()) : child.failures) - 1;
    return { restarts, periodMs: limit.periodMs, last: child.lastReason };
  }

  reportEnd(child: Child, reason: ExitReason): void {
    if (child.spec.restart === 'permanent' || !isClean(reason))
      this.report('supervisor.child.ended', child, { reason });
  }

  report<T extends Extract<EventType, `supervisor.${string}`>>(
    type: T,
    child: Child,
    data: Omit<EventMap[T], 'path' | 'child'>,
  ): void {
    const { events } = this.system;
    if (events.lifecycle)
      events.emit(type, { path: this.context.path, child: child.id, ...data } as EventMap[T]);
  }

  /** What whoever asked for a start is told when it failed. `data.failure` is the reason itself. */
  startFailure(child: Child): Error {
    const failure = child.lastReason;
    const data = { supervisor: this.context.path, child: child.id, reason: describeReason(failure), failure };
    return createError('ERR_CHILD_START_FAILED', data, { cause: errorIn(failure) });
  }

  /** A refusal in OTP's words. */
  refusal(
    code:
      | 'ERR_CHILD_NOT_FOUND'
      | 'ERR_STOPPING'
      | Child['standing']['onStart']
      | 'ERR_CHILD_RUNNING'
      | 'ERR_CHILD_RESTARTING',
    id: string,
  ): Error {
    return createError(code, { supervisor: this.context.path, child: id, target: this.context.path });
  }
}

export const restartLimitOf = ({ limit, context, rules }: Supervision) => {
  const { intensity, periodMs } = limit;
  return { used: limit.used(context.now()), intensity, periodMs, backoff: rules.backoff };
};

/** What people are shown of a supervisor: how much of its limit is spent, and which children are not there. */
export const inspectionOf = (
  supervision: Supervision,
  strategy: string,
  children: readonly Child[],
): Inspection => {
  const restartLimit = restartLimitOf(supervision);
  const { used, intensity, periodMs } = restartLimit;
  const absent = children.filter((child) => child.cell === undefined || child.cell.fenced);
  const restarts = used > 0 ? { restarts: `${used} of ${intensity} in ${periodMs} ms` } : {};
  return { facts: { strategy, ...restarts }, restartLimit, absent: absent.map(absence) };
};
