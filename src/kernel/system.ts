/**
 * A system: the places, names, run queue, counters and events of one tree of actors. Everything that lives in it ends
 * with it; nothing of it is global, so that two systems in one process never meet.
 */

import { deadlineIn } from '../base/deadline.ts';
import { createError } from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import { fits, msOrInfinity, object, oneOf, refuse, resolveOptions } from '../base/options.ts';
import { realHost } from '../base/real-host.ts';
import { EventStream } from '../base/telemetry.ts';
import { type AsyncScope, captureScope, currentTurn } from './async-context.ts';
import { Cell, type Observer } from './cell.ts';
import { FlightRecorder } from './flight-recorder.ts';
import type { Addressee, CallOptions, Handle, Told } from './logic.ts';
import { infoMail, nameOf } from './mail.ts';
import { deliverCall, makeCall, PlaceOfActor, refuseNoproc } from './place.ts';
import { describeReason, type ExitReason, errorIn, isClean, isExitReason } from './reason.ts';
import { isRef, type Ref } from './ref.ts';
import { Registry } from './registry.ts';
import { Scheduler } from './scheduler.ts';
import { isSpec, type Spec } from './spec.ts';
import type { Counters, System, SystemOptions } from './system-contract.ts';
import { drawTree, type TreeNode, treeOf } from './tree.ts';
import { Waiters } from './waiters.ts';
import type { Watch } from './watch.ts';

export type { Counters, System, SystemOptions } from './system-contract.ts';

/** An addressee that has been checked. */
export type Addressed = Ref | Handle | string;

const SYSTEM_FIELDS = { host: object<Host>('a Host'), context: oneOf('none', 'async') };
const STOP_FIELDS = {
  reason: fits<ExitReason>('an exit reason', isExitReason),
  timeoutMs: msOrInfinity(0),
};

/** The default allowance of `system.stop`, ms: as a worker's shutdown (OTP). */
export const STOP_TIMEOUT_MS = 5_000;

export class SystemOfActors implements System {
  readonly host: Host;
  readonly events: EventStream;
  /** The last lifecycle facts, always. */
  readonly recorder: FlightRecorder;
  /** When it was made, ms of the wall clock. */
  readonly startedAt: number;
  /** Who sees messages and steps; nobody, unless somebody looks. */
  watch: Watch | undefined = undefined;
  readonly scheduler: Scheduler;
  readonly registry = new Registry();
  readonly carriesContext: boolean;
  readonly counters: Counters = {
    deadLetters: 0,
    dropped: 0,
    fenced: 0,
    started: 0,
    ended: 0,
    crashed: 0,
    restarted: 0,
    threw: 0,
    stragglers: 0,
  };
  readonly roots = new Set<Cell>();
  readonly #places = new Map<string, PlaceOfActor>();
  readonly #specs = new Map<Spec<unknown>, PlaceOfActor>();
  readonly #stragglers = new Set<Cell>();
  readonly #settlements = new Waiters<Cell, void>();
  readonly #endings = new Waiters<Cell, ExitReason>();
  readonly #stopListening: () => void;
  #ownScope: AsyncScope | undefined;
  /** Shutdown has begun: nothing new starts at the root. */
  #stopping = false;
  #incarnations = 0;
  #monitors = 0;

  constructor(options: SystemOptions) {
    const { host, context } = resolveOptions('createSystem', options, SYSTEM_FIELDS, { context: 'none' });
    this.host = host ?? realHost();
    this.carriesContext = context === 'async';
    this.#ownScope = this.carriesContext ? captureScope() : undefined;
    this.events = new EventStream(() => this.host.wall());
    this.recorder = new FlightRecorder(this.events);
    this.startedAt = this.host.wall();
    this.scheduler = new Scheduler(this.host);
    this.#stopListening = this.host.onStall((lateMs) => this.events.emit('host.stalled', { lateMs }));
  }

  /** The foreign context in which the system was made: that of all code which no message set in motion. */
  readonly ownScope = (): AsyncScope => {
    this.#ownScope ??= captureScope();
    return this.#ownScope;
  };

  // ── places ────────────────────────────────────────────────────────────────────────────────

  nextIncarnation(): number {
    this.#incarnations += 1;
    return this.#incarnations;
  }

