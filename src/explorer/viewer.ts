/**
 * One viewer's stream: what it watches, made into frames as fast as it takes them and no faster.
 *
 * Invariant: a frame is made only while the connection can take it, so a stalled reader costs one frame, and the definitions that it
 * needs; standings are sent when they differ from what was sent last, journals from a cursor into their rings, and what the rings
 * have forgotten meanwhile is counted and told. It ends once, and then holds no timer and watches nothing: that, stalls and signs of
 * life are its connection's (`src/coordination/connection.ts`).
 */
import type { Host, Timer } from '../base/host.ts';
import { ClientConnection } from '../coordination/connection.ts';
import { resolveConnection } from '../coordination/connection-options.ts';
import {
  DEFAULT_WATCH,
  type Frame,
  type FrameType,
  type Hello,
  type JournalQuery,
  LIMITS,
  type Watch,
} from './protocol.ts';
import { type Sink, SinkLine } from './sink-line.ts';
import type { Journal, Source } from './source.ts';

export interface ViewerOptions {
  readonly host: Host;
  readonly source: Source;
  readonly sink: Sink;
  readonly hello: () => Hello;
  /** How many viewers there are, for the metrics. */
  readonly viewers: () => number;
  readonly refreshMs: number;
  /** `Infinity`: a stalled reader is kept. */
  readonly stallMs: number;
  /** Where the journals go on; absent: facts from the ring's beginning, the others from now. */
  readonly from: { readonly facts?: number; readonly messages?: number; readonly steps?: number };
  readonly ended: () => void;
}

type JournalName = 'facts' | 'messages' | 'steps';

const METRICS_EVERY_MS = 1_000;
/** Definitions that wait before a frame which names them. A reader with more is cut off, and begins anew: it may miss none. */
const WAITING = Object.freeze({ capacity: 10_000, maxBytes: 16_777_216, overflow: 'disconnect' as const });
/** A refresh takes at most this part of the loop: after a costly one the next comes later. */
const COST_FACTOR = 10;

type Body<T extends FrameType> = Extract<Frame, { readonly type: T }>['body'];

const isBelow = (path: string, below: string): boolean =>
  below === '' || path === below || path.startsWith(`${below}/`);

export class Viewer {
  readonly #options: ViewerOptions;
  readonly #connection: ClientConnection;
  readonly #sent = new Map<string, string>();
  readonly #definitions = new Set<string>();
  readonly #cursors: Record<JournalName, number>;
  #watch: Watch = DEFAULT_WATCH;
  #seq = 0;
  #missed = 0;
  #metricsAt = Number.NEGATIVE_INFINITY;
  #line!: SinkLine;
  #timer: Timer | undefined = undefined;
  /** What is still to be looked at in this round: a reader that is full in its midst is given the rest, not the beginning again. */
  #due: (() => boolean)[] = [];
  #roundBegan = 0;
  /** Whether the rings' moving on is the reader's doing. */
  #wasBlocked = false;

