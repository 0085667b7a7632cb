/**
 * `createCircuitBreaker`: a breaker of its own, outside of any tree; whoever made it ends it. `circuitBreaker(id)` puts one into
 * a tree.
 */
import type { Host } from '../base/host.ts';
import { fits, object, resolveOptions, text } from '../base/options.ts';
import { realHost } from '../base/real-host.ts';
import { EventStream } from '../base/telemetry.ts';
import type { BreakerState, StandaloneBreaker } from './breaker.ts';
import { BreakerCore } from './breaker-core.ts';
import { BREAKER_FIELDS, type BreakerOptions, resolveBreaker } from './breaker-options.ts';

export type {
  BreakerChange,
  BreakerReport,
  BreakerState,
  CircuitBreaker,
  StandaloneBreaker,
} from './breaker.ts';

/** Options of {@link createCircuitBreaker}. */
export interface StandaloneBreakerOptions extends BreakerOptions {
  /** Names it in errors and events. Default `'breaker'`. */
  readonly name?: string;
  /** Default: the real one. */
  readonly host?: Host;
  /** Where its events go. Default: a stream of its own. */
  readonly events?: EventStream;
  /**
   * What an earlier one exported: if that was open, this one is, for what is left of the wait; time between counts. Another
   * shape, or version, is refused.
   */
  readonly state?: BreakerState;
}

const isState = (value: unknown): boolean => {
  const state = value as Partial<Record<keyof BreakerState, unknown>> | null;
  const { version, retryAt, openings, openMs, failures } = state ?? {};
  const numbers = [openings, openMs, failures];
  return (
    version === 1 &&
    (retryAt === null || Number.isFinite(retryAt)) &&
    numbers.every((each) => Number.isFinite(each) && (each as number) >= 0)
  );
};

/** Taken by a breaker of its own and by one in a tree. */
export const STATE_FIELDS = { state: fits<BreakerState>('what exportState() gave', isState) } as const;

const STANDALONE_FIELDS = {
  ...BREAKER_FIELDS,
  ...STATE_FIELDS,
  name: text,
  host: object<Host>('a Host'),
  events: object<EventStream>('an EventStream'),
} as const;

/**
 * A breaker of its own, outside of any tree. Defaults: opens after 5 consecutive failures, for 30,000 ms, then lets 1 probe
 * through, and closes when it succeeds.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const createCircuitBreaker = (options: StandaloneBreakerOptions = {}): StandaloneBreaker => {
  const where = 'createCircuitBreaker';
  const resolved = resolveOptions(where, options, STANDALONE_FIELDS, { name: 'breaker' });
  const { name, host = realHost(), events = new EventStream(() => host.wall()), state, ...own } = resolved;
  const breaker = new BreakerCore({ host, events, path: name }, resolveBreaker(where, own));
  if (state !== undefined) breaker.restore(state);
  return breaker;
};
