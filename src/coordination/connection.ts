/**
 * One client's connection: what is sent to it, as fast as it takes that and no faster, and its end.
 *
 * Invariant: nothing is written to a line that is full, so that a client that stalls costs its queue and no more; every frame that
 * was offered was sent, or dropped and counted, or waits; however it ends (the client, its owner, the producer, a drain) the
 * line is let go of once and the clean-up begins once, and both are over within their times.
 *
 * What a frame looks like, and what kind of socket it goes to, is the line's business.
 */
import { type ConnectionEvent, connectionMachine } from '../../actors/connection.machine.ts';
import {
  type AbortListener,
  type AbortSource,
  LazyAbort,
  listenToAbort,
  unlistenToAbort,
} from '../base/abort.ts';
import { deadlineIn, NO_DEADLINE, remainingMs } from '../base/deadline.ts';
import { createError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import { fits, msOrInfinity, resolveOptions } from '../base/options.ts';
import { realHost } from '../base/real-host.ts';
import { EventStream } from '../base/telemetry.ts';
import { compileChart } from '../chart/compile.ts';
import { ChartRunner } from '../chart/runner.ts';
import { CleanUp, type CleanUpOutcome } from './clean-up.ts';
import type { ResolvedConnection } from './connection-options.ts';
import type { Frame } from './frame-queue.ts';
import type { Line, LineListener } from './line.ts';
import { LineWatch } from './line-watch.ts';
import { Outgoing, type Sent } from './outgoing.ts';

/**
 * Why a connection ended: the client left; it took nothing in time; its queue overflowed; it was closed here; a registry drained;
 * its signal aborted; its owner ended; its producer or its line failed.
 */
export type ConnectionEndWhy =
  | 'client_gone'
  | 'stalled'
  | 'overflowed'
  | 'closed'
  | 'drained'
  | 'aborted'
  | 'owner_ended'
  | 'failed';

export interface ConnectionEnd {
  readonly connection: string;
  readonly why: ConnectionEndWhy;
  readonly error: unknown;
}

export interface ConnectionReport {
  readonly connection: string;
  readonly kind: string;
  readonly state: 'open' | 'closing' | 'closed';
  readonly offered: number;
  /** Given to the line. */
  readonly sent: number;
  readonly dropped: number;
  readonly waiting: number;
  readonly waitingBytes: number;
  /** Written and not taken yet by the client. */
  readonly pendingBytes: number;
  readonly openMs: number;
}

/** How it all ended. */
export interface ConnectionClosed extends ConnectionEnd {
  /** `overdue`: its time passed and it still ran; `failed`: it threw. */
  readonly cleanUp: CleanUpOutcome;
  /** Whether the client was cut off before it had taken all. */
  readonly cut: boolean;
  readonly sent: number;
  readonly dropped: number;
  readonly openMs: number;
}

/** Options of an orderly end. */
export interface EndOptions {
  /** How long the client has to take what waits, ms; `drainMs` if sooner. */
  readonly timeoutMs?: number;
  /** When the client should come back, ms; it is told so. */
  readonly retryMs?: number;
}

export interface Connection {
  readonly name: string;
  readonly events: EventStream;
  /** Aborts when the end begins. */
  readonly signal: AbortSignal;
  /** Whether a frame sent now goes out at once. */
  readonly writable: boolean;
  readonly isOpen: boolean;
  /** Resolves when it is over, clean-up included; never rejects. */
  readonly closed: Promise<ConnectionClosed>;
  /** Ends it in order: what waits is written first, within `drainMs`. Once; all callers get the same. */
  close(options?: EndOptions): Promise<ConnectionClosed>;
  /** Ends it at once. */
  cut(error?: unknown): Promise<ConnectionClosed>;
  /** Calls `release` once, synchronously, when the client is gone: for what is held in its name. Returns what takes it back. */
  onEnd(release: () => void): () => void;
  report(): ConnectionReport;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ConnectionPlan {
  readonly kind: string;
  readonly where: string;
  readonly options: ResolvedConnection;
  readonly line: (listener: LineListener) => Line;
  /** Written before anything that is sent. */
  readonly backlog?: readonly Frame[];
  /** What tells the client that it missed some. */
  readonly gap?: (missed: number) => Frame;
}

const chart = /* @__PURE__ */ compileChart(connectionMachine);

const END_FIELDS = {
  timeoutMs: msOrInfinity(0),
  retryMs: fits<number>('milliseconds', (value) => Number.isFinite(value) && (value as number) >= 0),
} as const;

export class ClientConnection implements Connection, LineListener, AbortListener {
  readonly name: string;
  readonly where: string;
  readonly events: EventStream;
  readonly closed: Promise<ConnectionClosed>;
  readonly #plan: ConnectionPlan;
  readonly #host: Host;
  readonly #line: Line;
  readonly #watch: LineWatch;
  readonly #outgoing: Outgoing;
  readonly #cleanUp: CleanUp;
  readonly #life: ChartRunner<ConnectionEvent>;
  readonly #abort = new LazyAbort();
  readonly #openedAtMs: number;
  #conclusion!: (closed: ConnectionClosed) => void;
  #unhook: (() => void) | undefined;
  #end: ConnectionEnd | undefined;
  #isRefusing = false;
  #isFlushing = false;
  #isClosed = false;
  #isCut = false;
  #retryMs: number | undefined;
  #deadline = NO_DEADLINE;
  #step: Timer | undefined;

  constructor(plan: ConnectionPlan) {
    const { options, kind, backlog = [], gap } = plan;
    const { host = realHost() } = options;
    this.#plan = plan;
    this.#host = host;
    this.name = options.name ?? host.newId(kind);
    this.where = `${plan.where} ${this.name}`;
    this.events = options.events ?? new EventStream(() => host.wall());
    this.#openedAtMs = host.monotonic();
    this.closed = new Promise((resolve) => {
      this.#conclusion = resolve;
    });
    const line = plan.line(this);
    this.#line = line;
    this.#watch = new LineWatch({
      ...options,
      host,
      where: this.where,
      line,
      beat: () => this.#outgoing.beat(),
      stalled: () => void this.endNow('stalled'),
    });
    this.#outgoing = new Outgoing({
      ...options,
      line,
      backlog,
      gap,
      wrote: (takes) => this.#watch.wrote(takes),
      dropping: () => this.#tellDropping(),
    });
    this.#cleanUp = new CleanUp((error) =>
      this.events.emit('connection.clean_up_failed', { path: this.where, error }),
    );
    this.#life = this.#createLife();
    this.#life.start();
  }

  /** Begins to write, and to listen to who may end it. Once. */
  begin(): void {
    const { kind, options } = this.#plan;
    const { signal, owner } = options;
    this.events.emit('connection.opened', { path: this.where, kind });
    if (signal?.aborted === true) void this.endNow('aborted', signal.reason);
    else if (signal !== undefined) listenToAbort(signal, this);
    this.#follow(owner);
    if (this.#end !== undefined) return;
    this.#watch.begin();
    this.#outgoing.flush();
    // Whoever opened it has it by then.
    this.#host.step(`${this.where} writable`, () => this.#invite());
  }

  /** An owner that has ended says so at once, or throws. */
  #follow(owner: ResolvedConnection['owner']): void {
    if (this.#end !== undefined) return;
    try {
      this.#unhook = owner?.onEnd(() => void this.endNow('owner_ended'));
    } catch (error) {
      void this.endNow('owner_ended', error);
      throw error;
    }
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get isOpen(): boolean {
    return !this.#isRefusing;
  }

  get writable(): boolean {
    return !this.#isRefusing && this.#outgoing.isClear;
  }

  /** Never throws. */
  offer(frame: Frame): Sent {
    if (this.#isRefusing) {
      this.#outgoing.refuse();
      return 'dropped';
    }
    const sent = this.#outgoing.offer(frame);
    if (sent !== 'overflowed') return sent;
    void this.endNow('overflowed');
    return 'dropped';
  }

  /** Runs with the clean-up, within its time. */
  cleanUpWith(run: (signal: AbortSignal) => unknown): void {
    this.#cleanUp.add(run);
  }

  close(options: EndOptions = {}): Promise<ConnectionClosed> {
    return this.endInOrder('closed', undefined, options);
  }

  cut(error?: unknown): Promise<ConnectionClosed> {
    return this.endNow('closed', error);
  }

  onEnd(release: () => void): () => void {
    return this.#cleanUp.onEnd(release);
  }

  report(): ConnectionReport {
    const { offered, sent, dropped, waiting, waitingBytes } = this.#outgoing;
    return {
      connection: this.name,
      kind: this.#plan.kind,
      state: this.#isClosed ? 'closed' : this.#isRefusing ? 'closing' : 'open',
      offered,
      sent,
      dropped,
      waiting,
      waitingBytes,
      pendingBytes: this.#line.pending,
      openMs: this.#openMs,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The first reason is the reason. */
  endInOrder(why: ConnectionEndWhy, error: unknown, options: EndOptions = {}): Promise<ConnectionClosed> {
    const { timeoutMs = NO_DEADLINE, retryMs } = resolveOptions(this.where, options, END_FIELDS, {});
    if (this.#note(why, error)) {
      this.#retryMs = retryMs;
      const allowedMs = Math.min(timeoutMs, this.#plan.options.drainMs);
      this.#deadline = deadlineIn(this.#host.monotonic(), allowedMs);
      this.#life.send({ type: 'drain' });
    }
    return this.closed;
  }

  endNow(why: ConnectionEndWhy, error?: unknown): Promise<ConnectionClosed> {
    if (this.#note(why, error)) this.#isCut = true;
    this.#life.send({ type: 'line.over' });
    return this.closed;
  }

  // ── what the line and others tell ─────────────────────────────────────────────────────────────

  drained(): void {
    this.#watch.drained();
    this.#outgoing.drained();
    this.#written();
  }

  over(error?: unknown): void {
    void this.endNow(error === undefined ? 'client_gone' : 'failed', error);
  }

  aborted(source: AbortSource): void {
    void this.endNow('aborted', source.reason);
  }

  /** Nothing waits, and a frame offered now goes out at once. */
  protected whenWritable(): void {
    this.#plan.options.onWritable?.();
  }

  #written(): void {
    if (!this.#outgoing.isClear) return;
    if (this.#isFlushing) {
      this.#isFlushing = false;
      this.#life.send({ type: 'flushed' });
    } else this.#invite();
  }

  #invite(): void {
    if (!this.writable) return;
    try {
      this.whenWritable();
    } catch (error) {
      void this.endInOrder('failed', error);
    }
  }

  #tellDropping(): void {
    if (this.events.active)
      this.events.emit('connection.overflowed', { path: this.where, waiting: this.#outgoing.waiting });
  }

  get #openMs(): number {
    return this.#host.monotonic() - this.#openedAtMs;
  }

  // ── the end ───────────────────────────────────────────────────────────────────────────────────

  /** `false`: it had a reason. */
  #note(why: ConnectionEndWhy, error: unknown): boolean {
    if (this.#end !== undefined) return false;
    this.#end = Object.freeze({ connection: this.name, why, error });
    return true;
  }

  #createLife(): ChartRunner<ConnectionEvent> {
    return new ChartRunner({
      chart,
      perform: {
        refuse: () => this.#refuse(),
        flush: () => this.#flush(),
        finishLine: () =>
          this.#line.finish({ hasFailed: this.#end?.why === 'failed', retryMs: this.#retryMs }),
        cutLine: () => this.#cutLine(),
        cleanUp: () => void this.#runCleanUp(),
        conclude: () => this.#conclude(),
      },
    });
  }

  #refuse(): void {
    this.#isRefusing = true;
    this.#watch.end();
    const { signal } = this.#plan.options;
    if (signal !== undefined) unlistenToAbort(signal, this);
    this.#unhook?.();
    const { why, error } = this.#end as ConnectionEnd;
    const data = { where: this.where, why };
    this.#abort.abort(createError('ERR_CONNECTION_ENDED', data, { stack: false, cause: error }));
  }

  #allow(delayMs: number, label: string, overdue?: () => void): void {
    this.#step?.cancel();
    this.#step = this.#host.timer(delayMs, `${this.where} ${label}`, () => {
      overdue?.();
      this.#life.send({ type: 'time.up' });
    });
  }

  #flush(): void {
    this.#allow(remainingMs(this.#host.monotonic(), this.#deadline), 'flush', () => {
      this.#isCut = true;
    });
    this.#isFlushing = true;
    this.#outgoing.flush();
    this.#written();
  }

  #cutLine(): void {
    this.#isFlushing = false;
    // What was written and is still on its way does not arrive either.
    if (this.#outgoing.clear() > 0 || this.#line.pending > 0) this.#isCut = true;
    this.#line.cut();
  }

  async #runCleanUp(): Promise<void> {
    const { cleanUpMs, onClose } = this.#plan.options;
    const end = this.#end as ConnectionEnd;
    this.#allow(cleanUpMs, 'clean-up');
    if (onClose !== undefined) this.#cleanUp.add((signal) => onClose(end, { signal }));
    await this.#cleanUp.run();
    this.#life.send({ type: 'cleaned' });
  }

  #conclude(): void {
    this.#step?.cancel();
    this.#isClosed = true;
    const cleanUp = this.#cleanUp.conclude();
    const { connection, why, error } = this.#end as ConnectionEnd;
    const { sent, dropped } = this.#outgoing;
    const cut = this.#isCut;
    const openMs = this.#openMs;
    if (this.events.active) {
      const { kind, options } = this.#plan;
      const path = this.where;
      if (cleanUp === 'overdue')
        this.events.emit('connection.clean_up_overdue', { path, timeoutMs: options.cleanUpMs });
      this.events.emit('connection.closed', { path, kind, why, error, cut, sent, dropped, openMs });
    }
    const closed = Object.freeze({ connection, why, error, cleanUp, cut, sent, dropped, openMs });
    this.#conclusion(closed);
  }
}
