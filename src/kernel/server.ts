/**
 * `server({ … })`: OTP's gen_server as a value. State is what `init` returns; handlers are named by the message's
 * `type`; a call's reply type follows from its message.
 *
 * A handler that throws ends the actor (its supervisor restarts it) and rejects the call with ERR_CALLEE_ENDED. To refuse
 * a call without dying, answer through `ctx.later().refuse(error)`.
 */

import { check, fn, object, refuse, resolveOptions } from '../base/options.ts';
import {
  type ActorContext,
  type Awaitable,
  type Behaviour,
  type CallOptions,
  type Handle,
  IGNORE,
  type Info,
  type Inspection,
  type Logic,
  type Place,
  type Told,
} from './logic.ts';
import { PlaceHandle } from './place-handle.ts';
import type { ExitReason } from './reason.ts';
import { noHandler } from './relations.ts';

// Parameters are contravariant: `never` is what lets a table hold handlers of any payload.
type CallTable<S> = Readonly<Record<string, (state: S, message: never, context: ActorContext) => unknown>>;
type CastTable<S> = Readonly<
  Record<string, (state: S, message: never, context: ActorContext) => Awaitable<void>>
>;

/**
 * The second parameter of a handler, as its message carries it beside `type`. One that is only there to reach the third has
 * no type of its own (`never`, from the table), and its message no payload.
 */
type PayloadOf<F> = F extends (state: never, message: infer P, ...rest: never[]) => unknown
  ? [P] extends [never]
    ? unknown
    : P
  : never;

/** The messages of a table: `{ type: key } & payload`. */
export type MessageOf<T> = { [K in keyof T & string]: { readonly type: K } & PayloadOf<T[K]> }[keyof T &
  string];

/** The reply to a message of a call table. */
export type ReplyTo<T, M extends { readonly type: string }> = M['type'] extends keyof T
  ? T[M['type']] extends (...args: never[]) => infer R
    ? Awaited<R>
    : never
  : never;

/** What {@link server} takes. */
export interface ServerOptions<S, I, C, T> {
  /** Makes the state; may be async. May return {@link IGNORE}, or call `ctx.stop(reason)` to refuse to start. */
  readonly init: (input: I, context: ActorContext) => Awaitable<S | typeof IGNORE>;
  /** Handlers of calls; what they return or resolve to is the reply, {@link DEFERRED} leaves it to `ctx.later()`. */
  readonly call?: C & CallTable<S>;
  /** Handlers of tells. */
  readonly cast?: T & CastTable<S>;
  /** `down`, a trapped `exit`, an idle `timeout`. Unhandled ones are ignored, as gen_server's default does. */
  readonly info?: (state: S, info: Info, context: ActorContext) => Awaitable<void>;
  /** The last thing that runs on an orderly stop or a crash; never after a kill. */
  readonly terminate?: (state: S, reason: ExitReason, context: ActorContext) => Awaitable<void>;
  /** What `tree()` shows. */
  readonly inspect?: (state: S) => Inspection;
}

/** The handle of a server; follows restarts. */
export interface ServerHandle<C, T> extends Handle {
  /** Resolves with the reply. @throws ERR_CALL_TIMEOUT, ERR_CALLEE_ENDED, ERR_MAILBOX_FULL, ERR_RESTARTING, ERR_NOPROC … */
  call<const M extends MessageOf<C>>(message: M, options?: CallOptions): Promise<ReplyTo<C, M>>;
  /** Never throws: `'dropped'` when the mailbox is full or nobody is there. */
  tell(message: MessageOf<T>): Told;
}

const FIELDS = {
  init: fn<Function>(),
  call: object<Record<string, Function>>('an object of handlers'),
  cast: object<Record<string, Function>>('an object of handlers'),
  info: fn<Function>(),
  terminate: fn<Function>(),
  inspect: fn<Function>(),
};

type AnyHandler = (state: unknown, message: unknown, context: ActorContext) => unknown;

class ServerBehaviour implements Behaviour {
  readonly #options: ServerOptions<unknown, unknown, Record<string, AnyHandler>, Record<string, AnyHandler>>;
  readonly #state: unknown;
  readonly #context: ActorContext;

  constructor(
    options: ServerOptions<unknown, unknown, Record<string, AnyHandler>, Record<string, AnyHandler>>,
    state: unknown,
    context: ActorContext,
  ) {
    this.#options = options;
    this.#state = state;
    this.#context = context;
  }

  tell(message: unknown): Awaitable<void> {
    const handler = handlerIn(this.#options.cast, message);
    if (handler === undefined) {
      // A tell that nobody handles is a bug of its sender, and no reason for this actor to die.
      this.#context.system.deadLetter(this.#context.path, message);
      return undefined;
    }
    return handler(this.#state, message, this.#context) as Awaitable<void>;
  }

  call(message: unknown): unknown {
    const handler = handlerIn(this.#options.call, message);
    if (handler !== undefined) return handler(this.#state, message, this.#context);
    const known = Object.keys(this.#options.call ?? {});
    this.#context.later().refuse(noHandler(this.#context.path, message, known));
    return undefined;
  }

  info(info: Info): Awaitable<void> {
    return this.#options.info?.(this.#state, info, this.#context);
  }

  terminate(reason: ExitReason): Awaitable<void> {
    return this.#options.terminate?.(this.#state, reason, this.#context);
  }

  inspect(): Inspection {
    return this.#options.inspect?.(this.#state) ?? {};
  }
}

const handlerIn = (
  table: Record<string, AnyHandler> | undefined,
  message: unknown,
): AnyHandler | undefined => {
  const name = (message as { type?: unknown } | null | undefined)?.type;
  return table !== undefined && typeof name === 'string' && Object.hasOwn(table, name)
    ? table[name]
    : undefined;
};

const isAwaitable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as { then?: unknown } | null | undefined)?.then === 'function';

/**
 * Makes the logic of a server.
 *
 * @example
 * const counter = actor('counter', server({
 *   init: () => ({ n: 0 }),
 *   call: { add: (state, { by }: { by: number }) => (state.n += by) },
 *   cast: { reset: (state) => { state.n = 0; } },
 * }));
 * await app.get(counter).call({ type: 'add', by: 2 }); // number
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const server = <S, I, C, T>(options: ServerOptions<S, I, C, T>): Logic<ServerHandle<C, T>> => {
  const checked = resolveOptions('server', options, FIELDS, {}) as unknown as ServerOptions<
    unknown,
    unknown,
    Record<string, AnyHandler>,
    Record<string, AnyHandler>
  >;
  if (checked.init === undefined) refuse('server', 'init', FIELDS.init.expected, undefined);
  checkTable('call', checked.call);
  checkTable('cast', checked.cast);
  return Object.freeze({
    kind: 'server',
    start: (context: ActorContext, input: unknown) => {
      const started = checked.init(input, context);
      const make = (state: unknown) =>
        state === IGNORE ? IGNORE : new ServerBehaviour(checked, state, context);
      return isAwaitable(started) ? started.then(make) : make(started);
    },
    handle: (place: Place) => new HandleOfServer(place) as ServerHandle<C, T>,
  });
};

const checkTable = (name: string, table: Record<string, AnyHandler> | undefined): void => {
  for (const [type, handler] of Object.entries(table ?? {}))
    check('server', `${name}.${type}`, FIELDS.init, handler);
};

class HandleOfServer extends PlaceHandle {
  call(message: unknown, options?: CallOptions): Promise<unknown> {
    return this.place.call(message, options);
  }

  tell(message: unknown): Told {
    return this.place.tell(message);
  }
}
