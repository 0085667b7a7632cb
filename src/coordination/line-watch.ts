/**
 * Signs of life on a line: one is written where all is silent, and a client that takes nothing of what was written is found.
 *
 * Invariant: two timers, however much is written; what a client takes now and then is progress, and a line that is waited for longer
 * than `stallMs` without any has stalled. A line that is full is written nothing.
 */
import { NO_DEADLINE } from '../base/deadline.ts';
import type { Host, Timer } from '../base/host.ts';
import type { Line } from './line.ts';

export interface LineWatchPlan {
  readonly host: Host;
  readonly where: string;
  readonly line: Line;
  readonly heartbeatMs: number;
  readonly stallMs: number;
  /** Writes a sign of life. */
  readonly beat: () => void;
  readonly stalled: () => void;
}

/** A client that nobody reads from holds no process. */
const UNREF = Object.freeze({ unref: true });

export class LineWatch {
  readonly #plan: LineWatchPlan;
  #isFull = false;
  #drains = 0;
  #wroteAtMs: number;
  #isOver = false;
  #heart: Timer | undefined;
  #stall: Timer | undefined;

  constructor(plan: LineWatchPlan) {
    this.#plan = plan;
    this.#wroteAtMs = plan.host.monotonic();
  }

  begin(): void {
    this.#arm(this.#plan.heartbeatMs);
  }

  /** Something was written; `takes`: the line would take more. */
  wrote(takes: boolean): void {
    this.#wroteAtMs = this.#plan.host.monotonic();
    this.#isFull ||= !takes;
    this.#watch();
  }

  drained(): void {
    this.#isFull = false;
    this.#drains += 1;
  }

  end(): void {
    this.#isOver = true;
    this.#heart?.cancel();
    this.#stall?.cancel();
  }

  #after(delayMs: number, label: string, fire: () => void): Timer | undefined {
    const { host, where } = this.#plan;
    return delayMs === NO_DEADLINE ? undefined : host.timer(delayMs, `${where} ${label}`, fire, UNREF);
  }

  #arm(delayMs: number): void {
    this.#heart = this.#after(delayMs, 'heartbeat', () => this.#beat());
  }

  #beat(): void {
    const { host, beat, heartbeatMs } = this.#plan;
    const leftMs = heartbeatMs - (host.monotonic() - this.#wroteAtMs);
    if (leftMs <= 0 && !this.#isFull) beat();
    if (!this.#isOver) this.#arm(leftMs > 0 ? leftMs : heartbeatMs);
  }

  get #isWaitedFor(): boolean {
    return this.#isFull || this.#plan.line.pending > 0;
  }

  get #progress(): number {
    return this.#plan.line.taken + this.#drains;
  }

  /** Looks again where the client took something meanwhile. */
  #watch(): void {
    if (this.#isOver || this.#stall !== undefined || !this.#isWaitedFor) return;
    const before = this.#progress;
    this.#stall = this.#after(this.#plan.stallMs, 'stall', () => {
      this.#stall = undefined;
      if (!this.#isWaitedFor) return;
      if (this.#progress > before) this.#watch();
      else this.#plan.stalled();
    });
  }
}
