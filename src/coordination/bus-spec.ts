/**
 * A bus in a tree: one for all who run there, by the spec that they share.
 *
 * Invariant: the bus belongs to the place: subscriptions and what waits for them outlive restarts. When it is stopped, what
 * waits is delivered within `drainMs`; with its place it closes. No event goes through its mailbox.
 */
import { msOrInfinity, resolveOptions } from '../base/options.ts';
import type { EventStream } from '../base/telemetry.ts';
import type { ActorContext, Behaviour, Handle, Inspection, Logic, Place, Told } from '../kernel/logic.ts';
import type { Ref } from '../kernel/ref.ts';
import { createSpec, SPEC_FIELDS, type Spec, type SpecOptions } from '../kernel/spec.ts';
import { type Bus, type BusReport, type Handler, TopicBus, type Topics } from './bus.ts';
import { BUS_FIELDS, type BusOptions, type PublishOptions, type SubscribeOptions } from './bus-options.ts';
import type { BusEvent } from './subscription.ts';
import type { Subscription } from './subscription-handle.ts';

/** What `app.get(spec)` gives for a bus. */
export interface BusHandle<M extends object = Topics>
  extends Handle,
    Omit<Bus<M>, 'close' | typeof Symbol.asyncDispose> {}

/** The options of the bus, but for what the tree knows, and those of every spec. */
export type EventBusOptions = Omit<BusOptions, 'name' | 'host' | 'events'> &
  Omit<SpecOptions, 'input' | 'overflow'> & {
    /** How long a stop waits for the delivery of what waits, ms. Default 2,000. */
    readonly drainMs?: number;
  };

export const EVENT_BUS_DEFAULTS = Object.freeze({ drainMs: 2_000 });

class BusActor implements Behaviour {
  readonly #context: ActorContext;
  readonly #bus: TopicBus;
  readonly #drainMs: number;

  constructor(context: ActorContext, bus: TopicBus, drainMs: number) {
    this.#context = context;
    this.#bus = bus;
    this.#drainMs = drainMs;
  }

  tell(message: unknown): void {
    this.#context.system.deadLetter(this.#context.path, message);
  }

  async terminate(): Promise<void> {
    await this.#bus.idle({ timeoutMs: this.#drainMs });
  }

  inspect(): Inspection {
    const { published, delivered, dropped, failed, subscriptions } = this.#bus.inspect();
    const waiting = subscriptions.reduce((sum, { depth, blocked }) => sum + depth + blocked, 0);
    const facts = { subscriptions: subscriptions.length, published, delivered, dropped, failed, waiting };
    return { state: waiting === 0 ? 'idle' : 'delivering', facts };
  }
}

class PlacedBus implements BusHandle {
  readonly kind = 'bus';
  readonly path: string;
  readonly name: string;
  readonly #place: Place;
  readonly #bus: TopicBus;

  constructor(place: Place) {
    this.#place = place;
    this.#bus = place.shared as TopicBus;
    this.path = place.path;
    this.name = place.path;
  }

  get events(): EventStream {
    return this.#bus.events;
  }

  ref(): Ref | undefined {
    return this.#place.ref();
  }

  publish(topic: string, payload: unknown, options?: PublishOptions): void | Promise<void> {
    return this.#bus.publish(topic, payload, options);
  }

  inject(topic: string, payload: unknown, options?: PublishOptions): void | Promise<void> {
    return this.#bus.inject(topic, payload, options);
  }

  subscribe(pattern: string, handler: Handler<never>, options?: SubscribeOptions): Subscription {
    return this.#bus.subscribe(pattern, handler, options);
  }

  forward(
    pattern: string,
    to: { tell(message: never): Told },
    options?: SubscribeOptions & { readonly as?: (payload: never, topic: string) => unknown },
  ): Subscription {
    return this.#bus.forward(pattern, to, options);
  }

  iterate(
    pattern: string,
    options?: SubscribeOptions,
  ): AsyncIterableIterator<BusEvent & { readonly payload: never }> {
    return this.#bus.iterate(pattern, options) as never;
  }

  unsubscribeAll(owner: string | object): number {
    return this.#bus.unsubscribeAll(owner);
  }

  inspect(): BusReport {
    return this.#bus.inspect();
  }

  idle(options?: { readonly timeoutMs?: number }): Promise<void> {
    return this.#bus.idle(options);
  }
}

class BusLogic implements Logic<BusHandle> {
  readonly kind = 'bus';
  readonly #options: BusOptions;
  readonly #drainMs: number;

  constructor(options: BusOptions, drainMs: number) {
    this.#options = options;
    this.#drainMs = drainMs;
  }

  share({ system, path }: Place): TopicBus {
    return new TopicBus({ ...this.#options, name: path, host: system.host, events: system.events });
  }

  start(context: ActorContext): Behaviour {
    return new BusActor(context, context.place.shared as TopicBus, this.#drainMs);
  }

  retire(place: Place): void {
    void (place.shared as TopicBus).close({ timeoutMs: 0 });
  }

  handle(place: Place): BusHandle {
    return new PlacedBus(place) as unknown as BusHandle;
  }
}

// A bus has an `overflow` of its own; its mailbox gets no mail.
const { input: _none, overflow: _mail, ...PLACED_FIELDS } = SPEC_FIELDS;
const { name: _name, host: _host, events: _events, ...OWN_FIELDS } = BUS_FIELDS;

/**
 * A bus as a child of a supervisor: `app.get(spec).publish(topic, payload)`, and inside an actor
 * `ctx.get(spec).subscribe(pattern, handler, { owner: ctx })`, so that the subscription ends with it. Put it before those who use it.
 * Options as of `createBus`, and of every spec.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const eventBus = <M extends object = Topics>(
  id: string,
  options: EventBusOptions = {},
): Spec<BusHandle<M>> => {
  const where = `bus ${String(id)}`;
  const fields = { ...PLACED_FIELDS, ...OWN_FIELDS, drainMs: msOrInfinity(0) };
  const { drainMs, ...resolved } = resolveOptions(where, options, fields, EVENT_BUS_DEFAULTS);
  const own: Record<string, unknown> = {};
  const placed: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(resolved)) {
    if (Object.hasOwn(OWN_FIELDS, key)) own[key] = value;
    else placed[key] = value;
  }
  return createSpec(id, new BusLogic(own, drainMs), placed as SpecOptions) as unknown as Spec<BusHandle<M>>;
};
