/**
 * What one incarnation is: its identity, its phase, and all that it holds. The behaviour of a cell is built on it:
 * receiving-cell.ts takes mail and keeps calls, cell.ts runs, stops and ends.
 *
 * Invariant: a phase only moves forward.
 */
import { NO_DEADLINE } from '../base/deadline.ts';
import type { Timer } from '../base/host.ts';
import { type AsyncScope, runOwned } from './async-context.ts';
import type { Cell } from './cell.ts';
import type { ActorContextOfCell } from './context.ts';
import type { Behaviour, Inspection } from './logic.ts';
import { CALL, type Call, type Mail, type Run } from './mail.ts';
import { Mailbox } from './mailbox.ts';
import type { PlaceOfActor } from './place.ts';
import type { ExitReason } from './reason.ts';
import { createRef, type Ref } from './ref.ts';
import type * as relations from './relations.ts';
import type { Runnable } from './scheduler.ts';
import { Seldom } from './seldom.ts';

export const STARTING = 0;
export const RUNNING = 1;
/** Shutdown began; queued mail is handled first (`onShutdown: 'drain'`), new mail is refused. */
export const DRAINING = 2;
/** The behaviour's `shutdown` is pending; mail goes on. */
export const CLOSING = 3;
/** `terminate` runs; no mail any more. */
export const TERMINATING = 4;
/** Ended; children are still ending. */
export const ENDING = 5;
export const ENDED = 6;

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

export abstract class CellState implements Runnable {
  abstract readonly context: ActorContextOfCell;
  readonly ref: Ref;
  readonly place: PlaceOfActor;
  readonly parent: Cell | undefined;
  readonly observer: Observer | undefined;
  scheduled = false;
  /** Counts what this incarnation handled; a call remembers the turn in which it was made. */
  turn = 0;
  lastMessage: string | undefined = undefined;
  phase = STARTING;
  outcome: 'starting' | 'ignored' | 'started' = 'starting';
  /** Why it ended, or is about to. */
  reason: ExitReason = 'normal';
  behaviour: Behaviour | undefined = undefined;
  box: Mailbox | undefined = undefined;
  orders: Run[] | undefined = undefined;
  /** A handler is running (or was, when the incarnation ended). */
  busy = false;
  current: Mail | undefined = undefined;
  outgoing: Call | undefined = undefined;
  /** What few incarnations ever have: an idle actor should cost little. */
  #seldom: Seldom | undefined = undefined;

  constructor(place: PlaceOfActor, parent: Cell | undefined, observer: Observer | undefined) {
    this.place = place;
    this.parent = parent;
    this.observer = observer;
    this.ref = createRef(place.path, place.system.nextIncarnation());
  }

  /** This, as the cell that it is in the end. */
  abstract readonly whole: Cell;

  abstract activate(budget: number): number;

  /** Made with the first of what it holds. */
  get seldom(): Seldom {
    this.#seldom ??= new Seldom();
    return this.#seldom;
  }

  get trapExit(): boolean {
    return this.#seldom?.trapExit ?? false;
  }

