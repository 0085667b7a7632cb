/** What a bus and its subscriptions can be given, and what holds where nothing was. */
import { NO_DEADLINE } from '../base/deadline.ts';
import type { Host } from '../base/host.ts';
import { fits, fn, integer, msOrInfinity, object, oneOf, text } from '../base/options.ts';
import type { EventStream } from '../base/telemetry.ts';
import type { BusEvent, BusOverflow, DropWhy } from './subscription.ts';

export interface SubscribeOptions {
  /** Names it in reports and errors. Default: the pattern. */
  readonly name?: string;
  /** How many events may wait for it. Default 1,000. */
  readonly capacity?: number;
  /**
   * What happens beyond that: publishers wait for room (`block`), the oldest or the newest goes, or only the `latest` is ever kept.
   * Default `'drop_oldest'`.
   */
  readonly overflow?: BusOverflow;
  /** How long one delivery may take, ms; then its signal aborts and the next event is delivered. Default 5,000. */
  readonly timeoutMs?: number;
  /** Deliveries that may hang at once; with that many the subscription ends. Default 8. */
  readonly maxHanging?: number;
  /** Publishers that may wait for room; further events are dropped. Default 1,000. */
  readonly maxBlocked?: number;
  /** Told of each event that is dropped, in the turn in which it is; for those who must not lose any. */
  readonly onDrop?: (event: BusEvent, why: DropWhy) => void;
  /** Ends the subscription when it ends (an actor's context, a scope), or groups it for `unsubscribeAll`. */
  readonly owner?: unknown;
  /** Ends the subscription when it aborts. */
  readonly signal?: AbortSignal;
  /** `local`: only what was published here, not what was injected; for bridges, which would send it back. Default `'all'`. */
  readonly origin?: 'all' | 'local';
}

/** What subscriptions have unless they say otherwise, and the bus's own. */
export interface BusOptions
  extends Pick<SubscribeOptions, 'capacity' | 'overflow' | 'timeoutMs' | 'maxHanging' | 'maxBlocked'> {
  /** Names it in errors and events. Default `'bus'`. */
  readonly name?: string;
  /** Default: the real one. */
  readonly host?: Host;
  /** Where its own events (drops, failures) go. Default: a stream of its own. */
  readonly events?: EventStream;
  /** How many subscriptions there may be. Default 10,000. */
  readonly maxSubscriptions?: number;
}

export interface PublishOptions {
  /** Bounds the wait for subscribers with `block`, an instant of `host.monotonic()`. Default: none. */
  readonly deadline?: number;
  /** The same as ms from now. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export const BUS_DEFAULTS = Object.freeze({
  name: 'bus',
  maxSubscriptions: 10_000,
  capacity: 1_000,
  overflow: 'drop_oldest' as const,
  timeoutMs: 5_000,
  maxHanging: 8,
  maxBlocked: 1_000,
});

const QUEUE_FIELDS = {
  capacity: integer(1),
  overflow: oneOf('block', 'drop_oldest', 'drop_newest', 'latest'),
  timeoutMs: msOrInfinity(1),
  maxHanging: integer(1),
  maxBlocked: integer(0),
} as const;

export const BUS_FIELDS = {
  ...QUEUE_FIELDS,
  name: text,
  host: object<Host>('a Host'),
  events: object<EventStream>('an EventStream'),
  maxSubscriptions: integer(1),
} as const;

export const SUBSCRIBE_FIELDS = {
  ...QUEUE_FIELDS,
  name: text,
  owner: fits<string | object>(
    'a non-empty string or an object',
    (value) => (typeof value === 'string' && value !== '') || (typeof value === 'object' && value !== null),
  ),
  signal: object<AbortSignal>('an AbortSignal'),
  onDrop: fn<NonNullable<SubscribeOptions['onDrop']>>(),
  origin: oneOf('all', 'local'),
} as const;

export const PUBLISH_FIELDS = {
  deadline: fits<number>(
    'an instant of host.monotonic(), ms',
    (v) => typeof v === 'number' && !Number.isNaN(v),
  ),
  timeoutMs: msOrInfinity(0),
  signal: object<AbortSignal>('an AbortSignal'),
} as const;

export const PUBLISH_DEFAULTS = { deadline: NO_DEADLINE, timeoutMs: NO_DEADLINE } as const;