  nextMonitor(): number {
    this.#monitors += 1;
    return this.#monitors;
  }

  placeAt(path: string): PlaceOfActor | undefined {
    return this.#places.get(path);
  }

  cellOf(ref: Ref): Cell | undefined {
    const cell = this.#places.get(ref.path)?.cell;
    return cell?.ref.incarnation === ref.incarnation ? cell : undefined;
  }

  /** Gives a spec its place, and those below it theirs, so that handles exist before anything starts. */
  adopt(spec: Spec<unknown>, path: string): PlaceOfActor {
    const known = this.#specs.get(spec);
    if (known !== undefined && known.path !== path) {
      throw createError('ERR_SPEC_DUPLICATE', { id: spec.id, first: known.path, second: path });
    }
    const there = this.#places.get(path);
    if (there !== undefined && there.spec !== spec) {
      if ((there.cell ?? there.ending) !== undefined)
        throw createError('ERR_CHILD_ALREADY_STARTED', { supervisor: path, child: spec.id });
      this.release(there);
    }
    const place = known ?? new PlaceOfActor(this, path, spec);
    this.#specs.set(spec, place);
    this.#places.set(path, place);
    try {
      for (const child of spec.children) this.adopt(child, `${path}/${child.id}`);
    } catch (error) {
      // What could not stand as a whole leaves nothing standing.
      if (known === undefined) this.release(place);
      throw error;
    }
    return place;
  }

  /** The place of a spec that is about to be started there by someone who does not supervise it. @throws ERR_CHILD_ALREADY_STARTED */
  adoptFree(spec: Spec<unknown>, path: string, owner: string): PlaceOfActor {
    const [breaker] = spec.dependsOn;
    if (breaker !== undefined)
      refuse(`start of ${path}`, 'dependsOn', 'left out where no supervisor would hold it', breaker.id);
    const place = this.adopt(spec, path);
    if ((place.cell ?? place.ending) === undefined) return place;
    throw createError('ERR_CHILD_ALREADY_STARTED', { supervisor: owner, child: spec.id });
  }

