/**
 * A place in a tree: what a spec is the key to and a handle follows. Incarnations come and go in it; callers that wait for
 * the next one wait here.
 *
 * Invariant: at most one incarnation lives in a place. A call either reaches an incarnation, waits here until its
 * deadline, or is refused at once with what is known of the place.
 */

import { deadlineIn, NO_DEADLINE, sooner } from '../base/deadline.ts';
import { createError } from '../base/errors.ts';
import { anything, fits, msOrInfinity, oneOf, resolveOptions } from '../base/options.ts';
import { captureScope } from './async-context.ts';
import type { Cell } from './cell.ts';
import type { CallOptions, Inspection, Place, TellOptions, Told } from './logic.ts';
import { Call, Mail, nameOf, TELL } from './mail.ts';
import type { Ref } from './ref.ts';
import { cycleOf } from './relations.ts';
import type { Spec } from './spec.ts';
import type { SystemOfActors } from './system.ts';

/** design §8. */
export const CALL_TIMEOUT_MS = 5_000;

const CALL_FIELDS = {
  trace: anything,
  timeoutMs: msOrInfinity(0),
  deadline: fits<number>('an instant of host.monotonic()', (v) => typeof v === 'number' && !Number.isNaN(v)),
  signal: fits<AbortSignal>(
    'an AbortSignal',
    (v) => typeof (v as AbortSignal | null)?.addEventListener === 'function',
  ),
  whenDown: oneOf('reject', 'wait'),
};

/** Where a call goes when it has been made. */
type Route = (call: Call) => void;

const remaining = (system: SystemOfActors, call: Call): string =>
  String(Math.round(call.deadline - system.host.monotonic()));

/** Makes a call with its deadline, signal and chain, and hands it to `route`. */
export const makeCall = (
  from: { readonly system: SystemOfActors; readonly path: string; readonly issuer: Cell | undefined },
  message: unknown,
  options: CallOptions | undefined,
  route: Route,
): Promise<unknown> => {
  const { system, path, issuer } = from;
  if (options !== undefined) resolveOptions(`call to ${path}`, options, CALL_FIELDS, {});
  const { host } = system;
  const now = host.monotonic();
  const asked = options?.deadline ?? deadlineIn(now, options?.timeoutMs ?? CALL_TIMEOUT_MS);
  const deadline = issuer === undefined ? asked : sooner(asked, issuer.context.deadline);
  let made: Call | undefined;
  const promise = new Promise((resolve, reject) => {
    const call = new Call(message, options?.trace ?? issuer?.current?.trace, {
      deadline,
      issuer,
      patient: options?.whenDown === 'wait',
      resolve,
      reject,
    });
    made = call;
    call.targetPath = path;
    if (system.carriesContext) call.scope = captureScope();
    issuer?.addOutgoing(call);
    const signal = options?.signal;
    if (signal?.aborted === true) {
      const data = { message: nameOf(message), target: path };
      call.refuse(createError('ERR_CALL_ABORTED', data, { cause: signal.reason, outcome: 'not_started' }));
      return;
    }
    if (signal !== undefined) call.watchSignal(signal);
    if (deadline !== NO_DEADLINE)
      call.watch(host.timer(Math.max(0, deadline - now), 'call', () => timedOut(call, deadline - now)));
    route(call);
  });
  if (made !== undefined) made.promise = promise;
  return promise;
};

const timedOut = (call: Call, timeoutMs: number): void => {
  const data = { message: nameOf(call.message), target: call.targetPath, timeoutMs: Math.round(timeoutMs) };
  call.abandon(createError('ERR_CALL_TIMEOUT', data, { outcome: call.abortOutcome() }));
};

/** Refuses a call to nobody. */
export const refuseNoproc = (call: Call): void =>
  call.refuse(createError('ERR_NOPROC', { target: call.targetPath }, { stack: false }));

/** Hands a call to an incarnation, unless it would wait for itself. */
export const deliverCall = (call: Call, cell: Cell): void => {
  const { issuer } = call;
  if (issuer === undefined) {
    cell.accept(call);
    return;
  }
  const { path } = cell.place;
  const chain = cycleOf(issuer, cell);
  const child = chain === undefined ? startingBelow(cell, call) : undefined;
  if (chain !== undefined)
    call.refuse(createError('ERR_CALL_CYCLE', { message: nameOf(call.message), target: path, chain }));
  else if (child !== undefined)
    call.refuse(createError('ERR_SELF_SUPERVISION', { child: child.place.path, supervisor: path }));
  else cell.accept(call);
};

/** The actor whose init waits, along the chain of a call, for what only its own supervisor could answer. */
const startingBelow = (cell: Cell, call: Call): Cell | undefined => {
  if (cell.place.spec.logic.kind !== 'supervisor') return undefined;
  for (let link: Call | undefined = call; link?.issuer !== undefined; link = link.parent) {
    if (link.issuer.starting && isAbove(cell, link.issuer)) return link.issuer;
  }
  return undefined;
};

const isAbove = (above: Cell, below: Cell): boolean => {
  for (let cell = below.parent; cell !== undefined; cell = cell.parent) if (cell === above) return true;
  return false;
};

