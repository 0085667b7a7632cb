/**
 * A running system as a source of views. It listens while somebody looks, and reads the rest when asked.
 *
 * Invariants: without a viewer it hears nothing and holds next to nothing: what happened meanwhile is in the flight recorder. The
 * forest is walked at most once for all who ask within {@link FOREST_MS}.
 */

import { applicationMachine } from '../../actors/application.machine.ts';
import type { Application } from '../application/application.ts';
import type { TroupeEvent } from '../base/telemetry.ts';
import { recordingOf } from '../kernel/flight-recorder.ts';
import type { System, SystemOfActors } from '../kernel/system.ts';
import { readActor } from './actor-detail.ts';
import type { ActorDetail, ChartDefinition, History } from './actor-view.ts';
import { applicationView } from './application-view.ts';
import { Charts } from './chart-definition.ts';
import type { ApplicationView, Metrics } from './component-view.ts';
import { Durations } from './histogram.ts';
import { MessageWatch } from './message-watch.ts';
import { Meter } from './meter.ts';
import { LIMITS, type Recording } from './protocol.ts';
import { Roster } from './roster.ts';
import { showValue } from './show-value.ts';
import type { Source } from './source.ts';
import { NOBODY_YET, Steps } from './steps.ts';
import type { Json, StateValue, TreeQuery, TreeWindow } from './tree-view.ts';
import { type Standing, type Surroundings, windowOn } from './tree-window.ts';
import {
  breakerView,
  type Ground,
  isPaused,
  OWN_MACHINES,
  ownState,
  poolView,
  recoveryView,
  SUPERVISORS,
  supervisorView,
} from './views.ts';

/** What a source of a running system is made of. */
export interface LiveGround {
  readonly system: SystemOfActors;
  readonly name: string;
  readonly pid: number | undefined;
  readonly node: string;
  /** The application around the system, where there is one and it is known yet. */
  readonly application: () => Application | undefined;
  /** What may be seen of a context; it is called before anything of it is kept. */
  readonly redact: (context: unknown, path: string) => unknown;
}

/** For so long one walk through the tree serves all who ask, ms. */
const FOREST_MS = 50;
/** How the path of an application's own chart begins: it stands at no place. */
const APPLICATION = 'application ';
/** Charts whose standing is taken note of when the first viewer comes. */
const ACTORS_SEEDED = 200;

interface MachineSnapshot {
  readonly machine: object;
  readonly value: StateValue;
  readonly context: unknown;
  readonly status: string;
}

const isMachineSnapshot = (snapshot: unknown): snapshot is MachineSnapshot =>
  typeof (snapshot as { machine?: { root?: unknown } } | undefined)?.machine?.root === 'object';

const namesOf = (actions: readonly unknown[]): readonly string[] =>
  actions.map((action) => {
    if (typeof action === 'string') return action;
    const { type, name } = action as { readonly type?: unknown; readonly name?: unknown };
    return String(type ?? name ?? 'inline');
  });

export class LiveSource implements Source {
  readonly kind = 'live';
  readonly watch: MessageWatch;
  readonly charts = new Charts();
  readonly #ground: LiveGround;
  readonly #roster = new Roster();
  readonly #steps = new Steps();
  #viewers = 0;
  readonly #watchedActors = new Map<string, number>();
  readonly #jobs = new Map<string, { readonly waited: Durations; readonly ran: Durations }>();
  #forest: { readonly at: number; readonly roots: readonly Standing[] } | undefined = undefined;
  #stopListening: (() => void) | undefined = undefined;
  #worstLagMs = 0;
  readonly #meter: Meter;

  constructor(ground: LiveGround) {
    this.#ground = ground;
    this.watch = new MessageWatch(ground.system);
    this.#meter = new Meter(ground.system, this.watch);
    this.watch.onStep = (step, cause) => this.#stepped(step, cause);
  }

