/**
 * What a breaker is: the chart's verdict, a window, the permits of a generation, and the one path on which every
 * admission is settled.
 *
 * Invariants: the chart decides who is let through, and is stepped in the turn of whoever settles or asks, so that the
 * failure that trips refuses the very next call. A result of an older generation moves nothing. A call through a closed
 * breaker steps no chart, and reads no clock unless it has a deadline. It runs work only in its caller.
 */
import {
  type BreakerEvent,
  type BreakerVerdict,
  circuitBreakerMachine,
} from '../../actors/circuit-breaker.machine.ts';
import { NO_DEADLINE, remainingMs } from '../base/deadline.ts';
import type { Host } from '../base/host.ts';
import type { EventStream, EventType, TroupeEvent } from '../base/telemetry.ts';
import { compileChart } from '../chart/compile.ts';
import { ChartRunner } from '../chart/runner.ts';
import { type Admission, type Settlement, Token } from './admission.ts';
import type {
  BreakerChange,
  BreakerGround,
  BreakerReport,
  BreakerState,
  StandaloneBreaker,
} from './breaker.ts';
import { BreakerNews, type Newsworthy, type Opening } from './breaker-news.ts';
import type { ResolvedBreakerOptions } from './breaker-options.ts';
import {
  BoundedCall,
  type Bounds,
  boundsOf,
  type CallScope,
  checkWork,
  type Enders,
  type Ending,
  type ExecuteOptions,
  isTimed,
  rejectLater,
  runFree,
  throwIfOver,
  type Work,
} from './call.ts';
import { type Finding, HealthCheck, type Patient } from './health-check.ts';
import { Isolation } from './isolation.ts';
import { type Judgement, judgeByDefault, judgeTelling } from './judge.ts';
import { hostTime, OpenWait, type Timekeeper, type Waiter } from './open-wait.ts';
import { Openings } from './openings.ts';
import { Outcomes } from './outcomes.ts';
import { type Doorkeeper, ProbeLine } from './probe-line.ts';
import { Probes } from './probes.ts';
import { type Refusal, type RefusalFacts, Refusals, type Refuser } from './refusal.ts';
import type { Window } from './window.ts';

const chart = /* @__PURE__ */ compileChart(circuitBreakerMachine);

