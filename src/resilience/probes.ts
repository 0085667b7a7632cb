/**
 * The probes of a half-open breaker: which are out, and how those ended that are back.
 *
 * Invariant: each that is sent is back exactly once, by its settlement, its watchdog or the end of its generation; so no
 * permit is lost. What their endings lead to is the chart's to say.
 */
import { createError } from '../base/errors.ts';
import type { Token } from './admission.ts';
import type { CallScope } from './call.ts';

export class Probes {
  readonly #scope: CallScope;
  readonly #out = new Set<Token>();
  /** Of this half-open period. */
  successes = 0;
  failures = 0;

  constructor(scope: CallScope) {
    this.#scope = scope;
  }

  /** How many are out. */
  get size(): number {
    return this.#out.size;
  }

  /** A half-open period begins: all permits are in, nothing is counted yet. */
  grant(): void {
    this.successes = 0;
    this.failures = 0;
  }

  /** With a watchdog, it fails when it is not back by then. */
  send(probe: Token, watchdogMs: number | undefined): void {
    this.#out.add(probe);
    if (watchdogMs === undefined) return;
    const { host, where } = this.#scope;
    const bark = (): void => {
      const data = { where: `${where} probe`, timeoutMs: watchdogMs };
      probe.settle('failure', createError('ERR_DEADLINE_PASSED', data, { stack: false }));
    };
    probe.watchTime(host.timer(watchdogMs, `${where} watchdog`, bark, { unref: true }));
  }

  returned(probe: Token): void {
    this.#out.delete(probe);
  }

  /** The period is over: nobody waits for those that are out. */
  revoke(): void {
    for (const probe of this.#out) probe.revoke();
    this.#out.clear();
  }
}
