/**
 * Named policies from one configuration object, and a snapshot of all of them for health pages.
 *
 * Invariant: each name stands for one wrap, made once, its policies in the sensible order whatever order they were written
 * in; all share one host and one stream of events, and end together. It shares no limit between names.
 */
import type { Host } from '../base/host.ts';
import { flag, object, refuse, resolveOptions } from '../base/options.ts';
import { realHost } from '../base/real-host.ts';
import { EventStream } from '../base/telemetry.ts';
import { type AdaptiveConcurrencyOptions, createAdaptiveConcurrency } from './adaptive-concurrency.ts';
import { type BulkheadOptions, createBulkhead } from './bulkhead.ts';
import { type ChaosOptions, createChaos } from './chaos.ts';
import { createCircuitBreaker, type StandaloneBreakerOptions } from './circuit-breaker.ts';
import { createFallback, type FallbackOptions } from './fallback.ts';
import { createHedge, type HedgeOptions } from './hedge.ts';
import { createLoadShedding, type LoadSheddingOptions } from './load-shedding.ts';
import type { PolicyOptions, StandalonePolicy } from './policy.ts';
import { createRateLimit, type RateLimitOptions } from './rate-limit.ts';
import { createRetry, type RetryOptions } from './retry.ts';
import { createSingleFlight, type SingleFlightOptions } from './single-flight.ts';
import { createTimeout, type TimeoutOptions } from './timeout.ts';
import { type Wrapped, wrap } from './wrap.ts';

type Own<O> = Omit<O, keyof PolicyOptions>;

/** What one name stands for; each policy by its kind, with its own options. */
export interface PolicyConfig {
  readonly fallback?: Own<FallbackOptions>;
  readonly singleFlight?: Own<SingleFlightOptions>;
  readonly loadShedding?: Own<LoadSheddingOptions>;
  /** Bounds the whole call, its retries included. */
  readonly timeout?: Own<TimeoutOptions>;
  readonly retry?: Own<RetryOptions>;
  readonly hedge?: Own<HedgeOptions>;
  readonly rateLimit?: Own<RateLimitOptions>;
  readonly adaptiveConcurrency?: Own<AdaptiveConcurrencyOptions>;
  readonly bulkhead?: Own<BulkheadOptions>;
  readonly breaker?: Own<StandaloneBreakerOptions>;
  /** Bounds each attempt. */
  readonly attemptTimeout?: Own<TimeoutOptions>;
  readonly chaos?: Own<ChaosOptions>;
}

export interface RegistryOptions<N extends string> {
  readonly policies: Readonly<Record<N, PolicyConfig>>;
  /** Default: the real one. */
  readonly host?: Host;
  /** Where all events go. Default: a stream of its own. */
  readonly events?: EventStream;
  /** `true`: no timer of theirs keeps the OS process alive. Default `false`: those do that an unsettled call stands on. */
  readonly unref?: boolean;
}

export interface Registry<N extends string> {
  readonly events: EventStream;
  /** @throws ERR_OPTION_INVALID for a name that the configuration does not have */
  get(name: N): Wrapped;
  /** The report of each policy, by name and kind. */
  inspect(): Readonly<Record<N, Readonly<Record<string, object>>>>;
  /** Ends all. Safe to repeat. */
  dispose(): void;
  [Symbol.dispose](): void;
}

type Maker = (options: PolicyOptions) => StandalonePolicy;
const maker = (make: unknown): Maker => make as Maker;

/** In the sensible order, outermost first. */
const MAKERS: Readonly<Record<keyof PolicyConfig, Maker>> = {
  fallback: maker(createFallback),
  singleFlight: maker(createSingleFlight),
  loadShedding: maker(createLoadShedding),
  timeout: maker(createTimeout),
  retry: maker(createRetry),
  hedge: maker(createHedge),
  rateLimit: maker(createRateLimit),
  adaptiveConcurrency: maker(createAdaptiveConcurrency),
  bulkhead: maker(createBulkhead),
  breaker: maker(createCircuitBreaker),
  attemptTimeout: maker(createTimeout),
  chaos: maker(createChaos),
};
const CONFIG_FIELDS = Object.fromEntries(Object.keys(MAKERS).map((kind) => [kind, object('policy options')]));

interface Entry {
  readonly wrapped: Wrapped;
  readonly parts: Readonly<Record<string, StandalonePolicy>>;
}

class PolicyRegistry<N extends string> implements Registry<N> {
  readonly events: EventStream;
  readonly #entries = new Map<string, Entry>();

  constructor(options: RegistryOptions<N>) {
    const fields = {
      policies: object('policies by name'),
      host: object<Host>(),
      events: object<EventStream>(),
      unref: flag,
    };
    const resolved = resolveOptions('createRegistry', options, fields, {});
    const { policies = {}, host = realHost(), unref = false } = resolved;
    const { events = new EventStream(() => host.wall()) } = resolved;
    this.events = events;
    for (const [name, config] of Object.entries(policies))
      this.#entries.set(name, this.#make(name, config, { host, events, unref }));
  }

  get(name: N): Wrapped {
    const entry = this.#entries.get(name);
    if (entry !== undefined) return entry.wrapped;
    return refuse('registry.get()', 'name', `one of ${[...this.#entries.keys()].join(', ')}`, name);
  }

  inspect(): Readonly<Record<N, Readonly<Record<string, object>>>> {
    const reports = [...this.#entries].map(([name, { parts }]) => [
      name,
      Object.fromEntries(Object.entries(parts).map(([kind, policy]) => [kind, policy.inspect()])),
    ]);
    return Object.freeze(Object.fromEntries(reports));
  }

  dispose(): void {
    for (const { wrapped, parts } of this.#entries.values())
      for (const policy of [wrapped, ...Object.values(parts)]) policy.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #make(name: string, config: unknown, shared: PolicyOptions): Entry {
    const given = resolveOptions(`createRegistry.${name}`, config, CONFIG_FIELDS, {});
    const parts: Record<string, StandalonePolicy> = {};
    for (const [kind, make] of Object.entries(MAKERS)) {
      const own = given[kind];
      if (own !== undefined) parts[kind] = make({ ...own, ...shared, name });
    }
    return { parts, wrapped: wrap(...Object.values(parts)) };
  }
}

/**
 * @example createRegistry({ policies: { prices: { timeout: { timeoutMs: 2_000 }, retry: {}, breaker: {} } } }).get('prices')
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const createRegistry = <const N extends string>(options: RegistryOptions<N>): Registry<N> =>
  new PolicyRegistry<N>(options);
