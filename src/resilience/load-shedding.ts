/**
 * Load shedding: when there is more than can be done, what matters least is refused first.
 *
 * Invariant: at one load, whatever is let through matters at least as much as whatever is refused; refusing costs no line
 * and no timer. The load is the calls whose work is not over, or what its user measures. It slows nothing down.
 */
import { createError } from '../base/errors.ts';
import { check, fits, fn, integer, object, oneOf, resolveOptions } from '../base/options.ts';
import { BoundedCall, type Bounds, type ExecuteOptions, rejectLater, type Work } from './call.ts';
import { ChoosingPolicy } from './choosing-policy.ts';
import {
  POLICY_FIELDS,
  type Policy,
  type PolicyOptions,
  type PolicyReport,
  type StandalonePolicy,
} from './policy.ts';

/** From what goes last to what goes first. */
export type Priority = 'critical' | 'high' | 'normal' | 'low';

/** Up to which load each priority is let through. */
export type Shares = Readonly<Record<Priority, number>>;

export interface LoadSheddingOptions extends PolicyOptions {
  /** Calls at once that are a load of 1. Default 100. */
  readonly capacity?: number;
  /** Measures the load instead: 0 is idle, 1 is full. Where it throws, or gives no number, the load is 0. */
  readonly load?: () => number;
  /** Default: critical 1, high 0.9, normal 0.75, low 0.5. */
  readonly shares?: Partial<Shares>;
}

export interface LoadSheddingReport extends PolicyReport {
  readonly load: number;
  readonly running: number;
  /** Since its creation: calls refused, by priority. */
  readonly shed: Shares;
}

/** Refuses with ERR_LOAD_SHED. Event: `limit.exhausted`. */
export interface LoadShedding extends StandalonePolicy {
  /** `priority` says how much the call matters. Default `'normal'`. */
  execute<T>(work: Work<T>, options?: ExecuteOptions & { readonly priority?: Priority }): Promise<T>;
  /** The same load as a policy for one priority, to put into a `wrap`. */
  prioritized(priority: Priority): Policy;
  inspect(): LoadSheddingReport;
}

export const SHARES: Shares = Object.freeze({ critical: 1, high: 0.9, normal: 0.75, low: 0.5 });
export const LOAD_SHEDDING_DEFAULTS = Object.freeze({ capacity: 100 });

const PRIORITY = oneOf('critical', 'high', 'normal', 'low');
const LOAD = fits<number>('a number', (v) => typeof v === 'number' && !Number.isNaN(v));
const SHARE = fits<number>('a number above 0, or Infinity', (v) => typeof v === 'number' && v > 0);
const FIELDS = {
  ...POLICY_FIELDS,
  capacity: integer(1),
  load: fn<() => number>(),
  shares: object<Partial<Shares>>('shares by priority'),
} as const;
const SHARE_FIELDS = { critical: SHARE, high: SHARE, normal: SHARE, low: SHARE } as const;

class LoadSheddingPolicy extends ChoosingPolicy<'priority', Priority> implements LoadShedding {
  readonly #capacity: number;
  readonly #measure: (() => number) | undefined;
  readonly #shares: Shares;
  readonly #shed = { critical: 0, high: 0, normal: 0, low: 0 };
  #running = 0;

  constructor(options: LoadSheddingOptions) {
    const where = 'createLoadShedding';
    const resolved = resolveOptions(where, options, FIELDS, LOAD_SHEDDING_DEFAULTS);
    super('load_shedding', resolved, { option: 'priority', rule: PRIORITY, otherwise: 'normal' });
    this.#capacity = resolved.capacity;
    this.#measure = resolved.load;
    this.#shares = resolveOptions(`${where}.shares`, resolved.shares, SHARE_FIELDS, SHARES) as Shares;
  }

  prioritized(priority: Priority): Policy {
    return this.fixed(priority);
  }

  inspect(): LoadSheddingReport {
    const [load, running, shed] = [this.#load(), this.#running, Object.freeze({ ...this.#shed })];
    return Object.freeze({ name: this.name, load, running, shed });
  }

  protected runFor<T>(priority: Priority, work: Work<T>, bounds: Bounds): Promise<T> {
    const load = this.#load();
    if (load >= this.#shares[priority]) return this.#refuse(priority, load);
    this.#running += 1;
    const call = new BoundedCall<T>(this, bounds, () => {});
    call.afterWork(() => {
      this.#running -= 1;
    });
    return call.run(work);
  }

  #load(): number {
    if (this.#measure === undefined) return this.#running / this.#capacity;
    try {
      const load = check(this.where, 'load', LOAD, this.#measure());
      this.mishaps.works('load');
      return load;
    } catch (error) {
      this.mishaps.tell('load', error);
      return 0;
    }
  }

  #refuse(priority: Priority, load: number): Promise<never> {
    this.#shed[priority] += 1;
    if (this.events.active) {
      const [used, allowed] = [load * this.#capacity, this.#shares[priority] * this.#capacity];
      this.events.emit('limit.exhausted', { path: this.name, limit: this.kind, used, allowed, periodMs: 0 });
    }
    return rejectLater(
      createError('ERR_LOAD_SHED', { policy: this.where, priority, load }, { stack: false }),
    );
  }
}

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const createLoadShedding = (options: LoadSheddingOptions = {}): LoadShedding =>
  new LoadSheddingPolicy(options);
