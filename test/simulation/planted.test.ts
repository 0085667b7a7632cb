/**
 * Each property finds the bug that it is there for: bugs are planted by patching prototypes while a test runs, and the scenario
 * must report the property that names them.
 */
import { describe, expect, it } from 'vitest';
import { OpenResources } from '../../src/application/open-resources.ts';
import { Cell } from '../../src/kernel/cell.ts';
import { ActorContextOfCell } from '../../src/kernel/context.ts';
import { Mailbox } from '../../src/kernel/mailbox.ts';
import { SystemOfActors } from '../../src/kernel/system.ts';
import { MemoryJournal } from '../../src/recovery/journal.ts';
import { Orchestrator } from '../../src/recovery/orchestrator.ts';
import { BreakerCore } from '../../src/resilience/breaker-core.ts';
import { OpenWait } from '../../src/resilience/open-wait.ts';
import { Child } from '../../src/supervision/child.ts';
import { RestartLimit } from '../../src/supervision/restart-limit.ts';
import { SimulatedProcess } from '../../src/testing/simulated-process.ts';
import { Desk } from '../../src/work/desk.ts';
import { Dispatch } from '../../src/work/dispatch.ts';
import { FairLine } from '../../src/work/fair-line.ts';
import { PoolWorker } from '../../src/work/pool-worker.ts';
import { found, type Method, plant, takeBackAfterEach } from './planting.ts';
import { breaker } from './scenarios/breaker.ts';
import type { AnyScenario } from './scenarios/index.ts';
import { kernel } from './scenarios/kernel.ts';
import { poolAlone } from './scenarios/pool.ts';
import { processWorkers } from './scenarios/processes.ts';
import { recoveryAlone } from './scenarios/recovery.ts';
import { service } from './scenarios/service.ts';
import { supervision } from './scenarios/supervision.ts';

takeBackAfterEach();

const RUN = supervision as AnyScenario;

describe('supervision is caught', () => {
  it('restarting beyond its limit', async () => {
    plant(
      RestartLimit,
      'allows',
      (original) =>
        function (this: never, ...args: never[]) {
          Reflect.apply(original, this, args);
          return true;
        },
    );
    expect(await found(RUN)).toBe('more failures than the limit escalate');
  });

  it('giving up too soon', async () => {
    plant(RestartLimit, 'allows', () => () => false);
    expect(await found(RUN)).toBe('within the limit nobody gives up');
  });

  it('forgetting what is permanent', async () => {
    plant(Child, 'wantsRestart', () => () => false);
    expect(await found(RUN)).toBe('what is permanent comes back');
  });

  it('stopping in the order of starting', async () => {
    plant(
      Cell,
      'stop',
      (original) =>
        function (this: Cell, ...args: never[]) {
          for (const child of this.children ?? []) Reflect.apply(original, child, args);
          return Reflect.apply(original, this, args);
        } as Method,
    );
    expect(['stopped in reverse', 'restarts touch the right set']).toContain(await found(RUN));
  });

  it('leaving orphans', async () => {
    plant(Cell, 'parentEnded', () => () => undefined);
    expect(await found(RUN)).toMatch(/nothing is left|liveness|at most one incarnation a place/);
  });

  it('starting a second incarnation beside the first', async () => {
    plant(
      SystemOfActors,
      'launch',
      (original) =>
        function (this: never, ...args: never[]) {
          Reflect.apply(original, this, args);
          return Reflect.apply(original, this, args);
        },
    );
    expect(await found(RUN)).toMatch(/at most one incarnation a place|starts are serial/);
  });
});

describe('a breaker is caught', () => {
  const scenario = breaker as AnyScenario;

  it('counting a stale result', async () => {
    plant(
      BreakerCore,
      'settled',
      (original) =>
        function (this: BreakerCore, token: object, ...rest: never[]) {
          const { generation } = this.inspect();
          const current = Object.create(token, { generation: { value: generation } }) as never;
          return Reflect.apply(original, this, [current, ...rest] as never);
        } as Method,
    );
    expect(await found(scenario)).toBe('stale results move nothing');
  });

  it('half-opening before the wait is over', async () => {
    plant(OpenWait, 'untilMs', () => () => 0);
    expect(await found(scenario)).toMatch(/no call enters while open|half-open only after the wait/);
  });

  it('leaking a permit', async () => {
    plant(
      BreakerCore,
      'admit',
      (original) =>
        function (this: never, ...args: never[]) {
          Reflect.apply(original, this, args);
          return Reflect.apply(original, this, args);
        },
    );
    expect(await found(scenario)).toBe('permits are given');
  });

  it('letting calls through while open', async () => {
    plant(
      BreakerCore,
      'execute',
      (original) =>
        function (this: never, work: () => unknown) {
          const result = Reflect.apply(original, this, [work] as never);
          try {
            void Promise.resolve(work()).catch(() => undefined);
          } catch {
            // What matters is that it was let in.
          }
          return result;
        } as Method,
    );
    expect(await found(scenario)).toBe('no call enters while open');
  });
});