export class BreakerCore
  implements StandaloneBreaker, CallScope, Settlement, Waiter, Newsworthy, Refuser, Doorkeeper, Patient
{
  readonly kind = 'breaker';
  readonly name: string;
  readonly where: string;
  readonly host: Host;
  readonly events: EventStream;
  readonly options: ResolvedBreakerOptions;
  readonly unref: boolean;
  readonly window: Window;
  readonly #judge: (ending: Ending) => Judgement;
  readonly #runner;
  readonly #wait: OpenWait;
  readonly #news: BreakerNews;
  readonly #openings: Openings;
  readonly #isolation: Isolation;
  readonly #probes: Probes;
  readonly #refusals: Refusals;
  readonly #outcomes: Outcomes;
  readonly #line: ProbeLine;
  readonly #health: HealthCheck | undefined;
  #verdict: BreakerVerdict = 'refuse';
  /** Whether a call that nothing bounds needs neither a token nor a clock. */
  #free = false;
  #generation = 0;
  #enders!: Enders;
  #retired = false;
  #changedAtMs = 0;
  #stale = 0;

  constructor({ host, events, path, placed = false }: BreakerGround, options: ResolvedBreakerOptions) {
    this.name = path;
    this.where = `breaker ${path}`;
    this.host = host;
    this.events = events;
    this.options = options;
    this.unref = options.unref;
    const { judge, healthCheck, halfOpenQueueLimit: queueLimit, halfOpenMaxWaitMs: maxWaitMs } = options;
    this.#judge = judgeTelling(judge, (error) => this.#news.optionFailed('judge', error));
    this.window = options.window.create(host);
    this.#wait = new OpenWait(this);
    this.#news = new BreakerNews(this);
    const failed = (error: unknown): void => this.#news.optionFailed('openMs', error);
    this.#openings = new Openings(host, this.#wait, options.openFor({ random: host.random, failed }));
    this.#probes = new Probes(this);
    this.#refusals = new Refusals(this, this.#wait, options.refusals === 'shared');
    const send = (event: BreakerEvent): void => this.#send(event);
    this.#outcomes = new Outcomes({ host, options, window: this.window, probes: this.#probes, send });
    this.#line = new ProbeLine(this, { queueLimit, maxWaitMs });
    this.#health = healthCheck && new HealthCheck(this, healthCheck, placed ? undefined : hostTime(this));
    this.#isolation = new Isolation((type) => this.#send({ type }));
    this.#runner = new ChartRunner({
      chart,
      perform: {
        decide: ({ verdict }) => {
          this.#verdict = verdict;
          this.#free = verdict === 'bypass' || (verdict === 'admit' && options.window.slowMs === NO_DEADLINE);
        },
        beginGeneration: () => this.#beginGeneration(),
        clearWindow: () => {
          this.window.clear();
          this.#openings.closed();
        },
        startWaiting: () => this.#openings.begin(this.#outcomes.failures),
        stopWaiting: () => this.#wait.stop(),
        grantPermits: () => this.#probes.grant(),
        revokePermits: () => this.#probes.revoke(),
        retire: () => {
          this.#retired = true;
        },
        announce: ({ fact }) => this.#news.note(fact),
      },
      onStep: ({ snapshot }, { type: event }) => this.#news.stepped(String(snapshot.value), event),
    });
    this.#runner.start();
  }

  // ── admission ────────────────────────────────────────────────────────────────────────────────────────────

  execute<T>(work: Work<T>, options?: ExecuteOptions): Promise<T> {
    if (options === undefined && this.#free && typeof work === 'function') return runFree(work, this.#enders);
    try {
      checkWork(this, work);
      const bounds = boundsOf(this, options);
      throwIfOver(this, bounds);
      const token = this.#isQueued() ? undefined : this.#admitCall(bounds);
      if (token !== undefined) return this.#runBounded(work, bounds, token);
      if (this.#verdict === 'permits') {
        if (this.#line.hasRoom) return this.#line.join(bounds, (left) => this.#enter(work, left));
        this.#news.lineFull(this.#line.size);
      }
      return this.#refuse().reject();
    } catch (error) {
      return rejectLater(error);
    }
  }

  admit(options?: ExecuteOptions): Admission {
    const bounds = boundsOf(this, options);
    throwIfOver(this, bounds);
    const leftMs = isTimed(bounds) ? remainingMs(this.host.monotonic(), bounds.deadline) : undefined;
    const token = this.#isQueued() ? undefined : this.#admit(leftMs ?? this.options.watchdogMs);
    if (token === undefined) return { admitted: false, error: this.#refuse().error };
    if (bounds.signal !== undefined) token.watchSignal(bounds.signal);
    return token;
  }

  /** Nobody overtakes those in line. */
  #isQueued(): boolean {
    return this.#verdict === 'permits' && this.#line.size > 0;
  }

  /** A deadline of its own settles the call in time: no second timer is needed. */
  #admitCall(bounds: Bounds): Token | undefined {
    return this.#admit(isTimed(bounds) ? undefined : this.options.watchdogMs);
  }

  /** Lets a call through, or gives `undefined`. */
  #admit(watchdogMs: number | undefined): Token | undefined {
    if (this.#verdict === 'refuse') this.waitElapsed();
    if (this.#verdict === 'admit' || this.#verdict === 'bypass')
      return new Token(this, this.#generation, false);
    if (this.#verdict === 'refuse' || this.#probes.size >= this.options.halfOpenPermits) return undefined;
    const probe = new Token(this, this.#generation, true);
    this.#probes.send(probe, watchdogMs);
    return probe;
  }

  /** Whoever has waited in line: let through, or refused for what has been decided meanwhile. */
  #enter<T>(work: Work<T>, bounds: Bounds): Promise<T> {
    const token = this.#admitCall(bounds);
    return token === undefined ? this.#refuse().reject() : this.#runBounded(work, bounds, token);
  }

  isDecided(): boolean {
    return this.#verdict !== 'permits' || this.#probes.size < this.options.halfOpenPermits;
  }

  refusal(): unknown {
    return this.#refuse().error;
  }

  #refuse(): Refusal {
    if (this.events.active) {
      this.events.emit('breaker.rejected', { path: this.name, state: this.#state() });
      this.#wait.armIfWatched();
    }
    return this.#refusals.next();
  }

  whyRefused(): RefusalFacts {
    const { failures, lastCause: cause } = this.#outcomes;
    const [retired, probing, isolated] = [this.#retired, this.#verdict === 'permits', this.#isolation.held];
    return { retired, probing, isolated, openMs: this.#openings.openMs, failures, cause };
  }

  // ── running ──────────────────────────────────────────────────────────────────────────────────────────────

  #runBounded<T>(work: Work<T>, bounds: Bounds, token: Token): Promise<T> {
    const { slowMs } = this.options.window;
    const slowFromMs = slowMs === NO_DEADLINE ? NO_DEADLINE : this.host.monotonic() + slowMs;
    return new BoundedCall<T>(this, bounds, (ending) => {
      const judgement = this.#judge(ending);
      const slow =
        judgement === 'success' && slowFromMs !== NO_DEADLINE && this.host.monotonic() > slowFromMs;
      token.settle(slow ? 'slow' : judgement, ending.kind === 'returned' ? undefined : ending.error);
    }).run(work);
  }

  /** What ends the calls of one generation that nothing bounds: made once for all of them. */
  #makeEnders(): Enders {
    const generation = this.#generation;
    const judged = this.options.judge !== judgeByDefault;
    const counted = this.#verdict === 'admit';
    return {
      returned: (value) => {
        if (judged) this.#settle(generation, this.#judge({ kind: 'returned', value }), undefined);
        else if (generation !== this.#generation) this.#stale += 1;
        else if (counted) this.window.succeeded();
        return value;
      },
      threw: (error) => {
        this.#settle(generation, this.#judge({ kind: 'threw', error }), error);
        throw error;
      },
    };
  }

  // ── settlement ───────────────────────────────────────────────────────────────────────────────────────────

  settled(token: Token, judgement: Judgement, cause: unknown): boolean {
    this.#probes.returned(token);
    const counted = this.#settle(token.generation, judgement, cause);
    this.#line.serve();
    return counted;
  }

  succeed(): void {
    this.#record('success', undefined);
  }

  fail(cause?: unknown): void {
    this.#record('failure', cause);
  }

  #settle(generation: number, judgement: Judgement, cause: unknown): boolean {
    if (generation !== this.#generation) {
      this.#stale += 1;
      return false;
    }
    this.#record(judgement, cause);
    return true;
  }

  #record(judgement: Judgement, cause: unknown): void {
    this.#outcomes.record(this.#verdict, judgement, cause);
  }

  // ── the chart, and what it asks for ──────────────────────────────────────────────────────────────────────

  reset(): void {
    this.#send({ type: 'reset' });
  }

  isolate(): () => void {
    return this.#isolation.hold();
  }

  disable(): void {
    if (!this.#isolation.held) this.#send({ type: 'disable' });
  }

  observe(): void {
    if (!this.#isolation.held) this.#send({ type: 'observe' });
  }

  resume(): void {
    if (!this.#isolation.held) this.#send({ type: 'resume' });
  }

  dispose(): void {
    this.#send({ type: 'dispose' });
    this.#health?.dispose();
    this.#news.forget();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #send(event: BreakerEvent): void {
    const before = this.#generation;
    this.#runner.send(event);
    if (this.#generation === before) return;
    this.#news.publish();
    this.#health?.follow();
    this.#line.serve();
  }

  #beginGeneration(): void {
    this.#generation += 1;
    this.#changedAtMs = this.host.monotonic();
    this.#refusals.forget();
    this.#enders = this.#makeEnders();
  }

  exportState(): BreakerState {
    return this.#openings.exportState(this.#verdict === 'permits');
  }

  /** Goes on where an exported one stood: what it had left to wait has gone on passing. */
  restore(state: BreakerState): void {
    if (state.retryAt === null) return;
    this.#outcomes.failures = state.failures;
    this.#send({ type: 'restore' });
    this.#openings.restore(state, state.retryAt);
  }

  // ── waiting ──────────────────────────────────────────────────────────────────────────────────────────────

  /** Whether the wait is over is the chart's to say; it is not asked before it can be. */
  waitElapsed(): void {
    const openUntilMs = this.#wait.untilMs;
    const nowMs = this.host.monotonic();
    if (nowMs >= openUntilMs) this.#send({ type: 'wait.elapsed', nowMs, openUntilMs });
  }

  /** A check found it well before the wait was over; that is the first probe's success. */
  recover(): void {
    this.#send({ type: 'check.succeeded' });
    this.#record('success', undefined);
  }

  /** A check is made. */
  checked(finding: Finding): void {
    this.#news.checked(finding);
  }

  isWatched(): boolean {
    return this.#news.isHeard;
  }

  /** Lets an actor keep its time from now on. Returns the function that ends that. */
  keepTime(timekeeper: Timekeeper): () => void {
    const letGo = this.#wait.keepTime(timekeeper);
    this.#health?.keepTime(timekeeper);
    return () => {
      letGo();
      this.#health?.keepTime(undefined);
    };
  }

  // ── watching ─────────────────────────────────────────────────────────────────────────────────────────────

  onChange(listener: (change: BreakerChange) => void): () => void {
    const unlisten = this.#news.listen(listener);
    this.#wait.armIfWatched();
    return unlisten;
  }

  on<T extends EventType>(type: T, listener: (event: Extract<TroupeEvent, { type: T }>) => void): () => void {
    const unlisten = this.events.on(type, listener);
    this.#wait.armIfWatched();
    return unlisten;
  }

  opening(): Opening {
    const { failures, cause } = this.#outcomes;
    return { retryAtMs: this.#wait.retryAt, openMs: this.#openings.openMs, failures, cause };
  }

  inspect(): BreakerReport {
    return Object.freeze({
      name: this.name,
      ...this.change(),
      ...this.window.counts(),
      openUntilMs: this.#wait.leftMs === undefined ? undefined : this.#wait.untilMs,
      probes: this.#probes.size,
      waiting: this.#line.size,
      successes: this.#probes.successes,
      lastFailureAtMs: this.#outcomes.lastFailureAtMs,
      changedAtMs: this.#changedAtMs,
      rejected: this.#refusals.total,
      stale: this.#stale,
      openings: this.#openings.total,
      critical: this.options.critical,
    });
  }

  change(): BreakerChange {
    return Object.freeze({
      state: this.#state(),
      verdict: this.#verdict,
      generation: this.#generation,
      retryAfterMs: this.#wait.leftMs,
    });
  }

  #state(): string {
    return String(this.#runner.snapshot.value);
  }
}
