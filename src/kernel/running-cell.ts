/**
 * A cell at work: it takes orders first, then mail, one handler at a time, and sees to what a handler leaves behind: a reply,
 * a wish to stop, a throw.
 *
 * Invariant: while a handler runs or is awaited no other begins; what it resolves with after the end changes nothing.
 */
import { createError } from '../base/errors.ts';
import { CLOSING, DRAINING, RUNNING, TERMINATING } from './cell-state.ts';
import { type Behaviour, DEFERRED } from './logic.ts';
import { CALL, type Call, INFO, type Mail, nameOf, type Run, TELL } from './mail.ts';
import { type ExitReason, reasonOf } from './reason.ts';
import { ReceivingCell } from './receiving-cell.ts';
import * as relations from './relations.ts';
import type { Watch } from './watch.ts';

const lostCall = (target: string, message: unknown): Error =>
  createError('ERR_CALL_LOST', { target, message: nameOf(message) }, { stack: false });

/** Whether a handler's result is to be awaited. One that throws when asked is not: it is for whoever gets it. */
export const isThenable = (value: unknown): value is PromiseLike<unknown> => {
  if (typeof value !== 'object' || value === null) return false;
  try {
    return typeof (value as { then?: unknown }).then === 'function';
  } catch {
    return false;
  }
};

/** A thenable of a user's may throw, call back at once, or twice; a promise does not. */
export const asPromise = (value: PromiseLike<unknown>): PromiseLike<unknown> =>
  value instanceof Promise ? value : Promise.resolve(value);

export abstract class RunningCell extends ReceivingCell {
  abstract end(reason: ExitReason): void;
  abstract terminate(reason: ExitReason): void;
  abstract continueStop(): void;
  abstract callShutdown(): void;
  abstract noLongerBusy(): void;

  activate(budget: number): number {
    while (this.orders !== undefined) {
      const orders = this.orders;
      this.orders = undefined;
      // Also those that come too late for it: a stop still shortens the time of those below.
      for (const order of orders) order();
    }
    let handled = 0;
    while (handled < budget && this.takesMail) {
      if (this.place.system.watch?.holds(this.whole) === true) break;
      const mail = this.box?.shift();
      if (mail === undefined) break;
      handled += 1;
      this.handle(mail);
      if (this.orders !== undefined) break;
    }
    if (this.phase === DRAINING && this.waitingMail === 0 && !this.busy) this.callShutdown();
    return handled;
  }

  handle(mail: Mail): void {
    this.idle?.cancel();
    this.current = mail;
    this.turn += 1;
    let outcome: unknown;
    const { watch } = this.place.system;
    try {
      if (watch !== undefined && !this.begins(mail, watch)) return;
      outcome = this.place.system.carriesContext
        ? this.asOwner(mail.scope, () => this.deliver(mail))
        : this.deliver(mail);
    } catch (error) {
      watch?.ended(mail, this.whole, true);
      this.fail(error);
      return;
    }
    watch?.returned();
    if (isThenable(outcome)) {
      this.busy = true;
      asPromise(outcome).then(
        (value) => this.handled(mail, value),
        (error: unknown) => {
          this.place.system.watch?.ended(mail, this.whole, true);
          if (this.fenced) this.noLongerBusy();
          else this.fail(error);
        },
      );
      return;
    }
    this.finish(mail, outcome);
  }

  /** Whether the handler runs, as far as the watch has a say. Throws what the watch wants thrown in its place. */
  begins(mail: Mail, watch: Watch): boolean {
    const verdict = watch.begins(mail, this.whole);
    if (verdict === 'run') return true;
    if (verdict !== 'lose') throw verdict;
    if (mail.kind === CALL) (mail as Call).refuse(lostCall(this.place.path, mail.message));
    this.finish(mail, DEFERRED);
    return false;
  }

  deliver(mail: Mail): unknown {
    const behaviour = this.behaviour as Behaviour;
    switch (mail.kind) {
      case TELL:
        this.lastMessage = nameOf(mail.message);
        return behaviour.tell(mail.message);
      case CALL:
        if (!(mail as Call).open) return DEFERRED;
        this.lastMessage = nameOf(mail.message);
        if (behaviour.call !== undefined) return behaviour.call(mail.message, mail as Call);
        (mail as Call).refuse(relations.noHandler(this.place.path, mail.message, []));
        return DEFERRED;
      case INFO:
        return behaviour.info?.(mail.message as never);
      default:
        return (mail.message as Run)();
    }
  }

  handled(mail: Mail, value: unknown): void {
    if (this.fenced) {
      this.noLongerBusy();
      return;
    }
    this.busy = false;
    this.finish(mail, value);
    if (this.runnable || this.phase === DRAINING) this.place.system.scheduler.schedule(this);
  }

  finish(mail: Mail, value: unknown): void {
    this.place.system.watch?.ended(mail, this.whole, false);
    this.current = undefined;
    if (mail.kind === CALL) {
      if (value === DEFERRED) this.keep(mail as Call);
      else if (this.deferred?.has(mail as Call) !== true) (mail as Call).reply(value);
    }
    if (this.phase >= TERMINATING) return;
    if (this.stopReason !== undefined) this.terminate(this.stopReason);
    else if (this.pendingStop) this.continueStop();
  }

  /** As if a handler had thrown between two messages: for hosts that plan faults. */
  crash(error: Error): void {
    if (this.phase >= RUNNING && this.phase <= CLOSING && !this.busy) this.fail(error);
  }

  fail(error: unknown): void {
    this.busy = false;
    if (this.phase >= TERMINATING) this.end(reasonOf(error));
    else this.terminate(reasonOf(error));
  }
}
