/**
 * Any XState v5 logic as a supervised actor: `actor('id', fromMachine(machine))`. The logic runs unchanged; a restart runs it
 * afresh.
 *
 * This file owns the makers and their handles. How a logic is hosted is `hosted-logic.ts`; how XState is driven,
 * `engine.ts`.
 */
import type {
  AnyActorLogic,
  AnyStateMachine,
  EmittedFrom,
  EventFromLogic,
  EventObject,
  SnapshotFrom,
} from 'xstate';
import { check, either, fits, fn, msOrInfinity, resolveOptions } from '../base/options.ts';
import type { ActorContext, Addressee, CallOptions, Handle, Logic, Place, Told } from '../kernel/logic.ts';
import type { ExitReason } from '../kernel/reason.ts';
import type { Ref } from '../kernel/ref.ts';
import { isSpec, type Spec } from '../kernel/spec.ts';
import { HostedLogic, type Hosting, undeclared } from './hosted-logic.ts';
import { isPromiseLogic } from './promise-logic.ts';
import { Stage, type StageObserver, type Subscription, type WaitOptions } from './stage.ts';
import { addresseeOf } from './target.ts';
import { isMachine, isReservedType, typeOf, type Vocabulary, vocabularyOf } from './vocabulary.ts';

/** Options of {@link fromLogic}. */
export interface LogicOptions {
  /**
   * Whom `sendParent` and `sendBack` of the logic itself reach: a ref, a handle, a registered name, or a spec of the same
   * application. Default: those who listen with `handle.on`; where nobody does, it is a dead letter.
   */
  readonly parent?: Addressee | Spec<unknown>;
  /** What XState's `log` action calls. Default `console.log`, as XState has it. */
  readonly logger?: (...args: unknown[]) => void;
}

/** Options of {@link fromMachine}. */
export interface MachineOptions<M extends AnyStateMachine, E extends EventFromLogic<M> = EventFromLogic<M>>
  extends LogicOptions {
  /**
   * The event that asks the machine to end. Offered when shutdown begins, and, while nothing takes it, again after each
   * macrostep, until the allowance (`shutdownMs`) ends; then the actor is killed. Reaching a final state (for a parallel
   * root: in every region) ends it with the shutdown's reason. A `'*'` transition that has no target does not count as
   * taking it. Default: none; the machine is stopped at once.
   */
  readonly onShutdown?: E | ((reason: ExitReason) => E);
}

/** What outside code holds of a logic. It follows restarts. */
export interface LogicHandle<L extends AnyActorLogic> extends Handle {
  /**
   * Sends an event. Never runs the receiver.
   *
   * @throws ERR_EVENT_UNDECLARED when no state of the machine declares the type, or it is one of XState's own
   */
  send(event: EventFromLogic<L>): Told;
  /** Of the incarnation of now, else the last one of the incarnation before; `undefined` before the first start. */
  snapshot(): SnapshotFrom<L> | undefined;
  /**
   * The first snapshot that fits, beginning with that of now, over restarts.
   *
   * @throws ERR_CALL_TIMEOUT after `timeoutMs` (default 5,000), ERR_CALL_ABORTED, or what the predicate throws
   */
  waitFor(fits: (snapshot: SnapshotFrom<L>) => boolean, options?: WaitOptions): Promise<SnapshotFrom<L>>;
  /** Watches snapshots and ends, over restarts. What an observer throws is reported as `actor.threw`, never passed on. */
  subscribe(
    observer: StageObserver<SnapshotFrom<L>> | ((snapshot: SnapshotFrom<L>) => unknown),
  ): Subscription;
  /** Listens for what the logic emits, and for what it sends to its parent where no `parent` was given; `'*'` is all. */
  on<T extends EmittedFrom<L>['type']>(
    type: T,
    listener: (event: Extract<EmittedFrom<L>, { readonly type: T }>) => unknown,
  ): Subscription;
  on(type: string, listener: (event: EventObject) => unknown): Subscription;
}

/** What outside code holds of a machine. */
export interface MachineHandle<M extends AnyStateMachine> extends LogicHandle<M> {
  /**
   * Sends an event and resolves with what the action `reply` answers, in this macrostep or a later one.
   *
   * @throws ERR_NO_HANDLER when no transition of the present state takes it, ERR_EVENT_UNDECLARED, and as every call
   */
  call<R = unknown>(event: EventFromLogic<M>, options?: CallOptions): Promise<R>;
}

const LOGIC_FIELDS = {
  parent: fits<Addressee | Spec<unknown>>(
    'a ref, a handle, a registered name or a spec',
    (value) =>
      (typeof value === 'string' && value !== '') || isSpec(value) || addresseeOf(value) !== undefined,
  ),
  logger: fn<(...args: unknown[]) => void>(),
};
const MACHINE_FIELDS = {
  ...LOGIC_FIELDS,
  onShutdown: either(
    fn<(reason: ExitReason) => unknown>(),
    fits<EventObject>('an event', (value) => typeOf(value) !== undefined),
  ),
};
const WAIT_FIELDS = {
  timeoutMs: msOrInfinity(0),
  deadline: fits<number>('an instant of host.monotonic()', (v) => typeof v === 'number' && !Number.isNaN(v)),
  signal: fits<AbortSignal>(
    'an AbortSignal',
    (v) => typeof (v as AbortSignal | null)?.addEventListener === 'function',
  ),
};
const MACHINE = fits<AnyStateMachine>('an XState machine', isMachine);
const LOGIC = fits<AnyActorLogic>(
  'XState actor logic',
  (value) => typeof (value as { getInitialSnapshot?: unknown } | null)?.getInitialSnapshot === 'function',
);
const log = console.log.bind(console);

