/**
 * A simulated system and actors whose code a test writes on the spot. It watches promises without throwing, so that a test
 * can say what became of a call, and when.
 */

import type { TroupeEvent } from '../../src/base/telemetry.ts';
import { actor } from '../../src/kernel/actor.ts';
import type {
  ActorContext,
  Awaitable,
  Behaviour,
  CallOptions,
  Handle,
  IGNORE,
  Logic,
  Told,
} from '../../src/kernel/logic.ts';
import type { ExitReason } from '../../src/kernel/reason.ts';
import type { Spec, SpecOptions } from '../../src/kernel/spec.ts';
import { createSystem, type System } from '../../src/kernel/system.ts';
import { SimulatedHost, type SimulatedHostOptions } from '../../src/testing/simulated-host.ts';

/** What a test holds of an actor that it wrote itself. */
export interface RawHandle extends Handle {
  tell(message: unknown): Told;
  call(message: unknown, options?: CallOptions): Promise<unknown>;
}

/** A behaviour of which a test writes only what it is about. */
export type Part = Partial<Behaviour>;

/** The logic of a behaviour written on the spot. */
export const raw = (
  start: (context: ActorContext, input: unknown) => Awaitable<Part | typeof IGNORE>,
): Logic<RawHandle> => {
  const whole = (part: Part | typeof IGNORE): Behaviour | typeof IGNORE =>
    typeof part === 'symbol' ? part : { tell: () => undefined, ...part };
  return {
    kind: 'raw',
    start: (context, input) => {
      const part = start(context, input);
      return typeof part === 'object' && 'then' in part ? part.then(whole) : whole(part);
    },
    handle: (place) => ({
      path: place.path,
      ref: () => place.ref(),
      tell: (message) => place.tell(message),
      call: (message, options) => place.call(message, options),
    }),
  };
};

/** The spec of a behaviour written on the spot. */
export const part = (
  id: string,
  start: (context: ActorContext, input: unknown) => Awaitable<Part | typeof IGNORE>,
  options: SpecOptions = {},
): Spec<RawHandle> => actor(id, raw(start), options);

/** What has become of a promise so far. */
export interface Watched {
  /** `pending`, the value, or the code (else the error) it was rejected with. */
  readonly now: unknown;
  /** Of a rejection: what is known of the work. */
  readonly outcome: string | undefined;
  readonly error: unknown;
  readonly settled: boolean;
}

export const watch = (promise: Promise<unknown>): Watched => {
  const seen = {
    now: 'pending' as unknown,
    outcome: undefined as string | undefined,
    error: undefined as unknown,
    settled: false,
  };
  promise.then(
    (value) => {
      seen.now = value;
      seen.settled = true;
    },
    (error: unknown) => {
      const { code, outcome } = error as { code?: string; outcome?: string };
      seen.now = code ?? error;
      seen.outcome = outcome;
      seen.error = error;
      seen.settled = true;
    },
  );
  return seen;
};

export interface Rig {
  readonly host: SimulatedHost;
  readonly system: System;
  readonly events: TroupeEvent[];
  /** The events of one type, in order. */
  told<T extends TroupeEvent['type']>(type: T): Extract<TroupeEvent, { type: T }>[];
  /** Starts a spec at the root and settles. */
  start<H>(spec: Spec<H>): Promise<H>;
  /** How each actor at a path ended, in order. */
  ends(path: string): ExitReason[];
}

export const createRig = (
  options: SimulatedHostOptions & { readonly context?: 'none' | 'async' } = {},
): Rig => {
  const { context = 'none', ...ofHost } = options;
  const host = new SimulatedHost(ofHost);
  const system = createSystem({ host, context });
  const events: TroupeEvent[] = [];
  system.events.listen((event) => events.push(event));
  const told: Rig['told'] = (type) => events.filter((event) => event.type === type) as never;
  return {
    host,
    system,
    events,
    told,
    start: async (spec) => {
      const handle = await host.runUntil(system.start(spec));
      await host.settle();
      return handle;
    },
    ends: (path) =>
      told('actor.ended')
        .filter((event) => event.path === path)
        .map((event) => event.reason as ExitReason),
  };
};

/** A promise and its two ends, for handlers that a test holds in the middle. */
export interface Gate<T = void> {
  readonly passed: Promise<T>;
  open(value: T): void;
  fail(error: unknown): void;
}

export const gate = <T = void>(): Gate<T> => {
  let open!: (value: T) => void;
  let fail!: (error: unknown) => void;
  const passed = new Promise<T>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { passed, open, fail };
};
