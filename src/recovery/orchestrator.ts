/**
 * All recoveries of one orchestrator: who is admitted, which subject is at it already, what has become of the others.
 *
 * Invariants: at most one recovery a subject, at most so many at once; a trigger is answered by a recovery that acts after it,
 * or refused; nothing that ended is counted twice. It lives as long as its place in the tree: its actor lends it turns in
 * which steps run, and may crash and come back. It runs no step itself.
 */
import { deadlineIn, sooner } from '../base/deadline.ts';
import { createError, type TroupeError } from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import type { EventStream, EventType } from '../base/telemetry.ts';
import type { Spec } from '../kernel/spec.ts';
import {
  type Classification,
  type Classifier,
  createClassifier,
  type FailureContext,
  reviveClassification,
} from './classification.ts';
import { type Journal, type JournalEntry, MemoryJournal, progressIn } from './journal.ts';
import { Deferred, type RecoveryOutcome, type RecoveryStatus, type Trigger } from './outcome.ts';
import { OBSERVE, type Plan, planFor, remedyFor } from './plan.ts';
import { entryFor } from './playbook.ts';
import { budgetFor, type ResolvedRecoveryOptions } from './recovery-options.ts';
import { type Later, RecoveryRun, type RunGround, type StepRunner, type Waiter } from './recovery-run.ts';
import type { StepRun } from './step-run.ts';

/** What a report is answered at once. */
export interface Reported<T = unknown> {
  /** The recovery that is to answer it, or under way; `undefined` where it is refused. */
  readonly recovery: string | undefined;
  /** Whether a recovery of the subject was under way already. */
  readonly coalesced: boolean;
  /** Never rejects. */
  readonly done: Promise<RecoveryOutcome<T>>;
}

/** Since the place was made; times in ms. */
export interface RecoveryMetrics {
  readonly initiated: number;
  readonly recovered: number;
  readonly gaveUp: number;
  readonly cancelled: number;
  readonly active: number;
  /** Triggers that found a recovery of their subject under way. */
  readonly coalesced: number;
  readonly refused: number;
  /** Time from admission to end, over all that ended. */
  readonly totalMs: number;
  readonly avgMs: number;
  /** Recovered of all that ended; 0 when none has. */
  readonly successRate: number;
  /** Entries that the journal did not take. */
  readonly journalFailures: number;
}

/** What an orchestrator stands on. */
export interface OrchestratorGround {
  readonly host: Host;
  readonly events: EventStream;
  readonly path: string;
  get<H>(spec: Spec<H>): H;
}

/** A subject's own wait is never waited out for longer than this, ms: what says more is not believed. */
const OWN_WAIT_MAX_MS = 300_000;

