/** The scenarios hold on a small budget, every run of the corpus holds, and the kit itself does what it says. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { createActor, createMachine, waitFor } from 'xstate';
import { readCase } from '../../src/testing/failure-file.ts';
import { FAULT_POINTS, faultsAt } from '../../src/testing/faults.ts';
import { explore, simulate } from '../../src/testing/simulate.ts';
import { runCase, type Scenario, type Stage } from '../../src/testing/simulation.ts';
import { type AnyScenario, SCENARIOS } from './scenarios/index.ts';

const CORPUS = fileURLToPath(new URL('./corpus/', import.meta.url));
const RUNS_PER_SHARE = 40;
/** A second or two of work each; a machine that is shared may take many times that. */
const TIMEOUT_MS = 120_000;

const directory = mkdtempSync(join(tmpdir(), 'simulation-'));
afterAll(() => rmSync(directory, { recursive: true }));

describe('the scenarios', () => {
  it.each(SCENARIOS)(
    '$scenario.name holds',
    async ({ scenario, share }) => {
      const report = await simulate(scenario, { runs: RUNS_PER_SHARE * share, seed: 4 });
      expect(report.failures).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

describe('docs/TESTING.md', () => {
  const read = (path: string) =>
    readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');

  it('shows the example that is run, and every fault point', () => {
    const page = read('docs/TESTING.md');
    expect(page).toContain(read('examples/08-simulate.mjs').trimEnd());
    for (const point of Object.keys(FAULT_POINTS)) expect(page).toContain(`| \`${point}\` |`);
  });
});

describe('the corpus', () => {
  it.each(readdirSync(CORPUS))('%s holds', async (file) => {
    const run = readCase(join(CORPUS, file));
    const found = SCENARIOS.find(({ scenario }) => scenario.name === run.scenario);
    const { failure } = await runCase(found?.scenario as AnyScenario, run);
    expect(failure?.error.message).toBeUndefined();
  });
});

/** Two clients take and give back, with a pause between looking and taking: the classic race. */
const checkout = (careful: boolean): Scenario<{ free: number; taken: number }> => ({
  name: 'checkout',
  setUp: () => ({ free: 1, taken: 0 }),
  commands: {
    take: (world, _draw, stage) => {
      if (world.free === 0) return;
      if (careful) world.free -= 1;
      stage.host.timer(stage.choose(4, 'latency'), 'latency', () => {
        if (!careful) world.free -= 1;
        world.taken += 1;
        stage.reached('taken');
      });
    },
    wait: () => undefined,
  },
  always: { 'one at a time': ({ taken }) => (taken > 1 ? `${taken} have it` : undefined) },
  sometimes: ['taken'],
});

const leaky = (leak: (stage: Stage) => unknown): Scenario<object> => ({
  name: 'leaky',
  setUp: (stage) => {
    stage.host.step('leak', () => {
      try {
        leak(stage);
      } catch {
        // Swallowed: the run fails all the same.
      }
    });
    return {};
  },
  commands: { wait: () => undefined },
});

const NOTHING = { seed: 1, config: [], commands: [], choices: [] };

describe('a campaign', () => {
  it('finds a race, shrinks it, and writes what replays it', async () => {
    const failing = simulate(checkout(false), { runs: 500, directory });
    await expect(failing).rejects.toMatchObject({
      code: 'ERR_SIMULATION_FAILED',
      data: { property: 'one at a time' },
    });
    const { data, message } = (await failing.catch((error: unknown) => error)) as {
      data: { file: string };
      message: string;
    };
    expect(message).toContain(`simulate(scenario, { replay: '${data.file}' })`);
    const file = JSON.parse(readFileSync(data.file, 'utf8')) as Record<string, unknown>;
    expect(file).toMatchObject({
      kit: 2,
      scenario: 'checkout',
      commandNames: ['take', 'take'],
      config: [],
      choices: [],
    });
    expect(file['trace']).toContain('command take 0');
    await expect(simulate(checkout(false), { replay: data.file, directory: false })).rejects.toMatchObject({
      data: { property: 'one at a time' },
    });
    await expect(simulate(checkout(true), { replay: data.file })).resolves.toMatchObject({ failures: [] });
  });

  it('tells what was never reached in 1,000 runs', async () => {
    const scenario = { ...checkout(true), sometimes: ['taken', 'given back'] };
    await expect(simulate(scenario, { runs: 1_000 })).rejects.toThrow(
      /never reached in 1000 runs: given back/,
    );
  });

  it('notices when a run differs from itself', async () => {
    let runs = 0;
    const moody: Scenario<object> = {
      name: 'moody',
      setUp: (stage) => {
        stage.note(`run ${runs++}`);
        return {};
      },
      commands: { wait: () => undefined },
    };
    await expect(simulate(moody, { runs: 1, directory: false })).rejects.toMatchObject({
      data: { property: 'no nondeterminism' },
    });
  });

  it('has the same runs whatever ran before', async () => {
    const hashes = async (scenario: AnyScenario) =>
      (await runCase(scenario, { ...NOTHING, choices: [3, 1, 4, 1, 5] })).hash;
    for (const { scenario } of SCENARIOS) expect(await hashes(scenario)).toBe(await hashes(scenario));
  });

  it('tries every combination of a tiny scenario', async () => {
    const seen = new Set<string>();
    const tiny: Scenario<object> = {
      name: 'tiny',
      setUp: (stage) => {
        seen.add(`${stage.choose(2, 'a')}${stage.choose(3, 'b')}`);
        return {};
      },
      commands: { wait: () => undefined },
    };
    expect(await explore(tiny)).toEqual({ runs: 6, complete: true });
    expect(seen.size).toBe(6);
    await expect(
      explore(checkout(false), {
        commands: [
          [0, 0, 1],
          [0, 0, 4],
        ],
      }),
    ).rejects.toMatchObject({
      code: 'ERR_SIMULATION_FAILED',
    });
  });

  it('calls it a livelock when steps never end, and a failure when nothing heals', async () => {
    const spin = (stage: Stage): void => stage.host.step('spin', () => spin(stage));
    const livelock = await runCase(leaky(spin), NOTHING);
    expect(livelock.failure?.property).toBe('no livelock');
    const stuck = await runCase(
      { ...leaky(() => undefined), heal: () => new Promise(() => undefined) },
      NOTHING,
    );
    expect(stuck.failure?.property).toBe('liveness');
  });
});

describe('the guard of real time and chance', () => {
  const leaks: Readonly<Record<string, () => unknown>> = {
    'Date.now()': () => Date.now(),
    'new Date()': () => new Date(),
    'performance.now()': () => performance.now(),
    'Math.random()': () => Math.random(),
    'setTimeout()': () => setTimeout(() => undefined, 0),
    'setImmediate()': () => setImmediate(() => undefined),
    'crypto.randomUUID()': () => crypto.randomUUID(),
    'AbortSignal.timeout()': () => AbortSignal.timeout(5),
    'process.hrtime()': () => process.hrtime(),
  };

  it.each(Object.keys(leaks))(
    '%s fails the run with the stack of the culprit, though it was swallowed',
    async (name) => {
      const { failure } = await runCase(leaky(leaks[name] as () => unknown), NOTHING);
      expect(failure?.property).toBe('no leak');
      expect(failure?.error.message).toContain(`real ${name} was used`);
      expect(failure?.error.stack).toContain('simulation.test.ts');
    },
  );

  it('lets dates be made from numbers, and is gone when the run is over', async () => {
    const before = [Date, Date.now, Math.random, setTimeout, performance.now];
    const { failure } = await runCase(
      leaky(() => new Date(0)),
      NOTHING,
    );
    expect(failure).toBeUndefined();
    expect([Date, Date.now, Math.random, setTimeout, performance.now]).toEqual(before);
  });

  it("answers XState's own uses from the simulated host", async () => {
    const machine = createMachine({ initial: 'a', states: { a: { after: { 1000: 'b' } }, b: {} } });
    const world: Scenario<object> = {
      name: 'bare xstate',
      setUp: () => ({ actor: createActor(machine).start() }),
      commands: { wait: () => undefined },
      heal: async (it) => {
        const { actor } = it as { actor: ReturnType<typeof createActor<typeof machine>> };
        await waitFor(actor, (snapshot) => snapshot.matches('b'), { timeout: 5_000 });
      },
    };
    const { failure } = await runCase(world, NOTHING);
    expect(failure?.error).toBeUndefined();
  });

  it('hears of the faults that were drawn only while they last', async () => {
    const points = faultsAt('timer.late');
    const { failure } = await runCase(
      { ...checkout(true), faults: { points } },
      { ...NOTHING, choices: [1] },
    );
    expect(failure).toBeUndefined();
  });
});
