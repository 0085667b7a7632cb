/**
 * A pool under random crashes, hangs, garbage, freezes, aborts, deadlines and held loops, on a simulated host: what must hold
 * at every step, and that it heals and ends whatever happened.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSystem } from '../../src/kernel/system.ts';
import {
  type ScriptedAnswer,
  type ScriptedPort,
  scriptedWorkers,
} from '../../src/testing/scripted-worker.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import type { Lease } from '../../src/work/lease.ts';
import { pool } from '../../src/work/pool.ts';
import type { WorkerJob } from '../../src/work/worker-port.ts';
import { untilReached } from '../until-reached.ts';

const RUNS = 240;

type Step =
  | {
      readonly kind: 'run';
      readonly answer: ScriptedAnswer;
      readonly timeoutMs: number;
      readonly idempotent: boolean;
    }
  | { readonly kind: 'lease' }
  | { readonly kind: 'lease_run'; readonly which: number; readonly answer: ScriptedAnswer }
  | { readonly kind: 'release'; readonly which: number }
  | { readonly kind: 'abort'; readonly which: number }
  | { readonly kind: 'exit' | 'freeze' | 'garbage'; readonly which: number }
  | { readonly kind: 'advance' | 'stall'; readonly ms: number };

interface Scenario {
  readonly steps: readonly Step[];
  readonly size: number;
  readonly queueLimit: number;
  readonly checkoutMs: number;
  readonly starts: readonly ('ready' | 'slow' | 'hang' | 'exit' | 'fail')[];
  readonly killMs: number;
  readonly closeMs: number;
  readonly end: 'stop' | 'kill' | 'drain';
  readonly seed: number;
}

const answer: fc.Arbitrary<ScriptedAnswer> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('succeed' as const), afterMs: fc.nat(60) }) },
  { weight: 2, arbitrary: fc.constant({ do: 'succeed' as const }) },
  fc.record({ do: fc.constant('fail' as const), afterMs: fc.nat(30) }),
  fc.record({ do: fc.constant('crash' as const), afterMs: fc.nat(30) }),
  fc.record({ do: fc.constant('garbage' as const), afterMs: fc.nat(30) }),
  fc.record({ do: fc.constant('hang' as const), ignoresCancel: fc.boolean() }),
  fc.constant({ do: 'freeze' as const }),
  fc.constant({ do: 'refuse' as const }),
);

const which = fc.nat(20);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('run' as const),
      answer,
      timeoutMs: fc.oneof(fc.constant(1_000), fc.nat(300)),
      idempotent: fc.boolean(),
    }),
  },
  fc.record({ kind: fc.constant('lease' as const) }),
  fc.record({ kind: fc.constant('lease_run' as const), which, answer }),
  fc.record({ kind: fc.constant('release' as const), which }),
  fc.record({ kind: fc.constant('abort' as const), which }),
  fc.record({ kind: fc.constantFrom('exit' as const, 'freeze' as const, 'garbage' as const), which }),
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.nat(200) }) },
  fc.record({ kind: fc.constant('stall' as const), ms: fc.nat(400) }),
);

const scenario: fc.Arbitrary<Scenario> = fc.record({
  steps: fc.array(step, { maxLength: 40, size: 'max' }),
  size: fc.integer({ min: 1, max: 4 }),
  queueLimit: fc.constantFrom(0, 2, 100),
  checkoutMs: fc.constantFrom(50, 500, Infinity),
  starts: fc.array(fc.constantFrom('ready', 'ready', 'ready', 'slow', 'hang', 'exit', 'fail'), {
    maxLength: 12,
  }),
  killMs: fc.constantFrom(0, 0, 40),
  closeMs: fc.constantFrom(0, 20, Infinity),
  end: fc.constantFrom('stop', 'kill', 'drain'),
  seed: fc.nat(),
});

/** What must be met in the course of all runs, or they prove little. */
const sometimes = new Map<string, number>();
const met = (what: string): void => void sometimes.set(what, (sometimes.get(what) ?? 0) + 1);

interface Brought {
  readonly index: number;
  readonly idempotent: boolean;
  readonly deadline: number;
  readonly waitsUntil: number;
  readonly lease: Lease | undefined;
  readonly controller: AbortController;
  settled: number;
  code: string | undefined;
  outcome: string | undefined;
}

class Run {
  readonly host: SimulatedHost;
  readonly brought: Brought[] = [];
  readonly leases: Lease[] = [];
  /** Starts of jobs from the line, in order, and how often each was started. */
  readonly starts: number[] = [];
  readonly attempts = new Map<number, number>();
  readonly wrong: string[] = [];
  healing = false;
  readonly #system;
  readonly #kind;
  readonly #pool;
  readonly #scenario: Scenario;

