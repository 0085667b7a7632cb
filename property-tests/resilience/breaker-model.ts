/**
 * What a breaker should do, as a sequential fold with generations and virtual time: the model that the real one is held
 * against. It shares no code with it.
 */

/** The requirements; each branch of the model notes the one it fulfils, and a run must have met them all. */
export const REQUIREMENTS = {
  B01: 'closed: a call enters',
  B02: 'closed: an outcome is folded into the window in the order of endings',
  B03: 'closed: the window trips',
  B04: 'open: no call enters before the wait is over',
  B05: 'open: the first admission after the wait half-opens',
  B06: 'open: the timer half-opens for whoever watches',
  B07: 'half-open: a permit is taken',
  B08: 'half-open: no call enters beyond the permits',
  B09: 'half-open: enough successes close',
  B10: 'half-open: too many failures open again',
  B11: 'half-open: a success that is not yet enough frees its permit',
  B12: 'half-open: neutral frees its permit and counts for nothing',
  B13: 'half-open: a probe that nobody settles fails by its watchdog',
  B14: 'a result of an older generation moves nothing',
  B15: 'a second settlement moves nothing',
  B16: 'a deadline ends a call, as a failure',
  B17: "the caller's abort ends a call, as neutral",
  B18: 'reset closes with nothing counted',
  B19: 'a manual record counts in closed and half-open',
  B20: 'a manual record while open moves nothing',
  B21: 'what is over before it begins neither enters nor counts',
  B22: 'inputs that are wrong are refused and change nothing',
  B23: 'half-open: a failure that is allowed frees its permit',
  B24: 'isolated: no call enters, and a reset changes nothing',
  B25: 'isolated: only the last release closes it',
  B26: 'disabled: calls enter and nothing is counted',
  B27: 'observing: calls enter, and a trip only counts anew',
  B28: 'resumed: closed with nothing counted',
  B29: 'half-open: beyond the permits a call waits in line, if there is room',
  B30: 'a permit that comes back goes to the first in line',
  B31: 'a line is let through when it closes',
  B32: 'a line is refused when it opens, or is isolated',
  B33: 'in line: the abort, the deadline and the longest wait end it at once, and count for nothing',
} as const;

export type Requirement = keyof typeof REQUIREMENTS;

export interface Setting {
  readonly window:
    | { readonly kind: 'consecutive'; readonly failures: number }
    | {
        readonly kind: 'count';
        readonly size: number;
        readonly minimumCalls: number;
        readonly failureRate: number;
      }
    | {
        readonly kind: 'time';
        readonly windowMs: number;
        readonly minimumCalls: number;
        readonly failureRate: number;
      };
  readonly openMs: number;
  readonly halfOpenPermits: number;
  readonly successThreshold: number;
  readonly probeCalls: number;
  readonly watchdogMs: number;
  readonly halfOpenQueueLimit: number;
  readonly halfOpenMaxWaitMs: number;
  /** Whether somebody listens, so that a timer half-opens. */
  readonly watched: boolean;
}

export type Result =
  | 'pending'
  | 'value'
  | 'thrown'
  | 'aborted'
  | 'ERR_DEADLINE_PASSED'
  | 'token'
  | 'ended'
  | Refusal;

/** A call or a token that was let through. */
export interface Out {
  generation: number;
  probe: boolean;
  /** A function that runs, one that waits in line, or a token in somebody's hand. */
  kind: 'call' | 'waiting' | 'token';
  readonly deadline: number;
  /** When it has waited for as long as it may. */
  readonly overdueAt: number;
  watchdogAt: number;
  /** Its timers stand behind those that were set before. */
  order: number;
  counted: boolean;
  result: Result;
}

type Refusal = 'ERR_BREAKER_OPEN' | 'ERR_BREAKER_PROBING' | 'ERR_BREAKER_ISOLATED';

/** An outcome in the window. */
interface Entry {
  readonly failed: boolean;
  /** The tenth of a time window in which it ended. */
  readonly tick: number;
}

export class BreakerModel {
  readonly setting: Setting;
  readonly met: Set<Requirement>;
  state: 'closed' | 'open' | 'half_open' | 'isolated' | 'disabled' | 'observing' = 'closed';
  generation = 1;
  nowMs = 0;
  openUntilMs = Number.POSITIVE_INFINITY;
  /** Outcomes of this window, oldest first. */
  window: Entry[] = [];
  successes = 0;
  failedProbes = 0;
  isolations = 0;
  stale = 0;
  rejected = 0;
  openings = 0;
  readonly outs: Out[] = [];
  private timers = 0;
  private serving = false;

  constructor(setting: Setting, met: Set<Requirement>) {
    this.setting = setting;
    this.met = met;
  }

  get probes(): number {
    return this.outs.filter((out) => out.probe && !out.counted && out.generation === this.generation).length;
  }

