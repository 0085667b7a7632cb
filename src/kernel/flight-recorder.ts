/**
 * The flight recorder: the last lifecycle facts of a system, kept whether or not anyone listens, so that whoever looks after
 * the fact sees what happened before.
 *
 * Invariant: bounded. It keeps {@link FACTS_KEPT} facts; of errors it keeps data, but for those of the newest
 * {@link FRESH} facts, whose stacks nobody has paid for yet. It never holds a payload, and never throws.
 */
import type { EventStream, EventType, FactRecorder, TroupeEvent } from '../base/telemetry.ts';
import { type Fact, type Json, lineOf, plainData, thrownIn, weightOf } from './fact.ts';
import { type ExitReason, isClean } from './reason.ts';

/** Facts kept; the oldest is forgotten for one more. Owner: recorder, about 1 KB each at most. */
export const FACTS_KEPT = 1_000;
/** Facts whose errors are still the objects that were thrown. */
const FRESH = 64;
/** Different errors, by place and message, whose stack is kept; a crash loop repeats one. */
const STACKS_KEPT = 200;
/** Places whose last trouble is remembered, to name it as the cause of what follows. */
const CAUSES_KEPT = 1_000;
/** Drops at one place within this time are one fact, ms. */
const DROPS_TOGETHER_MS = 1_000;

/** What is recorded: what tells of trouble, of what was done about it, and of phases; not each start, job or message. */
export const RECORDED: ReadonlySet<EventType> = new Set<EventType>([
  'host.stalled',
  'actor.ended',
  'actor.start_failed',
  'actor.straggled',
  'actor.threw',
  'mail.dropped',
  'supervisor.child.restarted',
  'supervisor.child.backing_off',
  'supervisor.child.start_failed',
  'supervisor.child.shutdown_failed',
  'supervisor.child.parked',
  'supervisor.gave_up',
  'supervisor.auto_shutdown',
  'breaker.opened',
  'breaker.half_opened',
  'breaker.closed',
  'breaker.isolated',
  'breaker.disabled',
  'breaker.observed',
  'breaker.would_have_opened',
  'pool.worker.started',
  'pool.worker.ended',
  'pool.degraded',
  'pool.restored',
  'recovery.started',
  'recovery.step_done',
  'recovery.ended',
  'recovery.refused',
  'app.phase_entered',
  'app.resource.opened',
  'app.resource.closed',
  'app.resource.drain_failed',
  'app.signalled',
  'app.stray_error',
  'app.stopped',
  'explorer.commanded',
  'explorer.command_ended',
]);

interface Entry {
  readonly n: number;
  readonly at: number;
  readonly type: EventType;
  readonly path: string;
  readonly cause: number | undefined;
  /** As it came, while fresh. */
  event: TroupeEvent | undefined;
  data: Readonly<Record<string, Json>> | undefined;
  /** Drops that came together. */
  times: number;
}

const pathOf = (event: TroupeEvent): string => (event as { readonly path?: string }).path ?? '';

/** What a fact is about: of a supervisor's, the child; of a recovery's, the subject. */
const aboutOf = (event: TroupeEvent): string => {
  const { path, child, subject, worker } = event as {
    readonly path?: string;
    readonly child?: string;
    readonly subject?: string;
    readonly worker?: string;
  };
  if (subject !== undefined) return subject;
  const below = child ?? worker;
  return below === undefined ? (path ?? '') : `${path}/${below}`;
};

export class FlightRecorder implements FactRecorder {
  readonly types = RECORDED;
  readonly #ring: Entry[] = [];
  readonly #stacks = new Set<string>();
  readonly #causes = new Map<string, number>();
  #n = 0;

  constructor(events: EventStream) {
    events.record(this);
  }

  /** The number of the next fact. */
  get next(): number {
    return this.#n;
  }

