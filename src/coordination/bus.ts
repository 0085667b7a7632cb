/**
 * A bus of typed topics: who publishes knows no subscriber, and waits for none that did not ask for it.
 *
 * Invariant: publishing never runs a subscriber; what one publisher sends reaches each subscriber in that order; for every
 * subscription delivered + dropped + waiting = published; after `close()` has begun nothing can be published. It keeps
 * nothing for who comes later.
 */
import { deadlineIn, NO_DEADLINE, sooner } from '../base/deadline.ts';
import { createError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import { check, fn, msOrInfinity, refuse, resolveOptions } from '../base/options.ts';
import { realHost } from '../base/real-host.ts';
import { EventStream } from '../base/telemetry.ts';
import type { Awaitable, Told } from '../kernel/logic.ts';
import { iterate } from './bus-iterator.ts';
import {
  BUS_DEFAULTS,
  BUS_FIELDS,
  type BusOptions,
  PUBLISH_DEFAULTS,
  PUBLISH_FIELDS,
  type PublishOptions,
  SUBSCRIBE_FIELDS,
  type SubscribeOptions,
} from './bus-options.ts';
import { noteAmbient } from './event-ambient.ts';
import {
  type BusEvent,
  type Deliver,
  type DeliveryContext,
  type DropWhy,
  type Patience,
  Subscriber,
  type SubscriptionHome,
  type SubscriptionReport,
} from './subscription.ts';
import { bind, type Subscription, subscriptionOf } from './subscription-handle.ts';
import { type Matching, Pattern, patternRule, topicRule } from './topic.ts';

export type Handler<P> = (payload: P, delivery: DeliveryContext) => Awaitable<unknown>;

/** What an actor is told for an event, unless `as` makes something else of it: `{ type: topic, payload }`. */
export interface BusMessage<P = unknown> {
  readonly type: string;
  readonly payload: P;
}

export interface BusReport {
  readonly name: string;
  readonly published: number;
  /** Published to nobody. */
  readonly unheard: number;
  readonly delivered: number;
  readonly dropped: number;
  readonly failed: number;
  readonly overdue: number;
  /** Subscriptions that came and went in the last hour. */
  readonly churn: { readonly subscribed: number; readonly unsubscribed: number };
  readonly subscriptions: readonly SubscriptionReport[];
}

/** What a close left. */
export interface BusCloseReport {
  readonly delivered: number;
  /** Dropped because the time was over. */
  readonly dropped: number;
  /** Subscriptions whose handler had not come back. */
  readonly hanging: readonly string[];
}

/** Topics and what is published under them: `createBus<{ 'order.paid': Order }>()`. */
export type Topics = Readonly<Record<string, unknown>>;

/**
 * A bus. Events: `bus.event.dropped`, `bus.handler.failed`, `bus.handler.overdue`, `bus.subscription.ended`, `bus.closed`.
 */
export interface Bus<M extends object = Topics> {
  readonly name: string;
  readonly events: EventStream;
  /**
   * Hands an event to all who subscribed, and returns at once; a promise only where one of them has `overflow: 'block'` and no
   * room.
   *
   * @throws ERR_BUS_CLOSED, ERR_OPTION_INVALID; the promise rejects with ERR_BUS_FULL or the signal's reason
   */
  publish<T extends keyof M & string>(
    topic: T,
    payload: M[T],
    options?: PublishOptions,
  ): void | Promise<void>;
  /** The same for an event that was published elsewhere: bridges that listen to `origin: 'local'` do not get it. */
  inject<T extends keyof M & string>(topic: T, payload: M[T], options?: PublishOptions): void | Promise<void>;
  /** @throws ERR_BUS_CLOSED, ERR_BUS_SUBSCRIPTIONS, ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
  subscribe<P extends string>(
    pattern: P,
    handler: Handler<M[Matching<M, P>]>,
    options?: SubscribeOptions,
  ): Subscription;
  /** Tells an actor, by its handle: `{ type: topic, payload }`, or what `as` makes of it. What its mailbox drops is counted. */
  forward<P extends string, A>(
    pattern: P,
    to: { tell(message: A): Told },
    options?: SubscribeOptions & { readonly as?: (payload: M[Matching<M, P>], topic: string) => A },
  ): Subscription;
  /** The events as they come; ends with the loop, the signal, the owner, or the bus. */
  iterate<P extends string>(
    pattern: P,
    options?: SubscribeOptions,
  ): AsyncIterableIterator<BusEvent & { readonly payload: M[Matching<M, P>] }>;
  /** Ends all subscriptions of an owner. How many those were. */
  unsubscribeAll(owner: string | object): number;
  inspect(): BusReport;
  /** Resolves when nothing waits and nothing is being handled, or when so much time has passed. Default: no limit. */
  idle(options?: { readonly timeoutMs?: number }): Promise<void>;
  /** Refuses what is published from now on, delivers what waits until the deadline, then ends all. One result for all callers. */
  close(options?: { readonly timeoutMs?: number }): Promise<BusCloseReport>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** How many instants of coming and going are kept. */
const CHURN_KEPT = 1_000;
const HOUR_MS = 3_600_000;
/** Topics whose subscribers are remembered; all are forgotten when there are more. */
const MOST_ROUTES = 1_000;

interface Entry {
  readonly subscriber: Subscriber;
  readonly pattern: Pattern;
  readonly owner: unknown;
  readonly localOnly: boolean;
  readonly release: () => void;
}

export class TopicBus implements SubscriptionHome {
  readonly name: string;
  readonly where: string;
  readonly host: Host;
  readonly events: EventStream;
  readonly #options: ReturnType<typeof resolveBus>;
  readonly #entries = new Map<Subscriber, Entry>();
  readonly #routes = new Map<string, readonly Entry[]>();
  readonly #counts = { published: 0, unheard: 0, delivered: 0, dropped: 0, failed: 0, overdue: 0 };
  readonly #came: number[] = [];
  readonly #went: number[] = [];
  #closed: Promise<BusCloseReport> | undefined;

  constructor(options: BusOptions = {}) {
    const resolved = resolveBus(options);
    const { host = realHost() } = resolved;
    this.name = resolved.name;
    this.where = `bus ${resolved.name}`;
    this.host = host;
    this.events = resolved.events ?? new EventStream(() => host.wall());
    this.#options = resolved;
  }

  publish(topic: string, payload: unknown, options?: PublishOptions): void | Promise<void> {
    return this.#send({ topic, payload, origin: 'local' }, options);
  }

  inject(topic: string, payload: unknown, options?: PublishOptions): void | Promise<void> {
    return this.#send({ topic, payload, origin: 'remote' }, options);
  }

  subscribe(pattern: string, handler: Handler<never>, options: SubscribeOptions = {}): Subscription {
    check(this.where, 'handler', fn(), handler);
    const deliver: Deliver = ({ payload }, delivery) => handler(payload as never, delivery);
    return subscriptionOf(this.#add(pattern, deliver, options));
  }

  forward(
    pattern: string,
    to: { tell(message: never): Told },
    { as, ...options }: SubscribeOptions & { readonly as?: (payload: never, topic: string) => unknown } = {},
  ): Subscription {
    if (typeof to?.tell !== 'function') refuse(this.where, 'to', 'something with tell(message)', to);
    if (as !== undefined) check(this.where, 'as', fn(), as);
    const deliver: Deliver = ({ topic, payload }) => {
      const message: unknown = as === undefined ? { type: topic, payload } : as(payload as never, topic);
      if (to.tell(message as never) === 'dropped')
        throw createError('ERR_BUS_NOT_TAKEN', { where: this.where, topic }, { stack: false });
    };
    return subscriptionOf(this.#add(pattern, deliver, options));
  }

  iterate(pattern: string, options: SubscribeOptions = {}): AsyncIterableIterator<BusEvent> {
    return iterate((deliver, ended) => this.#add(pattern, deliver, options, ended));
  }

  unsubscribeAll(owner: string | object): number {
    const theirs = [...this.#entries.values()].filter((entry) => entry.owner === owner);
    for (const { subscriber } of theirs) subscriber.end('unsubscribed');
    return theirs.length;
  }

  inspect(): BusReport {
    const since = this.host.monotonic() - HOUR_MS;
    const recent = (stamps: readonly number[]): number => stamps.filter((at) => at >= since).length;
    const subscriptions = Array.from(this.#entries.keys(), (subscriber) => subscriber.report());
    const delivered = subscriptions.reduce((sum, report) => sum + report.delivered, this.#counts.delivered);
    return {
      name: this.name,
      ...this.#counts,
      delivered,
      churn: { subscribed: recent(this.#came), unsubscribed: recent(this.#went) },
      subscriptions,
    };
  }

  async idle({ timeoutMs = NO_DEADLINE }: { readonly timeoutMs?: number } = {}): Promise<void> {
    check(this.where, 'timeoutMs', msOrInfinity(0), timeoutMs);
    await this.#atMost(timeoutMs, Promise.all(Array.from(this.#entries.keys(), (each) => each.idle())));
  }

  close({
    timeoutMs = this.#options.timeoutMs,
  }: {
    readonly timeoutMs?: number;
  } = {}): Promise<BusCloseReport> {
    check(this.where, 'timeoutMs', msOrInfinity(0), timeoutMs);
    this.#closed ??= this.#close(timeoutMs);
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  dropped(subscriber: Subscriber, event: BusEvent, why: DropWhy): void {
    const { onDrop, name } = subscriber.plan;
    const { topic } = event;
    this.#counts.dropped += 1;
    if (this.events.active)
      this.events.emit('bus.event.dropped', { path: this.name, topic, subscription: name, why });
    try {
      onDrop?.(event, why);
    } catch (error) {
      subscriber.fail(event, error);
    }
  }

  failed({ plan }: Subscriber, { topic }: BusEvent, error: unknown): void {
    this.#counts.failed += 1;
    this.events.emit('bus.handler.failed', { path: this.name, topic, subscription: plan.name, error });
  }

  overdue({ plan }: Subscriber, { topic }: BusEvent): void {
    this.#counts.overdue += 1;
    const { name, timeoutMs } = plan;
    this.events.emit('bus.handler.overdue', { path: this.name, topic, subscription: name, timeoutMs });
  }

  ended(subscriber: Subscriber, why: DropWhy): void {
    const entry = this.#entries.get(subscriber);
    if (entry === undefined) return;
    this.#entries.delete(subscriber);
    this.#routes.clear();
    this.#counts.delivered += subscriber.delivered;
    note(this.#went, this.host.monotonic());
    entry.release();
    if (this.events.active)
      this.events.emit('bus.subscription.ended', {
        path: this.name,
        subscription: subscriber.plan.name,
        why,
      });
  }

  #send(event: BusEvent, options: PublishOptions | undefined): void | Promise<void> {
    if (this.#closed !== undefined) throw this.#closedError();
    const routes = this.#routesOf(event.topic);
    noteAmbient(event);
    const patience = options === undefined ? PATIENT : this.#patience(options);
    this.#counts.published += 1;
    if (routes.length === 0) {
      this.#counts.unheard += 1;
      return undefined;
    }
    const waits: Promise<void>[] = [];
    // One for all of them: what they do with it is each one's own.
    const queued = { event, atMs: this.host.monotonic() };
    let heard = false;
    for (const { subscriber, localOnly } of routes) {
      if (localOnly && event.origin === 'remote') continue;
      heard = true;
      const room = subscriber.offer(queued, patience);
      if (room !== undefined) waits.push(room);
    }
    if (!heard) this.#counts.unheard += 1;
    return waits.length === 0 ? undefined : settleAll(waits);
  }

  #patience(options: PublishOptions): Patience {
    const { deadline, timeoutMs, signal } = resolveOptions(
      this.where,
      options,
      PUBLISH_FIELDS,
      PUBLISH_DEFAULTS,
    );
    if (signal?.aborted === true) throw signal.reason;
    const own = timeoutMs === NO_DEADLINE ? NO_DEADLINE : deadlineIn(this.host.monotonic(), timeoutMs);
    return { deadline: sooner(deadline, own), signal };
  }

  #routesOf(topic: string): readonly Entry[] {
    let routes = this.#routes.get(topic);
    if (routes === undefined) {
      check(this.where, 'topic', topicRule, topic);
      routes = [...this.#entries.values()].filter(({ pattern }) => pattern.matches(topic));
      if (this.#routes.size >= MOST_ROUTES) this.#routes.clear();
      this.#routes.set(topic, routes);
    }
    return routes;
  }

  #add(
    pattern: string,
    deliver: Deliver,
    options: SubscribeOptions,
    /** Given for a loop, which asks for each event. */
    ended?: () => void,
  ): Subscriber {
    const { where } = this;
    check(where, 'pattern', patternRule, pattern);
    const { maxSubscriptions, capacity, overflow, timeoutMs, maxHanging, maxBlocked } = this.#options;
    const resolved = resolveOptions(where, options, SUBSCRIBE_FIELDS, {
      capacity,
      overflow,
      timeoutMs,
      maxHanging,
      maxBlocked,
      name: pattern,
      origin: 'all' as const,
    });
    if (this.#closed !== undefined) throw this.#closedError();
    if (this.#entries.size >= maxSubscriptions)
      throw createError('ERR_BUS_SUBSCRIPTIONS', { where, limit: maxSubscriptions });
    resolved.signal?.throwIfAborted();
    const subscriber = new Subscriber(this, { ...resolved, pattern, deliver, pulls: ended !== undefined });
    const release = bind(subscriber, resolved.owner, resolved.signal);
    // Its owner had ended before: so has the subscription.
    if (!subscriber.active) return subscriber;
    this.#entries.set(subscriber, {
      subscriber,
      pattern: new Pattern(pattern),
      owner: resolved.owner,
      localOnly: resolved.origin === 'local',
      release: () => {
        release();
        ended?.();
      },
    });
    this.#routes.clear();
    note(this.#came, this.host.monotonic());
    return subscriber;
  }

  async #close(timeoutMs: number): Promise<BusCloseReport> {
    const subscribers = [...this.#entries.keys()];
    const droppedBefore = this.#counts.dropped;
    await this.#atMost(timeoutMs, Promise.all(subscribers.map((subscriber) => subscriber.idle())));
    for (const subscriber of subscribers) subscriber.end('closed');
    const reports = subscribers.map((subscriber) => ({ ...subscriber.report(), busy: subscriber.busy }));
    const report: BusCloseReport = Object.freeze({
      delivered: this.#counts.delivered,
      dropped: this.#counts.dropped - droppedBefore,
      hanging: reports.filter(({ busy, hanging }) => busy || hanging > 0).map(({ name }) => name),
    });
    this.events.emit('bus.closed', { path: this.name, dropped: report.dropped, hanging: report.hanging });
    return report;
  }

  #atMost(timeoutMs: number, done: Promise<unknown>): Promise<unknown> {
    if (timeoutMs === NO_DEADLINE) return done;
    let timer: Timer | undefined;
    const late = new Promise<void>((resolve) => {
      timer = this.host.timer(timeoutMs, `${this.where} close`, resolve);
    });
    return Promise.race([done, late]).finally(() => timer?.cancel());
  }

  #closedError(): unknown {
    return createError('ERR_BUS_CLOSED', { where: this.where }, { stack: false });
  }
}

const PATIENT: Patience = Object.freeze({ deadline: NO_DEADLINE, signal: undefined });

const resolveBus = (options: BusOptions) => resolveOptions('createBus', options, BUS_FIELDS, BUS_DEFAULTS);

const note = (stamps: number[], now: number): void => {
  stamps.push(now);
  if (stamps.length > CHURN_KEPT) stamps.shift();
};

/** Waits for all, also where one fails: what the others do is not left behind. */
const settleAll = async (waits: readonly Promise<void>[]): Promise<void> => {
  const outcomes = await Promise.allSettled(waits);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
};

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const createBus = <M extends object = Topics>(options: BusOptions = {}): Bus<M> =>
  new TopicBus(options) as unknown as Bus<M>;
