/**
 * The vocabulary of facts: every event that troupe emits, typed, past tense, with its data. The same stream feeds logs,
 * metrics, the explorer and the conformance traces.
 *
 * Invariant: no listener, no cost. Emitters guard with `events.active` before they build an event. A listener that
 * throws is removed and counted, and never reaches the emitter. Payloads of messages are never in an event.
 */

/** Event type → data. `path` is always the place it is about; times are ms. `reason` is an ExitReason. */
export interface EventMap {
  'host.stalled': { lateMs: number };
  'actor.started': { path: string; incarnation: number; kind: string };
  'actor.ended': {
    path: string;
    incarnation: number;
    kind: string;
    reason: unknown;
    lastMessage: string | undefined;
  };
  'actor.start_failed': { path: string; incarnation: number; kind: string; reason: unknown };
  'actor.straggled': { path: string; incarnation: number };
  'actor.fenced': { path: string; incarnation: number; what: string };
  'actor.threw': { path: string; error: unknown };
  'mail.dropped': { path: string; message: string; why: string };
  'mail.dead_lettered': { path: string; message: string; from: string | undefined };
  'supervisor.child.started': { path: string; child: string };
  'supervisor.child.ended': { path: string; child: string; reason: unknown };
  'supervisor.child.start_failed': { path: string; child: string; reason: unknown };
  'supervisor.child.shutdown_failed': { path: string; child: string; reason: unknown };
  'supervisor.child.restarted': {
    path: string;
    child: string;
    restarts: number;
    used: number;
    intensity: number;
    periodMs: number;
  };
  'supervisor.child.backing_off': { path: string; child: string; delayMs: number; failures: number };
  /** Not started while a breaker it depends on, or one of its group does, is not closed: `breakers` are those. */
  'supervisor.child.held': { path: string; child: string; breakers: readonly string[]; maxMs: number };
  /** Follows each `held`, once. `cancelled`: it was terminated, or its supervisor stops or has ended. */
  'supervisor.child.released': {
    path: string;
    child: string;
    why: 'half_opened' | 'closed' | 'breaker_ended' | 'expired' | 'cancelled';
    heldMs: number;
  };
  'supervisor.gave_up': { path: string; child: string; restarts: number; periodMs: number; last: unknown };
  'supervisor.child.parked': {
    path: string;
    child: string;
    restarts: number;
    periodMs: number;
    last: unknown;
  };
  'supervisor.auto_shutdown': { path: string; child: string; reason: unknown };
  'breaker.opened': { path: string; retryAtMs: number; openMs: number; failures: number; cause: unknown };
  'breaker.half_opened': { path: string; permits: number };
  'breaker.closed': { path: string };
  'breaker.isolated': { path: string };
  'breaker.disabled': { path: string };
  'breaker.observed': { path: string };
  'breaker.would_have_opened': { path: string; failures: number; cause: unknown };
  'breaker.rejected': { path: string; state: string };
  'breaker.checked': { path: string; healthy: boolean; error: unknown };
  /** A function among a policy's options threw, or gave what it must not, and was overruled. */
  'policy.option_failed': { path: string; option: string; error: unknown };
  'policy.misordered': { path: string; outer: string; inner: string; why: string };
  'limit.exhausted': { path: string; limit: string; used: number; allowed: number; periodMs: number };
  'timeout.passed': { path: string; timeoutMs: number };
  'fallback.used': { path: string; error: unknown };
  'hedge.started': { path: string; attempt: number; delayMs: number };
  'concurrency.limit_changed': { path: string; from: number; to: number };
  'chaos.injected': { path: string; what: string };
  'retry.scheduled': { path: string; attempt: number; delayMs: number; error: unknown };
  'retry.exhausted': { path: string; attempts: number; why: string; error: unknown };
  'pool.worker.started': { path: string; worker: string; pid: number | undefined; startMs: number };
  'pool.worker.transitioned': {
    path: string;
    worker: string;
    from: string;
    to: string;
    reason: string;
    inStateMs: number;
    /** What was known beside the reason. */
    metadata?: Readonly<Record<string, string | number | boolean | null>>;
  };
  'pool.worker.ended': {
    path: string;
    worker: string;
    pid: number | undefined;
    how: string;
    /** How it broke the protocol, or why it could not be run. */
    cause?: unknown;
    lastStderr: readonly string[];
  };
  'pool.worker.stderr': { path: string; worker: string; pid: number | undefined; line: string };
  'pool.job.started': { path: string; worker: string; job: string; waitMs: number };
  'pool.job.settled': {
    path: string;
    worker: string | undefined;
    job: string;
    outcome: string;
    runMs: number;
  };
  'pool.job.retried': { path: string; job: string; attempt: number; cause: unknown };
  'pool.reply.dropped': { path: string; worker: string; why: string };
  'pool.degraded': { path: string; crashes: number; retryAfterMs: number; lastCrash: string };
  'pool.restored': { path: string };
  'pool.paused': { path: string };
  'pool.resumed': { path: string };
  'pool.grown': { path: string; workers: number; waiting: number };
  'pool.shrunk': { path: string; workers: number; worker: string };
  'pool.resized': { path: string; min: number; max: number };
  'pool.saturated': { path: string; waiting: number; limit: number };
  'pool.relieved': { path: string; waiting: number; limit: number };
  'pool.job.shed': { path: string; waitedMs: number; waiting: number };
  'pool.session.rebound': { path: string; session: string; from: string; to: string };
  'pool.session.forgotten': { path: string; session: string; worker: string; why: string };
  'pool.lease.leaked': {
    path: string;
    worker: string;
    heldMs: number;
    /** Who took it, where he said so or is an actor. */
    holder: string | undefined;
    /** Where it was taken. */
    stack: string | undefined;
  };
  'pool.lease.revoked': { path: string; worker: string; heldMs: number };
  'pool.place.tainted': { path: string; worker: string; how: string; taintMs: number };
  'pool.replacement.began': { path: string; workers: number };
  'pool.replacement.ended': { path: string; replaced: number; error?: unknown };
  'task.started': { path: string; task: string; kind: string };
  'task.settled': {
    path: string;
    task: string;
    kind: string;
    outcome: string;
    runMs: number;
    error: unknown;
  };
  'task.straggler_ended': { path: string; task: string; runMs: number };
  'scope.closed': { path: string; stragglers: readonly string[]; durationMs: number };
  /** Something outlived the owner that made it; told once. */
  'leak.found': {
    path: string;
    kind: string;
    name: string;
    owner: string;
    ageMs: number;
    origin: string | undefined;
  };
  'leak.threshold_passed': { path: string; what: string; value: number; limit: number };
  'leak.threshold_cleared': { path: string; what: string; value: number; limit: number };
  'operation.ended': { path: string; outcome: string; runMs: number; error: unknown };
  /** Its first line that could not be written; told once for its output, once for its file. */
  'operation.log_failed': { path: string; what: string; why: string };
  'bus.event.dropped': { path: string; topic: string; subscription: string; why: string };
  'bus.handler.failed': { path: string; topic: string; subscription: string; error: unknown };
  'bus.handler.overdue': { path: string; topic: string; subscription: string; timeoutMs: number };
  'bus.subscription.ended': { path: string; subscription: string; why: string };
  'bus.closed': { path: string; dropped: number; hanging: readonly string[] };
  'outbox.dead_lettered': { path: string; topic: string; letter: number; attempts: number; error: unknown };
  'outbox.replayed': { path: string; delivered: number; left: number };
  'connection.opened': { path: string; kind: string };
  'connection.closed': {
    path: string;
    kind: string;
    why: string;
    error: unknown;
    /** The client was cut off before it had taken all. */
    cut: boolean;
    sent: number;
    dropped: number;
    openMs: number;
  };
  /** Told when the first frame is dropped that the client has not been told of. */
  'connection.overflowed': { path: string; waiting: number };
  'connection.clean_up_failed': { path: string; error: unknown };
  'connection.clean_up_overdue': { path: string; timeoutMs: number };
  'connection.refused': { path: string; why: string };
  'connections.drained': {
    path: string;
    finished: number;
    cut: readonly string[];
    overdue: readonly string[];
    durationMs: number;
  };
  'health.check_changed': {
    path: string;
    check: string;
    from: string;
    to: string;
    reading: number | undefined;
    error: string | undefined;
  };
  'lock.granted': {
    path: string;
    key: string;
    owner: string;
    token: number;
    mode: string;
    waitMs: number;
  };
  'lock.released': { path: string; key: string; owner: string; token: number; heldMs: number };
  'lock.refused': { path: string; key: string; owner: string; why: string };
  'lock.lost': { path: string; key: string; owner: string; token: number; why: string };
  'lock.release_failed': { path: string; key: string; owner: string; token: number; error: unknown };
  'lock.release_ignored': { path: string; key: string; owner: string; token: number; why: string };
  'session.transitioned': { path: string; from: string; to: string; reason: string; inStateMs: number };
  'session.started': { path: string; language: string; pid: number | undefined; startMs: number };
  'session.ended': {
    path: string;
    pid: number | undefined;
    how: string;
    lastStderr: readonly string[];
    cause?: unknown;
  };
  'session.stderr': { path: string; pid: number | undefined; line: string };
  'session.reply.dropped': { path: string; why: string };
  'session.execution.started': { path: string; execution: string; waitMs: number };
  'session.execution.settled': {
    path: string;
    execution: string;
    outcome: 'succeeded' | 'failed';
    durationMs: number;
    error?: unknown;
  };
  'session.execution.stopping': { path: string; execution: string; why: string };
  'session.execution.interrupted': { path: string; execution: string; why: string };
  /** Told once an execution. */
  'session.output.throttled': { path: string; execution: string; linesPerSecond: number };
  'session.capability.checked': {
    path: string;
    execution: string;
    capability: string;
    action: string;
    allowed: boolean;
  };
  'session.checkpoint.taken': { path: string; kept: number; lost: number; bytes: number };
  'session.checkpoint.failed': { path: string; error: unknown };
  'session.restored': { path: string; restored: number; lost: number };
  'recovery.started': {
    path: string;
    recovery: string;
    subject: string;
    category: string;
    severity: string;
    remedy: string;
  };
  'recovery.step_done': { path: string; recovery: string; subject: string; step: string; outcome: string };
  'recovery.ended': {
    path: string;
    recovery: string;
    subject: string;
    outcome: 'recovered' | 'gave_up' | 'cancelled';
    durationMs: number;
  };
  'recovery.coalesced': { path: string; recovery: string; subject: string };
  'recovery.refused': { path: string; subject: string; why: string };
  /** `leftMs`: to the deadline by which all must have ended; absent while nothing ends. */
  'app.phase_entered': { path: string; phase: string; leftMs?: number };
  'app.resource.opened': { path: string; resource: string; durationMs: number };
  'app.resource.closed': { path: string; resource: string; durationMs: number };
  'app.resource.drain_failed': { path: string; resource: string; outcome: 'late' | 'threw' };
  'app.signalled': { path: string; signal: string };
  'app.stray_error': { path: string; owner: string | undefined; error: unknown };
  /** Told only while somebody listens for this very type: a step of one of troupe's own charts. */
  'chart.stepped': { path: string; state: string | object; event: string };
  'explorer.listening': { path: string; address: string; commands: boolean };
  'explorer.refused': { path: string; code: string; status: number; from: string };
  'explorer.commanded': { path: string; audit: number; command: string; target: string; from: string };
  'explorer.command_ended': { path: string; audit: number; command: string; target: string; outcome: string };
  'app.stopped': { path: string; reason: unknown; survivors: readonly string[]; durationMs: number };
}