  get system(): SystemOfActors {
    return this.#ground.system;
  }

  get facts() {
    const { recorder } = this.system;
    return {
      next: recorder.next,
      forgotten: recorder.forgotten,
      from: (n: number, most?: number) => recorder.facts(n, most),
    };
  }

  get steps() {
    return this.#steps.recent;
  }

  get messages() {
    return this.watch.messages;
  }

  hello() {
    const { name, pid, node, system } = this.#ground;
    const at = system.host.wall();
    return { name, pid, node, startedAt: system.startedAt, at, inspectingSince: this.watch.since };
  }

  // ── listening ─────────────────────────────────────────────────────────────────────────────

  open(): () => void {
    this.#viewers += 1;
    if (this.#viewers === 1) this.#begin();
    this.watch.attach();
    let open = true;
    return () => {
      if (!open) return;
      open = false;
      this.watch.detach();
      this.#viewers -= 1;
      if (this.#viewers === 0) this.#end();
    };
  }

  watchActor(path: string, wanted: boolean): void {
    if (wanted) this.#seed(path, this.system.placeAt(path)?.spec.logic.kind ?? '', true);
    const count = (this.#watchedActors.get(path) ?? 0) + (wanted ? 1 : -1);
    if (count <= 0) this.#watchedActors.delete(path);
    else this.#watchedActors.set(path, count);
  }

  #begin(): void {
    const { recorder, events } = this.system;
    this.#roster.recall(recorder.facts());
    const unlisten = events.listen((event) => this.#hear(event));
    const unlistenSteps = events.on('chart.stepped', ({ path, at, state, event }) =>
      this.#ownStep(path, at, { value: state as StateValue, event }),
    );
    this.#stopListening = () => {
      unlisten();
      unlistenSteps();
    };
    let left = ACTORS_SEEDED;
    const walk = ({ path, kind, children }: Standing): void => {
      if (left > 0 && this.#seed(path, kind)) left -= 1;
      children.forEach(walk);
    };
    this.forest().forEach(walk);
    this.#seedApplication();
  }

  /** An application's chart stands at no place: its last phase says where it is. */
  #seedApplication(): void {
    const { system } = this;
    const entered = system.recorder.facts().filter(({ type }) => type === 'app.phase_entered');
    const last = entered.at(-1);
    if (last === undefined) return;
    const value = String(last.data['phase']);
    const chart = this.charts.of(applicationMachine, 'troupe');
    this.#steps.seed(chart, {
      path: `${APPLICATION}${last.path}`,
      incarnation: NOBODY_YET,
      at: last.at,
      value,
    });
  }

