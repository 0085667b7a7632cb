/**
 * A cell: one incarnation of an actor. It owns the mailbox, the control lane, the phase, the children, and everything
 * that must be gone when the incarnation has ended.
 *
 * Invariants: at most one of the behaviour's methods runs at a time. A phase only moves forward. `end` happens once; after
 * it the incarnation is fenced: what it sends, sets, answers or registers is void. The observer hears of the end after
 * every child below has ended, so that a restart never meets its predecessor's subtree.
 */
import { NO_DEADLINE } from '../base/deadline.ts';
import { createError } from '../base/errors.ts';
import type { Timer } from '../base/host.ts';
import {
  CLOSING,
  DRAINING,
  ENDED,
  ENDING,
  type Observer,
  RUNNING,
  STARTING,
  TERMINATING,
} from './cell-state.ts';
import { ActorContextOfCell } from './context.ts';
import { type Behaviour, IGNORE } from './logic.ts';
import { type Run, runMail } from './mail.ts';
import type { PlaceOfActor } from './place.ts';
import { type ExitReason, isClean, reasonOf } from './reason.ts';
import * as relations from './relations.ts';
import { asPromise, isThenable, RunningCell } from './running-cell.ts';
import { SPEC_DEFAULTS } from './spec.ts';

export type { Observer } from './cell-state.ts';

export class Cell extends RunningCell {
  readonly context: ActorContextOfCell;

  constructor(place: PlaceOfActor, parent: Cell | undefined, observer: Observer | undefined) {
    super(place, parent, observer);
    this.context = new ActorContextOfCell(this);
    if (parent !== undefined) {
      parent.children ??= new Set();
      parent.children.add(this);
    }
  }

  get whole(): Cell {
    return this;
  }

  get name(): string {
    return this.ref.path;
  }

  /** Overtakes all mail. Runs in a turn of the receiver, never in the sender's. */
  control(run: Run): void {
    if (this.phase >= ENDING) return;
    if (this.orders === undefined) this.orders = [run];
    else this.orders.push(run);
    this.place.system.scheduler.schedule(this);
  }

  launch(): void {
    this.control(() => this.init());
  }

  /** An end overtakes an init that has not begun: that never does. */
  controlEnd(run: Run): void {
    if (this.phase === STARTING && this.turn === 0) this.overtaken = true;
    this.control(run);
  }

  /** Ends it at once; what is below it has until `until` where it ends in order. */
  kill(until = NO_DEADLINE): void {
    this.controlEnd(() => {
      this.hasten('killed', until);
      this.end('killed');
    });
  }

  /** An exit signal that ends it at once, without `terminate`. */
  exit(reason: ExitReason): void {
    this.controlEnd(() => this.end(reason));
  }

  /** The orderly stop: handler settles, `shutdown`, `terminate`, all until `deadline`; then it is killed. */
  stop(reason: ExitReason, deadline: number): void {
    if (this.fenced) this.hasten(reason, deadline);
    else this.controlEnd(() => this.beginStop(reason, deadline));
  }

  /** Less time, also for those below it for whom it waits where it has ended itself. */
  hasten(reason: ExitReason, deadline: number): void {
    if (deadline >= this.stopDeadline) return;
    this.stopDeadline = deadline;
    if (this.fenced) for (const child of this.children ?? []) child.stop(reason, deadline);
  }

  /** The parent has ended: a child that traps, or whose parent ended cleanly, stops in order; others end with it. */
  parentEnded(reason: ExitReason): void {
    const clean = isClean(reason);
    const until = Math.min(this.ownDeadline(), this.parent?.stopDeadline ?? NO_DEADLINE);
    if (this.fenced) this.stop(reason, until);
    else if (clean && this.place.spec.shutdownMs === 'brutal_kill') this.kill(until);
    else if (clean || this.trapExit) this.stop(clean ? 'shutdown' : reason, until);
    else this.exit(reason);
  }

  /** Holds back mail. What has been told to stop is not held: nobody would let it go on. */
  suspend(): void {
    this.control(() => {
      if (this.phase <= RUNNING && !this.pendingStop) this.suspended = true;
    });
  }

  resume(): void {
    this.control(() => {
      this.suspended = false;
    });
  }

  /** Until when an orderly stop that begins now may take, by its own spec. */
  ownDeadline(): number {
    const allowance = this.place.spec.shutdownMs;
    const ms = allowance === 'brutal_kill' ? SPEC_DEFAULTS.shutdownMs : allowance;
    return this.place.system.host.monotonic() + ms;
  }

