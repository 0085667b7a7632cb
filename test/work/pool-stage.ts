/** A pool of scripted workers on a simulated host, with everything it emits. */
import type { EventType, TroupeEvent } from '../../src/base/telemetry.ts';
import { createSystem, type System } from '../../src/kernel/system.ts';
import {
  type ScriptedKind,
  type ScriptedOptions,
  scriptedWorkers,
} from '../../src/testing/scripted-worker.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { type PoolHandle, pool } from '../../src/work/pool.ts';
import type { PoolOptions } from '../../src/work/pool-options.ts';

export interface Stage {
  readonly host: SimulatedHost;
  readonly system: System;
  readonly kind: ScriptedKind;
  readonly pool: PoolHandle;
  readonly events: readonly TroupeEvent[];
  /** All events of one type, in order. */
  of<T extends EventType>(type: T): readonly Extract<TroupeEvent, { type: T }>[];
}

export interface StageOptions extends Partial<PoolOptions> {
  readonly script?: ScriptedOptions;
  readonly host?: SimulatedHost;
}

/** Starts a pool of two scripted workers, or as told, and settles. */
export const stage = async ({
  script,
  host = new SimulatedHost(),
  ...options
}: StageOptions = {}): Promise<Stage> => {
  const system = createSystem({ host });
  const events: TroupeEvent[] = [];
  system.events.listen((event) => events.push(event));
  const kind = scriptedWorkers(script);
  const handle = await host.runUntil(system.start(pool('pool', { worker: kind, size: 2, ...options })));
  await host.settle();
  return {
    host,
    system,
    kind,
    pool: handle,
    events,
    of: (type) => events.filter((event) => event.type === type) as never,
  };
};

/** What became of a promise so far. */
export interface Fate {
  status: 'pending' | 'fulfilled' | 'rejected';
  value?: unknown;
  error?: {
    readonly code: string;
    readonly outcome: string;
    readonly data: Readonly<Record<string, unknown>>;
  };
  /** How often it settled: the proof of once. */
  settled: number;
}

/** Follows a promise without waiting for it. */
export const fateOf = (promise: Promise<unknown>): Fate => {
  const fate: Fate = { status: 'pending', settled: 0 };
  promise.then(
    (value) => Object.assign(fate, { status: 'fulfilled', value, settled: fate.settled + 1 }),
    (error) => Object.assign(fate, { status: 'rejected', error, settled: fate.settled + 1 }),
  );
  return fate;
};

/** The code a promise was rejected with, or what it gave. */
export const codeOf = async (host: SimulatedHost, promise: Promise<unknown>): Promise<unknown> =>
  host.runUntil(
    promise.then(
      (value) => value,
      (error: { code?: string }) => error.code ?? error,
    ),
  );
