/**
 * How long an open breaker waits: the instant, and the timer for whoever wants to hear of it without asking. When to trip
 * is the windows' business.
 *
 * Invariant: one timer at most, and only while a wait is on and somebody watches: without a watcher the first admission
 * after the wait finds out. It ends no wait by itself: it asks, and the chart decides.
 */
import { remainingMs } from '../base/deadline.ts';
import type { Host, Timer } from '../base/host.ts';

/** Starts one unref'd timer; under supervision the actor's own. `what` names it. */
export type Timekeeper = (delayMs: number, elapsed: () => void, what: 'wait' | 'check') => Timer;

/** The host's own time, for what nobody keeps it for. */
export const hostTime =
  ({ host, where }: { readonly host: Host; readonly where: string }): Timekeeper =>
  (delayMs, elapsed, what) =>
    host.timer(delayMs, `${where} ${what}`, elapsed, { unref: true });

/** Whom a wait is for. */
export interface Waiter {
  readonly host: Host;
  readonly where: string;
  isWatched(): boolean;
  /** The wait may be over: see to it. */
  waitElapsed(): void;
}

/** No wait is on. */
const NEVER = Number.POSITIVE_INFINITY;

export class OpenWait {
  readonly #waiter: Waiter;
  #untilMs = NEVER;
  #retryAt = NEVER;
  #timer: Timer | undefined = undefined;
  #timekeeper: Timekeeper | undefined = undefined;

  constructor(waiter: Waiter) {
    this.#waiter = waiter;
  }

  /** The instant of `host.monotonic()` at which it is over; `Infinity` while none is on. */
  get untilMs(): number {
    return this.#untilMs;
  }

  /** The same on the wall clock: for people only. */
  get retryAt(): number {
    return this.#retryAt;
  }

  /** What is left, in whole ms; `undefined` while none is on. */
  get leftMs(): number | undefined {
    if (this.#untilMs === NEVER) return undefined;
    return Math.ceil(remainingMs(this.#waiter.host.monotonic(), this.#untilMs));
  }

  start(openMs: number): void {
    const { host } = this.#waiter;
    this.#disarm();
    this.#untilMs = host.monotonic() + openMs;
    this.#retryAt = host.wall() + openMs;
    this.armIfWatched();
  }

  stop(): void {
    this.#disarm();
    this.#untilMs = NEVER;
  }

  armIfWatched(): void {
    if (this.#timer !== undefined || this.#untilMs === NEVER) return;
    if (this.#timekeeper === undefined && !this.#waiter.isWatched()) return;
    const delayMs = remainingMs(this.#waiter.host.monotonic(), this.#untilMs);
    this.#timer = this.#startTimer(delayMs, () => {
      this.#timer = undefined;
      this.#waiter.waitElapsed();
      // A timer may be early by the grain of its clock.
      this.armIfWatched();
    });
  }

  /** Lets somebody else keep the time from now on. Returns the function that ends that. */
  keepTime(timekeeper: Timekeeper): () => void {
    this.#changeTimekeeper(timekeeper);
    return () => {
      if (this.#timekeeper === timekeeper) this.#changeTimekeeper(undefined);
    };
  }

  #changeTimekeeper(timekeeper: Timekeeper | undefined): void {
    this.#disarm();
    this.#timekeeper = timekeeper;
    this.armIfWatched();
  }

  #startTimer(delayMs: number, elapsed: () => void): Timer {
    return (this.#timekeeper ?? hostTime(this.#waiter))(delayMs, elapsed, 'wait');
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