  setIdle(idleMs: number): void {
    this.idle?.cancel();
    this.idle = this.place.system.host.timer(idleMs, 'idle', () => {
      this.idle = undefined;
      // A message came in time, though its turn has not.
      if (this.mailboxSize === 0) relations.inform(this, { type: 'timeout' });
    });
  }

  init(): void {
    if (this.phase !== STARTING || this.overtaken) return;
    const { logic, input, initTimeoutMs } = this.place.spec;
    this.busy = true;
    this.turn += 1;
    let outcome: unknown;
    try {
      outcome = this.asOwner(undefined, () => logic.start(this.context, input));
    } catch (error) {
      this.initFailed(error);
      return;
    }
    if (!isThenable(outcome)) {
      this.hasStarted(outcome as Behaviour | typeof IGNORE);
      return;
    }
    // Conducted, and over within the call.
    if (this.phase !== STARTING) return;
    const { host } = this.place.system;
    if (initTimeoutMs !== Number.POSITIVE_INFINITY) {
      this.allowance = host.timer(initTimeoutMs, 'init', () => {
        const data = { target: this.place.path, timeoutMs: initTimeoutMs };
        this.control(() => {
          // An init that ends in the very turn of its deadline has ended in time.
          if (this.phase === STARTING) this.end(reasonOf(createError('ERR_INIT_TIMEOUT', data)));
        });
      });
    }
    asPromise(outcome).then(
      (behaviour) => this.hasStarted(behaviour as Behaviour | typeof IGNORE),
      (error: unknown) => this.initFailed(error),
    );
  }

  initFailed(error: unknown): void {
    if (this.phase !== STARTING) {
      this.noLongerBusy();
      return;
    }
    this.busy = false;
    this.end(this.stopReason ?? reasonOf(error));
  }

  /** The end of a conducted init, in the turn in which it comes: a stop finds it either starting or running. */
  completeInit(behaviour: Behaviour): void {
    if (this.phase === STARTING) this.hasStarted(behaviour);
  }

  hasStarted(behaviour: Behaviour | typeof IGNORE): void {
    if (this.phase !== STARTING) {
      if (behaviour === IGNORE) this.noLongerBusy();
      else this.closeLate(behaviour);
      return;
    }
    this.busy = false;
    this.allowance?.cancel();
    this.allowance = undefined;
    if (behaviour === IGNORE) {
      this.outcome = 'ignored';
      this.end('normal');
      return;
    }
    this.behaviour = behaviour;
    if (this.stopReason !== undefined) {
      this.end(this.stopReason);
      return;
    }
    this.phase = RUNNING;
    this.outcome = 'started';
    this.place.system.actorStarted(this);
    this.observer?.started(this);
    if (this.runnable) this.place.system.scheduler.schedule(this);
  }

  /** What an init acquired after its deadline or abort is closed here, once, within the allowance; it straggles until then. */
  closeLate(behaviour: Behaviour): void {
    let reaped = false;
    const reap = () => {
      if (!reaped) this.reap(behaviour, this.reason);
      reaped = true;
    };
    const closed = () => {
      limit?.cancel();
      reap();
      this.noLongerBusy();
    };
    const threw = (error: unknown) => {
      this.place.system.threw(this, error);
      closed();
    };
    let closing: unknown;
    let limit: Timer | undefined;
    try {
      closing = this.asOwner(undefined, () => behaviour.terminate?.(this.reason));
    } catch (error) {
      threw(error);
      return;
    }
    if (!isThenable(closing)) {
      closed();
      return;
    }
    const { host } = this.place.system;
    limit = host.timer(this.ownDeadline() - host.monotonic(), 'late close', reap);
    asPromise(closing).then(closed, threw);
  }

  beginStop(reason: ExitReason, deadline: number): void {
    if (this.fenced) {
      this.hasten(reason, deadline);
      return;
    }
    if (this.phase === STARTING) {
      this.stopStarting(reason, deadline);
      return;
    }
    this.toldToStop = true;
    if (deadline < this.stopDeadline) this.allow(deadline);
    if (this.phase !== RUNNING || this.pendingStop) return;
    this.reason = reason;
    this.pendingStop = true;
    this.suspended = false;
    this.controller?.abort();
    if (!this.busy) this.continueStop();
  }

  stopStarting(reason: ExitReason, deadline: number): void {
    if (this.abortInit === undefined && !this.initAborted) {
      this.end(reason);
      return;
    }
    if (deadline < this.stopDeadline) this.allow(deadline);
    if (this.initAborted) return;
    this.initAborted = true;
    this.stopReason ??= reason;
    this.abortInit?.();
  }