/**
 * A machine as logic of a troupe actor. Its `done` ends the actor `normal`, its error ends it with `{ error }`.
 *
 * Event types that no state declares are refused; through wildcards at most {@link WILDCARD_TYPES_MAX} distinct ones are
 * taken. A macrostep of more than 10,000 microsteps fails, unless the machine sets `options.maxIterations` itself.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN, ERR_EVENT_UNDECLARED for an `onShutdown` that it does not declare
 */
export const fromMachine = <M extends AnyStateMachine, const E extends EventFromLogic<M> = EventFromLogic<M>>(
  machine: M,
  options: MachineOptions<M, E> = {},
): Logic<MachineHandle<M>> => {
  check('fromMachine', 'machine', MACHINE, machine);
  const { onShutdown, parent, logger } = resolveOptions('fromMachine', options, MACHINE_FIELDS, {
    logger: log,
  });
  const vocabulary = vocabularyOf(machine);
  const isStatic = onShutdown !== undefined && typeof onShutdown !== 'function';
  if (isStatic && !vocabulary.admits(onShutdown.type))
    throw undeclared(machine.id, onShutdown, vocabulary.known);
  const hosting: Hosting = {
    logic: machine,
    vocabulary,
    isPromise: false,
    onShutdown: isStatic ? () => ({ ...onShutdown }) : onShutdown,
    parent,
    logger,
  };
  return logicOf('machine', hosting, (place) => new HandleOfLogic<M>(place, vocabulary));
};

/**
 * Any XState logic (of a promise, callback, observable, event observable, transition or machine) as logic of a troupe actor.
 *
 * On shutdown a promise's signal aborts, and it may settle within the allowance; everything else is cleaned up at once.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const fromLogic = <L extends AnyActorLogic>(
  logic: L,
  options: LogicOptions = {},
): Logic<L extends AnyStateMachine ? MachineHandle<L> : LogicHandle<L>> => {
  check('fromLogic', 'logic', LOGIC, logic);
  if (isMachine(logic)) return fromMachine(logic, options) as never;
  const { parent, logger } = resolveOptions('fromLogic', options, LOGIC_FIELDS, { logger: log });
  const hosting: Hosting = {
    logic,
    vocabulary: undefined,
    isPromise: isPromiseLogic(logic),
    onShutdown: undefined,
    parent,
    logger,
  };
  return logicOf('logic', hosting, (place) => new HandleOfLogic<L>(place, undefined)) as never;
};

const logicOf = <H>(kind: string, hosting: Hosting, handle: (place: Place) => H): Logic<H> =>
  Object.freeze({
    kind,
    share: (place: Place) => new Stage(place),
    start: (context: ActorContext, input: unknown) => new HostedLogic(context, hosting, input),
    handle,
  });

class HandleOfLogic<L extends AnyActorLogic> implements LogicHandle<L> {
  readonly #place: Place;
  readonly #vocabulary: Vocabulary | undefined;

  constructor(place: Place, vocabulary: Vocabulary | undefined) {
    this.#place = place;
    this.#vocabulary = vocabulary;
  }

  get path(): string {
    return this.#place.path;
  }

  get #stage(): Stage<SnapshotFrom<L>> {
    return this.#place.shared as Stage<SnapshotFrom<L>>;
  }

  ref(): Ref | undefined {
    return this.#place.ref();
  }

  send(event: EventFromLogic<L>): Told {
    this.#check(event);
    return this.#place.tell(event);
  }

  snapshot(): SnapshotFrom<L> | undefined {
    return this.#stage.snapshot;
  }

  waitFor(
    predicate: (snapshot: SnapshotFrom<L>) => boolean,
    options?: WaitOptions,
  ): Promise<SnapshotFrom<L>> {
    const where = `waitFor of ${this.#place.path}`;
    return this.#stage.waitFor(predicate, resolveOptions(where, options, WAIT_FIELDS, {}));
  }

  subscribe(
    observer: StageObserver<SnapshotFrom<L>> | ((snapshot: SnapshotFrom<L>) => unknown),
  ): Subscription {
    return this.#stage.subscribe(typeof observer === 'function' ? { next: observer } : observer);
  }

  on(type: string, listener: (event: never) => unknown): Subscription {
    return this.#stage.on(type, listener as (event: unknown) => unknown);
  }

  async call<R>(event: EventFromLogic<L>, options?: CallOptions): Promise<R> {
    this.#check(event);
    return (await this.#place.call(event, options)) as R;
  }

  #check(event: unknown): void {
    const refusal = refusalOf(this.#place.path, event, this.#vocabulary);
    if (refusal !== undefined) throw refusal;
  }
}

const refusalOf = (path: string, event: unknown, vocabulary: Vocabulary | undefined): Error | undefined => {
  const type = typeOf(event);
  if (type !== undefined && (vocabulary?.admits(type) ?? !isReservedType(type))) return undefined;
  return undeclared(path, event, vocabulary?.known ?? ['any type that does not begin with xstate.']);
};