  constructor(options: ViewerOptions) {
    this.#options = options;
    const { source, from } = options;
    this.#connection = this.#connect();
    this.#cursors = {
      facts: from.facts ?? source.facts.forgotten,
      messages: from.messages ?? source.messages.next,
      steps: from.steps ?? source.steps.next,
    };
    this.#frame('hello', options.hello());
    this.#refresh();
  }

  get watch(): Watch {
    return this.#watch;
  }

  get isOver(): boolean {
    return !this.#connection.isOpen;
  }

  /** Replaces the parts of what is watched that are given. What is shown anew is shown at once. */
  change(watch: Watch): Watch {
    const before = this.#watch.actors ?? [];
    this.#watch = { ...this.#watch, ...watch };
    const after = this.#watch.actors ?? [];
    const { source } = this.#options;
    for (const path of before) if (!after.includes(path)) this.#unwatch(path);
    for (const path of after) if (!before.includes(path)) source.watchActor(path, true);
    if (watch.tree !== undefined) this.#sent.delete('tree');
    this.#timer?.cancel();
    this.#refresh();
    return this.#watch;
  }

  #unwatch(path: string): void {
    this.#options.source.watchActor(path, false);
    this.#sent.delete(`actor ${path}`);
  }

  /** The sink takes bytes again. */
  drained(): void {
    this.#line.drained();
  }

  /** Says why, as far as that can still be said, and ends. */
  end(why: string): void {
    if (this.isOver) return;
    if (this.#connection.writable) this.#frame('bye', { why });
    // Whoever takes no more now is not waited for.
    if (this.#connection.writable) void this.#connection.close();
    else void this.#connection.cut();
  }

  #connect(): ClientConnection {
    const { host, source, sink, stallMs, ended } = this.#options;
    const options = {
      ...WAITING,
      host,
      heartbeatMs: LIMITS.heartbeatMs,
      stallMs,
      onWritable: () => this.#goOn(),
    };
    const connection = new ClientConnection({
      kind: 'explorer',
      where: 'explorer',
      options: resolveConnection('explorer', options),
      line: (listener) => {
        this.#line = new SinkLine(sink, listener);
        return this.#line;
      },
    });
    connection.onEnd(() => this.#timer?.cancel());
    connection.onEnd(() => {
      for (const path of this.#watch.actors ?? []) source.watchActor(path, false);
    });
    connection.onEnd(source.open());
    connection.onEnd(ended);
    connection.begin();
    return connection;
  }

  // ── frames ────────────────────────────────────────────────────────────────────────────────

  #frame<T extends FrameType>(type: T, body: Body<T>): void {
    this.#frameOf(type, JSON.stringify(body));
  }

  #frameOf(type: FrameType, body: string): void {
    const seq = this.#seq;
    this.#seq += 1;
    const text = `id: ${seq}\nevent: ${type}\ndata: {"type":"${type}","seq":${seq},"body":${body}}\n\n`;
    this.#connection.offer({ head: '', body: text, bytes: Buffer.byteLength(text) });
    if (!this.#connection.writable) this.#wasBlocked = true;
  }

  /** Sends a standing unless it is what was sent last. `false`: the sink was full before it could. */
  #standing<T extends FrameType>(type: T, make: () => Body<T>, key: string = type): boolean {
    const made = make();
    this.#define(made);
    const body = JSON.stringify(made);
    if (this.#sent.get(key) === body) return true;
    if (!this.#connection.writable) return false;
    this.#sent.set(key, body);
    this.#frameOf(type, body);
    return true;
  }

  /** Sends the definitions of the machines that something names, before it. */
  #define(shown: unknown): void {
    for (const machine of machinesIn(shown)) {
      if (this.#definitions.has(machine)) continue;
      const definition = this.#options.source.definition(machine);
      if (definition === undefined) continue;
      this.#definitions.add(machine);
      this.#frame('definition', definition);
    }
  }

  // ── refreshing ────────────────────────────────────────────────────────────────────────────

  /** Begins a round: everything that is watched is looked at once. */
  #refresh(): void {
    if (this.isOver) return;
    this.#roundBegan = this.#options.host.monotonic();
    this.#due = [
      () => this.#gap(),
      () => this.#journals(),
      ...this.#standings(),
      () => this.#metrics(this.#roundBegan),
    ];
    this.#goOn();
  }

  /** Goes on with the round as far as the reader takes it; the next one begins when it is through. */
  #goOn(): void {
    const { host, refreshMs } = this.#options;
    const began = host.monotonic();
    while (this.#due.length > 0) {
      if (!this.#connection.writable) return;
      if (this.#due[0]?.() === true) this.#due.shift();
    }
    if (this.isOver) return;
    const cost = host.monotonic() - began;
    const delay = Math.max(refreshMs, cost * COST_FACTOR);
    this.#timer?.cancel();
    this.#timer = host.timer(delay, 'explorer refresh', () => this.#refresh(), { unref: true });
  }

  #standings(): (() => boolean)[] {
    const { source } = this.#options;
    const { tree, actors = [], supervision, breakers, pools, recoveries, application } = this.#watch;
    const due: (() => boolean)[] = [];
    if (tree !== undefined && tree !== false) due.push(() => this.#standing('tree', () => source.tree(tree)));
    for (const path of actors) {
      const make = () => {
        const detail = source.actor(path);
        return detail === undefined ? { path } : { path, detail };
      };
      due.push(() => this.#standing('actor', make, `actor ${path}`));
    }
    const add = <T extends FrameType>(wanted: boolean | undefined, type: T, make: () => Body<T>) => {
      if (wanted === true) due.push(() => this.#standing(type, make));
    };
    add(supervision, 'supervision', () => ({ supervisors: source.supervisors() }));
    add(breakers, 'breakers', () => ({ breakers: source.breakers() }));
    add(pools, 'pools', () => ({ pools: source.pools() }));
    add(recoveries, 'recoveries', () => ({ recoveries: source.recoveries() }));
    add(application, 'application', () => source.application());
    return due;
  }

  #metrics(now: number): boolean {
    if (this.#watch.metrics !== true || now - this.#metricsAt < METRICS_EVERY_MS) return true;
    this.#metricsAt = now;
    const explorer = { viewers: this.#options.viewers(), missedEntries: this.#missed, sampledOneIn: 1 };
    this.#frame('metrics', { ...this.#options.source.metrics(), explorer });
    return true;
  }

  /** What the rings no longer have of what this viewer has not had. */
  #gap(): boolean {
    const { source } = this.#options;
    const lost = { facts: 0, messages: 0, steps: 0 };
    for (const name of ['facts', 'messages', 'steps'] as const) {
      const { forgotten } = source[name];
      lost[name] = Math.max(0, forgotten - this.#cursors[name]);
      this.#cursors[name] = Math.max(this.#cursors[name], forgotten);
      if (!this.#wants(name)) lost[name] = 0;
    }
    const all = lost.facts + lost.messages + lost.steps;
    const why = this.#wasBlocked ? 'slow_reader' : 'forgotten';
    this.#wasBlocked = false;
    if (all === 0) return true;
    this.#missed += all;
    this.#frame('gap', { why, ...lost });
    return true;
  }

  #wants(name: JournalName): boolean {
    const wanted = this.#watch[name];
    return wanted !== undefined && wanted !== false;
  }

  /** `false`: the sink was full before all was said. */
  #journals(): boolean {
    const { source } = this.#options;
    const facts = this.#watch.facts;
    this.#journal('facts', source.facts, (fact) =>
      isWanted(facts, [fact.path, aboutOf(fact.data, fact.path)]),
    );
    const messages = this.#watch.messages;
    this.#journal('messages', source.messages, ({ from, to }) => isWanted(messages, [from?.path, to.path]));
    const actors = this.#watch.actors ?? [];
    const steps = this.#watch.steps;
    this.#journal('steps', source.steps, ({ path }) =>
      typeof steps === 'object' ? isBelow(path, steps.below) : actors.includes(path),
    );
    return (['facts', 'messages', 'steps'] as const).every(
      (name) =>
        this.#cursors[name] >= source[name].next || source[name].from(this.#cursors[name], 1).length === 0,
    );
  }

  #journal<T extends { readonly n: number }>(
    name: JournalName,
    journal: Journal<T>,
    isShown: (entry: T) => boolean,
  ): void {
    if (!this.#wants(name)) {
      this.#cursors[name] = journal.next;
      return;
    }
    while (this.#connection.writable && this.#cursors[name] < journal.next) {
      const entries = journal.from(this.#cursors[name], LIMITS.journalEntries);
      if (entries.length === 0) break;
      this.#cursors[name] = (entries.at(-1)?.n ?? 0) + 1;
      const shown = entries.filter(isShown);
      if (shown.length === 0) continue;
      this.#define(shown);
      this.#frameOf(name, JSON.stringify({ [name]: shown }));
    }
  }
}

const isWanted = (query: JournalQuery | false | undefined, paths: readonly (string | undefined)[]): boolean =>
  query !== undefined &&
  query !== false &&
  paths.some((path) => path !== undefined && isBelow(path, query.below));

/** A supervisor's fact is also about its child, a recovery's about its subject. */
const aboutOf = (data: Readonly<Record<string, unknown>>, path: string): string | undefined => {
  const { child, subject } = data;
  if (typeof subject === 'string') return subject;
  return typeof child === 'string' ? `${path}/${child}` : undefined;
};

/** Names of machines in what is shown: wherever a `machine` stands. */
const machinesIn = (shown: unknown): ReadonlySet<string> => {
  const found = new Set<string>();
  const look = (value: unknown, depth: number): void => {
    if (typeof value !== 'object' || value === null || depth > MACHINE_DEPTH) return;
    if (Array.isArray(value)) {
      for (const one of value) look(one, depth + 1);
      return;
    }
    for (const [key, one] of Object.entries(value)) {
      if (key === 'machine' && typeof one === 'string') found.add(one);
      // What the observed program holds names no machines of ours.
      else if (key !== 'context' && key !== 'changes' && key !== 'data') look(one, depth + 1);
    }
  };
  look(shown, 0);
  return found;
};

/** As deep as a view names a machine: a pool's chart's last step, in an actor's detail. */
const MACHINE_DEPTH = 6;