export type EventType = keyof EventMap;

/** One fact: its type, when (wall clock, ms), and its data. */
export type TroupeEvent = {
  [T in EventType]: { readonly type: T; readonly at: number } & Readonly<EventMap[T]>;
}[EventType];

export type EventListener = (event: TroupeEvent) => void;

/** Keeps the facts of a few types, whether or not anyone listens. */
export interface FactRecorder {
  readonly types: ReadonlySet<EventType>;
  note(event: TroupeEvent): void;
}

/** Where facts go. One a system; standalone policies have one of their own. */
export class EventStream {
  /** `true` while anyone listens: check it before building an event on a hot path. */
  active = false;
  /** `true` also while nobody listens but lifecycle facts are recorded: check it before building one of those. */
  lifecycle = false;
  /** Listeners removed because they threw. */
  brokenListeners = 0;
  readonly #listeners = new Set<EventListener>();
  /** Listeners of one type: others cost an event of another type nothing but a look-up. */
  readonly #byType = new Map<EventType, Set<EventListener>>();
  readonly #wall: () => number;
  #recorder: FactRecorder | undefined;

  constructor(wall: () => number) {
    this.#wall = wall;
  }

  /** Listens to all events; returns the function that stops it. */
  listen(listener: EventListener): () => void {
    return this.#add(this.#listeners, listener);
  }