export class Orchestrator implements RunGround {
  readonly host: Host;
  readonly events: EventStream;
  readonly path: string;
  readonly journal: Journal;
  readonly stragglers = new Set<StepRun>();
  readonly options: ResolvedRecoveryOptions;
  readonly #ground: OrchestratorGround;
  readonly #classifier: Pick<Classifier, 'classify'>;
  readonly #bySubject = new Map<string, RecoveryRun>();
  readonly #byId = new Map<string, RecoveryRun>();
  readonly #history = new Map<string, RecoveryStatus>();
  /** Makes ids unique beyond this process, so that a journal that outlives it confuses none of them. */
  readonly #suffix: string;
  /** The latest that asked to run steps. */
  #attaching: StepRunner | undefined;
  #runner: StepRunner | undefined;
  #closing: Deferred<void> | undefined;
  readonly #counts = {
    initiated: 0,
    recovered: 0,
    gave_up: 0,
    cancelled: 0,
    coalesced: 0,
    refused: 0,
    totalMs: 0,
    journalFailures: 0,
  };

  constructor(ground: OrchestratorGround, options: ResolvedRecoveryOptions) {
    const { host, events, path } = ground;
    this.#ground = ground;
    this.host = host;
    this.events = events;
    this.path = path;
    this.options = options;
    this.journal = options.journal ?? new MemoryJournal();
    this.#classifier = options.classifier ?? createClassifier({ wall: () => host.wall() });
    this.#suffix = host.random.below(36 ** 6).toString(36);
  }

  get runner(): StepRunner | undefined {
    return this.#runner;
  }

  classify(error: unknown, context: FailureContext): Classification {
    return this.#classifier.classify(error, context);
  }

  get<H>(spec: Spec<H>): H {
    return this.#ground.get(spec);
  }

  journalFailed(): void {
    this.#counts.journalFailures += 1;
  }

  // ── the actor comes and goes ──────────────────────────────────────────────────────────────

  /**
   * Takes up what is unfinished, and runs steps by `runner` from now on. `false`: while the journal was read, `runner` ended or
   * another one came; it must not act here any more.
   */
  async attach(runner: StepRunner, ended: AbortSignal): Promise<boolean> {
    this.#attaching = runner;
    const entries = await this.journal.unfinished(this.path);
    if (ended.aborted || this.#attaching !== runner) return false;
    this.#closing = undefined;
    const byRecovery = new Map<string, JournalEntry[]>();
    for (const entry of entries) {
      const of = byRecovery.get(entry.recovery);
      if (of === undefined) byRecovery.set(entry.recovery, [entry]);
      else of.push(entry);
    }
    for (const [recovery, known] of byRecovery) if (!this.#byId.has(recovery)) this.#revive(recovery, known);
    this.#runner = runner;
    for (const run of [...this.#byId.values()]) {
      const known = byRecovery.get(run.id);
      run.begin(known === undefined ? undefined : progressIn(known));
    }
    return true;
  }

  /** Nobody runs steps until the next {@link attach}. */
  detach(): void {
    this.#runner = undefined;
    for (const run of [...this.#byId.values()]) run.interrupt();
  }

  /** Admits nothing more and cancels all; resolves when all have ended. */
  close(): Promise<void> {
    this.#closing ??= new Deferred();
    const { promise } = this.#closing;
    for (const run of [...this.#byId.values()]) run.cancel();
    this.#closeIfDone();
    return promise;
  }

  #closeIfDone(): void {
    if (this.#byId.size === 0) this.#closing?.resolve();
  }

  // ── admission ─────────────────────────────────────────────────────────────────────────────

  /** Answers a trigger by a recovery, new or under way, or refuses it. */
  admit(trigger: Trigger): Reported {
    const active = this.#bySubject.get(trigger.subject);
    if (active !== undefined) return this.#coalesce(active, trigger);
    const plan = this.#planFor(trigger);
    const refusal = this.#refusal(trigger, plan);
    if (refusal !== undefined) return this.#refuse(trigger, plan, refusal);
    const waiting = new Deferred<RecoveryOutcome>();
    const run = this.#start(this.#newId(), trigger, plan, { waiting, coalesced: false });
    return { recovery: run.id, coalesced: false, done: waiting.promise };
  }

  #coalesce(active: RecoveryRun, trigger: Trigger): Reported {
    this.#counts.coalesced += 1;
    const { path, events } = this;
    const { id: recovery, subject } = active;
    if (events.active) events.emit('recovery.coalesced', { path, recovery, subject });
    return { recovery, coalesced: true, done: active.join(trigger) };
  }

  /** A remedy for what was reported; for what tells of itself also, if the playbook has one, else its own healing. */
  #planFor(trigger: Trigger): Plan {
    const { playbook, circuits, retryBackoff: backoff } = this.options;
    const { subject, classification, operation } = trigger;
    const entry = entryFor(playbook, subject);
    const tellsOfItself = trigger.heals.length > 0;
    if (tellsOfItself && entry === undefined) return OBSERVE;
    const plan = planFor(remedyFor(classification, entry), entry, { operation, circuits, backoff });
    return tellsOfItself && plan.otherwise === 'no_step' && plan.steps.length === 0 ? OBSERVE : plan;
  }

  #refusal({ subject, heals }: Trigger, plan: Plan): TroupeError | undefined {
    if (this.#closing !== undefined) return createError('ERR_STOPPING', { target: this.path });
    // Nobody waits for the answer to an event, and nobody is there to act on it.
    if (this.#runner === undefined && heals.length > 0)
      return createError('ERR_RESTARTING', { target: this.path, retryAfterMs: 0 });
    const { maxConcurrent, maxObserved } = this.options;
    const observes = plan === OBSERVE;
    const limit = observes ? maxObserved : maxConcurrent;
    let running = 0;
    for (const run of this.#byId.values()) if ((run.mission.plan === OBSERVE) === observes) running += 1;
    return running < limit ? undefined : createError('ERR_RECOVERY_CAPACITY', { subject, limit });
  }

  #refuse({ subject, classification }: Trigger, plan: Plan, error: TroupeError): Reported {
    this.#counts.refused += 1;
    const { path, events } = this;
    if (events.lifecycle) events.emit('recovery.refused', { path, subject, why: error.code });
    const outcome: RecoveryOutcome = Object.freeze({
      outcome: 'refused',
      recovery: undefined,
      subject,
      classification,
      remedy: plan.remedy,
      value: undefined,
      error,
      coalesced: false,
      steps: 0,
      abandoned: [],
      durationMs: 0,
    });
    return { recovery: undefined, coalesced: false, done: Promise.resolve(outcome) };
  }

  #newId(): string {
    return `${this.host.newId('recovery')}.${this.#suffix}`;
  }

  #budgetMs({ classification, ownWaitMs }: Trigger, plan: Plan): number {
    const { severity, userFacing } = classification;
    const budgetMs = budgetFor(this.options.budgets, severity, userFacing);
    // What means to stay shut for a while cannot heal sooner: it is watched from then on.
    return plan === OBSERVE ? budgetMs + Math.min(Math.max(0, ownWaitMs), OWN_WAIT_MAX_MS) : budgetMs;
  }

  #start(id: string, trigger: Trigger, plan: Plan, first: Waiter): RecoveryRun {
    const budgetMs = this.#budgetMs(trigger, plan);
    const deadline = sooner(deadlineIn(this.host.monotonic(), budgetMs), trigger.deadline);
    const run = new RecoveryRun(this, { id, trigger, plan, budgetMs, deadline }, first);
    this.#byId.set(id, run);
    this.#bySubject.set(trigger.subject, run);
    this.#counts.initiated += 1;
    const { category, severity } = trigger.classification;
    const { path, events } = this;
    const { subject } = trigger;
    const { remedy } = plan;
    if (events.lifecycle)
      events.emit('recovery.started', { path, recovery: id, subject, category, severity, remedy });
    if (this.#runner !== undefined) run.begin();
    return run;
  }

  /** A recovery that another process, or an earlier life of this place, left unfinished. */
  #revive(recovery: string, entries: readonly JournalEntry[]): void {
    const [opened] = entries;
    if (opened?.kind !== 'opened') return;
    const { subject } = opened;
    if (this.#bySubject.has(subject)) {
      // Somebody reported it anew: that one sees to it.
      void Promise.resolve(this.journal.append({ kind: 'ended', recovery, end: 'cancelled' })).catch(() =>
        this.journalFailed(),
      );
      return;
    }
    const classification = reviveClassification(opened.classification);
    const leftMs = entries.reduce((left, entry) => ('remainingMs' in entry ? entry.remainingMs : left), 0);
    const trigger: Trigger = {
      subject,
      error: undefined,
      classification,
      context: {},
      operation: undefined,
      heals: [],
      ownWaitMs: 0,
      deadline: deadlineIn(this.host.monotonic(), leftMs),
    };
    const waiter = { waiting: new Deferred<RecoveryOutcome>(), coalesced: false };
    this.#start(recovery, trigger, this.#planFor(trigger), waiter);
  }

  // ── ends ──────────────────────────────────────────────────────────────────────────────────

  ended(run: RecoveryRun, later: Later | undefined): void {
    this.#byId.delete(run.id);
    this.#bySubject.delete(run.subject);
    const status = run.status();
    this.#remember(status);
    if (status.outcome !== undefined && status.outcome !== 'refused') this.#counts[status.outcome] += 1;
    this.#counts.totalMs += status.ageMs;
    if (later !== undefined) this.#followUp(later);
    this.#closeIfDone();
  }

  /** One recovery more for all triggers that the last one could not answer. It has the place of the one that ended. */
  #followUp({ trigger, waiting }: Later): void {
    const plan = this.#planFor(trigger);
    const refusal = this.#refusal(trigger, plan);
    if (refusal === undefined) this.#start(this.#newId(), trigger, plan, { waiting, coalesced: true });
    else void this.#refuse(trigger, plan, refusal).done.then((outcome) => waiting.resolve(outcome));
  }

  #remember(status: RecoveryStatus): void {
    this.#history.set(status.recovery, status);
    for (const oldest of this.#history.keys()) {
      if (this.#history.size <= this.options.historyLimit) break;
      this.#history.delete(oldest);
    }
  }

  // ── questions ─────────────────────────────────────────────────────────────────────────────

  /** A subject has told that it works again. */
  heal(subject: string, by: EventType): void {
    this.#bySubject.get(subject)?.heal(by);
  }

  /** @throws ERR_RECOVERY_UNKNOWN */
  status(recovery: string): RecoveryStatus {
    const known = this.#byId.get(recovery)?.status() ?? this.#history.get(recovery);
    if (known === undefined) throw createError('ERR_RECOVERY_UNKNOWN', { recovery });
    return known;
  }

  cancel(recovery: string): boolean {
    return this.#byId.get(recovery)?.cancel() ?? false;
  }

  active(): readonly RecoveryStatus[] {
    return [...this.#byId.values()].map((run) => run.status());
  }

  recent(): readonly RecoveryStatus[] {
    return [...this.#history.values()];
  }

  metrics(): RecoveryMetrics {
    const { initiated, recovered, gave_up: gaveUp, cancelled, coalesced, refused, totalMs } = this.#counts;
    const ended = recovered + gaveUp + cancelled;
    return Object.freeze({
      initiated,
      recovered,
      gaveUp,
      cancelled,
      active: this.#byId.size,
      coalesced,
      refused,
      totalMs,
      avgMs: ended === 0 ? 0 : totalMs / ended,
      successRate: ended === 0 ? 0 : recovered / ended,
      journalFailures: this.#counts.journalFailures,
    });
  }
}
