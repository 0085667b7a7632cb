/**
 * What one incarnation is: its identity, its phase, and all that it holds. The behaviour of a cell is built on it:
 * receiving-cell.ts takes mail and keeps calls, cell.ts runs, stops and ends.
 *
 * Invariant: a phase only moves forward.
 */
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
  trapExit = false;
  children: Set<Cell> | undefined = undefined;
  relations: relations.Relations | undefined = undefined;
  timers: Set<Timer> | undefined = undefined;
  names: Set<string> | undefined = undefined;
  /** What others hold for it, each let go of when it ends. */
  holdings: Set<(reason: ExitReason) => void> | undefined = undefined;
  stopReason: ExitReason | undefined = undefined;
  stopDeadline = Number.POSITIVE_INFINITY;
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
  /** A stop was asked for from outside: whoever did it decides what comes after. */
  toldToStop = false;
  suspended = false;
  /** A stop was asked for while a handler ran; it goes on when that settles. */
  pendingStop = false;
  current: Mail | undefined = undefined;
  deferred: Set<Call> | undefined = undefined;
  outgoing: Call | undefined = undefined;
  /** Set by an init that cleans up after itself when it is told to stop (a supervisor's): it then ends the start. */
  abortInit: (() => void) | undefined = undefined;
  /** That was told to stop: a second stop only shortens its time. */
  initAborted = false;
  /** Its init proceeds in turns of the kernel only (a supervisor's): it ends with the incarnation, straggling nowhere. */
  conducted = false;
  allowance: Timer | undefined = undefined;
  idle: Timer | undefined = undefined;
  controller: AbortController | undefined = undefined;

  constructor(place: PlaceOfActor, parent: Cell | undefined, observer: Observer | undefined) {
    this.place = place;
    this.parent = parent;
    this.observer = observer;
    this.ref = createRef(place.path, place.system.nextIncarnation());
  }

  /** This, as the cell that it is in the end. */
  abstract readonly whole: Cell;

  abstract activate(budget: number): number;

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
