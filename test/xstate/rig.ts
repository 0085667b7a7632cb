/** A simulated system with one logic of XState's in it, and what a test needs to watch it. */

import type { TroupeEvent } from '../../src/base/telemetry.ts';
import { actor } from '../../src/kernel/actor.ts';
import type { Logic } from '../../src/kernel/logic.ts';
import type { Spec, SpecOptions } from '../../src/kernel/spec.ts';
import { createSystem, type System } from '../../src/kernel/system.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

export interface Rig<H> {
  readonly host: SimulatedHost;
  readonly system: System;
  readonly spec: Spec<H>;
  readonly handle: H;
  /** All that the system told, in order. */
  readonly events: TroupeEvent[];
  /** The data of the events of one type. */
  told<T extends TroupeEvent['type']>(type: T): Extract<TroupeEvent, { type: T }>[];
  /** Starts the logic again after it ended. */
  restart(): Promise<void>;
}

export const createRig = () => {
  const host = new SimulatedHost();
  const system = createSystem({ host });
  const events: TroupeEvent[] = [];
  system.events.listen((event) => events.push(event));
  return { host, system, events };
};

export const play = async <H>(logic: Logic<H>, options: SpecOptions = {}): Promise<Rig<H>> => {
  const { host, system, events } = createRig();
  const spec = actor('it', logic, options);
  const handle = await host.runUntil(system.start(spec));
  await host.settle();
  return {
    host,
    system,
    spec,
    handle,
    events,
    told: (type) => events.filter((event) => event.type === type) as never,
    restart: async () => {
      await host.runUntil(system.start(spec));
      await host.settle();
    },
  };
};
