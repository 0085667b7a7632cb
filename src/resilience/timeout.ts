/**
 * Timeout: bounds a call by a deadline. When it passes, the work's signal aborts and its caller is let go in the same turn.
 *
 * Invariant: the caller hears within `timeoutMs`, whatever the work does. Work that ignores its signal goes on, abandoned:
 * what becomes of it is unknown, and it is counted until it ends. It stops nothing by force.
 */
import { ms, resolveOptions } from '../base/options.ts';
import { BoundedCall, type Bounds, tighten, type Work } from './call.ts';
import {
  BasePolicy,
  POLICY_FIELDS,
  type PolicyOptions,
  type PolicyReport,
  type StandalonePolicy,
} from './policy.ts';

export interface TimeoutOptions extends PolicyOptions {
  /** How long a call may take, ms. The caller's own deadline wins if sooner. Default 5,000. */
  readonly timeoutMs?: number;
}

export interface TimeoutReport extends PolicyReport {
  /** Since its creation: deadlines that passed. */
  readonly passed: number;
  /** Work that still runs though its caller was let go. */
  readonly abandoned: number;
}

/** Rejects with ERR_DEADLINE_PASSED, outcome `unknown`. Event: `timeout.passed`. */
export interface Timeout extends StandalonePolicy {
  inspect(): TimeoutReport;
}

export const TIMEOUT_DEFAULTS = Object.freeze({ timeoutMs: 5_000 });

class TimeoutPolicy extends BasePolicy implements Timeout {
  readonly #timeoutMs: number;
  #passed = 0;
  #abandoned = 0;

  constructor(options: TimeoutOptions) {
    const resolved = resolveOptions(
      'createTimeout',
      options,
      { ...POLICY_FIELDS, timeoutMs: ms(1) },
      TIMEOUT_DEFAULTS,
    );
    super('timeout', resolved);
    this.#timeoutMs = resolved.timeoutMs;
  }

  inspect(): TimeoutReport {
    return Object.freeze({ name: this.name, passed: this.#passed, abandoned: this.#abandoned });
  }

  protected run<T>(work: Work<T>, bounds: Bounds): Promise<T> {
    const call = new BoundedCall<T>(this, tighten(this, bounds, this.#timeoutMs), ({ kind }) => {
      if (kind === 'timed_out') this.#noteDeadline();
      if (kind === 'timed_out' || kind === 'aborted') this.#abandon(call);
    });
    return call.run(work);
  }

  #noteDeadline(): void {
    this.#passed += 1;
    if (this.events.active)
      this.events.emit('timeout.passed', { path: this.name, timeoutMs: this.#timeoutMs });
  }

  #abandon<T>(call: BoundedCall<T>): void {
    this.#abandoned += 1;
    call.afterWork(() => {
      this.#abandoned -= 1;
    });
  }
}

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const createTimeout = (options: TimeoutOptions = {}): Timeout => new TimeoutPolicy(options);
