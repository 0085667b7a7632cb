/**
 * Runs one chart for its owner: holds the snapshot, performs what each step asks for, keeps the chart's timers.
 *
 * Invariant: run to completion. An event sent while requests are performed waits until they are all done; a throw from
 * one of them keeps nothing from being performed, and reaches whoever sent. It touches no clock: timers are the
 * owner's, and so are all decisions the chart's.
 */
import { Deque } from '../base/deque.ts';
import type { Timer } from '../base/host.ts';
import { check, fn, ms, refuse, resolveOptions } from '../base/options.ts';
import type { EventStream } from '../base/telemetry.ts';
import type { Chart, ChartAction, ChartEvent, ChartRequest, ChartSnapshot, Step } from './chart.ts';
import { INITIAL_EVENT } from './engine.ts';

/** The params of action `T` of a chart. */
type ParamsOf<A extends ChartAction, T extends A['type']> =
  Extract<A, { type: T }> extends { params: infer P } ? P : Readonly<Record<string, unknown>> | undefined;

/** What carries out a chart's actions, by their names: all of them, and no others. */
export type Performers<E extends ChartEvent, A extends ChartAction> = {
  readonly [T in A['type']]: (params: ParamsOf<A, T>, event: E) => void;
};

/** How a {@link ChartRunner} is made. */
export interface ChartRunnerOptions<E extends ChartEvent, A extends ChartAction> {
  readonly chart: Chart<E, A>;
  /** `event` is the one that was sent; at the start, `xstate.init`. */
  readonly perform: Performers<E, A>;
  /** ms for each named delay of the chart, asked when its timer starts. `Infinity` never fires. */
  readonly delays?: Readonly<Record<string, (event: E) => number>>;
  /** Starts a timer of the host or of the actor. Needed only where the chart has timers. */
  readonly timer?: (delayMs: number, label: string, fire: () => void) => Timer;
  /** Told of every step that took a transition, the initial one included, before it is performed. */
  readonly onStep?: (step: Step, event: E) => void;
}

/** Tells of a chart's steps those who ask for steps by name; while nobody does, each costs one look. */
export const stepNews =
  (events: EventStream, path: string) =>
  ({ snapshot }: Step, { type }: ChartEvent): void => {
    if (events.hears('chart.stepped'))
      events.emit('chart.stepped', { path, state: snapshot.value, event: type });
  };

type Performer = (params: unknown, event: ChartEvent) => void;

/** Runs one chart. Made at rest: {@link start} enters the initial states. */
export class ChartRunner<E extends ChartEvent = ChartEvent, A extends ChartAction = ChartAction> {
  readonly #chart: Chart<E, A>;
  readonly #perform: Readonly<Record<string, Performer>>;
  readonly #delays: NonNullable<ChartRunnerOptions<E, A>['delays']>;
  readonly #timer: ChartRunnerOptions<E, A>['timer'];
  readonly #onStep: ChartRunnerOptions<E, A>['onStep'];
  readonly #timers = new Map<string, Timer>();
  readonly #waiting = new Deque<E>();
  #snapshot: ChartSnapshot;
  /** The first error of what is being performed. */
  #failure: { readonly error: unknown } | undefined = undefined;
  #phase: 'new' | 'ready' | 'performing' | 'stopped' = 'new';

  /** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN naming an action or delay that is missing or not the chart's */
  constructor(options: ChartRunnerOptions<E, A>) {
    const { chart, perform, delays = {}, timer, onStep } = options;
    const where = `runner of chart ${chart.id}`;
    requireEach(`${where}: perform`, perform, chart.needs.actions);
    requireEach(`${where}: delays`, delays, chart.needs.delays);
    if (chart.needs.timers) check(where, 'timer', fn(), timer);
    this.#chart = chart;
    this.#perform = perform as unknown as Readonly<Record<string, Performer>>;
    this.#delays = delays;
    this.#timer = timer;
    this.#onStep = onStep;
    this.#snapshot = chart.initial.snapshot;
  }

  /** Where the chart stands: initially where it will start. */
  get snapshot(): ChartSnapshot {
    return this.#snapshot;
  }

  /** Performs what entering the initial states asks for, then what was sent before. Once; later calls do nothing. */
  start(): void {
    if (this.#phase !== 'new') return;
    this.#complete(this.#chart.initial, INITIAL_EVENT as E);
  }

  /**
   * Steps the chart. From inside a performer, or before the start, the event waits its turn; after the stop it is
   * ignored, as is every event once the chart is done.
   *
   * @throws what a guard throws (no step is taken then), or the first error of a performer, when all is performed
   */
  send(event: E): void {
    if (this.#phase !== 'ready') {
      if (this.#phase !== 'stopped') this.#waiting.push(event);
      return;
    }
    const step = this.#chart.step(this.#snapshot, event);
    if (step.changed) this.#complete(step, event);
  }

  /** Cancels all timers and drops what waits. What is being performed is still performed. */
  stop(): void {
    this.#phase = 'stopped';
    this.#waiting.clear();
    this.#cancelTimers();
  }

  #complete(first: Step, sent: E): void {
    this.#phase = 'performing';
    this.#take(first, sent);
    for (let event = this.#waiting.shift(); event !== undefined; event = this.#waiting.shift()) {
      try {
        const step = this.#chart.step(this.#snapshot, event);
        if (step.changed) this.#take(step, event);
      } catch (error) {
        this.#failure ??= { error };
      }
    }
    if (!this.#isStopped()) this.#phase = 'ready';
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure.error;
  }

  #take(step: Step, event: E): void {
    this.#snapshot = step.snapshot;
    try {
      this.#onStep?.(step, event);
    } catch (error) {
      this.#failure ??= { error };
    }
    const { requests } = step;
    // By index: an iterator would be made for every step of every worker and breaker.
    for (let i = 0; i < requests.length; i++) {
      try {
        this.#carryOut(requests[i] as ChartRequest, event);
      } catch (error) {
        this.#failure ??= { error };
      }
    }
    if (step.snapshot.status === 'done') this.#cancelTimers();
  }

  #carryOut(request: ChartRequest, event: E): void {
    if (request.kind === 'action') this.#perform[request.type]?.(request.params, event);
    else if (request.kind === 'cancel_timer') this.#cancelTimer(request.id);
    else this.#startTimer(request, event);
  }

  /** A timer of the same id is replaced: XState would let both fire. */
  #startTimer({ id, delay, event }: ChartRequest & { kind: 'start_timer' }, cause: E): void {
    this.#cancelTimer(id);
    if (this.#isStopped()) return;
    const resolved = typeof delay === 'number' ? delay : this.#delays[delay]?.(cause);
    const where = `runner of chart ${this.#chart.id}`;
    const delayMs = resolved === Infinity ? Infinity : check(where, `delay ${delay}`, ms(), resolved);
    const timer = this.#timer?.(delayMs, id, () => {
      if (this.#timers.get(id) !== timer) return;
      this.#timers.delete(id);
      this.send(event as E);
    });
    if (timer !== undefined) this.#timers.set(id, timer);
  }

  #cancelTimer(id: string): void {
    this.#timers.get(id)?.cancel();
    this.#timers.delete(id);
  }

  #cancelTimers(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #isStopped(): boolean {
    return this.#phase === 'stopped';
  }
}

const requireEach = (where: string, given: object, names: readonly string[]): void => {
  resolveOptions(where, given, Object.fromEntries(names.map((name) => [name, fn()])), {});
  const present = given as Readonly<Record<string, unknown>>;
  for (const name of names)
    if (typeof present[name] !== 'function') refuse(where, name, 'a function', present[name]);
};
