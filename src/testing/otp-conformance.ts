/**
 * Runs the supervision scripts of the OTP conformance suite on troupe's real supervisors and writes the trace that a
 * real Erlang would. It is an adapter: the supervisors, the kernel and the run queue are the production code.
 *
 * Invariant: a shutdown allowance that runs out does so while the tree settles and moves the clock by nothing; only
 * `advance` moves it.
 */

import { isTroupeError } from '../base/errors.ts';
import type { Timer, TimerOptions } from '../base/host.ts';
import type { TroupeEvent } from '../base/telemetry.ts';
import { actor } from '../kernel/actor.ts';
import { type ActorContext, type Behaviour, IGNORE, type Logic } from '../kernel/logic.ts';
import type { ExitReason } from '../kernel/reason.ts';
import type { Ref } from '../kernel/ref.ts';
import { createSpec, type Spec } from '../kernel/spec.ts';
import { createSystem, type System } from '../kernel/system.ts';
import type { TreeNode } from '../kernel/tree.ts';
import { supervisor } from '../supervision/supervisor.ts';
import type { SupervisorHandle } from '../supervision/supervisor-handle.ts';
import { SimulatedHost } from './simulated-host.ts';

export interface ScriptNode {
  readonly id: string;
  readonly type?: 'supervisor';
  readonly strategy?: 'one_for_one' | 'one_for_all' | 'rest_for_one' | 'simple_one_for_one';
  readonly intensity?: number;
  readonly period?: number;
  readonly auto_shutdown?: string;
  readonly restart?: 'permanent' | 'transient' | 'temporary';
  readonly significant?: boolean;
  readonly children?: readonly ScriptNode[];
  readonly shutdown?: number | 'infinity' | 'brutal_kill';
  readonly trap?: boolean;
  readonly init?: readonly string[];
  readonly on_shutdown?: string;
}

export interface ScriptOp {
  readonly op: string;
  readonly path?: string;
  readonly reason?: string;
  readonly s?: number;
  readonly sup?: string;
  readonly child?: string;
  readonly spec?: ScriptNode;
  readonly key?: string;
}

export interface Script {
  readonly id: string | number;
  readonly tree: ScriptNode;
  readonly ops: readonly ScriptOp[];
}

export interface TraceStep {
  ret: unknown;
  events: unknown[];
  deaths: unknown[];
  tree: unknown[];
}

export interface Trace {
  readonly id: string | number;
  readonly steps: readonly TraceStep[];
}

/** A host on which allowances run out in no time. */
class ScriptHost extends SimulatedHost {
  readonly #allowances: { at: number; fire: () => void }[] = [];

  override timer(delayMs: number, label: string, fire: () => void, options?: TimerOptions): Timer {
    if (label !== 'allowance') return super.timer(delayMs, label, fire, options);
    const entry = { at: this.monotonic() + delayMs, fire };
    if (delayMs !== Number.POSITIVE_INFINITY) this.#allowances.push(entry);
    return {
      cancel: () => {
        const index = this.#allowances.indexOf(entry);
        if (index >= 0) this.#allowances.splice(index, 1);
      },
    };
  }

  async calm(): Promise<void> {
    await this.settle();
    while (this.#allowances.length > 0) {
      this.#allowances.sort((a, b) => a.at - b.at);
      this.#allowances.shift()?.fire();
      await this.settle();
    }
  }
}

/** A reason of the script as ours. */
const toReason = (text: string): ExitReason => {
  if (text === 'normal' || text === 'shutdown' || text === 'killed') return text;
  if (text === 'kill') return 'killed';
  const clean = /^\{shutdown,(.*)\}$/.exec(text);
  return clean === null ? { error: text } : { shutdown: clean[1] };
};

/** Our reason in the words of the traces. */
const fromReason = (reason: unknown): string => {
  if (typeof reason === 'string') return reason;
  const data = reason as { shutdown?: unknown; error?: unknown };
  if ('shutdown' in data) {
    const failure = data.shutdown as { failedToStart?: string; reason?: ExitReason };
    return failure?.failedToStart === undefined
      ? `{shutdown,${String(data.shutdown)}}`
      : `{shutdown,failed(${failure.failedToStart},${fromReason(failure.reason)})}`;
  }
  return String(data.error);
};

class Run {
  readonly host = new ScriptHost();
  readonly system: System = createSystem({ host: this.host });
  events: unknown[] = [];
  deaths: unknown[] = [];
  readonly #starts = new Map<string, number>();
  readonly #incarnations = new Map<number, number>();
  readonly #workers = new Map<string, ActorContext>();

