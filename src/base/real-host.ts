/**
 * The real host: the one place (with `real-process.ts` and `real-transport.ts`) that touches Node's clock, timers,
 * randomness, processes and sockets.
 *
 * Invariant: all timers lie on one wheel above one real timer, which keeps the OS process alive exactly while a timer that
 * asks for it waits. When the wheel wakes late, what has arrived meanwhile is read before any deadline fires, so that
 * an answer in the socket beats the timeout that the blocked loop caused. What waits here runs outside of the ambient value of
 * whoever set it: many wait on one real timer.
 *
 * It deliberately has no faults and no choices: those belong to a simulated host.
 */
import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { ambientIsUsed, outsideAmbient } from './ambient.ts';
import { Deque } from './deque.ts';
import {
  type ChildPort,
  type Fault,
  type Host,
  type ProcessListeners,
  type ProcessSpec,
  STALL_THRESHOLD_MS,
  type StallListener,
  type ThreadListeners,
  type ThreadPort,
  type ThreadSpec,
  type Timer,
  type TimerOptions,
  type Transport,
} from './host.ts';
import { integer, resolveOptions } from './options.ts';
import { createRandom, type Random } from './random.ts';
import { startProcess } from './real-process.ts';
import { startThread } from './real-thread.ts';
import { createRealTransport } from './real-transport.ts';
import { realVitals } from './real-vitals.ts';
import { TimerWheel, type WheelTimer } from './timer-wheel.ts';

/** A job of a settled promise costs a third of `queueMicrotask`, which makes an async resource of each. */
const RESOLVED = Promise.resolve();

/** Node's longest delay, ms: with more it would fire at once. What is further away is armed again. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** Marks the one real timer, for who looks at those of a process: it stands for all timers on the wheel. */
export const HOST_ALARM = Symbol.for('troupe/host-alarm');

export interface RealHostOptions {
  /** Seed of `random`, for a run that draws the same numbers again. Default: from the OS. */
  readonly seed?: number;
}

const fire = (timer: WheelTimer): void => timer.run();

class RealHost implements Host {
  readonly random: Random;
  readonly transport: Transport;
  readonly vitals = realVitals;
  readonly #wheel = new TimerWheel(performance.now(), (held) => this.#hold(held));
  readonly #stallListeners = new Set<StallListener>();
  readonly #lastIds = new Map<string, number>();
  #alarm: NodeJS.Timeout | undefined;
  /** When the alarm rings; `Infinity` when none is set. */
  #alarmMs = Number.POSITIVE_INFINITY;
  /** The wheel is firing, or letting I/O pass before it does; the alarm is set afterwards. */
  #busy = false;
  readonly #steps = new Deque<() => void>();
  #stepping = false;

  constructor(options: RealHostOptions) {
    const { seed } = resolveOptions('createRealHost', options, { seed: integer() }, {});
    this.random = createRandom(seed ?? randomBytes(4).readUInt32LE());
    const { listen, connect } = createRealTransport((delayMs, label, run) => this.timer(delayMs, label, run));
    this.transport = {
      listen: (address, accept) => outsideAmbient(() => listen(address, accept)),
      connect: (address, listeners) => outsideAmbient(() => connect(address, listeners)),
    };
  }

  monotonic(): number {
    return performance.now();
  }

  wall(): number {
    return Date.now();
  }

  timer(delayMs: number, label: string, run: () => void, options?: TimerOptions): Timer {
    const timer = this.#wheel.add(performance.now() + delayMs, { label, run, held: options?.unref !== true });
    if (timer.dueMs < this.#alarmMs) this.#arm();
    return timer;
  }

  step(_label: string, run: () => void): void {
    this.#steps.push(run);
    if (this.#stepping) return;
    this.#stepping = true;
    outsideAmbient(this.#beginSteps);
  }

  yield(_label: string, run: () => void): void {
    setImmediate(ambientIsUsed() ? () => outsideAmbient(run) : run);
  }

  newId(kind: string): string {
    const id = (this.#lastIds.get(kind) ?? 0) + 1;
    this.#lastIds.set(kind, id);
    return `${kind}-${id}`;
  }

  spawn(spec: ProcessSpec, listeners: ProcessListeners): ChildPort {
    return outsideAmbient(() =>
      startProcess(spec, listeners, (delayMs, label, run) => this.timer(delayMs, label, run)),
    );
  }

  startThread(spec: ThreadSpec, listeners: ThreadListeners): ThreadPort {
    return outsideAmbient(() =>
      startThread(spec, listeners, (delayMs, label, run) => this.timer(delayMs, label, run)),
    );
  }

  fault(_point: string): Fault | undefined {
    return undefined;
  }

  onStall(listener: StallListener): () => void {
    this.#stallListeners.add(listener);
    return () => {
      this.#stallListeners.delete(listener);
    };
  }

  readonly #beginSteps = (): void => {
    void RESOLVED.then(this.#runSteps);
  };

  /** All that were asked for, also by one another; if one throws, though it must not, the others still run. */
  readonly #runSteps = (): void => {
    for (let run = this.#steps.shift(); run !== undefined; run = this.#steps.shift()) {
      try {
        run();
      } catch (error) {
        // An error nobody awaits: it belongs to the process, as a throw in any callback.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
    this.#stepping = false;
  };

  /** Sets the one real timer for the wheel's next instant. */
  #arm(): void {
    if (this.#busy) return;
    const next = this.#wheel.nextDueMs();
    if (next === this.#alarmMs) return;
    clearTimeout(this.#alarm);
    this.#alarm = undefined;
    this.#alarmMs = next;
    if (next === Number.POSITIVE_INFINITY) return;
    const delay = Math.min(Math.max(1, Math.ceil(next - performance.now())), LONGEST_TIMEOUT_MS);
    this.#alarm = outsideAmbient(() => setTimeout(this.#ring, delay));
    (this.#alarm as { [HOST_ALARM]?: true })[HOST_ALARM] = true;
    if (!this.#wheel.held) this.#alarm.unref();
  }

  readonly #ring = (): void => {
    this.#alarm = undefined;
    this.#alarmMs = Number.POSITIVE_INFINITY;
    const lateMs = performance.now() - this.#wheel.nextDueMs();
    if (lateMs > STALL_THRESHOLD_MS && this.#giveWay()) return;
    this.#fireDue();
  };

  #fireDue(): void {
    this.#busy = true;
    try {
      this.#wheel.advanceTo(performance.now(), fire);
    } finally {
      this.#busy = false;
      this.#arm();
    }
  }

  /** Tells how late it is and lets one full turn of I/O pass. `false`: on a closer look no timer is late. */
  #giveWay(): boolean {
    const lateMs = performance.now() - this.#wheel.earliestDueMs();
    if (lateMs <= STALL_THRESHOLD_MS) return false;
    this.#busy = true;
    // The first comes after the I/O of this very turn of the loop, the second after that of a whole one.
    setImmediate(() => setImmediate(() => this.#fireDue()));
    for (const listener of [...this.#stallListeners]) listener(lateMs);
    return true;
  }

  #hold(held: boolean): void {
    if (held) this.#alarm?.ref();
    else this.#alarm?.unref();
  }
}

/** A host of its own: its own wheel, ids and randomness. @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const createRealHost = (options: RealHostOptions = {}): Host => new RealHost(options);

let shared: Host | undefined;

/** The host that everything shares which is given none, made on first use. */
export const realHost = (): Host => {
  shared ??= createRealHost();
  return shared;
};
