/**
 * One check that runs: read, judged, read again.
 *
 * Invariant: a reading is over in its time, whatever is read does; while one that was given up still runs, no other is begun, and each
 * time that should have been read counts as a bad one. What could not be known changes nothing. It mends nothing.
 */
import {
  type HealthCheckEvent,
  type HealthVerdict,
  healthCheckMachine,
} from '../../actors/health-check.machine.ts';
import { LazyAbort } from '../base/abort.ts';
import { createError, show } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import { compileChart } from '../chart/compile.ts';
import { ChartRunner } from '../chart/runner.ts';
import type { HealthAffects, HealthCheck, Meter } from './health-check.ts';

/** What is known of one check. */
export interface CheckReport {
  readonly check: string;
  readonly verdict: HealthVerdict;
  readonly affects: HealthAffects;
  /** The last one; `undefined` where it is not known, or could not be taken. */
  readonly reading: number | undefined;
  readonly unit: string;
  readonly enter: number;
  readonly leave: number;
  /** Why the last one could not be taken, in words. */
  readonly error: string | undefined;
  /** How long the verdict has stood, ms. */
  readonly sinceMs: number;
  /** Bad readings in a row. */
  readonly bad: number;
  /** A reading that was given up still runs. */
  readonly hangs: boolean;
}

export interface CheckHome {
  readonly where: string;
  readonly host: Host;
  changed(run: CheckRun, from: HealthVerdict, to: HealthVerdict): void;
  /** It has become, or is still, unhealthy. */
  alarm(run: CheckRun, error: Error): void;
}

const chart = /* @__PURE__ */ compileChart(healthCheckMachine);
const UNREF = Object.freeze({ unref: true });

export class CheckRun {
  readonly name: string;
  readonly check: HealthCheck;
  readonly #home: CheckHome;
  readonly #meter: Meter;
  readonly #life: ChartRunner<HealthCheckEvent>;
  #verdict: HealthVerdict = 'unknown';
  #isIll = false;
  #sinceAtMs: number;
  #reading: number | undefined;
  #error: unknown;
  #bad = 0;
  #good = 0;
  #next: Timer | undefined;
  #limit: Timer | undefined;
  #asking: LazyAbort | undefined;
  #isOver = false;

  constructor(home: CheckHome, name: string, check: HealthCheck) {
    this.name = name;
    this.check = check;
    this.#home = home;
    this.#sinceAtMs = home.host.monotonic();
    this.#meter = check.meter(home.host);
    this.#life = new ChartRunner({
      chart,
      perform: {
        stand: ({ verdict }) => this.#stand(verdict),
        alarm: () => {
          this.#isIll = true;
          this.#alarm();
        },
        relieve: () => {
          this.#isIll = false;
        },
      },
    }) as ChartRunner<HealthCheckEvent>;
    this.#life.start();
  }

  /** Whether it has been found unhealthy, and not well since. */
  get isIll(): boolean {
    return this.#isIll;
  }

  /** Whether a first reading has been judged. */
  get isKnown(): boolean {
    return this.#verdict !== 'unknown';
  }

  begin(): void {
    if (!this.#isOver) this.#read();
  }

  end(): void {
    this.#isOver = true;
    this.#next?.cancel();
    this.#limit?.cancel();
    this.#asking?.abort(createError('ERR_HEALTH_CHECK_ENDED', { where: this.#where }, { stack: false }));
    this.#meter.end?.();
  }

  /** Says again that it is ill, if it is. */
  remind(): void {
    if (this.#isIll) this.#alarm();
  }

  report(): CheckReport {
    const { affects, unit, enter, leave } = this.check;
    return {
      check: this.name,
      verdict: this.#verdict,
      affects,
      reading: this.#reading,
      unit,
      enter,
      leave,
      error: this.#error === undefined ? undefined : show(this.#error),
      sinceMs: this.#home.host.monotonic() - this.#sinceAtMs,
      bad: this.#bad,
      hangs: this.#asking?.aborted === true,
    };
  }

  get #where(): string {
    return `check ${this.name} of ${this.#home.where}`;
  }

  #stand(verdict: HealthVerdict): void {
    const from = this.#verdict;
    if (from === verdict) return;
    this.#verdict = verdict;
    this.#sinceAtMs = this.#home.host.monotonic();
    this.#home.changed(this, from, verdict);
  }

  #alarm(): void {
    const { enter, unit } = this.check;
    const reading = this.#reading === undefined ? show(this.#error) : `${this.#reading} ${unit}`.trim();
    const data = { where: this.#where, check: this.name, reading, enter };
    this.#home.alarm(this, createError('ERR_UNHEALTHY', data, { stack: false, cause: this.#error }));
  }

  // ── reading ───────────────────────────────────────────────────────────────────────────────────

  #read(): void {
    const { intervalMs, timeoutMs } = this.check;
    const { host } = this.#home;
    this.#next = host.timer(intervalMs, `${this.#where} next`, () => this.#read(), UNREF);
    if (this.#asking !== undefined) {
      // The one before still runs: within its time it is waited for, beyond it counts again.
      if (this.#asking.aborted) this.#judgeFailure(this.#error);
      return;
    }
    const asking = new LazyAbort();
    this.#asking = asking;
    this.#limit = host.timer(timeoutMs, `${this.#where} time`, () => this.#giveUp(asking), UNREF);
    void this.#ask(asking);
  }

  async #ask(asking: LazyAbort): Promise<void> {
    let outcome: { readonly reading: number | undefined } | { readonly error: unknown };
    try {
      const context = {
        get signal() {
          return asking.signal;
        },
      };
      outcome = { reading: await this.#meter.read(context) };
    } catch (error) {
      outcome = { error };
    }
    const isLate = asking.aborted;
    this.#asking = undefined;
    if (isLate || this.#isOver) return;
    this.#limit?.cancel();
    if ('error' in outcome) this.#judgeFailure(outcome.error);
    else this.#judge(outcome.reading);
  }

  #giveUp(asking: LazyAbort): void {
    const { timeoutMs } = this.check;
    const data = { where: this.#where, timeoutMs };
    const error = createError('ERR_HEALTH_CHECK_TIMEOUT', data, { stack: false });
    asking.abort(error);
    this.#judgeFailure(error);
  }

  // ── judging ───────────────────────────────────────────────────────────────────────────────────

  #judgeFailure(error: unknown): void {
    this.#reading = undefined;
    this.#error = error ?? 'it failed without an error';
    this.#count('bad');
  }

  #judge(reading: number | undefined): void {
    if (reading !== undefined && (typeof reading !== 'number' || Number.isNaN(reading))) {
      const got = { where: this.#where, got: show(reading) };
      this.#judgeFailure(createError('ERR_HEALTH_CHECK_READING', got, { stack: false }));
      return;
    }
    this.#error = undefined;
    this.#reading = reading;
    if (reading === undefined) return;
    const { enter, leave } = this.check;
    if (reading >= enter) this.#count('bad');
    else if (reading < leave) this.#count('good');
    else {
      this.#bad = 0;
      this.#good = 0;
      this.#life.send({ type: 'middling' });
    }
  }

  #count(type: 'bad' | 'good'): void {
    const { enterAfter, leaveAfter } = this.check;
    this.#bad = type === 'bad' ? this.#bad + 1 : 0;
    this.#good = type === 'good' ? this.#good + 1 : 0;
    const enough = type === 'bad' ? this.#bad >= enterAfter : this.#good >= leaveAfter;
    this.#life.send({ type, enough });
  }
}
