/**
 * The tree of the whole service: a breaker, a pool, recovery, a supervisor of clerks that wait before they come back, sessions
 * that come and go, and a front that serves by all of these.
 */
import { actor } from '../../../src/kernel/actor.ts';
import { server } from '../../../src/kernel/server.ts';
import type { Spec } from '../../../src/kernel/spec.ts';
import { recovery } from '../../../src/recovery/recovery.ts';
import type { CircuitBreaker } from '../../../src/resilience/circuit-breaker.ts';
import { circuitBreaker } from '../../../src/resilience/circuit-breaker-spec.ts';
import { dynamicSupervisor } from '../../../src/supervision/dynamic-supervisor.ts';
import { supervisor } from '../../../src/supervision/supervisor.ts';
import type { ScriptedKind } from '../../../src/testing/scripted-worker.ts';
import type { Stage } from '../../../src/testing/simulation.ts';
import { type PoolHandle, pool } from '../../../src/work/pool.ts';

/** How long its breaker stays open, ms. */
export const OPEN_MS = 1_000;

interface Behind {
  readonly gate: Spec<CircuitBreaker>;
  readonly jobs: Spec<PoolHandle>;
  readonly log: { readonly sick: boolean };
}

/** Asks through the breaker, and answers when the pool has. */
const frontOf = ({ gate, jobs, log }: Behind, stage: Stage) =>
  actor(
    'front',
    server({
      init: () => ({ asked: 0 }),
      call: {
        ask: (state, _message: unknown, context) => {
          state.asked += 1;
          const answer = context.get(gate).execute(async () => {
            if (log.sick) throw new Error('upstream sick');
            return await context.get(jobs).run('price', {});
          });
          const request = context.later();
          return answer.then(
            (value) => request.reply(value),
            (error: unknown) => request.refuse(error),
          );
        },
      },
      cast: {
        crash: () => {
          throw new Error('told to');
        },
      },
      terminate: async () => {
        if (stage.choose(10, 'slow terminate') === 9)
          await new Promise<void>((resolve) => stage.host.timer(12_000, 'slow terminate', resolve));
      },
    }),
    { shutdownMs: 500 },
  );

/** Two that fall together, and wait before they are tried again. */
const annexOf = () => {
  const clerk = (id: string) =>
    actor(
      id,
      server({
        init: () => ({}),
        cast: {
          crash: () => {
            throw new Error('told to');
          },
        },
      }),
    );
  const clerks = [clerk('clerk'), clerk('till')] as const;
  const annex = supervisor('annex', {
    strategy: 'one_for_all',
    intensity: 2,
    backoff: { baseMs: 50, maxMs: 400 },
    children: clerks,
  });
  return { clerks, annex };
};

/** All specs of the tree. `log` says whether what is upstream is sick. */
export const specsOf = (kind: ScriptedKind, stage: Stage, log: { sick: boolean }) => {
  const jobs = pool('jobs', {
    worker: kind,
    size: 2,
    jobTimeoutMs: 600,
    startTimeoutMs: 400,
    cancelGraceMs: 40,
    closeGraceMs: 40,
    shutdownMs: 2_000,
    pingEveryMs: 5_000,
    // Rarely, so that a quiet minute costs few instants.
    lookEveryMs: 5_000,
    crashLoop: { crashes: 4 },
    replaceBackoff: { baseMs: 20, maxMs: 300 },
  });
  const gate = circuitBreaker('gate', {
    openMs: OPEN_MS,
    window: { kind: 'consecutive', failures: 2 },
    watchdogMs: 900,
  });
  const mend = recovery('mend', {
    playbook: [{ subjects: '**', retry: () => 'well', failover: { other: () => 'well' } }],
    retryBackoff: { baseMs: 30, maxMs: 200 },
    shutdownMs: 1_000,
  });
  const front = frontOf({ gate, jobs, log }, stage);
  const session = actor('session', server({ init: () => ({}), call: { ping: () => 'pong' } }), {
    shutdownMs: 300,
  });
  const sessions = dynamicSupervisor('sessions', { template: session, intensity: 5, backoff: false });
  const { clerks, annex } = annexOf();
  const tree = supervisor('shop', {
    strategy: (['rest_for_one', 'one_for_one', 'one_for_all'] as const)[stage.option(3)] ?? 'rest_for_one',
    intensity: [20, 3, 1][stage.option(3)] ?? 20,
    periodMs: 5_000,
    backoff: false,
    children: [gate, jobs, mend, annex, sessions, front] as readonly Spec<unknown>[],
  });
  return { jobs, gate, mend, front, sessions, clerks, tree };
};
