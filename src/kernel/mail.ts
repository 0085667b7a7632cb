/**
 * What lies in a mailbox: tells, calls, the kernel's own notices, and runs (code that a logic wants in its own turn).
 *
 * Invariant: a {@link Call} settles exactly once, and then holds no timer, no listener and no place in any list.
 * A reply that comes later is dropped, never delivered as mail.
 */
import { type AbortListener, type AbortSource, listenToAbort, unlistenToAbort } from '../base/abort.ts';
import { createError, show } from '../base/errors.ts';
import type { Timer } from '../base/host.ts';
import type { AsyncScope } from './async-context.ts';
import type { Cell } from './cell.ts';
import type { Awaitable, Info, Request } from './logic.ts';
import type { ReceivingCell } from './receiving-cell.ts';
import type { Ref } from './ref.ts';

export const TELL = 0;
export const CALL = 1;
export const INFO = 2;
export const RUN = 3;

/** Where the messages of an actor begin: what it sends carries this on. */
export class Mail {
  readonly kind: number;
  readonly message: unknown;
  readonly trace: unknown;
  /** The foreign async context of the sender, only where the system asks for it. */
  scope: AsyncScope | undefined = undefined;

  constructor(kind: number, message: unknown, trace: unknown) {
    this.kind = kind;
    this.message = message;
    this.trace = trace;
  }
}

export type Run = () => Awaitable<void>;
export const infoMail = (info: Info): Mail => new Mail(INFO, info, undefined);
export const runMail = (run: Run): Mail => new Mail(RUN, run, undefined);

/** The word by which logs and errors name a message: its `type`, or what kind of value it is. */
export const nameOf = (message: unknown): string => {
  const type = (message as { type?: unknown } | null | undefined)?.type;
  return typeof type === 'string'
    ? type
    : typeof message === 'object'
      ? 'object'
      : show(message).slice(0, 40);
};

/** A call from its sending to its settlement: envelope, request and pending entry in one object. */
export class Call extends Mail implements Request, AbortListener {
  readonly deadline: number;
  readonly issuer: Cell | undefined;
  /** The issuer's turn in which it was made: while that turn lasts, the issuer waits for it. */
  readonly issuerTurn: number;
  /** The call that the issuer was handling: the chain along which a cycle would close. */
  readonly parent: Call | undefined;
  /** It waits for an incarnation that starts, until its deadline. */
  readonly patient: boolean;
  callee: ReceivingCell | undefined = undefined;
  targetPath = '';
  open = true;
  /** What its issuer was given for it; by this a piped call is recognised. */
  promise: Promise<unknown> | undefined = undefined;
  /** Its result comes back as mail: the issuer does not wait for it. */
  piped = false;
  /** Calls of one issuer are a list, so that its end can settle them. */
  next: Call | undefined = undefined;
  previous: Call | undefined = undefined;
  #resolve: (value: unknown) => void;
  #reject: (error: unknown) => void;
  #timer: Timer | undefined = undefined;
  #controller: AbortController | undefined = undefined;
  #callerSignal: AbortSignal | undefined = undefined;

  constructor(
    message: unknown,
    trace: unknown,
    options: {
      deadline: number;
      issuer: Cell | undefined;
      patient: boolean;
      resolve: (value: unknown) => void;
      reject: (error: unknown) => void;
    },
  ) {
    super(CALL, message, trace);
    this.deadline = options.deadline;
    this.issuer = options.issuer;
    this.issuerTurn = options.issuer === undefined ? 0 : options.issuer.turn;
    this.parent = options.issuer?.currentCall;
    this.patient = options.patient;
    this.#resolve = options.resolve;
    this.#reject = options.reject;
  }

  get from(): Ref | undefined {
    return this.issuer?.ref;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (!this.open) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  reply(value: unknown): void {
    if (this.#settle()) this.#resolve(value);
  }

  refuse(error: unknown): void {
    if (this.#settle()) this.#reject(error);
  }

  /** Gives up on the callee's side as well: its request signal aborts. */
  abandon(error: unknown): void {
    if (!this.#settle()) return;
    this.#reject(error);
    this.#controller?.abort(error);
  }

  watch(timer: Timer | undefined): void {
    this.#timer = timer;
  }

  watchSignal(signal: AbortSignal): void {
    this.#callerSignal = signal;
    listenToAbort(signal, this);
  }

  /** Its caller gives up. */
  aborted({ reason }: AbortSource): void {
    const data = { message: nameOf(this.message), target: this.targetPath };
    this.abandon(createError('ERR_CALL_ABORTED', data, { cause: reason, outcome: this.abortOutcome() }));
  }

  /** What is known of a call that its caller gives up: not started while it is still in a queue. */
  abortOutcome(): 'not_started' | 'unknown' {
    return this.callee === undefined || !this.callee.hasTaken(this) ? 'not_started' : 'unknown';
  }

  #settle(): boolean {
    if (!this.open) return false;
    this.open = false;
    this.#timer?.cancel();
    if (this.#callerSignal !== undefined) unlistenToAbort(this.#callerSignal, this);
    this.issuer?.forgetOutgoing(this);
    this.callee?.forgetDeferred(this);
    return true;
  }
}
