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
import { type AsyncScope, runOwned } from './async-context.ts';
import { ActorContextOfCell } from './context.ts';
import { type Behaviour, DEFERRED, IGNORE, type Inspection, type Request, type Told } from './logic.ts';
import { CALL, type Call, INFO, type Mail, nameOf, type Run, runMail, TELL } from './mail.ts';
import { Mailbox } from './mailbox.ts';
import type { PlaceOfActor } from './place.ts';
import { describeReason, type ExitReason, errorIn, isClean, reasonOf } from './reason.ts';
import { createRef, type Ref } from './ref.ts';
import * as relations from './relations.ts';
import type { Runnable } from './scheduler.ts';
import { SPEC_DEFAULTS } from './spec.ts';

const STARTING = 0;
const RUNNING = 1;
/** Shutdown began; queued mail is handled first (`onShutdown: 'drain'`), new mail is refused. */
const DRAINING = 2;
/** The behaviour's `shutdown` is pending; mail goes on. */
const CLOSING = 3;
/** `terminate` runs; no mail any more. */
const TERMINATING = 4;
/** Ended; children are still ending. */
const ENDING = 5;
const ENDED = 6;

/** Who is told of an incarnation's fate: `started` or `ignored` or `failed` first, and after `started` one `ended`. */
export interface Observer {
  /** `true`: its owner may start it again; callers meanwhile hear ERR_RESTARTING, not ERR_NOPROC. */
  readonly supervises: boolean;
  /** Whether an end of its own with this reason brings another incarnation; without it, any does. */
  wantsRestart?(reason: ExitReason): boolean;
  started(cell: Cell): void;
  ignored(cell: Cell): void;
  failed(cell: Cell, reason: ExitReason): void;
  ended(cell: Cell, reason: ExitReason): void;
}

const INSPECT_FAILED: Inspection = Object.freeze({ state: 'inspect failed' });

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';

/** A thenable of a user's may throw, call back at once, or twice; a promise does not. */
const asPromise = (value: PromiseLike<unknown>): PromiseLike<unknown> =>
  value instanceof Promise ? value : Promise.resolve(value);

export class Cell implements Runnable {
  readonly ref: Ref;
  readonly place: PlaceOfActor;
  readonly parent: Cell | undefined;
  readonly context: ActorContextOfCell;
  readonly observer: Observer | undefined;
  scheduled = false;
  /** Counts what this incarnation handled; a call remembers the turn in which it was made. */
  turn = 0;
  trapExit = false;
  children: Set<Cell> | undefined = undefined;
  relations: relations.Relations | undefined = undefined;
  timers: Set<Timer> | undefined = undefined;
  names: Set<string> | undefined = undefined;
  stopReason: ExitReason | undefined = undefined;
  stopDeadline = Number.POSITIVE_INFINITY;
  lastMessage: string | undefined = undefined;
  #phase = STARTING;
  #outcome: 'starting' | 'ignored' | 'started' = 'starting';
  #reason: ExitReason = 'normal';
  #behaviour: Behaviour | undefined = undefined;
  #mailbox: Mailbox | undefined = undefined;
  #control: Run[] | undefined = undefined;
  #busy = false;
  /** A stop was asked for from outside: whoever did it decides what comes after. */
  #toldToStop = false;
  #suspended = false;
  /** A stop was asked for while a handler ran; it goes on when that settles. */
  #pendingStop = false;
  #current: Mail | undefined = undefined;
  #deferred: Set<Call> | undefined = undefined;
  #outgoing: Call | undefined = undefined;
  /** Set by an init that cleans up after itself when it is told to stop (a supervisor's): it then ends the start. */
  abortInit: (() => void) | undefined = undefined;
  /** That was told to stop: a second stop only shortens its time. */
  #initAborted = false;
  /** Its init proceeds in turns of the kernel only (a supervisor's): it ends with the incarnation, straggling nowhere. */
  conducted = false;
  #allowance: Timer | undefined = undefined;
  #idle: Timer | undefined = undefined;
  #controller: AbortController | undefined = undefined;

  constructor(place: PlaceOfActor, parent: Cell | undefined, observer: Observer | undefined) {
    this.place = place;
    this.parent = parent;
    this.observer = observer;
    this.ref = createRef(place.path, place.system.nextIncarnation());
    this.context = new ActorContextOfCell(this);
    if (parent !== undefined) {
      parent.children ??= new Set();
      parent.children.add(this);
    }
  }

