/**
 * What a behaviour acts through, bound to one incarnation. After that incarnation's end every verb throws ERR_FENCED
 * and is counted: a straggling handler can compute, but it cannot act.
 */

import { NO_DEADLINE } from '../base/deadline.ts';
import { createError } from '../base/errors.ts';
import type { Timer } from '../base/host.ts';
import type { Random } from '../base/random.ts';
import { captureScope } from './async-context.ts';
import { type Actions, BoundPlace } from './bound-place.ts';
import type { Cell } from './cell.ts';
import type {
  ActorContext,
  ActorTimer,
  Addressee,
  Awaitable,
  CallOptions,
  Request,
  SpawnOptions,
  TellOptions,
  Told,
} from './logic.ts';
import { Mail, type Run, runMail, TELL } from './mail.ts';
import { deliverCall, makeCall, type PlaceOfActor, refuseNoproc } from './place.ts';
import type { ExitReason } from './reason.ts';
import { isRef, type Ref } from './ref.ts';
import * as relations from './relations.ts';
import type { Spec } from './spec.ts';
import type { Addressed, SystemOfActors } from './system.ts';

const nothing = (): void => undefined;

export class ActorContextOfCell implements ActorContext, Actions {
  readonly #cell: Cell;
  /** Handles bound to this incarnation, by place; most actors hold none. */
  #handles: WeakMap<PlaceOfActor, unknown> | undefined = undefined;

  constructor(cell: Cell) {
    this.#cell = cell;
  }

  get self(): Ref {
    return this.#cell.ref;
  }

  get path(): string {
    return this.#cell.place.path;
  }

  get place(): PlaceOfActor {
    return this.#cell.place;
  }

  get system(): SystemOfActors {
    return this.#cell.place.system;
  }

  get random(): Random {
    return this.system.host.random;
  }

  get signal(): AbortSignal {
    return this.#cell.signal;
  }

  get stopDeadline(): number {
    return this.#cell.stopDeadline;
  }

  get deadline(): number {
    return this.#cell.currentCall?.deadline ?? NO_DEADLINE;
  }

  get trace(): unknown {
    return this.#cell.current?.trace;
  }

  get trapExit(): boolean {
    return this.#cell.trapExit;
  }

  set trapExit(value: boolean) {
    this.#cell.trapExit = value;
  }

  /** The cell, for the layers of troupe that start children themselves. Not for users. */
  get cell(): Cell {
    return this.#cell;
  }

  now(): number {
    return this.system.host.monotonic();
  }

  tell(to: Addressee, message: unknown): Told {
    this.#fence('tell');
    const addressed = this.system.addressed('tell', to);
    return this.#tellCell(this.#lookUp(addressed), nameOf(addressed), new Mail(TELL, message, this.trace));
  }

  tellPlace(place: PlaceOfActor, message: unknown, options: TellOptions | undefined): Told {
    this.#fence('tell');
    return this.#tellCell(place.cell, place.path, new Mail(TELL, message, options?.trace ?? this.trace));
  }

