/**
 * Fallback: an answer for when there is none.
 *
 * Invariant: it is asked at most once a call, after all else has failed, and only while somebody waits: a caller that
 * aborted, or ran out of its own time, gets that. What the fallback throws is what the caller is told.
 */
import { anything, check, flag, fn, refuse, resolveOptions } from '../base/options.ts';
import { BoundedCall, type Bounds, type CallContext, type Ending, type Work } from './call.ts';
import {
  BasePolicy,
  POLICY_FIELDS,
  type PolicyOptions,
  type PolicyReport,
  type StandalonePolicy,
} from './policy.ts';

export interface FallbackOptions extends PolicyOptions {
  /** The answer itself. Either this or `fallback`. */
  readonly value?: unknown;
  /** Makes the answer; it has what is left of the caller's time. */
  readonly fallback?: (error: unknown, context: CallContext) => unknown;
  /** Which errors it answers for. Default: all. Where it throws, or gives no boolean, the error goes through. */
  readonly when?: (error: unknown) => boolean;
}

export interface FallbackReport extends PolicyReport {
  /** Since its creation: how often it answered, and how often it failed to. */
  readonly used: number;
  readonly failed: number;
}

/** Its answer must be of the type that the work gives. Events: `fallback.used`, `policy.option_failed`. */
export interface Fallback extends StandalonePolicy {
  inspect(): FallbackReport;
}

const FIELDS = {
  ...POLICY_FIELDS,
  value: anything,
  fallback: fn<(error: unknown, context: CallContext) => unknown>(),
  when: fn<(error: unknown) => boolean>(),
} as const;

class FallbackPolicy extends BasePolicy implements Fallback {
  readonly #answer: (error: unknown, context: CallContext) => unknown;
  readonly #when: (error: unknown) => boolean;
  #used = 0;
  #failed = 0;

  constructor(options: FallbackOptions) {
    const {
      value,
      fallback,
      when = () => true,
      ...ground
    } = resolveOptions('createFallback', options, FIELDS, {});
    if ((value === undefined) === (fallback === undefined))
      refuse('createFallback', 'fallback', 'given, or else a value, and not both', fallback);
    super('fallback', ground);
    this.#answer = fallback ?? (() => value);
    this.#when = when;
  }

  inspect(): FallbackReport {
    return Object.freeze({ name: this.name, used: this.#used, failed: this.#failed });
  }

  protected async run<T>(work: Work<T>, bounds: Bounds): Promise<T> {
    let ended: Ending['kind'] = 'threw';
    try {
      return await new BoundedCall<T>(this, bounds, ({ kind }) => {
        ended = kind;
      }).run(work);
    } catch (error) {
      if (ended !== 'threw' || !this.#answersFor(error)) throw error;
      return await this.#ask<T>(error, bounds);
    }
  }

  #answersFor(error: unknown): boolean {
    try {
      const answers = check(this.where, 'when', flag, this.#when(error));
      this.mishaps.works('when');
      return answers;
    } catch (failure) {
      this.mishaps.tell('when', failure);
      return false;
    }
  }

  async #ask<T>(error: unknown, { deadline, signal, budgetMs }: Bounds): Promise<T> {
    const watches = Number.isFinite(budgetMs);
    const leftMs = watches ? Math.max(0, deadline - this.host.monotonic()) : budgetMs;
    if (this.events.active) this.events.emit('fallback.used', { path: this.name, error });
    try {
      const call = new BoundedCall<T>(this, { deadline, signal, budgetMs: leftMs }, () => {});
      const answer = await call.run((context) => this.#answer(error, context) as T);
      this.#used += 1;
      return answer;
    } catch (failure) {
      this.#failed += 1;
      throw failure;
    }
  }
}

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const createFallback = (options: FallbackOptions): Fallback => new FallbackPolicy(options);
