/**
 * Hedge: where a call takes longer than most, a second attempt is begun beside it, and the first answer counts.
 *
 * Invariant: a hedged call settles once, with the first success, or with the last error when all attempts that are out have
 * failed; the others are aborted in that turn. It works against slowness, not against failure: what fails before its
 * hedge is due is not tried again. Use it for idempotent work only. Source: Dean & Barroso, "The Tail at Scale".
 */
import { keepAmbient } from '../base/ambient.ts';
import { createError } from '../base/errors.ts';
import type { Timer } from '../base/host.ts';
import { fits, integer, ms, resolveOptions } from '../base/options.ts';
import { BoundedCall, type Bounds, keptFor, type Work } from './call.ts';
import { LatencyWindow } from './latency-window.ts';
import {
  BasePolicy,
  POLICY_FIELDS,
  type PolicyOptions,
  type PolicyReport,
  type StandalonePolicy,
} from './policy.ts';
import { BUDGET, type RetryBudget } from './retry-budget.ts';

export interface HedgeOptions extends PolicyOptions {
  /** How long to wait before each further attempt, ms; with `quantile`, until there are enough samples. Default 100. */
  readonly delayMs?: number;
  /** Waits as long as this part of the last 200 successes took, above 0, below 1. Default: always `delayMs`. */
  readonly quantile?: number;
  /** Successes before the quantile is believed. Default 20. */
  readonly minimumCalls?: number;
  /** Further attempts at most. Default 1. */
  readonly maxHedges?: number;
  /** What all who share it may spend on further attempts. Default: no limit but `maxHedges`. */
  readonly budget?: RetryBudget;
}

export interface HedgeReport extends PolicyReport {
  /** How long it waits now, ms. */
  readonly delayMs: number;
  /** Since its creation: calls, further attempts begun, and calls that one of them answered. */
  readonly calls: number;
  readonly hedges: number;
  readonly won: number;
}

/** Events: `hedge.started`, and `limit.exhausted` where its budget is spent. */
export interface Hedge extends StandalonePolicy {
  inspect(): HedgeReport;
}

export const HEDGE_DEFAULTS = Object.freeze({ delayMs: 100, minimumCalls: 20, maxHedges: 1 });
/** How many latencies are remembered. */
const SAMPLES = 200;

const FIELDS = {
  ...POLICY_FIELDS,
  delayMs: ms(0),
  quantile: fits<number>('a number above 0, below 1', (v) => typeof v === 'number' && v > 0 && v < 1),
  minimumCalls: integer(1, SAMPLES),
  maxHedges: integer(1, 10),
  budget: BUDGET,
} as const;

class HedgePolicy extends BasePolicy implements Hedge {
  readonly #options;
  readonly #latencies = new LatencyWindow(SAMPLES);
  calls = 0;
  hedges = 0;
  won = 0;

  constructor(options: HedgeOptions) {
    const resolved = resolveOptions('createHedge', options, FIELDS, HEDGE_DEFAULTS);
    super('hedge', resolved);
    this.#options = resolved;
  }

  get delayMs(): number {
    const { quantile, minimumCalls, delayMs } = this.#options;
    if (quantile === undefined || this.#latencies.count < minimumCalls) return delayMs;
    return this.#latencies.quantile(quantile) ?? delayMs;
  }

  inspect(): HedgeReport {
    const { name, delayMs, calls, hedges, won } = this;
    return Object.freeze({ name, delayMs, calls, hedges, won });
  }

  /** Whether one more attempt may be made beside so many others. */
  mayHedge(attempts: number): boolean {
    return !this.disposed && attempts <= this.#options.maxHedges;
  }

  pays(): boolean {
    const { budget } = this.#options;
    if (budget === undefined || budget.spend()) return true;
    const { burst } = budget;
    const limit = { path: this.name, limit: 'retry_budget', used: burst, allowed: burst, periodMs: 0 };
    if (this.events.active) this.events.emit('limit.exhausted', limit);
    return false;
  }

  succeeded(latencyMs: number): void {
    if (this.#options.quantile !== undefined) this.#latencies.add(latencyMs);
  }

  protected run<T>(work: Work<T>, bounds: Bounds): Promise<T> {
    this.calls += 1;
    this.#options.budget?.earn();
    const race = new Race<T>(this, work);
    const call = new BoundedCall<T>(this, bounds, () => race.end());
    return call.run(() => race.run(call.below));
  }
}

/** One call: its attempts, of which the first to succeed wins. */
class Race<T> {
  readonly #policy: HedgePolicy;
  readonly #work: Work<T>;
  readonly #out = new Set<BoundedCall<T>>();
  #attempts = 0;
  #timer: Timer | undefined = undefined;
  #over = false;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;

  constructor(policy: HedgePolicy, work: Work<T>) {
    this.#policy = policy;
    this.#work = work;
  }

  run(bounds: Bounds): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#start(bounds);
    });
  }

  /** No further attempt; those that are out are aborted. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer?.cancel();
    if (this.#out.size === 0) return;
    const reason = createError('ERR_HEDGE_LOST', { policy: this.#policy.where }, { stack: false });
    for (const call of [...this.#out]) call.cut(reason);
  }

  #start(bounds: Bounds): void {
    this.#attempts += 1;
    const attempt = this.#attempts;
    const beganAtMs = this.#policy.host.monotonic();
    const call = new BoundedCall<T>(this.#policy, bounds, () => this.#out.delete(call), true);
    this.#out.add(call);
    call.run(this.#work).then(
      (value) => {
        if (this.#over) return;
        this.#policy.succeeded(this.#policy.host.monotonic() - beganAtMs);
        if (attempt > 1) this.#policy.won += 1;
        this.end();
        this.#resolve(value);
      },
      (error: unknown) => {
        if (this.#over || this.#out.size > 0) return;
        this.end();
        this.#reject(error);
      },
    );
    if (!this.#over) this.#hedgeLater(bounds);
  }

  #hedgeLater(bounds: Bounds): void {
    const { host, where, events, name } = this.#policy;
    if (!this.#policy.mayHedge(this.#attempts)) return;
    const { delayMs } = this.#policy;
    const hedge = (): void => {
      if (!this.#policy.mayHedge(this.#attempts) || !this.#policy.pays()) return;
      this.#policy.hedges += 1;
      if (events.active) events.emit('hedge.started', { path: name, attempt: this.#attempts + 1, delayMs });
      this.#start(bounds);
    };
    this.#timer = host.timer(delayMs, `${where} delay`, keepAmbient(hedge), keptFor(this.#policy));
  }
}

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const createHedge = (options: HedgeOptions = {}): Hedge => new HedgePolicy(options);