  constructor() {
    this.system.events.listen((event) => this.#hear(event));
  }

  /** Counts a start of a place; every start of a place counts, failed ones too. */
  begin(context: ActorContext): number {
    const n = (this.#starts.get(context.path) ?? 0) + 1;
    this.#starts.set(context.path, n);
    this.#incarnations.set(context.self.incarnation, n);
    return n;
  }

  numberOf(ref: Ref): number {
    return this.#incarnations.get(ref.incarnation) ?? 0;
  }

  #hear(event: TroupeEvent): void {
    switch (event.type) {
      case 'actor.ended':
      case 'actor.start_failed':
        this.deaths.push([event.path, this.numberOf(event), fromReason(event.reason)]);
        break;
      case 'supervisor.child.started':
        this.events.push(['progress', event.path, event.child]);
        break;
      case 'supervisor.child.ended':
        this.events.push(['child_terminated', event.path, event.child, fromReason(event.reason)]);
        break;
      case 'supervisor.child.start_failed':
        this.events.push(['start_error', event.path, event.child, fromReason(event.reason)]);
        break;
      case 'supervisor.child.shutdown_failed':
        this.events.push(['shutdown_error', event.path, event.child, fromReason(event.reason)]);
        break;
      case 'supervisor.gave_up':
        this.events.push(['shutdown', event.path, event.child, 'reached_max_restart_intensity']);
        break;
      default:
    }
  }

  specOf(node: ScriptNode): Spec<unknown> {
    const restart = node.restart ?? 'permanent';
    if (node.type !== 'supervisor') return this.#worker(node, restart);
    if (node.strategy === 'simple_one_for_one' || (node.auto_shutdown ?? 'never') !== 'never')
      throw new Unsupported(node.id);
    const spec = supervisor(node.id, {
      restart,
      strategy: node.strategy ?? 'one_for_one',
      intensity: node.intensity ?? 1,
      periodMs: (node.period ?? 5) * 1_000,
      backoff: false,
      onGiveUp: 'shutdown',
      children: (node.children ?? []).map((child) => this.specOf(child)),
    });
    const { logic } = spec;
    const announced: Logic<SupervisorHandle> = {
      ...logic,
      start: (context, input) => {
        this.events.push(['sup_init', context.path, this.begin(context)]);
        return logic.start(context, input);
      },
    };
    const { restart: _r, shutdownMs, initTimeoutMs } = spec;
    return createSpec(node.id, announced, { restart, shutdownMs, initTimeoutMs }, spec.children);
  }

  #worker(node: ScriptNode, restart: 'permanent' | 'transient' | 'temporary'): Spec<unknown> {
    const shutdownMs = node.shutdown === 'infinity' ? Number.POSITIVE_INFINITY : (node.shutdown ?? 5_000);
    const logic: Logic<unknown> = {
      kind: 'worker',
      start: (context) => this.#startWorker(context, node),
      handle: (place) => ({ path: place.path, ref: () => place.ref() }),
    };
    return actor(node.id, logic, { restart, shutdownMs });
  }

  #startWorker(context: ActorContext, node: ScriptNode): Behaviour | typeof IGNORE {
    const n = this.begin(context);
    const outcome = node.init?.[n - 1] ?? 'ok';
    this.events.push(['init', context.path, n, outcome]);
    switch (outcome) {
      case 'ok':
        break;
      case 'ignore':
        return IGNORE;
      case 'normal':
      case 'shutdown':
        context.stop(outcome);
        break;
      default:
        throw (
          { error: 'init_error', raise: 'raised(boom)', bad: 'bad_return(bad_value)' }[outcome] ?? outcome
        );
    }
    const trap = node.trap ?? true;
    context.trapExit = trap;
    this.#workers.set(context.path, context);
    return {
      tell: (message) => context.stop(message as ExitReason),
      terminate: (reason) => {
        // A process that does not trap exits dies of its supervisor's shutdown without running its terminate.
        if (!trap && reason === 'shutdown' && !this.ending.has(context.path)) return undefined;
        this.events.push(['terminate', context.path, n, fromReason(reason)]);
        if (reason !== 'shutdown') return undefined;
        const answer = node.on_shutdown ?? 'ok';
        if (answer === 'hang') return new Promise<void>(() => undefined);
        if (answer !== 'ok') context.stop(toReason(answer));
        return undefined;
      },
    };
  }

  /** Workers that an op has told to end, so that their reason is their own. */
  readonly ending = new Set<string>();

  tree(): unknown[] {
    const out: unknown[] = [];
    const walk = (node: TreeNode) => {
      if (node.incarnation === undefined) return;
      const n = this.#incarnations.get(node.incarnation) ?? 0;
      out.push([node.path, n, node.kind === 'supervisor' ? 'supervisor' : 'worker']);
      node.children.forEach(walk);
    };
    this.system.tree().forEach(walk);
    return out;
  }

  handleAt(path: string): unknown {
    return (
      this.system as unknown as {
        placeAt(path: string): { handle: unknown; ref(): Ref | undefined } | undefined;
      }
    ).placeAt(path);
  }
}

