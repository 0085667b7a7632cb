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
import type { TroupeError } from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import { refuse } from '../base/options.ts';
import type { EventStream, EventType, TroupeEvent } from '../base/telemetry.ts';
import { compileChart } from '../chart/compile.ts';
import { ChartRunner } from '../chart/runner.ts';
import { type Admission, type Settlement, Token } from './admission.ts';
import type { BreakerChange, BreakerReport, BreakerState, StandaloneBreaker } from './breaker.ts';
import { BreakerNews, type Newsworthy, type Opening } from './breaker-news.ts';
import type { ResolvedBreakerOptions } from './breaker-options.ts';
import {
  BoundedCall,
  type Bounds,
  boundsOf,
  type CallScope,
  type Enders,
  type Ending,
  type ExecuteOptions,
  isTimed,
  rejectLater,
  runFree,
  throwIfOver,
  type Work,
} from './call.ts';
import { Isolation } from './isolation.ts';
import { type Judgement, judgeByDefault, judgeSafely } from './judge.ts';
import { OpenWait, type Timekeeper, type Waiter } from './open-wait.ts';
import { Openings } from './openings.ts';
import { Probes } from './probes.ts';
import { disposedError, isolatedError, openError, probingError, SharedRefusal } from './refusal.ts';
import type { Window } from './window.ts';

/** What a core stands on. */
export interface BreakerGround {
  readonly host: Host;
  readonly events: EventStream;
  /** Its name, or its place in the tree. */
  readonly path: string;
}

const chart = /* @__PURE__ */ compileChart(circuitBreakerMachine);

export class BreakerCore implements StandaloneBreaker, CallScope, Settlement, Waiter, Newsworthy {
  readonly kind = 'breaker';
  readonly name: string;
  readonly where: string;
  readonly host: Host;
  readonly events: EventStream;
  readonly options: ResolvedBreakerOptions;
  readonly #window: Window;
  readonly #judge: (ending: Ending) => Judgement;
  readonly #runner;
  readonly #wait: OpenWait;
  readonly #news: BreakerNews;
  readonly #openings: Openings;
  readonly #isolation: Isolation;
  readonly #probes: Probes;
  #verdict: BreakerVerdict = 'refuse';
  /** Whether a call that nothing bounds needs neither a token nor a clock. */
  #free = false;
  #generation = 0;
  #enders!: Enders;
  #refusal: SharedRefusal | undefined = undefined;
  #retired = false;
  /** What the step under way is about, for the fact that it announces. */
  #cause: unknown = undefined;
  /** The failure that opened it last, for those whom it refuses. */
  #lastCause: unknown = undefined;
  #failures = 0;
  #lastFailureAtMs: number | undefined = undefined;
  #changedAtMs = 0;
  #rejected = 0;
  #stale = 0;

