/**
 * Server-sent events over a request and its response: of node:http, or of anything that hands over those two.
 *
 * Invariant: a connection's (`connection.ts`); and nothing of what a client sends decides anything but where a feed goes on.
 */
import { fits, object, resolveOptions } from '../base/options.ts';
import type { Connection, ConnectionClosed, ConnectionPlan } from './connection.ts';
import { CONNECTION_DEFAULTS, CONNECTION_FIELDS, type ConnectionOptions } from './connection-options.ts';
import type { EventFeed, Feed } from './feed.ts';
import type { Frame } from './frame-queue.ts';
import type { Ending, Line, LineListener } from './line.ts';
import type { Sent } from './outgoing.ts';
import { SourceConnection } from './source-connection.ts';
import { SSE_BEAT, type SseEvent, sseFrame, sseRetry } from './sse-frame.ts';

/** What is needed of a request: node:http's has it. */
export interface SseRequest {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** What is needed of a response: node:http's and node:http2's have it. */
export interface SseResponse {
  readonly headersSent: boolean;
  readonly destroyed: boolean;
  readonly writableEnded: boolean;
  readonly writableLength: number;
  writeHead(status: number, headers: Readonly<Record<string, string>>): unknown;
  flushHeaders?(): void;
  write(chunk: string): boolean;
  end(chunk?: string): unknown;
  destroy(error?: Error): unknown;
  on(event: 'drain' | 'close' | 'finish', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

export interface SseOptions extends ConnectionOptions {
  /** Gives what it publishes to this client too, and first what it missed if it comes back (`Last-Event-ID`). */
  readonly feed?: Feed;
  /** Further headers of the answer. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A client that is sent events. */
export interface SseStream extends Connection {
  /** The id of the last event that a client which comes back says it had. */
  readonly lastEventId: string | undefined;
  /** @throws ERR_OPTION_INVALID for what has no safe form */
  send(event: SseEvent): Sent;
  /**
   * Sends what a source gives, asking for the next only when the client can take it; then closes. Where the source fails, the client is
   * sent one event `failure` (without the error, which is for `closed`) and the connection ends. A source that is not at its end is
   * told to return, once, when the client is gone.
   */
  sendAll(source: AsyncIterable<SseEvent> | Iterable<SseEvent>): Promise<ConnectionClosed>;
}

const HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/event-stream; charset=utf-8',
  // A proxy that transforms or buffers would hold events back.
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
};

const SSE_FIELDS = {
  ...CONNECTION_FIELDS,
  feed: fits<EventFeed>(
    'a feed',
    (value) => typeof (value as { join?: unknown } | null)?.join === 'function',
  ),
  headers: object<Readonly<Record<string, string>>>('headers'),
} as const;

/** What the one event is called that says that a source failed. */
const FAILURE = 'failure';

/** Longer ones are not ours: they are not even looked at. */
const LONGEST_ID = 200;

const lastEventIdOf = ({ headers }: SseRequest): string | undefined => {
  const given = headers['last-event-id'];
  return typeof given === 'string' && given !== '' && given.length <= LONGEST_ID ? given : undefined;
};

class ResponseLine implements Line {
  readonly #response: SseResponse;
  #written = 0;

  constructor(response: SseResponse, listener: LineListener) {
    this.#response = response;
    response.on('drain', () => listener.drained());
    response.on('close', () => listener.over());
    response.on('error', (error) => listener.over(error));
  }

  get pending(): number {
    return this.#response.writableLength;
  }

  get taken(): number {
    return this.#written - this.#response.writableLength;
  }

  write({ head, body }: Frame): boolean {
    return this.#put(head + (body as string));
  }

  beat(): boolean {
    return this.#put(SSE_BEAT);
  }

  finish({ retryMs }: Ending): void {
    const hint = retryMs === undefined ? undefined : sseRetry(retryMs);
    if (!this.#response.writableEnded && !this.#response.destroyed) this.#response.end(hint);
  }

  cut(): void {
    if (!this.#response.destroyed && !isTaken(this.#response)) this.#response.destroy();
  }

  /** A response that is over takes nothing, and says so by an `error`, which its listener has. */
  #put(text: string): boolean {
    const before = this.#response.writableLength;
    const takes = this.#response.write(text);
    // In the response's own measure, which has what surrounds a chunk.
    this.#written += Math.max(0, this.#response.writableLength - before);
    return takes;
  }
}

/** Whether it was ended, and all of it has been taken: then its socket may serve another request. */
const isTaken = ({ writableEnded, writableLength }: SseResponse): boolean =>
  writableEnded && writableLength === 0;

class EventConnection extends SourceConnection<SseEvent> implements SseStream {
  readonly lastEventId: string | undefined;

  constructor(plan: ConnectionPlan, lastEventId: string | undefined) {
    super(plan);
    this.lastEventId = lastEventId;
  }

  send(event: SseEvent): Sent {
    return this.offer(sseFrame(this.where, event));
  }

  /** It says that it failed; what failed is for the log. */
  protected override tellFailure(): void {
    this.send({ event: FAILURE, data: { why: 'failed' } });
  }
}

/** What {@link openSse} and a registry make a stream of. */
export interface SseGround {
  readonly where: string;
  readonly options: SseOptions;
}

export const openStream = (
  request: SseRequest,
  response: SseResponse,
  { where, options }: SseGround,
): SseStream => {
  const { feed, headers, ...rest } = resolveOptions(where, options, SSE_FIELDS, CONNECTION_DEFAULTS);
  const lastEventId = lastEventIdOf(request);
  if (!response.headersSent) response.writeHead(200, { ...HEADERS, ...headers });
  response.flushHeaders?.();
  const stream = new EventConnection(
    {
      kind: 'sse',
      where,
      options: rest,
      line: (listener) => new ResponseLine(response, listener),
      ...(feed === undefined ? {} : { backlog: feed.since(lastEventId), gap: (missed) => feed.gap(missed) }),
    },
    lastEventId,
  );
  if (feed !== undefined) stream.onEnd(feed.join(stream));
  stream.begin();
  // It had gone before anybody listened.
  if (response.destroyed || response.writableEnded) stream.over();
  return stream;
};

/**
 * Answers a request with a stream of events, on its own. What shall be closed when the service drains is opened by a registry:
 * `createConnections().sse(…)`.
 *
 * @example
 * const stream = openSse(request, response, { feed, onClose: () => seats.giveBack(seat) });
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const openSse = (request: SseRequest, response: SseResponse, options: SseOptions = {}): SseStream =>
  openStream(request, response, { where: 'openSse', options });
