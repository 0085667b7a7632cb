/**
 * The one place that touches XState's engine: it runs one logic as one XState actor under a parent and a `system` of ours,
 * with everything that actor invokes and spawns.
 *
 * Invariants. XState reaches no clock, id or chance but through here. What is sent inside is heard in XState's order, never
 * by recursion ({@link Delivery}). Whatever user code throws, in an action, an observer, a listener or a clean-up, becomes
 * an outcome or is reported; it never reaches the process. When the root has ended, or after `close`, nothing that it
 * started is left: actors, timers, signals of promises, callbacks, subscriptions, names.
 *
 * What it relies on beyond XState's documented API is the `system` object below and the actor object in
 * `inner-actor.ts`, checked whenever a root is made. It knows nothing of mailboxes, handles or exit reasons: that is its
 * {@link Owner}'s.
 */
import { type AnyActorLogic, createActor } from 'xstate';
import type { ActorContext } from '../kernel/logic.ts';
import { type Delayed, DelayedEvents } from './delayed.ts';
import { Delivery, type Reader } from './delivery.ts';
import { guarded, type Reporter } from './guarded.ts';
import {
  actorsFrom,
  adopt,
  checkSeams,
  countMicrostep,
  Effect,
  Facade,
  forgetDead,
  hasStarted,
  hasStopped,
  type InnerActor,
  type InspectionEvent,
  keepEarly,
  type Letter,
  leaveParent,
  livesIn,
  type Order,
  type Resident,
  residentOf,
  START,
  STOP,
  scheduledBy,
  startNow,
  stopNow,
  takeEarly,
} from './inner-actor.ts';
import { Inspectors } from './inspectors.ts';
import { forgetIfFailing, stopOnceDone } from './many-children.ts';
import { ANSWER, type Answering, type Owner } from './owner.ts';
import type { Subscription } from './stage.ts';
import { SystemIds } from './system-ids.ts';
import { addresseeOf, hasSend } from './target.ts';
import { typeOf } from './vocabulary.ts';

/** Letters heard inside a logic before other actors have their turn. Owner: engine; a letter costs about 5 µs. */
export const LETTERS_PER_RUN = 32;

const ERROR_PREFIX = 'xstate.error.actor.';
const DONE_PREFIX = 'xstate.done.actor.';
const NO_TIMERS = Object.freeze({ _scheduledEvents: Object.freeze({}) });

export class Engine implements Reader<Letter>, Reporter, Answering {
  readonly _snapshot = NO_TIMERS;
  readonly _logger: (...args: unknown[]) => void;
  readonly #context: ActorContext;
  readonly #owner: Owner;
  readonly #facade: Facade = new Facade(this);
  readonly #delivery = new Delivery<Letter>(this);
  #root: InnerActor | undefined = undefined;
  #names: SystemIds | undefined = undefined;
  #inspectors: Inspectors | undefined = undefined;
  #lastId = 0;
  #working = false;
  #closed = false;
  #outcome: 'active' | 'done' | 'error' = 'active';

  constructor(context: ActorContext, owner: Owner, logger: (...args: unknown[]) => void) {
    this.#context = context;
    this.#owner = owner;
    this._logger = logger;
  }

  // ── for the owner ─────────────────────────────────────────────────────────────────────────

