/**
 * Admission as a token: whoever is let through holds one, and settles it.
 *
 * Invariant: a token is settled exactly once, by its holder, its caller's abort or its watchdog, whichever comes first; what
 * comes later changes nothing. It does not know what a settlement leads to.
 */

import { type AbortListener, type AbortSource, listenToAbort, unlistenToAbort } from '../base/abort.ts';
import type { TroupeError } from '../base/errors.ts';
import type { Timer } from '../base/host.ts';
import { oneOf, refuse } from '../base/options.ts';
import { type Judgement, judgeByDefault } from './judge.ts';

/** Let through. */
export interface BreakerToken {
  readonly admitted: true;
  /** The generation it was admitted in. Its result counts only while that lasts. */
  readonly generation: number;
  /** Whether it holds one of the permits of a half-open breaker. */
  readonly probe: boolean;
  /**
   * Says how the work went; `cause` is what `breaker.opened` will carry. Returns whether it was the first to say so and
   * its generation still lasts.
   */
  settle(judgement: Judgement, cause?: unknown): boolean;
}

/** Turned away. The error is shared by all refusals of a period: throw it, do not decorate it. */
export interface BreakerRefusal {
  readonly admitted: false;
  /** ERR_BREAKER_OPEN (with `data.retryAfterMs`), ERR_BREAKER_PROBING or ERR_BREAKER_DISPOSED. */
  readonly error: TroupeError;
}

export type Admission = BreakerToken | BreakerRefusal;

/** What a token is settled with. */
export interface Settlement {
  settled(token: Token, judgement: Judgement, cause: unknown): boolean;
}

const JUDGEMENT = oneOf('success', 'failure', 'slow', 'neutral');

export class Token implements BreakerToken, AbortListener {
  readonly admitted = true;
  readonly generation: number;
  readonly probe: boolean;
  readonly #settlement: Settlement;
  #signal: AbortSource | undefined = undefined;
  #watchdog: Timer | undefined = undefined;
  #open = true;

  constructor(settlement: Settlement, generation: number, probe: boolean) {
    this.#settlement = settlement;
    this.generation = generation;
    this.probe = probe;
  }

  settle(judgement: Judgement, cause?: unknown): boolean {
    if (!JUDGEMENT.accepts(judgement)) refuse('token.settle()', 'judgement', JUDGEMENT.expected, judgement);
    if (!this.#open) return false;
    this.#open = false;
    this.#letGo();
    return this.#settlement.settled(this, judgement, cause);
  }

  /** Settles it when the signal aborts. */
  watchSignal(signal: AbortSource): void {
    this.#signal = signal;
    listenToAbort(signal, this);
  }

  /** Holds the timer that will settle it if nobody does. */
  watchTime(watchdog: Timer): void {
    this.#watchdog = watchdog;
  }

  /** Its generation is over: no watchdog is needed any more. */
  revoke(): void {
    this.#watchdog?.cancel();
  }

  aborted(source: AbortSource): void {
    this.settle(judgeByDefault({ kind: 'aborted', error: source.reason }), source.reason);
  }

  #letGo(): void {
    this.#watchdog?.cancel();
    if (this.#signal !== undefined) unlistenToAbort(this.#signal, this);
  }
}