  /** Forgets a place and those below it; their handles answer ERR_NOPROC from now on. */
  release(place: PlaceOfActor): void {
    place.markGone();
    if (this.#places.get(place.path) === place) this.#places.delete(place.path);
    if (this.#specs.get(place.spec) === place) this.#specs.delete(place.spec);
    for (const child of place.spec.children) {
      const below = this.#specs.get(child);
      if (below?.path.startsWith(`${place.path}/`) === true) this.release(below);
    }
  }

  /** Starts an incarnation at a place. Its init runs in its own turn; the observer hears the outcome. */
  launch(place: PlaceOfActor, parent: Cell | undefined, observer: Observer): Cell {
    const cell = new Cell(place, parent, observer);
    if (parent === undefined) this.roots.add(cell);
    place.cellStarted(cell);
    cell.launch();
    return cell;
  }

  get<H>(spec: Spec<H>): H {
    return this.placeOf(spec as Spec<unknown>).handle as H;
  }

  /** Where a spec stands now, if it does. */
  findPlace(spec: Spec<unknown>): PlaceOfActor | undefined {
    return this.#specs.get(spec);
  }

  /** @throws ERR_SPEC_UNKNOWN */
  placeOf(spec: Spec<unknown>): PlaceOfActor {
    const place = this.findPlace(spec);
    if (place !== undefined) return place;
    if (!isSpec(spec)) return refuse('get', 'spec', 'a spec', spec);
    throw createError('ERR_SPEC_UNKNOWN', { id: spec.id });
  }

  /** A spec is addressed by its place. @throws ERR_OPTION_INVALID: what names nobody; ERR_SPEC_UNKNOWN */
  addressed(where: string, to: Addressee): Addressed {
    if (typeof to === 'string') return to;
    if (isSpec(to)) return this.placeOf(to);
    if (typeof (to as Handle | undefined)?.path === 'string') return to;
    return refuse(where, 'to', 'a ref, a handle, a spec or a registered name', to);
  }

  /** The actor in whose turn this code runs, known where the system carries context: what it calls, that actor calls. */
  get caller(): Cell | undefined {
    const running = this.carriesContext ? currentTurn() : undefined;
    if (running === undefined) return undefined;
    const cell = this.cellOf(running.ref);
    // Of another system in this process it may have the same address.
    return cell?.ref === running.ref && cell.isIn(running.turn) ? cell : undefined;
  }

  // ── from outside ──────────────────────────────────────────────────────────────────────────

  start<H>(spec: Spec<H>): Promise<H> {
    return new Promise((resolve, reject) => {
      if (this.#stopping) throw createError('ERR_STOPPING', { target: 'the system' });
      const place = this.adoptFree(spec as Spec<unknown>, spec.id, 'the system');
      this.launch(place, undefined, {
        supervises: false,
        started: () => resolve(place.handle as H),
        ignored: () => reject(this.startError('ERR_NOPROC', place.path, 'normal')),
        failed: (_cell, reason) => reject(this.startError('ERR_INIT_FAILED', place.path, reason)),
        ended: () => undefined,
      });
    });
  }

  startError(code: 'ERR_INIT_FAILED' | 'ERR_NOPROC', target: string, reason: ExitReason): Error {
    return createError(code, { target, reason: describeReason(reason) }, { cause: errorIn(reason) });
  }

  stop(
    target: Addressee,
    options: { readonly reason?: ExitReason; readonly timeoutMs?: number } = {},
  ): Promise<ExitReason> {
    const { reason, timeoutMs } = resolveOptions('stop', options, STOP_FIELDS, {
      reason: 'normal' as ExitReason,
      timeoutMs: STOP_TIMEOUT_MS,
    });
    const to = this.addressed('stop', target);
    const cell = this.#lookUp(to) ?? this.#findEnding(to);
    if (cell === undefined) return Promise.resolve('noproc');
    cell.stop(reason, deadlineIn(this.host.monotonic(), timeoutMs));
    return this.whenEnded(cell);
  }

  /** Resolves with the reason once the incarnation and all below it have ended. */
  whenEnded(cell: Cell): Promise<ExitReason> {
    if (cell.ended) return Promise.resolve(cell.reason);
    return new Promise((resolve) => this.#endings.add(cell, resolve));
  }

  async shutdown(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    const { timeoutMs } = resolveOptions(
      'shutdown',
      options,
      { timeoutMs: msOrInfinity(0) },
      { timeoutMs: Number.POSITIVE_INFINITY },
    );
    this.#stopping = true;
    const deadline = deadlineIn(this.host.monotonic(), timeoutMs);
    for (const cell of [...this.roots].reverse()) {
      if (cell.ended) continue;
      cell.stop(
        'shutdown',
        Math.min(deadline, timeoutMs === Number.POSITIVE_INFINITY ? cell.ownDeadline() : deadline),
      );
      await this.whenEnded(cell);
    }
    for (const place of this.#places.values()) this.#retire(place);
    this.#stopListening();
  }

  #retire(place: PlaceOfActor): void {
    try {
      place.spec.logic.retire?.(place);
    } catch (error) {
      this.counters.threw += 1;
      this.events.emit('actor.threw', { path: place.path, error });
    }
  }

  tell(target: Addressee, message: unknown): Told {
    const to = this.addressed('tell', target);
    if (typeof to !== 'string' && !isRef(to)) {
      const place = this.#places.get(to.path);
      if (place !== undefined) return place.tell(message);
    }
    const cell = this.#lookUp(to);
    if (cell !== undefined) return cell.place.tell(message);
    this.deadLetter(typeof to === 'string' ? to : to.path, message);
    return 'dropped';
  }

  call(target: Addressee, message: unknown, options?: CallOptions): Promise<unknown> {
    const to = this.addressed('call', target);
    if (typeof to !== 'string' && !isRef(to)) {
      const place = this.#places.get(to.path);
      if (place !== undefined) return place.call(message, options);
    }
    const from = { system: this, path: typeof to === 'string' ? to : to.path, issuer: this.caller };
    return makeCall(from, message, options, (call) => {
      const cell = this.#lookUp(to);
      if (cell === undefined) refuseNoproc(call);
      else deliverCall(call, cell);
    });
  }

  exit(to: Addressee, reason: ExitReason | 'kill'): void {
    const cell = this.#find('exit', to);
    if (cell === undefined) return;
    if (reason === 'kill') cell.kill();
    else if (cell.trapExit) cell.post(exitMail(reason));
    else if (reason !== 'normal') cell.exit(reason);
  }

  end(to: Addressee, reason: ExitReason): void {
    this.#find('end', to)?.exit(reason);
  }

  suspend(to: Addressee): void {
    this.#find('suspend', to)?.suspend();
  }

  resume(to: Addressee): void {
    this.#find('resume', to)?.resume();
  }

  whereis(name: string): Ref | undefined {
    return this.registry.find(name)?.ref;
  }

  isAlive(ref: Ref): boolean {
    return this.cellOf(ref) !== undefined;
  }

  tree(): readonly TreeNode[] {
    return treeOf(this.roots, this.#stragglers);
  }

  drawTree(options?: { readonly colour?: boolean }): string {
    return drawTree(this.tree(), options);
  }

  stragglers(): readonly Ref[] {
    return [...this.#stragglers].map((cell) => cell.ref);
  }

  #find(where: string, to: Addressee): Cell | undefined {
    return this.#lookUp(this.addressed(where, to));
  }

  #lookUp(to: Addressed): Cell | undefined {
    if (typeof to === 'string') return this.registry.find(to);
    return isRef(to) ? this.cellOf(to) : this.#places.get(to.path)?.cell;
  }

  /** Ended itself, but not yet all below it: who stops it again awaits that too. */
  #findEnding(to: Addressed): Cell | undefined {
    if (typeof to === 'string') return undefined;
    const cell = this.#places.get(to.path)?.ending;
    return isRef(to) && cell?.ref.incarnation !== to.incarnation ? undefined : cell;
  }

  // ── accounts ──────────────────────────────────────────────────────────────────────────────

  deadLetter(path: string, message: unknown, from?: string): void {
    this.counters.deadLetters += 1;
    if (this.events.active) this.events.emit('mail.dead_lettered', { path, message: nameOf(message), from });
  }

  dropped(path: string, message: unknown, why: string): void {
    this.counters.dropped += 1;
    if (this.events.lifecycle) this.events.emit('mail.dropped', { path, message: nameOf(message), why });
  }

  fenced(cell: Cell, what: string): void {
    this.counters.fenced += 1;
    if (this.events.active) this.events.emit('actor.fenced', { ...cell.ref, what });
  }

  threw(cell: Pick<Cell, 'place'>, error: unknown): void {
    this.counters.threw += 1;
    if (this.events.lifecycle) this.events.emit('actor.threw', { path: cell.place.path, error });
  }

  straggling(cell: Cell): void {
    this.#stragglers.add(cell);
    this.counters.stragglers += 1;
    if (this.events.lifecycle) this.events.emit('actor.straggled', { ...cell.ref });
  }

  straggled(cell: Cell): void {
    if (!this.#stragglers.delete(cell)) return;
    this.counters.stragglers -= 1;
    this.#settlements.tell(cell, undefined);
  }

  /** Calls once the handler that outlived this incarnation has settled. */
  whenSettled(cell: Cell, settled: () => void): void {
    this.#settlements.add(cell, settled);
  }

  actorStarted(cell: Cell): void {
    this.counters.started += 1;
    if (this.events.active)
      this.events.emit('actor.started', { ...cell.ref, kind: cell.place.spec.logic.kind });
  }

  actorEnded(cell: Cell, reason: ExitReason, beforeStart: boolean): void {
    this.roots.delete(cell);
    if (!beforeStart) this.counters.ended += 1;
    if (typeof reason === 'object' && 'error' in reason) this.counters.crashed += 1;
    if (this.events.active || (this.events.lifecycle && (beforeStart || !isClean(reason)))) {
      const { kind } = cell.place.spec.logic;
      if (beforeStart) this.events.emit('actor.start_failed', { ...cell.ref, kind, reason });
      else this.events.emit('actor.ended', { ...cell.ref, kind, reason, lastMessage: cell.lastMessage });
    }
    this.#endings.tell(cell, reason);
  }
}

const OUTSIDE: Ref = Object.freeze({ path: '', incarnation: 0 });
const exitMail = (reason: ExitReason) => infoMail({ type: 'exit', ref: OUTSIDE, reason });

/**
 * A system of its own: actors started in it are stopped by `shutdown()`. Services use `application(tree)` instead, which owns
 * one.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const createSystem = (options: SystemOptions = {}): System => new SystemOfActors(options);
