/**
 * XState's Actor object, as far as troupe touches it: the half of the seam that concerns one actor. The other half, the
 * `system` object that all actors of a logic share, is `engine.ts`.
 *
 * Invariant: nothing an actor calls back, an observer, a listener or an action, can throw into XState, which would rethrow
 * it from a `setTimeout`; and nobody starts or stops an actor except through the engine, in order.
 */
import { createError } from '../base/errors.ts';
import type { Delayed, DelayedEvents } from './delayed.ts';
import type { Mailable } from './delivery.ts';
import { guardedListener, guardedObserver, isThenable, type Reporter } from './guarded.ts';
import type { Taken } from './owner.ts';
import { isMachine } from './vocabulary.ts';

/** Microsteps of one macrostep. Owner: each XState actor; XState has no limit, and an `always` loop hangs the process. */
export const MICROSTEPS_MAX = 10_000;

/** Instead of an event: the order to start or to stop the actor that a letter is for. */
export const START = Symbol('start');
export const STOP = Symbol('stop');
export type Order = typeof START | typeof STOP;

const NOT_STARTED = 0;
const STOPPED = 2;
const RESIDENT = Symbol('troupe/resident');

/** A letter between actors of one logic. */
export interface Letter {
  readonly source: unknown;
  readonly target: unknown;
  /** An event, or an {@link Order}. */
  readonly event: unknown;
}

/** Something to be done among the letters, instead of one. */
export class Effect {
  readonly run: () => void;
  constructor(run: () => void) {
    this.run = run;
  }
}

/** The root's parent as XState sees it. */
export class Facade {
  readonly id = 'troupe';
  readonly sessionId = 'troupe';
  readonly system: { _relay(source: unknown, target: unknown, event: unknown): void };
  constructor(system: Facade['system']) {
    this.system = system;
  }
  send(event: unknown): void {
    this.system._relay(undefined, this, event);
  }
}

export interface Snapshot {
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  readonly output?: unknown;
  readonly error?: unknown;
  readonly children?: Readonly<Record<string, unknown>>;
}

interface Action {
  exec: ((info: unknown, params: unknown) => unknown) | undefined;
  /** What `exec` was before it was guarded. */
  run?: (info: unknown, params: unknown) => unknown;
}

/** What actors ask of the engine that they live in. */
interface Landlord extends Reporter {
  order(actor: InnerActor, order: Order): void;
  watch(outcome: PromiseLike<unknown>): void;
}

/** As much of XState's Actor as is touched. */
export interface InnerActor {
  readonly id: string;
  readonly logic: { readonly options?: { readonly maxIterations?: number } };
  readonly system: unknown;
  readonly _parent: { readonly [RESIDENT]?: Resident } | undefined;
  readonly _processingStatus: number;
  readonly _actorScope: {
    readonly defer: (run: () => void) => void;
    emit: (event: unknown) => void;
    actionExecutor: (action: Action) => void;
  };
  _snapshot: Snapshot | undefined;
  [RESIDENT]?: Resident;
  start(): unknown;
  subscribe(...observer: unknown[]): unknown;
  on(type: string, listener: unknown): unknown;
  _stop(): unknown;
  _send(event: unknown): void;
}

/** What XState reports to its system; `_transitions` comes with `@xstate.microstep`. */
export interface InspectionEvent {
  readonly type: string;
  readonly actorRef: InnerActor;
  readonly event?: { readonly type: string; readonly error?: unknown };
  readonly snapshot?: Snapshot;
  readonly _transitions?: readonly Taken[];
}

const SEAMS = ['_parent', '_processingStatus', '_actorScope', '_snapshot', '_stop', '_send'] as const;

/** What is known of one XState actor in here, hung onto it. */
export class Resident implements Mailable<Letter> {
  frame: Mailable<Letter>['frame'] = undefined;
  /** Taken in the macrostep of now. */
  microsteps = 0;
  systemId: string | undefined = undefined;
  /** Mail that came before it was started. */
  early: Letter[] | undefined = undefined;
  children: Set<InnerActor> | undefined = undefined;
  delayed: DelayedEvents | undefined = undefined;
}

/** Takes in an actor that XState is just making. */
export const adopt = (actor: InnerActor): Resident => {
  const resident = new Resident();
  actor[RESIDENT] = resident;
  const parent = actor._parent?.[RESIDENT];
  if (parent !== undefined) {
    parent.children ??= new Set();
    parent.children.add(actor);
  }
  actor.subscribe = subscribe;
  actor.on = on;
  actor.start = start;
  actor._stop = stop;
  if (isMachine(actor.logic)) watchActions(actor);
  return resident;
};

export const residentOf = (actor: InnerActor): Resident => actor[RESIDENT] as Resident;
export const hasStarted = (actor: InnerActor): boolean => actor._processingStatus !== NOT_STARTED;
export const hasStopped = (actor: InnerActor): boolean => actor._processingStatus === STOPPED;

