/**
 * A host whose time stands still until a test moves it, and whose every decision comes from a list of integers.
 *
 * Invariant: 0 is always the benign choice (first come, first served), and past the end of the list everything is 0;
 * so shrinking the list removes noise. Nothing happens but while `settle`, `advance`, `runUntil` or `stall` runs, and
 * it never does what the contract of {@link Host} rules out: steps keep their order, and so do bytes on one pipe.
 *
 * It deliberately does not control promise jobs (V8 runs them in order) and no I/O that bypasses the host.
 */
import { outsideAmbient } from '../base/ambient.ts';
import { Deque } from '../base/deque.ts';
import { createError } from '../base/errors.ts';
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
} from '../base/host.ts';
import { flag, fn, integer, listOf, resolveOptions } from '../base/options.ts';
import { createRandom, type Random } from '../base/random.ts';
import { TimerWheel } from '../base/timer-wheel.ts';
import { DueTimers } from './due-timers.ts';
import { type Outside, SimulatedProcess } from './simulated-process.ts';
import { SimulatedThread } from './simulated-thread.ts';
import { createSimulatedTransport } from './simulated-transport.ts';
import { SimulatedVitals } from './simulated-vitals.ts';
import { Trace } from './trace.ts';

/** Captured once, so that a test that fakes timers cannot fake these. */
const { setImmediate: nextTurn, process } = globalThis;
const { nextTick } = process;
/** Lets everything that Node itself has queued run: ticks, promise jobs, and what they queue in turn. */
const takeTurn = (): Promise<void> => new Promise((resolve) => nextTurn(resolve));
/**
 * Lets all promise jobs that are ready run, and those that they make ready, without a turn of the loop: from within a
 * promise job, a tick comes when no job is left.
 */
const drainPromiseJobs = (): Promise<void> => new Promise((resolve) => nextTick(resolve));

/** Where wall time starts: 2030-01-01T00:00:00Z. */
export const SIMULATED_EPOCH_MS = 1_893_456_000_000;
/** Steps, arrivals and timers at one instant before it counts as a livelock. */
const STEP_LIMIT = 1_000_000;
/** How long `runUntil` goes on when not told, ms. */
const RUN_UNTIL_MS = 60_000;
/** How many labels the report of a livelock names. */
const LABELS_REPORTED = 8;

export interface SimulatedHostOptions {
  /** The decisions, in order. Default: none, so that all is benign. */
  readonly choices?: readonly number[];
  /** Seed of `random`. Default 1. */
  readonly seed?: number;
  /** Steps at one instant that count as a livelock. Default 1,000,000. */
  readonly stepLimit?: number;
  /** Takes the decisions instead of `choices`, and has them kept as `taken`. */
  readonly decide?: Decide;
  /** Whether the labels of all that happens are kept, beside their hash. Default `false`. */
  readonly traced?: boolean;
}

/** Chooses among `ready` possibilities; 0 is the benign one. `who` tells the candidates of a schedule apart. */
export type Decide = (
  ready: number,
  label: string,
  who: ((index: number) => object | undefined) | undefined,
) => number;

const OPTIONS = {
  choices: listOf(integer()),
  seed: integer(),
  stepLimit: integer(1),
  decide: fn<Decide>(),
  traced: flag,
};
const DEFAULTS = { choices: [] as readonly number[], seed: 1, stepLimit: STEP_LIMIT, traced: false };

/** Something to run: a step, or an arrival from outside on its link. */
interface Ready {
  readonly label: string;
  readonly run: () => void;
  readonly link: object | undefined;
}

/** What {@link SimulatedHost.pendingTimers} tells of a timer. */
export interface PendingTimer {
  readonly label: string;
  /** The instant on the monotonic clock at which it fires. */
  readonly dueMs: number;
  readonly unref: boolean;
}

export type FaultPlan =
  | ReadonlyMap<string, Fault>
  | Readonly<Record<string, Fault>>
  | ((point: string, subject: string | undefined) => Fault | undefined);

