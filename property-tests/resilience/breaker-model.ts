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
  /** Whether somebody listens, so that a timer half-opens. */
  readonly watched: boolean;
}

export type Result = 'pending' | 'value' | 'thrown' | 'aborted' | 'ERR_DEADLINE_PASSED' | 'token' | 'ended';

/** A call or a token that was let through. */
export interface Out {
  readonly generation: number;
  readonly probe: boolean;
  /** A function that runs, or a token in somebody's hand. */
  readonly kind: 'call' | 'token';
  readonly deadline: number;
  readonly watchdogAt: number;
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

  constructor(setting: Setting, met: Set<Requirement>) {
    this.setting = setting;
    this.met = met;
  }

  get probes(): number {
    return this.outs.filter((out) => out.probe && !out.counted && out.generation === this.generation).length;
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
    const probe = this.state === 'half_open';
    if (probe && this.probes >= this.setting.halfOpenPermits)
      return this.reject('B08', 'ERR_BREAKER_PROBING');
    this.met.add(probe ? 'B07' : 'B01');
    const deadline = timeoutMs === undefined ? Number.POSITIVE_INFINITY : this.nowMs + timeoutMs;
    const watched = probe && (kind === 'token' || timeoutMs === undefined);
    const out: Out = {
      generation: this.generation,
      probe,
      kind,
      // A token's deadline binds only its watchdog.
      deadline: kind === 'call' ? deadline : Number.POSITIVE_INFINITY,
      watchdogAt: watched
        ? Math.min(deadline, this.nowMs + (timeoutMs ?? this.setting.watchdogMs))
        : Number.POSITIVE_INFINITY,
      counted: false,
      result: kind === 'call' ? 'pending' : 'token',
    };
    this.outs.push(out);
    return out;
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
    this.count(out, judgement);
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
      return false;
    }
    if (judgement === 'neutral' && out.probe) this.met.add('B12');
    this.record(judgement);
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
      this.enter('observing');
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
    if (this.isolations === 1) this.enter('isolated');
  }

  release(): void {
    if (this.isolations === 0) return;
    this.isolations -= 1;
    this.met.add('B25');
    if (this.isolations === 0) this.close();
  }

  interfere(state: 'disabled' | 'observing'): void {
    if (this.isolations === 0) this.enter(state);
  }

  resume(): void {
    if (this.state !== 'disabled' && this.state !== 'observing') return;
    this.met.add('B28');
    this.close();
  }

  private enter(state: 'isolated' | 'disabled' | 'observing'): void {
    this.state = state;
    this.generation += 1;
    if (state === 'observing') this.window = [];
    this.openUntilMs = Number.POSITIVE_INFINITY;
  }

  private close(): void {
    this.state = 'closed';
    this.generation += 1;
    this.window = [];
    this.openUntilMs = Number.POSITIVE_INFINITY;
  }

  private open(): void {
    this.state = 'open';
    this.generation += 1;
    this.openings += 1;
    this.openUntilMs = this.nowMs + this.setting.openMs;
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

  private nextDue(): number {
    const timer = this.setting.watched ? this.openUntilMs : Number.POSITIVE_INFINITY;
    return Math.min(timer, ...this.outs.map((out) => this.dueOf(out)));
  }

  private dueOf(out: Out): number {
    const watchdog =
      out.counted || out.generation !== this.generation ? Number.POSITIVE_INFINITY : out.watchdogAt;
    return Math.min(out.result === 'pending' ? out.deadline : Number.POSITIVE_INFINITY, watchdog);
  }

  private happen(due: number): void {
    if (this.setting.watched && this.openUntilMs === due) this.halfOpen('B06');
    for (const out of this.outs) {
      if (this.dueOf(out) !== due) continue;
      if (out.watchdogAt === due && !out.counted) {
        this.met.add('B13');
        this.count(out, 'failure');
      } else {
        this.met.add('B16');
        this.end(out, 'ERR_DEADLINE_PASSED', 'failure');
      }
    }
  }
}
