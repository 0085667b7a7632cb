/**
 * A recording as a source of views: what the flight recorder wrote, or a viewer saved. Nothing changes any more.
 *
 * Invariant: the file came from outside: it is checked before it is believed, and what it names is only ever shown.
 */

import { applicationMachine } from '../../actors/application.machine.ts';
import { createError } from '../base/errors.ts';
import type {
  ActorDetail,
  ChartDefinition,
  ChartStanding,
  Fact,
  History,
  Message,
  Step,
} from './actor-view.ts';
import { Charts } from './chart-definition.ts';
import type { ApplicationView, Metrics, SupervisorView } from './component-view.ts';
import { isFailure, recordingOfFailure } from './failure-recording.ts';
import { LIMITS, type Recording } from './protocol.ts';
import { isTame } from './read-command.ts';
import { recallSteps } from './recorded-steps.ts';
import { type RecordedGround, recordedBreaker, recordedPool, recordedRecovery } from './recorded-views.ts';
import { Ring } from './ring.ts';
import { Roster } from './roster.ts';
import type { Journal, Source } from './source.ts';
import { Steps } from './steps.ts';
import type { TreeQuery, TreeWindow } from './tree-view.ts';
import { keyOf, rowOf, type Standing, type Surroundings, windowOn } from './tree-window.ts';
import { OWN_MACHINES, ownState, SUPERVISORS } from './views.ts';

const DEEPEST_TREE = 1_000;

const isStanding = (value: unknown, depth: number): value is Standing => {
  if (typeof value !== 'object' || value === null || depth > DEEPEST_TREE) return false;
  const { path, id, kind, status, facts, mailbox, children } = value as Partial<Standing>;
  return (
    [path, id, kind, status].every((word) => typeof word === 'string') &&
    typeof mailbox === 'number' &&
    typeof facts === 'object' &&
    Array.isArray(children) &&
    children.every((child) => isStanding(child, depth + 1))
  );
};

const isFact = (value: unknown): value is Fact => {
  if (typeof value !== 'object' || value === null || !isTame(value)) return false;
  const { n, at, type, path, text, data } = value as Partial<Fact>;
  return (
    Number.isSafeInteger(n) &&
    typeof at === 'number' &&
    [type, path, text].every((word) => typeof word === 'string') &&
    typeof data === 'object' &&
    data !== null
  );
};

/** Reads a recording. @throws ERR_RECORDING_INVALID */
export const readRecording = (content: string, file: string): Recording => {
  const refuse = (why: string): never => {
    throw createError('ERR_RECORDING_INVALID', { file, why });
  };
  let parsed: Partial<Recording> | null = null;
  try {
    parsed = JSON.parse(content) as Partial<Recording> | null;
  } catch {
    refuse('it is not JSON');
  }
  if (isFailure(parsed)) return recordingOfFailure(parsed);
  if (typeof parsed !== 'object' || parsed === null || parsed.troupeRecording !== 1)
    return refuse('it does not say troupeRecording: 1, and is no failed simulation either');
  const { name, facts, tree, startedAt, writtenAt, node } = parsed;
  if (typeof name !== 'string' || typeof node !== 'string') refuse('it does not say whose it is');
  if (typeof startedAt !== 'number' || typeof writtenAt !== 'number') refuse('it does not say when it was');
  if (!Array.isArray(facts) || !facts.every(isFact)) refuse('its facts are not facts');
  if (!Array.isArray(tree) || !tree.every((one) => isStanding(one, 0))) refuse('its tree is not one');
  return parsed as Recording;
};

/** Numbered entries that do not grow any more. */
class Kept<T extends { readonly n: number }> implements Journal<T> {
  readonly #entries: readonly T[];
  readonly next: number;
  readonly forgotten: number;

  constructor(entries: readonly T[]) {
    this.#entries = entries;
    this.forgotten = entries[0]?.n ?? 0;
    this.next = (entries.at(-1)?.n ?? -1) + 1;
  }

  from(n: number, most = Number.POSITIVE_INFINITY): readonly T[] {
    const first = this.#entries.findIndex((entry) => entry.n >= n);
    return first < 0 ? [] : this.#entries.slice(first, first + most);
  }
}

export class RecordingSource implements Source {
  readonly kind = 'recording';
  readonly facts: Journal<Fact>;
  readonly messages: Journal<Message> = new Ring<Message>(1);
  readonly steps: Journal<Step>;
  readonly #recording: Recording;
  readonly #charts = new Charts();
  readonly #roster = new Roster();
  /** Those that facts tell of. */
  readonly #steps = new Steps();

  constructor(recording: Recording) {
    this.#recording = recording;
    this.facts = new Kept(recording.facts);
    for (const machine of [...Object.values(OWN_MACHINES), applicationMachine])
      this.#charts.of(machine, 'troupe');
    for (const definition of recording.definitions ?? []) this.#charts.add(definition);
    this.#roster.recall(recording.facts);
    recallSteps(recording.facts, {
      steps: this.#steps,
      charts: this.#charts,
      startedAt: recording.startedAt,
      incarnationOf: (path) => this.#find(path)?.incarnation ?? 0,
    });
    this.steps = recording.steps === undefined ? this.#steps.recent : new Kept(recording.steps);
  }

  hello() {
    const { name, pid, node, startedAt, writtenAt } = this.#recording;
    return { name, pid, node, startedAt, at: writtenAt, inspectingSince: undefined };
  }

  #around(): Surroundings {
    return {
      restarts: (path) => this.#roster.restarts(path),
      description: () => undefined,
      tombstones: new Map(),
      extras: ({ kind }) => {
        const machine = OWN_MACHINES[kind];
        return machine === undefined
          ? {}
          : { machine: this.#charts.of(machine, 'troupe').definition.machine };
      },
    };
  }

