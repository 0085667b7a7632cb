/** Bugs of recovery, each with the properties of `recovery` that find it. */
import { EventStream } from '../../../src/base/telemetry.ts';
import { SystemOfActors } from '../../../src/kernel/system.ts';
import { MemoryJournal } from '../../../src/recovery/journal.ts';
import { Orchestrator } from '../../../src/recovery/orchestrator.ts';
import { RecoveryRun } from '../../../src/recovery/recovery-run.ts';
import { StepRun } from '../../../src/recovery/step-run.ts';
import { SimulatedHost } from '../../../src/testing/simulated-host.ts';
import type { AnyScenario } from '../scenarios/index.ts';
import { recoveryAlone } from '../scenarios/recovery.ts';
import { type Bug, type Method, nothing } from './plant.ts';

const scenario = recoveryAlone as AnyScenario;

/** A journal that does not keep entries of one kind. */
const losing = (lost: string) => (original: Method) =>
  function (this: never, entry: { readonly kind: string }) {
    return entry.kind === lost ? undefined : Reflect.apply(original, this, [entry] as never);
  } as Method;

/** Answers a report with what `change` makes of the answer. */
const answering = (change: (outcome: object) => unknown) => (original: Method) =>
  function (this: never, ...args: never[]) {
    const reported = Reflect.apply(original, this, args) as { readonly done: Promise<object> };
    return { ...reported, done: reported.done.then(change) };
  } as Method;

/** Tells of the ends of recoveries by `tell`. */
const telling =
  (tell: (emit: (data: object) => void, data: object) => void) =>
  (original: Method): Method =>
    function (this: never, type: string, data: object) {
      const emit = (changed: object): void => void Reflect.apply(original, this, [type, changed] as never);
      if (type === 'recovery.ended') tell(emit, data);
      else emit(data);
    } as Method;

/** Takes each report for one of another subject; the events name the right one. */
const confusing: Bug['plant'] = (put) => {
  let reports = 0;
  put(
    Orchestrator,
    'admit',
    (original) =>
      function (this: never, trigger: { readonly subject: string }) {
        reports += 1;
        const subject = `${trigger.subject}#${reports}`;
        return Reflect.apply(original, this, [{ ...trigger, subject }] as never);
      } as Method,
  );
  put(
    EventStream,
    'emit',
    (original) =>
      function (this: never, type: string, data: { readonly subject?: string }) {
        const { subject } = data;
        const named = subject === undefined ? data : { ...data, subject: subject.replace(/#\d+$/, '') };
        return Reflect.apply(original, this, [type, named] as never);
      } as Method,
  );
};

export const RECOVERY_BUGS: readonly Bug[] = [
  {
    bug: 'two reports of one subject are recovered side by side',
    scenario,
    violates: ['one recovery a subject'],
    plant: confusing,
  },
  {
    bug: 'what has ended is not written down',
    scenario,
    violates: ['what has ended stays so'],
    plant: (put) => put(MemoryJournal, 'append', losing('ended')),
  },
  {
    bug: 'a repeated step has another key',
    scenario,
    violates: ['a step keeps its key'],
    plant: (put) => {
      let steps = 0;
      put(
        StepRun,
        'execute',
        (original) =>
          function (this: StepRun) {
            steps += 1;
            Object.assign(this, { recovery: `${this.recovery}.${steps}` });
            return Reflect.apply(original, this as never, []);
          } as Method,
      );
    },
  },
  {
    bug: 'a recovery that ends begins another one',
    scenario,
    violates: ['reports that came meanwhile begin one recovery'],
    plant: (put) => {
      const known = new WeakSet<object>();
      put(
        Orchestrator,
        'ended',
        (original) =>
          function (this: Orchestrator, run: RecoveryRun, later: never) {
            const { trigger } = run.mission;
            Reflect.apply(original, this as never, [run, later] as never);
            if (known.has(trigger)) return;
            known.add(trigger);
            this.admit(trigger);
          } as Method,
      );
    },
  },
  {
    bug: 'an end is told twice',
    scenario,
    violates: ['what ends had begun, once'],
    plant: (put) =>
      put(
        EventStream,
        'emit',
        telling((emit, data) => {
          emit(data);
          emit(data);
        }),
      ),
  },
  {
    bug: 'an end is told without its name',
    scenario,
    violates: ['ends are three'],
    plant: (put) =>
      put(
        EventStream,
        'emit',
        telling((emit, data) => emit({ ...data, outcome: 'over' })),
      ),
  },
  {
    bug: 'an answer is none of the four',
    scenario,
    violates: ['ends are four'],
    plant: (put) =>
      put(
        Orchestrator,
        'admit',
        answering((outcome) => ({ ...outcome, outcome: 'over' })),
      ),
  },
  {
    bug: 'an answer does not say what went wrong',
    scenario,
    violates: ['an error unless recovered'],
    plant: (put) =>
      put(
        Orchestrator,
        'admit',
        answering((outcome) => ({ ...outcome, error: undefined })),
      ),
  },
  {
    bug: 'a report rejects',
    scenario,
    violates: ['a report never rejects'],
    plant: (put) =>
      put(
        Orchestrator,
        'admit',
        answering(() => Promise.reject(new Error('no'))),
      ),
  },
  {
    bug: 'who reports once more is not answered',
    scenario,
    violates: ['every report is answered'],
    plant: (put) => put(RecoveryRun, 'join', () => () => new Promise(() => undefined)),
  },
  {
    bug: 'a budget is twice as long',
    scenario,
    violates: ['ends within its budget'],
    plant: (put) =>
      put(
        SimulatedHost,
        'timer',
        (original) =>
          function (this: never, delayMs: number, ...rest: never[]) {
            return Reflect.apply(original, this, [delayMs * 2, ...rest] as never);
          } as Method,
      ),
  },
  {
    bug: 'an end is not told',
    scenario,
    violates: ['every recovery ends'],
    plant: (put) =>
      put(
        EventStream,
        'emit',
        telling(() => undefined),
      ),
  },
  {
    bug: 'a step never settles',
    scenario,
    violates: ['liveness'],
    plant: (put) => put(StepRun, 'execute', () => () => new Promise(() => undefined)),
  },
  {
    bug: 'an end is not counted',
    scenario,
    violates: ['nothing is left'],
    plant: (put) => put(SystemOfActors, 'actorEnded', nothing),
  },
];
