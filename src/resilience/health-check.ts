/**
 * Asks the guarded thing itself whether it is well, while its breaker is open or half-open: recovery then needs no caller
 * who dares.
 *
 * Invariant: it has one timer at most, unref'd, and only while it is wanted; one check at a time; what a check finds out
 * is told once, and what that leads to is the breaker's to say. It is bounded, also where the check never ends.
 */
import type { Timer } from '../base/host.ts';
import { fn, ms, refuse, resolveOptions } from '../base/options.ts';
import type { Admission } from './admission.ts';
import type { BreakerReport } from './breaker.ts';
import { BoundedCall, type CallContext, type CallScope, tighten, UNBOUNDED } from './call.ts';
import type { Timekeeper } from './open-wait.ts';
import { disposedError } from './refusal.ts';

export interface HealthCheckOptions {
  /** Asks the guarded thing. It is not well where this throws, rejects, gives `false`, or takes too long. */
  readonly check: (context: CallContext) => unknown;
  /** How long to wait before each check, from the opening and from the end of the one before, ms. Default 5,000. */
  readonly everyMs?: number;
  /** How long a check may take, ms. Default 5,000. */
  readonly timeoutMs?: number;
}

export const HEALTH_CHECK_DEFAULTS = Object.freeze({ everyMs: 5_000, timeoutMs: 5_000 });

const FIELDS = { check: fn<(context: CallContext) => unknown>(), everyMs: ms(1), timeoutMs: ms(1) } as const;

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const resolveHealthCheck = (
  where: string,
  input: HealthCheckOptions | undefined,
): Required<HealthCheckOptions> | undefined => {
  if (input === undefined) return undefined;
  const options = resolveOptions(where, input, FIELDS, HEALTH_CHECK_DEFAULTS);
  const { check } = options;
  return check === undefined ? refuse(where, 'check', FIELDS.check.expected, check) : { ...options, check };
};

/** What a check found: `error` says why it is not well. */
export interface Finding {
  readonly healthy: boolean;
  readonly error: unknown;
}

/** The breaker of what is checked. */
export interface Patient extends CallScope {
  readonly name: string;
  readonly options: { readonly halfOpenPermits: number };
  inspect(): Pick<BreakerReport, 'verdict' | 'generation' | 'retryAfterMs' | 'probes' | 'waiting'>;
  /** A permit, while half-open. */
  admit(): Admission;
  /** Well, before the wait was over. */
  recover(): void;
  checked(finding: Finding): void;
}

export class HealthCheck {
  readonly #patient: Patient;
  readonly #options: Required<HealthCheckOptions>;
  readonly #scope: CallScope;
  #timekeeper: Timekeeper | undefined;
  #timer: Timer | undefined = undefined;
  #out: BoundedCall<unknown> | undefined = undefined;

  /** Without a timekeeper nothing is checked until there is one. */
  constructor(patient: Patient, options: Required<HealthCheckOptions>, timekeeper: Timekeeper | undefined) {
    this.#patient = patient;
    this.#options = options;
    this.#timekeeper = timekeeper;
    const { host, where } = patient;
    this.#scope = { host, where: `${where} check`, unref: true };
  }

  /** To be called whenever it may be wanted, or no longer. */
  follow(): void {
    if (!this.#isWanted()) this.#rest();
    else if (this.#timer === undefined && this.#out === undefined)
      this.#timer = this.#timekeeper?.(this.#options.everyMs, () => this.#begin(), 'check');
  }

  keepTime(timekeeper: Timekeeper | undefined): void {
    this.#rest();
    this.#timekeeper = timekeeper;
    this.follow();
  }

  /** The last: a check that is out is aborted. */
  dispose(): void {
    this.#rest();
    this.#timekeeper = undefined;
    this.#out?.cut(disposedError(this.#patient.name));
  }

  #isWanted(): boolean {
    const { verdict, retryAfterMs } = this.#patient.inspect();
    return verdict === 'permits' || retryAfterMs !== undefined;
  }

  /** What is made of a finding; nothing where there is nothing to find out, or real probes are finding out. */
  #conclusion(): ((finding: Finding) => void) | undefined {
    const { verdict, generation, probes, waiting } = this.#patient.inspect();
    if (!this.#isWanted()) return undefined;
    if (verdict !== 'permits')
      return ({ healthy }) => {
        if (healthy && generation === this.#patient.inspect().generation) this.#patient.recover();
      };
    if (waiting > 0 || probes >= this.#patient.options.halfOpenPermits) return undefined;
    const token = this.#patient.admit();
    return ({ healthy, error }) => {
      if (token.admitted) token.settle(healthy ? 'success' : 'failure', error);
    };
  }

  #rest(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #begin(): void {
    this.#timer = undefined;
    const conclude = this.#conclusion();
    if (conclude === undefined) {
      this.follow();
      return;
    }
    const { check, timeoutMs } = this.#options;
    const bounds = tighten(this.#scope, UNBOUNDED, timeoutMs);
    const call = new BoundedCall<unknown>(
      this.#scope,
      bounds,
      (ending) => {
        this.#out = undefined;
        const healthy = ending.kind === 'returned' && ending.value !== false;
        const finding = { healthy, error: ending.kind === 'returned' ? undefined : ending.error };
        this.#patient.checked(finding);
        conclude(finding);
        this.follow();
      },
      true,
    );
    this.#out = call;
    // Its caller is nobody: what it found has been told.
    call.run(check).catch(() => {});
  }
}
