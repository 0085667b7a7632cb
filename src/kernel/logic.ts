/**
 * The seam between the kernel and whatever an actor runs: `server(…)`, any XState logic, a supervisor, a breaker, a
 * pool. A {@link Logic} is a value that starts incarnations; a {@link Behaviour} is one incarnation's code.
 *
 * Invariant: the kernel calls at most one method of a behaviour at a time and awaits what it returns, except that
 * `inspect` is always answered. Whatever a method throws or rejects with ends the actor with `{ error }`.
 */
import type { Random } from '../base/random.ts';
import type { ExitReason } from './reason.ts';
import type { Ref } from './ref.ts';
import type { Backoff, Spec } from './spec.ts';
import type { SystemOfActors } from './system.ts';

/** Init may return this: the actor ends `normal` and its supervisor keeps or forgets the child as OTP does. */
export const IGNORE: unique symbol = Symbol.for('troupe/ignore');
/** A call handler may return this after `ctx.later()`: the reply comes through the request. */
export const DEFERRED: unique symbol = Symbol.for('troupe/deferred');

export type Awaitable<T> = T | PromiseLike<T>;

/** A call as its handler sees it. */
export interface Request<R = unknown> {
  readonly from: Ref | undefined;
  /** The instant of `host.monotonic()` after which nobody waits for the reply. */
  readonly deadline: number;
  /** Aborts when the caller gives up (deadline, abort or death). Made when first read. */
  readonly signal: AbortSignal;
  /** Whether a reply would still be heard. */
  readonly open: boolean;
  /** Answers. Only the first answer counts; later ones are ignored. */
  reply(value: R): void;
  /** Answers with a rejection. */
  refuse(error: unknown): void;
}

/** What the kernel tells an actor on its own account. */
export type Info =
  | { readonly type: 'down'; readonly monitor: number; readonly ref: Ref; readonly reason: ExitReason }
  | { readonly type: 'exit'; readonly ref: Ref; readonly reason: ExitReason }
  | { readonly type: 'timeout' };

/** A child that does not run now. */
export interface AbsentChild {
  readonly id: string;
  readonly kind: string;
  readonly status: string;
  /** `false` where it should run, so that the service is not whole without it. */
  readonly ready?: boolean;
}

/** What people are shown of a running actor. */
export interface Inspection {
  /** A chart's state value, or a word of the logic's own. */
  readonly state?: unknown;
  /** Facts worth a line in `tree()`: counts, gauges. Never payloads. */
  readonly facts?: Readonly<Record<string, string | number | boolean>>;
  /** `false` while the service should not be sent work because of it; counts for the application's readiness. */
  readonly ready?: boolean;
  /** Of a supervisor: what is spent of its restart limit, and how its children back off unless they say otherwise. */
  readonly restartLimit?: {
    readonly used: number;
    readonly intensity: number;
    readonly periodMs: number;
    readonly backoff: Backoff | false;
  };
  /** Children that are not running now, and why: shown in `tree()` beside the living. */
  readonly absent?: readonly AbsentChild[];
}

/** One incarnation's code. Only `tell` is required. */
export interface Behaviour {
  tell(message: unknown): Awaitable<void>;
  /** What it returns (or resolves to) is the reply; {@link DEFERRED}: the reply comes later. Absent: ERR_NO_HANDLER. */
  call?(message: unknown, request: Request): unknown;
  /** `down`, a trapped `exit`, an idle `timeout`. */
  info?(info: Info): Awaitable<void>;
  /**
   * Shutdown has begun (from the parent, or `stop`). Returning nothing: `terminate` follows at once. Returning a
   * promise: mail goes on being delivered until it settles, then `terminate`; all of it inside the allowance.
   */
  shutdown?(reason: ExitReason): Awaitable<void>;
  /** The last thing that runs, also after a crash (with the `{ error }` reason), never after a kill. */
  terminate?(reason: ExitReason): Awaitable<void>;
  /**
   * Synchronous, last, exactly once, on every path including a kill: let go of what would outlive the incarnation
   * (an OS process, a subscription). It must not throw and must not use the context.
   */
  reap?(reason: ExitReason): void;
  inspect?(): Inspection;
}