  /** How many facts are gone. */
  get forgotten(): number {
    return Math.max(0, this.#n - FACTS_KEPT);
  }

  note(event: TroupeEvent): void {
    if (event.type === 'actor.ended' && isClean(event.reason as ExitReason)) return;
    if (event.type === 'mail.dropped' && this.#joined(event)) return;
    const n = this.#n;
    this.#n += 1;
    const { type, at } = event;
    const path = pathOf(event);
    const about = aboutOf(event);
    const cause = this.#causes.get(about);
    this.#ring[n % FACTS_KEPT] = { n, at, type, path, cause, event, data: undefined, times: 1 };
    if (weightOf(type) === 'trouble') this.#blame(about, n);
    const ripe = n < FRESH ? undefined : this.#ring[(n - FRESH) % FACTS_KEPT];
    if (ripe !== undefined) this.#ripen(ripe);
  }

  /** The facts from number `from` on, as far as they are kept, oldest first; at most `most` of them. */
  facts(from = 0, most = FACTS_KEPT): readonly Fact[] {
    const facts: Fact[] = [];
    const first = Math.max(from, this.forgotten);
    for (let n = first; n < this.#n && facts.length < most; n++) {
      const entry = this.#ring[n % FACTS_KEPT];
      if (entry !== undefined) facts.push(factOf(entry));
    }
    return facts;
  }

  /** A drop at a place that dropped a moment ago is counted there. */
  #joined(event: Extract<TroupeEvent, { type: 'mail.dropped' }>): boolean {
    const last = this.#n === 0 ? undefined : this.#ring[(this.#n - 1) % FACTS_KEPT];
    if (last?.type !== 'mail.dropped' || last.path !== event.path) return false;
    if (event.at - last.at >= DROPS_TOGETHER_MS) return false;
    last.times += 1;
    return true;
  }

  #blame(about: string, n: number): void {
    this.#causes.delete(about);
    this.#causes.set(about, n);
    if (this.#causes.size <= CAUSES_KEPT) return;
    for (const oldest of this.#causes.keys()) {
      this.#causes.delete(oldest);
      return;
    }
  }

  /** Lets go of what was thrown. */
  #ripen(entry: Entry): void {
    const { event } = entry;
    if (event === undefined) return;
    const thrown = thrownIn(event);
    let stack = false;
    if (thrown instanceof Error) {
      const key = keyOf(entry.path, thrown);
      stack = !this.#stacks.has(key);
      if (stack && this.#stacks.size >= STACKS_KEPT) this.#stacks.clear();
      if (stack) this.#stacks.add(key);
    }
    entry.data = dataOf(event, stack);
    entry.event = undefined;
  }
}

const keyOf = (path: string, thrown: Error): string => {
  try {
    return `${path} ${thrown.name} ${thrown.message}`;
  } catch {
    return path;
  }
};

/** A getter of a user's error may throw; then it has nothing to show. */
const dataOf = (event: TroupeEvent, stack: boolean): Readonly<Record<string, Json>> => {
  try {
    return plainData(event, { stack });
  } catch {
    return { unreadable: true };
  }
};

const factOf = ({ n, at, type, path, cause, event, data: kept, times }: Entry): Fact => {
  const known = kept ?? (event === undefined ? {} : dataOf(event, true));
  const data = times === 1 ? known : { ...known, times };
  return {
    n,
    at,
    type,
    path,
    weight: weightOf(type),
    text: lineOf(type, data),
    data,
    ...(cause === undefined ? {} : { cause }),
  };
};

/** One place of a tree, as a recording keeps it. */
export interface RecordedNode {
  readonly path: string;
  readonly id: string;
  readonly kind: string;
  readonly status: string;
  readonly incarnation?: number;
  readonly restart?: string;
  readonly state?: unknown;
  readonly facts: Readonly<Record<string, string | number | boolean>>;
  readonly mailbox: number;
  readonly children: readonly RecordedNode[];
}

/** What a flight recorder's file holds. `troupeRecording` is the version of its form. */
export interface FlightRecording {
  readonly troupeRecording: 1;
  readonly node: string;
  readonly name: string;
  readonly pid: number | undefined;
  readonly why: 'gave_up' | 'forced_exit' | 'asked';
  readonly startedAt: number;
  readonly writtenAt: number;
  readonly facts: readonly Fact[];
  readonly forgotten: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly tree: readonly RecordedNode[];
}

/** What is recorded of a system, as data that can be written. */
export const recordingOf = (
  system: {
    readonly recorder: FlightRecorder;
    readonly startedAt: number;
    readonly counters: object;
    readonly host: { wall(): number };
    tree(): readonly RecordedNode[];
  },
  {
    tree,
    ...about
  }: Pick<FlightRecording, 'name' | 'node' | 'pid' | 'why'> & {
    /** The tree of another moment; default: as it is now. */
    readonly tree?: FlightRecording['tree'] | undefined;
  },
): FlightRecording => ({
  troupeRecording: 1,
  ...about,
  startedAt: system.startedAt,
  writtenAt: system.host.wall(),
  facts: system.recorder.facts(),
  forgotten: system.recorder.forgotten,
  counters: { ...system.counters } as Readonly<Record<string, number>>,
  tree: tree ?? system.tree(),
});
