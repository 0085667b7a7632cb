/**
 * One child of a supervisor: its spec, its place, the incarnation of now, and the chart that says what it stands for.
 * Shared by static and dynamic supervisors.
 *
 * Invariant: `cell` is set from launch until its end has been taken note of. The chart's snapshot changes only through `send`.
 */
import {
  type ChildStanding,
  type SupervisedChildEvent,
  supervisedChildMachine,
} from '../../actors/supervised-child.machine.ts';
import type { Random } from '../base/random.ts';
import type { ChartSnapshot } from '../chart/chart.ts';
import { compileChart } from '../chart/compile.ts';
import type { Cell, Observer } from '../kernel/cell.ts';
import type { ActorTimer } from '../kernel/logic.ts';
import type { PlaceOfActor } from '../kernel/place.ts';
import { type ExitReason, isClean } from '../kernel/reason.ts';
import { BACKOFF_DEFAULTS, type Backoff, resolveBackoff, type Spec } from '../kernel/spec.ts';
import type { Hold } from './hold.ts';
import { backoffDelay, type RestartLimit } from './restart-limit.ts';

const chart = compileChart(supervisedChildMachine);

/** What happened to an incarnation, as its supervisor hears it in its own turn. */
export type Fate =
  | { readonly kind: 'started' | 'ignored' | 'settled' }
  | { readonly kind: 'failed' | 'ended'; readonly reason: ExitReason };

/** Who hears of the fates of a child's incarnations. */
interface Hearer {
  heard(child: Child, cell: Cell, fate: Fate): void;
}

const STARTED: Fate = { kind: 'started' };
const IGNORED: Fate = { kind: 'ignored' };

/** It watches its own incarnations: one object a child, however many there are of them. */
export class Child implements Observer {
  readonly spec: Spec<unknown>;
  readonly place: PlaceOfActor;
  readonly backoff: Backoff | false;
  supervision: Hearer | undefined = undefined;
  cell: Cell | undefined = undefined;
  /** The newest incarnation, living or not: a straggler of it may forbid the next. */
  lastCell: Cell | undefined = undefined;
  /** It has ended, and its supervisor has not dealt with that yet. */
  exit: ExitReason | undefined = undefined;
  /** Its own restart window, if its spec asks for one. */
  budget: RestartLimit | undefined = undefined;
  /** Failures in a row, crashes and failed starts alike. */
  failures = 0;
  restarts = 0;
  lastReason: ExitReason = 'normal';
  /** When the incarnation of now had started; `undefined` where its last start failed. */
  startedAt: number | undefined = undefined;
  /** Added at run time: a supervisor that ends without having stopped it has nobody who remembers it. */
  added = false;
  /** Runs while it backs off. */
  timer: ActorTimer | undefined = undefined;
  /** What keeps it from being started, or has, until that start is over. */
  hold: Hold | undefined = undefined;
  /** Since when it has been held without having been started. */
  heldSinceMs: number | undefined = undefined;
  /** It has been told that it is held, and not yet that it is released. */
  isToldHeld = false;
  #snapshot: ChartSnapshot = chart.initial.snapshot;
  #standing = standingOf(chart.initial.requests) as ChildStanding;

  constructor(spec: Spec<unknown>, place: PlaceOfActor, backoff: Backoff | false) {
    this.spec = spec;
    this.place = place;
    this.backoff = backoff;
  }

  get supervises(): boolean {
    return this.spec.restart !== 'temporary';
  }

  started(cell: Cell): void {
    this.supervision?.heard(this, cell, STARTED);
  }

  ignored(cell: Cell): void {
    this.supervision?.heard(this, cell, IGNORED);
  }

  failed(cell: Cell, reason: ExitReason): void {
    this.supervision?.heard(this, cell, { kind: 'failed', reason });
  }

  ended(cell: Cell, reason: ExitReason): void {
    this.supervision?.heard(this, cell, { kind: 'ended', reason });
  }

  get id(): string {
    return this.spec.id;
  }

  /** What the chart's entry actions last wrote. */
  get standing(): ChildStanding {
    return this.#standing;
  }

  get state(): unknown {
    return this.#snapshot.value;
  }

  send(event: SupervisedChildEvent): void {
    const step = chart.step(this.#snapshot, event);
    if (!step.changed) return;
    this.#snapshot = step.snapshot;
    for (const request of step.requests) {
      if (request.kind !== 'action') continue;
      if (request.type === 'stand') this.#standing = request.params as unknown as ChildStanding;
      else if (request.type === 'disarmBackoff') this.#disarm();
      else if (request.type === 'leaveHold') this.hold?.leave(this);
    }
  }

  /** Whether its restart type asks for another incarnation after this reason. */
  wantsRestart(reason: ExitReason): boolean {
    return this.spec.restart === 'permanent' || (this.spec.restart === 'transient' && !isClean(reason));
  }

  /** Counts a failure and says how long to wait before the next start, ms. */
  countFailure(reason: ExitReason, nowMs: number, random: Random): number {
    this.excuseFailure(reason, nowMs);
    this.failures += 1;
    if (this.backoff === false) return 0;
    const delay = backoffDelay(this.backoff, this.failures);
    return this.backoff.jitter === 'full' ? delay * random.next() : delay;
  }

  /** Takes note of a failure that is not its own: it counts nothing, and what a stable run has outlived is forgotten. */
  excuseFailure(reason: ExitReason, nowMs: number): void {
    this.lastReason = reason;
    const { stableMs } = this.backoff === false ? BACKOFF_DEFAULTS : this.backoff;
    if (this.startedAt !== undefined && nowMs - this.startedAt >= stableMs) this.failures = 0;
    this.startedAt = undefined;
  }

  #disarm(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }
}

const standingOf = (requests: (typeof chart.initial)['requests']): unknown => {
  for (const request of requests)
    if (request.kind === 'action' && request.type === 'stand') return request.params;
  return undefined;
};

/** A child's backoff: its own words over its supervisor's; `false` on either side restarts at once. */
export const backoffOf = (spec: Spec<unknown>, ofSupervisor: Backoff | false): Backoff | false => {
  if (spec.backoff === false) return false;
  if (spec.backoff === undefined) return ofSupervisor;
  return resolveBackoff(
    `${spec.id}.backoff`,
    spec.backoff,
    ofSupervisor === false ? BACKOFF_DEFAULTS : ofSupervisor,
  );
};

/** Whether a child that was told to stop ended as OTP accepts it; anything else is reported. */
export const stoppedWell = (spec: Spec<unknown>, reason: ExitReason): boolean => {
  if (spec.shutdownMs === 'brutal_kill' ? reason === 'killed' : reason === 'shutdown') return true;
  return spec.restart !== 'permanent' && isClean(reason);
};