/** Whether `target` is an XState actor that lives in this engine. */
export const livesIn = (engine: unknown, target: unknown): target is InnerActor =>
  (target as Partial<InnerActor> | null | undefined)?.[RESIDENT] !== undefined &&
  (target as InnerActor).system === engine;

/** An actor and all below it. */
export function* actorsFrom(root: InnerActor): IterableIterator<InnerActor> {
  const waiting = [root];
  for (let actor = waiting.pop(); actor !== undefined; actor = waiting.pop()) {
    const { children } = residentOf(actor);
    if (children !== undefined) for (const child of children) waiting.push(child);
    yield actor;
  }
}

/** Their delayed events, as XState shows them. */
export const scheduledBy = (actors: Iterable<InnerActor>): Readonly<Record<string, Delayed>> => {
  const scheduled: Record<string, Delayed> = {};
  for (const actor of actors) for (const due of residentOf(actor).delayed ?? []) scheduled[due.id] = due;
  return scheduled;
};

/** Throws into XState's transition when a macrostep does not end. A limit that the machine sets itself is XState's to keep. */
export const countMicrostep = (actor: InnerActor, event = 'always'): void => {
  const resident = residentOf(actor);
  resident.microsteps += 1;
  if (resident.microsteps <= MICROSTEPS_MAX || Number.isFinite(actor.logic.options?.maxIterations)) return;
  throw createError('ERR_CHART_LOOP', { chart: actor.id, limit: MICROSTEPS_MAX, event });
};

export const keepEarly = (actor: InnerActor, letter: Letter): void => {
  const resident = residentOf(actor);
  resident.early ??= [];
  resident.early.push(letter);
};

export const takeEarly = (actor: InnerActor): readonly Letter[] => {
  const resident = residentOf(actor);
  const early = resident.early ?? [];
  resident.early = undefined;
  return early;
};

/** @throws ERR_XSTATE_UNSUPPORTED */
export const checkSeams = (actor: InnerActor): void => {
  const missing = SEAMS.find((seam) => !(seam in actor));
  if (missing === undefined && actor[RESIDENT] !== undefined) return;
  throw createError('ERR_XSTATE_UNSUPPORTED', { what: missing ?? 'inspection of new actors' });
};

const original = (actor: InnerActor): InnerActor => Object.getPrototypeOf(actor) as InnerActor;

export const startNow = (actor: InnerActor): void => {
  original(actor).start.call(actor);
};

/** Stops one actor whose children have been stopped: XState would stop each again, copying the map of all each time. */
export const stopNow = (actor: InnerActor): void => {
  // Without a snapshot it is one whose making failed.
  const children = actor._snapshot?.children;
  if (children !== undefined && Object.keys(children).length > 0)
    actor._snapshot = { ...actor._snapshot, children: {} } as Snapshot;
  original(actor)._stop.call(actor);
};

export const leaveParent = (actor: InnerActor): void => {
  actor._parent?.[RESIDENT]?.children?.delete(actor);
};

/** Takes a child that failed out of its parent's snapshot, where XState keeps it when a `'*'` took its error. */
export const forgetDead = (parent: InnerActor, source: unknown): void => {
  const { children, status } = parent._snapshot as Snapshot;
  const dead = source as InnerActor | undefined;
  if (status !== 'active' || dead === undefined || children?.[dead.id] !== dead) return;
  if (!hasStopped(dead) || dead._snapshot?.status !== 'error') return;
  const { [dead.id]: _, ...others } = children;
  parent._snapshot = { ...parent._snapshot, children: others } as Snapshot;
};

// Shared by all actors, so that guarding one costs a slot, not a closure.
function subscribe(this: InnerActor, ...observer: unknown[]): unknown {
  return original(this).subscribe.call(this, guardedObserver(observer, this.system as Landlord));
}
function on(this: InnerActor, type: string, listener: (event: unknown) => unknown): unknown {
  return original(this).on.call(this, type, guardedListener(listener, this.system as Landlord));
}
function start(this: InnerActor): unknown {
  (this.system as Landlord).order(this, START);
  return this;
}
function stop(this: InnerActor): unknown {
  (this.system as Landlord).order(this, STOP);
  return this;
}
/** Runs a user's action; if that was async, its rejection is the logic's failure, as a throw would be. */
function exec(this: Action, info: unknown, params: unknown): void {
  const outcome = this.run?.(info, params);
  if (isThenable(outcome)) (info as { system: Landlord }).system.watch(outcome);
}

const watchActions = (actor: InnerActor): void => {
  const scope = actor._actorScope;
  const execute = scope.actionExecutor;
  scope.actionExecutor = (action) => {
    if (action.exec !== undefined) {
      action.run = action.exec;
      action.exec = exec;
    }
    execute(action);
  };
};