  constructor({ host, events, path }: BreakerGround, options: ResolvedBreakerOptions) {
    this.name = path;
    this.where = `breaker ${path}`;
    this.host = host;
    this.events = events;
    this.options = options;
    const { judge } = options;
    this.#judge =
      judge === judgeByDefault
        ? judge
        : (ending) => judgeSafely(judge, ending, (error) => this.#news.judgeFailed(error));
    this.#window = options.window.create(host);
    this.#wait = new OpenWait(this);
    this.#news = new BreakerNews(this);
    this.#openings = new Openings(host, this.#wait, options.openFor);
    this.#probes = new Probes(this);
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
          this.#window.clear();
          this.#openings.closed();
        },
        startWaiting: () => this.#openings.begin(this.#failures),
        stopWaiting: () => this.#wait.stop(),
        grantPermits: () => this.#probes.grant(),
        revokePermits: () => this.#probes.revoke(),
        retire: () => {
          this.#retired = true;
        },
        announce: ({ fact }) => this.#news.note(fact),
      },
    });
    this.#runner.start();
  }

  // ── admission ────────────────────────────────────────────────────────────────────────────────────────────

  execute<T>(work: Work<T>, options?: ExecuteOptions): Promise<T> {
    if (options === undefined && this.#free && typeof work === 'function') return runFree(work, this.#enders);
    try {
      if (typeof work !== 'function') refuse(this.where, 'work', 'a function', work);
      const bounds = boundsOf(this, options);
      throwIfOver(this, bounds);
      // A deadline of its own settles the call in time: no second timer is needed.
      const token = this.#admit(isTimed(bounds) ? undefined : this.options.watchdogMs);
      return token === undefined ? this.#refuse().reject() : this.#runBounded(work, bounds, token);
    } catch (error) {
      return rejectLater(error);
    }
  }

  admit(options?: ExecuteOptions): Admission {
    const bounds = boundsOf(this, options);
    throwIfOver(this, bounds);
    const leftMs = isTimed(bounds) ? remainingMs(this.host.monotonic(), bounds.deadline) : undefined;
    const token = this.#admit(leftMs ?? this.options.watchdogMs);
    if (token === undefined) return { admitted: false, error: this.#refuse().error };
    if (bounds.signal !== undefined) token.watchSignal(bounds.signal);
    return token;
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

  #refuse(): SharedRefusal {
    this.#rejected += 1;
    if (this.events.active) {
      this.events.emit('breaker.rejected', { path: this.name, state: this.#state() });
      this.#wait.armIfWatched();
    }
    this.#refusal ??= new SharedRefusal(this.#refusalError());
    return this.#refusal;
  }

  #refusalError(): TroupeError {
    const breaker = this.name;
    if (this.#retired) return disposedError(breaker);
    if (this.#verdict === 'permits') return probingError(breaker);
    if (this.#isolation.held) return isolatedError(breaker);
    const facts = { breaker, openMs: this.#openings.openMs, failures: this.#failures };
    return openError(facts, this.#wait, this.#lastCause);
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
        else if (counted) this.#window.succeeded();
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
    return this.#settle(token.generation, judgement, cause);
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
    if (judgement === 'neutral') return;
    const failed = judgement === 'failure';
    if (failed) this.#lastFailureAtMs = this.host.monotonic();
    if (this.#verdict === 'admit') {
      if (judgement === 'success') this.#window.succeeded();
      else if (failed ? this.#window.failed() : this.#window.slow()) this.#trip(cause);
    } else if (this.#verdict === 'permits') {
      // A slow probe says that it is not well yet, if slowness is a reason to open.
      if (failed || (judgement === 'slow' && this.options.window.slowMs !== NO_DEADLINE))
        this.#probeFailed(cause);
      else this.#probeSucceeded();
    }
  }

  #trip(cause: unknown): void {
    const { failures, slow } = this.#window.counts();
    this.#failures = failures + slow;
    this.#open({ type: 'window.tripped' }, cause);
  }

  #probeFailed(cause: unknown): void {
    this.#probes.failures += 1;
    this.#failures = this.#probes.failures;
    const { probeCalls, successThreshold } = this.options;
    const failuresAllowed = probeCalls - successThreshold;
    this.#open({ type: 'probe.failed', failures: this.#failures, failuresAllowed }, cause);
  }

  #open(event: BreakerEvent, cause: unknown): void {
    this.#cause = cause;
    this.#lastCause = cause;
    this.#send(event);
    this.#cause = undefined;
  }

  #probeSucceeded(): void {
    this.#probes.successes += 1;
    const { successThreshold } = this.options;
    this.#send({ type: 'probe.succeeded', successes: this.#probes.successes, successThreshold });
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
    this.#news.forget();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #send(event: BreakerEvent): void {
    const before = this.#generation;
    this.#runner.send(event);
    if (this.#generation !== before) this.#news.publish();
  }

  #beginGeneration(): void {
    this.#generation += 1;
    this.#changedAtMs = this.host.monotonic();
    this.#refusal = undefined;
    this.#enders = this.#makeEnders();
  }

  exportState(): BreakerState {
    return this.#openings.exportState(this.#verdict === 'permits');
  }

  /** Goes on where an exported one stood: what it had left to wait has gone on passing. */
  restore(state: BreakerState): void {
    if (state.retryAt === null) return;
    this.#failures = state.failures;
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

  isWatched(): boolean {
    return this.#news.isHeard;
  }

  /** Lets an actor keep its time from now on. Returns the function that ends that. */
  keepTime(timekeeper: Timekeeper): () => void {
    return this.#wait.keepTime(timekeeper);
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
    const { retryAt } = this.#wait;
    return {
      retryAtMs: retryAt,
      openMs: this.#openings.openMs,
      failures: this.#failures,
      cause: this.#cause,
    };
  }

  inspect(): BreakerReport {
    const { calls, failures, slow } = this.#window.counts();
    return Object.freeze({
      name: this.name,
      ...this.change(),
      openUntilMs: this.#wait.leftMs === undefined ? undefined : this.#wait.untilMs,
      calls,
      failures,
      slow,
      probes: this.#probes.size,
      successes: this.#probes.successes,
      lastFailureAtMs: this.#lastFailureAtMs,
      changedAtMs: this.#changedAtMs,
      rejected: this.#rejected,
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
