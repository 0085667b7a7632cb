/**
 * A hold: children that start together (or one alone), and wait for breakers that they depend on.
 *
 * Invariants: it ends: when all those breakers allow it, with the last of its members, with its supervisor, or when one of
 * them has been held as long as it may be. It counts nothing. It starts
 * nobody: it tells its supervisor, in a turn of that, and the turn it has at each breaker lasts until its members have
 * started or failed to.
 */
import type { EventMap } from '../base/telemetry.ts';
import type { ActorContextOfCell } from '../kernel/context.ts';
import type { ActorTimer } from '../kernel/logic.ts';
import type { Spec } from '../kernel/spec.ts';
import { type BreakerGate, gatesOf, type Waiter } from './breaker-gate.ts';
import type { Child } from './child.ts';

type Held = EventMap['supervisor.child.held'];
type Released = EventMap['supervisor.child.released'];

/** For whom children are held. */
interface Holder {
  readonly context: ActorContextOfCell;
  report(type: 'supervisor.child.held', child: Child, data: Omit<Held, 'path' | 'child'>): void;
  report(type: 'supervisor.child.released', child: Child, data: Omit<Released, 'path' | 'child'>): void;
}

/** Who starts, and who waits along with them where they cannot. */
export interface Unit {
  readonly starting: readonly Child[];
  readonly along?: readonly Child[];
}

export class Hold implements Waiter {
  readonly #holder: Holder;
  readonly #members = new Set<Child>();
  readonly #letGo: () => void;
  #gates: readonly BreakerGate[] = [];
  /** Who is to be told; an order may be asked for more than once, and sees for itself whether it is still due. */
  #thens: (() => void)[] = [];
  #timer: ActorTimer | undefined = undefined;
  #waits = false;
  /** Why they may start, where they had to wait. */
  #why: Released['why'] = 'closed';

  constructor(holder: Holder) {
    this.#holder = holder;
    this.#letGo = holder.context.onEnd(() => this.#abandon());
  }

  /** No breaker whose opening makes an application unready keeps them. */
  get isExcused(): boolean {
    return this.#waits && !this.#keepers.some(({ critical }) => critical);
  }

  /** Whether they have to wait. `then` follows, in a turn, once they may start, or when none of them is to start any more. */
  keeps({ starting, along = [] }: Unit, then: () => void): boolean {
    this.#cover(starting);
    if (!this.#waits && this.#mayPass) {
      this.#pass();
      return false;
    }
    this.#thens.push(then);
    if (this.#waits) {
      this.#arm();
      this.consider();
    } else {
      this.#cover(along);
      this.#wait();
    }
    return true;
  }

  consider(): void {
    if (!this.#waits || !this.#mayPass) return;
    const { probing, ended } = this.#found();
    const closed = this.#gates.length === 0 ? 'cancelled' : 'closed';
    this.#release(probing ? 'half_opened' : ended ? 'breaker_ended' : closed);
  }

  /** A member has been started, or is not to be. */
  leave(child: Child): void {
    if (!this.#members.delete(child)) return;
    this.#reportRelease(child, 'cancelled');
    child.hold = undefined;
    child.heldSinceMs = undefined;
    this.#lost();
  }

  /** Something else keeps them meanwhile: others need not wait for that. */
  stepAside(): void {
    if (!this.#waits) for (const gate of this.#gates) gate.leave(this);
  }

  /** A member that has been waiting goes on with others, to whom it is to start now. */
  #handOver(child: Child): void {
    this.#members.delete(child);
    this.#lost();
  }

  #lost(): void {
    if (this.#members.size === 0) this.#end();
    else if (this.#waits) {
      this.#findGates();
      this.#arm();
      this.consider();
    }
  }

  get #mayPass(): boolean {
    return this.#why === 'expired' || this.#gates.every((gate) => gate.lets(this));
  }

  get #keepers(): readonly BreakerGate[] {
    return this.#gates.filter((gate) => !gate.lets(this));
  }