  private constructor(scenario: Scenario, host: SimulatedHost, ready: Awaited<ReturnType<typeof Run.open>>) {
    this.#scenario = scenario;
    this.host = host;
    this.#system = ready.system;
    this.#kind = ready.kind;
    this.#pool = ready.handle;
  }

  static async open(
    scenario: Scenario,
    host: SimulatedHost,
    seen: (job: WorkerJob, port: ScriptedPort) => undefined,
  ) {
    const system = createSystem({ host });
    const { starts, killMs, closeMs, size, queueLimit, checkoutMs } = scenario;
    const kind = scriptedWorkers({
      killMs,
      closeMs,
      job: seen,
      start: (number) => {
        const how = starts[number - 1] ?? 'ready';
        return how === 'slow' ? { do: 'ready', afterMs: 70 } : { do: how };
      },
    });
    const spec = pool('pool', {
      worker: kind,
      size,
      queueLimit,
      checkoutMs,
      startTimeoutMs: 200,
      cancelGraceMs: 50,
      closeGraceMs: 50,
      pingEveryMs: 100,
      pingTimeoutMs: 40,
      crashLoop: { crashes: 4 },
      replaceBackoff: { baseMs: 20, maxMs: 300 },
    });
    return { system, kind, handle: await host.runUntil(system.start(spec)) };
  }

  static async of(scenario: Scenario): Promise<Run> {
    const host = new SimulatedHost({ seed: scenario.seed });
    let run: Run | undefined;
    const seen = (job: WorkerJob, port: ScriptedPort): undefined => run?.seen(job, port);
    run = new Run(scenario, host, await Run.open(scenario, host, seen));
    return run;
  }

  /** A worker was given a job. */
  seen(job: WorkerJob, port: ScriptedPort): undefined {
    const { index } = job.args as { index: number };
    const it = this.brought[index];
    const now = this.host.monotonic();
    if (port.running !== undefined) this.wrong.push(`job ${index} was given to a worker that runs another`);
    if (port.over) this.wrong.push(`job ${index} was given to a worker that has ended`);
    if (it === undefined) return undefined;
    if (it.settled > 0) this.wrong.push(`job ${index} was started after it had settled`);
    const holder = this.leases.find((lease) => lease.active && port.id === `pool/${lease.worker.id}`);
    if (holder !== it.lease) this.wrong.push(`job ${index} ran on a worker that is not its own`);
    const attempt = (this.attempts.get(index) ?? 0) + 1;
    this.attempts.set(index, attempt);
    if (attempt > (it.idempotent ? 2 : 1)) this.wrong.push(`job ${index} was tried ${attempt} times`);
    if (now >= (attempt === 1 ? it.waitsUntil : it.deadline))
      this.wrong.push(`job ${index} was started when its time was over`);
    if (it.lease === undefined && attempt === 1) this.starts.push(index);
    if (attempt === 2) met('a job is tried again');
    return undefined;
  }