  set trapExit(value: boolean) {
    if (value !== false || this.#seldom !== undefined) this.seldom.trapExit = value;
  }

  get children(): Set<Cell> | undefined {
    return this.#seldom?.children;
  }

  set children(value: Set<Cell> | undefined) {
    if (value !== undefined || this.#seldom !== undefined) this.seldom.children = value;
  }

  get relations(): relations.Relations | undefined {
    return this.#seldom?.relations;
  }

  set relations(value: relations.Relations | undefined) {
    if (value !== undefined || this.#seldom !== undefined) this.seldom.relations = value;
  }

  get timers(): Set<Timer> | undefined {
    return this.#seldom?.timers;
  }

  set timers(value: Set<Timer> | undefined) {
    if (value !== undefined || this.#seldom !== undefined) this.seldom.timers = value;
  }

  get names(): Set<string> | undefined {
    return this.#seldom?.names;
  }

  set names(value: Set<string> | undefined) {
    if (value !== undefined || this.#seldom !== undefined) this.seldom.names = value;
  }

  get holdings(): Set<(reason: ExitReason) => void> | undefined {
    return this.#seldom?.holdings;
  }

  set holdings(value: Set<(reason: ExitReason) => void> | undefined) {
    if (value !== undefined || this.#seldom !== undefined) this.seldom.holdings = value;
  }

  get stopReason(): ExitReason | undefined {
    return this.#seldom?.stopReason;
  }

  set stopReason(value: ExitReason | undefined) {
    if (value !== undefined || this.#seldom !== undefined) this.seldom.stopReason = value;
  }

  get stopDeadline(): number {
    return this.#seldom?.stopDeadline ?? NO_DEADLINE;
  }

  set stopDeadline(value: number) {
    if (value !== NO_DEADLINE || this.#seldom !== undefined) this.seldom.stopDeadline = value;
  }

  get toldToStop(): boolean {
    return this.#seldom?.toldToStop ?? false;
  }

  set toldToStop(value: boolean) {
    if (value !== false || this.#seldom !== undefined) this.seldom.toldToStop = value;
  }

  get suspended(): boolean {
    return this.#seldom?.suspended ?? false;
  }

  set suspended(value: boolean) {
    if (value !== false || this.#seldom !== undefined) this.seldom.suspended = value;
  }

  get pendingStop(): boolean {
    return this.#seldom?.pendingStop ?? false;
  }

  set pendingStop(value: boolean) {
    if (value !== false || this.#seldom !== undefined) this.seldom.pendingStop = value;
  }

  get deferred(): Set<Call> | undefined {
    return this.#seldom?.deferred;
  }

  set deferred(value: Set<Call> | undefined) {
    if (value !== undefined || this.#seldom !== undefined) this.seldom.deferred = value;
  }

  get abortInit(): (() => void) | undefined {
    return this.#seldom?.abortInit;
  }

  set abortInit(value: (() => void) | undefined) {
    if (value !== undefined || this.#seldom !== undefined) this.seldom.abortInit = value;
  }

  get overtaken(): boolean {
    return this.#seldom?.overtaken ?? false;
  }

  set overtaken(value: boolean) {
    if (value !== false || this.#seldom !== undefined) this.seldom.overtaken = value;
  }

  get initAborted(): boolean {
    return this.#seldom?.initAborted ?? false;
  }

  set initAborted(value: boolean) {
    if (value !== false || this.#seldom !== undefined) this.seldom.initAborted = value;
  }

  get conducted(): boolean {
    return this.#seldom?.conducted ?? false;
  }

  set conducted(value: boolean) {
    if (value !== false || this.#seldom !== undefined) this.seldom.conducted = value;
  }

  get allowance(): Timer | undefined {
    return this.#seldom?.allowance;
  }

  set allowance(value: Timer | undefined) {
    if (value !== undefined || this.#seldom !== undefined) this.seldom.allowance = value;
  }

  get idle(): Timer | undefined {
    return this.#seldom?.idle;
  }

  set idle(value: Timer | undefined) {
    if (value !== undefined || this.#seldom !== undefined) this.seldom.idle = value;
  }

  get controller(): AbortController | undefined {
    return this.#seldom?.controller;
  }

  set controller(value: AbortController | undefined) {
    if (value !== undefined || this.#seldom !== undefined) this.seldom.controller = value;
  }

  /** Has a turn been asked for by anyone, and may it be taken? */
  get runnable(): boolean {
    return this.orders !== undefined || (this.takesMail && this.mailboxSize > 0);
  }

  /** The incarnation has ended: it is fenced. */
  get fenced(): boolean {
    return this.phase >= ENDING;
  }

  get ended(): boolean {
    return this.phase === ENDED;
  }

  get starting(): boolean {
    return this.phase === STARTING;
  }

  /** Code of this very turn is running or awaited. */
  isIn(turn: number): boolean {
    return turn === this.turn && (this.busy || this.current !== undefined || this.phase === TERMINATING);
  }

  get status(): 'starting' | 'running' | 'suspended' | 'stopping' | 'ended' {
    if (this.phase === STARTING) return 'starting';
    if (this.phase >= ENDING) return 'ended';
    if (this.phase > RUNNING) return 'stopping';
    return this.suspended ? 'suspended' : 'running';
  }

  /** What its logic says of itself; one that throws, or answers with no object, has failed to say it. */
  inspect(): Inspection {
    try {
      const seen: unknown = this.behaviour?.inspect?.() ?? {};
      if (typeof seen === 'object') return seen as Inspection;
    } catch (error) {
      this.place.system.threw(this, error);
    }
    return INSPECT_FAILED;
  }

  get mailboxSize(): number {
    return this.box === undefined ? 0 : this.box.size;
  }

  get waitingMail(): number {
    return this.box === undefined ? 0 : this.box.counted;
  }

  /** The call being handled now, if it is one. */
  get currentCall(): Call | undefined {
    return this.current?.kind === CALL ? (this.current as Call) : undefined;
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.phase > RUNNING) this.controller.abort();
    }
    return this.controller.signal;
  }

  get takesMail(): boolean {
    const phase = this.phase;
    return phase >= RUNNING && phase <= CLOSING && !this.busy && !this.suspended;
  }

  /** From the moment it is told to stop, unless the behaviour has business of its own with its end. */
  get refusesMail(): boolean {
    const phase = this.phase;
    if (phase > RUNNING) return phase !== CLOSING;
    return this.pendingStop && this.behaviour?.shutdown === undefined;
  }

  get mail(): Mailbox {
    this.box ??= new Mailbox();
    return this.box;
  }

  /**
   * Runs this actor's code in its name, and in the foreign context that a message brought along; where none did, in the
   * system's own, never in that of whoever happened to begin the turn.
   */
  asOwner<T>(scope: AsyncScope | undefined, run: () => T): T {
    const { carriesContext, ownScope } = this.place.system;
    if (!carriesContext) return run();
    return (scope ?? ownScope()).runInAsyncScope(() => runOwned({ ref: this.ref, turn: this.turn }, run));
  }
}
