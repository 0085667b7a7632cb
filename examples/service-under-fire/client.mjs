/**
 * One client's view of the service: sends documents and asks prices over HTTP, a connection each, and books every
 * outcome in the ledger. It knows nothing of the service but its address.
 */
import { request } from 'node:http';
import { referenceCount } from './reference-count.mjs';

/** Beyond its own deadline a document's client waits this long for an answer before it counts it as lost. */
const PATIENCE_MS = 5_000;
const PRICE_PATIENCE_MS = 5_000;

/**
 * @typedef {object} Answer
 * @property {'succeeded' | 'failed' | 'refused' | 'cancelled' | 'lost'} outcome
 * @property {number | undefined} status
 * @property {any} body parsed, where there was one
 * @property {number | undefined} retryAfterMs
 * @property {number} latencyMs
 * @property {string} why for people
 */

/** Sends one request and tells how it ended, never by throwing. */
const exchange = ({ address, method, path, headers, body, patienceMs, signal, onProcessing }) =>
  new Promise((resolve) => {
    const startedAt = performance.now();
    const end = (facts) => {
      clearTimeout(patience);
      resolve({ status: undefined, latencyMs: performance.now() - startedAt, ...facts });
    };
    // A connection of its own: none that the service closes as idle can be mistaken for one that it broke.
    const call = request({ ...address, method, path, headers, agent: false, signal });
    const patience = setTimeout(() => call.destroy(new Error(`no answer in ${patienceMs} ms`)), patienceMs);
    call.on('information', ({ statusCode }) => statusCode === 102 && onProcessing?.());
    call.on('error', (error) => end({ error }));
    call.on('response', (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', (error) => end({ error }));
      response.on('end', () =>
        end({ status: response.statusCode, headers: response.headers, body: parse(Buffer.concat(chunks)) }),
      );
    });
    call.end(body);
  });

const parse = (bytes) => {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
};

/** The connection failed before the service can have taken anything. */
const NEVER_TAKEN = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE']);

/** How an answer is counted among the requests; a client that left on purpose is not. */
const REQUEST_OF = { succeeded: 'ok', refused: 'rejected', failed: 'failed', lost: 'failed' };

export class Client {
  /** How requests of any kind ended, over the whole run. */
  requests = { ok: 0, rejected: 0, failed: 0 };
  /** Worker pid → when it last answered for a document. */
  lastAnswerAt = new Map();
  #address;
  #ledger;
  #listeners = new Set();

  constructor({ address, ledger }) {
    this.#address = address;
    this.#ledger = ledger;
  }

  /**
   * Sends a document and books it.
   *
   * @param {{ bytes: Buffer, deadlineMs: number, purpose: string, signal?: AbortSignal }} document
   * @returns {Promise<Answer>}
   */
  async sendDocument({ bytes, deadlineMs, purpose, signal }) {
    const entry = this.#ledger.open(purpose);
    const sentAt = performance.now();
    const exchanged = await exchange({
      address: this.#address,
      method: 'POST',
      path: '/documents',
      headers: {
        'content-type': 'text/plain; charset=utf-8',
        'content-length': bytes.length,
        'x-deadline-ms': deadlineMs,
      },
      body: bytes,
      patienceMs: deadlineMs + PATIENCE_MS,
      signal,
      onProcessing: () => this.#ledger.accepted(entry),
    });
    const answer = this.#book(entry, bytes, exchanged);
    const counter = REQUEST_OF[answer.outcome];
    if (counter !== undefined) this.requests[counter] += 1;
    this.#tell({ kind: 'document', purpose, sentAt, ...answer });
    return answer;
  }

  /**
   * Asks a price.
   *
   * @param {string} sku
   * @returns {Promise<{ ok: boolean, fallback: boolean, refused: boolean, status: number | undefined }>}
   */
  async askPrice(sku) {
    const sentAt = performance.now();
    const { status, body, error } = await this.ask('GET', `/prices/${sku}`, PRICE_PATIENCE_MS);
    const refused = status === 503 || NEVER_TAKEN.has(error?.code);
    const ok = status === 200;
    this.requests[ok ? 'ok' : refused ? 'rejected' : 'failed'] += 1;
    const answer = { ok, fallback: ok && body?.fallback === true, refused, status };
    this.#tell({ kind: 'price', sentAt, ...answer, why: error?.message ?? `status ${status}` });
    return answer;
  }

  /** Any other request, not booked: status, health, and the switch that blocks the loop. */
  ask(method, path, patienceMs) {
    return exchange({ address: this.#address, method, path, headers: {}, patienceMs });
  }

  /** Hears of every document and price as it ends. Returns the function that ends it. */
  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(fact) {
    for (const listener of this.#listeners) listener(fact);
  }

  /** @returns {Answer} */
  #book(entry, bytes, { status, headers, body, error, latencyMs }) {
    const ledger = this.#ledger;
    const why = error?.message ?? `status ${status}`;
    const answer = { status, body, latencyMs, retryAfterMs: undefined, why };
    if (status === 200 && body !== undefined) {
      this.lastAnswerAt.set(body.worker?.pid, performance.now());
      ledger.succeeded(entry, { counted: body, reference: referenceCount(bytes), latencyMs });
      return { ...answer, outcome: 'succeeded' };
    }
    if (status === 503) {
      ledger.refused(entry);
      const seconds = Number(headers['retry-after']);
      return { ...answer, outcome: 'refused', retryAfterMs: seconds > 0 ? seconds * 1_000 : undefined };
    }
    if (status !== undefined) {
      const told = `${status} ${JSON.stringify(body)}`;
      ledger.failed(entry, told);
      return { ...answer, outcome: 'failed', why: told };
    }
    if (error?.name === 'AbortError') {
      ledger.cancelled(entry);
      return { ...answer, outcome: 'cancelled' };
    }
    if (!entry.accepted && NEVER_TAKEN.has(error?.code)) {
      ledger.refused(entry);
      return { ...answer, outcome: 'refused' };
    }
    ledger.lostSightOf(entry, why);
    return { ...answer, outcome: 'lost' };
  }
}
