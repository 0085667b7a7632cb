/**
 * The doors of an explorer, as one request listener: it asks access.ts who may come in, reads what is asked for, and answers. It
 * owns the streams that are open.
 *
 * Invariants: nothing is answered before access has been granted; bodies are read to their limit and no further; every answer
 * carries the headers that keep a page from being framed, sniffed or cached. Nothing of a token is written anywhere.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Host } from '../base/host.ts';
import type { EventStream } from '../base/telemetry.ts';
import { type AccessRules, type Denial, type Door, denialOf } from './access.ts';
import { assetNamed, troupeVersion } from './assets.ts';
import { type Commands, Refused } from './commands.ts';
import { type CommandName, type Hello, LIMITS, PROTOCOL_VERSION, type Refusal } from './protocol.ts';
import { isTame, readTreeQuery, readWatch } from './read-command.ts';
import type { Source } from './source.ts';
import { Viewer } from './viewer.ts';

export interface DoorsGround {
  readonly host: Host;
  readonly events: EventStream;
  readonly path: string;
  readonly source: Source;
  readonly rules: AccessRules;
  readonly commands: Commands | undefined;
  readonly enabled: readonly CommandName[];
  /** Where it is mounted: `''`, or `/explorer`. */
  readonly basePath: string;
  readonly refreshMs: number;
}

const HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/** Refusals of one kind are told at most so often, ms: whoever knocks all night fills no log. */
const REFUSALS_TOLD_EVERY_MS = 1_000;

type Answer = (request: IncomingMessage, response: ServerResponse, query: URLSearchParams) => unknown;
interface Route extends Door {
  readonly answer: Answer;
}

const denial = (status: number, code: Denial['code'], message: string): Denial => ({ status, code, message });

const numberIn = (query: URLSearchParams, name: string): number | undefined => {
  const given = query.get(name);
  const number = given === null || given === '' ? Number.NaN : Number(given);
  return Number.isSafeInteger(number) && number >= 0 ? number : undefined;
};

export class Doors {
  readonly #ground: DoorsGround;
  readonly #viewers = new Map<string, Viewer>();
  readonly #toldAt = new Map<string, number>();
  readonly #routes: ReadonlyMap<string, Route>;
  #lastStream = 0;
  #closed = false;

