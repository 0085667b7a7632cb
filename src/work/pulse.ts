/**
 * The signs of life of one worker: pings while it is idle, a deadline for each answer, and the count of those missed in a row.
 *
 * Invariants: at most one ping is awaited; a worker that somebody has is neither pinged nor blamed, for it answers to the
 * deadline of what it runs, unless the system holds it stopped: then it answers to nothing, and that is told; time in which the loop
 * was held is never held against it. What a miss leads to is the chart's.
 */
import type { Host, Timer } from '../base/host.ts';

/** How often, and how long is waited, ms. */
export interface PulseSettings {
  readonly pingEveryMs: number;
  readonly pingTimeoutMs: number;
  /** How often one that somebody has is looked at. */
  readonly lookEveryMs: number;
}

/** Whose pulse it is. */
export interface PulseSubject {
  ping(id: number): void;
  /** The instant since which it has been waiting for work; `undefined` while it does not. */
  idleSince(): number | undefined;
  /** Whether somebody has it. */
  isTaken(): boolean;
  /** Whether the system holds it stopped; `undefined` where that cannot be known. */
  isStopped(): boolean | undefined;
  /** It is taken, and stopped. */
  stopped(): void;
  passed(): void;
  missed(misses: number): void;
}

const UNREF = { unref: true };

export class Pulse {
  readonly #host: Host;
  readonly #settings: PulseSettings;
  readonly #subject: PulseSubject;
  /** When it last gave a sign of life of its own accord, or when it began. */
  heardAt = 0;
  #everyTimer: Timer | undefined;
  #lookTimer: Timer | undefined;
  #pongTimer: Timer | undefined;
  #lastId = 0;
  #awaited = false;
  #due = 0;
  #misses = 0;

  constructor(host: Host, settings: PulseSettings, subject: PulseSubject) {
    this.#host = host;
    this.#settings = settings;
    this.#subject = subject;
  }

  /** Begins to ping it whenever it has been idle for the period. */
  start(): void {
    this.heardAt = this.#host.monotonic();
    this.#arm(this.#settings.pingEveryMs);
    if (this.#subject.isStopped() !== undefined) this.#armLook();
  }

  /** Pings it now; an answer still awaited counts no more. */
  probe(): void {
    const { pingTimeoutMs } = this.#settings;
    this.#lastId += 1;
    this.#awaited = true;
    this.#due = this.#host.monotonic() + pingTimeoutMs;
    this.#armPong(pingTimeoutMs);
    this.#subject.ping(this.#lastId);
  }

  /** It answered. Answers to older pings say nothing of now. */
  pong(id: number): void {
    if (!this.#awaited || id !== this.#lastId) return;
    this.#awaited = false;
    this.#pongTimer?.cancel();
    this.#misses = 0;
    this.heardAt = this.#host.monotonic();
    this.#subject.passed();
  }

  /** The loop was held for so long: nothing could have been heard meanwhile, and what waits in the pipes is yet to be read. */
  stalled(lateMs: number): void {
    if (!this.#awaited) return;
    const afresh = this.#host.monotonic() + Math.min(lateMs, this.#settings.pingTimeoutMs);
    this.#due = Math.max(this.#due + lateMs, afresh);
  }

  stop(): void {
    this.#awaited = false;
    this.#everyTimer?.cancel();
    this.#lookTimer?.cancel();
    this.#pongTimer?.cancel();
  }

  /** Asking costs the reading of a file, so it is done now and then, and only while somebody waits for it in vain. */
  #armLook(): void {
    const look = (): void => {
      this.#armLook();
      if (this.#subject.isTaken() && this.#subject.isStopped() === true) this.#subject.stopped();
    };
    this.#lookTimer = this.#host.timer(this.#settings.lookEveryMs, 'worker look', look, UNREF);
  }

  #arm(delayMs: number): void {
    this.#everyTimer = this.#host.timer(delayMs, 'worker ping', () => this.#tick(), UNREF);
  }

  #tick(): void {
    const { pingEveryMs } = this.#settings;
    const since = this.#subject.idleSince();
    const idleMs = since === undefined ? 0 : this.#host.monotonic() - since;
    const isDue = idleMs >= pingEveryMs;
    // Before the ping: whoever is told of it may stop the pulse.
    this.#arm(isDue ? pingEveryMs : pingEveryMs - idleMs);
    if (isDue && !this.#awaited) this.probe();
  }

  #armPong(delayMs: number): void {
    this.#pongTimer?.cancel();
    this.#pongTimer = this.#host.timer(delayMs, 'worker pong', () => this.#overdue(), UNREF);
  }

  #overdue(): void {
    const leftMs = this.#due - this.#host.monotonic();
    if (leftMs > 0) {
      this.#armPong(leftMs);
      return;
    }
    this.#awaited = false;
    if (this.#subject.isTaken()) return;
    this.#misses += 1;
    this.#subject.missed(this.#misses);
  }
}
