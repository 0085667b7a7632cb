/**
 * The actors of one script: its tree as specs of the production supervisors, its workers, and the record of what happens to
 * them, in the words of the traces.
 */
import type { TroupeEvent } from '../../../src/base/telemetry.ts';
import { actor } from '../../../src/kernel/actor.ts';
import {
  type ActorContext,
  type Behaviour,
  IGNORE,
  type Info,
  type Logic,
} from '../../../src/kernel/logic.ts';
import { type ExitReason, isExitReason } from '../../../src/kernel/reason.ts';
import type { Ref } from '../../../src/kernel/ref.ts';
import { createSpec, type Spec, type SpecOptions } from '../../../src/kernel/spec.ts';
import { createSystem, type SystemOfActors } from '../../../src/kernel/system.ts';
import type { TreeNode } from '../../../src/kernel/tree.ts';
import { dynamicSupervisor } from '../../../src/supervision/dynamic-supervisor.ts';
import { supervisor } from '../../../src/supervision/supervisor.ts';
import type { InitOutcome, ScriptNode } from './script-format.ts';
import { ScriptHost } from './script-host.ts';

/** A reason of the script as ours. */
export const toReason = (text: string): ExitReason => {
  if (text === 'normal' || text === 'shutdown' || text === 'killed') return text;
  if (text === 'kill') return 'killed';
  const clean = /^\{shutdown,(.*)\}$/.exec(text);
  return clean === null ? { error: text } : { shutdown: clean[1] };
};

/** Our reason in the words of the traces. */
export const fromReason = (reason: unknown): string => {
  if (typeof reason === 'string') return reason;
  const data = reason as { shutdown?: unknown; error?: unknown };
  if (!('shutdown' in data)) return String(data.error);
  const failure = data.shutdown as { failedToStart?: string; reason?: ExitReason };
  return failure?.failedToStart === undefined
    ? `{shutdown,${String(data.shutdown)}}`
    : `{shutdown,failed(${failure.failedToStart},${fromReason(failure.reason)})}`;
};

/** What a failed init throws, in the words of the traces. */
const FAILURES: Partial<Record<InitOutcome, string>> = {
  error: 'init_error',
  hold_error: 'init_error',
  raise: 'raised(boom)',
  bad: 'bad_return(bad_value)',
};

const SUPERVISORS: readonly string[] = ['supervisor', 'dynamic_supervisor'];

/** The id of a child that is started to find out when its supervisor comes to it. */
export const PROBE = 'probe';

/** What a test tells a worker to do itself. */
export type WorkerOrder =
  | { readonly exit: ExitReason }
  | { readonly link: Ref }
  | { readonly unlink: Ref }
  | { readonly monitor: Ref };

export class Stage {
  readonly host = new ScriptHost();
  readonly system = createSystem({ host: this.host }) as SystemOfActors;
  events: unknown[] = [];
  deaths: unknown[] = [];
  notices: unknown[] = [];
  /** Incarnations that an op has told to end, so that their reason is their own. */
  readonly ending = new Set<number>();
  /** Inits that wait to be released, by path. */
  readonly held = new Map<string, () => void>();
  readonly #starts = new Map<string, number>();
  readonly #incarnations = new Map<number, number>();
  /** Supervisors with a template, and what they have to say once all their children have ended. */
  readonly #templates = new Map<string, Set<string>>();

  constructor() {
    this.system.events.listen((event) => this.#hear(event));
  }

  numberOf(ref: Ref): number {
    return this.#incarnations.get(ref.incarnation) ?? 0;
  }

  tree(): unknown[] {
    const out: unknown[] = [];
    const walk = (node: TreeNode) => {
      if (node.incarnation === undefined || node.status === 'straggling') return;
      const n = this.#incarnations.get(node.incarnation) ?? 0;
      out.push([node.path, n, SUPERVISORS.includes(node.kind) ? 'supervisor' : 'worker']);
      node.children.forEach(walk);
    };
    this.system.tree().forEach(walk);
    return out;
  }

  // ── what it hears ─────────────────────────────────────────────────────────────────────────

  #hear(event: TroupeEvent): void {
    if ('path' in event && event.path?.endsWith(`/${PROBE}`)) return;
    switch (event.type) {
      case 'actor.ended':
      case 'actor.start_failed':
        this.deaths.push([event.path, this.numberOf(event), fromReason(event.reason)]);
        this.#reportShutdownErrors(event.path);
        break;
      case 'supervisor.child.started':
        if (!this.#templates.has(event.path)) this.events.push(['progress', event.path, event.child]);
        break;
      case 'supervisor.child.ended':
        this.#report('child_terminated', event.path, event.child, fromReason(event.reason));
        break;
      case 'supervisor.child.start_failed':
        this.#report('start_error', event.path, event.child, fromReason(event.reason));
        break;
      case 'supervisor.child.shutdown_failed':
        // OTP says each reason once, when all dynamic children have ended.
        if (this.#templates.has(event.path)) this.#templates.get(event.path)?.add(fromReason(event.reason));
        else this.#report('shutdown_error', event.path, event.child, fromReason(event.reason));
        break;
      case 'supervisor.gave_up':
        this.#report('shutdown', event.path, event.child, 'reached_max_restart_intensity');
        break;
      default:
    }
  }

  #report(kind: string, path: string, child: string, reason: string): void {
    this.events.push([kind, path, child.split('#')[0], reason]);
  }

  #reportShutdownErrors(path: string): void {
    const reasons = this.#templates.get(path);
    if (reasons === undefined) return;
    for (const reason of reasons) this.events.push(['shutdown_error', path, 't', reason]);
    reasons.clear();
  }

