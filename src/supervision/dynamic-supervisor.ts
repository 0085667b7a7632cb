/**
 * The dynamic supervisor: children that come and go at run time, each under a key, one_for_one, in no order.
 *
 * Invariants: a key is taken from the start of its child until it is forgotten. Children are independent, so that a slow
 * init or stop of one delays no other; they stop in parallel. Restarting children count against `maxChildren`.
 */
import { createError } from '../base/errors.ts';
import { fits, identifier, integer, refuse, resolveOptions } from '../base/options.ts';
import type { Cell } from '../kernel/cell.ts';
import type { ActorContextOfCell } from '../kernel/context.ts';
import {
  type ActorContext,
  type Behaviour,
  DEFERRED,
  type Inspection,
  type Logic,
  type Request,
} from '../kernel/logic.ts';
import type { ExitReason } from '../kernel/reason.ts';
import { noHandler } from '../kernel/relations.ts';
import { createSpec, SPEC_FIELDS, type Spec } from '../kernel/spec.ts';
import { backoffOf, Child, type Fate } from './child.ts';
import { checkChild } from './child-rules.ts';
import { checkPlaced } from './dependencies.ts';
import {
  type DynamicMessage,
  type DynamicOperations,
  type DynamicSupervisorHandle,
  HandleOfDynamicSupervisor,
  type TemplateSupervisorHandle,
} from './dynamic-supervisor-handle.ts';
import { LIMIT_FIELDS } from './restart-limit.ts';
import {
  absence,
  type ChildCounts,
  countChildren,
  listing,
  type Rules,
  restartLimitOf,
  Supervision,
} from './supervision.ts';
import { rulesOf, SUPERVISOR_SPEC_FIELDS, type SupervisorOptions, specOptionsOf } from './supervisor.ts';
import { checkTemplate, instantiate, TEMPLATE, type Template } from './template.ts';

export type { DynamicOperations, DynamicSupervisorHandle, TemplateSupervisorHandle };

/** Options of {@link dynamicSupervisor}: a static one's, without children and strategy. */
export interface DynamicSupervisorOptions extends Omit<SupervisorOptions, 'children' | 'strategy'> {
  /** Children it may have, those that restart included. Default `Infinity`. */
  readonly maxChildren?: number;
}

/** Options of a {@link dynamicSupervisor} whose children are all alike (OTP's simple_one_for_one). */
export interface TemplateSupervisorOptions<H> extends DynamicSupervisorOptions {
  /** What every child is made of: a spec, or a function of key and input that makes one. The key becomes the id. */
  readonly template: Template<H>;
}

class DynamicSupervisor implements Behaviour {
  readonly #supervision: Supervision;
  readonly #maxChildren: number;
  readonly #template: Template<unknown> | undefined;
  readonly #children = new Map<string, Child>();
  /** What a child's next fate is for: a start asked for, a stop asked for. */
  readonly #starting = new Map<Child, Request>();
  readonly #stopping = new Map<Child, (() => void)[]>();
  #closing = false;

