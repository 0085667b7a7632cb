/**
 * Bulkhead: at most so many calls at once, and at most so many in line for a place.
 *
 * Invariant: a slot is taken from the moment work begins until that work itself is over, also when its caller has long
 * been let go: what `limit` promises is the load on the other side. The line is served in order, nobody overtakes, and
 * who aborts leaves at once. It stops no work.
 */
import { createError } from '../base/errors.ts';
import { integer, msOrInfinity, resolveOptions } from '../base/options.ts';
import type { Bounds, Work } from './call.ts';
import {
  BasePolicy,
  POLICY_FIELDS,
  type PolicyOptions,
  type PolicyReport,
  type StandalonePolicy,
} from './policy.ts';
import { Slots } from './slots.ts';

export interface BulkheadOptions extends PolicyOptions {
  /** How many calls may run at once. Default 10. */
  readonly limit?: number;
  /** How many may wait; beyond that they are refused at once. Default 0. */
  readonly queueLimit?: number;
  /** How long a call waits at most, ms. Default `Infinity`: until its own deadline. */
  readonly maxWaitMs?: number;
}

export interface BulkheadReport extends PolicyReport {
  readonly limit: number;
  /** Slots that are taken, and calls that wait. */
  readonly used: number;
  readonly waiting: number;
  /** Since its creation: calls refused. */
  readonly refused: number;
}

/** Refuses with ERR_BULKHEAD_FULL. Event: `limit.exhausted`. */
export interface Bulkhead extends StandalonePolicy {
  inspect(): BulkheadReport;
}

export const BULKHEAD_DEFAULTS = Object.freeze({
  limit: 10,
  queueLimit: 0,
  maxWaitMs: Number.POSITIVE_INFINITY,
});

const FIELDS = {
  ...POLICY_FIELDS,
  limit: integer(1),
  queueLimit: integer(0),
  maxWaitMs: msOrInfinity(0),
} as const;

class BulkheadPolicy extends BasePolicy implements Bulkhead {
  readonly #slots: Slots;

  constructor(options: BulkheadOptions) {
    const resolved = resolveOptions('createBulkhead', options, FIELDS, BULKHEAD_DEFAULTS);
    super('bulkhead', resolved);
    const { limit } = resolved;
    this.#slots = new Slots(this, {
      ...resolved,
      makeRefusal: () => createError('ERR_BULKHEAD_FULL', { policy: this.where, limit }, { stack: false }),
    });
  }

  inspect(): BulkheadReport {
    const { limit, used, waiting, refused } = this.#slots;
    return Object.freeze({ name: this.name, limit, used, waiting, refused });
  }

  protected run<T>(work: Work<T>, bounds: Bounds): Promise<T> {
    return this.#slots.run(work, bounds);
  }

  protected override release(): void {
    this.#slots.clear(createError('ERR_POLICY_DISPOSED', { policy: this.where }, { stack: false }));
  }
}

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const createBulkhead = (options: BulkheadOptions = {}): Bulkhead => new BulkheadPolicy(options);
