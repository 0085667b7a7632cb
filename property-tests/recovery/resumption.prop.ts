/** A recovery whose process dies after any prefix of its journal, and is resumed by the next one. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSystem } from '../../src/kernel/system.ts';
import type { Journal, JournalEntry } from '../../src/recovery/journal.ts';
import type { StepContext } from '../../src/recovery/playbook.ts';
import { recovery } from '../../src/recovery/recovery.ts';
import { remedies } from '../../src/recovery/remedy.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

/** What is to be done: some steps that must all succeed, or one operation that succeeds at the n-th attempt. */
interface Scenario {
  readonly kind: 'all' | 'chain' | 'retry';
  readonly steps: number;
  /** Which step, or how many attempts, fail. */
  readonly failing: number;
  /** Whether they fail with what running again does not help. */
  readonly hopeless: boolean;
}

/** Where a process dies: at which append to the journal, and whether that entry was kept. */
interface Death {
  readonly atAppend: number;
  readonly kept: boolean;
}

/** The world outside: it keeps what was done under a key, and does nothing the second time. */
class World {
  readonly effects: string[] = [];
  readonly calls: string[] = [];
  readonly #keys = new Set<string>();

  act(key: string, effect: string): void {
    this.calls.push(effect);
    if (this.#keys.has(key + effect)) return;
    this.#keys.add(key + effect);
    this.effects.push(effect);
  }
}

/** A durable journal of one process that may die: from then on nothing is kept and nothing answered. */
const mortalJournal = (kept: string[], death: Death | undefined) => {
  let appends = 0;
  const journal: Journal = {
    append: (entry) => {
      const dies = death !== undefined && appends >= death.atAppend;
      const last = appends === death?.atAppend;
      appends += 1;
      // As text: what a journal keeps must survive being written.
      if (!dies || (last && death.kept)) kept.push(JSON.stringify(entry));
      return dies ? new Promise<void>(() => undefined) : undefined;
    },
    unfinished: () => {
      const entries = kept.map((line) => JSON.parse(line) as JournalEntry);
      const ended = new Set(entries.filter(({ kind }) => kind === 'ended').map(({ recovery: id }) => id));
      return entries.filter(({ recovery: id }) => !ended.has(id));
    },
  };
  return { journal, appended: () => appends };
};

const stepsOf = (scenario: Scenario, world: World) => {
  const step =
    (name: string, fails: (context: StepContext) => boolean) =>
    (context: StepContext): void => {
      if (fails(context)) throw Object.assign(new Error(name), { code: scenario.hopeless ? 'BUG' : 'EPIPE' });
      world.act(context.key, name);
    };
  const named = Object.fromEntries(
    Array.from({ length: scenario.steps }, (_, n) => [
      `step${n}`,
      step(`step${n}`, () => (scenario.kind === 'chain' ? n < scenario.failing : n === scenario.failing)),
    ]),
  );
  return { named, operation: step('operation', ({ attempt }) => attempt <= scenario.failing) };
};

/** Runs one process on what is kept; it begins the recovery if none was begun. */
const live = async (scenario: Scenario, world: World, kept: string[], death?: Death) => {
  const host = new SimulatedHost();
  const system = createSystem({ host });
  const { journal, appended } = mortalJournal(kept, death);
  const { named, operation } = stepsOf(scenario, world);
  const chosen = {
    all: remedies.named('rebuild'),
    chain: remedies.failover,
    retry: remedies.retry(5, 'linear'),
  };
  const spec = recovery('recovery', {
    journal,
    retryBackoff: { baseMs: 10, jitter: 'none' },
    playbook: [
      {
        subjects: '**',
        remedy: chosen[scenario.kind],
        remedies: { rebuild: named },
        failover: named,
        retry: operation,
      },
    ],
  });
  const handle = await host.runUntil(system.start(spec));
  await host.settle();
  if (kept.length === 0) handle.report('port_exited', { subject: 'cache' });
  await host.advance(20_000);
  return { appended: appended(), recent: handle.inspect().recent };
};

const scenario: fc.Arbitrary<Scenario> = fc.record({
  kind: fc.constantFrom('all', 'chain', 'retry'),
  steps: fc.integer({ min: 1, max: 4 }),
  failing: fc.integer({ min: 0, max: 6 }),
  hopeless: fc.boolean(),
});

describe('a recovery whose process dies', () => {
  it('after any prefix of its journal has the same effects in the end, and the same outcome', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async (given) => {
        const whole = new World();
        const undisturbed = await live(given, whole, []);
        const [outcome] = undisturbed.recent.map(({ outcome: end }) => end);
        expect(['recovered', 'gave_up']).toContain(outcome);
        for (let atAppend = 0; atAppend < undisturbed.appended; atAppend++) {
          for (const keptLast of [false, true]) {
            const world = new World();
            const kept: string[] = [];
            await live(given, world, kept, { atAppend, kept: keptLast });
            const last = await live(given, world, kept);
            expect(world.effects).toEqual(whole.effects);
            // One that was over, but for its last line, is over again or was already.
            for (const status of last.recent) expect(status.outcome).toBe(outcome);
            expect((await live(given, world, kept)).recent).toEqual([]);
          }
        }
      }),
      { numRuns: 12 },
    );
  });

  it('again and again still has the same effects', async () => {
    const deaths = fc.array(fc.record({ atAppend: fc.nat(4), kept: fc.boolean() }), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(scenario, deaths, async (given, all) => {
        const whole = new World();
        await live(given, whole, []);
        const world = new World();
        const kept: string[] = [];
        for (const death of all) await live(given, world, kept, death);
        await live(given, world, kept);
        expect(world.effects).toEqual(whole.effects);
      }),
      { numRuns: 60 },
    );
  });

  it('a step that is known to be done is not even called again', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, fc.nat(9), async (given, atAppend) => {
        const world = new World();
        const kept: string[] = [];
        await live(given, world, kept, { atAppend, kept: true });
        const settled = kept
          .map((line) => JSON.parse(line) as JournalEntry)
          .flatMap((entry) => (entry.kind === 'settled' && entry.outcome === 'done' ? [entry.step] : []));
        world.calls.length = 0;
        if (kept.length > 0) await live(given, world, kept);
        for (const step of settled) expect(world.calls).not.toContain(step);
      }),
      { numRuns: 60 },
    );
  });
});
