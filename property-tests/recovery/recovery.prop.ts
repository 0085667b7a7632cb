/** The orchestrator's invariants under random failures, settlements, cancellations, healings and crashes, on a simulated host. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TroupeEvent } from '../../src/base/telemetry.ts';
import { createSystem } from '../../src/kernel/system.ts';
import type { RecoveryOutcome } from '../../src/recovery/outcome.ts';
import type { StepContext } from '../../src/recovery/playbook.ts';
import { recovery } from '../../src/recovery/recovery.ts';
import { remedies } from '../../src/recovery/remedy.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

const SUBJECTS = ['a', 'b', 'c', 'd'];
const MAX_CONCURRENT = 2;
const MAX_OBSERVED = 1;
/** The longest budget, of a minor failure, twice: a recovery and its follow-up. */
const LONGEST_MS = 2 * 60_000;

type Op =
  | { readonly op: 'report'; readonly subject: number; readonly error: string; readonly userFacing: boolean }
  | { readonly op: 'open' | 'close'; readonly subject: number }
  | { readonly op: 'succeed' | 'fail' | 'obey'; readonly step: number }
  | { readonly op: 'cancel'; readonly recovery: number }
  | { readonly op: 'advance'; readonly ms: number }
  | { readonly op: 'crash' };

const subject = fc.nat(SUBJECTS.length - 1);
const report = fc.record({
  op: fc.constant('report' as const),
  subject,
  error: fc.constantFrom(
    'port_exited',
    'timeout',
    'session_expired',
    'python_exception',
    'checkout_failed',
    '?',
  ),
  userFacing: fc.boolean(),
});
const step = fc.record({
  op: fc.constantFrom('succeed' as const, 'fail' as const, 'obey' as const),
  step: fc.nat(9),
});
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 3, arbitrary: report },
  { weight: 3, arbitrary: step },
  fc.record({ op: fc.constantFrom('open' as const, 'close' as const), subject }),
  fc.record({ op: fc.constant('cancel' as const), recovery: fc.nat(2) }),
  fc.record({ op: fc.constant('advance' as const), ms: fc.constantFrom(0, 1, 99, 1_000, 5_000, 30_000) }),
  fc.constant({ op: 'crash' as const }),
);

interface Running {
  readonly context: StepContext;
  settle(outcome: 'succeed' | 'fail'): void;
}

/** An orchestrator, its steps in the hands of the test. */
class Stage {
  readonly host: SimulatedHost;
  readonly system;
  readonly running = new Set<Running>();
  readonly seen: TroupeEvent[] = [];
  readonly ids: string[] = [];
  readonly outcomes: RecoveryOutcome[] = [];
  reports = 0;
  readonly #spec;