  /** Makes the root and starts it. Throws what its initial state threw; then nothing is left. */
  open(logic: AnyActorLogic, input: unknown): void {
    const id = this.#context.place.spec.id;
    try {
      this.#work(() => {
        const root = createActor(logic, {
          id,
          input,
          parent: this.#facade,
        } as never) as unknown as InnerActor;
        checkSeams(root);
        startNow(root);
      });
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Gives the root an event, in a turn of the actor; what follows from it inside is heard too. */
  deliver(event: unknown): void {
    const letter: Letter = { source: undefined, target: this.#root, event };
    if (this.#closed) this.unheard(letter);
    else this.#work(letter);
  }

  /** The root's snapshot of now, or its last. */
  get snapshot(): unknown {
    return this.#root?._snapshot;
  }

  /** Tells a promise's root that nobody wants its result: its signal aborts, its settlement is still awaited. */
  abort(): void {
    const root = this.#root;
    if (root === undefined || this.#closed) return;
    const logic = root.logic as unknown as { transition: (...args: unknown[]) => unknown };
    this.#work(() => {
      try {
        logic.transition(root._snapshot, { type: 'xstate.stop' }, root._actorScope);
      } catch (error) {
        this.threw(error);
      }
    });
  }

  /** Ends everything inside, at once. Idempotent; does not throw. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const letter of this.#delivery.clear()) this.unheard(letter);
    if (this.#root !== undefined) this.#stop(this.#root);
  }

  /** Actors and delayed events inside, the root's included. */
  census(): { readonly actors: number; readonly timers: number } {
    const all = [...this.#actors];
    const timers = all.reduce((sum, actor) => sum + (residentOf(actor).delayed?.size ?? 0), 0);
    return { actors: all.length, timers };
  }

  get #actors(): Iterable<InnerActor> {
    return this.#root === undefined || this.#closed ? [] : actorsFrom(this.#root);
  }

  [ANSWER](value: () => unknown, to: string | undefined): void {
    this.#owner.answer(value, to);
  }

  /** User code threw where nobody can be told. */
  threw(error: unknown): void {
    this.#owner.threw(error);
  }

  // ── turns ─────────────────────────────────────────────────────────────────────────────────

  /** One turn's work: `first`, then all that it sent. Where that is long, it goes on before any other mail. */
  #work(first?: Letter | (() => void)): void {
    if (this.#closed) return;
    this.#working = true;
    let idle = false;
    try {
      if (typeof first === 'object') idle = this.#delivery.deliver(first, LETTERS_PER_RUN);
      else {
        first?.();
        idle = this.#delivery.run(LETTERS_PER_RUN);
      }
    } finally {
      this.#working = false;
    }
    if (this.#outcome === 'error') {
      this.close();
      this.#owner.failed(this.#root?._snapshot?.error);
    } else if (!idle) {
      this.#context.next(() => this.#work());
    } else if (this.#outcome === 'done') {
      this.close();
      this.#owner.done();
    } else this.#owner.rested();
  }

  /** Runs in a turn of the actor: now, if this is one. */
  #inTurn(run: () => void): void {
    if (this.#working) {
      run();
      return;
    }
    try {
      if (!this.#closed) this.#context.post(() => this.#work(run));
    } catch (error) {
      this.threw(error);
    }
  }

  /** Starts or stops an actor inside, after what was sent before has been heard, as XState does. */
  order(actor: InnerActor, event: Order): void {
    if (hasStopped(actor) || (event === START && (hasStarted(actor) || this.#closed))) return;
    if (event === STOP && (!hasStarted(actor) || this.#closed)) this.#stop(actor);
    else if (!this.#working) this._relay(undefined, actor, event);
    else if (this.#delivery.caughtUp && residentOf(actor).frame === undefined) this.#perform(actor, event);
    else this.#delivery.add({ source: undefined, target: actor, event });
  }

  /** Has an effect after what was sent before it has been heard: of two timers for one instant, XState's first is first. */
  #inOrder(effect: () => void): void {
    if (!this.#working || this.#delivery.caughtUp) effect();
    else this.#delivery.add({ source: undefined, target: undefined, event: new Effect(effect) });
  }

  /** A rejection of an async action ends the logic; the promise is ours to handle. */
  watch(outcome: PromiseLike<unknown>): void {
    outcome.then(undefined, (error: unknown) => {
      if (this.#closed) this.threw(error);
      else
        this.#context.post(() => {
          throw error;
        });
    });
  }

  // ── reading letters ───────────────────────────────────────────────────────────────────────

  receiverOf(letter: Letter): Resident | undefined {
    return livesIn(this, letter.target) ? residentOf(letter.target) : undefined;
  }

  supersedes(letter: Letter): boolean {
    return letter.event === STOP;
  }

  read(letter: Letter): void {
    const { source, target, event } = letter;
    if (event instanceof Effect) event.run();
    else if (target === this.#facade) this.#readAsParent(source, event);
    else if (!livesIn(this, target)) guarded(this, () => this.#sendOut(letter));
    else if (event === START || event === STOP) this.#perform(target, event);
    else if (hasStopped(target)) this.unheard(letter);
    else if (!hasStarted(target)) keepEarly(target, letter);
    else {
      const isError = typeOf(event)?.startsWith(ERROR_PREFIX) === true;
      if (isError) forgetIfFailing(target, event);
      target._send(event);
      if (isError) forgetDead(target, source);
    }
  }

  /** Accounts for a letter that nobody will read. */
  unheard(letter: Letter): void {
    const type = typeOf(letter.event);
    if (type?.startsWith(ERROR_PREFIX) === true && letter.source !== this.#root)
      this.threw((letter.event as { error?: unknown }).error);
    if (type === undefined || type.startsWith('xstate.')) return;
    const { path, system } = this.#context;
    const id = (letter.target as { id?: unknown } | undefined)?.id;
    system.deadLetter(letter.target === this.#root ? path : `${path}#${String(id)}`, letter.event, path);
  }

  #sendOut(letter: Letter): void {
    const { target, event } = letter;
    const addressee = addresseeOf(target);
    if (addressee !== undefined) this.#context.tell(addressee, event);
    // An XState actor of another system, perhaps of another logic: it queues or runs by its own rules.
    else if (hasSend(target)) target.send(event);
    else this.unheard(letter);
  }

  #readAsParent(source: unknown, event: unknown): void {
    const type = typeOf(event);
    const status = source === this.#root ? this.#root?._snapshot?.status : undefined;
    if (status === 'error' && type?.startsWith(ERROR_PREFIX) === true) {
      this.#outcome = 'error';
      for (const letter of this.#delivery.clear()) this.unheard(letter);
    } else if (status === 'done' && type?.startsWith(DONE_PREFIX) === true) this.#outcome = 'done';
    else this.#owner.sentToParent(event);
  }

  // ── lives ─────────────────────────────────────────────────────────────────────────────────

  #perform(actor: InnerActor, event: Order): void {
    if (event === STOP) this.#stop(actor);
    else if (!this.#closed) {
      startNow(actor);
      for (const letter of takeEarly(actor)) this.#delivery.add(letter);
    }
  }

  /** Stops an actor and all below it, by the index and not by its snapshot: XState's own way costs n² and leaves orphans. */
  #stop(actor: InnerActor): void {
    this.#stopChildren(residentOf(actor));
    if (!hasStopped(actor)) stopNow(actor);
    for (const letter of takeEarly(actor)) this.unheard(letter);
    this._unregister(actor);
  }

  #stopChildren(resident: Resident): void {
    const { children } = resident;
    resident.children = undefined;
    if (children !== undefined) for (const child of children) this.#stop(child);
  }

  #adopt(actor: InnerActor): void {
    adopt(actor);
    if ((actor._parent as unknown) !== this.#facade) return;
    this.#root = actor;
    const { emit } = actor._actorScope;
    actor._actorScope.emit = (event) =>
      this.#inTurn(() =>
        this.#inOrder(() => {
          emit(event);
          this.#owner.emitted(event);
        }),
      );
  }

  // ── what XState calls its system ──────────────────────────────────────────────────────────

  get scheduler(): this {
    return this;
  }

  get _clock() {
    return {
      setTimeout: (run: () => void, ms: number) =>
        this.#context.postAfter(ms, 'xstate', () => this.#work(run)),
      clearTimeout: (timer: { cancel(): void } | undefined) => timer?.cancel(),
    };
  }

  _bookId(): string {
    this.#lastId += 1;
    return `x:${this.#context.self.incarnation}.${this.#lastId}`;
  }

  _register(sessionId: string): string {
    return sessionId;
  }

  /** Called before an actor is stopped, to free its name, and again when it has ended. */
  _unregister(actor: InnerActor): void {
    if (!hasStopped(actor)) {
      this.#names?.free(actor);
      return;
    }
    const resident = residentOf(actor);
    if (resident.systemId !== undefined) this.#inOrder(() => this.#names?.free(actor));
    leaveParent(actor);
    if (resident.children === undefined) return;
    // What a crash leaves behind goes at once; a final state has ordered its children to stop in their order.
    if (actor._snapshot?.status === 'error' || this.#closed) this.#stopChildren(resident);
    else this.#delivery.add({ source: undefined, target: actor, event: STOP });
  }

  /** @throws ERR_NAME_TAKEN; XState, too, throws here */
  _set(name: string, actor: InnerActor): void {
    this.#names ??= new SystemIds(this.#context.path);
    this.#names.give(name, actor);
  }

  get(name: string): unknown {
    return this.#names?.find(name);
  }

  getAll(): Readonly<Record<string, unknown>> {
    return this.#names?.all() ?? {};
  }

  /** Never throws: an actor inside may send at any time, and after its end too. */
  _relay(source: unknown, target: unknown, event: unknown): void {
    const letter: Letter = { source, target, event };
    if (event !== STOP) this.#inspectors?.tellRelayed(letter, this.#root);
    if (this.#closed) this.unheard(letter);
    else if (this.#working) this.#delivery.add(letter);
    else this.#inTurn(() => this.#delivery.add(letter));
  }

  schedule(source: InnerActor, target: unknown, event: unknown, delayMs: number, id?: string): void {
    if (id === undefined) this.#lastId += 1;
    const own = id ?? `d${this.#lastId}`;
    this.#inOrder(() => {
      if (this.#closed || hasStopped(source)) return;
      const resident = residentOf(source);
      resident.delayed ??= new DelayedEvents(this.#context, (due: Delayed) =>
        this.#work({ source, target: due.target, event: due.event }),
      );
      resident.delayed.set(own, target, event, delayMs);
    });
  }

  cancel(source: InnerActor, id: string): void {
    this.#inOrder(() => residentOf(source).delayed?.cancel(id));
  }

  cancelAll(source: InnerActor): void {
    residentOf(source).delayed?.cancelAll();
  }

  inspect(observer: unknown): Subscription {
    this.#inspectors ??= new Inspectors(this);
    return this.#inspectors.add(observer);
  }

  _sendInspectionEvent(event: InspectionEvent): void {
    const { actorRef: actor, type } = event;
    if (type === '@xstate.microstep') this.#microstepped(actor, event);
    else if (type === '@xstate.snapshot') {
      residentOf(actor).microsteps = 0;
      const status = actor._snapshot?.status;
      if (actor === this.#root && (status === 'active' || status === 'done'))
        this.#owner.advanced(actor._snapshot);
    } else if (type === '@xstate.actor') this.#adopt(actor);
    this.#inspectors?.tell(event, this.#root);
  }

  getSnapshot(): object {
    return { _scheduledEvents: scheduledBy(this.#actors) };
  }

  start(): void {}

  /** Counts the steps of a macrostep, and throws into XState's transition when they do not end. */
  #microstepped(actor: InnerActor, event: InspectionEvent): void {
    const taken = event._transitions ?? [];
    if (actor === this.#root) this.#owner.selected(event.event, taken);
    if (taken[0]?.eventType === '*' && event.event?.type.startsWith(ERROR_PREFIX) === true)
      this.threw(event.event.error);
    countMicrostep(actor, event.event?.type);
    stopOnceDone(this, actor, event.snapshot);
  }
}
