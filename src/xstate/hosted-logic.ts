/**
 * One incarnation of an XState logic as the kernel sees it: mail becomes events, calls wait for a `reply`, the end of the
 * logic is the end of the actor, and a shutdown is offered to a machine that asked for it.
 *
 * Invariant: all of XState's code runs inside turns of the actor, and everything it started has ended when `reap` returns.
 * How XState is driven is {@link Engine}'s business.
 */
import type { AnyActorLogic } from 'xstate';
import { createError, show } from '../base/errors.ts';
import {
  type ActorContext,
  type Addressee,
  type Behaviour,
  DEFERRED,
  type Inspection,
  type Request,
} from '../kernel/logic.ts';
import type { ExitReason } from '../kernel/reason.ts';
import { isSpec, type Spec } from '../kernel/spec.ts';
import { Engine } from './engine.ts';
import { guarded } from './guarded.ts';
import type { Owner, Taken } from './owner.ts';
import { WaitingCalls } from './reply.ts';
import type { Stage } from './stage.ts';
import { isReservedType, typeOf, type Vocabulary } from './vocabulary.ts';

/** What `fromMachine` and `fromLogic` have settled for all incarnations. */
export interface Hosting {
  readonly logic: AnyActorLogic;
  /** A machine's; `undefined` for other logic, which takes any event. */
  readonly vocabulary: Vocabulary | undefined;
  /** Its signal aborts on shutdown, and its settlement is awaited. */
  readonly isPromise: boolean;
  readonly onShutdown: ((reason: ExitReason) => unknown) | undefined;
  readonly parent: Addressee | Spec<unknown> | undefined;
  readonly logger: (...args: unknown[]) => void;
}

/** What from outside started a turn: a call or a plain event. */
type Cause = { readonly type: string | undefined; readonly request: Request } | 'mail';

interface Watched {
  readonly event: unknown;
  taken: readonly Taken[] | undefined;
}

/** A transition that does nothing: how a chart forbids an event. */
const isInert = (taken: Taken): boolean => taken.target === undefined && taken.actions.length === 0;

/** Whether an enabled transition means that the machine has answered: a bare `'*'` that only acts, or nothing, has not. */
const answers = (taken: Taken): boolean =>
  taken.target !== undefined || (!isInert(taken) && taken.eventType !== '*');

export class HostedLogic implements Behaviour, Owner {
  readonly #context: ActorContext;
  readonly #hosting: Hosting;
  readonly #stage: Stage;
  readonly #engine: Engine;
  #waiting: WaitingCalls | undefined = undefined;
  /** What started the turn: a call, a plain event, or (`undefined`) something inside. */
  #turn: Cause | undefined = undefined;
  /** An event of which it matters whether the root takes it, and the transitions it selected for it. */
  #watched: Watched | undefined = undefined;
  /** A shutdown event that nothing has taken yet. */
  #offer: unknown = undefined;
  /** What a watch is to be told with the next snapshot. */
  #steps: { readonly events: unknown[]; readonly taken: Taken[] } | undefined = undefined;
  #advanced = false;
  #started = false;
  #closing: { readonly settle: () => void } | undefined = undefined;
  #finished = false;

  constructor(context: ActorContext, hosting: Hosting, input: unknown) {
    this.#context = context;
    this.#hosting = hosting;
    this.#stage = context.place.shared as Stage;
    this.#engine = new Engine(context, this, hosting.logger);
    this.#stage.enter(this);
    try {
      this.#engine.open(hosting.logic, input);
    } catch (error) {
      this.#stage.leave(this);
      throw error;
    }
    this.#started = true;
  }

  get snapshot(): unknown {
    return this.#engine.snapshot;
  }

  // ── what the kernel calls ─────────────────────────────────────────────────────────────────

  tell(message: unknown): void {
    if (!this.#admits(message)) {
      this.#context.system.deadLetter(this.#context.path, message);
      return;
    }
    this.#deliver(message, 'mail');
  }