export class SimulatedHost implements Host, Outside {
  readonly random: Random;
  readonly transport: Transport;
  /** What the simulated process holds: set what it shall be. */
  readonly vitals = new SimulatedVitals();
  /** What to start for a spec. Left unset, every spawn fails with ENOENT. */
  onSpawn: ((spec: ProcessSpec, listeners: ProcessListeners) => ChildPort) | undefined;
  /** What to start for a thread's spec. Left unset, every start fails. */
  onThread: ((spec: ThreadSpec, listeners: ThreadListeners) => ThreadPort) | undefined;
  /** The faults wanted, by point. Default none. */
  faults: FaultPlan = {};
  /** How many decisions were taken so far. */
  decisions = 0;
  /** What was decided, and among how many: kept where `decide` does it. */
  readonly taken: number[] = [];
  readonly among: number[] = [];
  readonly trace: Trace;
  /** Called after each step, arrival and timer. What it throws ends the run. */
  afterStep: (() => void) | undefined;
  /** All steps, arrivals and timers so far. */
  steps = 0;
  readonly #choices: readonly number[];
  readonly #stepLimit: number;
  readonly #decide: Decide | undefined;
  readonly #wheel = new TimerWheel();
  readonly #due = new DueTimers();
  readonly #steps = new Deque<Ready>();
  readonly #arrivals = new Deque<Ready>();
  readonly #stallListeners = new Set<StallListener>();
  readonly #lastIds = new Map<string, number>();
  #now = 0;
  #wallOffset = SIMULATED_EPOCH_MS;
  #lastPid = 1_000;
  #driving: string | undefined;
  /** Steps taken at the instant of now. */
  #taken = 0;

  /** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
  constructor(options: SimulatedHostOptions = {}) {
    const resolved = resolveOptions('SimulatedHost', options, OPTIONS, DEFAULTS);
    this.#choices = resolved.choices;
    this.#stepLimit = resolved.stepLimit;
    this.#decide = resolved.decide;
    this.trace = new Trace(resolved.traced);
    this.random = createRandom(resolved.seed);
    this.transport = createSimulatedTransport(this);
  }

  /** The next decision among `ready` possibilities. Where there is but one, none is spent. */
  readonly choose = (ready: number, label: string, who?: (index: number) => object | undefined): number => {
    if (ready < 2) return 0;
    const wanted = this.#decide?.(ready, label, who) ?? this.#choices[this.decisions] ?? 0;
    const choice = wanted % ready;
    this.decisions += 1;
    if (this.#decide !== undefined) {
      this.taken.push(choice);
      this.among.push(ready);
    }
    if (choice !== 0) this.trace.note('choose', label, choice);
    return choice;
  };

  /** Starts at 0. */
  monotonic(): number {
    return this.#now;
  }

  /** Starts at {@link SIMULATED_EPOCH_MS} and goes with the monotonic clock, until {@link setWall}. */
  wall(): number {
    return this.#wallOffset + this.#now;
  }

  /** Lets the wall clock jump; timers and the monotonic clock do not notice. */
  setWall(epochMs: number): void {
    this.#wallOffset = epochMs - this.#now;
  }

  timer(delayMs: number, label: string, run: () => void, options?: TimerOptions): Timer {
    const late = this.fault('timer.late', label)?.value ?? 0;
    const held = options?.unref !== true;
    const timer = this.#wheel.add(this.#now + delayMs + late, { label, run, held });
    this.#due.wasSet(timer, this.#now);
    return {
      cancel: () => {
        timer.cancel();
        this.#due.remove(timer);
      },
    };
  }

  step(label: string, run: () => void): void {
    this.#steps.push({ label, run, link: undefined });
  }

  yield(label: string, run: () => void): void {
    this.#arrivals.push({ label, run, link: undefined });
  }

  /** Runs `run` as an event from outside: after the steps, in order with others of the same `link`. */
  arrive(link: object, label: string, run: () => void): void {
    this.#arrivals.push({ label, run, link });
  }

