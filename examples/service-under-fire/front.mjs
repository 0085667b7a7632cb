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

/** A request that is wrong in itself. */
class BadRequest extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const LATE = new Set(['ERR_JOB_TIMEOUT', 'ERR_DEADLINE_PASSED']);

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
 * @param {object} service
 * @param {(text: string, bounds: { timeoutMs: number, signal: AbortSignal }) => Promise<object>} service.countDocument
 * @param {(sku: string) => Promise<object>} service.priceOf never rejects
 * @param {() => object} service.status
 * @param {() => { ok: boolean }} service.live
 * @param {() => { ok: boolean }} service.ready
 * @param {((ms: number) => void) | undefined} service.blockLoop
 */
export const createFront = (service) => {
  let draining = false;

  const send = (response, status, body, headers = {}) => {
    if (response.headersSent || response.destroyed) return;
    // Nobody is invited to ask again on a connection that is about to go.
    if (draining) response.setHeader('connection', 'close');
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };

  const postDocument = async (request, response) => {
    const timeoutMs = deadlineOf(request);
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(await readBody(request));
    const leaving = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) leaving.abort(new Error('the client left'));
    });
    let over = false;
    const counting = service.countDocument(text, { timeoutMs, signal: leaving.signal }).finally(() => {
      over = true;
    });
    counting.catch(() => {});
    // A refusal comes at once; whoever is still there a turn later has been taken on, and its client may know.
    await nextTurn();
    if (!over && !response.destroyed) response.writeProcessing();
    send(response, 200, await counting);
  };

  const getPrice = async (_request, response, [sku]) => send(response, 200, await service.priceOf(sku));
  const health = (check) => (_request, response) => {
    const report = check();
    send(response, report.ok ? 200 : 503, report, report.ok ? {} : { 'retry-after': '1' });
  };
  const postBlock = (request, response) => {
    if (service.blockLoop === undefined) throw new BadRequest(403, 'faults are not enabled');
    const ms = Number(new URL(request.url, 'http://localhost').searchParams.get('ms'));
    if (!(ms > 0 && ms <= 10_000)) throw new BadRequest(400, 'ms must be from 1 to 10000');
    service.blockLoop(ms);
    send(response, 200, { blockedMs: ms });
  };

  /** Work is what a draining service takes no more of. */
  const work = (handle) => (request, response, parts) => {
    if (!draining) return handle(request, response, parts);
    const after = { 'retry-after': '1' };
    send(response, 503, { error: 'ERR_DRAINING', message: 'the service is stopping' }, after);
  };

  const routes = [
    ['POST', /^\/documents$/, work(postDocument)],
    ['GET', /^\/prices\/([\w-]{1,64})$/, work(getPrice)],
    ['GET', /^\/status$/, (_request, response) => send(response, 200, service.status())],
    ['GET', /^\/health\/live$/, health(service.live)],
    ['GET', /^\/health\/ready$/, health(service.ready)],
    ['POST', /^\/faults\/block$/, postBlock],
  ];

  const answer = async (request, response) => {
    try {
      const path = request.url.split('?')[0];
      const route = routes.find(([method, pattern]) => method === request.method && pattern.test(path));
      if (route === undefined) throw new BadRequest(404, `there is no ${request.method} ${path}`);
      const [, pattern, handle] = route;
      await handle(request, response, pattern.exec(path).slice(1));
    } catch (error) {
      const { status, headers } = answerOf(error);
      send(response, status, { error: error?.code ?? 'ERR_REQUEST', message: error?.message }, headers);
    }
  };

  const server = createServer((request, response) => void answer(request, response));

  return {
    /** @returns {Promise<number>} the port */
    listen: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(0, '127.0.0.1', () => resolve(server.address().port));
      }),
    /** Takes nothing new, and resolves when what is under way has been answered. */
    drain: async () => {
      draining = true;
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      await closed;
    },
    /** Lets go of whatever connection is left. */
    close: () => server.closeAllConnections(),
  };
};