  #end(): void {
    this.#stopListening?.();
    this.#stopListening = undefined;
    this.#jobs.clear();
    this.#meter.reset();
  }

  #hear(event: TroupeEvent): void {
    this.#roster.hear(event, Math.max(0, this.system.recorder.next - 1));
    if (event.type === 'host.stalled') this.#worstLagMs = Math.max(this.#worstLagMs, event.lateMs);
    else if (event.type === 'pool.job.started') this.jobsOf(event.path).waited.add(event.waitMs);
    else if (event.type === 'pool.job.settled') this.jobsOf(event.path).ran.add(event.runMs);
  }

  /** Whether there is a chart at a place: then it is known from where its next step starts. */
  #seed(path: string, kind: string, withContext = false): boolean {
    const cell = this.system.placeAt(path)?.cell;
    const machine = cell === undefined ? undefined : this.machineAt(path, kind);
    if (cell === undefined || machine === undefined) return false;
    const snapshot = machine.origin === 'user' ? this.snapshotAt(path) : undefined;
    const value =
      snapshot?.value ?? ownState(kind, cell.inspect().state, isPaused(this.system, { path, kind }));
    if (value === undefined) return false;
    const { incarnation } = cell.ref;
    const context = withContext && snapshot !== undefined ? this.contextOf(snapshot, path) : undefined;
    const at = this.system.host.wall();
    this.#steps.seed(this.charts.of(machine.object, machine.origin), {
      path,
      incarnation,
      at,
      value,
      context,
    });
    return true;
  }

  /** One of troupe's own charts has stepped. */
  #ownStep(path: string, at: number, told: { readonly value: StateValue; readonly event: string }): void {
    const cell = this.system.placeAt(path)?.cell;
    const kind = cell?.place.spec.logic.kind ?? this.#kindBelow(path);
    const machine = path.startsWith(APPLICATION) ? applicationMachine : OWN_MACHINES[kind];
    if (machine === undefined) return;
    const incarnation = cell?.ref.incarnation ?? NOBODY_YET;
    this.#steps.note(this.charts.of(machine, 'troupe'), { path, incarnation, at, ...told });
  }

  /** The chart of a worker begins before there is an actor of it. */
  #kindBelow(path: string): string {
    const parent = this.system.placeAt(path.slice(0, Math.max(0, path.lastIndexOf('/'))));
    return parent?.spec.logic.kind === 'pool' ? 'worker' : '';
  }

  #stepped(step: Parameters<MessageWatch['stepped']>[0], cause: number | undefined): void {
    const { ref, events, taken, snapshot } = step;
    if (!isMachineSnapshot(snapshot)) return;
    const chart = this.charts.of(snapshot.machine, 'user');
    const event = events[0] as { readonly type?: unknown } | undefined;
    this.#steps.note(chart, {
      ...ref,
      at: this.system.host.wall(),
      event: typeof event?.type === 'string' ? event.type : undefined,
      value: snapshot.value,
      taken: taken.flatMap((one) => chart.idOf(one) ?? []),
      actions: taken.flatMap((one) => namesOf((one as { actions: readonly unknown[] }).actions)),
      cause,
      context: this.#watchedActors.has(ref.path) ? this.contextOf(snapshot, ref.path) : undefined,
    });
  }

  /** A context as it may be seen. A hook that throws hides all of it. */
  contextOf(snapshot: { readonly context: unknown }, path: string): Json {
    try {
      return showValue(this.#ground.redact(snapshot.context, path));
    } catch {
      return '(hidden: redact threw)';
    }
  }

  // ── reading ───────────────────────────────────────────────────────────────────────────────

  forest(): readonly Standing[] {
    const now = this.system.host.monotonic();
    if (this.#forest === undefined || now - this.#forest.at >= FOREST_MS)
      this.#forest = { at: now, roots: this.system.tree().map((root) => this.#inPlace(root)) };
    return this.#forest.roots;
  }

  /** Children stand as their spec lists them, so that nobody changes place for having been started again. */
  #inPlace(standing: Standing): Standing {
    if (standing.children.length === 0) return standing;
    const children = standing.children.map((child) => this.#inPlace(child));
    const listed = this.system.placeAt(standing.path)?.spec.children ?? [];
    if (listed.length < 2) return { ...standing, children };
    const rank = new Map(listed.map(({ id }, i) => [id, i]));
    const rankOf = ({ id }: Standing): number => rank.get(id) ?? listed.length;
    return { ...standing, children: children.sort((a, b) => rankOf(a) - rankOf(b)) };
  }

  around(): Surroundings {
    const { system, watch, charts } = this;
    const roster = this.#roster;
    return {
      restarts: (path) => roster.restarts(path),
      description: (path) => system.placeAt(path)?.spec.description,
      tombstones: roster.tombstones(system.host.wall()),
      extras: ({ path, kind, status, incarnation }) => {
        const nextStartAt = incarnation === undefined ? roster.place(path)?.nextStartAt : undefined;
        const machine = this.machineAt(path, kind);
        const meddled =
          watch.fault(path) !== undefined ? 'fault' : status === 'suspended' ? 'paused' : undefined;
        return {
          ...(machine === undefined
            ? {}
            : { machine: charts.of(machine.object, machine.origin).definition.machine }),
          ...(nextStartAt === undefined ? {} : { nextStartAt }),
          ...(meddled === undefined ? {} : { meddled }),
        };
      },
    };
  }

  /** The machine by which the actor at a place lives, if it is one. */
  machineAt(
    path: string,
    kind: string,
  ): { readonly object: object; readonly origin: 'troupe' | 'user' } | undefined {
    const own = OWN_MACHINES[kind];
    if (own !== undefined) return { object: own, origin: 'troupe' };
    const snapshot = kind === 'machine' || kind === 'logic' ? this.snapshotAt(path) : undefined;
    return snapshot === undefined ? undefined : { object: snapshot.machine, origin: 'user' };
  }

  snapshotAt(path: string): MachineSnapshot | undefined {
    const shared = this.system.placeAt(path)?.shared as { readonly snapshot?: unknown } | undefined;
    return isMachineSnapshot(shared?.snapshot) ? shared.snapshot : undefined;
  }

  tree(query: TreeQuery): TreeWindow {
    return windowOn(this.forest(), query, this.around());
  }

  actor(path: string): ActorDetail | undefined {
    return readActor(this, this.ground(), path);
  }

  ground(): Ground {
    return {
      system: this.system,
      charts: this.charts,
      roster: this.#roster,
      steps: this.#steps,
      factsOf: (path) => this.system.recorder.facts().filter((fact) => fact.path === path),
      jobsOf: (path) => this.jobsOf(path),
    };
  }

  jobsOf(path: string): { readonly waited: Durations; readonly ran: Durations } {
    const known = this.#jobs.get(path) ?? { waited: new Durations(), ran: new Durations() };
    this.#jobs.set(path, known);
    return known;
  }

  definition(machine: string): ChartDefinition | undefined {
    return this.charts.named(machine);
  }

  history(path: string, incarnation?: number): History | undefined {
    return this.#steps.history(path, incarnation);
  }

  recording(): Recording {
    const { name, pid, node } = this.#ground;
    const definitions = this.charts.all.filter(({ origin }) => origin === 'user');
    return { ...recordingOf(this.system, { name, pid, node, why: 'asked' }), definitions } as Recording;
  }

  standing(path: string): Standing | undefined {
    const find = (standings: readonly Standing[]): Standing | undefined => {
      for (const standing of standings) {
        if (standing.path === path) return standing;
        const below = path.startsWith(`${standing.path}/`) ? find(standing.children) : undefined;
        if (below !== undefined) return below;
      }
      return undefined;
    };
    return find(this.forest());
  }

  #each<V>(kinds: readonly string[], read: (ground: Ground, standing: Standing) => V | undefined): V[] {
    const views: V[] = [];
    const ground = this.ground();
    const walk = (standing: Standing): void => {
      const view = kinds.includes(standing.kind) ? read(ground, standing) : undefined;
      if (view !== undefined && views.length < LIMITS.windowRows) views.push(view);
      standing.children.forEach(walk);
    };
    this.forest().forEach(walk);
    return views;
  }

  supervisors() {
    return this.#each(SUPERVISORS, supervisorView);
  }

  breakers() {
    return this.#each(['breaker'], breakerView);
  }

  pools() {
    return this.#each(['pool'], poolView);
  }

  recoveries() {
    return this.#each(['recovery'], recoveryView);
  }

  application(): ApplicationView {
    const { name, application } = this.#ground;
    return applicationView(this.ground(), this.forest(), { name, health: application()?.health() });
  }

  metrics(): Omit<Metrics, 'explorer'> {
    const loopLagMs = this.#worstLagMs;
    this.#worstLagMs = 0;
    return this.#meter.read(this.forest(), loopLagMs);
  }
}

/** The system behind its public face. */
export const actorsOf = (system: System): SystemOfActors => system as SystemOfActors;