  #tellCell(target: Cell | undefined, path: string, mail: Mail): Told {
    if (this.system.carriesContext) mail.scope = captureScope();
    if (target !== undefined) return target.accept(mail);
    this.system.deadLetter(path, mail.message, this.path);
    return 'dropped';
  }

  call(target: Addressee, message: unknown, options?: CallOptions): Promise<unknown> {
    this.#fence('call');
    const to = this.system.addressed('call', target);
    if (!isRef(to) && typeof to !== 'string') {
      const place = this.system.placeAt(to.path);
      if (place !== undefined) return place.callFrom(this.#cell, message, options);
    }
    const from = { system: this.system, path: nameOf(to), issuer: this.#cell };
    return makeCall(from, message, options, (call) => {
      const cell = this.#lookUp(to);
      if (cell === undefined) refuseNoproc(call);
      else deliverCall(call, cell);
    });
  }

  callPlace(place: PlaceOfActor, message: unknown, options: CallOptions | undefined): Promise<unknown> {
    this.#fence('call');
    return place.callFrom(this.#cell, message, options);
  }

  after(delayMs: number, message: unknown, options?: { readonly unref?: boolean }): ActorTimer {
    const tellSelf = (): Awaitable<void> => this.#cell.behaviour?.tell(message);
    return this.postAfter(delayMs, 'after', tellSelf, options);
  }

  post(run: Run): void {
    this.#fence('post');
    this.#cell.post(this.#mailOf(run));
  }

  /** Mail to oneself; it keeps the foreign context of who asked for it, as a message does. */
  #mailOf(run: Run): Mail {
    const mail = runMail(run);
    if (this.system.carriesContext) mail.scope = captureScope();
    return mail;
  }

  postAfter(delayMs: number, label: string, run: Run, options?: { readonly unref?: boolean }): ActorTimer {
    this.#fence('set a timer');
    const cell = this.#cell;
    cell.timers ??= new Set();
    const timers = cell.timers;
    let cancelled = false;
    // A cancel that comes after the timer fired, but before its mail is read, still holds.
    const mail = this.#mailOf(() => (cancelled ? undefined : run()));
    const timer: Timer = this.system.host.timer(
      delayMs,
      label,
      () => {
        timers.delete(timer);
        cell.post(mail);
      },
      options,
    );
    timers.add(timer);
    return {
      cancel: () => {
        cancelled = true;
        timer.cancel();
        timers.delete(timer);
      },
    };
  }

  pipe<T>(
    promise: PromiseLike<T>,
    onValue: (value: T) => unknown,
    onError?: (error: unknown) => unknown,
  ): void {
    this.#fence('pipe');
    const cell = this.#cell;
    cell.markPiped(promise);
    let map = (): unknown => undefined;
    const mail = this.#mailOf(() => {
      const message = map();
      return message === undefined ? undefined : cell.behaviour?.tell(message);
    });
    const bring = (result: () => unknown) => {
      map = result;
      cell.post(mail);
    };
    promise.then(
      (value) => bring(() => onValue(value)),
      (error: unknown) =>
        bring(() => {
          if (onError === undefined) throw error;
          return onError(error);
        }),
    );
  }

  later<R = unknown>(): Request<R> {
    this.#fence('defer a reply');
    return this.#cell.defer() as Request<R>;
  }

  next(run: Run): void {
    this.#fence('continue');
    this.#cell.postFirst(this.#mailOf(run));
  }

  idle(idleMs: number): void {
    this.#fence('set a timeout');
    this.#cell.setIdle(idleMs);
  }

  spawn<H>(spec: Spec<H>, options: SpawnOptions = {}): Promise<H> {
    this.#fence('spawn');
    const { system } = this;
    const path = `${this.path}/${spec.id}`;
    return new Promise((resolve, reject) => {
      const place = system.adoptFree(spec, path, this.path);
      const over = (reason: ExitReason) => {
        system.release(place);
        this.#inTurn(() => options.ended?.(reason));
      };
      const failed = (reason: ExitReason, code: 'ERR_INIT_FAILED' | 'ERR_NOPROC') => {
        // Also to a handler that straggles: it must not wait for ever for what has ended with its actor.
        reject(system.startError(code, path, reason));
        over(reason);
      };
      system.launch(place, this.#cell, {
        supervises: false,
        started: () => resolve(this.handleOf(place) as H),
        ignored: () => failed('normal', 'ERR_NOPROC'),
        failed: (_cell, reason) => failed(reason, 'ERR_INIT_FAILED'),
        ended: (_cell, reason) => over(reason),
      });
    });
  }

  get<H>(spec: Spec<H>): H {
    this.#fence('get');
    return this.handleOf(this.system.placeOf(spec as Spec<unknown>)) as H;
  }

  /** The handle of a place for this incarnation's own use; the same one whenever asked. */
  handleOf(place: PlaceOfActor): unknown {
    this.#handles ??= new WeakMap();
    let handle = this.#handles.get(place);
    if (handle === undefined) {
      handle = place.spec.logic.handle(new BoundPlace(place, this));
      this.#handles.set(place, handle);
    }
    return handle;
  }

  register(name: string): void {
    this.#fence('register');
    this.system.registry.register(name, this.#cell);
  }

  unregister(name: string): void {
    this.#fence('unregister');
    this.system.registry.unregister(name, this.#cell);
  }

  link(to: Addressee): void {
    this.#fence('link');
    const addressed = this.system.addressed('link', to);
    const target = this.#lookUp(addressed);
    if (target !== undefined) relations.link(this.#cell, target);
    else relations.exitSignal(this.#cell, refOf(addressed), 'noproc');
  }

  unlink(to: Addressee): void {
    this.#fence('unlink');
    const target = this.#lookUp(this.system.addressed('unlink', to));
    if (target !== undefined) relations.unlink(this.#cell, target);
  }

  monitor(to: Addressee): number {
    this.#fence('monitor');
    const addressed = this.system.addressed('monitor', to);
    const number = this.system.nextMonitor();
    const target = this.#lookUp(addressed);
    if (target !== undefined) relations.monitor(this.#cell, target, number);
    else
      relations.inform(this.#cell, {
        type: 'down',
        monitor: number,
        ref: refOf(addressed),
        reason: 'noproc',
      });
    return number;
  }

  demonitor(monitor: number): void {
    this.#fence('demonitor');
    relations.demonitor(this.#cell, monitor);
  }

  exit(to: Addressee, reason: ExitReason | 'kill'): void {
    this.#fence('exit another');
    const target = this.#lookUp(this.system.addressed('exit', to));
    if (target !== undefined) relations.exitSignal(target, this.self, reason);
  }

  onEnd(release: (reason: ExitReason) => void): () => void {
    this.#fence('be waited for');
    const cell = this.#cell;
    // A function of its own, so that the same one may be given twice.
    const holding = (reason: ExitReason): void => release(reason);
    cell.holdings ??= new Set();
    const { holdings } = cell;
    holdings.add(holding);
    return () => void holdings.delete(holding);
  }

  stop(reason: ExitReason = 'normal'): void {
    this.#fence('stop');
    const cell = this.#cell;
    cell.stopReason ??= reason;
    // Asked for outside a handler, there is none at whose end it would be noticed.
    if (cell.current === undefined) cell.post(runMail(nothing));
  }

  /** Runs in a turn of this actor, or not at all once it has ended. */
  #inTurn(run: () => void): void {
    const cell = this.#cell;
    if (cell.fenced) {
      // The owner's own children report during its end; nothing of its code may run any more.
      return;
    }
    cell.post(
      runMail(() => {
        try {
          run();
        } catch (error) {
          return Promise.reject(error);
        }
        return undefined;
      }),
    );
  }

  #lookUp(to: Addressed): Cell | undefined {
    if (typeof to === 'string') return this.system.registry.find(to);
    return isRef(to) ? this.system.cellOf(to) : this.system.placeAt(to.path)?.cell;
  }

  #fence(what: string): void {
    if (!this.#cell.fenced) return;
    this.system.fenced(this.#cell, what);
    throw createError('ERR_FENCED', { target: this.path, what });
  }
}

const nameOf = (to: Addressed): string => (typeof to === 'string' ? to : to.path);
const refOf = (to: Addressed): Ref => (isRef(to) ? to : { path: nameOf(to), incarnation: 0 });
