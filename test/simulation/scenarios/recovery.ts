/**
 * An orchestrator alone: failures of a few subjects, steps that fail, hang and ignore their signal, cancellations, crashes of the
 * orchestrator between any two messages, and its stop.
 */
import type { Spec } from '../../../src/kernel/spec.ts';
import { createSystem, type System } from '../../../src/kernel/system.ts';
import type { RecoveryOutcome } from '../../../src/recovery/outcome.ts';
import type { StepContext } from '../../../src/recovery/playbook.ts';
import { type RecoveryHandle, recovery } from '../../../src/recovery/recovery.ts';
import { supervisor } from '../../../src/supervision/supervisor.ts';
import { faultsAt } from '../../../src/testing/faults.ts';
import type { Draw, Scenario, Stage } from '../../../src/testing/simulation.ts';
import { follow, leftOver, listen, type Outcome } from './ledger.ts';

interface Reported {
  readonly subject: string;
  readonly outcome: Outcome;
  readonly at: number;
}

export interface Mending {
  readonly system: System;
  readonly handle: RecoveryHandle;
  readonly reported: Reported[];
  readonly active: Map<string, { readonly recovery: string; readonly since: number }>;
  /** Subjects for which a recovery may begin: those reported, and not recovered since; many reports are one reason. */
  readonly due: Set<string>;
  /** Recoveries during which their orchestrator was ended. */
  readonly shaken: Set<string>;
  readonly keys: Map<string, Set<string>>;
}

const SUBJECTS = ['app/a', 'app/b', 'app/c'] as const;
const CODES = ['ECONNREFUSED', 'ETIMEDOUT', 'ENOMEM', 'EWHATEVER', 'ERR_WORKER_EXITED'] as const;
const BUDGET_MS = 4_000;
/** A step that ignores its signal has 100 ms; timers may be late. */
const GRACE_MS = 800;
const QUIET_MS = 60_000;
const ENDS: ReadonlySet<unknown> = new Set(['recovered', 'gave_up', 'cancelled', 'refused']);

const step =
  (stage: Stage, world: { is?: Mending }) =>
  async (context: StepContext): Promise<string> => {
    const { subject, key, signal, step: name, recovery: id } = context;
    const keys = world.is?.keys.get(`${id} ${name}`) ?? new Set<string>();
    keys.add(key);
    world.is?.keys.set(`${id} ${name}`, keys);
    if (keys.size > 1) stage.violated('a step keeps its key', `${subject} ${name}: ${[...keys].join()}`);
    const fate = stage.choose(6, 'step');
    if (fate === 1) throw Object.assign(new Error('not yet'), { code: 'ECONNREFUSED' });
    if (fate === 2) await new Promise<void>((resolve) => stage.host.timer(70, 'slow step', resolve));
    if (fate === 3) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    if (fate === 4) {
      stage.reached('a step ignored its signal');
      await new Promise<void>((resolve) => stage.host.timer(9_000, 'deaf step', resolve));
    }
    return 'well';
  };

const setUp = async (stage: Stage): Promise<Mending> => {
  const system = createSystem({ host: stage.host });
  const world: { is?: Mending } = {};
  const play = step(stage, world);
  const spec: Spec<RecoveryHandle> = recovery('recovery', {
    playbook: [
      {
        subjects: '**',
        retry: play,
        failover: { first: play, second: play },
        restart: async (context) => {
          await play(context);
          return (['restarted', 'already', 'failed'] as const)[stage.choose(3, 'restart')] ?? 'restarted';
        },
        stop: play,
        cleanup: play,
        circuits: { default: play },
      },
    ],
    maxConcurrent: [10, 1, 2][stage.option(3)] ?? 10,
    budgets: { criticalMs: BUDGET_MS, majorMs: BUDGET_MS, minorMs: BUDGET_MS, otherwiseMs: BUDGET_MS },
    retryBackoff: { baseMs: 50, maxMs: 300 },
    shutdownMs: 2_000,
  });
  const active = new Map<string, { readonly recovery: string; readonly since: number }>();
  const ended = new Set<string>();
  listen(system, stage, {
    'recovery.started': ({ subject, recovery: id, remedy }) => {
      const other = active.get(subject);
      // One that is resumed after a crash is the same one.
      const resumed = other !== undefined;
      if (other !== undefined && other.recovery !== id)
        stage.violated('one recovery a subject', `${subject}: ${id} while ${other.recovery}`);
      active.set(subject, { recovery: id, since: other?.since ?? stage.host.monotonic() });
      stage.reached(`remedy ${remedy}`);
      if (ended.has(id)) stage.violated('what has ended stays so', `${subject}: ${id} began again`);
      if (!resumed && world.is?.due.delete(subject) === false)
        stage.violated('reports that came meanwhile begin one recovery', subject);
    },
    'recovery.ended': ({ subject, recovery: id, outcome, durationMs }) => {
      if (active.get(subject)?.recovery !== id)
        stage.violated('what ends had begun, once', `${subject} ${id}`);
      active.delete(subject);
      ended.add(id);
      if (world.is?.shaken.has(id) === true) stage.reached('ended after a crash');
      stage.reached(outcome);
      if (!ENDS.has(outcome)) stage.violated('ends are three', outcome);
      if (durationMs > BUDGET_MS + GRACE_MS)
        stage.violated('ends within its budget', `${id}: ${durationMs} ms`);
    },
    'recovery.coalesced': ({ subject }) => {
      stage.reached('coalesced');
      world.is?.due.add(subject);
    },
    'recovery.refused': () => stage.reached('refused'),
  });
  const root = supervisor('root', { children: [spec], backoff: false, giveUp: 'never' });
  await system.start(root);
  world.is = {
    system,
    handle: system.get(spec),
    reported: [],
    active,
    due: new Set(),
    shaken: new Set(),
    keys: new Map(),
  };
  return world.is;
};