  /** Listens to one type of event. Within one event, those who listen to all come first. */
  on<T extends EventType>(type: T, listener: (event: Extract<TroupeEvent, { type: T }>) => void): () => void {
    let listeners = this.#byType.get(type);
    if (listeners === undefined) {
      listeners = new Set();
      this.#byType.set(type, listeners);
    }
    // A function of its own, so that the same listener may be given twice.
    return this.#add(listeners, (event) => listener(event as Extract<TroupeEvent, { type: T }>));
  }

  /** Whether somebody listens for this very type. */
  hears(type: EventType): boolean {
    return (this.#byType.get(type)?.size ?? 0) > 0;
  }

  /** Keeps facts from now on, before any listener hears them; one recorder a stream. It must not throw. */
  record(recorder: FactRecorder): void {
    this.#recorder = recorder;
    this.lifecycle = true;
  }

  emit<T extends EventType>(type: T, data: EventMap[T]): void {
    if (!this.lifecycle) return;
    const typed = this.#byType.get(type);
    const recorder = this.#recorder?.types.has(type) === true ? this.#recorder : undefined;
    if (this.#listeners.size === 0 && (typed === undefined || typed.size === 0) && recorder === undefined)
      return;
    const event = Object.freeze({ type, at: this.#wall(), ...data }) as unknown as TroupeEvent;
    recorder?.note(event);
    this.#tell(this.#listeners, event);
    if (typed !== undefined) this.#tell(typed, event);
  }

  #add(listeners: Set<EventListener>, listener: EventListener): () => void {
    listeners.add(listener);
    this.active = true;
    this.lifecycle = true;
    return () => this.#remove(listeners, listener);
  }

  #remove(listeners: Set<EventListener>, listener: EventListener): void {
    listeners.delete(listener);
    this.active = this.#listeners.size > 0 || [...this.#byType.values()].some(({ size }) => size > 0);
    this.lifecycle = this.active || this.#recorder !== undefined;
  }

  #tell(listeners: Set<EventListener>, event: TroupeEvent): void {
    for (const listener of [...listeners]) {
      try {
        listener(event);
      } catch {
        this.#remove(listeners, listener);
        this.brokenListeners += 1;
      }
    }
  }
}