  newId(kind: string): string {
    const id = (this.#lastIds.get(kind) ?? 0) + 1;
    this.#lastIds.set(kind, id);
    return `${kind}-${id}`;
  }

  nextPid(): number {
    this.#lastPid += 1;
    return this.#lastPid;
  }

  spawn(spec: ProcessSpec, listeners: ProcessListeners): ChildPort {
    const enoent = this.fault('process.spawn', spec.command) !== undefined;
    if (this.onSpawn !== undefined && !enoent) return this.onSpawn(spec, listeners);
    const fails = Object.assign(new Error(`spawn ${spec.command} ENOENT`), { code: 'ENOENT' });
    return new SimulatedProcess(this, listeners, { fails });
  }

  startThread(spec: ThreadSpec, listeners: ThreadListeners): ThreadPort {
    const absent = this.fault('process.spawn', spec.code) !== undefined;
    if (this.onThread !== undefined && !absent) return this.onThread(spec, listeners);
    const fails = Object.assign(new Error(`Cannot find module '${spec.code}'`), {
      code: 'ERR_MODULE_NOT_FOUND',
    });
    return new SimulatedThread(this, { spec, script: { fails } }, listeners);
  }

  fault(point: string, subject?: string): Fault | undefined {
    const plan = this.faults;
    if (typeof plan === 'function') return plan(point, subject);
    return plan instanceof Map ? plan.get(point) : (plan as Readonly<Record<string, Fault>>)[point];
  }

  onStall(listener: StallListener): () => void {
    this.#stallListeners.add(listener);
    return () => {
      this.#stallListeners.delete(listener);
    };
  }

  /** The timers that wait, earliest first: at the end of a test, nothing of what was stopped. */
  pendingTimers(): readonly PendingTimer[] {
    return [...this.#due, ...this.#wheel]
      .map(({ label, dueMs, held }) => ({ label, dueMs, unref: !held }))
      .sort((a, b) => a.dueMs - b.dueMs);
  }

  /**
   * Runs everything that is ready, promise jobs included, until nothing is; time stands still.
   * @throws ERR_SIMULATION_LIVELOCK after too many steps
   */
  settle(): Promise<void> {
    return this.#drive('settle', () => this.#settle());
  }

  /** Settles, then moves time by `ms`, firing one instant after another and settling after each. */
  advance(ms: number): Promise<void> {
    return this.#drive('advance', async () => {
      await this.#settle();
      const target = this.#now + ms;
      while (await this.#nextInstant(target));
      this.#moveTo(target);
    });
  }

  /**
   * Moves time on, instant after instant, until a promise settles or a predicate holds; then stands still.
   *
   * @param maxMs how far time may go. Default 60,000
   * @returns what the promise gave
   * @throws what the promise was rejected with; ERR_SIMULATION_UNSETTLED when time ran out
   */
  runUntil<T>(awaited: PromiseLike<T>, maxMs?: number): Promise<T>;
  runUntil(awaited: () => boolean, maxMs?: number): Promise<void>;
  runUntil<T>(awaited: PromiseLike<T> | (() => boolean), maxMs = RUN_UNTIL_MS): Promise<T | void> {
    const outcome = typeof awaited === 'function' ? watchPredicate(awaited) : watchPromise(awaited);
    return this.#drive('runUntil', async () => {
      await this.#settle();
      const target = this.#now + maxMs;
      while (!outcome.reached() && (await this.#nextInstant(target)));
      if (!outcome.reached()) this.#moveTo(target);
      if (outcome.reached()) return outcome.take();
      const timers = this.pendingTimers().map(({ label, dueMs }) => `${label} at ${dueMs} ms`);
      throw createError('ERR_SIMULATION_UNSETTLED', {
        awaited: typeof awaited === 'function' ? `${awaited}` : 'the promise',
        maxMs,
        timers: timers.length === 0 ? 'none' : timers.slice(0, LABELS_REPORTED),
      });
    });
  }

  /**
   * The loop is held for `ms` while work is ready, and comes back as the real host does: steps first; then, where a
   * timer is more than 50 ms late, the listeners are told how late and one turn of I/O passes; then all that is due
   * fires together.
   */
  stall(ms: number): Promise<void> {
    return this.#drive('stall', () => this.#comeBack(this.#now + ms));
  }

  async #comeBack(atMs: number): Promise<void> {
    this.#moveTo(atMs);
    await this.#runSteps();
    const lateMs = this.#now - this.#wheel.earliestDueMs();
    if (lateMs > STALL_THRESHOLD_MS) {
      for (const listener of [...this.#stallListeners]) listener(lateMs);
      await this.#runSteps();
      for (let turn = this.#arrivals.size; turn > 0; turn--) await this.#runArrival();
    }
    this.#fireDue();
    await this.#settle();
  }

  async #drive<T>(method: string, run: () => Promise<T>): Promise<T> {
    if (this.#driving !== undefined)
      throw createError('ERR_SIMULATION_BUSY', { method, running: this.#driving });
    this.#driving = method;
    this.#taken = 0;
    try {
      await takeTurn();
      return await run();
    } finally {
      this.#driving = undefined;
    }
  }

  async #settle(): Promise<void> {
    do {
      await this.#runSteps();
      while (this.#arrivals.size > 0) await this.#runArrival();
      // Ticks may queue ticks: only a turn of the loop is the end of them all.
      await takeTurn();
    } while (this.#steps.size > 0 || this.#arrivals.size > 0);
  }

  /** Promise jobs and steps, until neither is left. */
  async #runSteps(): Promise<void> {
    await drainPromiseJobs();
    while (this.#steps.size > 0) {
      // All in one go, as in the microtask of a real host.
      for (let step = this.#steps.shift(); step !== undefined; step = this.#steps.shift()) this.#run(step);
      await drainPromiseJobs();
    }
  }

  async #runArrival(): Promise<void> {
    const arrival = this.#takeArrival();
    if (arrival === undefined) return;
    this.#run(arrival);
    await this.#runSteps();
  }

  /** Any may go next that is the first of its link. */
  #takeArrival(): Ready | undefined {
    if (this.#arrivals.size < 2 || !this.#deciding) return this.#arrivals.shift();
    const firsts: number[] = [];
    const links = new Set<object>();
    let index = 0;
    for (const { link } of this.#arrivals) {
      if (link === undefined || !links.has(link)) firsts.push(index);
      if (link !== undefined) links.add(link);
      index += 1;
    }
    const who = (index: number): object | undefined => this.#arrivals.at(firsts[index] ?? 0)?.link;
    return this.#arrivals.removeAt(firsts[this.choose(firsts.length, 'arrival', who)] ?? 0);
  }

  /** Goes to the next instant at which a timer is due, fires it and settles. `false`: none up to `target`. */
  async #nextInstant(target: number): Promise<boolean> {
    const next = this.#wheel.nextDueMs();
    if (next > target) return false;
    const stalledMs = this.fault('host.stall')?.value ?? 0;
    if (stalledMs > 0) await this.#comeBack(Math.max(next, this.#now) + stalledMs);
    else {
      this.#moveTo(next);
      if (this.#fireDue()) await this.#settle();
    }
    return true;
  }

  /** Never back: a stall may have taken it past where it was to go. */
  #moveTo(ms: number): void {
    if (ms <= this.#now) return;
    this.#taken = 0;
    this.#now = ms;
  }

  /** Whether there is anything to choose: past the end of the list all is first come, first served. */
  get #deciding(): boolean {
    return this.#decide !== undefined || this.decisions < this.#choices.length;
  }

  /** Fires what is due, earliest first. */
  #fireDue(): boolean {
    if (!this.#deciding) return this.#wheel.advanceTo(this.#now, (timer) => this.#run(timer)) > 0;
    this.#wheel.advanceTo(this.#now, (timer) => void this.#due.add(timer));
    const any = this.#due.size > 0;
    while (this.#due.size > 0) {
      const candidates = this.#due.candidates();
      const chosen = candidates[this.choose(candidates.length, 'timer', (index) => candidates[index])];
      if (chosen === undefined) break;
      this.#due.remove(chosen);
      this.#run(chosen);
    }
    return any;
  }

  #run(ready: { readonly label: string; readonly run: () => void }): void {
    this.#taken += 1;
    this.steps += 1;
    if (this.#taken > this.#stepLimit) this.#refuseLivelock(ready.label);
    this.trace.note('run', ready.label, this.#now);
    outsideAmbient(ready.run);
    this.afterStep?.();
  }

  #refuseLivelock(label: string): never {
    const labels = [label, ...[...this.#steps, ...this.#arrivals].map((ready) => ready.label)];
    throw createError('ERR_SIMULATION_LIVELOCK', {
      limit: this.#stepLimit,
      nowMs: this.#now,
      labels: [...new Set(labels)].slice(0, LABELS_REPORTED),
    });
  }
}

const watchPredicate = (predicate: () => boolean) => ({ reached: predicate, take: () => undefined });

const watchPromise = <T>(promise: PromiseLike<T>) => {
  let outcome: { readonly value: T } | { readonly error: unknown } | undefined;
  promise.then(
    (value) => {
      outcome = { value };
    },
    (error: unknown) => {
      outcome = { error };
    },
  );
  return {
    reached: () => outcome !== undefined,
    take: (): T => {
      if (outcome !== undefined && 'value' in outcome) return outcome.value;
      throw outcome?.error;
    },
  };
};