describe('a pool is caught', () => {
  const scenario = poolAlone as AnyScenario;

  it('giving one worker to two jobs', async () => {
    let last: PoolWorker | undefined;
    plant(
      Dispatch,
      'takeIdle',
      (original) =>
        function (this: Dispatch, ...args: never[]) {
          const worker = Reflect.apply(original, this as never, args) as PoolWorker | undefined;
          last = worker ?? last;
          return last;
        } as Method,
    );
    expect(await found(scenario)).toMatch(/one job a worker|accounted for|no error/);
  });

  it('serving the last first', async () => {
    plant(
      FairLine,
      'push',
      (original) =>
        function (this: FairLine<never>, item: never) {
          if (this.size === 0) Reflect.apply(original, this as never, [item]);
          else this.unshift(item);
        } as Method,
    );
    expect(await found(scenario)).toBe('first in, first served');
  });

  it('losing count of a job', async () => {
    plant(Desk, 'settled', () => () => undefined);
    expect(await found(scenario)).toBe('what was let in is accounted for');
  });

  it('forgetting the job of a worker that is dropped', async () => {
    plant(PoolWorker, 'forsake', () => () => undefined);
    expect(await found(scenario)).toMatch(/nobody waits beyond his deadline|every job settles|accounted for/);
  });
});

describe('recovery is caught', () => {
  const scenario = recoveryAlone as AnyScenario;

  it('resuming what has ended', async () => {
    plant(
      MemoryJournal,
      'append',
      (original) =>
        function (this: never, entry: { kind: string }) {
          return entry.kind === 'ended' ? undefined : Reflect.apply(original, this, [entry] as never);
        } as Method,
    );
    expect(await found(scenario)).toBe('what has ended stays so');
  });

  it('running nothing after a crash', async () => {
    plant(Orchestrator, 'attach', () => async () => true);
    expect(await found(scenario)).toMatch(/every recovery ends|liveness|no error/);
  });
});

describe('a service is caught', () => {
  const scenario = service as AnyScenario;

  it('closing what the tree still needs', async () => {
    plant(
      OpenResources,
      'drain',
      (original) =>
        async function (this: OpenResources, deadline: number) {
          await Reflect.apply(original, this, [deadline] as never);
          await this.close(deadline);
        } as Method,
    );
    expect(await found(scenario)).toBe('dependants close first');
  });

  it('never ending', async () => {
    plant(SystemOfActors, 'shutdown', () => () => new Promise(() => undefined));
    expect(await found(scenario)).toMatch(/liveness|ends within the deadline/);
  });
});

describe('worker processes are caught', () => {
  it('living on after they were killed', async () => {
    plant(SimulatedProcess, 'kill', () => () => true);
    expect(await found(processWorkers as AnyScenario)).toMatch(
      /no process lives|no process is left to itself|nothing is left|liveness|every job/,
    );
  });
});

describe('the kernel is caught', () => {
  const scenario = kernel as AnyScenario;

  it('letting mail overtake mail', async () => {
    plant(
      Mailbox,
      'shift',
      (original) =>
        function (this: Mailbox) {
          const first = Reflect.apply(original, this as never, []) as never;
          const second = Reflect.apply(original, this as never, []) as never;
          if (second === undefined) return first;
          this.push(first);
          return second;
        } as Method,
    );
    expect(await found(scenario)).toMatch(/mail keeps its order/);
  });

  it('letting the ended go on', async () => {
    plant(ActorContextOfCell, 'tell', () => () => 'sent');
    expect(await found(scenario)).toBe('the ended are fenced');
  });
});