  tree(query: TreeQuery): TreeWindow {
    return windowOn(this.#recording.tree as readonly Standing[], query, this.#around());
  }

  #find(path: string, among = this.#recording.tree as readonly Standing[]): Standing | undefined {
    for (const standing of among) {
      if (standing.path === path) return standing;
      const below = path.startsWith(`${standing.path}/`) ? this.#find(path, standing.children) : undefined;
      if (below !== undefined) return below;
    }
    return undefined;
  }

  actor(path: string): ActorDetail | undefined {
    const standing = this.#find(path);
    if (standing === undefined) return undefined;
    const chart = this.#chartOf(standing);
    return {
      path,
      row: rowOf(standing, this.#around(), { key: keyOf(standing), depth: 0, matched: true }),
      names: [],
      options: {},
      mailbox: { depth: standing.mailbox, capacity: 0, overflow: 'unknown', paused: false, next: [] },
      ...(chart === undefined ? {} : { chart }),
      ...this.#componentOf(standing),
      restarts: this.#roster.place(path)?.history ?? [],
      ...(SUPERVISORS.includes(standing.kind) ? { supervision: this.#supervisor(standing) } : {}),
      unavailable: { messages: 'a recording holds no messages', context: 'a recording holds no contexts' },
    };
  }

  #chartOf({ path, kind, state }: Standing): ChartStanding | undefined {
    const machine = OWN_MACHINES[kind];
    const value = ownState(kind, state);
    if (machine === undefined || value === undefined) return undefined;
    const now = this.#recording.startedAt;
    const about = { path, value, status: 'active' as const, sendable: () => false, now };
    return this.#steps.standing(this.#charts.of(machine, 'troupe'), about);
  }

  get #ground(): RecordedGround {
    const { facts, startedAt } = this.#recording;
    return { facts, startedAt, chartOf: (standing) => this.#chartOf(standing) };
  }

  #componentOf(standing: Standing): Pick<ActorDetail, 'breaker' | 'pool' | 'recovery'> {
    if (standing.kind === 'pool') return { pool: recordedPool(this.#ground, standing) };
    if (standing.kind === 'recovery') return { recovery: recordedRecovery(this.#ground, standing) };
    const breaker = standing.kind === 'breaker' ? recordedBreaker(this.#ground, standing) : undefined;
    return breaker === undefined ? {} : { breaker };
  }

  #supervisor({ path, kind, facts, children }: Standing): SupervisorView {
    const gaveUp = this.#roster.gaveUp(path);
    return {
      path,
      kind,
      strategy: String(facts['strategy'] ?? 'one_for_one'),
      used: 0,
      intensity: 0,
      periodMs: 0,
      window: [],
      ...(gaveUp === undefined ? {} : { gaveUp }),
      children: children.map((child) => ({
        id: child.id,
        kind: child.kind,
        status: child.status,
        restart: child.restart ?? 'permanent',
        restarts: this.#roster.place(child.path)?.restarts ?? 0,
        failures: this.#roster.place(child.path)?.failures ?? 0,
      })),
      more: 0,
      history: this.#roster.historyOf(path),
    };
  }

  definition(machine: string): ChartDefinition | undefined {
    return this.#charts.named(machine);
  }

  history(path: string, incarnation?: number): History | undefined {
    if (this.#recording.steps === undefined) return this.#steps.history(path, incarnation);
    const steps = this.steps.from(0).filter((step) => step.path === path);
    const wanted =
      incarnation === undefined ? steps : steps.filter((step) => step.incarnation === incarnation);
    const [first] = wanted;
    if (first === undefined) return undefined;
    const since = this.#recording.startedAt;
    return {
      path,
      incarnation: first.incarnation,
      machine: first.machine,
      steps: wanted,
      since,
      forgotten: 0,
    };
  }

  recording(): Recording {
    return { ...this.#recording, steps: this.#recording.steps ?? this.steps.from(0) };
  }

  #each<V>(kinds: readonly string[], read: (standing: Standing) => V | undefined): readonly V[] {
    const views: V[] = [];
    const walk = (standing: Standing): void => {
      const view = kinds.includes(standing.kind) ? read(standing) : undefined;
      if (view !== undefined && views.length < LIMITS.windowRows) views.push(view);
      standing.children.forEach(walk);
    };
    (this.#recording.tree as readonly Standing[]).forEach(walk);
    return views;
  }

  supervisors() {
    return this.#each(SUPERVISORS, (standing) => this.#supervisor(standing));
  }

  breakers() {
    return this.#each(['breaker'], (standing) => recordedBreaker(this.#ground, standing));
  }

  pools() {
    return this.#each(['pool'], (standing) => recordedPool(this.#ground, standing));
  }

  recoveries() {
    return this.#each(['recovery'], (standing) => recordedRecovery(this.#ground, standing));
  }

  application(): ApplicationView {
    const { name, facts } = this.#recording;
    const phases = facts
      .filter(({ type }) => type === 'app.phase_entered')
      .map(({ at, data }) => ({ phase: String(data['phase']), at }));
    const phase = phases.at(-1)?.phase;
    const none = { live: false, ready: false, notReady: [], holdingUp: [] };
    return { name, ...none, phases, ...(phase === undefined ? {} : { phase }) };
  }

  metrics(): Omit<Metrics, 'explorer'> {
    const { writtenAt, counters } = this.#recording;
    const { actors } = this.tree({ query: '', from: 0, count: 0 });
    return { at: writtenAt, actors, mailboxes: 0, counters, loopLagMs: 0, heapBytes: 0, residentBytes: 0 };
  }

  watchActor(): void {}

  open(): () => void {
    return () => undefined;
  }
}