  // ── what it makes ─────────────────────────────────────────────────────────────────────────

  /** Counts a start of a place; every start of a place counts, failed ones too. */
  #begin(context: ActorContext): number {
    const n = (this.#starts.get(context.path) ?? 0) + 1;
    this.#starts.set(context.path, n);
    this.#incarnations.set(context.self.incarnation, n);
    return n;
  }

  specOf(node: ScriptNode, isRoot = false): Spec<unknown> {
    const restart = node.restart ?? 'permanent';
    const common = { restart, significant: node.significant === true && !isRoot };
    if (node.type !== 'supervisor') return this.#worker(node, common);
    const spec = this.#supervisor(node, common);
    const logic = spec.logic as Logic<unknown>;
    const isTemplate = node.strategy === 'simple_one_for_one';
    const announced: Logic<unknown> = {
      ...logic,
      start: (context, input) => {
        if (isTemplate) this.#templates.set(context.path, new Set());
        this.events.push(['sup_init', context.path, this.#begin(context)]);
        return logic.start(context, input);
      },
    };
    const { shutdownMs, initTimeoutMs } = spec;
    return createSpec(node.id, announced, { ...common, shutdownMs, initTimeoutMs }, spec.children);
  }

  /** A child that ignores its start and leaves nothing behind; `reached` runs while its supervisor waits for it. */
  probe(reached: () => void): Spec<unknown> {
    const logic: Logic<unknown> = {
      kind: 'worker',
      start: () => {
        reached();
        return IGNORE;
      },
      handle: (place) => ({ path: place.path, ref: () => place.ref() }),
    };
    return actor(PROBE, logic, { restart: 'temporary' });
  }

  #supervisor(node: ScriptNode, common: SpecOptions): Spec<unknown> {
    const children = node.children ?? [];
    const rules = {
      ...common,
      intensity: node.intensity ?? 1,
      periodMs: (node.period ?? 5) * 1_000,
      backoff: false,
      onGiveUp: 'shutdown',
      autoShutdown: node.auto_shutdown ?? 'never',
    } as const;
    if (node.strategy === 'simple_one_for_one') {
      const [template] = children as [ScriptNode];
      return dynamicSupervisor(node.id, {
        ...rules,
        template: (key) => this.specOf({ ...template, id: key }),
      });
    }
    return supervisor(node.id, {
      ...rules,
      strategy: node.strategy ?? 'one_for_one',
      children: children.map((child) => this.specOf(child)),
    });
  }

  #worker(node: ScriptNode, common: SpecOptions): Spec<unknown> {
    const shutdownMs = node.shutdown === 'infinity' ? Number.POSITIVE_INFINITY : (node.shutdown ?? 5_000);
    const logic: Logic<unknown> = {
      kind: 'worker',
      start: (context) => this.#startWorker(context, node),
      handle: (place) => ({ path: place.path, ref: () => place.ref() }),
    };
    return actor(node.id, logic, { ...common, shutdownMs, initTimeoutMs: Number.POSITIVE_INFINITY });
  }

  #startWorker(context: ActorContext, node: ScriptNode): ReturnType<Logic<unknown>['start']> {
    const n = this.#begin(context);
    const outcome = node.init?.[n - 1] ?? 'ok';
    this.events.push(['init', context.path, n, outcome]);
    if (outcome !== 'hold' && outcome !== 'hold_error') return this.#afterInit(context, node, { n, outcome });
    return new Promise<void>((resolve) => this.held.set(context.path, resolve)).then(() =>
      this.#afterInit(context, node, { n, outcome }),
    );
  }

  #afterInit(
    context: ActorContext,
    node: ScriptNode,
    { n, outcome }: { readonly n: number; readonly outcome: InitOutcome },
  ): Behaviour | typeof IGNORE {
    const failure = FAILURES[outcome];
    if (failure !== undefined) throw failure;
    if (outcome === 'ignore') return IGNORE;
    if (outcome === 'normal' || outcome === 'shutdown') context.stop(outcome);
    const trap = node.trap ?? true;
    context.trapExit = trap;
    if (node.name !== undefined) context.register(node.name);
    return {
      tell: (message) => this.#obey(context, message as WorkerOrder),
      info: (info) => this.#notice(context, n, info),
      terminate: (reason) => {
        // A process that does not trap exits dies of its supervisor's shutdown without running its terminate.
        if (!trap && reason === 'shutdown' && !this.ending.has(context.self.incarnation)) return undefined;
        this.events.push(['terminate', context.path, n, fromReason(reason)]);
        if (reason !== 'shutdown') return undefined;
        const answer = node.on_shutdown ?? 'ok';
        if (answer === 'hang') return new Promise<void>(() => undefined);
        if (answer !== 'ok') context.stop(toReason(answer));
        return undefined;
      },
    };
  }

  #obey(context: ActorContext, order: WorkerOrder): void {
    if ('exit' in order) context.stop(order.exit);
    else if ('link' in order) context.link(order.link);
    else if ('unlink' in order) context.unlink(order.unlink);
    else context.monitor(order.monitor);
  }

  /** Signals from strangers go unnoticed; what comes of links and monitors is told. */
  #notice(context: ActorContext, n: number, info: Info): void {
    if (info.type === 'timeout' || info.ref.path === '' || !isExitReason(info.reason)) return;
    this.notices.push([context.path, n, info.type, info.ref.path, fromReason(info.reason)]);
  }
}
