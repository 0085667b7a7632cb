/**
 * A hold: children that start together (or one alone), and wait for breakers that they depend on.
 *
 * Invariants: it ends: when all those breakers allow it, with the last of its members, with its supervisor, or when it has
 * lasted as long as they may be held; a breaker's closing is not needed for any but the first. It counts nothing. It starts
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
  #then: () => void = () => undefined;
  #timer: ActorTimer | undefined = undefined;
  #waits = false;
  #expired = false;

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
    this.#then = then;
    this.#cover(starting);
    if (this.#waits) {
      this.consider();
      return true;
    }
    if (this.#mayPass) {
      this.#pass();
      return false;
    }
    this.#cover(along);
    this.#wait();
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
    if (this.#waits) this.#reportRelease(child, 'cancelled');
    child.hold = undefined;
    child.heldSinceMs = undefined;
    if (this.#members.size === 0) this.#end();
    else if (this.#waits) {
      this.#findGates();
      this.#arm();
      this.consider();
    }
  }

  /** Something else keeps them meanwhile: others need not wait for that. */
  stepAside(): void {
    if (!this.#waits) for (const gate of this.#gates) gate.leave(this);
  }

  get #mayPass(): boolean {
    return this.#expired || this.#gates.every((gate) => gate.lets(this));
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
      if (child.hold !== this) child.hold?.leave(child);
      child.hold = this;
      this.#members.add(child);
    }
    this.#findGates();
  }

  #findGates(): void {
    const breakers = new Set<Spec<unknown>>();
    for (const { spec } of this.#members) for (const breaker of spec.dependsOn) breakers.add(breaker);
    const before = this.#gates;
    this.#gates = gatesOf(this.#holder.context.system, breakers);
    for (const gate of before) if (!this.#gates.includes(gate)) gate.leave(this);
  }

  #pass(): void {
    if (!this.#expired) for (const gate of this.#gates) gate.pass(this);
  }

  #wait(): void {
    const { context } = this.#holder;
    const breakers = this.#keepers.map(({ path }) => path);
    this.#waits = true;
    for (const gate of this.#gates) gate.join(this);
    const now = context.now();
    for (const child of this.#members) {
      child.heldSinceMs ??= now;
      child.send({ type: 'hold' });
      const { holdMaxMs: maxMs } = child.spec;
      this.#holder.report('supervisor.child.held', child, { breakers, maxMs });
    }
    this.#arm();
    const retryAtMs = Math.max(
      now,
      ...this.#gates.map((gate) => (gate.refuses ? (gate.opensAtMs ?? Number.POSITIVE_INFINITY) : now)),
    );
    for (const child of this.#members) child.place.markRestarting(Math.min(retryAtMs, this.#untilMs));
  }

  /** Until when at most: the longest that one of those may be held who depend on a breaker. */
  get #untilMs(): number {
    let untilMs = 0;
    for (const { spec, heldSinceMs } of this.#members)
      if (spec.dependsOn.length > 0) untilMs = Math.max(untilMs, (heldSinceMs ?? 0) + spec.holdMaxMs);
    return untilMs;
  }

  #arm(): void {
    this.#timer?.cancel();
    const { context } = this.#holder;
    const [first] = this.#members;
    const leftMs = Math.max(0, this.#untilMs - context.now());
    this.#timer = context.postAfter(leftMs, `hold ${first?.id}`, () => {
      this.#expired = true;
      this.#release('expired');
    });
  }

  #release(why: Released['why']): void {
    this.#waits = false;
    this.#disarm();
    if (this.#expired) for (const gate of this.#gates) gate.leave(this);
    this.#pass();
    for (const child of this.#members) this.#reportRelease(child, why);
    this.#tell();
  }

  #reportRelease(child: Child, why: Released['why']): void {
    const now = this.#holder.context.system.host.monotonic();
    this.#holder.report('supervisor.child.released', child, {
      why,
      heldMs: now - (child.heldSinceMs ?? now),
    });
  }

  #tell(): void {
    const { context } = this.#holder;
    const then = this.#then;
    if (!context.cell.fenced) context.post(() => then());
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
      if (this.#waits) this.#reportRelease(child, 'cancelled');
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