  #found(): { readonly probing: boolean; readonly ended: boolean } {
    return {
      probing: this.#gates.some(({ probes }) => probes),
      ended: this.#gates.some(({ hasEnded }) => hasEnded),
    };
  }

  #cover(children: readonly Child[]): void {
    for (const child of children) {
      const { hold } = child;
      if (hold !== undefined && hold !== this) hold.#handOver(child);
      child.hold = this;
      const isNew = !this.#members.has(child);
      this.#members.add(child);
      if (isNew && this.#waits) this.#hold(child);
    }
    this.#findGates();
  }

  #hold(child: Child): void {
    child.heldSinceMs ??= this.#holder.context.now();
    child.send({ type: 'hold' });
    if (child.isToldHeld) return;
    child.isToldHeld = true;
    const breakers = this.#keepers.map(({ path }) => path);
    this.#holder.report('supervisor.child.held', child, { breakers, maxMs: child.spec.holdMaxMs });
  }

  #findGates(): void {
    const breakers = new Set<Spec<unknown>>();
    for (const { spec } of this.#members) for (const breaker of spec.dependsOn) breakers.add(breaker);
    const before = this.#gates;
    this.#gates = gatesOf(this.#holder.context.system, breakers);
    for (const gate of before) if (!this.#gates.includes(gate)) gate.leave(this);
    if (this.#waits) for (const gate of this.#gates) gate.join(this);
  }

  #pass(): void {
    if (this.#why !== 'expired') for (const gate of this.#gates) gate.pass(this);
    for (const child of this.#members) this.#reportRelease(child, this.#why);
  }

  #wait(): void {
    this.#waits = true;
    for (const gate of this.#gates) gate.join(this);
    for (const child of this.#members) this.#hold(child);
    this.#arm();
  }

  /** When a member will probably start. */
  get #retryAtMs(): number {
    let retryAtMs = this.#holder.context.now();
    for (const { refuses, opensAtMs } of this.#gates)
      if (refuses) retryAtMs = Math.max(retryAtMs, opensAtMs ?? Number.POSITIVE_INFINITY);
    return Math.min(retryAtMs, this.#untilMs);
  }

  /** Until when at most: nobody is held for longer than it may be. */
  get #untilMs(): number {
    let untilMs = Number.POSITIVE_INFINITY;
    for (const { spec, heldSinceMs } of this.#members)
      if (spec.dependsOn.length > 0 && heldSinceMs !== undefined)
        untilMs = Math.min(untilMs, heldSinceMs + spec.holdMaxMs);
    return untilMs;
  }

  /** Tells callers when to come again, and sees to it that the hold ends. */
  #arm(): void {
    this.#timer?.cancel();
    const { context } = this.#holder;
    const [first] = this.#members;
    const retryAtMs = this.#retryAtMs;
    for (const child of this.#members) child.place.markRestarting(retryAtMs);
    const leftMs = Math.max(0, this.#untilMs - context.now());
    this.#timer = context.postAfter(leftMs, `hold ${first?.id}`, () => this.#release('expired'));
  }

  #release(why: Released['why']): void {
    this.#waits = false;
    this.#why = why;
    this.#disarm();
    if (why === 'expired') for (const gate of this.#gates) gate.leave(this);
    this.#pass();
    this.#tell();
  }

  #reportRelease(child: Child, why: Released['why']): void {
    if (!child.isToldHeld) return;
    child.isToldHeld = false;
    const now = this.#holder.context.system.host.monotonic();
    const heldMs = now - (child.heldSinceMs ?? now);
    this.#holder.report('supervisor.child.released', child, { why, heldMs });
  }

  #tell(): void {
    const { context } = this.#holder;
    const thens = this.#thens;
    this.#thens = [];
    if (!context.cell.fenced) for (const then of thens) context.post(() => then());
  }

  #end(): void {
    this.#disarm();
    this.#letGo();
    for (const gate of this.#gates) gate.leave(this);
    if (!this.#waits) return;
    this.#waits = false;
    this.#tell();
  }

  /** Its supervisor has ended. */
  #abandon(): void {
    for (const child of [...this.#members]) {
      this.#reportRelease(child, 'cancelled');
      child.hold = undefined;
    }
    this.#members.clear();
    this.#waits = false;
    this.#disarm();
    for (const gate of this.#gates) gate.leave(this);
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