  async perform(step: Step): Promise<void> {
    const { host } = this;
    switch (step.kind) {
      case 'run':
        this.bring(step, undefined);
        break;
      case 'lease':
        this.#pool.lease({ timeoutMs: 100 }).then(
          (lease) => {
            this.leases.push(lease);
            if (this.healing) lease.release();
          },
          () => met('a lease is refused'),
        );
        break;
      case 'lease_run': {
        const lease = this.leases[step.which % (this.leases.length || 1)];
        if (lease?.active === true) this.bring({ ...step, timeoutMs: 100, idempotent: true }, lease);
        break;
      }
      case 'release':
        this.leases[step.which % (this.leases.length || 1)]?.release();
        break;
      case 'abort':
        this.brought[step.which % (this.brought.length || 1)]?.controller.abort();
        break;
      case 'advance':
        await host.advance(step.ms);
        break;
      case 'stall':
        await host.stall(step.ms);
        break;
      default:
        this.#hurt(step.kind, step.which);
    }
    await host.settle();
    this.check();
  }

  bring(
    { answer, timeoutMs, idempotent }: { answer: ScriptedAnswer; timeoutMs: number; idempotent: boolean },
    lease: Lease | undefined,
  ): Brought {
    const now = this.host.monotonic();
    const controller = new AbortController();
    const it: Brought = {
      index: this.brought.length,
      // On a lease nothing is tried again, whatever it says.
      idempotent: idempotent && lease === undefined,
      deadline: now + timeoutMs,
      waitsUntil: now + Math.min(timeoutMs, lease === undefined ? this.#scenario.checkoutMs : timeoutMs),
      lease,
      controller,
      settled: 0,
      code: undefined,
      outcome: undefined,
    };
    this.brought.push(it);
    const args = { ...answer, index: it.index };
    const options = { timeoutMs, idempotent, signal: controller.signal };
    (lease ?? this.#pool).run('job', args, options).then(
      () => {
        it.settled += 1;
      },
      (error: { code: string; outcome: string }) => {
        it.settled += 1;
        it.code = error.code;
        it.outcome = error.outcome;
        met(error.code);
      },
    );
    return it;
  }

  #hurt(kind: 'exit' | 'freeze' | 'garbage', which: number): void {
    const { live } = this.#kind;
    const port = live[which % (live.length || 1)];
    if (kind === 'exit') port?.exit({ signal: 'SIGKILL' });
    else if (kind === 'freeze') port?.freeze();
    else port?.breakProtocol();
  }

  /** What holds whenever nothing moves. */
  check(): void {
    const { size } = this.#scenario;
    const now = this.host.monotonic();
    const seen = this.#pool.inspect();
    expect(this.wrong).toEqual([]);
    expect(this.#kind.live.length).toBeLessThanOrEqual(size);
    expect(seen.idle).toBeLessThanOrEqual(seen.workers.length);
    expect(seen.waiting === 0 || seen.idle === 0).toBe(true);
    expect([...this.starts].sort((a, b) => a - b)).toEqual(this.starts);
    for (const it of this.brought) {
      expect(it.settled).toBeLessThanOrEqual(1);
      if (now > it.deadline) expect(it.settled).toBe(1);
      // Truthful: what never reached a worker says so, what did does not.
      if (it.outcome === 'not_started' && it.code !== 'ERR_JOB_INVALID')
        expect(this.attempts.get(it.index) ?? 0).toBe(0);
      if (it.outcome === 'unknown') expect(this.attempts.get(it.index)).toBeGreaterThan(0);
    }
    if (seen.state === 'degraded') met('crashes loop');
    if (seen.workers.some(({ state }) => state === 'degraded')) met('a worker is in doubt');
  }

  /** Without further faults all workers come back and serve. */
  async heal(): Promise<void> {
    this.healing = true;
    for (const lease of this.leases) lease.release();
    for (const port of this.#kind.live) port.frozen = false;
    await this.host.advance(5_000);
    this.check();
    expect(this.#pool.inspect()).toMatchObject({ idle: this.#scenario.size, waiting: 0, leases: 0 });
    const last = Array.from({ length: this.#scenario.size }, () =>
      this.bring({ answer: { do: 'succeed', afterMs: 5 }, timeoutMs: 100, idempotent: false }, undefined),
    );
    await this.host.advance(10);
    expect(last.map(({ code, settled }) => [code, settled])).toEqual(last.map(() => [undefined, 1]));
  }

  async end(): Promise<void> {
    const { end } = this.#scenario;
    if (end === 'drain') await this.host.runUntil(this.#pool.drain({ timeoutMs: 1_000 }), 5_000);
    if (end === 'kill') this.#system.exit(this.#pool, 'kill');
    else await this.host.runUntil(this.#system.stop(this.#pool, { reason: 'shutdown', timeoutMs: 3_000 }));
    await this.host.advance(100);
    for (const lease of this.leases) lease.release();
    expect(this.#kind.live).toEqual([]);
    expect(this.host.pendingTimers()).toEqual([]);
    for (const it of this.brought) expect(it.settled).toBe(1);
    const { accepted, refused, retried, ...endings } = this.#pool.inspect().counts;
    expect(Object.values(endings).reduce((sum, count) => sum + count, 0)).toBe(accepted);
    expect(retried).toBeLessThanOrEqual(accepted);
    expect(this.wrong).toEqual([]);
  }
}

/** What must have come about for the invariants to say anything. */
const MET = [
  'a job is tried again',
  'crashes loop',
  'a worker is in doubt',
  'a lease is refused',
  'ERR_POOL_QUEUE_FULL',
  'ERR_POOL_DEGRADED',
  'ERR_POOL_CHECKOUT_TIMEOUT',
  'ERR_POOL_ABORTED',
  'ERR_JOB_TIMEOUT',
  'ERR_JOB_ABORTED',
  'ERR_JOB_FAILED',
  'ERR_JOB_INVALID',
  'ERR_WORKER_EXITED',
  'ERR_WORKER_PROTOCOL',
];

describe('a pool under fire', () => {
  it('keeps its invariants at every step, and ends with everyone told and no worker left', async () => {
    const property = fc.asyncProperty(scenario, async (each) => {
      const run = await Run.of(each);
      for (const step of each.steps) await run.perform(step);
      await run.end();
    });
    const missing = () => MET.filter((what) => !sometimes.has(what));
    await untilReached(() => fc.assert(property, { numRuns: RUNS }), missing);
  });

  it('heals when the faults cease', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async (each) => {
        const run = await Run.of(each);
        for (const step of each.steps) await run.perform(step);
        await run.heal();
        await run.end();
      }),
      { numRuns: RUNS / 2 },
    );
  });
});
