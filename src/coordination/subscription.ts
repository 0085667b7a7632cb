/**
 * One subscriber of a bus: its queue, and the one that hands it what is in there, one at a time, in order.
 *
 * Invariant: of what was published to it every event is delivered or dropped, once, and counted; nothing is delivered after
 * `unsubscribe()` has returned. What it does (throw, hang, be slow) is its own affair: no publisher and no other
 * subscriber waits for its handler, except publishers that chose to wait for room.
 */
import {
  type AbortListener,
  type AbortSource,
  LazyAbort,
  listenToAbort,
  unlistenToAbort,
} from '../base/abort.ts';
import { ambientIsUsed } from '../base/ambient.ts';
import { NO_DEADLINE } from '../base/deadline.ts';
import { Deque } from '../base/deque.ts';
import { createError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import { promiseOf } from '../resilience/call.ts';
import { inAmbientOf } from './event-ambient.ts';

/** What happens to an event for which a subscriber has no room. */
export type BusOverflow = 'block' | 'drop_oldest' | 'drop_newest' | 'latest';

/** An event as a subscriber gets it. */
export interface BusEvent {
  readonly topic: string;
  readonly payload: unknown;
  /** `remote`: it was injected, having been published elsewhere. */
  readonly origin: 'local' | 'remote';
}

/** What a handler is given beside the payload. */
export interface DeliveryContext {
  readonly topic: string;
  readonly origin: 'local' | 'remote';
  /** Aborts when its time has passed or the subscription has ended. */
  readonly signal: AbortSignal;
}

export interface SubscriptionReport {
  readonly pattern: string;
  readonly name: string;
  /** Events that wait, and for how long the oldest has, ms. */
  readonly depth: number;
  readonly lagMs: number;
  /** Publishers that wait for room. */
  readonly blocked: number;
  readonly published: number;
  readonly delivered: number;
  readonly dropped: number;
  readonly failed: number;
  /** Deliveries whose time passed. */
  readonly overdue: number;
  /** Of these, how many still run. */
  readonly hanging: number;
}

export type DropWhy = 'full' | 'unsubscribed' | 'hung' | 'closed' | 'too_many_blocked' | 'gave_up';

export type Deliver = (event: BusEvent, context: DeliveryContext) => unknown;

/** What a subscription needs of its bus. */
export interface SubscriptionHome {
  readonly where: string;
  readonly host: Host;
  dropped(of: Subscriber, event: BusEvent, why: DropWhy): void;
  failed(of: Subscriber, event: BusEvent, error: unknown): void;
  overdue(of: Subscriber, event: BusEvent): void;
  ended(of: Subscriber, why: DropWhy): void;
}

export interface SubscriptionPlan {
  readonly pattern: string;
  readonly name: string;
  readonly capacity: number;
  readonly overflow: BusOverflow;
  readonly timeoutMs: number;
  readonly maxHanging: number;
  readonly maxBlocked: number;
  readonly deliver: Deliver;
  readonly onDrop?: (event: BusEvent, why: DropWhy) => void;
  /** Events are handed over when they are asked for. */
  readonly pulls: boolean;
}

/** An event that waits, and since when. */
export interface Queued {
  readonly event: BusEvent;
  readonly atMs: number;
}

/** A publisher that waits for room. */
class Blocked implements AbortListener {
  readonly event: BusEvent;
  readonly admitted: () => void;
  readonly refused: (error: unknown) => void;
  readonly #leave: (self: Blocked, error: unknown) => void;
  timer: Timer | undefined = undefined;
  source: AbortSource | undefined = undefined;

  constructor(
    event: BusEvent,
    settle: { readonly admitted: () => void; readonly refused: (error: unknown) => void },
    leave: (self: Blocked, error: unknown) => void,
  ) {
    this.event = event;
    this.admitted = settle.admitted;
    this.refused = settle.refused;
    this.#leave = leave;
  }

  aborted(source: AbortSource): void {
    this.#leave(this, source.reason);
  }

  letGo(): void {
    this.timer?.cancel();
    if (this.source !== undefined) unlistenToAbort(this.source, this);
  }
}

/** How long a publisher waits for room. */
export interface Patience {
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
}

/** How many events one subscriber is given before others, and I/O, have their turn. */
const TURN = 64;

export class Subscriber {
  readonly plan: SubscriptionPlan;
  readonly #home: SubscriptionHome;
  readonly #queue = new Deque<Queued>();
  readonly #blocked = new Set<Blocked>();
  /** Deliveries that are not over, the late ones included. */
  readonly #open = new Set<Delivery>();
  /** The one whose handler has been called and has not returned. */
  #current: Delivery | undefined = undefined;
  readonly #whenIdle: (() => void)[] = [];
  #busy = false;
  #ended = false;
  published = 0;
  delivered = 0;
  dropped = 0;
  #failed = 0;
  #overdue = 0;
  #hanging = 0;
  /** How many events may be handed over. */
  #credit: number;
  readonly #label: string;
  readonly #pumps = (): void => this.#pump();

  constructor(home: SubscriptionHome, plan: SubscriptionPlan) {
    this.#home = home;
    this.plan = plan;
    this.#credit = plan.pulls ? 0 : Number.POSITIVE_INFINITY;
    this.#label = `${home.where} to ${plan.name}`;
  }

  /** Asks for one more event. */
  ask(): void {
    this.#credit += 1;
    this.#wake();
  }

  get active(): boolean {
    return !this.#ended;
  }

  /** Whether its handler is at work, or has hung. */
  get busy(): boolean {
    return this.#open.size > 0;
  }

  /** Takes an event, or drops one, or returns the promise of room. */
  offer(queued: Queued, patience: Patience): void | Promise<void> {
    if (this.#ended) return undefined;
    this.published += 1;
    const { event } = queued;
    const { capacity, overflow } = this.plan;
    if (overflow === 'latest') this.#dropAll('full');
    else if (this.#queue.size >= capacity || this.#blocked.size > 0) {
      if (overflow === 'block') return this.#block(event, patience);
      if (overflow === 'drop_newest') {
        this.#drop(event, 'full');
        return undefined;
      }
      const oldest = this.#queue.shift();
      if (oldest !== undefined) this.#drop(oldest.event, 'full');
    }
    this.#queue.push(queued);
    this.#wake();
    return undefined;
  }

  /** Nothing is delivered from now on; what waits is dropped and counted. Safe to repeat. */
  end(why: DropWhy): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#dropAll(why);
    for (const each of [...this.#blocked]) {
      this.#unblock(each);
      this.#drop(each.event, why);
      each.admitted();
    }
    this.#home.ended(this, why);
    if (this.#open.size > 0 || this.#current !== undefined) {
      const data = { where: this.#home.where, name: this.plan.name, why };
      const error = createError('ERR_SUBSCRIPTION_ENDED', data, { stack: false });
      this.#current?.abort(error);
      for (const delivery of this.#open) delivery.abort(error);
    }
    this.#rest();
  }

  /** Resolves when nothing waits and nothing is being handled. */
  idle(): Promise<void> {
    if (!this.#busy && this.#queue.size === 0 && this.#blocked.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  report(): SubscriptionReport {
    const { pattern, name } = this.plan;
    const oldest = this.#queue.at(0);
    return {
      pattern,
      name,
      depth: this.#queue.size,
      lagMs: oldest === undefined ? 0 : this.#home.host.monotonic() - oldest.atMs,
      blocked: this.#blocked.size,
      published: this.published,
      delivered: this.delivered,
      dropped: this.dropped,
      failed: this.#failed,
      overdue: this.#overdue,
      hanging: this.#hanging,
    };
  }

  #wake(): void {
    if (this.#busy || this.#credit === 0 || this.#queue.size === 0) return;
    this.#busy = true;
    this.#home.host.step(this.#label, this.#pumps);
  }

  #block(event: BusEvent, { deadline, signal }: Patience): void | Promise<void> {
    if (this.#blocked.size >= this.plan.maxBlocked) {
      this.#drop(event, 'too_many_blocked');
      return undefined;
    }
    const { host, where } = this.#home;
    return new Promise((admitted, refused) => {
      const waiting = new Blocked(event, { admitted, refused }, (self, error) => this.#giveUp(self, error));
      this.#blocked.add(waiting);
      if (signal !== undefined) {
        waiting.source = signal;
        listenToAbort(signal, waiting);
      }
      if (deadline === NO_DEADLINE) return;
      const timeoutMs = Math.max(0, deadline - host.monotonic());
      waiting.timer = host.timer(timeoutMs, `${where} room`, () => {
        const data = { where, topic: event.topic, name: this.plan.name, timeoutMs };
        this.#giveUp(waiting, createError('ERR_BUS_FULL', data, { stack: false }));
      });
    });
  }

  #giveUp(waiting: Blocked, error: unknown): void {
    this.#unblock(waiting);
    this.#drop(waiting.event, 'gave_up');
    waiting.refused(error);
  }

  #unblock(waiting: Blocked): void {
    this.#blocked.delete(waiting);
    waiting.letGo();
  }

  /** Those who wait for room get it in the order in which they came. */
  #admit(): void {
    for (const waiting of this.#blocked) {
      if (this.#queue.size >= this.plan.capacity) return;
      this.#unblock(waiting);
      this.#queue.push({ event: waiting.event, atMs: this.#home.host.monotonic() });
      waiting.admitted();
    }
  }

  #pump(): void {
    for (let budget = TURN; budget > 0; budget--) {
      const next = this.#credit === 0 ? undefined : this.#queue.shift();
      if (next === undefined) {
        this.#busy = false;
        this.#rest();
        return;
      }
      this.#credit -= 1;
      this.#admit();
      if (this.#hand(next.event)) return;
    }
    this.#home.host.yield(this.#label, this.#pumps);
  }

  /** `true`: it is not over yet, and the pump goes on when it is. */
  #hand(event: BusEvent): boolean {
    this.delivered += 1;
    const delivery = new Delivery(event);
    this.#current = delivery;
    let pending: Promise<unknown> | undefined;
    try {
      const { deliver } = this.plan;
      pending = promiseOf(
        ambientIsUsed() ? inAmbientOf(event, () => deliver(event, delivery)) : deliver(event, delivery),
      );
    } catch (error) {
      this.fail(event, error);
      return false;
    } finally {
      this.#current = undefined;
    }
    if (pending === undefined) return false;
    this.#await(event, delivery, pending);
    return true;
  }

  #await(event: BusEvent, delivery: Delivery, pending: Promise<unknown>): void {
    const { timeoutMs } = this.plan;
    const { host } = this.#home;
    let late = false;
    this.#open.add(delivery);
    const timer =
      timeoutMs === NO_DEADLINE
        ? undefined
        : host.timer(
            timeoutMs,
            this.#label,
            () => {
              late = true;
              this.#hung(event, delivery);
            },
            { unref: true },
          );
    const over = (): void => {
      this.#open.delete(delivery);
      if (late) this.#hanging -= 1;
      else {
        timer?.cancel();
        this.#pump();
      }
    };
    pending.then(over, (error: unknown) => {
      this.fail(event, error);
      over();
    });
  }

  /** Its handler does not come back: the next event is not kept waiting, until too many hang. */
  #hung(event: BusEvent, delivery: Delivery): void {
    const { where } = this.#home;
    this.#overdue += 1;
    this.#hanging += 1;
    this.#home.overdue(this, event);
    const { timeoutMs, name, maxHanging } = this.plan;
    const data = { where, name, topic: event.topic, timeoutMs };
    delivery.abort(createError('ERR_DELIVERY_TIMEOUT', data, { stack: false }));
    if (this.#hanging >= maxHanging) {
      this.#busy = false;
      this.end('hung');
    } else this.#pump();
  }

  /** Its own code threw. */
  fail(event: BusEvent, error: unknown): void {
    this.#failed += 1;
    this.#home.failed(this, event, error);
  }

  #drop(event: BusEvent, why: DropWhy): void {
    this.dropped += 1;
    this.#home.dropped(this, event, why);
  }

  #dropAll(why: DropWhy): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift())
      this.#drop(next.event, why);
  }

  #rest(): void {
    if (this.#busy || this.#queue.size > 0) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }
}

/** One handing over. */
class Delivery implements DeliveryContext {
  readonly #event: BusEvent;
  #abort: LazyAbort | undefined = undefined;
  #reason: { readonly is: unknown } | undefined = undefined;

  constructor(event: BusEvent) {
    this.#event = event;
  }

  get topic(): string {
    return this.#event.topic;
  }

  get origin(): 'local' | 'remote' {
    return this.#event.origin;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new LazyAbort();
      if (this.#reason !== undefined) this.#abort.abort(this.#reason.is);
    }
    return this.#abort.signal;
  }

  abort(reason: unknown): void {
    this.#reason ??= { is: reason };
    this.#abort?.abort(reason);
  }
}
