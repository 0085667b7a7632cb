/**
 * What outcomes lead to: those of calls are counted in the window, those of probes by their threshold, and the chart is told
 * when that is enough.
 *
 * Invariant: an outcome is counted in the turn in which it is recorded, under the verdict that holds then; neutral counts for
 * nothing. Whether an outcome is of this generation has been seen to; what opening and closing mean is the chart's.
 */
import type { BreakerEvent, BreakerVerdict } from '../../actors/circuit-breaker.machine.ts';
import { NO_DEADLINE } from '../base/deadline.ts';
import type { Host } from '../base/host.ts';
import type { ResolvedBreakerOptions } from './breaker-options.ts';
import type { Judgement } from './judge.ts';
import type { Probes } from './probes.ts';
import type { Window } from './window.ts';

/** What outcomes are counted in, and who is told. */
export interface OutcomeGround {
  readonly host: Host;
  readonly options: ResolvedBreakerOptions;
  readonly window: Window;
  readonly probes: Probes;
  readonly send: (event: BreakerEvent) => void;
}

export class Outcomes {
  readonly #ground: OutcomeGround;
  /** What the step under way is about, for the fact that it announces. */
  cause: unknown = undefined;
  /** The failure that opened it last, for those whom it refuses. */
  lastCause: unknown = undefined;
  /** What led to the last opening. */
  failures = 0;
  lastFailureAtMs: number | undefined = undefined;

  constructor(ground: OutcomeGround) {
    this.#ground = ground;
  }

  record(verdict: BreakerVerdict, judgement: Judgement, cause: unknown): void {
    if (judgement === 'neutral') return;
    const { host, window, options } = this.#ground;
    const failed = judgement === 'failure';
    if (failed) this.lastFailureAtMs = host.monotonic();
    if (verdict === 'admit') {
      if (judgement === 'success') window.succeeded();
      else if (failed ? window.failed() : window.slow()) this.#trip(cause);
    } else if (verdict === 'permits') {
      // A slow probe says that it is not well yet, if slowness is a reason to open.
      if (failed || (judgement === 'slow' && options.window.slowMs !== NO_DEADLINE)) this.#probeFailed(cause);
      else this.#probeSucceeded();
    }
  }

  #trip(cause: unknown): void {
    const { failures, slow } = this.#ground.window.counts();
    this.failures = failures + slow;
    this.#open({ type: 'window.tripped' }, cause);
  }

  #probeFailed(cause: unknown): void {
    const { probes, options } = this.#ground;
    probes.failures += 1;
    this.failures = probes.failures;
    const failuresAllowed = options.probeCalls - options.successThreshold;
    this.#open({ type: 'probe.failed', failures: this.failures, failuresAllowed }, cause);
  }

  #probeSucceeded(): void {
    const { probes, options, send } = this.#ground;
    probes.successes += 1;
    const { successThreshold } = options;
    send({ type: 'probe.succeeded', successes: probes.successes, successThreshold });
  }

  #open(event: BreakerEvent, cause: unknown): void {
    this.cause = cause;
    this.lastCause = cause;
    this.#ground.send(event);
    this.cause = undefined;
  }
}
