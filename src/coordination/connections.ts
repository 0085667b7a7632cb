/**
 * A registry of connections: how many there may be, who they are, and how they all end when the service does.
 *
 * Invariant: who is in it is not over, clean-up included; from the beginning of a drain nobody new gets in; a drain ends within its
 * time whatever clients and clean-ups do, and its report names those that were cut off.
 */
import type { Host } from '../base/host.ts';
import { fits, integer, ms, msOrInfinity, object, resolveOptions, text } from '../base/options.ts';
import { realHost } from '../base/real-host.ts';
import { EventStream } from '../base/telemetry.ts';
import type { ClientConnection, ConnectionReport } from './connection.ts';
import { type ConnectionLimits, LIMIT_FIELDS } from './connection-options.ts';
import { openStream, type SseOptions, type SseRequest, type SseResponse, type SseStream } from './sse.ts';
import {
  openWebSocket,
  type UpgradeRequest,
  type UpgradeSocket,
  type WebSocketConnection,
  type WebSocketOptions,
} from './web-socket.ts';

export interface ConnectionsOptions extends ConnectionLimits {
  /** Names it in errors and events. Default `'connections'`. */
  readonly name?: string;
  /** Default: the real one. */
  readonly host?: Host;
  /** Where its events and its connections' go. Default: a stream of its own. */
  readonly events?: EventStream;
  /** How many there may be; further clients are answered 503. Default 10,000. */
  readonly maxConnections?: number;
  /**
   * When clients should come back that are told to go, ms: each is told between once and twice as much, so that they do not all
   * come at once. Default 1,000.
   */
  readonly retryMs?: number;
  /** Ends all connections when it ends. */
  readonly owner?: { onEnd(release: () => void): () => void };
}

export interface DrainConnectionsOptions {
  /** How long it may take, clean-ups included, ms. Default: as long as the connections' own limits. */
  readonly timeoutMs?: number;
}

export interface ConnectionsReport {
  readonly name: string;
  readonly open: number;
  readonly draining: boolean;
  readonly opened: number;
  readonly refused: number;
  readonly connections: readonly ConnectionReport[];
}

/** How a drain came out. */
export interface DrainReport {
  /** Clients that took all that waited for them. */
  readonly finished: number;
  /** Clients that did not; by name. */
  readonly cut: readonly string[];
  /** Those whose clean-up still runs. */
  readonly overdue: readonly string[];
  readonly durationMs: number;
}

export interface Connections {
  readonly name: string;
  readonly events: EventStream;
  readonly size: number;
  /**
   * Answers a request with a stream of events; `undefined`: it has answered 503, because it drains or is full.
   *
   * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
   */
  sse(request: SseRequest, response: SseResponse, options?: RegisteredSseOptions): SseStream | undefined;
  /**
   * Takes over a request to upgrade to a WebSocket; `undefined`: it was answered 403 (a page of another site), 503 (it drains or is full), or
   * was no handshake.
   *
   * @throws ERR_CONNECTION_PEER where the package `ws` is not installed; ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
   */
  webSocket(
    request: UpgradeRequest,
    socket: UpgradeSocket,
    head: Uint8Array,
    options?: RegisteredWebSocketOptions,
  ): Promise<WebSocketConnection | undefined>;
  /** Ends all in order and lets nobody in from now on. Once; all callers get the same report. */
  drain(options?: DrainConnectionsOptions): Promise<DrainReport>;
  report(): ConnectionsReport;
  [Symbol.asyncDispose](): Promise<void>;
}

export type RegisteredSseOptions = Omit<SseOptions, 'host' | 'events'>;
export type RegisteredWebSocketOptions = Omit<WebSocketOptions, 'host' | 'events'>;

export const CONNECTIONS_DEFAULTS = Object.freeze({
  name: 'connections',
  maxConnections: 10_000,
  retryMs: 1_000,
});

const FIELDS = {
  ...LIMIT_FIELDS,
  name: text,
  host: object<Host>('a Host'),
  events: object<EventStream>('an EventStream'),
  maxConnections: integer(1),
  retryMs: ms(0),
  owner: fits<NonNullable<ConnectionsOptions['owner']>>(
    "an actor's context, or a scope",
    (value) => typeof (value as { onEnd?: unknown } | null)?.onEnd === 'function',
  ),
} as const;

const DRAIN_FIELDS = { timeoutMs: msOrInfinity(0) } as const;

/** The part of a drain's time that clients have for what waits; the rest is for the clean-ups. */
const FLUSH_SHARE = 0.5;

export class ConnectionRegistry implements Connections {
  readonly name: string;
  readonly where: string;
  readonly host: Host;
  readonly events: EventStream;
  readonly #limits: ConnectionLimits;
  readonly #maxConnections: number;
  readonly #retryMs: number;
  readonly #loadPeer: ((name: string) => Promise<unknown>) | undefined;
  readonly #open = new Set<ClientConnection>();
  #opened = 0;
  #refused = 0;
  #drained: Promise<DrainReport> | undefined;

