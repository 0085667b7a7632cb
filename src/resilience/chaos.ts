/**
 * Chaos: faults, delays and wrong answers on purpose, to see what the policies around them make of it.
 *
 * Invariant: off unless it is switched on, and then a call costs what it costs without. What it injects is drawn from one
 * seeded source, three draws a call whatever they lead to, so that the same seed plays the same faults. It stands
 * innermost: what is outside of it meets its faults.
 */
import { keepAmbient } from '../base/ambient.ts';
import { createError } from '../base/errors.ts';
import type { Timer } from '../base/host.ts';
import { flag, fn, integer, ms, ratio, resolveOptions } from '../base/options.ts';
import { createRandom, type Random } from '../base/random.ts';
import { BoundedCall, type Bounds, type CallContext, keptFor, type Work } from './call.ts';
import {
  BasePolicy,
  POLICY_FIELDS,
  type PolicyOptions,
  type PolicyReport,
  type StandalonePolicy,
} from './policy.ts';

export interface ChaosOptions extends PolicyOptions {
  /** Default `false`. */
  readonly enabled?: boolean;
  /** Seed of its draws. Default: the host's chance. */
  readonly seed?: number;
  /** Part of the calls that fail, without running the work. Default 0. */
  readonly faultRate?: number;
  /** Makes the error, returned or thrown. Default: ERR_CHAOS_FAULT. */
  readonly fault?: () => unknown;
  /** Part of the calls that are delayed. Default 0. */
  readonly latencyRate?: number;
  /** By how long, ms. Default 0. */
  readonly latencyMs?: number;
  /** Part of the calls that are answered by `outcome`, without running the work. Default 0. */
  readonly outcomeRate?: number;
  /** Makes the answer; what it throws is the call's error. Default: `undefined`. */
  readonly outcome?: () => unknown;
}

export interface ChaosReport extends PolicyReport {
  readonly enabled: boolean;
  /** Since its creation. */
  readonly faults: number;
  readonly delays: number;
  readonly outcomes: number;
}

/** Event: `chaos.injected`. */
export interface Chaos extends StandalonePolicy {
  enable(): void;
  disable(): void;
  inspect(): ChaosReport;
}

export const CHAOS_DEFAULTS = Object.freeze({
  enabled: false,
  faultRate: 0,
  latencyRate: 0,
  latencyMs: 0,
  outcomeRate: 0,
});

const FIELDS = {
  ...POLICY_FIELDS,
  enabled: flag,
  seed: integer(),
  faultRate: ratio(0, 1),
  fault: fn<() => unknown>(),
  latencyRate: ratio(0, 1),
  latencyMs: ms(0),
  outcomeRate: ratio(0, 1),
  outcome: fn<() => unknown>(),
} as const;

type Injection = 'fault' | 'latency' | 'outcome';

class ChaosPolicy extends BasePolicy implements Chaos {
  readonly #options;
  readonly #random: Random;
  readonly #injected = { fault: 0, latency: 0, outcome: 0 };
  #enabled: boolean;

  constructor(options: ChaosOptions) {
    const resolved = resolveOptions('createChaos', options, FIELDS, CHAOS_DEFAULTS);
    super('chaos', resolved);
    this.#options = resolved;
    this.#enabled = resolved.enabled;
    this.#random = resolved.seed === undefined ? this.host.random : createRandom(resolved.seed);
  }

  enable(): void {
    this.#enabled = true;
  }

  disable(): void {
    this.#enabled = false;
  }

  inspect(): ChaosReport {
    const { fault, latency, outcome } = this.#injected;
    const counts = { faults: fault, delays: latency, outcomes: outcome };
    return Object.freeze({ name: this.name, enabled: this.#enabled, ...counts });
  }

  protected run<T>(work: Work<T>, bounds: Bounds): Promise<T> {
    if (!this.#enabled) return new BoundedCall<T>(this, bounds, () => {}).run(work);
    const { faultRate, latencyRate, latencyMs, outcomeRate } = this.#options;
    const [delays, faults, answers] = [latencyRate, faultRate, outcomeRate].map(
      (rate) => this.#random.next() < rate,
    );
    const go = (context: CallContext): T | PromiseLike<T> => {
      if (faults) throw this.#fault();
      return answers ? this.#outcome<T>() : work(context);
    };
    let timer: Timer | undefined;
    const call = new BoundedCall<T>(this, bounds, () => timer?.cancel());
    if (!delays) return call.run(go);
    this.#note('latency');
    return call.run(
      (context) =>
        new Promise<T>((resolve, reject) => {
          const goOn = (): void => {
            try {
              resolve(go(context));
            } catch (error) {
              reject(error);
            }
          };
          timer = this.host.timer(latencyMs, `${this.where} latency`, keepAmbient(goOn), keptFor(this));
        }),
    );
  }

  #fault(): unknown {
    this.#note('fault');
    const { fault } = this.#options;
    return fault === undefined ? createError('ERR_CHAOS_FAULT', { policy: this.where }) : fault();
  }

  #outcome<T>(): T {
    this.#note('outcome');
    return this.#options.outcome?.() as T;
  }

  #note(what: Injection): void {
    this.#injected[what] += 1;
    if (this.events.active) this.events.emit('chaos.injected', { path: this.name, what });
  }
}

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const createChaos = (options: ChaosOptions = {}): Chaos => new ChaosPolicy(options);
