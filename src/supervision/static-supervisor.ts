/**
 * The static supervisor's behaviour: OTP's strategies over an ordered list of children.
 *
 * Invariants: children start in order, each only after the one before it has started; they stop in reverse, each fully
 * gone (its subtree too) before the next is told. One start, stop or restart step at a time; reads are always answered;
 * shutdown overtakes everything and aborts a pending init.
 */
import { check, fits } from '../base/options.ts';
import type { Cell } from '../kernel/cell.ts';
import type { ActorContextOfCell } from '../kernel/context.ts';
import { type ActorTimer, type Behaviour, DEFERRED, type Inspection, type Request } from '../kernel/logic.ts';
import type { ExitReason } from '../kernel/reason.ts';
import { noHandler } from '../kernel/relations.ts';
import { isSpec, type Spec } from '../kernel/spec.ts';
import { backoffOf, Child, type Fate } from './child.ts';
import { checkChild } from './child-rules.ts';
import { startOne, stopAll, stopInReverse, stopOne } from './child-steps.ts';
import { checkPlaced } from './dependencies.ts';
import type { Unit } from './hold.ts';
import { countChildren, inspectionOf, listing, type Rules, Supervision } from './supervision.ts';
import type { SupervisorMessage } from './supervisor-handle.ts';
import { Group, type Siblings } from './waiting-group.ts';
import { type Procedure, Work } from './work.ts';

/** OTP's strategies: restart the failed child; all; the failed one and those started after it. */
export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one';

export class StaticSupervisor implements Behaviour, Siblings {
  readonly supervision: Supervision;
  readonly #strategy: Strategy;
  readonly #work = new Work();
  #children: Child[] = [];
  readonly #group = new Group(this);
  #closing = false;

