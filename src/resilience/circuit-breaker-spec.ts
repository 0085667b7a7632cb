/**
 * A breaker in a tree. Its core belongs to the place and outlives restarts: state, generation and the end of the wait are
 * kept, and only `reset` clears them.
 *
 * Invariant: admission never waits for the actor: the handle asks the core in its caller's turn, also while the actor
 * restarts. The actor owns the timer of the wait, commands by message, and inspection.
 */

import { resolveOptions } from '../base/options.ts';
import type { EventStream, EventType, TroupeEvent } from '../base/telemetry.ts';
import type { ActorContext, Behaviour, Handle, Inspection, Logic, Place } from '../kernel/logic.ts';
import type { Ref } from '../kernel/ref.ts';
import { noHandler } from '../kernel/relations.ts';
import { createSpec, SPEC_FIELDS, type Spec, type SpecOptions } from '../kernel/spec.ts';
import type { Admission } from './admission.ts';
import type { BreakerChange, BreakerReport, BreakerState, CircuitBreaker } from './breaker.ts';
import { BreakerCore } from './breaker-core.ts';
import {
  BREAKER_FIELDS,
  type BreakerOptions,
  type ResolvedBreakerOptions,
  resolveBreaker,
} from './breaker-options.ts';
import type { ExecuteOptions, Work } from './call.ts';
import { STATE_FIELDS, type StandaloneBreakerOptions } from './circuit-breaker.ts';

/** What `app.get(spec)` gives for a breaker: the breaker, wherever its actor is. */
export interface BreakerHandle extends Handle, CircuitBreaker {
  readonly critical: boolean;
}

/** A breaker's own options, and those of every spec but `input`; a breaker waits for no other. */
export type BreakerSpecOptions = BreakerOptions &
  Pick<StandaloneBreakerOptions, 'state'> &
  Omit<SpecOptions, 'input' | 'dependsOn' | 'holdMaxMs'>;

/** What its actor understands; each may also be called, and is answered with a {@link BreakerReport}. */
export type BreakerMessage =
  | { readonly type: 'reset' }
  | { readonly type: 'succeed' }
  | { readonly type: 'fail'; readonly cause?: unknown }
  | { readonly type: 'inspect' };

const COMMANDS: readonly string[] = ['reset', 'succeed', 'fail', 'inspect'];

class BreakerActor implements Behaviour {
  readonly #context: ActorContext;
  readonly #core: BreakerCore;
  readonly #letGo: () => void;

  constructor(context: ActorContext, core: BreakerCore) {
    this.#context = context;
    this.#core = core;
    this.#letGo = core.keepTime((delayMs, elapsed, what) =>
      context.postAfter(delayMs, `breaker ${what}`, elapsed, { unref: true }),
    );
  }

  tell(message: unknown): void {
    const { system, path } = this.#context;
    if (!this.#obey(message as BreakerMessage)) system.deadLetter(path, message);
  }

  call(message: unknown): BreakerReport | undefined {
    if (this.#obey(message as BreakerMessage)) return this.#core.inspect();
    this.#context.later().refuse(noHandler(this.#context.path, message, COMMANDS));
    return undefined;
  }

  inspect(): Inspection {
    const { state, verdict, failures, openings, rejected, critical, retryAfterMs } = this.#core.inspect();
    const facts = { failures, openings, rejected, critical };
    return {
      state,
      ready: !(critical && verdict === 'refuse'),
      facts: retryAfterMs === undefined ? facts : { ...facts, retryAfterMs },
    };
  }

  reap(): void {
    this.#letGo();
  }

  /** Whether it is a command at all. */
  #obey(message: BreakerMessage): boolean {
    const type = message?.type;
    if (type === 'reset') this.#core.reset();
    else if (type === 'succeed') this.#core.succeed();
    else if (type === 'fail') this.#core.fail(message.cause);
    return COMMANDS.includes(type);
  }
}

class PlacedBreaker implements BreakerHandle {
  readonly kind = 'breaker';
  readonly path: string;
  readonly name: string;
  readonly critical: boolean;
  readonly #place: Place;
  readonly #core: BreakerCore;

  constructor(place: Place) {
    this.#place = place;
    this.#core = place.shared as BreakerCore;
    this.path = place.path;
    this.name = place.path;
    this.critical = this.#core.options.critical;
  }

  get events(): EventStream {
    return this.#core.events;
  }

  ref(): Ref | undefined {
    return this.#place.ref();
  }

  execute<T>(work: Work<T>, options?: ExecuteOptions): Promise<T> {
    return this.#core.execute(work, options);
  }

  admit(options?: ExecuteOptions): Admission {
    return this.#core.admit(options);
  }

  succeed(): void {
    this.#core.succeed();
  }

  fail(cause?: unknown): void {
    this.#core.fail(cause);
  }

  reset(): void {
    this.#core.reset();
  }

  isolate(): () => void {
    return this.#core.isolate();
  }

  disable(): void {
    this.#core.disable();
  }

  observe(): void {
    this.#core.observe();
  }

  resume(): void {
    this.#core.resume();
  }

  exportState(): BreakerState {
    return this.#core.exportState();
  }

  inspect(): BreakerReport {
    return this.#core.inspect();
  }

  onChange(listener: (change: BreakerChange) => void): () => void {
    return this.#core.onChange(listener);
  }

  on<T extends EventType>(type: T, listener: (event: Extract<TroupeEvent, { type: T }>) => void): () => void {
    return this.#core.on(type, (event) => {
      // The stream is the whole system's.
      if ((event as { path?: string }).path === this.path) listener(event);
    });
  }
}

class BreakerLogic implements Logic<BreakerHandle> {
  readonly kind = 'breaker';
  readonly #options: ResolvedBreakerOptions;
  readonly #state: BreakerState | undefined;

  constructor(options: ResolvedBreakerOptions, state: BreakerState | undefined) {
    this.#options = options;
    this.#state = state;
  }

  share({ system, path }: Place): BreakerCore {
    const { host, events } = system;
    const core = new BreakerCore({ host, events, path, placed: true }, this.#options);
    if (this.#state !== undefined) core.restore(this.#state);
    return core;
  }

  start(context: ActorContext): Behaviour {
    return new BreakerActor(context, context.place.shared as BreakerCore);
  }

  /** Nobody keeps its time any more, and nobody should rely on it. */
  retire(place: Place): void {
    (place.shared as BreakerCore).dispose();
  }

  handle(place: Place): BreakerHandle {
    return new PlacedBreaker(place);
  }
}

const { input: _none, dependsOn: _others, holdMaxMs: _hold, ...PLACED_FIELDS } = SPEC_FIELDS;

/**
 * A breaker as a child of a supervisor: `app.get(spec).execute(…)`. Options as of `createCircuitBreaker`, and of every spec.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const circuitBreaker = (id: string, options: BreakerSpecOptions = {}): Spec<BreakerHandle> => {
  const where = `breaker ${String(id)}`;
  const fields = { ...PLACED_FIELDS, ...BREAKER_FIELDS, ...STATE_FIELDS };
  const { state, ...resolved } = resolveOptions(where, options, fields, {});
  const own: Record<string, unknown> = {};
  const placed: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(resolved)) {
    if (Object.hasOwn(BREAKER_FIELDS, key)) own[key] = value;
    else placed[key] = value;
  }
  return createSpec(id, new BreakerLogic(resolveBreaker(where, own), state), placed as SpecOptions);
};