/** What can be started. `H` is the type of its handle. */
export interface Logic<H = Handle> {
  /** A word for `tree()` and logs: `server`, `machine`, `supervisor`, `breaker`, `pool` … */
  readonly kind: string;
  /** What people are told of it before it runs: a supervisor's strategy. */
  readonly traits?: Readonly<Record<string, string | number | boolean>>;
  /**
   * Made once for each place in a tree and kept over restarts: what handles and incarnations share (a breaker's
   * counts). Read it as `place.shared`. Most logic has none.
   */
  share?(place: Place): unknown;
  /** Init. May be async; bounded by the spec's `initTimeoutMs`. */
  start(context: ActorContext, input: unknown): Awaitable<Behaviour | typeof IGNORE>;
  /** The system has stopped: nothing starts at this place any more, and what is shared there may be let go of. */
  retire?(place: Place): void;
  /** What outside code is given for `app.get(spec)`. */
  handle(place: Place): H;
}

/** Options of a tell. */
export interface TellOptions {
  /** Opaque trace context; travels in the envelope and to what the handler sends in turn. */
  readonly trace?: unknown;
}

/** Options of a call. */
export interface CallOptions extends TellOptions {
  /** Default 5,000; the caller's own deadline, if sooner, wins. `Infinity` is allowed. */
  readonly timeoutMs?: number;
  /** An instant of `host.monotonic()`, instead of `timeoutMs`. */
  readonly deadline?: number;
  readonly signal?: AbortSignal;
  /** While the target restarts: `reject` with ERR_RESTARTING (default), or `wait` until the deadline. */
  readonly whenDown?: 'reject' | 'wait';
}

export type Told = 'sent' | 'dropped';

/** A place in a tree: what a handle follows through restarts. Its cell is the incarnation of now, if any. */
export interface Place {
  readonly path: string;
  readonly system: SystemOfActors;
  readonly spec: Spec<unknown>;
  /** What {@link Logic.share} made for this place. */
  readonly shared: unknown;
  /** The incarnation of now; `undefined` while there is none. */
  ref(): Ref | undefined;
  tell(message: unknown, options?: TellOptions): Told;
  call(message: unknown, options?: CallOptions): Promise<unknown>;
  inspect(): Inspection;
  /**
   * Calls `gone`, which must not throw, whenever it is found that nobody will start it again, as things stand: for what is shared there
   * and waits for the next incarnation. Returns the function that ends that.
   */
  onGone(gone: () => void): () => void;
  /** The handle of what stands at another path, for whoever holds this one; `undefined` where nothing does. */
  handleAt(path: string): unknown;
  /** The incarnation that holds the handle made of this, got by `ctx.get` or `ctx.spawn`; absent for outside code. */
  readonly holder?: PlaceHolder;
}

/** An incarnation as the things that it holds know it. */
export interface PlaceHolder {
  readonly path: string;
  /** As {@link ActorContext.onEnd}. @throws ERR_FENCED */
  onEnd(release: (reason: ExitReason) => void): () => void;
}

/** What every handle can do. Follows restarts: it addresses the place, not the incarnation. */
export interface Handle {
  readonly path: string;
  ref(): Ref | undefined;
}

/** Whom a message is for: a ref, a handle, a spec of this system, or a registered name. */
export type Addressee = Ref | Handle | Spec<unknown> | string;

/** A timer of an incarnation: gone with it. */
export interface ActorTimer {
  cancel(): void;
}

/** Options of `ctx.spawn`. */
export interface SpawnOptions {
  /** Called once, in a turn of the spawner, after the child (started or not) and its subtree have ended. */
  readonly ended?: (reason: ExitReason) => void;
}