  constructor(choices: readonly number[]) {
    this.host = new SimulatedHost({ choices });
    this.system = createSystem({ host: this.host });
    this.system.events.listen((event) => this.seen.push(event));
    const step = (context: StepContext) => this.#step(context);
    this.#spec = recovery('recovery', {
      maxConcurrent: MAX_CONCURRENT,
      maxObserved: MAX_OBSERVED,
      historyLimit: 3,
      circuits: { pool_resources: step },
      playbook: [
        { subjects: 'a', retry: step, failover: { first: step, second: step } },
        { subjects: 'b', remedy: remedies.named('rebuild'), remedies: { rebuild: { one: step, two: step } } },
        { subjects: 'd', retry: step },
      ],
    });
  }

  async start(): Promise<void> {
    const root = supervisor('app', { children: [this.#spec], backoff: false, giveUp: 'never' });
    await this.host.runUntil(this.system.start(root));
  }

  get handle() {
    return this.system.get(this.#spec);
  }

  #step(context: StepContext): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const running: Running = {
        context,
        settle: (outcome) => {
          this.running.delete(running);
          if (outcome === 'succeed') resolve('well');
          else reject(Object.assign(new Error('no'), { code: 'EPIPE' }));
        },
      };
      this.running.add(running);
    });
  }

  async take(given: Op): Promise<void> {
    switch (given.op) {
      case 'report': {
        this.reports += 1;
        const report = { subject: SUBJECTS[given.subject] as string, userFacing: given.userFacing };
        const { recovery: id, done } = this.handle.report(given.error, report);
        if (id !== undefined) this.ids.push(id);
        void done.then((outcome) => this.outcomes.push(outcome));
        break;
      }
      case 'open': {
        const path = SUBJECTS[given.subject] as string;
        this.system.events.emit('breaker.opened', {
          path,
          cause: 'timeout',
          openMs: 500,
          retryAtMs: 0,
          failures: 1,
        });
        break;
      }
      case 'close':
        this.system.events.emit('breaker.closed', { path: SUBJECTS[given.subject] as string });
        break;
      case 'succeed':
      case 'fail':
        [...this.running][given.step % Math.max(1, this.running.size)]?.settle(given.op);
        break;
      case 'obey':
        for (const running of [...this.running]) if (running.context.signal.aborted) running.settle('fail');
        break;
      case 'cancel':
        this.handle.cancel(this.ids[this.ids.length - 1 - given.recovery] ?? 'unknown');
        break;
      case 'advance':
        await this.host.advance(given.ms);
        break;
      case 'crash':
        this.system.exit(this.handle, 'kill');
        break;
    }
    await this.host.settle();
    this.check();
  }

  count(type: TroupeEvent['type']): number {
    return this.seen.filter((event) => event.type === type).length;
  }

  check(): void {
    const { active } = this.handle.inspect();
    const subjects = active.map((status) => status.subject);
    expect(new Set(subjects).size).toBe(subjects.length);
    const observed = active.filter(({ remedy: name }) => name === 'observe').length;
    expect(observed).toBeLessThanOrEqual(MAX_OBSERVED);
    expect(active.length - observed).toBeLessThanOrEqual(MAX_CONCURRENT);
    // Of one subject, one step at most has not been told to stop.
    const unwarned = [...this.running].filter(({ context }) => !context.signal.aborted);
    expect(new Set(unwarned.map(({ context }) => context.subject)).size).toBe(unwarned.length);
    for (const { context } of unwarned) expect(subjects).toContain(context.subject);
    const { metrics, recent, stragglers } = this.handle.inspect();
    expect(metrics.initiated).toBe(metrics.active + metrics.recovered + metrics.gaveUp + metrics.cancelled);
    expect(this.count('recovery.started')).toBe(metrics.initiated);
    expect(this.count('recovery.ended')).toBe(metrics.initiated - metrics.active);
    expect(recent.length).toBeLessThanOrEqual(3);
    expect(stragglers.length).toBeLessThanOrEqual(this.running.size);
    expect(metrics.journalFailures).toBe(0);
  }
}

describe('an orchestrator under any sequence of failures, steps, cancellations and crashes', () => {
  it('recovers each subject once at a time, within bounds, and answers every report by its deadline', async () => {
    const sometimes = { recovered: 0, gave_up: 0, cancelled: 0, refused: 0, coalesced: 0, abandoned: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(op, { maxLength: 40, size: 'max' }),
        fc.array(fc.nat(9)),
        async (ops, choices) => {
          const stage = new Stage(choices);
          await stage.start();
          for (const given of ops) await stage.take(given);
          await stage.host.advance(LONGEST_MS + 1);
          stage.check();
          expect(stage.handle.metrics().active).toBe(0);
          expect(stage.outcomes).toHaveLength(stage.reports);
          expect(stage.host.pendingTimers()).toEqual([]);
          for (const { outcome, coalesced, abandoned, error } of stage.outcomes) {
            sometimes[outcome] += 1;
            if (coalesced) sometimes.coalesced += 1;
            if (abandoned.length > 0) sometimes.abandoned += 1;
            expect(error === undefined).toBe(outcome === 'recovered');
          }
        },
      ),
      { numRuns: 250 },
    );
    for (const [what, times] of Object.entries(sometimes)) expect([what, times > 0]).toEqual([what, true]);
  });
});