  constructor(
    context: ActorContextOfCell,
    rules: Rules,
    kind: { readonly maxChildren: number; readonly template: Template<unknown> | undefined },
  ) {
    this.#supervision = new Supervision(context, rules, (child, cell, fate) =>
      this.#heard(child, cell, fate),
    );
    this.#maxChildren = kind.maxChildren;
    this.#template = kind.template;
  }

  tell(message: unknown): void {
    this.#supervision.system.deadLetter(this.#supervision.context.path, message);
  }

  call(message: unknown, request: Request): unknown {
    const asked = message as DynamicMessage;
    switch (asked?.type) {
      case 'which_children':
        return [...this.#children.values()].reverse().map(listing);
      case 'count_children':
        return this.#count();
      case 'which_child':
        return this.#known(asked.id, request, listing);
      case 'get_child_spec':
        return this.#known(asked.id, request, (child) => child.spec);
      case 'start_child':
        return this.#order(request, () => this.#startChild(this.#given(asked.spec), request));
      case 'start_from_template':
        return this.#order(request, () => this.#startChild(this.#made(asked.key, asked.input), request));
      case 'terminate_child':
        this.#supervision.context.later();
        this.#terminateChild(asked.id, request);
        return DEFERRED;
      default:
        request.refuse(
          noHandler(this.#supervision.context.path, message, ['the operations of DynamicSupervisorHandle']),
        );
        return DEFERRED;
    }
  }

  /** Does what was asked, or refuses with what it throws. */
  #order(request: Request, act: () => void): typeof DEFERRED {
    this.#supervision.context.later();
    try {
      act();
    } catch (error) {
      request.refuse(error);
    }
    return DEFERRED;
  }

  #known<R>(id: string, request: Request, read: (child: Child) => R): R | typeof DEFERRED {
    const child = this.#children.get(id);
    if (child !== undefined) return read(child);
    request.refuse(this.#supervision.refusal('ERR_CHILD_NOT_FOUND', id));
    return DEFERRED;
  }

  #count(): ChildCounts {
    const counts = countChildren(this.#children.values());
    return this.#template === undefined ? counts : { ...counts, specs: 1 };
  }

  /** @throws ERR_OPTION_INVALID */
  #given(spec: Spec<unknown>): Spec<unknown> {
    const where = `startChild of ${this.#supervision.context.path}`;
    if (this.#template !== undefined)
      return refuse(where, 'key', 'a key for a child of the template', spec.id);
    return spec;
  }

  /** @throws ERR_OPTION_INVALID */
  #made(key: string, input: unknown): Spec<unknown> {
    const where = `startChild of ${this.#supervision.context.path}`;
    if (this.#template === undefined) return refuse(where, 'spec', 'a spec, since there is no template', key);
    return instantiate(where, this.#template, { key, input });
  }

  inspect(): Inspection {
    const absent = [...this.#children.values()].filter(
      (child) => child.cell === undefined || child.cell.fenced,
    );
    return {
      facts: { children: this.#children.size },
      restartLimit: restartLimitOf(this.#supervision),
      absent: absent.map(absence),
    };
  }

  reap(): void {
    for (const child of this.#children.values()) this.#supervision.release(child);
  }

  /** All children are told at once, each within its own allowance. */
  shutdown(): Promise<void> {
    return new Promise((resolve) => this.#close(resolve));
  }

  #close(closed: () => void): void {
    this.#closing = true;
    for (const request of this.#starting.values())
      request.refuse(this.#supervision.refusal('ERR_STOPPING', ''));
    this.#starting.clear();
    let left = this.#children.size;
    const oneLess = () => {
      left -= 1;
      if (left <= 0) closed();
    };
    if (left === 0) closed();
    for (const child of [...this.#children.values()]) this.#stop(child, oneLess);
  }

  #startChild(spec: Spec<unknown>, request: Request): void {
    const { context, rules, system } = this.#supervision;
    const known = this.#children.get(spec.id);
    if (this.#closing || known !== undefined) {
      request.refuse(
        this.#supervision.refusal(known === undefined ? 'ERR_STOPPING' : known.standing.onStart, spec.id),
      );
      return;
    }
    if (this.#children.size >= this.#maxChildren) {
      request.refuse(
        createError(
          'ERR_MAX_CHILDREN',
          { supervisor: context.path, limit: this.#maxChildren },
          { stack: false },
        ),
      );
      return;
    }
    const path = `${context.path}/${spec.id}`;
    checkChild(`startChild of ${context.path}`, spec, rules);
    checkPlaced(`startChild of ${context.path}`, spec, { system, path });
    const place = system.adopt(spec, path);
    const child = new Child(spec, place, backoffOf(spec, rules.backoff));
    child.added = true;
    this.#children.set(spec.id, child);
    this.#starting.set(child, request);
    this.#launch(child);
  }

  /** Unless a breaker that it depends on keeps it; then once that does not, if it is still to be started. */
  #launch(child: Child): void {
    if (this.#supervision.isHeld({ starting: [child] }, () => this.#restart(child))) return;
    this.#supervision.launch(child);
  }

  #terminateChild(id: string, request: Request): void {
    const child = this.#children.get(id);
    if (child === undefined) request.refuse(this.#supervision.refusal('ERR_CHILD_NOT_FOUND', id));
    else this.#stop(child, () => request.reply(undefined));
  }

  #stop(child: Child, stopped: () => void): void {
    const waiting = this.#stopping.get(child);
    if (waiting !== undefined) {
      waiting.push(stopped);
    } else if (child.cell === undefined) {
      child.send({ type: 'terminate' });
      this.#forget(child);
      this.#refuseStart(child, 'shutdown');
      stopped();
    } else {
      this.#stopping.set(child, [stopped]);
      this.#supervision.tellToStop(child);
    }
  }

  #heard(child: Child, cell: Cell, fate: Fate): void {
    if (child.cell !== cell) return;
    const stopping = this.#stopping.get(child);
    if (stopping !== undefined) {
      // An init that came through before the stop reached it is followed by its end.
      if (fate.kind === 'started') return;
      this.#stopping.delete(child);
      const reason = 'reason' in fate ? fate.reason : 'normal';
      this.#supervision.stopped(child, reason, false);
      this.#forget(child);
      this.#refuseStart(child, reason);
      for (const stopped of stopping) stopped();
    } else if (fate.kind === 'ended') this.#exited(child, fate.reason);
    else this.#startSettled(child, fate);
  }

  /** Whoever started a child that was terminated before it had started hears of it. */
  #refuseStart(child: Child, reason: ExitReason): void {
    const request = this.#starting.get(child);
    if (request === undefined) return;
    this.#starting.delete(child);
    child.lastReason = reason;
    request.refuse(this.#supervision.startFailure(child));
  }

  #startSettled(child: Child, fate: Fate): void {
    const request = this.#starting.get(child);
    this.#starting.delete(child);
    const again = request === undefined;
    const started = this.#supervision.started(child, fate, again ? 'restart' : 'request');
    if (!started && again) this.#failed(child, child.lastReason);
    else if (!started || fate.kind === 'ignored') {
      this.#forget(child);
      if (started) request?.reply(undefined);
      else request?.refuse(this.#supervision.startFailure(child));
    } else if (request !== undefined) request.reply(child.place.handle);
    else this.#supervision.restarted(child);
  }

  #exited(child: Child, reason: ExitReason): void {
    child.cell = undefined;
    const again = child.wantsRestart(reason);
    child.send({ type: 'exited', again });
    this.#supervision.reportEnd(child, reason);
    if (again) {
      this.#failed(child, reason);
      return;
    }
    this.#forget(child);
    if (this.#closing || !this.#supervision.isFinal(child, this.#children.values())) return;
    this.#supervision.report('supervisor.auto_shutdown', child, { reason });
    this.#close(() => this.#supervision.context.stop('shutdown'));
  }

  #failed(child: Child, reason: ExitReason): void {
    if (this.#closing) return;
    const delayMs = this.#supervision.countFailure(child, reason);
    if (delayMs === 'park') {
      this.#supervision.park(child);
      this.#forget(child);
    } else if (delayMs === 'give_up') {
      const final = this.#supervision.giveUp(child);
      this.#close(() => this.#supervision.context.stop(final));
    } else if (delayMs > 0) this.#backOff(child, delayMs);
    else this.#restart(child);
  }

  #backOff(child: Child, delayMs: number): void {
    const { context } = this.#supervision;
    child.place.markRestarting(context.now() + delayMs);
    child.send({ type: 'back_off' });
    this.#supervision.report('supervisor.child.backing_off', child, { delayMs, failures: child.failures });
    child.timer = context.postAfter(delayMs, `backoff ${child.id}`, () => {
      child.send({ type: 'backoff_elapsed' });
      this.#restart(child);
    });
  }

  #restart(child: Child): void {
    if (!child.standing.due || child.cell !== undefined) return;
    if (this.#supervision.isHeldBack(child, () => this.#restart(child))) return;
    this.#launch(child);
  }

  #forget(child: Child): void {
    child.send({ type: 'forget' });
    if (this.#children.get(child.id) === child) this.#children.delete(child.id);
    this.#supervision.system.release(child.place);
  }
}

const MAX_CHILDREN = fits<number>(
  'a whole number of at least 1, or Infinity',
  (value) => value === Number.POSITIVE_INFINITY || integer(1).accepts(value),
);

/** Both kinds: with a template, and of whatever specs come. */
interface MakeDynamicSupervisor {
  <H>(id: string, options: TemplateSupervisorOptions<H>): Spec<TemplateSupervisorHandle<H>>;
  (id: string, options?: DynamicSupervisorOptions): Spec<DynamicSupervisorHandle>;
}

/**
 * The spec of a dynamic supervisor (Elixir's DynamicSupervisor; with a `template` OTP's simple_one_for_one): starts without
 * children; they are added with `startChild`, restarted one for one, and stopped in parallel.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const dynamicSupervisor: MakeDynamicSupervisor = (
  id: string,
  options: DynamicSupervisorOptions = {},
): Spec<never> => {
  const where = `dynamicSupervisor ${String(id)}`;
  resolveOptions(where, { id }, { id: identifier }, {});
  const fields = {
    ...SUPERVISOR_SPEC_FIELDS,
    ...LIMIT_FIELDS,
    backoff: SPEC_FIELDS.backoff,
    maxChildren: MAX_CHILDREN,
    template: TEMPLATE,
  };
  const resolved = resolveOptions(where, options, fields, { maxChildren: Number.POSITIVE_INFINITY });
  const rules = rulesOf(where, resolved);
  const { maxChildren, template } = resolved;
  if (template !== undefined) checkTemplate(where, template);
  if (typeof template === 'object') checkChild(where, template, rules);
  const logic: Logic<DynamicOperations> = {
    kind: 'dynamic_supervisor',
    start: (context: ActorContext) =>
      new DynamicSupervisor(context as ActorContextOfCell, rules, { maxChildren, template }),
    handle: (place) => new HandleOfDynamicSupervisor(place),
  };
  return createSpec(id, logic as Logic<never>, specOptionsOf(resolved));
};