/** What a behaviour acts through. After its incarnation has ended every method throws ERR_FENCED. */
export interface ActorContext {
  readonly self: Ref;
  readonly path: string;
  readonly place: Place;
  readonly system: SystemOfActors;
  readonly random: Random;
  /** Aborts when shutdown begins or the actor ends. Made when first read. */
  readonly signal: AbortSignal;
  /** The instant of `host.monotonic()` until which a stop may take; `Infinity` while none is under way. */
  readonly stopDeadline: number;
  /** The deadline of the call being handled; `Infinity` outside of one. */
  readonly deadline: number;
  /** The trace of the message being handled. */
  readonly trace: unknown;
  /** Whether link exits arrive as `info({ type: 'exit' })`. Concerns links only. Default `false`. */
  trapExit: boolean;
  now(): number;
  /** To a ref, a handle, a spec, or a registered name. @throws ERR_SPEC_UNKNOWN, ERR_OPTION_INVALID: it is none of these */
  tell(to: Addressee, message: unknown): Told;
  /** The deadline handed down shrinks. Rejects at once with ERR_CALL_CYCLE where it would wait for itself. */
  call(to: Addressee, message: unknown, options?: CallOptions): Promise<unknown>;
  /** Tells oneself after a delay; exempt from capacity; gone with the incarnation. */
  after(delayMs: number, message: unknown, options?: { readonly unref?: boolean }): ActorTimer;
  /** Runs `run` in a turn of this actor, in mail order, exempt from capacity. For logic, not for users. */
  post(run: () => Awaitable<void>): void;
  /** Like `post`, after a delay. */
  postAfter(
    delayMs: number,
    label: string,
    run: () => Awaitable<void>,
    options?: { readonly unref?: boolean },
  ): ActorTimer;
  /**
   * Brings a promise's result back as mail to oneself: the mapper runs in a turn of this actor, and what it returns
   * (unless `undefined`) is told to it. Without `onError` a rejection ends the actor.
   */
  pipe<T>(
    promise: PromiseLike<T>,
    onValue: (value: T) => unknown,
    onError?: (error: unknown) => unknown,
  ): void;
  /** The request being handled, to be answered later; the handler then returns what it likes. */
  later<R = unknown>(): Request<R>;
  /** Runs before any other mail (OTP's `{continue, …}`). */
  next(run: () => Awaitable<void>): void;
  /** Delivers `info({ type: 'timeout' })` unless any message comes within `idleMs` (OTP's timeout return). */
  idle(idleMs: number): void;
  /**
   * Starts an unsupervised child: it ends when this actor ends, not the other way round. Resolves after its init,
   * rejects with ERR_INIT_FAILED. `ended` is called once, in a turn of this actor, when the child and all below it are gone.
   */
  spawn<H>(spec: Spec<H>, options?: SpawnOptions): Promise<H>;
  /**
   * The handle of a spec of this application. What is done through it is done by this incarnation: within its deadline, in
   * its chain of calls, and not after its end. Hand others the ref, or let them `get` their own.
   */
  get<H>(spec: Spec<H>): H;
  register(name: string): void;
  unregister(name: string): void;
  link(to: Addressee): void;
  unlink(to: Addressee): void;
  /** Exactly one `down` follows, at once when it is not alive. Returns the monitor's number. */
  monitor(to: Addressee): number;
  /** Removes a monitor and any `down` of it still in the mailbox. */
  demonitor(monitor: number): void;
  /**
   * Calls `release` once when this incarnation ends, on every path including a kill, synchronously and in the order of
   * asking: whoever holds something for an actor (a lock, a lease, a subscription, a task) is told here that it is over.
   * It must not use the context. Returns what takes it back; safe to repeat.
   */
  onEnd(release: (reason: ExitReason) => void): () => void;
  /** Sends an exit signal, as OTP's `exit/2`; `'kill'` is untrappable. */
  exit(to: Addressee, reason: ExitReason | 'kill'): void;
  /** Ends this actor after the current handler, running `terminate`. Default `normal`. */
  stop(reason?: ExitReason): void;
}
