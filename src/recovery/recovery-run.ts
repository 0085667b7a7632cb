/**
 * One recovery from its admission to its end: steps the chart, runs its plan's steps through whoever can, keeps its budget,
 * tells everyone who waits.
 *
 * Invariants: it ends once, and by its deadline whatever its steps do; it runs one step at a time; the result of a step that
 * it has let go of moves nothing. It chooses no remedy, and starts no other recovery: a trigger that came too late to be
 * answered by it is handed back at its end.
 */
import {
  type GiveUpCause,
  type NextMove,
  type RecoveryEnd,
  type RecoveryEvent,
  recoveryMachine,
} from '../../actors/recovery.machine.ts';
import { remainingMs } from '../base/deadline.ts';
import { createError, type TroupeError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import type { EventStream, EventType } from '../base/telemetry.ts';
import { compileChart } from '../chart/compile.ts';
import { ChartRunner } from '../chart/runner.ts';
import { type Classification, carry } from './classification.ts';
import { NO_PROGRESS, type Progress, progressed } from './journal.ts';
import { Deferred, type RecoveryOutcome, type RecoveryStatus, type Trigger } from './outcome.ts';
import { nextMove, type Plan, type PlannedStep } from './plan.ts';
import { type StepGround, type StepResult, StepRun } from './step-run.ts';

/** Runs steps, in turns of an actor. */
export interface StepRunner {
  /** Calls `execute` soon, and `settled` with what it resolves to; neither after its end. `execute` never rejects. */
  perform<T>(execute: () => Promise<T>, settled: (result: T) => void): void;
}

/** What a recovery stands on. */
export interface RunGround extends StepGround {
  readonly host: Host;
  readonly events: EventStream;
  /** `undefined` from a crash of the orchestrator's actor until its restart. */
  readonly runner: StepRunner | undefined;
  /** `later`: the triggers that it did not answer. */
  ended(run: RecoveryRun, later: Later | undefined): void;
}

/** What a recovery is about. */
export interface Mission {
  readonly id: string;
  readonly trigger: Trigger;
  readonly plan: Plan;
  readonly budgetMs: number;
  /** The instant of `host.monotonic()` by which it is over. */
  readonly deadline: number;
}

/** Triggers that wait for an answer that is yet to come: the newest stands for all. */
export interface Later {
  readonly trigger: Trigger;
  readonly waiting: Deferred<RecoveryOutcome>;
}

/** Somebody who waits for the outcome. `coalesced`: it is not their report that the recovery began with. */
export interface Waiter {
  readonly waiting: Deferred<RecoveryOutcome>;
  readonly coalesced: boolean;
}

/** How long a step that was told to stop has to obey, ms; at most a tenth of the budget. */
export const GRACE_MS = 100;

const chart = /* @__PURE__ */ compileChart(recoveryMachine);

export class RecoveryRun {
  readonly mission: Mission;
  readonly #startedAt: number;
  readonly #waiters: Waiter[];
  readonly #ground: RunGround;
  readonly #chart: { send(event: RecoveryEvent): void; readonly snapshot: { readonly value: unknown } };
  readonly #timers: readonly Timer[];
  readonly #abandoned: string[] = [];
  /** Triggers since the step that runs began: it cannot answer for them. */
  #later: Later | undefined;
  #progress: Progress = NO_PROGRESS;
  #current: StepRun | undefined;
  #steps = 0;
  /** Whether the journal knows of it. */
  #opened = false;
  #delayMs = 0;
  #value: unknown = undefined;
  #lastFailure: { readonly error: unknown; readonly classification: Classification } | undefined;
  /** The subject told that it works while a step ran that may yet leave it to its owner. */
  #healedMeanwhile = false;
  #cause: GiveUpCause = 'exhausted';
  #outcome: RecoveryOutcome | undefined;

  constructor(ground: RunGround, mission: Mission, first: Waiter) {
    const { host } = ground;
    this.mission = mission;
    this.#ground = ground;
    this.#waiters = [first];
    this.#startedAt = host.monotonic();
    const runner = new ChartRunner({
      chart,
      perform: {
        runStep: () => this.#runStep(),
        abortStep: (_params, { type }) =>
          this.#current?.abort(this.#errorOf(type === 'budget.ending' ? 'deadline' : 'cancelled')),
        abandonStep: () => this.#letGo({ named: true }),
        forgetStep: () => this.#letGo({ named: false }),
        expectHealing: () => this.#answerLater(),
        blame: ({ cause }) => {
          this.#cause = cause;
        },
        settle: ({ end }) => this.#settle(end),
      },
      delays: { untilNextStep: () => this.#delayMs, grace: () => this.#graceMs },
      timer: (delayMs, label, fire) => host.timer(delayMs, `recovery ${label}`, fire),
    });
    this.#chart = runner;
    const leftMs = remainingMs(this.#startedAt, mission.deadline);
    this.#timers = [
      host.timer(leftMs - this.#graceMs, 'recovery ending', () => this.#send({ type: 'budget.ending' })),
      host.timer(leftMs, 'recovery deadline', () => this.#send({ type: 'budget.spent' })),
    ];
    runner.start();
  }

  get id(): string {
    return this.mission.id;
  }

  get subject(): string {
    return this.mission.trigger.subject;
  }

  /** There is somebody to run steps. `known`: how far its journal says it came. */
  begin(known?: Progress): void {
    if (known !== undefined) {
      this.#progress = known;
      this.#opened = true;
    }
    this.#send({ type: 'begin', next: this.#next() });
  }

  /** Nobody runs its steps any more. */
  interrupt(): void {
    this.#send({ type: 'interrupted' });
  }

  /** Another trigger of the same subject: answered by this recovery if a step begins after it, else by the one after. */
  join(trigger: Trigger): Promise<RecoveryOutcome> {
    const waiting = this.#later?.waiting ?? new Deferred<RecoveryOutcome>();
    this.#later = { trigger, waiting };
    if (this.#expectsHealing) this.#answerLater();
    return waiting.promise;
  }

  /** The subject has told that it works again. */
  heal(type: EventType): void {
    const { heals } = this.mission.trigger;
    if (heals.length > 0 && !heals.includes(type)) return;
    this.#healedMeanwhile = true;
    if (this.#expectsHealing) this.#send({ type: 'healed' });
  }

  /** `false` when it is over. Cancelling again while it stops changes nothing. */
  cancel(): boolean {
    if (this.#outcome !== undefined) return false;
    this.#send({ type: 'cancel.wanted' });
    return true;
  }

  status(): RecoveryStatus {
    const { trigger, plan, deadline } = this.mission;
    const now = this.#ground.host.monotonic();
    return Object.freeze({
      recovery: this.id,
      subject: this.subject,
      state: String(this.#chart.snapshot.value),
      outcome: this.#outcome?.outcome,
      category: trigger.classification.category,
      severity: trigger.classification.severity,
      remedy: plan.remedy,
      step: this.#current?.name,
      steps: this.#steps,
      ageMs: this.#outcome?.durationMs ?? now - this.#startedAt,
      remainingMs: this.#outcome === undefined ? remainingMs(now, deadline) : 0,
      error: this.#outcome?.error,
    });
  }

  #send(event: RecoveryEvent): void {
    this.#chart.send(event);
  }

  get #graceMs(): number {
    return Math.min(GRACE_MS, this.mission.budgetMs / 10);
  }

  get #expectsHealing(): boolean {
    const { plan } = this.mission;
    return this.#progress.deferred || (plan.steps.length === 0 && plan.otherwise === 'healing');
  }

  // ── what comes next ───────────────────────────────────────────────────────────────────────

  #next(): NextMove {
    const move = nextMove(this.mission.plan, this.#progress);
    if (move === 'healing' && this.#healedMeanwhile) return 'recovered';
    return move === 'step' ? this.#whenToStep() : move;
  }

  /** Attempts at one operation are spaced, not made where the last error forbids it, nor where they could not end in time. */
  #whenToStep(): NextMove {
    const { deadline, plan, trigger } = this.mission;
    const { host } = this.#ground;
    const leftMs = deadline - this.#graceMs - host.monotonic();
    if (leftMs <= 0) return 'deadline';
    if (plan.backoff === undefined) return 'step';
    const { failed } = this.#progress;
    const backoffMs = failed === 0 ? 0 : plan.backoff.delayMs(failed, this.#delayMs, host.random);
    const { retryAfterMs = 0 } = (this.#lastFailure ?? trigger).classification;
    this.#delayMs = Math.max(backoffMs, retryAfterMs);
    if (this.#delayMs >= leftMs) return 'exhausted';
    return this.#delayMs > 0 ? 'delay' : 'step';
  }

  // ── steps ─────────────────────────────────────────────────────────────────────────────────

  #runStep(): void {
    const { plan, trigger, deadline } = this.mission;
    const { done, failed } = this.#progress;
    const planned = plan.steps[done + failed] as PlannedStep;
    const step = new StepRun(
      this.#ground,
      { ...trigger, id: this.id, deadline },
      { ...planned, attempt: done + failed + 1, opened: this.#opened },
    );
    this.#current = step;
    this.#steps += 1;
    this.#healedMeanwhile = false;
    this.#answerLater();
    try {
      this.#ground.runner?.perform(
        () => step.execute(),
        (result) => this.#settled(step, result),
      );
    } catch {
      // The runner has ended this very moment: the interruption that follows lets the step run again.
    }
  }

  #settled(step: StepRun, result: StepResult): void {
    if (this.#current !== step) return;
    this.#current = undefined;
    this.#opened = step.opened;
    this.#progress = progressed(this.#progress, result.outcome);
    const { outcome } = result;
    if (outcome === 'done') this.#value = result.value;
    else if (outcome !== 'deferred') this.#lastFailure = result;
    const { events, path } = this.#ground;
    const { id: recovery, subject } = this;
    if (events.lifecycle)
      events.emit('recovery.step_done', { path, recovery, subject, step: step.name, outcome });
    this.#send({ type: 'step.settled', next: this.#next() });
  }

  #letGo({ named }: { readonly named: boolean }): void {
    const step = this.#current;
    if (step === undefined) return;
    this.#current = undefined;
    this.#opened = step.opened;
    step.letGo();
    if (named) this.#abandoned.push(step.name);
    else step.abort(this.#errorOf('cancelled'));
  }

  // ── the end ───────────────────────────────────────────────────────────────────────────────

  /** What begins or heals from now on answers those who came before. */
  #answerLater(): void {
    if (this.#later === undefined) return;
    this.#waiters.push({ waiting: this.#later.waiting, coalesced: true });
    this.#later = undefined;
  }

  #errorOf(cause: GiveUpCause | 'cancelled'): TroupeError {
    const { subject } = this;
    const { plan, budgetMs, trigger } = this.mission;
    const { category, severity } = trigger.classification;
    const { remedy } = plan;
    const options = { cause: this.#lastFailure?.error ?? trigger.error };
    switch (cause) {
      case 'abandoned':
        return createError('ERR_RECOVERY_ABANDONED', { subject, category, severity }, options);
      case 'contained':
        return createError('ERR_RECOVERY_CONTAINED', { subject, remedy }, options);
      case 'no_step':
        return createError('ERR_RECOVERY_NO_STEP', { subject, remedy }, options);
      case 'exhausted':
        return createError('ERR_RECOVERY_EXHAUSTED', { subject, remedy, attempts: this.#steps }, options);
      case 'deadline':
        return createError('ERR_RECOVERY_DEADLINE', { subject, budgetMs }, options);
      case 'cancelled':
        return createError('ERR_RECOVERY_CANCELLED', { subject }, options);
    }
  }

  #settle(end: RecoveryEnd): void {
    const { host, events, path } = this.#ground;
    const { trigger, plan } = this.mission;
    const { id: recovery, subject } = this;
    for (const timer of this.#timers) timer.cancel();
    // Cancelling is meant for the subject, not only for the failure that was reported first.
    if (end === 'cancelled') this.#answerLater();
    const error = end === 'recovered' ? undefined : this.#errorOf(end === 'gave_up' ? this.#cause : end);
    const outcome: RecoveryOutcome = Object.freeze({
      outcome: end,
      recovery,
      subject,
      classification: trigger.classification,
      remedy: plan.remedy,
      value: end === 'recovered' ? this.#value : undefined,
      error: error === undefined ? undefined : carry(error, trigger.classification),
      coalesced: false,
      steps: this.#steps,
      abandoned: Object.freeze([...this.#abandoned]),
      durationMs: host.monotonic() - this.#startedAt,
    });
    this.#outcome = outcome;
    void this.#close(end);
    for (const { waiting, coalesced } of this.#waiters)
      waiting.resolve(coalesced ? Object.freeze({ ...outcome, value: undefined, coalesced }) : outcome);
    const { durationMs } = outcome;
    if (events.lifecycle)
      events.emit('recovery.ended', { path, recovery, subject, outcome: end, durationMs });
    this.#ground.ended(this, this.#later);
  }

  async #close(end: RecoveryEnd): Promise<void> {
    if (!this.#opened) return;
    try {
      await this.#ground.journal.append({ kind: 'ended', recovery: this.id, end });
    } catch {
      this.#ground.journalFailed();
    }
  }
}
