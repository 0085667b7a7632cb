/**
 * Runs the scripts of the OTP conformance suite on troupe's own supervisors and tells what happened as a trace. The
 * supervisors, the kernel and the run queue are the production code, on a simulated host.
 */
import { isTroupeError } from '../../../src/base/errors.ts';
import type { DynamicOperations } from '../../../src/supervision/dynamic-supervisor.ts';
import type { SupervisorHandle } from '../../../src/supervision/supervisor-handle.ts';
import type { Script, ScriptNode, ScriptOp } from './script-format.ts';
import { fromReason, PROBE, Stage, toReason } from './stage.ts';

export interface TraceStep {
  readonly ret: unknown;
  readonly events: readonly unknown[];
  readonly deaths: readonly unknown[];
  readonly tree: readonly unknown[];
  /** What links and monitors told: `[place, n, 'exit' | 'down', of whom, reason]`. Only where a script makes some. */
  readonly notices?: readonly unknown[];
  /** Inits that were held, with what was answered meanwhile: `[places, answers]`. Only where a script asks for that. */
  readonly held?: readonly unknown[];
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
  ERR_RESTARTING: 'noproc',
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

/** How a start that was asked for came out: as its init says, wherever its child is by now. */
const startedAs = ({ events }: Stage, begun: number, path: string): unknown => {
  const isInit = ([kind, place]: readonly unknown[]) => kind === 'init' && place === path;
  const init = (events as (readonly unknown[])[]).slice(begun).find(isInit);
  return init?.[3] === 'ignore' ? 'ok_undefined' : 'ok';
};

/** Asks a supervisor at once; what it answers comes in the trace's words. */
const ask = async (stage: Stage, supervisor: AnySupervisor, op: ScriptOp): Promise<unknown> => {
  const child = op.child ?? '';
  const begun = stage.events.length;
  switch (op.op) {
    case 'terminate_child':
      return (await supervisor.terminateChild(child)) ?? 'ok';
    case 'delete_child':
      return (await supervisor.deleteChild(child)) ?? 'ok';
    case 'restart_child':
      await supervisor.restartChild(child);
      return startedAs(stage, begun, `${op.sup}/${child}`);
    case 'start_child':
      await supervisor.startChild(stage.specOf(op.spec as ScriptNode));
      return startedAs(stage, begun, `${op.sup}/${op.spec?.id}`);
    case 'start_dyn':
      await supervisor.startChild(`t#${op.key}` as never);
      return startedAs(stage, begun, `${op.sup}/t#${op.key}`);
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

const withoutProbe = ([kind, found]: readonly [string, readonly unknown[]]): unknown => {
  if (kind === 'children') return [kind, (found as readonly unknown[][]).filter(([id]) => id !== PROBE)];
  const [specs, active, supervisors, workers] = found as readonly number[] as [
    number,
    number,
    number,
    number,
  ];
  return [kind, [specs - 1, active, supervisors, workers - 1]];
};

const READS: readonly string[] = ['which_children', 'count_children'];

/**
 * Asks a supervisor that is busy. OTP answers even reads in their turn, ours are answered at once; so a read is asked by a child
 * that is started in that turn, ignores its start and leaves nothing behind. What is to be started says by the same means when
 * its turn has come.
 */
const askInTurn = async (stage: Stage, supervisor: AnySupervisor, op: ScriptOp): Promise<unknown> => {
  if (op.op === 'terminate_child' || op.op === 'delete_child') return ask(stage, supervisor, op);
  let answer: Promise<unknown> | undefined;
  let begun = 0;
  const reached = supervisor.startChild(
    stage.probe(() => {
      begun = stage.events.length;
      if (READS.includes(op.op)) answer = ask(stage, supervisor, op);
    }),
  );
  if (READS.includes(op.op)) {
    await reached;
    return withoutProbe((await answer) as [string, readonly unknown[]]);
  }
  const [, answered] = await Promise.all([reached, ask(stage, supervisor, op)]);
  return answered === 'ok' || answered === 'ok_undefined'
    ? startedAs(stage, begun, `${op.sup}/${op.child ?? op.spec?.id}`)
    : answered;
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

/** A supervisor that has just been started by another answers while that one goes on: in what order is chance. */
const isSettledAbove = ({ events }: Stage, supervisor: string): boolean =>
  !supervisor.includes('/') ||
  !(events as (readonly unknown[])[]).some(([kind, place]) => kind === 'sup_init' && place === supervisor);

/** What the script has to ask of the supervisor that waits for a held init. */
const askMeanwhile = (stage: Stage, asks: readonly ScriptOp[], held: string): (() => unknown)[] => {
  const slash = held.lastIndexOf('/');
  const [sup, itself] = [held.slice(0, slash), held.slice(slash + 1)];
  return (isSettledAbove(stage, sup) ? asks : []).map((one) => {
    const supervisor = supervisorAt(stage, sup);
    if (supervisor === undefined) return () => 'noproc';
    const op = { ...one, sup, ...(one.child === '*' ? { child: itself } : {}) };
    return pending(askInTurn(stage, supervisor, op));
  });
};

/** Where a script says what is asked while an init is held, no step ends with one that is. */
const releaseHeld = async (stage: Stage, asks: (readonly ScriptOp[])[]): Promise<() => unknown[]> => {
  const rounds: (readonly [string[], (() => unknown)[]])[] = [];
  while (stage.held.size > 0) {
    const held = [...stage.held].sort(([a], [b]) => (a < b ? -1 : 1));
    const places = held.map(([place]) => place);
    rounds.push([places, askMeanwhile(stage, asks.shift() ?? [], places[0] as string)]);
    stage.held.clear();
    for (const [, letGo] of held) letGo();
    await stage.host.calm();
  }
  return () => rounds.map(([places, answers]) => [places, answers.map((answer) => answer())]);
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
  if (op.op === 'together') {
    const rets = (op.ops ?? []).map((one) => tell(stage, one));
    return () => ['all', rets];
  }
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
  const asks = script.held === undefined ? undefined : [...script.held];
  const step = async (act: () => Promise<() => unknown> | (() => unknown)) => {
    stage.events = [];
    stage.deaths = [];
    stage.notices = [];
    const ret = await act();
    await stage.host.calm();
    const answers = asks === undefined ? [] : (await releaseHeld(stage, asks))();
    stage.ending.clear();
    const { events, deaths, notices } = stage;
    const told = notices.length > 0 ? { notices } : {};
    const held = answers.length > 0 ? { held: answers } : {};
    steps.push({ ret: ret(), events, deaths, tree: stage.tree(), ...told, ...held });
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