  /** `loadPeer`: for tests. */
  constructor(options: ConnectionsOptions = {}, loadPeer?: (name: string) => Promise<unknown>) {
    this.#loadPeer = loadPeer;
    const resolved = resolveOptions('createConnections', options, FIELDS, CONNECTIONS_DEFAULTS);
    const { name, maxConnections, retryMs, host = realHost(), events, owner, ...limits } = resolved;
    this.name = name;
    this.where = `connections ${name}`;
    this.host = host;
    this.events = events ?? new EventStream(() => host.wall());
    this.#limits = limits;
    this.#maxConnections = maxConnections;
    this.#retryMs = retryMs;
    owner?.onEnd(() => this.#cutAll());
  }

  get size(): number {
    return this.#open.size;
  }

  sse(request: SseRequest, response: SseResponse, options: RegisteredSseOptions = {}): SseStream | undefined {
    const refusal = this.refusal();
    if (refusal !== undefined) {
      response.writeHead(503, { 'retry-after': `${Math.ceil(refusal.retryMs / 1_000)}` });
      response.end();
      return undefined;
    }
    const stream = openStream(request, response, {
      where: this.name,
      options: this.with(options),
    });
    this.add(stream as SseStream & ClientConnection);
    return stream;
  }

  webSocket(
    request: UpgradeRequest,
    socket: UpgradeSocket,
    head: Uint8Array,
    options: RegisteredWebSocketOptions = {},
  ): Promise<WebSocketConnection | undefined> {
    return openWebSocket(
      { request, socket, head },
      {
        where: this.name,
        options: this.with(options),
        refusal: () => this.refusal(),
        opened: (connection) => this.add(connection),

        ...(this.#loadPeer === undefined ? {} : { load: this.#loadPeer }),
      },
    );
  }

  /** Why nobody new gets in now, if so, and when to try again; counted and told. */
  refusal(): { readonly retryMs: number } | undefined {
    const why = this.#drained !== undefined ? 'draining' : this.#isFull ? 'full' : undefined;
    if (why === undefined) return undefined;
    this.#refused += 1;
    this.events.emit('connection.refused', { path: this.name, why });
    return { retryMs: this.#hint() };
  }

  /** A connection's own options over those that all have here. */
  with<O extends object>(options: O): O & { readonly host: Host; readonly events: EventStream } {
    return { ...this.#limits, ...options, host: this.host, events: this.events };
  }

  add(connection: ClientConnection): void {
    this.#open.add(connection);
    this.#opened += 1;
    void connection.closed.then(() => this.#open.delete(connection));
  }

  drain(options: DrainConnectionsOptions = {}): Promise<DrainReport> {
    const { timeoutMs = Number.POSITIVE_INFINITY } = resolveOptions(
      `${this.where}: drain`,
      options,
      DRAIN_FIELDS,
      {},
    );
    this.#drained ??= this.#drain(timeoutMs);
    return this.#drained;
  }

  report(): ConnectionsReport {
    return {
      name: this.name,
      open: this.#open.size,
      draining: this.#drained !== undefined,
      opened: this.#opened,
      refused: this.#refused,
      connections: Array.from(this.#open, (connection) => connection.report()),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  get #isFull(): boolean {
    return this.#open.size >= this.#maxConnections;
  }

  #hint(): number {
    return this.#retryMs + this.host.random.below(this.#retryMs + 1);
  }

  #cutAll(): void {
    for (const connection of [...this.#open]) void connection.endNow('owner_ended');
    this.#drained ??= this.#drain(0);
  }

  async #drain(timeoutMs: number): Promise<DrainReport> {
    const startedAtMs = this.host.monotonic();
    const leaving = new Set(this.#open);
    const cut: string[] = [];
    const overdue: string[] = [];
    let finished = 0;
    const ends = Array.from(leaving, async (connection) => {
      const flushMs = timeoutMs * FLUSH_SHARE;
      const end = await connection.endInOrder('drained', undefined, {
        timeoutMs: flushMs,
        retryMs: this.#hint(),
      });
      leaving.delete(connection);
      if (end.cleanUp === 'overdue') overdue.push(connection.name);
      if (end.cut) cut.push(connection.name);
      else finished += 1;
    });
    await this.#within(timeoutMs, Promise.all(ends));
    overdue.push(...Array.from(leaving, ({ name }) => name));
    const durationMs = this.host.monotonic() - startedAtMs;
    const report = Object.freeze({ finished, cut: [...cut], overdue: [...overdue], durationMs });
    this.events.emit('connections.drained', { path: this.name, ...report });
    return report;
  }

  async #within(timeoutMs: number, done: Promise<unknown>): Promise<void> {
    if (timeoutMs === Number.POSITIVE_INFINITY) {
      await done;
      return;
    }
    await new Promise<void>((resolve) => {
      const timer = this.host.timer(timeoutMs, `${this.where} drain`, resolve);
      void done.then(() => {
        timer.cancel();
        resolve();
      });
    });
  }
}

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const createConnections = (options: ConnectionsOptions = {}): Connections =>
  new ConnectionRegistry(options);
