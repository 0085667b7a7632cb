/**
 * A cell as the receiver of mail and the keeper of calls: those it handles, those it owes an answer, those it made.
 *
 * Invariant: mail that will not be handled is accounted for: a call is rejected with what is known of it, or handed on to the next
 * incarnation; a tell is a dead letter. With the incarnation's end every call of it is settled.
 */
import { createError } from '../base/errors.ts';
import { CellState, ENDING, TERMINATING } from './cell-state.ts';
import type { Request, Told } from './logic.ts';
import { CALL, type Call, type Mail, nameOf, TELL } from './mail.ts';
import { describeReason, type ExitReason, errorIn } from './reason.ts';

export abstract class ReceivingCell extends CellState {
  /** Takes a tell or a call. Refused mail is accounted for here: a call is rejected, a tell is a dead letter. */
  accept(mail: Mail): Told {
    if (this.refusesMail) {
      this.discard(mail);
      return 'dropped';
    }
    if (mail.kind === CALL) (mail as Call).callee = this;
    const { mailboxCapacity, overflow } = this.place.spec;
    const refused = this.mail.offer(mail, mailboxCapacity, overflow);
    if (refused !== undefined) this.overflowed(refused);
    if (refused !== mail) this.place.system.watch?.accepted(mail, this.whole);
    if (!this.busy) this.place.system.scheduler.schedule(this);
    return refused === mail ? 'dropped' : 'sent';
  }

  /** Takes the kernel's or the actor's own mail: never refused while it can still be handled. */
  post(mail: Mail): void {
    if (this.phase >= TERMINATING) return;
    this.mail.push(mail);
    this.place.system.watch?.accepted(mail, this.whole);
    if (!this.busy) this.place.system.scheduler.schedule(this);
  }

  postFirst(mail: Mail): void {
    if (this.phase >= TERMINATING) return;
    this.mail.pushFirst(mail);
    if (!this.busy) this.place.system.scheduler.schedule(this);
  }

  removeMail(matches: (mail: Mail) => boolean): void {
    this.box?.remove(matches);
  }

  hasTaken(call: Call): boolean {
    return this.current === call || this.deferred?.has(call) === true;
  }

  /** The request being handled becomes the handler's to answer later. */
  defer(): Request {
    const call = this.currentCall;
    if (call === undefined)
      throw createError('ERR_NO_HANDLER', {
        target: this.place.path,
        kind: 'call',
        message: 'later()',
        expected: 'a call being handled',
      });
    this.keep(call);
    return call;
  }

  /** Keeps a call for a later answer; its callee's end settles it. One that nobody waits for is not kept. */
  keep(call: Call): void {
    if (!call.open) return;
    this.deferred ??= new Set();
    this.deferred.add(call);
  }

  forgetDeferred(call: Call): void {
    this.deferred?.delete(call);
  }

  addOutgoing(call: Call): void {
    call.next = this.outgoing;
    if (this.outgoing !== undefined) this.outgoing.previous = call;
    this.outgoing = call;
  }

  /** The result of one of this turn's calls comes back as mail. */
  markPiped(promise: unknown): void {
    for (let call = this.outgoing; call?.issuerTurn === this.turn; call = call.next)
      if (call.promise === promise) call.piped = true;
  }

  forgetOutgoing(call: Call): void {
    if (call.previous !== undefined) call.previous.next = call.next;
    else if (this.outgoing === call) this.outgoing = call.next;
    if (call.next !== undefined) call.next.previous = call.previous;
    call.next = undefined;
    call.previous = undefined;
  }

  settleCalls(reason: ExitReason): void {
    const data = { target: this.place.path, reason: describeReason(reason) };
    const cause = { cause: errorIn(reason) };
    const refuse = (call: Call) =>
      call.refuse(createError('ERR_CALLEE_ENDED', { ...data, message: nameOf(call.message) }, cause));
    const current = this.currentCall;
    if (current !== undefined) refuse(current);
    if (this.deferred !== undefined) for (const call of [...this.deferred]) refuse(call);
    for (let call = this.outgoing; call !== undefined; call = this.outgoing) {
      const fenced = { target: this.place.path, what: 'await a reply' };
      call.abandon(createError('ERR_FENCED', fenced, { outcome: call.abortOutcome() }));
    }
  }

  discardMail(): void {
    for (let mail = this.box?.shift(); mail !== undefined; mail = this.box?.shift()) this.discard(mail);
  }

  /** It ends of its own, and its owner starts it again. */
  get comesAgain(): boolean {
    const { observer } = this;
    if (this.toldToStop || observer?.supervises !== true) return false;
    return observer.wantsRestart?.(this.reason) ?? true;
  }

  /** Accounts for mail that this incarnation will not handle; a call that can wait for the next one does. */
  discard(mail: Mail): void {
    this.place.system.watch?.dropped(mail, this.whole);
    if (mail.kind === CALL) {
      if (this.outcome === 'starting' && this.place.takeBack(mail as Call)) return;
      if (this.comesAgain && this.place.refuseUntilNext(mail as Call)) return;
      const data = {
        target: this.place.path,
        message: nameOf(mail.message),
        reason: describeReason(this.reason),
      };
      const code = this.phase < ENDING ? 'ERR_STOPPING' : 'ERR_CALLEE_ENDED';
      (mail as Call).refuse(createError(code, data, { outcome: 'not_started', stack: false }));
    } else if (mail.kind === TELL) this.place.system.deadLetter(this.place.path, mail.message);
  }

  overflowed(mail: Mail): void {
    this.place.system.watch?.dropped(mail, this.whole);
    const { path, spec, system } = this.place;
    system.dropped(path, mail.message, spec.overflow);
    if (mail.kind !== CALL) return;
    const data = { target: path, capacity: spec.mailboxCapacity };
    (mail as Call).refuse(createError('ERR_MAILBOX_FULL', data, { stack: false }));
  }
}
