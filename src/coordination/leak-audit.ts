/**
 * The leak audit: names what outlives the scope it was made in, counts what grows, and says when that is too much.
 *
 * Invariant: it looks and tells; it cancels nothing, since what it can reach is what is rightly owned, and what leaks is what
 * nobody can reach. Each leak is told once, each threshold once each time it is passed.
 */
import { createError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import { fits, flag, fn, integer, ms, object, resolveOptions, text } from '../base/options.ts';
import { realHost } from '../base/real-host.ts';
import { EventStream } from '../base/telemetry.ts';
import { type Counted, type TaskCensus, takeCensus } from './task-census.ts';
import { type LiveResource, WatchedHost } from './watched-host.ts';

/** Beyond these somebody is told. */
export interface LeakThresholds {
  /** Of V8's heap, in use. Default `Infinity`. */
  readonly heapBytes?: number;
  /** Of the process, resident. Default `Infinity`. */
  readonly rssBytes?: number;
  /** Tasks whose work runs. Default `Infinity`. */
  readonly tasks?: number;
}

export interface LeakAuditOptions {
  /** Names it in events, and to recovery. Default `'leaks'`. */
  readonly name?: string;
  /** What its host stands on. Default: the real one. */
  readonly host?: Host;
  /** How often it looks, ms. Default 60,000. */
  readonly everyMs?: number;
  readonly thresholds?: LeakThresholds;
  /** Every n-th timer is remembered; processes, threads and sockets all are. Default 100. */
  readonly timerSample?: number;
  /** Whether to note where things are made: 4 µs each. Default `true`. */
  readonly origins?: boolean;
  /** Called when a threshold is passed, with ERR_LEAK_THRESHOLD. Must not throw. */
  readonly onAlarm?: (error: Error) => void;
}

/** Something that outlived its owner. */
export interface Leak extends LiveResource {
  /** Whose it was. */
  readonly owner: string;
}

export interface LeakReport {
  readonly heapBytes: number;
  readonly rssBytes: number;
  /** Tasks whose work runs, of all scopes made with the audit's host. */
  readonly tasks: number;
  readonly scopes: number;
  /** What lives and was remembered, by kind and name, the most frequent first. */
  readonly resources: readonly { readonly kind: string; readonly name: string; readonly count: number }[];
  readonly leaks: readonly Leak[];
  /** Thresholds that are passed. */
  readonly passed: readonly string[];
}

/** What may own things: a scope, an actor's context. */
export interface LeakOwner {
  onEnd(release: () => void): unknown;
}

export interface LeakAudit {
  readonly name: string;
  readonly events: EventStream;
  /** Make systems and scopes with it: their tasks are counted, and what they make is remembered. */
  readonly host: Host;
  /** A host for what one owner makes: what of it still lives once the owner has ended is a leak. */
  within(owner: LeakOwner, name: string): Host;
  /** Also tells there; returns what ends that. A system's events are what recovery hears. */
  tell(events: EventStream): () => void;
  /** Looks now. */
  look(): LeakReport;
  /** Ends the looking; what is remembered is forgotten. Safe to repeat. */
  dispose(): void;
  [Symbol.dispose](): void;
}

export const LEAK_AUDIT_DEFAULTS = Object.freeze({
  name: 'leaks',
  everyMs: 60_000,
  timerSample: 100,
  origins: true,
});

export const LEAK_THRESHOLDS = Object.freeze({
  heapBytes: Number.POSITIVE_INFINITY,
  rssBytes: Number.POSITIVE_INFINITY,
  tasks: Number.POSITIVE_INFINITY,
});

/** A threshold that was passed counts as such until the value is below this share of it. */
const CLEARED_SHARE = 0.9;
/** Names of resources that a report lists. */
const MOST_NAMES = 20;

const limit = fits<number>(
  'a number above 0, or Infinity',
  (value) => typeof value === 'number' && value > 0,
);
const THRESHOLD_FIELDS = { heapBytes: limit, rssBytes: limit, tasks: limit };

const FIELDS = {
  name: text,
  host: object<Host>('a Host'),
  everyMs: ms(1),
  thresholds: object<LeakThresholds>('limits'),
  timerSample: integer(1),
  origins: flag,
  onAlarm: fn<(error: Error) => void>(),
} as const;

const UNREF = Object.freeze({ unref: true });

interface Owned {
  readonly name: string;
  readonly host: WatchedHost;
  readonly census: TaskCensus;
  ended: boolean;
}

type Measure = keyof typeof LEAK_THRESHOLDS;
const MEASURES: readonly Measure[] = ['heapBytes', 'rssBytes', 'tasks'];

class Audit implements LeakAudit {
  readonly name: string;
  readonly events: EventStream;
  readonly host: WatchedHost;
  readonly #base: Host;
  readonly #everyMs: number;
  readonly #watching: { readonly timerSample: number; readonly origins: boolean };
  readonly #thresholds: Readonly<Record<Measure, number>>;
  readonly #onAlarm: ((error: Error) => void) | undefined;
  readonly #census: TaskCensus;
  readonly #owned = new Set<Owned>();
  readonly #streams = new Set<EventStream>();
  readonly #passed = new Set<Measure>();
  /** Closed scopes whose tasks were told. */
  readonly #told = new WeakSet<Counted>();
  #timer: Timer | undefined;

  constructor(options: LeakAuditOptions) {
    const where = 'createLeakAudit';
    const resolved = resolveOptions(where, options, FIELDS, LEAK_AUDIT_DEFAULTS);
    const { host = realHost(), name, everyMs, timerSample, origins } = resolved;
    this.name = name;
    this.#base = host;
    this.#everyMs = everyMs;
    this.#watching = { timerSample, origins };
    this.#thresholds = resolveOptions(
      `${where}.thresholds`,
      resolved.thresholds,
      THRESHOLD_FIELDS,
      LEAK_THRESHOLDS,
    );
    this.#onAlarm = resolved.onAlarm;
    this.events = new EventStream(() => host.wall());
    this.#streams.add(this.events);
    this.host = new WatchedHost(host, this.#watching);
    this.#census = takeCensus(this.host);
    this.#arm();
  }

  within(owner: LeakOwner, name: string): Host {
    const host = new WatchedHost(this.host, { ...this.#watching, timerSample: 1 });
    const owned: Owned = { name, host, census: takeCensus(host), ended: false };
    this.#owned.add(owned);
    owner.onEnd(() => {
      owned.ended = true;
      // What its end ends in the same turn is no leak.
      this.#base.yield(`${this.name} look`, () => this.#tellLeaks());
    });
    return owned.host;
  }

  tell(events: EventStream): () => void {
    this.#streams.add(events);
    return () => void this.#streams.delete(events);
  }

  look(): LeakReport {
    const leaks = this.#tellLeaks();
    const { heapUsedBytes, residentBytes } = this.#base.vitals.memory();
    let tasks = 0;
    let scopes = 0;
    for (const census of this.#allCensuses()) {
      tasks += census.running;
      scopes += census.scopes;
    }
    const measures = { heapBytes: heapUsedBytes, rssBytes: residentBytes, tasks };
    for (const what of MEASURES) this.#judge(what, measures[what]);
    return Object.freeze({
      ...measures,
      scopes,
      resources: tally(this.host.live()),
      leaks,
      passed: [...this.#passed],
    });
  }

  dispose(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#owned.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #arm(): void {
    this.#timer = this.#base.timer(
      this.#everyMs,
      `${this.name} audit`,
      () => {
        this.#arm();
        this.look();
      },
      UNREF,
    );
  }

  /** Tells what is new of what outlived its owner, and gives all of it. */
  #tellLeaks(): readonly Leak[] {
    const ended = [...this.#owned].filter((owned) => owned.ended);
    for (const { name: owner, host } of ended)
      for (const live of host.news()) this.#tellLeak({ ...live, owner });
    const overrun = this.#allCensuses().flatMap((census) => census.overrun());
    for (const scope of overrun) this.#tellTasks(scope);
    const leaks = [
      ...ended.flatMap(({ name: owner, host }) => host.live().map((live) => ({ ...live, owner }))),
      ...overrun.flatMap(leaksOf),
    ];
    this.#forget();
    return leaks;
  }

  /** A scope that has closed starts nothing: whoever runs in it is one that was told, or all are new. */
  #tellTasks(scope: Counted): void {
    if (this.#told.has(scope)) return;
    this.#told.add(scope);
    for (const leak of leaksOf(scope)) this.#tellLeak(leak);
  }

  #tellLeak({ kind, name, owner, ageMs, origin }: Leak): void {
    this.#emit((events) => events.emit('leak.found', { path: this.name, kind, name, owner, ageMs, origin }));
  }

  #allCensuses(): readonly TaskCensus[] {
    return [this.#census, ...Array.from(this.#owned, ({ census }) => census)];
  }

  #judge(what: Measure, value: number): void {
    const allowed = this.#thresholds[what];
    if (this.#passed.has(what)) {
      if (value >= allowed * CLEARED_SHARE) return;
      this.#passed.delete(what);
      this.#emit((events) =>
        events.emit('leak.threshold_cleared', { path: this.name, what, value, limit: allowed }),
      );
    } else if (value > allowed) {
      this.#passed.add(what);
      this.#emit((events) =>
        events.emit('leak.threshold_passed', { path: this.name, what, value, limit: allowed }),
      );
      this.#onAlarm?.(createError('ERR_LEAK_THRESHOLD', { where: this.name, what, value, limit: allowed }));
    }
  }

  #emit(tell: (events: EventStream) => void): void {
    for (const events of this.#streams) tell(events);
  }

  /** An owner that has ended is remembered while anything that it made lives. */
  #forget(): void {
    for (const owned of this.#owned)
      if (owned.ended && owned.host.live().length === 0 && owned.census.scopes === 0)
        this.#owned.delete(owned);
  }
}

const leaksOf = (scope: Counted): readonly Leak[] =>
  scope.tasks().map(({ name, runningMs: ageMs, origin }) => ({
    kind: 'task',
    name,
    ageMs,
    origin,
    owner: scope.name,
  }));

const tally = (live: readonly LiveResource[]): LeakReport['resources'] => {
  const counts = new Map<string, { readonly kind: string; readonly name: string; count: number }>();
  for (const { kind, name } of live) {
    const key = `${kind} ${name}`;
    const found = counts.get(key);
    if (found === undefined) counts.set(key, { kind, name, count: 1 });
    else found.count += 1;
  }
  return [...counts.values()].sort((a, b) => b.count - a.count).slice(0, MOST_NAMES);
};

/**
 * An audit that looks every minute: `const audit = createLeakAudit({ thresholds: { rssBytes: 512 * 2 ** 20, tasks: 1_000 } })`, then
 * `createSystem({ host: audit.host })`.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const createLeakAudit = (options: LeakAuditOptions = {}): LeakAudit => new Audit(options);
