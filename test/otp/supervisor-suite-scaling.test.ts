/**
 * The cases of supervisor_SUITE about many children and about what is kept of them. As there, growth is held against growth: the
 * best of several rounds with few children and with many, in processor time, with room for a busy machine.
 */
import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { actor } from '../../src/kernel/actor.ts';
import type { Logic } from '../../src/kernel/logic.ts';
import type { Spec, SpecOptions } from '../../src/kernel/spec.ts';
import { createSystem } from '../../src/kernel/system.ts';
import { dynamicSupervisor } from '../../src/supervision/dynamic-supervisor.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

/** So many that they are worth the collector's while too: it comes in at some thousands, and would pass for growth. */
const FEW = 2_000;
const TIMES = 8;
/** Linear growth is a factor of TIMES, quadratic one of its square; between them there is room for noise. */
const GROWTH_MAX = TIMES * 3;
/** At a time, well within the mailbox of one supervisor. */
const BATCH = 1_000;
const ROUNDS = { few: 4, many: 2 };
/** On a busy machine. */
const TIMEOUT_MS = 60_000;

const idle: Logic<{ path: string }> = {
  kind: 'worker',
  start: () => ({ tell: () => undefined }),
  handle: (place) => ({ path: place.path }),
};
const worker = (id: string, options: SpecOptions = {}): Spec<{ path: string }> => actor(id, idle, options);

const stage = () => {
  const host = new SimulatedHost();
  return { host, system: createSystem({ host }) };
};

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

type Starting = { startChild(key: string): Promise<unknown> };

/** Asks for that many children, no more at a time than a mailbox takes. */
const startAll = async (host: SimulatedHost, handle: Starting, many: number): Promise<void> => {
  for (let from = 0; from < many; from += BATCH) {
    const keys = Array.from({ length: Math.min(BATCH, many - from) }, (_, i) => `k${from + i}`);
    await host.runUntil(Promise.all(keys.map((key) => handle.startChild(key))));
  }
};

type Run = (many: number) => Promise<number>;

const best = async (run: Run, many: number, rounds: number): Promise<number> => {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) least = Math.min(least, await run(many));
  return least;
};

/** How many times longer it takes with TIMES as many. */
const growth = async (run: Run): Promise<number> => {
  const few = await best(run, FEW, ROUNDS.few);
  return (await best(run, FEW * TIMES, ROUNDS.many)) / Math.max(few, 1);
};

describe('supervisor_SUITE, many children', { timeout: TIMEOUT_MS }, () => {
  it('count_children: 2,000 children are all counted', async () => {
    const { host, system } = stage();
    const handle = await host.runUntil(system.start(dynamicSupervisor('d', { template: worker('t') })));
    await startAll(host, handle, 2_000);
    const counts = { specs: 1, active: 2_000, supervisors: 0, workers: 2_000 };
    expect(await host.runUntil(handle.countChildren())).toEqual(counts);
    await host.runUntil(system.shutdown());
    expect(system.tree()).toEqual([]);
  });

  it('scale_start_stop_many_children: dynamic ones start and stop in linear time', async () => {
    const run = async (many: number) => {
      const { host, system } = stage();
      const handle = await host.runUntil(system.start(dynamicSupervisor('d', { template: worker('t') })));
      const began = cpuMs();
      await startAll(host, handle, many);
      await host.runUntil(system.shutdown());
      return cpuMs() - began;
    };
    expect(await growth(run)).toBeLessThan(GROWTH_MAX);
  });

  it('scale_start_stop_many_children: static ones start in order and stop in reverse in linear time', async () => {
    const run = async (many: number) => {
      const { host, system } = stage();
      const children = Array.from({ length: many }, (_, i) => worker(`w${i}`));
      const began = cpuMs();
      await host.runUntil(system.start(supervisor('root', { children })));
      await host.runUntil(system.shutdown());
      return cpuMs() - began;
    };
    expect(await growth(run)).toBeLessThan(GROWTH_MAX);
  });

  it('simple_one_for_one_scale_many_temporary_children: stopping the supervisor takes linear time', async () => {
    const template = worker('t', { restart: 'temporary' });
    const run = async (many: number) => {
      const { host, system } = stage();
      const handle = await host.runUntil(system.start(dynamicSupervisor('d', { template })));
      await startAll(host, handle, many);
      const began = cpuMs();
      await host.runUntil(system.shutdown());
      return cpuMs() - began;
    };
    expect(await growth(run)).toBeLessThan(GROWTH_MAX);
  });
});

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describe('supervisor_SUITE, what is kept of temporary children', () => {
  /** Starts one with a large input, ends it as told, and says whether that input is still held. */
  const inputOutlives = async (
    end: (system: ReturnType<typeof createSystem>, stop: (key: string) => Promise<void>) => unknown,
  ): Promise<boolean> => {
    const { host, system } = stage();
    const template = worker('t', { restart: 'temporary' });
    const handle = await host.runUntil(system.start(dynamicSupervisor('d', { template })));
    const start = async (): Promise<WeakRef<object>> => {
      const input = { large: new Array(10_000).fill(0) };
      await host.runUntil(handle.startChild('k', input));
      return new WeakRef(input);
    };
    const input = await start();
    void end(system, (key) => handle.terminateChild(key));
    await host.settle();
    expect(handle.child('k')).toBeUndefined();
    // Mail that has been handled leaves its slots with the mail after it.
    await host.runUntil(handle.startChild('another'));
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    return input.deref() !== undefined;
  };

  it.each([
    ['killed', (system: ReturnType<typeof createSystem>) => system.exit({ path: 'd/k' } as never, 'kill')],
    ['stopped', (system: ReturnType<typeof createSystem>) => system.stop({ path: 'd/k' } as never)],
  ] as const)(
    'do_not_save_start_parameters_for_temporary_children: nothing of one that was %s',
    async (_, end) => {
      expect(await inputOutlives(end)).toBe(false);
    },
  );

  it('simple_one_for_one_corruption: nothing of one that was terminated by the API', async () => {
    expect(await inputOutlives((_, stop) => stop('k'))).toBe(false);
  });
});