/** Thrown for what the adapter cannot run yet. */
export class Unsupported extends Error {}

const supervisorReply = async (run: Run, operation: Promise<unknown>): Promise<unknown> => {
  let outcome: { value: unknown } | { error: unknown } | undefined;
  operation.then(
    (value) => {
      outcome = { value };
    },
    (error: unknown) => {
      outcome = { error };
    },
  );
  await run.host.calm();
  if (outcome === undefined) return 'hung';
  return 'error' in outcome ? refusal(outcome.error) : outcome.value;
};

const WORDS: Readonly<Record<string, unknown>> = {
  ERR_NOPROC: 'noproc',
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

const perform = async (run: Run, op: ScriptOp): Promise<unknown> => {
  const place = run.handleAt(op.path ?? op.sup ?? '') as
    | { handle: SupervisorHandle; ref(): Ref | undefined }
    | undefined;
  const ref = place?.ref();
  const { system } = run;
  if (op.op === 'advance') {
    await run.host.advance((op.s ?? 0) * 1_000);
    return 'ok';
  }
  if (place === undefined || ref === undefined) return 'noproc';
  switch (op.op) {
    case 'exit':
      run.ending.add(ref.path);
      system.tell(ref, toReason(op.reason ?? 'normal'));
      return 'ok';
    case 'kill':
      system.exit(ref, 'kill');
      return 'ok';
    case 'signal':
      system.exit(ref, toReason(op.reason ?? 'normal'));
      return 'ok';
    case 'stop':
      run.ending.add(ref.path);
      void system.stop(ref, { reason: toReason(op.reason ?? 'normal') });
      return 'ok';
    default:
      return operate(run, place.handle, op);
  }
};

const operate = async (run: Run, handle: SupervisorHandle, op: ScriptOp): Promise<unknown> => {
  const child = op.child ?? '';
  switch (op.op) {
    case 'terminate_child':
      return (await supervisorReply(run, handle.terminateChild(child))) ?? 'ok';
    case 'delete_child':
      return (await supervisorReply(run, handle.deleteChild(child))) ?? 'ok';
    case 'restart_child':
    case 'start_child': {
      const asked =
        op.op === 'restart_child'
          ? handle.restartChild(child)
          : handle.startChild(run.specOf(op.spec as ScriptNode) as Spec<{ ref(): Ref | undefined }>);
      const reply = await supervisorReply(run, asked);
      if (typeof reply !== 'object' || reply === null || Array.isArray(reply)) return reply;
      return (reply as { ref(): Ref | undefined }).ref() === undefined ? 'ok_undefined' : 'ok';
    }
    case 'count_children': {
      const counts = (await supervisorReply(run, handle.countChildren())) as Record<string, number> | string;
      if (typeof counts === 'string') return counts;
      return ['counts', [counts['specs'], counts['active'], counts['supervisors'], counts['workers']]];
    }
    case 'which_children': {
      const rows = (await supervisorReply(run, handle.whichChildren())) as
        | { id: string; status: string; type: string }[]
        | string;
      if (typeof rows === 'string') return rows;
      return ['children', rows.map((row) => [row.id, row.status, row.type])];
    }
    default:
      throw new Unsupported(op.op);
  }
};

/** Runs one script and returns its trace. */
export const runScript = async (script: Script): Promise<Trace> => {
  const run = new Run();
  const steps: TraceStep[] = [];
  const step = async (act: () => Promise<unknown>) => {
    run.events = [];
    run.deaths = [];
    const ret = await act();
    await run.host.calm();
    run.ending.clear();
    steps.push({ ret, events: run.events, deaths: run.deaths, tree: run.tree() });
  };
  const root = run.specOf(script.tree);
  await step(async () => {
    let ret: unknown = 'hung';
    run.system.start(root).then(
      () => {
        ret = 'ok';
      },
      () => {
        ret = ['error', (run.deaths.at(-1) as unknown[] | undefined)?.[2]];
      },
    );
    await run.host.calm();
    return ret;
  });
  for (const op of script.ops) await step(() => perform(run, op));
  const alive = run.tree().length > 0;
  await step(async () => {
    if (!alive) return 'noproc';
    void run.system.shutdown();
    return 'ok';
  });
  return { id: script.id, steps };
};
