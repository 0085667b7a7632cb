/**
 * The service's front: HTTP on loopback. It turns requests into calls of what the service does, and what comes of
 * them into answers.
 *
 * Invariants: what the service took on is answered once, also while it drains; what it did not take on is refused with
 * 503 and Retry-After, so that a client may try again without harm; a client that leaves takes its work with it. It
 * knows no pool and no breaker, only errors that say whether anything was started.
 */
import { createServer } from 'node:http';

const DOCUMENT_BYTES_MAX = 1_024 * 1_024;
const DEADLINE_DEFAULT_MS = 30_000;
const DEADLINE_MAX_MS = 600_000;
/** Where an error does not know when it is worth coming back. */
const RETRY_AFTER_DEFAULT_MS = 1_000;
const BLOCK_MAX_MS = 10_000;

/** A request that is wrong in itself. */
class BadRequest extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** The service takes no more work. */
class Draining extends Error {
  code = 'ERR_DRAINING';
  outcome = 'not_started';

  constructor() {
    super('the service is stopping');
  }
}

const LATE = new Set(['ERR_JOB_TIMEOUT', 'ERR_DEADLINE_PASSED', 'ERR_TASK_TIMEOUT']);

/** What a client is told of an error: the status, and when to come back. */
const answerOf = (error) => {
  if (error instanceof BadRequest) return { status: error.status };
  if (error?.code === 'ERR_JOB_INVALID') return { status: 422 };
  if (error?.outcome === 'not_started') {
    const afterMs = error.data?.retryAfterMs ?? RETRY_AFTER_DEFAULT_MS;
    return { status: 503, headers: { 'retry-after': String(Math.max(1, Math.ceil(afterMs / 1_000))) } };
  }
  return { status: LATE.has(error?.code) ? 504 : 500 };
};

const readBody = async (request) => {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > DOCUMENT_BYTES_MAX)
      throw new BadRequest(413, `a document has at most ${DOCUMENT_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};

const deadlineOf = (request) => {
  const header = request.headers['x-deadline-ms'];
  if (header === undefined) return DEADLINE_DEFAULT_MS;
  const value = Number(header);
  if (value >= 1 && value <= DEADLINE_MAX_MS) return value;
  throw new BadRequest(400, `x-deadline-ms must be from 1 to ${DEADLINE_MAX_MS}`);
};

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/**
 * @typedef {object} Served what the front puts within reach
 * @property {(text: string, bounds: { timeoutMs: number, signal: AbortSignal }) => Promise<object>} countDocument
 * @property {(sku: string) => Promise<object>} priceOf never rejects
 * @property {(request: object, response: object) => void} [sendEvents] takes the request over
 * @property {() => object} status
 * @property {() => { ok: boolean }} live
 * @property {() => { ok: boolean }} ready
 * @property {((ms: number) => void) | undefined} blockLoop
 */

export class Front {
  #served;
  #draining = false;
  #server = createServer((request, response) => void this.#answer(request, response));
  #routes;

  /** @param {Served} served */
  constructor(served) {
    this.#served = served;
    const { status, live, ready, sendEvents } = served;
    this.#routes = [
      { method: 'POST', path: /^\/documents$/, isWork: true, handle: this.#countDocument },
      { method: 'GET', path: /^\/prices\/([\w-]{1,64})$/, isWork: true, handle: this.#tellPrice },
      {
        method: 'GET',
        path: /^\/status$/,
        handle: (_request, response) => this.#send(response, 200, status()),
      },
      {
        method: 'GET',
        path: /^\/health\/live$/,
        handle: (_request, response) => this.#tellHealth(response, live()),
      },
      {
        method: 'GET',
        path: /^\/health\/ready$/,
        handle: (_request, response) => this.#tellHealth(response, ready()),
      },
      { method: 'POST', path: /^\/faults\/block$/, handle: this.#blockLoop },
    ];
    if (sendEvents !== undefined)
      this.#routes.push({ method: 'GET', path: /^\/events$/, isWork: true, handle: sendEvents });
  }

  /** @returns {Promise<number>} the port */
  listen() {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, '127.0.0.1', () => resolve(this.#server.address().port));
    });
  }

  /** Takes nothing new, and resolves when what is under way has been answered. */
  drain() {
    this.#draining = true;
    return new Promise((resolve) => {
      this.#server.close(resolve);
      this.#server.closeIdleConnections();
    });
  }

  /** Lets go of whatever connection is left. */
  close() {
    this.#server.closeAllConnections();
  }

  async #answer(request, response) {
    try {
      const path = request.url.split('?')[0];
      const route = this.#routes.find((each) => each.method === request.method && each.path.test(path));
      if (route === undefined) throw new BadRequest(404, `there is no ${request.method} ${path}`);
      if (route.isWork && this.#draining) throw new Draining();
      await route.handle.call(this, request, response, route.path.exec(path).slice(1));
    } catch (error) {
      const { status, headers } = answerOf(error);
      this.#send(response, status, { error: error?.code ?? 'ERR_REQUEST', message: error?.message }, headers);
    }
  }

  #send(response, status, body, headers = {}) {
    if (response.headersSent || response.destroyed) return;
    // Nobody is invited to ask again on a connection that is about to go.
    if (this.#draining) response.setHeader('connection', 'close');
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  }

  async #countDocument(request, response) {
    const timeoutMs = deadlineOf(request);
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(await readBody(request));
    const leaving = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) leaving.abort(new Error('the client left'));
    });
    let over = false;
    const counting = this.#served.countDocument(text, { timeoutMs, signal: leaving.signal }).finally(() => {
      over = true;
    });
    // It is awaited below, which is a turn too late for Node.
    counting.catch(() => {});
    // A refusal comes at once; what is still there a turn later has been taken on, and its client may know.
    await nextTurn();
    if (!over && !response.destroyed) response.writeProcessing();
    this.#send(response, 200, await counting);
  }

  async #tellPrice(_request, response, [sku]) {
    this.#send(response, 200, await this.#served.priceOf(sku));
  }

  #tellHealth(response, report) {
    this.#send(response, report.ok ? 200 : 503, report, report.ok ? {} : { 'retry-after': '1' });
  }

  #blockLoop(request, response) {
    const { blockLoop } = this.#served;
    if (blockLoop === undefined) throw new BadRequest(403, 'faults are not enabled');
    const ms = Number(new URL(request.url, 'http://localhost').searchParams.get('ms'));
    if (!(ms > 0 && ms <= BLOCK_MAX_MS)) throw new BadRequest(400, `ms must be 1 to ${BLOCK_MAX_MS}`);
    blockLoop(ms);
    this.#send(response, 200, { blockedMs: ms });
  }
}
