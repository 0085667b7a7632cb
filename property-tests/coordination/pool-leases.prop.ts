/** Leases of a pool, as their holders saw them: some order explains all of it, with workers that die under them. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createSystem } from '../../src/kernel/system.ts';
import { recordHistory } from '../../src/testing/history.ts';
import { checkLinearizable } from '../../src/testing/linearizability.ts';
import {
  type LeasePoolInput,
  type LeasePoolOutput,
  leasePoolModel,
} from '../../src/testing/linearizable-models.ts';
import { scriptedWorkers } from '../../src/testing/scripted-worker.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import type { Lease } from '../../src/work/lease.ts';
import { pool } from '../../src/work/pool.ts';

type Step = readonly ['lease' | 'release' | 'die' | 'wait', number];

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom('lease' as const, 'lease' as const, 'release' as const, 'die' as const, 'wait' as const),
  fc.nat(50),
);

interface Has {
  readonly lease: Lease;
  over: boolean;
}

const play = async (size: number, steps: readonly Step[], seed: number) => {
  const host = new SimulatedHost({ seed });
  const system = createSystem({ host });
  const kind = scriptedWorkers();
  const spec = pool('pool', { worker: kind, size, crashLoop: { crashes: 1_000 } });
  const handle = await host.runUntil(system.start(spec));
  const history = recordHistory<LeasePoolInput, LeasePoolOutput>();
  const leases: Has[] = [];
  let deaths = 0;
  /** A worker is lost between its death and the moment at which the pool has noticed. */
  const die = async (number: number): Promise<void> => {
    const port = kind.live[number % Math.max(1, kind.live.length)];
    const has = leases.find(({ lease, over }) => !over && port?.id.endsWith(`/${lease.worker.id}`));
    const call =
      has === undefined
        ? undefined
        : history.call('the pool', '', { do: 'lose', worker: has.lease.worker.id });
    port?.exit({ code: 1 });
    await host.settle();
    if (has === undefined) return;
    expect(has.lease.active).toBe(false);
    has.over = true;
    call?.returned(true);
    deaths += 1;
  };
  for (const [index, [what, number]] of steps.entries()) {
    const has = leases[number % Math.max(1, leases.length)];
    if (what === 'wait') await host.advance(number);
    else if (what === 'die') await die(number);
    else if (what === 'release' && has !== undefined && !has.over) {
      const call = history.call(`holder ${index}`, '', { do: 'release', worker: has.lease.worker.id });
      has.over = true;
      has.lease.release();
      call.returned(true);
    } else if (what === 'lease') {
      const call = history.call(`client ${index}`, '', { do: 'lease' });
      handle.lease({ timeoutMs: 20 + number }).then(
        (lease) => {
          call.returned(lease.worker.id);
          leases.push({ lease, over: false });
        },
        () => call.returned('refused'),
      );
    }
    await host.settle();
  }
  await host.advance(200);
  for (const { lease } of leases) lease.release();
  await host.runUntil(system.shutdown());
  return {
    report: checkLinearizable(leasePoolModel({ size }), history.operations),
    leases: leases.length,
    deaths,
  };
};

it('the leases of a pool are linearizable', async () => {
  let leased = 0;
  let died = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3 }),
      fc.array(step, { minLength: 4, maxLength: 24 }),
      fc.nat(1_000),
      async (size, steps, seed) => {
        const { report, leases, deaths } = await play(size, steps, seed);
        leased += leases;
        died += deaths;
        expect(report.verdict, report.diagram).toBe('linearizable');
      },
    ),
    { numRuns: 80, seed: 23 },
  );
  expect(leased).toBeGreaterThan(200);
  expect(died).toBeGreaterThan(20);
}, 30_000);