  /** Whether a call that comes now stands in line. */
  get wouldWait(): boolean {
    const half = this.state === 'half_open' || (this.state === 'open' && this.nowMs >= this.openUntilMs);
    return half && this.setting.halfOpenQueueLimit > 0;
  }

  get line(): readonly Out[] {
    return this.outs.filter(({ kind, result }) => kind === 'waiting' && result === 'pending');
  }

  get failures(): number {
    return this.live.filter(({ failed }) => failed).length;
  }

  /** Those that a time window still remembers. */
  get live(): readonly Entry[] {
    return this.window.filter(({ tick }) => tick > this.tick - 10);
  }

  private get tick(): number {
    const { window } = this.setting;
    return window.kind === 'time' ? Math.floor(this.nowMs / (window.windowMs / 10)) : 0;
  }

  /** Lets a call through, or says why not. */
  admit(kind: Out['kind'], timeoutMs: number | undefined): Out | Refusal {
    if (this.state === 'open' && this.nowMs >= this.openUntilMs) this.halfOpen('B05');
    if (this.state === 'open') return this.reject('B04', 'ERR_BREAKER_OPEN');
    if (this.state === 'isolated') return this.reject('B24', 'ERR_BREAKER_ISOLATED');
    const deadline = timeoutMs === undefined ? Number.POSITIVE_INFINITY : this.nowMs + timeoutMs;
    const out: Out = {
      generation: this.generation,
      probe: false,
      kind,
      // A token's deadline binds only its watchdog.
      deadline: kind === 'token' ? Number.POSITIVE_INFINITY : deadline,
      overdueAt: this.nowMs + this.setting.halfOpenMaxWaitMs,
      watchdogAt: Number.POSITIVE_INFINITY,
      order: 0,
      counted: false,
      result: kind === 'token' ? 'token' : 'pending',
    };
    if (this.state === 'half_open' && (this.line.length > 0 || this.probes >= this.setting.halfOpenPermits)) {
      if (kind === 'token' || this.line.length >= this.setting.halfOpenQueueLimit)
        return this.reject('B08', 'ERR_BREAKER_PROBING');
      this.met.add('B29');
      this.timers += 1;
      this.outs.push(Object.assign(out, { kind: 'waiting', order: this.timers }));
      return out;
    }
    this.enter(out, timeoutMs);
    this.outs.push(out);
    return out;
  }

  /** It is let through now. */
  private enter(out: Out, timeoutMs: number | undefined): void {
    const probe = this.state === 'half_open';
    this.met.add(probe ? 'B07' : 'B01');
    const watched = probe && (out.kind === 'token' || timeoutMs === undefined);
    this.timers += 1;
    Object.assign(out, {
      kind: out.kind === 'waiting' ? 'call' : out.kind,
      generation: this.generation,
      probe,
      watchdogAt: watched ? this.nowMs + (timeoutMs ?? this.setting.watchdogMs) : Number.POSITIVE_INFINITY,
      order: this.timers,
    });
  }

  /** Whoever is first in line, as long as it is decided what becomes of it. */
  private serve(): void {
    if (this.serving) return;
    this.serving = true;
    for (let [first] = this.line; first !== undefined; [first] = this.line) {
      const { deadline } = first;
      if (this.state === 'half_open' && this.probes >= this.setting.halfOpenPermits) break;
      if (this.nowMs >= deadline) this.leave(first, 'ERR_DEADLINE_PASSED');
      else if (this.state === 'open') this.leave(first, this.reject('B32', 'ERR_BREAKER_OPEN'));
      else if (this.state === 'isolated') this.leave(first, this.reject('B32', 'ERR_BREAKER_ISOLATED'));
      else {
        this.met.add(this.state === 'half_open' ? 'B30' : 'B31');
        this.enter(first, deadline === Number.POSITIVE_INFINITY ? undefined : deadline - this.nowMs);
      }
    }
    this.serving = false;
  }

  private leave(out: Out, result: Result): void {
    out.result = result;
  }

  private reject<C>(requirement: Requirement, code: C): C {
    this.met.add(requirement);
    this.rejected += 1;
    return code;
  }

  /** A call ends: its caller learns `result`, the breaker counts `judgement`. */
  end(out: Out, result: Result, judgement: 'success' | 'failure' | 'neutral'): void {
    if (out.result !== 'pending') return;
    out.result = result;
    if (out.kind === 'waiting') this.met.add('B33');
    else this.count(out, judgement);
  }

  /** Whether it counted. */
  count(out: Out, judgement: 'success' | 'failure' | 'neutral'): boolean {
    if (out.counted) {
      this.met.add('B15');
      return false;
    }
    out.counted = true;
    if (out.generation !== this.generation) {
      this.met.add('B14');
      this.stale += 1;
      this.serve();
      return false;
    }
    if (judgement === 'neutral' && out.probe) this.met.add('B12');
    this.record(judgement);
    this.serve();
    return true;
  }

