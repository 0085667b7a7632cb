/**
 * Runs the scripts of the OTP conformance suite on troupe's own supervisors and tells what happened as a trace. The
 * supervisors, the kernel and the run queue are the production code, on a simulated host.
 */
import { isTroupeError } from '../../../src/base/errors.ts';
import type { Ref } from '../../../src/kernel/ref.ts';
import type { DynamicOperations } from '../../../src/supervision/dynamic-supervisor.ts';
import type { SupervisorHandle } from '../../../src/supervision/supervisor-handle.ts';
import type { Script, ScriptNode, ScriptOp } from './script-format.ts';
import { fromReason, Stage, toReason } from './stage.ts';

export interface TraceStep {
  readonly ret: unknown;
  readonly events: readonly unknown[];
  readonly deaths: readonly unknown[];
  readonly tree: readonly unknown[];
  /** What links and monitors told: `[place, n, 'exit' | 'down', of whom, reason]`. Only where a script makes some. */
  readonly notices?: readonly unknown[];
}

export interface Trace {
  readonly id: string | number;
  readonly steps: readonly TraceStep[];
}

type AnySupervisor = SupervisorHandle & Omit<DynamicOperations, 'child'>;

const WORDS: Readonly<Record<string, unknown>> = {
  ERR_NOPROC: 'noproc',
  ERR_CALLEE_ENDED: 'noproc',
  ERR_STOPPING: 'noproc',
  ERR_CHILD_ALREADY_STARTED: 'already_started',
  ERR_CHILD_ALREADY_PRESENT: ['error', 'already_present'],
  ERR_CHILD_NOT_FOUND: ['error', 'not_found'],
  ERR_CHILD_RUNNING: ['error', 'running'],
  ERR_CHILD_RESTARTING: ['error', 'restarting'],
};

const refusal = (error: unknown): unknown => {
  if (!isTroupeError(error)) throw error;
  if (error.code === 'ERR_CHILD_START_FAILED') return ['error', fromReason(error.data['failure'])];
  return WORDS[error.code] ?? ['error', error.code];
};

const startedAs = (handle: unknown): unknown =>
  (handle as { ref(): Ref | undefined } | undefined)?.ref() === undefined ? 'ok_undefined' : 'ok';

/** Asks a supervisor at once; what it answers comes in the trace's words. */
const ask = async (stage: Stage, supervisor: AnySupervisor, op: ScriptOp): Promise<unknown> => {
  const child = op.child ?? '';
  switch (op.op) {
    case 'terminate_child':
      return (await supervisor.terminateChild(child)) ?? 'ok';
    case 'delete_child':
      return (await supervisor.deleteChild(child)) ?? 'ok';
    case 'restart_child':
      return startedAs(await supervisor.restartChild(child));
    case 'start_child':
      return startedAs(await supervisor.startChild(stage.specOf(op.spec as ScriptNode)));
    case 'start_dyn':
      return startedAs(await supervisor.startChild(`t#${op.key}` as never));
    case 'count_children': {
      const { specs, active, supervisors, workers } = await supervisor.countChildren();
      return ['counts', [specs, active, supervisors, workers]];
    }
    default: {
      const rows = await supervisor.whichChildren();
      const idOf = (id: string) => (id.includes('#') ? 'undefined' : id);
      return ['children', rows.map(({ id, status, type }) => [idOf(id), status, type])];
    }
  }
};

/** An answer that may not have come yet. */
const pending = (answer: Promise<unknown>): (() => unknown) => {
  let outcome: unknown = 'hung';
  answer.then(
    (value) => {
      outcome = value;
    },
    (error: unknown) => {
      outcome = refusal(error);
    },
  );
  return () => outcome;
};

const supervisorAt = (stage: Stage, path: string): AnySupervisor | undefined => {
  const place = stage.system.placeAt(path);
  return place?.ref() === undefined ? undefined : (place.handle as AnySupervisor);
};

const askAt = (stage: Stage, op: ScriptOp): (() => unknown) => {
  const supervisor = supervisorAt(stage, op.sup ?? '');
  return supervisor === undefined ? () => 'noproc' : pending(ask(stage, supervisor, op));
};

/** What is asked while an init is held stands in the supervisor's queue until it is released. */
const release = (stage: Stage, op: ScriptOp): (() => unknown) => {
  const letGo = stage.held.get(op.path ?? '');
  if (letGo === undefined) return () => 'noproc';
  const answers = (op.asks ?? []).map((one) => askAt(stage, one));
  stage.held.delete(op.path ?? '');
  letGo();
  return () => ['all', answers.map((answer) => answer())];
};

const tell = (stage: Stage, op: ScriptOp): unknown => {
  const { system } = stage;
  const ref = system.placeAt(op.path ?? '')?.ref();
  if (ref === undefined) return 'noproc';
  switch (op.op) {
    case 'exit':
      stage.ending.add(ref.incarnation);
      system.tell(ref, { exit: toReason(op.reason ?? 'normal') });
      return 'ok';
    case 'kill':
      system.exit(ref, 'kill');
      return 'ok';
    case 'signal':
      system.exit(ref, toReason(op.reason ?? 'normal'));
      return 'ok';
    case 'stop':
      stage.ending.add(ref.incarnation);
      void system.stop(ref, { reason: toReason(op.reason ?? 'normal'), timeoutMs: Number.POSITIVE_INFINITY });
      return 'ok';
    default: {
      const to = system.placeAt(op.to ?? '')?.ref();
      if (to === undefined) return 'noproc';
      system.tell(ref, { [op.op]: to });
      return 'ok';
    }
  }
};

const perform = async (stage: Stage, op: ScriptOp): Promise<() => unknown> => {
  if (op.op === 'advance') {
    await stage.host.advance((op.s ?? 0) * 1_000);
    return () => 'ok';
  }
  if (op.op === 'whereis') {
    const ref = stage.system.whereis(op.name ?? '');
    const found = ref === undefined ? 'undefined' : [ref.path, stage.numberOf(ref)];
    return () => found;
  }
  if (op.op === 'release') return release(stage, op);
  if (op.sup !== undefined) return askAt(stage, op);
  const ret = tell(stage, op);
  return () => ret;
};

const start = (stage: Stage, tree: ScriptNode): (() => unknown) => {
  let ret: unknown = 'hung';
  stage.system.start(stage.specOf(tree, true)).then(
    () => {
      ret = 'ok';
    },
    () => {
      ret = ['error', (stage.deaths.at(-1) as unknown[] | undefined)?.[2]];
    },
  );
  return () => ret;
};

/** Runs one script and returns its trace. */
export const runScript = async (script: Script): Promise<Trace> => {
  const stage = new Stage();
  const steps: TraceStep[] = [];
  const step = async (act: () => Promise<() => unknown> | (() => unknown)) => {
    stage.events = [];
    stage.deaths = [];
    stage.notices = [];
    const ret = await act();
    await stage.host.calm();
    stage.ending.clear();
    const { events, deaths, notices } = stage;
    const told = notices.length > 0 ? { notices } : {};
    steps.push({ ret: ret(), events, deaths, tree: stage.tree(), ...told });
  };
  await step(() => start(stage, script.tree));
  for (const op of script.ops) await step(() => perform(stage, op));
  await step(() => {
    const isAlive = stage.system.placeAt(script.tree.id)?.ref() !== undefined;
    if (isAlive) void stage.system.shutdown();
    return () => (isAlive ? 'ok' : 'noproc');
  });
  return { id: script.id, steps };
};