export class PlaceOfActor implements Place {
  readonly path: string;
  readonly system: SystemOfActors;
  readonly spec: Spec<unknown>;
  cell: Cell | undefined = undefined;
  /** The last incarnation, while what is below it still ends. */
  ending: Cell | undefined = undefined;
  #gone = false;
  #mourners: Set<() => void> | undefined = undefined;
  #retryAt: number | undefined = undefined;
  #waiting: Set<Call> | undefined = undefined;
  #shared: unknown = undefined;
  #isShared = false;
  #handle: unknown = undefined;

  constructor(system: SystemOfActors, path: string, spec: Spec<unknown>) {
    this.system = system;
    this.path = path;
    this.spec = spec;
  }

  get shared(): unknown {
    if (!this.#isShared) {
      this.#isShared = true;
      this.#shared = this.spec.logic.share?.(this);
    }
    return this.#shared;
  }

  get handle(): unknown {
    this.#handle ??= this.spec.logic.handle(this);
    return this.#handle;
  }

  ref(): Ref | undefined {
    return this.cell?.ref;
  }

  handleAt(path: string): unknown {
    return this.system.placeAt(path)?.handle;
  }

  inspect(): Inspection {
    return this.cell?.inspect() ?? {};
  }

  tell(message: unknown, options?: TellOptions): Told {
    const mail = new Mail(TELL, message, options?.trace);
    if (this.system.carriesContext) mail.scope = captureScope();
    return this.deliver(mail);
  }

  deliver(mail: Mail): Told {
    if (this.cell !== undefined) return this.cell.accept(mail);
    this.system.deadLetter(this.path, mail.message);
    return 'dropped';
  }

  call(message: unknown, options?: CallOptions): Promise<unknown> {
    return this.callFrom(this.system.caller, message, options);
  }

  callFrom(issuer: Cell | undefined, message: unknown, options: CallOptions | undefined): Promise<unknown> {
    return makeCall({ system: this.system, path: this.path, issuer }, message, options, (call) => {
      if (this.cell !== undefined) deliverCall(call, this.cell);
      else if (this.#gone) refuseNoproc(call);
      else if (call.patient) this.#await(call);
      else this.#refuseRestarting(call);
    });
  }

  /** Takes back a patient call from an incarnation that did not start; `false` where there will be no other. */
  takeBack(call: Call): boolean {
    if (this.#gone || !call.patient || !call.open) return false;
    call.callee = undefined;
    this.#await(call);
    return true;
  }

  /** Of a call to an incarnation that ends and comes again: a patient one waits; `false` where nobody will come. */
  refuseUntilNext(call: Call): boolean {
    if (this.#gone) return false;
    if (!this.takeBack(call)) this.#refuseRestarting(call);
    return true;
  }

  /** An incarnation has come to live here; calls that waited for it go first, in order. */
  cellStarted(cell: Cell): void {
    this.cell = cell;
    this.#gone = false;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) for (const call of waiting) if (call.open) deliverCall(call, cell);
  }

  cellEnded(cell: Cell): void {
    if (this.cell !== cell) return;
    this.cell = undefined;
    this.ending = cell;
    const orphaned = cell.parent?.fenced === true && cell.parent.place.#gone;
    if (orphaned || cell.observer?.supervises !== true) this.markGone();
  }

  /** Nothing is left of an incarnation. */
  vacated(cell: Cell): void {
    if (this.ending === cell) this.ending = undefined;
  }

  /** Nobody means to start it again, as things stand. */
  get gone(): boolean {
    return this.#gone;
  }

  onGone(gone: () => void): () => void {
    const mourner = (): void => gone();
    this.#mourners ??= new Set();
    const mourners = this.#mourners;
    mourners.add(mourner);
    return () => void mourners.delete(mourner);
  }

  /** Its owner means to start it again at about this instant of `host.monotonic()`. */
  markRestarting(retryAt: number): void {
    this.#gone = false;
    this.#retryAt = retryAt;
  }

  /** Nobody will start it again by itself, nor what stands below it. */
  markGone(): void {
    this.#gone = true;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) for (const call of waiting) refuseNoproc(call);
    if (this.#mourners !== undefined) for (const gone of [...this.#mourners]) gone();
    for (const child of this.spec.children) {
      const below = this.system.placeAt(`${this.path}/${child.id}`);
      if (below?.spec === child && below.cell === undefined) below.markGone();
    }
  }

  #await(call: Call): void {
    this.#waiting ??= new Set();
    const waiting = this.#waiting;
    if (waiting.size >= this.spec.mailboxCapacity) {
      for (const old of waiting) if (!old.open) waiting.delete(old);
    }
    if (waiting.size < this.spec.mailboxCapacity) waiting.add(call);
    else
      call.refuse(
        createError('ERR_MAILBOX_FULL', { target: this.path, capacity: this.spec.mailboxCapacity }),
      );
  }

  #refuseRestarting(call: Call): void {
    const retryAfterMs = Math.max(0, Math.ceil((this.#retryAt ?? 0) - this.system.host.monotonic()));
    const data = { target: this.path, retryAfterMs, callMs: remaining(this.system, call) };
    call.refuse(createError('ERR_RESTARTING', data, { stack: false }));
  }
}