  allow(deadline: number): void {
    this.stopDeadline = deadline;
    this.allowance?.cancel();
    const { host } = this.place.system;
    if (deadline === Number.POSITIVE_INFINITY) return;
    this.allowance = host.timer(Math.max(0, deadline - host.monotonic()), 'allowance', () => this.kill());
  }

  continueStop(): void {
    this.pendingStop = false;
    if (this.place.spec.onShutdown === 'drain' && this.waitingMail > 0) {
      this.phase = DRAINING;
      this.place.system.scheduler.schedule(this);
    } else this.callShutdown();
  }

  callShutdown(): void {
    this.phase = CLOSING;
    let closing: unknown;
    try {
      closing = this.asOwner(undefined, () => this.behaviour?.shutdown?.(this.reason));
    } catch (error) {
      this.terminate(reasonOf(error));
      return;
    }
    if (!isThenable(closing)) {
      this.terminate(this.stopReason ?? this.reason);
      return;
    }
    asPromise(closing).then(
      () => this.post(runMail(() => this.context.stop(this.stopReason ?? this.reason))),
      (error: unknown) => this.post(runMail(() => Promise.reject(error))),
    );
    this.place.system.scheduler.schedule(this);
  }

  terminate(reason: ExitReason): void {
    this.phase = TERMINATING;
    this.turn += 1;
    this.reason = reason;
    this.stopReason = undefined;
    // A call whose handler threw is still owed an answer: it hears of the end with its reason.
    if (this.currentCall !== undefined) this.defer();
    this.current = undefined;
    this.controller?.abort();
    this.discardMail();
    if (this.stopDeadline === Number.POSITIVE_INFINITY && this.behaviour?.terminate !== undefined)
      this.allow(this.ownDeadline());
    let ending: unknown;
    try {
      ending = this.asOwner(undefined, () => this.behaviour?.terminate?.(reason));
    } catch (error) {
      this.end(reasonOf(error));
      return;
    }
    if (!isThenable(ending)) {
      this.end(this.stopReason ?? reason);
      return;
    }
    this.busy = true;
    const over = (final: ExitReason) => {
      if (this.fenced) return this.noLongerBusy();
      this.busy = false;
      return this.end(final);
    };
    asPromise(ending).then(
      () => over(this.stopReason ?? reason),
      (error: unknown) => over(reasonOf(error)),
    );
  }

  /** The one end of an incarnation, on every path. */
  end(reason: ExitReason): void {
    if (this.phase >= ENDING) return;
    this.phase = ENDING;
    this.reason = reason;
    this.allowance?.cancel();
    this.idle?.cancel();
    if (this.timers !== undefined) for (const timer of this.timers) timer.cancel();
    this.timers = undefined;
    this.place.cellEnded(this);
    this.place.system.registry.forget(this);
    this.controller?.abort();
    this.settleCalls(reason);
    this.discardMail();
    if (this.behaviour !== undefined) this.reap(this.behaviour, reason);
    this.letGo(reason);
    if (this.busy && !(this.conducted && this.outcome === 'starting')) this.place.system.straggling(this);
    relations.notifyEnd(this, reason);
    if (this.children === undefined || this.children.size === 0) this.finalise();
    else for (const child of this.children) child.parentEnded(reason);
  }

  reap(behaviour: Behaviour, reason: ExitReason): void {
    try {
      this.asOwner(undefined, () => behaviour.reap?.(reason));
    } catch (error) {
      this.place.system.threw(this, error);
    }
  }

  /** Lets go of what others hold for it: locks, leases, subscriptions, tasks. */
  letGo(reason: ExitReason): void {
    const { holdings } = this;
    if (holdings === undefined) return;
    this.holdings = undefined;
    for (const release of holdings) {
      try {
        release(reason);
      } catch (error) {
        this.place.system.threw(this, error);
      }
    }
  }

  noLongerBusy(): void {
    if (!this.busy) return;
    this.busy = false;
    this.place.system.straggled(this);
  }

  childEnded(child: Cell): void {
    this.children?.delete(child);
    if (this.phase === ENDING && this.children?.size === 0) this.finalise();
  }

  finalise(): void {
    this.phase = ENDED;
    this.place.vacated(this);
    this.place.system.actorEnded(this, this.reason, this.outcome !== 'started');
    if (this.outcome === 'started') this.observer?.ended(this, this.reason);
    else if (this.outcome === 'ignored') this.observer?.ignored(this);
    else this.observer?.failed(this, this.reason);
    this.parent?.childEnded(this);
  }
}