  /** Has a turn been asked for by anyone, and may it be taken? */
  get runnable(): boolean {
    return this.#control !== undefined || (this.#takesMail && this.mailboxSize > 0);
  }

  /** The incarnation has ended: it is fenced. */
  get fenced(): boolean {
    return this.#phase >= ENDING;
  }

  get ended(): boolean {
    return this.#phase === ENDED;
  }

  /** Why it ended, or is about to. */
  get reason(): ExitReason {
    return this.#reason;
  }

  get starting(): boolean {
    return this.#phase === STARTING;
  }

  /** A handler is running (or was, when the incarnation ended). */
  get busy(): boolean {
    return this.#busy;
  }

  /** Code of this very turn is running or awaited. */
  isIn(turn: number): boolean {
    return turn === this.turn && (this.#busy || this.#current !== undefined || this.#phase === TERMINATING);
  }

  get status(): 'starting' | 'running' | 'suspended' | 'stopping' | 'ended' {
    if (this.#phase === STARTING) return 'starting';
    if (this.#phase >= ENDING) return 'ended';
    if (this.#phase > RUNNING) return 'stopping';
    return this.#suspended ? 'suspended' : 'running';
  }

  get behaviour(): Behaviour | undefined {
    return this.#behaviour;
  }

  /** What its logic says of itself; one that throws, or answers with no object, has failed to say it. */
  inspect(): Inspection {
    try {
      const seen: unknown = this.#behaviour?.inspect?.() ?? {};
      if (typeof seen === 'object') return seen as Inspection;
    } catch (error) {
      this.place.system.threw(this, error);
    }
    return INSPECT_FAILED;
  }

  get mailboxSize(): number {
    return this.#mailbox === undefined ? 0 : this.#mailbox.size;
  }

  get waitingMail(): number {
    return this.#mailbox === undefined ? 0 : this.#mailbox.counted;
  }

  get current(): Mail | undefined {
    return this.#current;
  }

  /** The call being handled now, if it is one. */
  get currentCall(): Call | undefined {
    return this.#current?.kind === CALL ? (this.#current as Call) : undefined;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#phase > RUNNING) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  get #takesMail(): boolean {
    const phase = this.#phase;
    return phase >= RUNNING && phase <= CLOSING && !this.#busy && !this.#suspended;
  }

  /** From the moment it is told to stop, unless the behaviour has business of its own with its end. */
  get #refusesMail(): boolean {
    const phase = this.#phase;
    if (phase > RUNNING) return phase !== CLOSING;
    return this.#pendingStop && this.#behaviour?.shutdown === undefined;
  }

  get #mail(): Mailbox {
    this.#mailbox ??= new Mailbox();
    return this.#mailbox;
  }

  // ── receiving ─────────────────────────────────────────────────────────────────────────────

  /** Takes a tell or a call. Refused mail is accounted for here: a call is rejected, a tell is a dead letter. */
  accept(mail: Mail): Told {
    if (this.#refusesMail) {
      this.#discard(mail);
      return 'dropped';
    }
    if (mail.kind === CALL) (mail as Call).callee = this;
    const { mailboxCapacity, overflow } = this.place.spec;
    const refused = this.#mail.offer(mail, mailboxCapacity, overflow);
    if (refused !== undefined) this.#overflowed(refused);
    if (!this.#busy) this.place.system.scheduler.schedule(this);
    return refused === mail ? 'dropped' : 'sent';
  }

  /** Takes the kernel's or the actor's own mail: never refused while it can still be handled. */
  post(mail: Mail): void {
    if (this.#phase >= TERMINATING) return;
    this.#mail.push(mail);
    if (!this.#busy) this.place.system.scheduler.schedule(this);
  }

  postFirst(mail: Mail): void {
    if (this.#phase >= TERMINATING) return;
    this.#mail.pushFirst(mail);
    if (!this.#busy) this.place.system.scheduler.schedule(this);
  }

  removeMail(matches: (mail: Mail) => boolean): void {
    this.#mailbox?.remove(matches);
  }

  hasTaken(call: Call): boolean {
    return this.#current === call || this.#deferred?.has(call) === true;
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
    this.#keep(call);
    return call;
  }

  /** Keeps a call for a later answer; its callee's end settles it. One that nobody waits for is not kept. */
  #keep(call: Call): void {
    if (!call.open) return;
    this.#deferred ??= new Set();
    this.#deferred.add(call);
  }

  forgetDeferred(call: Call): void {
    this.#deferred?.delete(call);
  }

  addOutgoing(call: Call): void {
    call.next = this.#outgoing;
    if (this.#outgoing !== undefined) this.#outgoing.previous = call;
    this.#outgoing = call;
  }

  /** The result of one of this turn's calls comes back as mail. */
  markPiped(promise: unknown): void {
    for (let call = this.#outgoing; call?.issuerTurn === this.turn; call = call.next)
      if (call.promise === promise) call.piped = true;
  }

  forgetOutgoing(call: Call): void {
    if (call.previous !== undefined) call.previous.next = call.next;
    else if (this.#outgoing === call) this.#outgoing = call.next;
    if (call.next !== undefined) call.next.previous = call.previous;
    call.next = undefined;
    call.previous = undefined;
  }

  // ── the control lane ──────────────────────────────────────────────────────────────────────

  /** Overtakes all mail. Runs in a turn of the receiver, never in the sender's. */
  control(run: Run): void {
    if (this.#phase >= ENDING) return;
    if (this.#control === undefined) this.#control = [run];
    else this.#control.push(run);
    this.place.system.scheduler.schedule(this);
  }

  launch(): void {
    this.control(() => this.#init());
  }

  /** Ends it at once; what is below it has until `until` where it ends in order. */
  kill(until = NO_DEADLINE): void {
    this.control(() => {
      this.#hasten('killed', until);
      this.end('killed');
    });
  }

  /** An exit signal that ends it at once, without `terminate`. */
  exit(reason: ExitReason): void {
    this.control(() => this.end(reason));
  }

  /** The orderly stop: handler settles, `shutdown`, `terminate`, all until `deadline`; then it is killed. */
  stop(reason: ExitReason, deadline: number): void {
    if (this.fenced) this.#hasten(reason, deadline);
    else this.control(() => this.#beginStop(reason, deadline));
  }

  /** Less time, also for those below it for whom it waits where it has ended itself. */
  #hasten(reason: ExitReason, deadline: number): void {
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
      if (this.#phase <= RUNNING && !this.#pendingStop) this.#suspended = true;
    });
  }

  resume(): void {
    this.control(() => {
      this.#suspended = false;
    });
  }

  /** Until when an orderly stop that begins now may take, by its own spec. */
  ownDeadline(): number {
    const allowance = this.place.spec.shutdownMs;
    const ms = allowance === 'brutal_kill' ? SPEC_DEFAULTS.shutdownMs : allowance;
    return this.place.system.host.monotonic() + ms;
  }

  setIdle(idleMs: number): void {
    this.#idle?.cancel();
    this.#idle = this.place.system.host.timer(idleMs, 'idle', () => {
      this.#idle = undefined;
      // A message came in time, though its turn has not.
      if (this.mailboxSize === 0) relations.inform(this, { type: 'timeout' });
    });
  }

  // ── running ───────────────────────────────────────────────────────────────────────────────

  activate(budget: number): number {
    while (this.#control !== undefined) {
      const orders = this.#control;
      this.#control = undefined;
      // Also those that come too late for it: a stop still shortens the time of those below.
      for (const order of orders) order();
    }
    let handled = 0;
    while (handled < budget && this.#takesMail) {
      const mail = this.#mailbox?.shift();
      if (mail === undefined) break;
      handled += 1;
      this.#handle(mail);
      if (this.#control !== undefined) break;
    }
    if (this.#phase === DRAINING && this.waitingMail === 0 && !this.#busy) this.#callShutdown();
    return handled;
  }

  #init(): void {
    if (this.#phase !== STARTING) return;
    const { logic, input, initTimeoutMs } = this.place.spec;
    this.#busy = true;
    this.turn += 1;
    let outcome: unknown;
    try {
      outcome = this.#asOwner(undefined, () => logic.start(this.context, input));
    } catch (error) {
      this.#initFailed(error);
      return;
    }
    if (!isThenable(outcome)) {
      this.#started(outcome as Behaviour | typeof IGNORE);
      return;
    }
    // Conducted, and over within the call.
    if (this.#phase !== STARTING) return;
    const { host } = this.place.system;
    if (initTimeoutMs !== Number.POSITIVE_INFINITY) {
      this.#allowance = host.timer(initTimeoutMs, 'init', () => {
        const data = { target: this.place.path, timeoutMs: initTimeoutMs };
        this.control(() => {
          // An init that ends in the very turn of its deadline has ended in time.
          if (this.#phase === STARTING) this.end(reasonOf(createError('ERR_INIT_TIMEOUT', data)));
        });
      });
    }
    asPromise(outcome).then(
      (behaviour) => this.#started(behaviour as Behaviour | typeof IGNORE),
      (error: unknown) => this.#initFailed(error),
    );
  }

  #initFailed(error: unknown): void {
    if (this.#phase !== STARTING) {
      this.#noLongerBusy();
      return;
    }
    this.#busy = false;
    this.end(this.stopReason ?? reasonOf(error));
  }

  /** The end of a conducted init, in the turn in which it comes: a stop finds it either starting or running. */
  completeInit(behaviour: Behaviour): void {
    if (this.#phase === STARTING) this.#started(behaviour);
  }

  #started(behaviour: Behaviour | typeof IGNORE): void {
    if (this.#phase !== STARTING) {
      if (behaviour === IGNORE) this.#noLongerBusy();
      else this.#closeLate(behaviour);
      return;
    }
    this.#busy = false;
    this.#allowance?.cancel();
    this.#allowance = undefined;
    if (behaviour === IGNORE) {
      this.#outcome = 'ignored';
      this.end('normal');
      return;
    }
    this.#behaviour = behaviour;
    if (this.stopReason !== undefined) {
      this.end(this.stopReason);
      return;
    }
    this.#phase = RUNNING;
    this.#outcome = 'started';
    this.place.system.actorStarted(this);
    this.observer?.started(this);
    if (this.runnable) this.place.system.scheduler.schedule(this);
  }

  /** What an init acquired after its deadline or abort is closed here, once, within the allowance; it straggles until then. */
  #closeLate(behaviour: Behaviour): void {
    let reaped = false;
    const reap = () => {
      if (!reaped) this.#reap(behaviour, this.#reason);
      reaped = true;
    };
    const closed = () => {
      limit?.cancel();
      reap();
      this.#noLongerBusy();
    };
    const threw = (error: unknown) => {
      this.place.system.threw(this, error);
      closed();
    };
    let closing: unknown;
    let limit: Timer | undefined;
    try {
      closing = this.#asOwner(undefined, () => behaviour.terminate?.(this.#reason));
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

  #handle(mail: Mail): void {
    this.#idle?.cancel();
    this.#current = mail;
    this.turn += 1;
    let outcome: unknown;
    try {
      outcome = this.place.system.carriesContext
        ? this.#asOwner(mail.scope, () => this.#deliver(mail))
        : this.#deliver(mail);
    } catch (error) {
      this.#crash(error);
      return;
    }
    if (isThenable(outcome)) {
      this.#busy = true;
      asPromise(outcome).then(
        (value) => this.#handled(mail, value),
        (error: unknown) => (this.fenced ? this.#noLongerBusy() : this.#crash(error)),
      );
      return;
    }
    this.#finish(mail, outcome);
  }

  #deliver(mail: Mail): unknown {
    const behaviour = this.#behaviour as Behaviour;
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

  /**
   * Runs this actor's code in its name, and in the foreign context that a message brought along; where none did, in the
   * system's own, never in that of whoever happened to begin the turn.
   */
  #asOwner<T>(scope: AsyncScope | undefined, run: () => T): T {
    const { carriesContext, ownScope } = this.place.system;
    if (!carriesContext) return run();
    return (scope ?? ownScope()).runInAsyncScope(() => runOwned({ ref: this.ref, turn: this.turn }, run));
  }

  #handled(mail: Mail, value: unknown): void {
    if (this.fenced) {
      this.#noLongerBusy();
      return;
    }
    this.#busy = false;
    this.#finish(mail, value);
    if (this.runnable || this.#phase === DRAINING) this.place.system.scheduler.schedule(this);
  }

  #finish(mail: Mail, value: unknown): void {
    this.#current = undefined;
    if (mail.kind === CALL) {
      if (value === DEFERRED) this.#keep(mail as Call);
      else if (this.#deferred?.has(mail as Call) !== true) (mail as Call).reply(value);
    }
    if (this.#phase >= TERMINATING) return;
    if (this.stopReason !== undefined) this.#terminate(this.stopReason);
    else if (this.#pendingStop) this.#continueStop();
  }

  get name(): string {
    return this.ref.path;
  }

  /** As if a handler had thrown between two messages: for hosts that plan faults. */
  crash(error: Error): void {
    if (this.#phase >= RUNNING && this.#phase <= CLOSING && !this.#busy) this.#crash(error);
  }

  #crash(error: unknown): void {
    this.#busy = false;
    if (this.#phase >= TERMINATING) this.end(reasonOf(error));
    else this.#terminate(reasonOf(error));
  }

  // ── stopping ──────────────────────────────────────────────────────────────────────────────

  #beginStop(reason: ExitReason, deadline: number): void {
    if (this.fenced) {
      this.#hasten(reason, deadline);
      return;
    }
    if (this.#phase === STARTING) {
      this.#stopStarting(reason, deadline);
      return;
    }
    this.#toldToStop = true;
    if (deadline < this.stopDeadline) this.#allow(deadline);
    if (this.#phase !== RUNNING || this.#pendingStop) return;
    this.#reason = reason;
    this.#pendingStop = true;
    this.#suspended = false;
    this.#controller?.abort();
    if (!this.#busy) this.#continueStop();
  }

  #stopStarting(reason: ExitReason, deadline: number): void {
    if (this.abortInit === undefined && !this.#initAborted) {
      this.end(reason);
      return;
    }
    if (deadline < this.stopDeadline) this.#allow(deadline);
    if (this.#initAborted) return;
    this.#initAborted = true;
    this.stopReason ??= reason;
    this.abortInit?.();
  }

  #allow(deadline: number): void {
    this.stopDeadline = deadline;
    this.#allowance?.cancel();
    const { host } = this.place.system;
    if (deadline === Number.POSITIVE_INFINITY) return;
    this.#allowance = host.timer(Math.max(0, deadline - host.monotonic()), 'allowance', () => this.kill());
  }

  #continueStop(): void {
    this.#pendingStop = false;
    if (this.place.spec.onShutdown === 'drain' && this.waitingMail > 0) {
      this.#phase = DRAINING;
      this.place.system.scheduler.schedule(this);
    } else this.#callShutdown();
  }

  #callShutdown(): void {
    this.#phase = CLOSING;
    let closing: unknown;
    try {
      closing = this.#asOwner(undefined, () => this.#behaviour?.shutdown?.(this.#reason));
    } catch (error) {
      this.#terminate(reasonOf(error));
      return;
    }
    if (!isThenable(closing)) {
      this.#terminate(this.stopReason ?? this.#reason);
      return;
    }
    closing.then(
      () => this.post(runMail(() => this.context.stop(this.stopReason ?? this.#reason))),
      (error: unknown) => this.post(runMail(() => Promise.reject(error))),
    );
    this.place.system.scheduler.schedule(this);
  }

  #terminate(reason: ExitReason): void {
    this.#phase = TERMINATING;
    this.turn += 1;
    this.#reason = reason;
    this.stopReason = undefined;
    // A call whose handler threw is still owed an answer: it hears of the end with its reason.
    if (this.currentCall !== undefined) this.defer();
    this.#current = undefined;
    this.#controller?.abort();
    this.#discardMail();
    if (this.stopDeadline === Number.POSITIVE_INFINITY && this.#behaviour?.terminate !== undefined)
      this.#allow(this.ownDeadline());
    let ending: unknown;
    try {
      ending = this.#asOwner(undefined, () => this.#behaviour?.terminate?.(reason));
    } catch (error) {
      this.end(reasonOf(error));
      return;
    }
    if (!isThenable(ending)) {
      this.end(this.stopReason ?? reason);
      return;
    }
    this.#busy = true;
    const over = (final: ExitReason) => {
      if (this.fenced) return this.#noLongerBusy();
      this.#busy = false;
      return this.end(final);
    };
    ending.then(
      () => over(this.stopReason ?? reason),
      (error: unknown) => over(reasonOf(error)),
    );
  }

  // ── the end ───────────────────────────────────────────────────────────────────────────────

  /** The one end of an incarnation, on every path. */
  end(reason: ExitReason): void {
    if (this.#phase >= ENDING) return;
    this.#phase = ENDING;
    this.#reason = reason;
    this.#allowance?.cancel();
    this.#idle?.cancel();
    if (this.timers !== undefined) for (const timer of this.timers) timer.cancel();
    this.timers = undefined;
    this.place.cellEnded(this);
    this.place.system.registry.forget(this);
    this.#controller?.abort();
    this.#settleCalls(reason);
    this.#discardMail();
    if (this.#behaviour !== undefined) this.#reap(this.#behaviour, reason);
    if (this.#busy && !(this.conducted && this.#outcome === 'starting')) this.place.system.straggling(this);
    relations.notifyEnd(this, reason);
    if (this.children === undefined || this.children.size === 0) this.#finalise();
    else for (const child of this.children) child.parentEnded(reason);
  }

  #reap(behaviour: Behaviour, reason: ExitReason): void {
    try {
      this.#asOwner(undefined, () => behaviour.reap?.(reason));
    } catch (error) {
      this.place.system.threw(this, error);
    }
  }

  #settleCalls(reason: ExitReason): void {
    const data = { target: this.place.path, reason: describeReason(reason) };
    const cause = { cause: errorIn(reason) };
    const refuse = (call: Call) =>
      call.refuse(createError('ERR_CALLEE_ENDED', { ...data, message: nameOf(call.message) }, cause));
    const current = this.currentCall;
    if (current !== undefined) refuse(current);
    if (this.#deferred !== undefined) for (const call of [...this.#deferred]) refuse(call);
    for (let call = this.#outgoing; call !== undefined; call = this.#outgoing) {
      const fenced = { target: this.place.path, what: 'await a reply' };
      call.abandon(createError('ERR_FENCED', fenced, { outcome: call.abortOutcome() }));
    }
  }

  #discardMail(): void {
    for (let mail = this.#mailbox?.shift(); mail !== undefined; mail = this.#mailbox?.shift())
      this.#discard(mail);
  }

  /** It ends of its own, and its owner starts it again. */
  get #comesAgain(): boolean {
    const { observer } = this;
    if (this.#toldToStop || observer?.supervises !== true) return false;
    return observer.wantsRestart?.(this.#reason) ?? true;
  }

  /** Accounts for mail that this incarnation will not handle; a call that can wait for the next one does. */
  #discard(mail: Mail): void {
    if (mail.kind === CALL) {
      if (this.#outcome === 'starting' && this.place.takeBack(mail as Call)) return;
      if (this.#comesAgain && this.place.refuseUntilNext(mail as Call)) return;
      const data = {
        target: this.place.path,
        message: nameOf(mail.message),
        reason: describeReason(this.#reason),
      };
      const code = this.#phase < ENDING ? 'ERR_STOPPING' : 'ERR_CALLEE_ENDED';
      (mail as Call).refuse(createError(code, data, { outcome: 'not_started', stack: false }));
    } else if (mail.kind === TELL) this.place.system.deadLetter(this.place.path, mail.message);
  }

  #overflowed(mail: Mail): void {
    const { path, spec, system } = this.place;
    system.dropped(path, mail.message, spec.overflow);
    if (mail.kind !== CALL) return;
    const data = { target: path, capacity: spec.mailboxCapacity };
    (mail as Call).refuse(createError('ERR_MAILBOX_FULL', data, { stack: false }));
  }

  #noLongerBusy(): void {
    if (!this.#busy) return;
    this.#busy = false;
    this.place.system.straggled(this);
  }

  childEnded(child: Cell): void {
    this.children?.delete(child);
    if (this.#phase === ENDING && this.children?.size === 0) this.#finalise();
  }

  #finalise(): void {
    this.#phase = ENDED;
    this.place.vacated(this);
    this.place.system.actorEnded(this, this.#reason, this.#outcome !== 'started');
    if (this.#outcome === 'started') this.observer?.ended(this, this.#reason);
    else if (this.#outcome === 'ignored') this.observer?.ignored(this);
    else this.observer?.failed(this, this.#reason);
    this.parent?.childEnded(this);
  }
}