  record(judgement: 'success' | 'failure' | 'neutral'): void {
    if (judgement === 'neutral') return;
    const failed = judgement === 'failure';
    if (this.state === 'closed' || this.state === 'observing') this.fold(failed);
    else if (this.state === 'disabled') this.met.add('B26');
    else if (this.state === 'half_open') this.probed(failed);
  }

  private probed(failed: boolean): void {
    const { successThreshold, probeCalls } = this.setting;
    if (failed) this.failedProbes += 1;
    else this.successes += 1;
    if (this.failedProbes > probeCalls - successThreshold) {
      this.met.add('B10');
      this.open();
    } else if (failed) this.met.add('B23');
    else if (this.successes < successThreshold) this.met.add('B11');
    else {
      this.met.add('B09');
      this.close();
    }
  }

  private fold(failed: boolean): void {
    this.met.add('B02');
    const { window } = this.setting;
    const entry = { failed, tick: this.tick };
    if (window.kind === 'consecutive') this.window = failed ? [...this.window, entry] : [];
    else this.window = [...this.live, entry].slice(window.kind === 'count' ? -window.size : 0);
    const trips =
      window.kind === 'consecutive'
        ? this.failures >= window.failures
        : this.window.length >= window.minimumCalls &&
          this.failures / this.window.length >= window.failureRate;
    if (!failed || !trips) return;
    if (this.state === 'observing') {
      this.met.add('B27');
      this.change('observing');
      return;
    }
    this.met.add('B03');
    this.open();
  }

  reset(): void {
    if (this.state === 'isolated') {
      this.met.add('B24');
      return;
    }
    this.met.add('B18');
    this.close();
  }

  isolate(): void {
    this.isolations += 1;
    if (this.isolations === 1) this.change('isolated');
  }

  release(): void {
    if (this.isolations === 0) return;
    this.isolations -= 1;
    this.met.add('B25');
    if (this.isolations === 0) this.close();
  }

  interfere(state: 'disabled' | 'observing'): void {
    if (this.isolations === 0) this.change(state);
  }

  resume(): void {
    if (this.state !== 'disabled' && this.state !== 'observing') return;
    this.met.add('B28');
    this.close();
  }

  private change(state: 'isolated' | 'disabled' | 'observing'): void {
    this.state = state;
    this.generation += 1;
    if (state === 'observing') this.window = [];
    this.openUntilMs = Number.POSITIVE_INFINITY;
    this.serve();
  }

  private close(): void {
    this.state = 'closed';
    this.generation += 1;
    this.window = [];
    this.openUntilMs = Number.POSITIVE_INFINITY;
    this.serve();
  }

  private open(): void {
    this.state = 'open';
    this.generation += 1;
    this.openings += 1;
    this.openUntilMs = this.nowMs + this.setting.openMs;
    this.serve();
  }

  private halfOpen(requirement: Requirement): void {
    this.met.add(requirement);
    this.state = 'half_open';
    this.generation += 1;
    this.successes = 0;
    this.failedProbes = 0;
    this.openUntilMs = Number.POSITIVE_INFINITY;
  }

  /** Time passes; whatever comes due on the way happens, one instant after another. */
  advance(ms: number): void {
    const target = this.nowMs + ms;
    for (let due = this.nextDue(); due <= target; due = this.nextDue()) {
      this.nowMs = due;
      this.happen(due);
    }
    this.nowMs = target;
  }

  private giveUp(out: Out, due: number): void {
    this.met.add('B33');
    this.leave(out, out.deadline === due ? 'ERR_DEADLINE_PASSED' : this.reject('B33', 'ERR_BREAKER_PROBING'));
  }

  private nextDue(): number {
    const timer = this.setting.watched ? this.openUntilMs : Number.POSITIVE_INFINITY;
    return Math.min(timer, ...this.outs.map((out) => this.dueOf(out)));
  }

  private dueOf(out: Out): number {
    if (out.kind === 'waiting')
      return out.result === 'pending' ? Math.min(out.deadline, out.overdueAt) : Number.POSITIVE_INFINITY;
    const watchdog =
      out.counted || out.generation !== this.generation ? Number.POSITIVE_INFINITY : out.watchdogAt;
    return Math.min(out.result === 'pending' ? out.deadline : Number.POSITIVE_INFINITY, watchdog);
  }

  private happen(due: number): void {
    if (this.setting.watched && this.openUntilMs === due) this.halfOpen('B06');
    for (const out of [...this.outs].sort((a, b) => a.order - b.order)) {
      if (this.dueOf(out) !== due) continue;
      if (out.kind === 'waiting') this.giveUp(out, due);
      else if (out.watchdogAt === due && !out.counted) {
        this.met.add('B13');
        this.count(out, 'failure');
      } else {
        this.met.add('B16');
        this.end(out, 'ERR_DEADLINE_PASSED', 'failure');
      }
    }
  }
}
