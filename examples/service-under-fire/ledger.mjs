/**
 * The launcher's own book of documents, kept from HTTP answers alone: what the service took on, and how it ended.
 *
 * A document is **accepted** when the service said so, by status 102 while it works or by a final answer other than
 * 503; a 503 or a connection that was refused or reset before either is a **refusal**, and leaves the book. What was
 * accepted must be **settled** exactly once: succeeded (200), failed (another answer) or cancelled (its client left
 * on purpose). An accepted document whose connection broke, or that nobody answered, stays open: it was lost.
 */

/** Why a document was sent; only some purposes excuse a failure or a cancellation. */
export const PURPOSES = Object.freeze({
  work: { mayFail: false, mayBeCancelled: false },
  burst: { mayFail: false, mayBeCancelled: false },
  witness: { mayFail: false, mayBeCancelled: false },
  poison: { mayFail: true, mayBeCancelled: false },
  late: { mayFail: true, mayBeCancelled: false },
  leaving: { mayFail: false, mayBeCancelled: true },
  farewell: { mayFail: false, mayBeCancelled: false },
});

const differenceOf = (counted, reference) => {
  for (const field of ['words', 'sentences', 'terms']) {
    const [ours, theirs] = [JSON.stringify(reference[field]), JSON.stringify(counted[field])];
    if (ours !== theirs) return `${field} are ${ours}, the worker says ${theirs}`;
  }
  return undefined;
};

/** @typedef {{ id: number, purpose: string, accepted: boolean }} Entry one document's line in the book */

export class Ledger {
  counts = { accepted: 0, settled: 0, succeeded: 0, failed: 0, cancelled: 0 };
  /** Sums over succeeded documents. */
  words = { byWorkers: 0, byDirectCount: 0 };
  /** What must not have happened, in words. @type {string[]} */
  violations = [];
  /** Of ordinary documents: the others are slow on purpose. @type {number[]} */
  latenciesMs = [];
  /** @type {Map<number, Entry>} */
  #open = new Map();
  #lastId = 0;
  /** Document → the versions that its counts were given. @type {Map<string, Set<number>>} */
  #versions = new Map();

  /** Documents that were accepted and never settled. */
  get lost() {
    return [...this.#open.values()].filter((entry) => entry.accepted);
  }

  /** A document is about to be sent. @param {string} purpose @returns {Entry} */
  open(purpose) {
    this.#lastId += 1;
    const entry = { id: this.#lastId, purpose, accepted: false };
    this.#open.set(entry.id, entry);
    return entry;
  }

  /** Status 102: the service took it and works on it. @param {Entry} entry */
  accepted(entry) {
    if (entry.accepted) return;
    entry.accepted = true;
    this.counts.accepted += 1;
  }

  /** Status 503, or no connection: the service did not take it. @param {Entry} entry */
  refused(entry) {
    if (!this.#open.delete(entry.id)) this.#violate(entry, 'was refused after it was settled');
    else if (entry.accepted) this.counts.accepted -= 1;
  }

  /** Status 200; `counted` by a worker, `reference` by the checker. @param {Entry} entry */
  succeeded(entry, { counted, reference, latencyMs }) {
    this.#settle(entry, 'succeeded');
    if (entry.purpose === 'work') this.latenciesMs.push(latencyMs);
    this.words.byWorkers += counted.words;
    this.words.byDirectCount += reference.words;
    this.#noteVersion(entry, counted);
    const difference = differenceOf(counted, reference);
    if (difference !== undefined) this.#violate(entry, `was miscounted: ${difference}`);
  }

  /** Any other final answer. @param {Entry} entry @param {string} why */
  failed(entry, why) {
    this.#settle(entry, 'failed');
    if (!PURPOSES[entry.purpose].mayFail) this.#violate(entry, `failed: ${why}`);
  }

  /** Its client left before the answer. @param {Entry} entry */
  cancelled(entry) {
    this.#settle(entry, 'cancelled');
    if (!PURPOSES[entry.purpose].mayBeCancelled) this.#violate(entry, 'was cancelled');
  }

  /**
   * An accepted document's connection broke, or nobody answered in time: it stays open, and is thereby lost.
   *
   * @param {Entry} entry
   * @param {string} why
   */
  lostSightOf(entry, why) {
    this.accepted(entry);
    this.#violate(entry, `was accepted and never answered: ${why}`);
  }

  /** No two counts of one document have one version: each was written down after the other. */
  #noteVersion(entry, { document, version }) {
    if (version === undefined) return;
    const seen = this.#versions.get(document) ?? new Set();
    this.#versions.set(document, seen);
    if (seen.has(version)) this.#violate(entry, `has version ${version}, which another count of it has`);
    seen.add(version);
  }

  #settle(entry, outcome) {
    if (!this.#open.delete(entry.id)) {
      this.#violate(entry, `was settled twice, at last as ${outcome}`);
      return;
    }
    this.accepted(entry);
    this.counts.settled += 1;
    this.counts[outcome] += 1;
  }

  #violate({ id, purpose }, what) {
    this.violations.push(`document ${id} (${purpose}) ${what}`);
  }
}
