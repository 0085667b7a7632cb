/**
 * What the simulation of supervisors knows of its trees: who lives where, what each supervisor's limit was spent on, who was
 * told to stop and why, and whose start or end breaks a rule.
 */
import type { ActorContext } from '../../../src/kernel/logic.ts';
import { type ExitReason, isClean } from '../../../src/kernel/reason.ts';
import type { Spec } from '../../../src/kernel/spec.ts';
import type { System } from '../../../src/kernel/system.ts';
import type { SupervisorHandle } from '../../../src/supervision/supervisor-handle.ts';
import type { Stage } from '../../../src/testing/simulation.ts';
import { Acquired, cellAt, Living, type Outcome, type Spent } from './ledger.ts';

export const STRATEGIES = ['one_for_one', 'one_for_all', 'rest_for_one'] as const;
export const RESTARTS = ['permanent', 'transient', 'temporary'] as const;
/** How long what is slow takes, ms: longer than an init or an end may. */
export const HANG_MS = 700;
/** How long a supervisor may be at other work before it sees to a failed start. */
const RETRY_MS = 3_000;

export interface Group {
  readonly path: string;
  readonly strategy: (typeof STRATEGIES)[number];
  readonly children: readonly string[];
  readonly spent: Spent;
  /** Children whose end by order was asked for from outside. */
  readonly ordered: Set<string>;
  gaveUp: boolean;
}

export class Trees {
  readonly system: System;
  readonly stage: Stage;
  readonly living = new Living();
  readonly groups = new Map<string, Group>();
  readonly workers: Spec<unknown>[] = [];
  readonly supervisors: Spec<SupervisorHandle>[] = [];
  readonly restarts = new Map<string, string>();
  readonly outcomes: Outcome[] = [];
  /** Incarnations that a group restart must have ended. */
  readonly doomed = new Map<string, string>();
  /** What stood under a supervisor when it was seen to stop. */
  readonly #stopping = new Map<string, ReadonlyMap<string, number | undefined>>();
  /** When a sibling last failed whose failure concerns this child, and when the child was started. */
  readonly failedBeside = new Map<string, number>();
  readonly startedAt = new Map<string, number>();
  readonly acquired = new Acquired();
  /** What was terminated by order and not asked for again. */
  readonly down = new Set<string>();
  /** How many orders were given for each child. */
  readonly orders = new Map<string, number>();
  root: Spec<SupervisorHandle> | undefined;
  ends: string[] = [];
  stopAsked = false;

  constructor(system: System, stage: Stage) {
    this.system = system;
    this.stage = stage;
  }

  /** What a child does when it is started; 0 is to start well. */
  async init(context: ActorContext): Promise<object> {
    const { path, self } = context;
    const parent = path.slice(0, path.lastIndexOf('/'));
    this.#judgeStart(path, parent, self.incarnation);
    if (this.down.has(path)) this.stage.violated('what was terminated stays down', path);
    const drawn = this.stage.choose(12, 'init');
    if (drawn === 11) throw new Error('no start');
    if (drawn === 10)
      await new Promise<void>((resolve) => this.stage.host.timer(HANG_MS, 'slow init', resolve));
    if (drawn === 9) await null;
    this.acquired.came(`${path}@${self.incarnation}`, context.signal.aborted, this.stage);
    return {};
  }

  #judgeStart(path: string, parent: string, incarnation: number): void {
    const group = this.groups.get(parent);
    for (const sibling of group?.children ?? []) {
      const cell = cellAt(this.system, sibling);
      if (sibling !== path && cell?.starting === true && cell.ref.incarnation < incarnation)
        this.stage.violated('starts are serial', `${path} starts while ${sibling} does`);
    }
    const before = this.#stopping.get(parent);
    if (before !== undefined && before.get(path) !== incarnation)
      this.stage.violated('no start after stop began', `${path} starts though ${parent} stops`);
  }

  /** Remembers who stood under a supervisor when it began to stop. */
  watch(): void {
    for (const [path, group] of this.groups) {
      const stops = cellAt(this.system, path)?.status === 'stopping';
      if (!stops) this.#stopping.delete(path);
      else if (!this.#stopping.has(path)) {
        const now = group.children.map(
          (child) => [child, cellAt(this.system, child)?.ref.incarnation] as const,
        );
        this.#stopping.set(path, new Map(now));
        if (group.children.some((child) => cellAt(this.system, child) === undefined))
          this.stage.reached('stopped while a child was down');
      }
    }
  }

  childEnded(parent: string, child: string, reason: ExitReason): void {
    const group = this.groups.get(parent);
    const path = `${parent}/${child}`;
    if (group === undefined) return;
    const type = this.restarts.get(path);
    if (type === 'temporary' || (type === 'transient' && isClean(reason))) return;
    const now = this.stage.host.monotonic();
    group.spent.count(now, true);
    const at = group.children.indexOf(path);
    const touched =
      group.strategy === 'one_for_all' ? 0 : group.strategy === 'rest_for_one' ? at : group.children.length;
    for (const [index, sibling] of group.children.entries()) {
      if (index < touched || sibling === path) continue;
      const cell = cellAt(this.system, sibling);
      if (cell !== undefined) this.doomed.set(`${sibling}@${cell.ref.incarnation}`, path);
      this.failedBeside.set(sibling, now);
    }
  }

  failedAmong(parent: string, path: string): void {
    const group = this.groups.get(parent);
    const from = group?.strategy === 'one_for_all' ? 0 : (group?.children.indexOf(path) ?? 0);
    if (group === undefined || group.strategy === 'one_for_one') return;
    for (const sibling of group.children.slice(from))
      if (sibling !== path) this.failedBeside.set(sibling, this.stage.host.monotonic());
  }

  /** A child that ended by order: somebody must have had reason to order it, and it goes before those it started after. */
  judgeEnd(path: string, reason: ExitReason): void {
    const parent = path.slice(0, path.lastIndexOf('/'));
    const group = this.groups.get(parent);
    const cell = cellAt(this.system, parent);
    if (group === undefined || reason !== 'shutdown' || cell === undefined) return;
    const later = group.children.slice(group.children.indexOf(path) + 1).filter((it) => this.living.has(it));
    const alone = group.ordered.has(path) || (group.strategy === 'one_for_one' && cell.status === 'running');
    if (later.length > 0 && !alone)
      this.stage.violated('stopped in reverse', `${path} before ${later.join()}`);
    const excused =
      group.gaveUp || this.#stopping.has(parent) || cell.status !== 'running' || group.ordered.has(path);
    // A failed start is seen to behind what else was asked: by then the sibling may be another incarnation.
    const failedAt = (this.failedBeside.get(path) ?? Number.NEGATIVE_INFINITY) + RETRY_MS;
    if (!excused && failedAt < (this.startedAt.get(path) ?? 0))
      this.stage.violated(
        'restarts touch the right set',
        `${path} was stopped by ${group.strategy} ${parent}`,
      );
  }

  /** A supervisor of a new incarnation counts anew. */
  anew(path: string): void {
    const group = this.groups.get(path);
    if (group === undefined) return;
    group.spent.clear();
    group.gaveUp = false;
  }
}
