/**
 * Random machines of the subset that troupe compiles, each drawn from a list of integers: every decision takes the next
 * one, and 0 is always the plainest choice, so that a failing machine shrinks to a small one.
 *
 * Invariant: the same integers give the same machine. The machines make no sense, on purpose.
 */
import { type AnyStateMachine, and, cancel, createMachine, not, or, raise } from 'xstate';
import type { ChartEvent } from '../chart/chart.ts';

/** A machine with events worth sending to it. */
export interface DrawnChart {
  readonly machine: AnyStateMachine;
  readonly events: readonly ChartEvent[];
}

interface DrawnEvent extends ChartEvent {
  readonly bits?: number;
}

const EVENT_TYPES = ['E', 'F', 'job.done', 'job.failed.badly'];
const RAISED_TYPES = ['R', 'job.done', 'E'];
const DESCRIPTORS = ['E', 'F', 'job.done', 'job.*', '*', 'R', 'LATE'];
const DELAYS = ['100', 'short', 'long'];
const STATES_MAX = 10;
const DEPTH_MAX = 3;
/** Loops are compared as well, and soon. */
const MICROSTEPS = 25;

/** Answers by the bits of the event alone; events that a machine raises by itself have none. */
const guards = {
  low: ({ event }: { event: DrawnEvent }) => ((event.bits ?? 0) & 1) === 1,
  high: ({ event }: { event: DrawnEvent }) => ((event.bits ?? 0) & 2) === 2,
  mask: ({ event }: { event: DrawnEvent }, params: { mask: number }) =>
    ((event.bits ?? 0) & params.mask) !== 0,
  both: and(['low', 'high']),
};

type State = Record<string, unknown>;

class Draw {
  readonly #integers: readonly number[];
  readonly #ids: string[] = [];
  #at = 0;
  #actions = 0;

  constructor(integers: readonly number[]) {
    this.#integers = integers;
  }

  machine(): AnyStateMachine {
    const root = this.#shape('m', 0);
    for (const state of this.#each(root)) this.#behave(state);
    if (root['type'] === 'final') root['type'] = undefined;
    return createMachine({ ...root, options: { maxIterations: MICROSTEPS } } as never, { guards } as never);
  }

  /** A number below `count`; 0 once the integers have run out. */
  #next(count: number): number {
    const integer = this.#integers[this.#at++] ?? 0;
    return integer % count;
  }

  #pick<T>(values: readonly T[]): T {
    return values[this.#next(values.length)] as T;
  }

  #shape(id: string, depth: number): State {
    this.#ids.push(id);
    const state: State = { id };
    const kind = depth >= DEPTH_MAX ? 0 : depth === 0 ? this.#next(2) + 1 : this.#next(5);
    if (kind === 0 || kind > 3 || this.#ids.length >= STATES_MAX) return state;
    const count = 1 + this.#next(kind === 2 ? 3 : 4);
    const keys = Array.from({ length: count }, (_, i) => (this.#next(12) === 11 ? String(9 - i) : `s${i}`));
    state['states'] = Object.fromEntries(keys.map((key) => [key, this.#shape(`${id}_${key}`, depth + 1)]));
    if (kind === 2) state['type'] = 'parallel';
    else state['initial'] = this.#next(6) === 5 ? { target: keys[0], actions: this.#actionList() } : keys[0];
    return state;
  }

  *#each(state: State): Generator<State> {
    yield state;
    for (const child of Object.values((state['states'] ?? {}) as Record<string, State>))
      yield* this.#each(child);
  }

  #behave(state: State): void {
    if (state['states'] === undefined && this.#next(8) === 7) {
      state['type'] = 'final';
      state['entry'] = this.#actionList();
      return;
    }
    state['entry'] = this.#actionList();
    state['exit'] = this.#actionList();
    const on: Record<string, unknown> = {};
    for (let count = this.#next(6); count > 0; count--)
      on[this.#pick(DESCRIPTORS)] = this.#transitions(state);
    state['on'] = on;
    if (this.#next(5) === 4) state['after'] = { [this.#pick(DELAYS)]: this.#afterwards(state) };
    if (this.#next(12) === 11) state['always'] = this.#transitions(state);
    if (state['states'] !== undefined && this.#next(2) === 1) state['onDone'] = this.#transitions(state);
  }

  #transitions(source: State): unknown {
    const count = 1 + this.#next(2);
    const list = Array.from({ length: count }, () => this.#transition(source));
    return count === 1 && this.#next(2) === 0 ? list[0] : list;
  }

  /** Under `after` XState misreads bare targets in a list. */
  #afterwards(source: State): unknown {
    const drawn = this.#transitions(source);
    return Array.isArray(drawn)
      ? drawn.map((t: unknown) => (typeof t === 'string' ? { target: t } : t))
      : drawn;
  }

  #transition(source: State): unknown {
    const kind = this.#next(8);
    if (kind === 7) return { actions: this.#actionList(), ...this.#guarded() };
    if (kind === 6) return { target: `#${source['id']}`, reenter: this.#next(2) === 1, ...this.#guarded() };
    const target = `#${this.#pick(this.#ids.slice(1))}`;
    if (kind === 0) return target;
    const targets = kind === 5 ? [target, `#${this.#pick(this.#ids.slice(1))}`] : target;
    return { target: targets, actions: this.#actionList(), reenter: kind === 4, ...this.#guarded() };
  }

  #guarded(): object {
    const kind = this.#next(16);
    if (kind === 0 || kind > 8) return {};
    const mask = { type: 'mask', params: { mask: 1 + this.#next(3) } };
    const computed = {
      type: 'mask',
      params: ({ event }: { event: DrawnEvent }) => ({ mask: event.type.length }),
    };
    const options = [
      'low',
      'high',
      mask,
      computed,
      'both',
      not('low'),
      or(['low', mask]),
      and([not(mask), 'high']),
    ];
    return { guard: options[kind - 1] };
  }

  #actionList(): readonly unknown[] {
    return Array.from({ length: this.#next(3) }, () => this.#action());
  }

  #action(): unknown {
    const type = `act${this.#actions++ % 40}`;
    const kind = this.#next(16);
    if (kind <= 2 || kind > 8) return type;
    if (kind === 3) return { type, params: { k: this.#next(5) } };
    if (kind <= 5)
      return {
        type,
        params: ({ event }: { event: DrawnEvent }) => ({ type: event.type, bits: event.bits }),
      };
    if (kind === 6) return raise({ type: this.#pick(RAISED_TYPES), bits: this.#next(4) } as never);
    if (kind === 7) return raise({ type: 'LATE' } as never, { delay: 'long', id: 'late' } as never);
    return cancel('late');
  }
}

/** Draws a machine. */
export const drawChart = (integers: readonly number[]): DrawnChart => ({
  machine: new Draw(integers).machine(),
  events: [
    ...EVENT_TYPES.flatMap((type) => [0, 1, 2, 3].map((bits) => ({ type, bits }))),
    { type: 'unheard' },
  ],
});