  call(message: unknown, request: Request): unknown {
    const { vocabulary } = this.#hosting;
    if (vocabulary === undefined)
      request.refuse(this.#noHandler(message, 'nothing: only machines answer calls'));
    else if (!this.#admits(message))
      request.refuse(undeclared(this.#context.path, message, vocabulary.known));
    else {
      const taken = this.#deliverWatched(message, { type: typeOf(message), request });
      if (!request.open || this.#finished) return DEFERRED;
      if (taken?.every(isInert) === true)
        request.refuse(this.#noHandler(message, 'no transition of its present state'));
      else {
        this.#waiting ??= new WaitingCalls();
        this.#waiting.add(message, this.#context.later());
      }
    }
    return DEFERRED;
  }

  shutdown(reason: ExitReason): Promise<void> | undefined {
    const { isPromise, onShutdown } = this.#hosting;
    if (this.#finished || (!isPromise && onShutdown === undefined)) return undefined;
    const over = new Promise<void>((resolve) => {
      this.#closing = { settle: resolve };
    });
    if (isPromise) this.#engine.abort();
    else if (onShutdown !== undefined) {
      const event = onShutdown(reason);
      if (!this.#admits(event))
        throw undeclared(this.#context.path, event, this.#hosting.vocabulary?.known ?? []);
      this.#offer = event;
      this.#makeOffer();
    }
    return this.#finished ? undefined : over;
  }

  reap(reason: ExitReason): void {
    this.#engine.close();
    this.#stage.leave(this, reason);
  }

  inspect(): Inspection {
    const { status, value } = this.#engine.snapshot as { readonly status: string; readonly value?: unknown };
    const { actors, timers } = this.#engine.census();
    return {
      state: value ?? status,
      facts: { status, actors, timers, waitingCalls: this.#waiting?.size ?? 0 },
    };
  }

  // ── what the engine reports ───────────────────────────────────────────────────────────────

  advanced(snapshot: unknown): void {
    this.#advanced = true;
    this.#stage.publish(snapshot);
    const { watch } = this.#context.system;
    if (watch === undefined) return;
    const { events = [], taken = [] } = this.#steps ?? {};
    this.#steps = undefined;
    watch.stepped({ ref: this.#context.self, events, taken, snapshot });
  }

  selected(event: unknown, taken: readonly Taken[]): void {
    const watched = this.#watched;
    if (watched !== undefined && watched.event === event) watched.taken ??= taken;
    if (this.#context.system.watch === undefined) return;
    this.#steps ??= { events: [], taken: [] };
    this.#steps.events.push(event);
    this.#steps.taken.push(...taken);
  }

  emitted(event: unknown): void {
    if (typeOf(event) !== undefined) this.#stage.emit(event as { type: string });
  }

  sentToParent(event: unknown): void {
    const { parent } = this.#hosting;
    const { path, system } = this.#context;
    if (parent === undefined) {
      if (typeOf(event) === undefined || !this.#stage.emit(event as { type: string }))
        system.deadLetter(`${path}#parent`, event, path);
      return;
    }
    guarded(this, () => {
      this.#context.tell(isSpec(parent) ? (this.#context.get(parent) as Addressee) : parent, event);
    });
  }

  rested(): void {
    this.#turn = undefined;
    const advanced = this.#advanced;
    this.#advanced = false;
    if (this.#offer !== undefined && advanced) this.#makeOffer();
  }

  done(): void {
    this.#finished = true;
    if (this.#closing !== undefined) this.#closing.settle();
    // Ended within init it would count as a failed start; OTP lets it start and exit normally.
    else if (this.#started) this.#context.stop('normal');
    else this.#context.next(() => this.#context.stop('normal'));
  }

  failed(error: unknown): void {
    this.#finished = true;
    // A promise that rejects because it was told to stop has done so.
    if (this.#closing !== undefined && this.#hosting.isPromise) this.#closing.settle();
    else throw error;
  }

  threw(error: unknown): void {
    this.#stage.threw(error);
  }

  answer(value: () => unknown, to: string | undefined): void {
    const turn = this.#turn;
    const atHand =
      typeof turn === 'object' && (to === undefined || turn.type === to) ? turn.request : undefined;
    const mayTake = to !== undefined || turn === undefined;
    const request = (mayTake ? this.#waiting?.take(to) : undefined) ?? atHand;
    if (request?.open === true) request.reply(value());
  }

  // ── decisions ─────────────────────────────────────────────────────────────────────────────

  #deliver(event: unknown, turn: Cause): void {
    this.#turn = turn;
    this.#engine.deliver(event);
  }

  #deliverWatched(event: unknown, turn: Cause): readonly Taken[] | undefined {
    const watched: Watched = { event, taken: undefined };
    this.#watched = watched;
    this.#deliver(event, turn);
    this.#watched = undefined;
    return watched.taken;
  }

  /** Offers the shutdown event once; what takes it not stays on offer. */
  #makeOffer(): void {
    const offer = this.#offer;
    this.#offer = undefined;
    const taken = this.#deliverWatched(offer, 'mail');
    this.#advanced = false;
    if (!this.#finished && taken?.some(answers) !== true) this.#offer = offer;
  }

  #admits(message: unknown): boolean {
    const type = typeOf(message);
    if (type === undefined) return false;
    return this.#hosting.vocabulary?.admits(type) ?? !isReservedType(type);
  }

  #noHandler(message: unknown, expected: string): Error {
    const target = this.#context.path;
    return createError('ERR_NO_HANDLER', {
      target,
      kind: 'call',
      message: typeOf(message) ?? show(message),
      expected,
    });
  }
}

/** The refusal of an event that the machine does not declare. */
export const undeclared = (target: string, message: unknown, known: readonly string[]): Error =>
  createError('ERR_EVENT_UNDECLARED', {
    target,
    event: typeOf(message) ?? show(message),
    expected: known,
  });