const report = (world: Mending, draw: Draw, stage: Stage): void => {
  const subject = SUBJECTS[draw(SUBJECTS.length)] ?? 'app/a';
  const code = CODES[draw(CODES.length)] ?? 'EWHATEVER';
  const severity = (['minor', 'major', 'critical'] as const)[draw(3)] ?? 'minor';
  const { host } = stage;
  world.due.add(subject);
  const { done } = world.handle.report(Object.assign(new Error(code), { code }), { subject, severity });
  const outcome = follow(done, ({ status, value }) => {
    const told = value as RecoveryOutcome;
    if (status === 'rejected') stage.violated('a report never rejects', subject);
    else if (!ENDS.has(told.outcome)) stage.violated('ends are four', told.outcome);
    else if ((told.error === undefined) !== (told.outcome === 'recovered'))
      stage.violated('an error unless recovered', told.outcome);
  });
  world.reported.push({ subject, outcome, at: host.monotonic() });
};

export const recoveryAlone: Scenario<Mending> = {
  name: 'recovery',
  setUp,
  faults: {
    points: faultsAt('actor.before', 'actor.after', 'mailbox.delay', 'timer.late', 'host.stall'),
    only: (subject, point) => !point.startsWith('actor.') || subject !== 'root',
  },
  maxCommands: 16,
  weights: { report: 6 },
  commands: {
    report,
    cancel: ({ handle, active }, draw, stage) => {
      const target = [...active.values()][draw(3)];
      if (target === undefined) return;
      if (handle.cancel(target.recovery)) stage.reached('cancelled by order');
    },
    crash: ({ system, handle, active, shaken }, draw, stage) => {
      for (const { recovery: id } of active.values()) shaken.add(id);
      stage.reached('the orchestrator crashed');
      if (draw(2) === 0) system.exit(handle, 'kill');
      else system.end(handle, { error: new Error('planted') });
    },
    stop: ({ system }, draw, stage) => {
      if (draw(3) !== 0) return;
      stage.reached('stopped in the midst');
      follow(system.shutdown());
    },
  },
  leans: [
    { commands: { report: 3, cancel: 2 }, paces: ['at_once', 7, 45] },
    { commands: { report: 4, crash: 1 }, paces: ['at_once', 7, 45] },
  ],
  sometimes: [
    'ended after a crash',
    'recovered',
    'gave_up',
    'cancelled',
    'coalesced',
    'refused',
    'remedy retry',
    'remedy circuit_break',
    'remedy failover',
    'remedy abandon',
    'a step ignored its signal',
    'the orchestrator crashed',
    'stopped in the midst',
    'cancelled by order',
  ],
  heal: async ({ system, handle, active, due }, stage) => {
    const rest = (ms: number) => new Promise<void>((resolve) => stage.host.timer(ms, 'rest', resolve));
    await rest(QUIET_MS);
    if (active.size > 0) stage.violated('every recovery ends', [...active.keys()].join());
    if (handle.ref() !== undefined) {
      due.add('app/last');
      const { done } = handle.report(Object.assign(new Error('last'), { code: 'ECONNREFUSED' }), {
        subject: 'app/last',
      });
      const { outcome } = await done;
      if (outcome !== 'recovered') stage.violated('liveness', `a plain recovery ends ${outcome}`);
    }
    await system.shutdown();
    await rest(QUIET_MS);
  },
  converged: {
    'every report is answered': ({ reported }) => {
      const open = reported.filter(({ outcome }) => outcome.status === 'pending');
      return open.length === 0 ? undefined : open.map(({ subject }) => subject).join();
    },
    'nothing is left': ({ system }, stage) => leftOver(system, stage),
  },
};