  constructor(ground: DoorsGround) {
    this.#ground = ground;
    const read = (answer: Answer): Route => ({ kind: 'read', answer });
    const act = (answer: Answer): Route => ({ kind: 'act', answer });
    const { source } = ground;
    this.#routes = new Map([
      ['hello', read((request, response) => this.#json(response, this.#hello(request)))],
      ['stream', read((request, response, query) => this.#stream(request, response, query))],
      ['tree', read((_request, response, query) => this.#tree(response, query))],
      ['actor', read((_, response, query) => this.#found(response, source.actor(query.get('path') ?? '')))],
      [
        'chart',
        read((_, response, query) => this.#found(response, source.definition(query.get('machine') ?? ''))),
      ],
      ['history', read((_request, response, query) => this.#history(response, query))],
      ['recording', read((_request, response) => this.#json(response, source.recording()))],
      ['watch', act((request, response) => this.#watch(request, response))],
      ['command', act((request, response) => this.#command(request, response))],
    ]);
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  /** Answers a request, whatever it is. */
  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const { path, query } = this.#locate(request.url ?? '/');
    const api = /^\/api\/v1\/([a-z]+)$/.exec(path)?.[1];
    const route = api === undefined ? undefined : this.#routes.get(api);
    const door: Door = route ?? { kind: path.startsWith('/api/') ? 'read' : 'page' };
    const head = { method: request.method ?? 'GET', headers: request.headers };
    const refused = this.#closed
      ? denial(503, 'failed', 'the explorer is closing')
      : denialOf(door, head, this.#ground.rules);
    if (refused !== undefined) {
      this.#refuse(response, refused, request);
      return;
    }
    try {
      if (route === undefined) this.#asset(request, response, path);
      else {
        const answered: unknown = route.answer(request, response, query);
        if (answered instanceof Promise) answered.catch((error: unknown) => this.#failed(response, error));
      }
    } catch (error) {
      this.#failed(response, error);
    }
  };

  /** Ends all streams; what comes now is refused. */
  close(why: string): void {
    this.#closed = true;
    for (const viewer of [...this.#viewers.values()]) viewer.end(why);
  }

  #locate(url: string): { readonly path: string; readonly query: URLSearchParams } {
    const at = url.indexOf('?');
    const whole = at < 0 ? url : url.slice(0, at);
    const { basePath } = this.#ground;
    const path = basePath !== '' && whole.startsWith(basePath) ? whole.slice(basePath.length) : whole;
    return { path, query: new URLSearchParams(at < 0 ? '' : url.slice(at + 1)) };
  }

  // ── answers ───────────────────────────────────────────────────────────────────────────────

  #json(response: ServerResponse, body: unknown, status = 200): void {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  }

  #found(response: ServerResponse, body: unknown): void {
    if (body === undefined) this.#refuse(response, denial(404, 'unknown', 'nothing is known of that'));
    else this.#json(response, body);
  }

  #refuse(response: ServerResponse, { status, code, message }: Denial, request?: IncomingMessage): void {
    if (status === 401) response.setHeader('www-authenticate', 'Bearer');
    if (status === 405) response.setHeader('allow', 'GET, POST');
    // The rest of a body that nobody reads would block the next request on this connection.
    if (request !== undefined || status === 413) response.setHeader('connection', 'close');
    const body: Refusal = { error: { code, message } };
    this.#json(response, body, status);
    if (request !== undefined) this.#tell(code, status, request);
  }

  #tell(code: string, status: number, request: IncomingMessage): void {
    const { host, events, path } = this.#ground;
    const now = host.monotonic();
    if (now - (this.#toldAt.get(code) ?? Number.NEGATIVE_INFINITY) < REFUSALS_TOLD_EVERY_MS) return;
    this.#toldAt.set(code, now);
    events.emit('explorer.refused', { path, code, status, from: addressOf(request) });
  }

  #failed(response: ServerResponse, error: unknown): void {
    const { events, path } = this.#ground;
    events.emit('actor.threw', { path, error });
    if (response.headersSent) response.destroy();
    else this.#refuse(response, denial(500, 'failed', 'the explorer failed; its log says why'));
  }

  #asset(request: Mounted, response: ServerResponse, path: string): void {
    if (path === '' || (path === '/' && lacksSlash(request))) {
      const base = path === '' ? this.#ground.basePath : String(request.baseUrl);
      response.writeHead(308, { location: `${base}/` }).end();
      return;
    }
    const asset = path.startsWith('/api/')
      ? undefined
      : assetNamed(path === '/' ? 'index.html' : path.slice(1));
    if (asset === undefined) {
      this.#refuse(response, denial(404, 'unknown', 'there is nothing here'));
      return;
    }
    response.writeHead(200, { 'content-type': asset.kind });
    response.end(asset.bytes);
  }

  #hello(_request: IncomingMessage, stream?: string): Hello {
    const { source, enabled, rules, refreshMs } = this.#ground;
    const readOnly =
      source.kind === 'recording'
        ? 'a recording cannot be changed'
        : 'commands are not enabled: explorer({ commands: true })';
    return {
      version: PROTOCOL_VERSION,
      troupe: troupeVersion(),
      source: source.kind,
      ...source.hello(),
      ...(stream === undefined ? {} : { stream }),
      authorised: rules.token !== undefined,
      commands: enabled,
      ...(enabled.length === 0 ? { readOnly } : {}),
      refreshMs,
      limits: LIMITS,
    };
  }

  #tree(response: ServerResponse, query: URLSearchParams): void {
    const asked = readTreeQuery({
      query: query.get('query') ?? '',
      from: numberIn(query, 'from') ?? 0,
      count: numberIn(query, 'count') ?? LIMITS.groupOver,
      collapsed: query.getAll('collapsed'),
      opened: query.getAll('opened'),
    });
    if (asked === undefined)
      this.#refuse(response, denial(422, 'invalid', `query, from, count up to ${LIMITS.windowRows}`));
    else this.#json(response, this.#ground.source.tree(asked));
  }

  #history(response: ServerResponse, query: URLSearchParams): void {
    const history = this.#ground.source.history(query.get('path') ?? '', numberIn(query, 'incarnation'));
    this.#found(response, history);
  }

  // ── streams ───────────────────────────────────────────────────────────────────────────────

  #stream(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): void {
    if (this.#viewers.size >= LIMITS.streams) {
      this.#refuse(response, denial(429, 'too_many', `${LIMITS.streams} streams are open`));
      return;
    }
    this.#lastStream += 1;
    // Not a secret: what it names can only be used by who may come in.
    const id = `stream-${this.#lastStream}`;
    const { host, source, refreshMs } = this.#ground;
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'x-accel-buffering': 'no',
    });
    response.flushHeaders();
    const [facts, messages, steps] = ['facts', 'messages', 'steps'].map((name) => numberIn(query, name));
    const viewer = new Viewer({
      host,
      source,
      refreshMs,
      stallMs: LIMITS.stallMs,
      hello: () => this.#hello(request, id),
      viewers: () => this.#viewers.size,
      from: {
        ...(facts === undefined ? {} : { facts }),
        ...(messages === undefined ? {} : { messages }),
        ...(steps === undefined ? {} : { steps }),
      },
      sink: { write: (text) => response.write(text), end: () => endSoon(response) },
      ended: () => this.#viewers.delete(id),
    });
    if (viewer.isOver) return;
    this.#viewers.set(id, viewer);
    response.on('drain', () => viewer.drained());
    response.on('close', () => viewer.end('the connection closed'));
    response.on('error', () => viewer.end('the connection failed'));
  }

  async #watch(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    if (body instanceof Refused) return this.#refuse(response, body.denial);
    const { stream, watch } = (body ?? {}) as { readonly stream?: unknown; readonly watch?: unknown };
    const viewer = this.#viewers.get(String(stream));
    if (viewer === undefined)
      return this.#refuse(response, denial(404, 'unknown', 'there is no such stream; open a new one'));
    const wanted = readWatch(watch);
    if (typeof wanted === 'string') return this.#refuse(response, denial(422, 'invalid', wanted));
    return this.#json(response, { watch: viewer.change(wanted) });
  }

  async #command(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { commands } = this.#ground;
    if (commands === undefined)
      return this.#refuse(response, denial(403, 'read_only', 'commands are not enabled here'), request);
    const body = await readBody(request);
    if (body instanceof Refused) return this.#refuse(response, body.denial);
    const answer = await commands.perform(body, addressOf(request));
    return answer instanceof Refused ? this.#refuse(response, answer.denial) : this.#json(response, answer);
  }
}

const addressOf = (request: IncomingMessage): string => request.socket.remoteAddress ?? 'unknown';

/** A stalled reader would keep an orderly end waiting for ever. */
const endSoon = (response: ServerResponse): void => {
  if (response.writableNeedDrain) response.destroy();
  else response.end();
};

/** What a framework adds to a request before its middleware sees it. */
interface Mounted extends IncomingMessage {
  /** What a body parser read, where one came first. */
  readonly body?: unknown;
  /** Where Express has mounted this; it is cut off `url`. */
  readonly baseUrl?: unknown;
  readonly originalUrl?: unknown;
}

/** Whether a page was asked for without the slash behind which its assets are; Express cuts that off and puts in one of its own. */
const lacksSlash = ({ baseUrl, originalUrl }: Mounted): boolean =>
  typeof baseUrl === 'string' &&
  /^\/[^/\\]/.test(baseUrl) &&
  typeof originalUrl === 'string' &&
  originalUrl.split('?', 1)[0] === baseUrl;

const tamed = (parsed: unknown): unknown =>
  isTame(parsed) ? parsed : new Refused(422, 'invalid', 'the body nests too deep, or has a forbidden key');

/** The JSON of a body, as far as it is one and small enough. */
const readBody = async (request: Mounted): Promise<unknown> => {
  const tooLarge = new Refused(413, 'too_large', `a body has at most ${LIMITS.bodyBytes} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > LIMITS.bodyBytes) return tooLarge;
  if (request.readableEnded && request.body !== undefined)
    return JSON.stringify(request.body).length > LIMITS.bodyBytes ? tooLarge : tamed(request.body);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > LIMITS.bodyBytes) return tooLarge;
    chunks.push(chunk);
  }
  try {
    const whole = new Uint8Array(bytes);
    let at = 0;
    for (const chunk of chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    return tamed(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(whole)));
  } catch {
    return new Refused(422, 'invalid', 'the body is not JSON');
  }
};