  constructor(context: ActorContextOfCell, strategy: Strategy, rules: Rules) {
    this.#strategy = strategy;
    this.supervision = new Supervision(context, rules, (child, cell, fate) => this.#heard(child, cell, fate));
  }

  get children(): readonly Child[] {
    return this.#children;
  }

  /**
   * Starts the children in order, or stops those already started and rejects with what OTP's would. It never resolves: a
   * start that succeeds is completed at once, so that a stop in the same turn finds a supervisor to stop in order.
   */
  start(specs: readonly Spec<unknown>[]): Promise<Behaviour> {
    this.#children = specs.map((spec) => this.#childOf(spec));
    const { cell } = this.supervision.context;
    cell.conducted = true;
    return new Promise((_resolve, reject) => {
      const fail = (error: unknown) => {
        cell.abortInit = undefined;
        reject(error);
      };
      cell.abortInit = () => this.#close(() => fail(this.supervision.refusal('ERR_STOPPING', '')));
      this.#work.enqueue(() => this.#startInOrder(fail));
    });
  }

  *#startInOrder(fail: (error: unknown) => void): Procedure {
    for (const child of this.#children) {
      if (this.#isHeldAtBoot(child)) {
        if (this.#strategy === 'one_for_one') continue;
        break;
      }
      if (yield* startOne(this.supervision, child, 'boot')) continue;
      const { context } = this.supervision;
      const reason = child.lastReason;
      yield* stopInReverse(this.supervision, this.#children);
      context.cell.stopReason ??= { shutdown: { failedToStart: child.id, reason } };
      fail(this.supervision.startFailure(child));
      return;
    }
    this.#children = this.#children.filter(
      ({ cell, spec, standing }) => cell !== undefined || standing.due || spec.restart !== 'temporary',
    );
    const { cell } = this.supervision.context;
    cell.abortInit = undefined;
    cell.completeInit(this);
  }

  /**
   * A start with an open breaker does not keep a boot waiting: the child is held and the next started; with a strategy by which
   * others restart together with it, they wait with it.
   */
  #isHeldAtBoot(child: Child): boolean {
    if (this.#strategy === 'one_for_one')
      return this.isHeld({ starting: [child] }, () => this.#startLate(child));
    const rest = this.#children.slice(this.#children.indexOf(child));
    const starting = this.#strategy === 'one_for_all' ? rest : [child];
    return this.#group.holds({ starting, along: rest }, { culprit: child, members: new Set(rest) });
  }

  /** Of one that was held when it was first to be started: a start like any other, but not a restart. */
  *#startLate(child: Child): Procedure {
    if (!child.standing.due || child.cell !== undefined) return;
    if (this.isHeld({ starting: [child] }, () => this.#startLate(child))) return;
    if (!(yield* startOne(this.supervision, child, 'restart'))) this.retry(child);
  }

  /** Those who restart together with this one. */
  groupOf(culprit: Child): readonly Child[] {
    const from = this.#strategy === 'one_for_all' ? 0 : this.#children.indexOf(culprit);
    return this.#children.slice(from);
  }

  #childOf(spec: Spec<unknown>): Child {
    const { context, rules, system } = this.supervision;
    const path = `${context.path}/${spec.id}`;
    checkPlaced(`supervisor ${context.path}`, spec, { system, path });
    const place = system.adopt(spec, path);
    place.markRestarting(context.now());
    return new Child(spec, place, backoffOf(spec, rules.backoff));
  }

  // ── what it hears ─────────────────────────────────────────────────────────────────────────

  #heard(child: Child, cell: Cell, fate: Fate): void {
    if (child.cell !== cell) return;
    if (this.#work.resume(child, fate)) return;
    // Of a start that was abandoned (we are closing): what did not come about has nothing to stop.
    if (fate.kind === 'failed' || fate.kind === 'ignored') child.cell = undefined;
    if (fate.kind !== 'ended') return;
    child.exit = fate.reason;
    this.#work.enqueue(() => this.#exited(child));
  }

  tell(message: unknown): void {
    this.supervision.system.deadLetter(this.supervision.context.path, message);
  }

  call(message: unknown, request: Request): unknown {
    const asked = message as SupervisorMessage;
    switch (asked?.type) {
      case 'which_children':
        return [...this.#children].reverse().map(listing);
      case 'count_children':
        return countChildren(this.#children);
      case 'which_child': {
        const child = this.#found(asked.id, request);
        return child === undefined ? DEFERRED : listing(child);
      }
      case 'get_child_spec':
        return this.#found(asked.id, request)?.spec ?? DEFERRED;
      case 'start_child':
        return this.#order(request, () => this.#startChild(asked.spec, request));
      case 'terminate_child':
        return this.#order(request, () => this.#terminateChild(asked.id, request));
      case 'restart_child':
        return this.#order(request, () => this.#restartChild(asked.id, request));
      case 'delete_child':
        return this.#order(request, () => this.#deleteChild(asked.id, request));
      case 'recycle_child':
        return this.#recycle(asked.id, request);
      default:
        request.refuse(
          noHandler(this.supervision.context.path, message, ['the operations of SupervisorHandle']),
        );
        return DEFERRED;
    }
  }

  inspect(): Inspection {
    return inspectionOf(this.supervision, this.#strategy, this.#children);
  }

  shutdown(): Promise<void> {
    return new Promise((resolve) => this.#close(resolve));
  }

  reap(): void {
    for (const child of this.#children) this.supervision.release(child);
  }

  /** Drops all other work and stops the children in reverse. */
  #close(closed: () => void): void {
    this.#closing = true;
    this.supervision.context.cell.abortInit = undefined;
    this.#work.abandon(() => this.supervision.refusal('ERR_STOPPING', ''));
    this.#group.cancel();
    this.#work.enqueue(() => stopAll(this.supervision, this.#children, closed));
  }

  #order(request: Request, begin: () => Procedure | undefined): typeof DEFERRED {
    this.supervision.context.later();
    if (this.#closing) request.refuse(this.supervision.refusal('ERR_STOPPING', ''));
    else this.#work.enqueue(begin, request);
    return DEFERRED;
  }

  #find(id: string): Child | undefined {
    return this.#children.find((child) => child.id === id);
  }

  /** The child of this id, or a refusal of the request. */
  #found(id: string, request: Request): Child | undefined {
    const child = this.#find(id);
    if (child === undefined) request.refuse(this.supervision.refusal('ERR_CHILD_NOT_FOUND', id));
    return child;
  }

  // ── steps ─────────────────────────────────────────────────────────────────────────────────

  /** Behind a straggler that forbids the next incarnation of a child, and behind what else has been asked. */
  isHeldBack(child: Child, then: () => Procedure | undefined): boolean {
    return this.supervision.isHeldBack(child, () => {
      if (!this.#closing) this.#work.enqueue(then);
    });
  }

  /** Behind a breaker that one of them depends on. */
  isHeld(unit: Unit, then: () => Procedure | undefined, request?: Request): boolean {
    return this.supervision.isHeld(unit, () => {
      if (this.#closing) request?.refuse(this.supervision.refusal('ERR_STOPPING', ''));
      else this.#work.enqueue(then, request);
    });
  }

  // ── ends and restarts ─────────────────────────────────────────────────────────────────────

  *#exited(child: Child): Procedure {
    const reason = child.exit;
    if (reason === undefined) return;
    child.exit = undefined;
    child.cell = undefined;
    const again = child.wantsRestart(reason);
    child.send({ type: 'exited', again });
    this.supervision.reportEnd(child, reason);
    if (again) {
      yield* this.#failed(child, reason);
      return;
    }
    child.place.markGone();
    if (child.spec.restart === 'temporary') this.forget(child);
    if (!this.supervision.isFinal(child, this.#children)) return;
    this.supervision.report('supervisor.auto_shutdown', child, { reason });
    yield* this.#endWith('shutdown');
  }

  /** A crash or a failed start, counted once, here, when it was detected. */
  *#failed(child: Child, reason: ExitReason): Procedure {
    if (!child.standing.due || this.#find(child.id) !== child) return;
    const delayMs = this.supervision.countFailure(child, reason);
    if (delayMs === 'give_up') yield* this.#giveUp(child);
    else if (delayMs === 'park') this.supervision.park(child);
    else if (this.#strategy !== 'one_for_one') yield* this.#group.restart(child, delayMs);
    else if (delayMs > 0) this.backOff(child, delayMs, () => this.#restart(child));
    else yield* this.#restart(child);
  }

  *#restart(child: Child): Procedure {
    if (!child.standing.due || child.cell !== undefined) return;
    if (this.isHeldBack(child, () => this.#restart(child))) return;
    if (this.isHeld({ starting: [child] }, () => this.#restart(child))) return;
    if (yield* startOne(this.supervision, child, 'restart')) this.supervision.restarted(child);
    else this.retry(child);
  }

  /** Behind what else has been asked, so that a child that fails to start in a loop leaves its supervisor responsive. */
  retry(child: Child): void {
    this.#work.enqueue(() => this.#failed(child, child.lastReason));
  }

  backOff(child: Child, delayMs: number, then: () => Procedure): ActorTimer {
    const { context } = this.supervision;
    child.place.markRestarting(context.now() + delayMs);
    child.send({ type: 'back_off' });
    this.supervision.report('supervisor.child.backing_off', child, { delayMs, failures: child.failures });
    child.timer = context.postAfter(delayMs, `backoff ${child.id}`, () => {
      child.send({ type: 'backoff_elapsed' });
      this.#work.enqueue(then);
    });
    return child.timer;
  }

  *#giveUp(child: Child): Procedure {
    const reason = this.supervision.giveUp(child);
    child.send({ type: 'terminate' });
    yield* this.#endWith(reason);
  }

  *#endWith(reason: ExitReason): Procedure {
    this.#closing = true;
    this.#group.cancel();
    this.#work.dropWaiting(() => this.supervision.refusal('ERR_STOPPING', ''));
    yield* stopInReverse(this.supervision, this.#children);
    this.supervision.context.stop(reason);
  }

  forget(child: Child): void {
    child.send({ type: 'forget' });
    this.#children = this.#children.filter((other) => other !== child);
    this.supervision.system.release(child.place);
  }

  // ── operations ────────────────────────────────────────────────────────────────────────────

  *#startChild(spec: Spec<unknown>, request: Request): Procedure {
    let child: Child;
    try {
      const { context, rules } = this.supervision;
      const where = `startChild of ${context.path}`;
      check(where, 'spec', fits<Spec<unknown>>('a spec', isSpec), spec);
      const known = this.#find(spec.id);
      if (known !== undefined) throw this.supervision.refusal(known.standing.onStart, spec.id);
      checkChild(where, spec, rules, this.#strategy !== 'one_for_one');
      child = this.#childOf(spec);
    } catch (error) {
      request.refuse(error);
      return;
    }
    child.added = true;
    this.#children.push(child);
    yield* this.#startAsked(child, request, true);
  }

  /** Starts a child for whom somebody waits; one that is new stays only if it starts. */
  *#startAsked(child: Child, request: Request, isNew: boolean): Procedure {
    if (child.cell !== undefined) {
      // It has been started with others meanwhile.
      request.reply(child.place.handle);
      return;
    }
    const unlessTerminated = () => {
      if (child.standing.due || child.cell !== undefined) return this.#startAsked(child, request, isNew);
      child.lastReason = 'shutdown';
      request.refuse(this.supervision.startFailure(child));
      return undefined;
    };
    if (this.isHeld({ starting: [child] }, unlessTerminated, request)) return;
    const started = yield* startOne(this.supervision, child, 'request');
    const isLost = !started || (child.cell === undefined && child.spec.restart === 'temporary');
    if (isNew && isLost) this.forget(child);
    if (started) request.reply(child.place.handle);
    else request.refuse(this.supervision.startFailure(child));
  }

  *#terminateChild(id: string, request: Request): Procedure {
    const child = this.#found(id, request);
    if (child === undefined) return;
    yield* stopOne(this.supervision, child);
    if (child.spec.restart === 'temporary') this.forget(child);
    request.reply(undefined);
    yield* this.#group.without(child);
  }

  *#restartChild(id: string, request: Request): Procedure {
    const child = this.#found(id, request);
    if (child === undefined) return;
    const { onRestart } = child.standing;
    if (onRestart !== null) {
      request.refuse(this.supervision.refusal(onRestart, id));
      return;
    }
    if (this.isHeldBack(child, () => this.#restartChild(id, request))) return;
    yield* this.#startAsked(child, request, false);
  }

  #deleteChild(id: string, request: Request): undefined {
    const child = this.#found(id, request);
    if (child === undefined) return;
    const { onDelete } = child.standing;
    if (onDelete !== null) request.refuse(this.supervision.refusal(onDelete, id));
    else {
      this.forget(child);
      request.reply(undefined);
    }
  }

  /** Someone else's wish for a restart: ours to grant, unless we are at it already. */
  #recycle(id: string, request: Request): unknown {
    const child = this.#found(id, request);
    if (child === undefined) return DEFERRED;
    if (child.standing.due || this.#closing) return 'already';
    return this.#order(request, () => this.#recycleChild(child, request));
  }

  *#recycleChild(child: Child, request: Request): Procedure {
    if (child.standing.due || this.#find(child.id) !== child) {
      request.reply('already');
      return;
    }
    if (child.cell !== undefined) yield* stopOne(this.supervision, child, true);
    yield* this.#renew(child, request);
  }

  *#renew(child: Child, request: Request): Procedure {
    const unlessTerminated = () => {
      if (child.standing.due) return this.#renew(child, request);
      request.reply(child.cell === undefined ? 'failed' : 'restarted');
      return undefined;
    };
    if (this.isHeldBack(child, unlessTerminated)) return;
    if (this.isHeld({ starting: [child] }, unlessTerminated, request)) return;
    child.place.markRestarting(this.supervision.context.now());
    if (yield* startOne(this.supervision, child, 'restart')) {
      this.supervision.restarted(child);
      request.reply('restarted');
    } else {
      request.reply('failed');
      this.retry(child);
    }
  }
}
